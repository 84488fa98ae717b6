//! Rules for code hosting, packages and planning.

use super::super::rule::ContentRule;

#[rustfmt::skip]
pub(super) const HOSTING: &[ContentRule] = &[
    ContentRule::token("github-token", "GitHub tokens: personal, OAuth, app, refresh", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"\b(gh[pousr]_[A-Za-z0-9]{36,251})\b")
        .finds(&[
            &["ghp", "_yAVHnyrv", "WdFrK9xiR", "GHOY32nfr", "5pyzPCB9t2"],
            &["gho", "_039bicBT", "W5ZE9LFae", "z7770H2DC", "pYgojjHRg8"],
            &["ghs", "_0USP2W5D", "fJXcaYioK", "6cPTt9iOq", "HOBSWhgetH"],
        ])
        .leaves(&[
            &["ghp", "_xxxxxxxx", "xxxxxxxxx", "xxxxxxxxx", "xxxxxxxxxx"],
            &["ghp", "_sh", "ort"],
            &["wei", "ghs_", "8Lmyq"],
        ]),
    ContentRule::token("github-fine-grained-token", "GitHub fine-grained tokens", &["github_pat_"],
        r"\b(github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59})\b")
        .finds(&[
            &["git", "hub_pat_oYMaaItDr9uP14", "pEHpJpb9_ATPtdbmF4RPAfq", "oQB7xoFcSvTAxRzmaZsV2G", "enFmtX0moDoqW4sg8NFNl5o"],
        ])
        .leaves(&[
            &["git", "hub_pat_", "11EXAMPLE"],
        ]),
    ContentRule::token("gitlab-token", "GitLab tokens: personal, deploy, runner, trigger", &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-"],
        r"\b(gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat)-[0-9A-Za-z_.-]{20,300})")
        .finds(&[
            &["glp", "at-_1hs", "YgBds1gh", "xY5Ookvv"],
        ])
        .leaves(&[
            &["glp", "at-xxxx", "xxxxxxxx", "xxxxxxxx"],
            &["glp", "a", "t-"],
        ]),
    ContentRule::token("npm-token", "npm tokens", &["npm_"],
        r"\b(npm_[A-Za-z0-9]{36})\b")
        .entropy(3.5)
        .finds(&[
            &["npm", "_mlP7HVDc", "tQUy1xvCk", "gafrfwA94", "hJ9WnywX0t"],
        ])
        .leaves(&[
            &["npm", "_config_", "registry"],
            &["npm", "_aaaaaaaa", "aaaaaaaaa", "aaaaaaaaa", "aaaaaaaaaa"],
        ]),
    ContentRule::token("pypi-token", "PyPI tokens", &["pypi-age"],
        r"\b(pypi-AgE[A-Za-z0-9_-]{60,})")
        .entropy(3.5)
        .finds(&[
            &["pyp", "i-AgEIcHlwaS5vcmc3lg8", "zV5yPU8d0FZfWe7ihGyiRU", "IQfHOJMaidDn87XG3-q-xb", "MtEPO6UkzYuF0ie9Pu2njq"],
        ])
        .leaves(&[
            &["pyp", "i-age-of", "-packages"],
        ]),
    ContentRule::token("crates-io-token", "crates.io tokens", &["cio"],
        r"\b(cio[A-Za-z0-9]{32})\b")
        .entropy(3.8)
        .finds(&[
            &["cio", "NfngAFTClo", "iADN5RpVI2X", "QWhX1ssrKrx"],
        ])
        .leaves(&[
            &["pre", "ci", "ous"],
            &["cio", "aaaaaaaaaa", "aaaaaaaaaaa", "aaaaaaaaaaa"],
        ]),
    ContentRule::token("rubygems-token", "RubyGems tokens", &["rubygems_"],
        r"\b(rubygems_[a-f0-9]{48})\b")
        .finds(&[
            &["rub", "ygems_886e757", "7496a2c8773e13", "0f7eb19731662", "b5e803b61ba416"],
        ])
        .leaves(&[
            &["rub", "ygems_", "version"],
        ]),
    ContentRule::token("docker-hub-token", "Docker Hub tokens", &["dckr_pat_", "dckr_oat_"],
        r"\b(dckr_[po]at_[A-Za-z0-9_-]{27,40})")
        .finds(&[
            &["dck", "r_pat_Ge", "AbP0VxNj", "Ae-9i0mY", "tluYI0KNA"],
        ])
        .leaves(&[
            &["dck", "r_pat_yo", "ur_token"],
        ]),
    ContentRule::token("postman-key", "Postman API keys", &["pmak-"],
        r"\b(PMAK-[0-9a-fA-F]{24}-[0-9a-fA-F]{34})\b")
        .finds(&[
            &["PMA", "K-19bdd0b6cc60d", "5d32cbe5401-4c2", "b54b95523cf6941", "fa1c257c6f561c5c"],
        ])
        .leaves(&[
            &["PMA", "K", "-1"],
        ]),
    ContentRule::token("linear-key", "Linear keys", &["lin_api_", "lin_oauth_"],
        r"\b(lin_(?:api|oauth)_[0-9A-Za-z]{32,64})\b")
        .finds(&[
            &["lin", "_api_whjpU0", "5mc4J1WRcQ1", "uhyMDJ2OXtP", "AtLpByQxCGCl"],
        ])
        .leaves(&[
            &["lin", "_api_", "client"],
        ]),
    ContentRule::token("figma-token", "Figma tokens", &["figd_"],
        r"\b(figd_[A-Za-z0-9_-]{40,64})")
        .finds(&[
            &["fig", "d_ca_7E56w", "8ZniqT3Ul4f", "fqkOkgWrdi", "oyq_KvCiSGk"],
        ])
        .leaves(&[
            &["fig", "d", "_x"],
        ]),
    ContentRule::token("notion-token", "Notion tokens", &["ntn_"],
        r"\b(ntn_[0-9A-Za-z]{40,50})\b")
        .finds(&[
            &["ntn", "_u5Nr50DjqG", "96EnLqNGpuxc", "mlzkO7rRu5yk", "YYqhXHdO2x93"],
        ])
        .leaves(&[
            &["ntn", "_a", "pi"],
        ]),
];
