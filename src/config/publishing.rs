//! What of a turn's changes is committed, by category.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Actor, ByteSize};

/// The categories, in their order, and what never leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishConfig {
    /// Evidence, by extension.
    pub reports: ReportsConfig,
    /// Tracked fixtures that a turn modified.
    pub tracked_outputs: TrackedOutputsConfig,
    /// Documents, by glob.
    pub docs: DocsConfig,
    /// All else that is not ignored.
    pub work: WorkConfig,
    /// The scan for secrets.
    pub secrets: SecretsConfig,
    /// Paths that an agent may not change; a trailing `/` means all below.
    pub protect: Vec<String>,
}

/// Evidence that a turn leaves, never under the log or the temporary directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportsConfig {
    /// Whether reports are committed.
    pub enabled: bool,
    /// Extensions of reports, with their dot.
    pub extensions: Vec<String>,
    /// Where reports lie, as globs; empty for everywhere.
    pub globs: Vec<String>,
    /// The largest report.
    pub max_file: ByteSize,
    /// The most of one turn.
    pub max_total: ByteSize,
    /// Globs of reports that are added although git ignores them.
    pub force_add: Vec<String>,
}

/// Fixtures that tests write again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackedOutputsConfig {
    /// Whether modified fixtures are committed.
    pub enabled: bool,
    /// Where fixtures lie, as globs.
    pub globs: Vec<String>,
    /// Extensions of fixtures, with their dot.
    pub extensions: Vec<String>,
    /// The largest fixture.
    pub max_file: ByteSize,
    /// The most of one turn.
    pub max_total: ByteSize,
}

/// Documents that both seats keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocsConfig {
    /// Whether documents are committed.
    pub enabled: bool,
    /// Where documents lie, as globs.
    pub globs: Vec<String>,
    /// The largest document.
    pub max_file: ByteSize,
}

/// The work itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkConfig {
    /// Whether work is committed.
    pub enabled: bool,
    /// The seats whose work is committed.
    pub actors: Vec<Actor>,
    /// Globs of what is left out.
    pub exclude: Vec<String>,
    /// The largest file.
    pub max_file: ByteSize,
    /// The most of one turn.
    pub max_total: ByteSize,
}

/// The scan of all that would leave this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretsConfig {
    /// Whether the built-in rules are applied.
    pub enabled: bool,
    /// Findings that a person has looked at and called harmless.
    pub allow: Vec<AllowedSecret>,
    /// A further scanner: a shell command line that ends with 0 where nothing is found; null for none.
    pub scanner: Option<String>,
}

/// A finding that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowedSecret {
    /// Its fingerprint: 16 lower-case hexadecimal digits, as the refusal names it.
    pub fingerprint: String,
    /// Why it is harmless.
    pub reason: String,
}
