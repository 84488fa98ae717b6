//! How an agent's turn ended.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The class of a turn, decided from the agent's terminal event, whether we signalled it, and the work-tree
/// difference; never from an exit code alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "class")]
pub enum OutcomeClass {
    /// The agent finished and something changed.
    Ok,
    /// The agent finished and nothing differs from the claim.
    NoChange,
    /// The agent failed, or what it left behind was refused.
    Failed,
    /// The provider refused the credentials.
    Auth,
    /// The agent was refused the permissions it needed.
    Denied,
    /// The wall limit was reached.
    TimedOut,
    /// The idle limit was reached.
    Stalled,
    /// A usage limit; `until` is the reset time where the provider named one.
    Limited {
        /// When the limit resets.
        until: Option<Timestamp>,
    },
    /// The provider is overloaded.
    Overloaded,
    /// We or the attempt's supervisor were signalled, or the attempt vanished.
    Interrupted,
}

/// What a class means for the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The baton is passed.
    Pass,
    /// The state becomes `failed`.
    Fail,
    /// The turn is given back as if it had not been claimed.
    Release,
}

impl OutcomeClass {
    /// What happens to the turn.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Ok | Self::NoChange => Verdict::Pass,
            Self::Failed | Self::Auth | Self::Denied | Self::TimedOut | Self::Stalled => Verdict::Fail,
            Self::Limited { .. } | Self::Overloaded | Self::Interrupted => Verdict::Release,
        }
    }

    /// Whether the turn counts in usage and budgets.
    pub const fn counts(self) -> bool {
        !matches!(self.verdict(), Verdict::Release)
    }

    /// The word used in the journal, summaries and `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NoChange => "no_change",
            Self::Failed => "failed",
            Self::Auth => "auth",
            Self::Denied => "denied",
            Self::TimedOut => "timed_out",
            Self::Stalled => "stalled",
            Self::Limited { .. } => "limited",
            Self::Overloaded => "overloaded",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for OutcomeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
