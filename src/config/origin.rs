//! Where a value came from.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The place that a value was given at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `default.yaml`, in the binary.
    BuiltIn,
    /// A file, with line and column from 1.
    File {
        /// As it is shown: `orchestration.yaml`, or the user file's path.
        file: Arc<str>,
        /// The line.
        line: u64,
        /// The column, in characters.
        column: u64,
    },
    /// An environment variable.
    Environment(Arc<str>),
    /// A flag of the command line.
    Flag(Arc<str>),
}

impl Origin {
    /// A flag, with its dashes.
    pub fn flag(name: &str) -> Self {
        Self::Flag(name.into())
    }

    /// An environment variable.
    pub fn environment(name: &str) -> Self {
        Self::Environment(name.into())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The place of every value, by dotted key, in the order of the file.
///
/// Lists are one value; the entries of mappings are values of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(Vec<(String, Origin)>);

impl Origins {
    /// Origins in this order.
    pub(super) fn new(entries: Vec<(String, Origin)>) -> Self {
        Self(entries)
    }

    /// Where the value of this dotted key came from; `None` for what is no key.
    pub fn of(&self, key: &str) -> Option<&Origin> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, origin)| origin)
    }

    /// Whether somebody gave this key, so that it is not the built-in value.
    pub fn is_given(&self, key: &str) -> bool {
        self.of(key).is_some_and(|origin| *origin != Origin::BuiltIn)
    }

    /// All keys with their origins.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.0.iter().map(|(key, origin)| (key.as_str(), origin))
    }
}

/// Something accepted that a person should know: a key without effect, a limit switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Where it stands.
    pub origin: Origin,
    /// What is to be known, without the place.
    pub message: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}
