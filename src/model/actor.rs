//! The two seats. Labels are configurable, the seats are not.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Who acts: the supervisor or the engineer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// The supervisor: plans and reviews.
    Galph,
    /// The engineer: implements.
    Ralph,
}

impl Actor {
    /// Both seats, in the order in which they act within an iteration.
    pub const ALL: [Self; 2] = [Self::Galph, Self::Ralph];

    /// The name used in the state file, in flags and in log paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Galph => "galph",
            Self::Ralph => "ralph",
        }
    }

    /// The seat that acts next after this one has passed the baton.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Galph => Self::Ralph,
            Self::Ralph => Self::Galph,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names neither seat.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown actor `{0}`: expected `galph` or `ralph`")]
pub struct ParseActorError(pub String);

impl FromStr for Actor {
    type Err = ParseActorError;

    /// Accepts the seat names only; the aliases of the configuration are resolved there.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|actor| actor.as_str() == text)
            .ok_or_else(|| ParseActorError(text.to_owned()))
    }
}
