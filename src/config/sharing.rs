//! Git and the exchange of turns between machines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Span;

/// What carries out git operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GitBackend {
    /// `git2`, unless the repository needs the other.
    Auto,
    /// The built-in library.
    Git2,
    /// The installed `git`.
    Cli,
}

/// Git.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitConfig {
    /// `auto`, `git2` or `cli`.
    pub backend: GitBackend,
    /// The remote that both machines share.
    pub remote: String,
    /// The longest that one network operation, or one process of the installed git with its hooks, may take.
    pub timeout: Span,
}

/// Who takes over from a machine that has vanished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Takeover {
    /// A person, by `baton takeover`.
    Manual,
    /// The waiting seat, when the lease has expired.
    AfterLease,
}

/// The loop, and waiting for the other seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncConfig {
    /// Iterations of one invocation.
    pub loops: u64,
    /// Time between two looks at the remote; where it is given, also the pause between iterations in combined mode.
    pub poll_interval: Span,
    /// The longest wait for the other seat; 0 for no limit.
    pub max_wait: Span,
    /// How long a claim stands without a sign of life.
    pub lease: Span,
    /// `manual`, or `after_lease`.
    pub takeover: Takeover,
}
