//! The name of a finding, by which a person can allow it without writing the secret anywhere.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The first 16 hexadecimal digits of the SHA-256 of a rule's name and a secret's value.
///
/// Stable: the same secret has it in every file, commit and version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Fingerprint(String);

const DIGITS: usize = 16;

/// The text is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not the fingerprint of a finding: 16 lower-case hexadecimal digits are expected")]
pub struct ParseFingerprintError;

impl Fingerprint {
    /// The fingerprint of what a rule found.
    pub(super) fn of(rule: &str, value: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(rule.as_bytes());
        hash.update([0]);
        hash.update(value);
        let digits = hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        Self(digits[..DIGITS].to_owned())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits && text.len() == DIGITS { Ok(Self(text.to_owned())) } else { Err(ParseFingerprintError) }
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = ParseFingerprintError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
