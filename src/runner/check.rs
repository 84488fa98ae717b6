//! What a `verify` command found, and how it is told to people and to the next prompt. Pure; `verify` runs them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// How one `verify` command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum CheckVerdict {
    /// Exit 0, and enough tests ran where a count is asked for.
    Passed {
        /// How many tests ran, where they are counted.
        tests: Option<u64>,
    },
    /// Another exit, or a signal.
    Failed {
        /// In words: `exit 1`, `signal 9`.
        how: String,
    },
    /// Exit 0, but too few tests ran: zero tests prove nothing.
    TooFewTests {
        /// How many ran.
        ran: u64,
        /// How many are wanted.
        wanted: u64,
    },
    /// The time limit was reached.
    TimedOut,
    /// The command could not be started.
    NotStarted {
        /// Why.
        why: String,
    },
}

impl CheckVerdict {
    /// Whether the command's claim holds.
    pub const fn passed(&self) -> bool {
        matches!(self, Self::Passed { .. })
    }

    /// The verdict in words.
    pub fn words(&self) -> String {
        match self {
            Self::Passed { tests: None } => "passed".to_owned(),
            Self::Passed { tests: Some(tests) } => format!("passed ({tests} tests)"),
            Self::Failed { how } => format!("failed ({how})"),
            Self::TooFewTests { ran, wanted } => format!("failed (only {ran} tests ran, {wanted} wanted)"),
            Self::TimedOut => "failed (time limit reached)".to_owned(),
            Self::NotStarted { why } => format!("failed (not started: {why})"),
        }
    }
}

/// One `verify` command's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: CheckVerdict,
    /// The end of its output.
    pub tail: String,
}

/// One line a command, with the baseline beside it: an old failure is told from a new one.
#[must_use]
pub fn describe_checks(checks: &[Check], baseline: &[Check]) -> Vec<String> {
    checks
        .iter()
        .map(|check| {
            let before = baseline.iter().find(|old| old.name == check.name).map(|old| old.verdict.passed());
            let compared = match (before, check.verdict.passed()) {
                (Some(true), false) => "; it passed before this turn",
                (Some(false), false) => "; it failed before this turn too",
                (Some(false), true) => "; it failed before this turn",
                (Some(true), true) | (None, _) => "",
            };
            let mut line = format!("`{}`: {}{compared}", check.name, check.verdict.words());
            if !check.verdict.passed() && !check.tail.trim().is_empty() {
                let _ = write!(line, "\n\n```text\n{}\n```", check.tail.trim_end());
            }
            line
        })
        .collect()
}

/// The verdict on a command that ended by itself with exit 0 and ran `ran` tests.
pub(super) const fn judge_count(ran: u64, wanted: u64) -> CheckVerdict {
    if ran < wanted {
        CheckVerdict::TooFewTests { ran, wanted }
    } else {
        CheckVerdict::Passed { tests: Some(ran) }
    }
}
