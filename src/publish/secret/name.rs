//! Files that hold secrets by their name; some only when a look inside agrees.

use super::fingerprint::Fingerprint;
use super::scan::Hit;
use crate::publish::RepoPath;

/// As much of a file's beginning as a name rule looks at.
pub const SAMPLE_BYTES: usize = 64 << 10;

/// How a file's name tells that it holds secrets.
#[derive(Debug)]
pub struct NameRule {
    /// Its name in findings.
    pub id: &'static str,
    /// What it recognises, for the documentation.
    pub what: &'static str,
    /// Whether it is meant for this name (the last part of the path, lower case; the whole path beside it).
    matches: fn(name: &str, path: &str) -> bool,
    /// Whether the beginning of the content agrees.
    agrees: fn(sample: &str) -> bool,
    /// Paths with contents, each content in parts, that it finds.
    pub examples: &'static [(&'static str, &'static [&'static str])],
    /// The same, which it leaves.
    pub look_alikes: &'static [(&'static str, &'static [&'static str])],
}

fn has_text(sample: &str) -> bool {
    !sample.trim().is_empty()
}

fn is_environment(name: &str, _: &str) -> bool {
    const HARMLESS: [&str; 12] = [
        "example", "sample", "template", "tmpl", "dist", "defaults", "schema", "md", "ts", "vault", "keep",
        "tpl",
    ];
    let kind = name.rsplit('.').next().unwrap_or_default();
    name == ".env" || (name.starts_with(".env.") && !HARMLESS.contains(&kind))
}

fn is_ssh_key(name: &str, _: &str) -> bool {
    const KINDS: [&str; 4] = ["rsa", "dsa", "ecdsa", "ed25519"];
    let Some(rest) = name.strip_prefix("id_") else { return false };
    let (stem, extension) = rest.split_once('.').unwrap_or((rest, ""));
    let kind = stem.split(['_', '-']).next().unwrap_or_default();
    KINDS.contains(&kind) && matches!(extension, "" | "key" | "pem" | "ppk" | "bak" | "old")
}

fn has_extension(name: &str, extensions: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
}

fn has_private_part(sample: &str) -> bool {
    let public = ["BEGIN CERTIFICATE", "PUBLIC KEY", "BEGIN X509", "BEGIN DH PARAMETERS", "BEGIN PKCS7"];
    sample.contains("PRIVATE KEY") || (has_text(sample) && !public.iter().any(|mark| sample.contains(mark)))
}

/// Whether a line gives one of these keys a value that is no variable.
fn gives(sample: &str, keys: &[&str]) -> bool {
    sample.lines().any(|line| {
        keys.iter().any(|key| {
            line.split_once(key).is_some_and(|(_, rest)| {
                let value = rest.trim_start_matches(['"', '=', ':', ' ', '\t', '\'']);
                !value.is_empty() && !value.starts_with(['$', '<', '{', '%', ',', '}'])
            })
        })
    })
}

/// The table.
pub const NAME_RULES: &[NameRule] = &[
    NameRule {
        id: "env-file",
        what: "`.env` and `.env.*`, but for `.env.example` and its like",
        matches: is_environment,
        agrees: has_text,
        examples: &[(".env", &["A=b"]), ("web/.env.production", &["A=b"]), (".env.local", &["A=b"])],
        look_alikes: &[
            (".env.example", &["A=b"]),
            (".env.sample", &["A=b"]),
            ("a/.env.template", &["A=b"]),
            (".env.local.example", &["A=b"]),
            (".envrc", &["use nix"]),
            ("src/env.rs", &["x"]),
            (".env", &["\n"]),
        ],
    },
    NameRule {
        id: "ssh-key-file",
        what: "`id_rsa`, `id_ed25519` and its like, but for `.pub`",
        matches: is_ssh_key,
        agrees: has_text,
        examples: &[("id_rsa", &["x"]), (".ssh/id_ed25519", &["x"]), ("keys/id_ed25519_deploy", &["x"])],
        look_alikes: &[
            ("id_rsa.pub", &["x"]),
            ("src/id_list.rs", &["x"]),
            ("id_rsa.rs", &["x"]),
            ("id_token.json", &["{}"]),
        ],
    },
    NameRule {
        id: "pem-file",
        what: "`*.pem`, but for certificates and public keys",
        matches: |name, _| has_extension(name, &["pem"]),
        agrees: has_private_part,
        examples: &[("tls/server.pem", &["-----BEGIN RSA ", "PRIVATE KEY-----"]), ("a.pem", &["whatever"])],
        look_alikes: &[
            ("ca.pem", &["-----BEGIN CERTIFICATE-----\nMIIB\n"]),
            ("p.pem", &["-----BEGIN PUBLIC KEY-----\nMIIB\n"]),
            ("pem.rs", &["x"]),
        ],
    },
    NameRule {
        id: "key-store",
        what: "`*.p12`, `*.pfx`, `*.jks`, `*.keystore`, `*.ppk`, `*.kdbx`",
        matches: |name, _| has_extension(name, &["p12", "pfx", "jks", "keystore", "ppk", "kdbx"]),
        agrees: |sample| !sample.is_empty(),
        examples: &[("a.p12", &["0"]), ("release.keystore", &["0"]), ("Team.KDBX", &["0"])],
        look_alikes: &[("keystore.go", &["x"]), ("pfx.md", &["x"])],
    },
    NameRule {
        id: "npmrc",
        what: "`.npmrc` with a credential",
        matches: |name, _| matches!(name, ".npmrc" | ".yarnrc"),
        agrees: |sample| gives(sample, &["_authToken=", "_auth=", "_password="]),
        examples: &[(".npmrc", &["//registry.npmjs.org/:_auth", "Token=abc"])],
        look_alikes: &[
            (".npmrc", &["save-exact=true\n"]),
            (".npmrc", &["//registry.npmjs.org/:_auth", "Token=${NPM_TOKEN}\n"]),
        ],
    },
    NameRule {
        id: "netrc",
        what: "`.netrc` with a password",
        matches: |name, _| matches!(name, ".netrc" | "_netrc"),
        agrees: |sample| gives(sample, &["password"]),
        examples: &[(".netrc", &["machine a login b pass", "word c"])],
        look_alikes: &[(".netrc", &["machine a login b\n"])],
    },
    NameRule {
        id: "pypirc",
        what: "`.pypirc` with a password",
        matches: |name, _| name == ".pypirc",
        agrees: |sample| gives(sample, &["password"]),
        examples: &[(".pypirc", &["[pypi]\npass", "word = abc"])],
        look_alikes: &[(".pypirc", &["[distutils]\nindex-servers = pypi\n"])],
    },
    NameRule {
        id: "git-credentials",
        what: "`.git-credentials`",
        matches: |name, _| name == ".git-credentials",
        agrees: has_text,
        examples: &[(".git-credentials", &["x"])],
        look_alikes: &[("git-credentials.md", &["x"])],
    },
    NameRule {
        id: "credentials-json",
        what: "`credentials.json`, `client_secret*.json`, `service-account*.json` with a credential",
        matches: |name, _| {
            let stems =
                ["credentials", "client_secret", "service-account", "service_account", "serviceaccount"];
            has_extension(name, &["json"]) && stems.iter().any(|stem| name.starts_with(stem))
        },
        agrees: |sample| {
            gives(sample, &["private_key\"", "client_secret\"", "refresh_token\"", "secret\"", "password\""])
        },
        examples: &[("credentials.json", &["{\"client_sec", "ret\": \"abc\"}"])],
        look_alikes: &[
            ("credentials.json", &["{}"]),
            ("credentials.schema.json", &["{\"type\": \"object\"}"]),
        ],
    },
    NameRule {
        id: "aws-credentials",
        what: "`.aws/credentials` with a secret key",
        matches: |_, path| path == ".aws/credentials" || path.ends_with("/.aws/credentials"),
        agrees: |sample| gives(sample, &["aws_secret_access_key", "aws_session_token"]),
        examples: &[(".aws/credentials", &["aws_secret_acc", "ess_key = abc"])],
        look_alikes: &[(".aws/credentials", &["[default]\n"]), ("docs/aws/credentials", &["x"])],
    },
    NameRule {
        id: "docker-auth",
        what: "`.dockercfg`, `.docker/config.json` with a credential",
        matches: |name, path| {
            name == ".dockercfg" || path == ".docker/config.json" || path.ends_with("/.docker/config.json")
        },
        agrees: |sample| gives(sample, &["\"auth\"", "\"identitytoken\""]),
        examples: &[(".docker/config.json", &["{\"auths\": {\"r\": {\"au", "th\": \"YTpi\"}}}"])],
        look_alikes: &[(".docker/config.json", &["{\"credsStore\": \"pass\"}"])],
    },
    NameRule {
        id: "htpasswd",
        what: "`.htpasswd`",
        matches: |name, _| name == ".htpasswd",
        agrees: |sample| sample.contains(':'),
        examples: &[(".htpasswd", &["a:b"])],
        look_alikes: &[("htpasswd.go", &["a:b"])],
    },
];

/// What the name of a file tells, with the beginning of its content ([`SAMPLE_BYTES`] at most). It stands for the whole
/// file: its place is the file's first byte, its fingerprint is that of the path.
pub fn find_name(path: &RepoPath, sample: &[u8]) -> Option<Hit> {
    let whole = String::from_utf8_lossy(path.as_bytes()).to_ascii_lowercase();
    let name = whole.rsplit('/').next().unwrap_or_default();
    let rule = NAME_RULES.iter().find(|rule| (rule.matches)(name, &whole))?;
    let sample = String::from_utf8_lossy(&sample[..sample.len().min(SAMPLE_BYTES)]);
    (rule.agrees)(&sample).then(|| Hit {
        rule: rule.id,
        line: 1,
        column: 1,
        fingerprint: Fingerprint::of(rule.id, path.as_bytes()),
    })
}
