//! Identifiers: ULIDs for what we record, random tokens for fencing.
//!
//! Values are made by `ambient`, which owns the clock and randomness; here are the types and their parsing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is not an identifier of the expected form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {kind}: expected 26 characters of Crockford base 32")]
pub struct ParseIdError {
    /// What was being parsed.
    pub kind: &'static str,
    /// The offending text.
    pub text: String,
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(ulid::Ulid);

        impl $name {
            /// An identifier from a wall-clock time in milliseconds and 128 random bits (80 are used).
            #[must_use]
            pub fn from_parts(unix_millis: u64, random: u128) -> Self {
                Self(ulid::Ulid::from_parts(unix_millis, random))
            }

            /// All of its 128 bits.
            pub fn bits(self) -> u128 {
                self.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                ulid::Ulid::from_string(text)
                    .map(Self)
                    .map_err(|_| ParseIdError { kind: $kind, text: text.to_owned() })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

ulid_id!(
    /// One actor's go, from claim to stamp.
    TurnId,
    "turn id"
);
ulid_id!(
    /// One supervised process run.
    AttemptId,
    "attempt id"
);
ulid_id!(
    /// One hold in the state file.
    HoldId,
    "hold id"
);

/// The fencing token of a claim or a stamp: random, so that no two machines ever write the same one.
///
/// Any non-empty text is accepted when reading, since another version may write another form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// A token from 128 random bits.
    #[must_use]
    pub fn from_random(random: u128) -> Self {
        Self(format!("{random:032x}"))
    }

    /// A token as it was read.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The token's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
