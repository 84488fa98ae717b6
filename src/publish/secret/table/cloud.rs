//! Rules for clouds and what runs in them.

use super::super::rule::ContentRule;

#[rustfmt::skip]
pub(super) const CLOUD: &[ContentRule] = &[
    ContentRule::token("aws-access-key-id", "AWS access key ids", &["akia", "asia", "abia", "acca"],
        r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b")
        .finds(&[
            &["AKI", "ALENWBC4", "TDMUB7SGB"],
        ])
        .leaves(&[
            &["AKI", "AIOSFODN", "N7EXAMPLE"],
            &["AKI", "AAAAAAAA", "AAAAAAAAA"],
            &["asi", "at", "ic"],
        ]),
    ContentRule::token("aws-secret-key", "AWS secret access keys, next to a name that says so", &["aws"],
        r#"(?i)aws[a-z_ .-]{0,20}(?:secret|key)[a-z_ .-]{0,20}["']?[ \t]{0,3}[=:][ \t]{0,3}["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#)
        .entropy(4.0)
        .finds(&[
            &["aws", "_secret_access_", "key = l31iEl2hp", "ChYgCfrL1spNxny", "VmihA/2O76UMFxFk"],
        ])
        .leaves(&[
            &["aws", "_secret_access_", "key = wJalrXUtn", "FEMI/K7MDENG/bP", "xRfiCYEXAMPLEKEY"],
            &["aws", "_key_sha1 = d", "eadbeefdeadbe", "efdeadbeefdea", "dbeefdeadbeef"],
        ]),
    ContentRule::token("gcp-service-account", "keys of Google service accounts", &["private_key_id"],
        r#""private_key_id"\s{0,8}:\s{0,8}"([0-9a-f]{40})""#)
        .finds(&[
            &["\"pr", "ivate_key_id\":", " \"9fae923d5a4f", "d12aabfe228f21", "9e9cb0eb53f169\""],
        ])
        .leaves(&[
            &["\"pr", "ivate_key", "_id\": \"yo", "ur-key-id\""],
        ]),
    ContentRule::token("google-api-key", "Google API keys", &["aiza"],
        r"\b(AIza[0-9A-Za-z_-]{35})(?:[^0-9A-Za-z_-]|$)")
        .entropy(3.5)
        .finds(&[
            &["AIz", "aqFYY-kv5", "ZJr3J1TWD", "tkwtDDb_x", "HKas1VOqS"],
        ])
        .leaves(&[
            &["AIz", "aXXXXXXXX", "XXXXXXXXX", "XXXXXXXXX", "XXXXXXXXX"],
        ]),
    ContentRule::token("google-oauth-secret", "Google OAuth client secrets", &["gocspx-"],
        r"\b(GOCSPX-[0-9A-Za-z_-]{28})")
        .finds(&[
            &["GOC", "SPX-g6YYZY", "n9ZhyiA4uoR", "gnatmUdjAWj"],
        ])
        .leaves(&[
            &["GOC", "SPX-your_c", "lient_secre", "t_goes_here"],
        ]),
    ContentRule::token("google-oauth-token", "Google OAuth access tokens", &["ya29."],
        r"\b(ya29\.[0-9A-Za-z_-]{40,})")
        .around(1, 2048)
        .finds(&[
            &["ya2", "9.GSU8po_799Nks", "nRH9ucAUsdMlHUvT", "CQCyEZDz-TddJ8H", "yS5SUkCnD8zRA9aE"],
        ])
        .leaves(&[
            &["ya2", "9", ".1"],
        ]),
    ContentRule::token("azure-storage-key", "Azure storage account keys", &["accountkey"],
        r"(?i)AccountKey=([A-Za-z0-9+/]{86}==)")
        .finds(&[
            &["Acc", "ountKey=SkpXz9w3QlY7Zkuv", "qdt7s8Stqcbnr3yBdGBLEPH1", "qhT61qtc4xatws8phP9nhFyJ", "fm5di4PzJ59FHz5r1pY4Oj=="],
        ])
        .leaves(&[
            &["Acc", "ountKey=<you", "r-key>;Endpoi", "ntSuffix=cor", "e.windows.net"],
        ]),
    ContentRule::token("azure-client-secret", "Azure client secrets", &["q~"],
        r"(?:^|[^A-Za-z0-9_~.-])([A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})")
        .around(5, 64)
        .entropy(3.5)
        .finds(&[
            &["Zr3", "8Q~QpBenQ", "tYh5Xj8TP", "Qxjq4i9Do", "V8gz4FkQ1o"],
        ])
        .leaves(&[
            &["abc", "1Q~s", "hort"],
        ]),
    ContentRule::token("digitalocean-token", "DigitalOcean tokens", &["dop_v1_", "doo_v1_", "dor_v1_"],
        r"\b(do[por]_v1_[0-9a-f]{64})\b")
        .finds(&[
            &["dop", "_v1_5dcad6ba2b0ae", "e0ca923732881584d", "8c4fa2815d2802827", "283e0ad8417358156"],
        ])
        .leaves(&[
            &["dop", "_v1_0000000000000", "00000000000000000", "00000000000000000", "00000000000000000"],
        ]),
    ContentRule::token("heroku-key", "Heroku API keys", &["heroku", "hrku-"],
        r#"(?i)(?:\b(?:heroku)[a-z_ .-]{0,20}["\x27]?[ \t]{0,3}[=:][ \t]{0,3}["\x27]?|\b)((?:HRKU-[0-9a-z_-]{36,64})|(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}))\b"#)
        .around(0, 128)
        .finds(&[
            &["HER", "OKU_API_KEY=", "9969e58b-081", "0-06f7-e3df-", "c967a64cb140"],
            &["HRK", "U-jG3uhkWK", "FLf6xuI5aHU", "QPFeNBTxaQ", "Wk8JzFalHlj"],
        ])
        .leaves(&[
            &["id:", " 9b2d6f0e", "-51c3-4a7", "e-8d21-7f", "3c0b9e6a54"],
        ]),
    ContentRule::token("databricks-token", "Databricks tokens", &["dapi"],
        r"\b(dapi[0-9a-f]{32}(?:-\d)?)\b")
        .finds(&[
            &["dap", "ic1c0997", "24caf494", "1d407201", "4b3ce107f"],
        ])
        .leaves(&[
            &["dap", "i_cl", "ient"],
        ]),
    ContentRule::token("doppler-token", "Doppler tokens", &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."],
        r"\b(dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44})\b")
        .finds(&[
            &["dp.", "pt.qaDZeV7G", "5IfQHeVVEqZe", "2qpUWnoVPDF", "2yeE6RsXcNOP"],
        ])
        .leaves(&[
            &["dp.", "st.push", "_back(x)"],
        ]),
    ContentRule::token("vault-token", "HashiCorp Vault tokens", &["hvs.", "hvb.", "hvr."],
        r"\b(hv[sbr]\.[A-Za-z0-9_-]{24,})")
        .around(1, 1024)
        .entropy(3.5)
        .finds(&[
            &["hvs", ".zjsQGMrb9", "h_ImB_LK77", "7pzNk8cL6j", "5IXAAjlsHUi"],
        ])
        .leaves(&[
            &["hvs", ".re", "ad()"],
        ]),
    ContentRule::token("terraform-token", "Terraform Cloud tokens", &[".atlasv1."],
        r"\b([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,70})")
        .around(15, 128)
        .finds(&[
            &["M0O", "Gr4hTxoF54F.atlasv1.Y", "dua_5ZMs1SWOpQaPRYpzbL", "GViYXjU2JgJngKtFI3OyV2", "dZAkg05rK_gqv81RKMGHZP"],
        ])
        .leaves(&[
            &["a.a", "tlas", "v1.b"],
        ]),
    ContentRule::token("grafana-token", "Grafana service account and cloud tokens", &["glsa_", "glc_"],
        r"\b(glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}|glc_[A-Za-z0-9+/]{40,}={0,2})")
        .finds(&[
            &["gls", "a_ptEJQzhk", "PkenG5ZFJoC", "6vWCBiJmpfl", "vJ_2a7b860d"],
        ])
        .leaves(&[
            &["glc", "_draw_b", "uffers(", "context)"],
        ]),
];
