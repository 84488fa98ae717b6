//! Rules for services with an API.

use super::super::rule::ContentRule;

#[rustfmt::skip]
pub(super) const SERVICES: &[ContentRule] = &[
    ContentRule::token("slack-token", "Slack tokens", &["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"],
        r"\b((?:xox[abeoprs]|xapp)-[0-9A-Za-z-]{24,250})")
        .finds(&[
            &["xox", "b-78891486546", "5-92551732904", "8-qtO93L7Q5uU", "aVcojsNOBAGx5"],
            &["xap", "p-1-ADI5OCBDAWT-1", "85836949235-f5407", "4e3248c801bef7501", "10c57513064d6d5929"],
        ])
        .leaves(&[
            &["xox", "b-your-t", "oken-here", "-please-a", "nd-thanks"],
            &["xox", "b", "-1"],
        ]),
    ContentRule::token("slack-webhook", "Slack webhooks", &["hooks.slack.com"],
        r"(?i)hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{30,100})")
        .finds(&[
            &["htt", "ps://hooks.slack.c", "om/services/TUBXZPW", "RA/BMNXOCXUO/logqo", "Pchv5V7S82qTdrOJRBR"],
        ])
        .leaves(&[
            &["htt", "ps://hooks.slack.c", "om/services/T000000", "00/B00000000/XXXXX", "XXXXXXXXXXXXXXXXXXX"],
        ]),
    ContentRule::token("discord-webhook", "Discord webhooks", &["/api/webhooks/"],
        r"(?i)discord(?:app)?\.com/api/webhooks/\d{17,20}/([A-Za-z0-9_-]{60,90})")
        .around(16, 192)
        .finds(&[
            &["htt", "ps://discord.com/api/webhooks", "/955429135443647647/88ad3DNBY", "jvsedonuSsddfrfifiUziXnFAAoee", "lK9mqmALOR2HcSGKgVP8Kd0d3mS8gI"],
        ])
        .leaves(&[
            &["htt", "ps://disc", "ord.com/ap", "i/webhook", "s/ID/TOKEN"],
        ]),
    ContentRule::token("discord-bot-token", "Discord bot tokens, next to a name that says so", &["discord"],
        r#"(?i)discord[a-z_ .-]{0,24}["']?[ \t]{0,3}[=:][ \t]{0,3}["']?([MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40})"#)
        .finds(&[
            &["DIS", "CORD_TOKEN=MKnT30fK0", "skBaHmsWWdawFgF.SY0l", "9F.SHuKBD-vok_nPTmZY", "l2dVAMH2vWD6qeSPt5PvD"],
        ])
        .leaves(&[
            &["DIS", "CORD_TO", "KEN=you", "r_token"],
        ]),
    ContentRule::token("telegram-bot-token", "Telegram bot tokens", &[":aa"],
        r"\b(\d{8,10}:AA[A-Za-z0-9_-]{33})(?:[^A-Za-z0-9_-]|$)")
        .around(11, 64)
        .entropy(3.8)
        .finds(&[
            &["854", "3684945:AA", "MttFPSuEPyH", "nvnzXtsMM3J", "znnJAX7ebZ2"],
        ])
        .leaves(&[
            &["123", "4567", "8:AA"],
            &["std", "::aa", "rch64"],
        ]),
    ContentRule::token("stripe-key", "Stripe live keys", &["sk_live_", "rk_live_"],
        r"\b([sr]k_live_[0-9A-Za-z]{16,247})\b")
        .finds(&[
            &["sk_", "live_YBSo", "GOsDbjqMVz", "aVp62BSKLV"],
            &["rk_", "live_PA2oQU", "P44XPSL2oRl", "PhDBuqOSg5A", "pYzTTOkq2BED"],
        ])
        .leaves(&[
            &["sk_", "live_xxxx", "xxxxxxxxxx", "xxxxxxxxxx"],
            &["sk_", "test_bN2A", "HRQ73l5PuX", "ay1F6gcqIn"],
        ]),
    ContentRule::token("stripe-webhook-secret", "Stripe webhook secrets", &["whsec_"],
        r"\b(whsec_[0-9A-Za-z+/]{32,64})")
        .entropy(3.5)
        .finds(&[
            &["whs", "ec_kTY88", "mHwg2KDIn", "TEGbOY1xH", "vAV8DnRlz"],
        ])
        .leaves(&[
            &["whs", "ec_your", "_secret"],
        ]),
    ContentRule::token("openai-key", "OpenAI keys", &["sk-proj-", "sk-svcacct-", "sk-admin-", "t3blbkfj"],
        r"\b(sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,250}|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}))")
        .around(100, 320)
        .finds(&[
            &["sk-", "proj-pThGJWZh", "bj11THnCMZCY7", "Bvqiy8CsT07Lq", "8TDIWG2x9aJTFP"],
            &["sk-", "tuEFBNOfQ5xj", "7t2ydf0KT3Bl", "bkFJ5uY8iH1w", "OLaQan8ePsqM"],
        ])
        .leaves(&[
            &["sk-", "proj-your-key", "-goes-here-and", "-nothing-else", "-at-all-please"],
        ]),
    ContentRule::token("anthropic-key", "Anthropic keys", &["sk-ant-"],
        r"\b(sk-ant-[a-z0-9]{3,8}-[A-Za-z0-9_-]{40,200})")
        .finds(&[
            &["sk-", "ant-api03-msDx5StAZvlMz-Bk", "4opH1Dr8-h97s_F-vauP7-L7V2", "1jxUdcfQm9_seB1qRmUR8AK3R2", "GgLLT-ZQISA-pQyOMqlfZZgZtAA"],
        ])
        .leaves(&[
            &["sk-", "ant-api03-xxxx", "xxxxxxxxxxxxxxx", "xxxxxxxxxxxxxx", "xxxxxxxxxxxxxxx"],
        ]),
    ContentRule::token("openrouter-key", "OpenRouter keys", &["sk-or-v1-"],
        r"\b(sk-or-v1-[0-9a-f]{64})\b")
        .finds(&[
            &["sk-", "or-v1-3016f1c4261", "e5351d30b49895d1a0", "d1f13dce20c4fd32f", "640d0032634f087e51"],
        ])
        .leaves(&[
            &["sk-", "or-v", "1-key"],
        ]),
    ContentRule::token("huggingface-token", "Hugging Face tokens", &["hf_", "api_org_"],
        r"\b((?:hf|api_org)_[A-Za-z0-9]{34})\b")
        .entropy(3.8)
        .finds(&[
            &["hf_", "xXVTS2jU", "WfsOJTFDQ", "74q69dTc", "ada4PR0Nf"],
        ])
        .leaves(&[
            &["hf_", "transfor", "mersmode", "lloadert", "okenizers"],
        ]),
    ContentRule::token("groq-key", "Groq and xAI keys", &["gsk_", "xai-"],
        r"\b(gsk_[A-Za-z0-9]{52}|xai-[A-Za-z0-9]{80})\b")
        .entropy(3.8)
        .finds(&[
            &["gsk", "_yttUMk931FMd", "ux8KUCERkj9Zh", "x9PkOZAEyXYC8", "rYWKvsrdNPTZ0M"],
            &["xai", "-v3MUa1jM1tLB4pyyRyM", "X5oZCsSauqrBkL60W4Yc", "s1jZ43Kjr2ZZJRX6FwIf", "IJFZymYWU7otMdRzDTn7q"],
        ])
        .leaves(&[
            &["gsk", "_widget_", "set_chil", "d_visible"],
        ]),
    ContentRule::token("sendgrid-key", "SendGrid keys", &["sg."],
        r"\b(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})")
        .entropy(3.8)
        .finds(&[
            &["SG.", "bX6lTiDYHP9zyByl", "xLUTZX.tFf-VnV7kt", "OdSJcmeA_BHJ2m5q", "GeRzxWkdgeV6_iYpT"],
        ])
        .leaves(&[
            &["msg", ".sende", "r.name"],
            &["SG.", "x", ".y"],
        ]),
    ContentRule::token("twilio-token", "Twilio keys and auth tokens, next to a name that says so", &["twilio"],
        r#"(?i)twilio[a-z_ .-]{0,24}["']?[ \t]{0,3}[=:][ \t]{0,3}["']?((?:SK)?[0-9a-f]{32})\b"#)
        .entropy(3.0)
        .finds(&[
            &["TWI", "LIO_AUTH_TO", "KEN=28a72c5e", "5b77518b1018", "f134a069e3fa"],
        ])
        .leaves(&[
            &["TWI", "LIO_AUT", "H_TOKEN", "=$TOKEN"],
        ]),
    ContentRule::token("mailgun-key", "Mailgun keys", &["key-"],
        r"\b(key-[0-9a-f]{32})\b")
        .finds(&[
            &["key", "-b8c3bfc", "5e740e61", "572b4e3c", "02eaa7f3b"],
        ])
        .leaves(&[
            &["key", "-va", "lue"],
            &["key", "-0000000", "00000000", "00000000", "000000000"],
        ]),
    ContentRule::token("mailchimp-key", "Mailchimp keys", &["-us"],
        r"\b([0-9a-f]{32}-us\d{1,2})\b")
        .around(33, 8)
        .finds(&[
            &["4a7", "15e4e48d", "d74089a58", "f3aef341", "6f93-us14"],
        ])
        .leaves(&[
            &["en-", "u", "s"],
            &["x-u", "s", "1"],
        ]),
    ContentRule::token("shopify-token", "Shopify tokens", &["shpat_", "shpca_", "shppa_", "shpss_"],
        r"\b(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32})\b")
        .finds(&[
            &["shp", "at_86bd8", "773c9d519", "40ea4e095", "bd1d68545"],
        ])
        .leaves(&[
            &["shp", "at", "_x"],
        ]),
    ContentRule::token("square-token", "Square tokens", &["sq0atp-", "sq0csp-", "sq0idp-"],
        r"\b(sq0(?:atp-[0-9A-Za-z_-]{22}|csp-[0-9A-Za-z_-]{43}))")
        .finds(&[
            &["sq0", "atp-Dwzk", "l-JwAryNz", "bi0hSQK-f"],
            &["sq0", "csp-b09rIFx", "UeuVaT5jpTFP", "WhLn-5drcFlC", "xvnNGdcmyHc1"],
        ])
        .leaves(&[
            &["sq0", "idp-7E4n", "SmwfIp7-J", "oppZrDDsQ"],
        ]),
    ContentRule::token("newrelic-key", "New Relic keys", &["nrak-"],
        r"\b(NRAK-[A-Z0-9]{27})\b")
        .finds(&[
            &["NRA", "K-3ZKBY07", "CZDXVZPV1U", "Z9DU7JWP1A"],
        ])
        .leaves(&[
            &["NRA", "K", "-1"],
        ]),
    ContentRule::token("sentry-token", "Sentry tokens", &["sntrys_", "sntryu_"],
        r"\b(sntry(?:u_[0-9a-f]{64}|s_[A-Za-z0-9+/=_-]{60,}))")
        .around(1, 1024)
        .finds(&[
            &["snt", "ryu_b352ad6074dce", "1118813830d71939b", "53182e4e349d98729", "e7c6be9ff907a76cc"],
        ])
        .leaves(&[
            &["snt", "ry", "u_x"],
        ]),
];
