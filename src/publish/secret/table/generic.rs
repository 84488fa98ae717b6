//! Rules for keys and passwords of any origin; they stand last, since another rule says more.

use super::super::rule::ContentRule;

#[rustfmt::skip]
pub(super) const GENERIC: &[ContentRule] = &[
    ContentRule::token("private-key", "private keys: PEM, OpenSSH", &["private key-----"],
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----([^-]{64,})")
        .around(40, 32768)
        .entropy(3.5)
        .finds(&[
            &["---", "--BEGIN RSA PRIVATE KEY-----\nbTuEPP+IKBLhcuiS4hX4TnCt1RTrzJm8Iq0na0p/Yt1JoW56KT", "LTYXPa/W4MxMs3\nWDlQPFPA2bdgG/MN33X7TfS5biDm0VZty1+Z4RlvUOUjNwoLR1uLAy0xhnTf0baN\n", "aMYmbdzw/Isz0psundmjv+73hbPsETJveImiSy5XcgCYf4gEFCfuwOa6M1G/iFXC\n0NZ+cFlwvTWxaL", "YUoQXQZip2SFXy7KSE3eJdRtEqlzIq47EuVTBZWAM8AD5qH4VF\n-----END RSA PRIVATE KEY-----"],
            &["---", "--BEGIN OPENSSH PRIVATE KEY-----\nZBqplIXdsNbXlwDPyni", "UMyiNlCKqZKTZ7qJwdUS0d7FZTmxLoICfZfu3zMtWfNwD/G3Sao\n", "KfgFoeOASl1YCJlS24R5gA2q+yfHwuEHFhvTS0lzNrr+9EEa4rSM", "rsEQp2vt7ZAoLbU+Af\n-----END OPENSSH PRIVATE KEY-----"],
        ])
        .leaves(&[
            &["---", "--BEGIN PRIVA", "TE KEY-----\n..", ".\n-----END PR", "IVATE KEY-----"],
            &["---", "--BEGIN PUBLIC KEY----", "-\nhJMzoN5ouP47ULvjfb7+", "kQHn+3+yPbTlKGFkrddYsL", "VxvnNPWxTODVrVGEhfnZgB"],
        ]),
    ContentRule::token("pgp-private-key", "PGP private key blocks", &["pgp private key block"],
        r"-----BEGIN PGP PRIVATE KEY BLOCK-----([^-]{64,})")
        .around(16, 32768)
        .entropy(3.5)
        .finds(&[
            &["---", "--BEGIN PGP PRIVATE KEY BLOCK-----\n\nbTuEPP+IKBLhcuiS4hX4TnCt1RTrzJm8Iq0na0p/Yt1JoW56", "KTLTYXPa/W4MxMs3\nWDlQPFPA2bdgG/MN33X7TfS5biDm0VZty1+Z4RlvUOUjNwoLR1uLAy0xhnTf0baN\naM", "Ymbdzw/Isz0psundmjv+73hbPsETJveImiSy5XcgCYf4gEFCfuwOa6M1G/iFXC\n0NZ+cFlwvTWxaLYUoQXQZ", "ip2SFXy7KSE3eJdRtEqlzIq47EuVTBZWAM8AD5qH4VF\n=aB3d\n-----END PGP PRIVATE KEY BLOCK-----"],
        ])
        .leaves(&[
            &["a P", "GP PRIVAT", "E KEY BLO", "CK is not", " committed"],
        ]),
    ContentRule::token("age-key", "age secret keys", &["age-secret-key-1"],
        r"\b(AGE-SECRET-KEY-1[0-9A-Z]{58})\b")
        .finds(&[
            &["AGE", "-SECRET-KEY-1LML2", "N9FW2GUE9ZU7VDHQZM", "FJYR64YUQT2CJQUKV7", "95AMFE9R4N6H7GN4PV"],
        ])
        .leaves(&[
            &["AGE", "-SECRET-KEY-1XXXX", "XXXXXXXXXXXXXXXXXX", "XXXXXXXXXXXXXXXXXX", "XXXXXXXXXXXXXXXXXX"],
        ]),
    ContentRule::token("jwt", "JSON Web Tokens", &["eyj"],
        r"\b(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,})")
        .around(1, 4096)
        .entropy(3.5)
        .finds(&[
            &["eyJ", "oRVCSfjQLxJL8AxHpKCzqhol94mJVho31.e", "yJqPgmHQqTFoJDoIKShVG6LKf2AReZCi3GJ", "GT1W8hO9UGgD1RzIk99mKEXfixX.hZEgVfb", "B6Mpr2lzoTvURbGpEVT_fTmTPoeFGTy5c4oY"],
        ])
        .leaves(&[
            &["eyJ", "hbGciOiJIUzI1NiIsInR5cCI6I", "kpXVCJ9.eyJzdWIiOiIxMjM0NT", "Y3ODkwIn0.SflKxwRJSMeKKF2Q", "T4fwpMeJf36POk6yJV_adQssw5c"],
            &["eyJ", "hbGciOiJ", "IUzI1NiJ9"],
        ]),
    ContentRule::token("database-url", "passwords in URLs of databases and queues", &["postgres://", "postgresql://", "mysql://", "mariadb://", "mongodb://", "mongodb+srv://", "redis://", "rediss://", "amqp://", "amqps://", "mssql://", "sqlserver://", "clickhouse://", "ftp://"],
        r#"://[^\s:/@'"<>`]{0,64}:([^\s@'"<>/`]{6,128})@[A-Za-z0-9\[]"#)
        .around(0, 320)
        .entropy(2.5)
        .finds(&[
            &["pos", "tgres://app", ":bFheZqljJ7", "s3RQy1@db.i", "nternal/app"],
            &["mon", "godb+srv:/", "/u:jL4qISWZ", "r8Cabv@c0.", "mongodb.net"],
        ])
        .leaves(&[
            &["pos", "tgres://", "user:pass", "word@loc", "alhost/db"],
            &["pos", "tgres://ap", "p:$PGPASSW", "ORD@db/app"],
            &["pos", "tgres://", "localhos", "t:5432/db"],
            &["red", "is://:$", "{PASS}@h"],
        ]),
    ContentRule::token("url-password", "passwords in other URLs", &["http://", "https://"],
        r#"://[^\s:/@'"<>`]{1,64}:([^\s@'"<>/`]{6,128})@[A-Za-z0-9\[]"#)
        .around(0, 320)
        .entropy(2.8)
        .finds(&[
            &["htt", "ps://deploy:j", "FGE3cZ1celN0PR", "Mz1E9@git.int", "ernal/repo.git"],
        ])
        .leaves(&[
            &["htt", "ps://use", "r:passwo", "rd@host/"],
            &["htt", "ps://host", ":8080/a@b"],
            &["htt", "ps://x:{to", "ken}@host/"],
        ]),
    ContentRule::token("authorization-header", "values of Authorization headers", &["authorization"],
        r#"(?i)\bauthorization["']?[ \t]{0,3}[:=][ \t]{0,3}["']?(?:bearer|basic|token)[ \t]{1,3}([A-Za-z0-9._~+/=-]{16,})"#)
        .around(1, 2048)
        .entropy(3.5)
        .finds(&[
            &["Aut", "horization: Be", "arer kS2Czo39NH", "exvHnt5iLNcnk0x", "UDvKDy7wuavLEvo"],
        ])
        .leaves(&[
            &["Aut", "horizatio", "n: Bearer ", "your-token", "-goes-here"],
            &["Aut", "horization", ": Bearer $", "TOKEN_OF_T", "HE_SERVICE"],
        ]),
    ContentRule::token("assigned-secret", "quoted values of names with `password`, `secret`, `token`, `api_key` and their like", &["password", "passwd", "secret", "token", "api_key", "api-key", "apikey", "access_key", "auth_key"],
        r#"(?i)(?:password|passwd|secret|token|api[_-]?key|access_key|auth_key)[a-z0-9_]{0,20}["']?[ \t]{0,3}(?::=|=>|=|:)[ \t]{0,3}["']([A-Za-z0-9!#%&*+,./;=@^_|~-]{16,200})["']"#)
        .around(0, 260)
        .entropy(3.5)
        .mixed()
        .finds(&[
            &["api", "_key = \"bp", "D4McOjUQjr", "yreGqwKKHL", "9iSc6J5Xg3\""],
            &["\"cl", "ientSecret\"", ": \"z2mUKEsj", "MRUFSZQhRP9", "VFEStrAa69x\""],
            &["con", "st dbPass", "word: 'zC", "zKXt7kLej", "tUtqUKJQ7'"],
        ])
        .leaves(&[
            &["pas", "sword = \"", "correct ho", "rse batte", "ry staple\""],
            &["sec", "ret_name =", " \"projects", "/baton/sec", "rets/main\""],
            &["tok", "en = \"you", "r-token-he", "re-please\""],
            &["tok", "en: \"xxx", "xxxxxxxxx", "xxxxxxxx", "xxxxxxxx\""],
            &["api", "_key = os.", "environ[\"AP", "I_KEY_OF_TH", "E_SERVICE\"]"],
            &["pas", "sword = \"", "${DATABASE", "_PASSWORD_", "FROM_ENV}\""],
            &["tok", "en_url = \"htt", "ps://login.int", "ernal.net/oaut", "h2/v2.0/token\""],
            &["sec", "ret = \"a1a", "1a1a1a1a1a", "1a1a1a1a1a", "1a1a1a1a1\""],
        ]),
    ContentRule::token("environment-secret", "unquoted values of names such as `API_TOKEN=` at the beginning of a line", &["password=", "passwd=", "secret=", "token=", "_key="],
        r"(?m:^)[ \t]{0,8}(?:export[ \t]{1,3})?[A-Z][A-Z0-9_]{0,60}?(?:PASSWORD|PASSWD|SECRET|TOKEN|API_KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY)=([A-Za-z0-9+/=_.~!@#%^&*-]{16,200})(?:\s|$)")
        .around(90, 220)
        .entropy(3.5)
        .mixed()
        .finds(&[
            &["exp", "ort SERVICE_", "TOKEN=9ve6mL7", "fLltLwDwXSBU", "37e1Fu5lr5qIb"],
            &["\nDB", "_PASSWOR", "D=WkOrpTb", "ndzCm5Ms", "3GPgmpUd9"],
        ])
        .leaves(&[
            &["CAN", "CEL_TOKE", "N=Cancel", "lationTo", "kenSource"],
            &["API", "_TOKEN=$(", "pass show ", "api/token)"],
            &["TOK", "EN_CO", "UNT=12"],
        ]),
];
