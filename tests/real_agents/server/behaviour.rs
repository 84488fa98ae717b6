//! What the server can be told to do.

use std::fmt;
use std::str::FromStr;

/// One way to answer. Its word is the first part of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// A tool call that writes a file, then the last words.
    Good,
    /// The last words at once.
    Talk,
    /// A tool call that runs for five minutes.
    LongTool,
    /// A tool call in every answer.
    Loop,
    /// One word a second, for two minutes.
    Slow,
    /// No answer at all.
    Hang,
    /// The connection is dropped after a few words.
    Cut,
    /// The provider refuses.
    Refuse(Refusal),
}

/// How a provider refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    BadRequest,
    Unauthorized,
    Forbidden,
    /// Too many requests a minute; try again in two seconds.
    RateLimit,
    /// The account's usage is spent; it resets in an hour.
    Quota,
    ContextTooLong,
    ServerError,
    Overloaded,
}

const WORDS: [(Behaviour, &str); 15] = [
    (Behaviour::Good, "good"),
    (Behaviour::Talk, "talk"),
    (Behaviour::LongTool, "long-tool"),
    (Behaviour::Loop, "loop"),
    (Behaviour::Slow, "slow"),
    (Behaviour::Hang, "hang"),
    (Behaviour::Cut, "cut"),
    (Behaviour::Refuse(Refusal::BadRequest), "bad-request"),
    (Behaviour::Refuse(Refusal::Unauthorized), "unauthorized"),
    (Behaviour::Refuse(Refusal::Forbidden), "forbidden"),
    (Behaviour::Refuse(Refusal::RateLimit), "rate-limit"),
    (Behaviour::Refuse(Refusal::Quota), "quota"),
    (Behaviour::Refuse(Refusal::ContextTooLong), "context"),
    (Behaviour::Refuse(Refusal::ServerError), "server-error"),
    (Behaviour::Refuse(Refusal::Overloaded), "overloaded"),
];

impl Behaviour {
    pub(super) fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Refuse(refusal) => Some(refusal),
            Self::Good | Self::Talk | Self::LongTool | Self::Loop | Self::Slow | Self::Hang | Self::Cut => {
                None
            }
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, word) = WORDS.iter().find(|(behaviour, _)| behaviour == self).unwrap();
        f.write_str(word)
    }
}

impl FromStr for Behaviour {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        WORDS.iter().find(|(_, known)| *known == word).map(|(behaviour, _)| *behaviour).ok_or(())
    }
}

impl Refusal {
    pub(super) fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::ContextTooLong => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::RateLimit | Self::Quota => 429,
            Self::ServerError => 500,
            Self::Overloaded => 529,
        }
    }

    /// Seconds, as `retry-after` says them.
    pub(super) fn retry_after(self) -> Option<&'static str> {
        match self {
            Self::RateLimit => Some("2"),
            Self::Quota => Some("3600"),
            Self::BadRequest
            | Self::Unauthorized
            | Self::Forbidden
            | Self::ContextTooLong
            | Self::ServerError
            | Self::Overloaded => None,
        }
    }

    pub(super) fn headers(self) -> Vec<(String, String)> {
        self.retry_after().map(|after| vec![("retry-after".to_owned(), after.to_owned())]).unwrap_or_default()
    }
}
