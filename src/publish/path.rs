//! A path inside a repository: bytes, since git promises no encoding.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A path relative to the root of the repository, `/` between its parts, with no leading slash.
///
/// In JSON it is a string in which `%` and every byte that is not part of valid UTF-8 is written `%XX`, so that
/// any name survives the round trip. `Display` is for people: as it is where that is harmless, else in double
/// quotes with backslash escapes, as git prints it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RepoPath(Vec<u8>);

/// The text is not an encoded path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an encoded path: `%` must be followed by two hexadecimal digits")]
pub struct ParseRepoPathError(pub String);

impl RepoPath {
    /// The path of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The path of a relative file system path.
    #[must_use]
    pub fn from_path(path: &Path) -> Self {
        Self(path.as_os_str().as_bytes().to_vec())
    }

    /// The bytes, as git stores them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same path for the file system, relative to the root of the work tree.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Whether this is the root itself.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What remains below `directory`; `None` where this path is not inside it. The root holds everything.
    #[must_use]
    pub fn below(&self, directory: &Self) -> Option<Self> {
        if directory.is_empty() {
            return Some(self.clone());
        }
        self.0
            .strip_prefix(directory.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"/"))
            .map(|rest| Self(rest.to_vec()))
    }

    /// The path of `inner`, given relative to this directory; either may be the root.
    #[must_use]
    pub fn join(&self, inner: &Self) -> Self {
        let mut bytes = self.0.clone();
        if !bytes.is_empty() && !inner.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(&inner.0);
        Self(bytes)
    }

    /// Whether this path is `directory` or inside it. An empty directory holds nothing.
    pub fn is_within(&self, directory: &Self) -> bool {
        !directory.is_empty() && (self == directory || self.below(directory).is_some())
    }

    fn encode(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '%' => text.push_str("%25"),
                    other => text.push(other),
                }
            }
            for byte in chunk.invalid() {
                push_formatted(&mut text, format_args!("%{byte:02X}"));
            }
        }
        text
    }
}

fn push_formatted(text: &mut String, arguments: fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = text.write_fmt(arguments);
}

impl FromStr for RepoPath {
    type Err = ParseRepoPathError;

    /// Reads the JSON form back.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&first, tail)) = rest.split_first() {
            rest = tail;
            if first != b'%' {
                bytes.push(first);
                continue;
            }
            let digits = tail.get(..2).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
            let value = digits
                .and_then(|pair| std::str::from_utf8(pair).ok())
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or_else(|| ParseRepoPathError(text.to_owned()))?;
            bytes.push(value);
            rest = &tail[2..];
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let harmless = |character: char| !character.is_control() && character != '"' && character != '\\';
        match std::str::from_utf8(&self.0) {
            Ok(text) if text.chars().all(harmless) => return f.write_str(text),
            _ => f.write_char('"')?,
        }
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' | '\\' => write!(f, "\\{character}")?,
                    '\n' => f.write_str("\\n")?,
                    '\t' => f.write_str("\\t")?,
                    control if control.is_control() => {
                        for byte in control.encode_utf8(&mut [0; 4]).bytes() {
                            write!(f, "\\{byte:03o}")?;
                        }
                    }
                    other => f.write_char(other)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\{byte:03o}")?;
            }
        }
        f.write_char('"')
    }
}

impl From<&str> for RepoPath {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl Serialize for RepoPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

impl<'de> Deserialize<'de> for RepoPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    proptest! {
        #[test]
        fn any_name_survives_json(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let path = RepoPath::from_bytes(bytes);
            let json = serde_json::to_string(&path).unwrap();
            prop_assert_eq!(serde_json::from_str::<RepoPath>(&json).unwrap(), path);
        }

        #[test]
        fn what_people_see_is_always_one_line(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(!RepoPath::from_bytes(bytes).to_string().chars().any(char::is_control));
        }
    }

    #[rstest]
    #[case(b"src/lib.rs".as_slice(), "src/lib.rs", "src/lib.rs")]
    #[case("für/ältere".as_bytes(), "für/ältere", "für/ältere")]
    #[case(b"100%", "100%25", "100%")]
    #[case(b"two\nlines", "two\nlines", r#""two\nlines""#)]
    #[case(b"\xff\"q", "%FF\"q", r#""\377\"q""#)]
    fn paths_are_written_for_machines_and_for_people(
        #[case] bytes: &[u8],
        #[case] encoded: &str,
        #[case] shown: &str,
    ) {
        let path = RepoPath::from_bytes(bytes);
        assert_eq!(path.encode(), encoded);
        assert_eq!(path.to_string(), shown);
    }

    #[rstest]
    #[case("%")]
    #[case("%f")]
    #[case("a%+1")]
    fn a_broken_encoding_is_refused(#[case] text: &str) {
        let error = text.parse::<RepoPath>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{text}` is not an encoded path: `%` must be followed by two hexadecimal digits")
        );
    }

    #[rstest]
    #[case("logs/a", "logs", true)]
    #[case("logs", "logs", true)]
    #[case("logs2/a", "logs", false)]
    #[case("a/logs", "logs", false)]
    #[case("logs", "", false)]
    fn a_directory_holds_itself_and_what_is_below(
        #[case] path: &str,
        #[case] directory: &str,
        #[case] within: bool,
    ) {
        assert_eq!(RepoPath::from(path).is_within(&RepoPath::from(directory)), within);
    }
}
