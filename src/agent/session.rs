//! Sessions of agent CLIs: how one is begun under a known id, and how it is gone on with.

use serde::{Deserialize, Serialize};

/// Which session an attempt is to run in. Only by explicit id: "the last one" may be somebody else's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionWish {
    /// A new one. CLIs that let us choose get this id, others make their own; see [`Reply::session`](super::Reply).
    Fresh(String),
    /// Go on with the session of this id.
    Resume(String),
}

/// The arguments that make a CLI run in a session; `${session}` in them is the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionArgs {
    /// For a new session; empty where the CLI makes the id itself.
    pub fresh: &'static [&'static str],
    /// To resume one; empty where the CLI cannot.
    pub resume: &'static [&'static str],
}

impl SessionArgs {
    /// Whether a session can be resumed by its id.
    pub const fn can_resume(self) -> bool {
        !self.resume.is_empty()
    }

    /// The arguments for a wish.
    pub(super) fn of(self, wish: &SessionWish) -> impl Iterator<Item = String> {
        let (words, id) = match wish {
            SessionWish::Fresh(id) => (self.fresh, id),
            SessionWish::Resume(id) => (self.resume, id),
        };
        let id = id.clone();
        words.iter().map(move |word| word.replace("${session}", &id))
    }
}

/// A session id in the form that CLIs ask for, a UUID of version 4, made of 128 bits of the caller's. It begins with the
/// lower half of them: the upper half of an attempt's is its time, and a CLI may tell sessions apart by the first digits.
#[must_use]
pub fn session_id(bits: u128) -> String {
    let bits = bits.rotate_left(64);
    let version = (bits & !(0xf << 76)) | (0x4 << 76);
    let variant = (version & !(0b11 << 62)) | (0b10 << 62);
    let hex = format!("{variant:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
