//! Limits of a turn, verification, budgets, and when the loop ends.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{ByteSize, Span};

/// Whether an agent remembers its last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Session {
    /// Each turn starts a new session.
    Fresh,
    /// Each seat resumes its own session, by its identifier.
    Resume,
}

/// Where an agent works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// In the work tree of the workspace.
    None,
    /// In a work tree of its own under the git directory.
    Worktree,
}

/// Whether an agent may push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentPush {
    /// Its pushes fail.
    Deny,
    /// Its pushes are its own affair.
    Allow,
}

/// Which environment variables an agent gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// All of ours.
    Inherit,
    /// Only those that `turn.env_allow` names.
    Clean,
}

/// Limits and surroundings of one agent run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnConfig {
    /// The longest an agent may run; 0 for no limit.
    pub wall_limit: Span,
    /// The longest an agent may be without output or CPU use in its process tree; 0 for no limit.
    pub idle_limit: Span,
    /// Time between asking an agent to end and ending it.
    pub grace_period: Span,
    /// `fresh`, or `resume`: each seat goes on with its own session.
    pub session: Session,
    /// `none`, or `worktree`: turns run in a work tree of their own.
    pub isolation: Isolation,
    /// `deny` or `allow`: may the agent push by itself.
    pub agent_push: AgentPush,
    /// Output kept of one attempt; what is beyond is dropped, and said so.
    pub max_output: ByteSize,
    /// `inherit`, or `clean`: only what `env_allow` names.
    pub environment: Environment,
    /// Names or globs of the environment variables that `clean` keeps.
    pub env_allow: Vec<String>,
}

/// A count of tests read from a verification's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestCount {
    /// Fewer tests than this is a failure.
    #[serde(default = "one_test")]
    pub min: u64,
    /// A regular expression whose first group is the number of tests; all matches are summed.
    pub count_regex: String,
}

const fn one_test() -> u64 {
    1
}

/// A command whose success we look at ourselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyCommand {
    /// What summaries and prompts call it; no two alike.
    pub name: String,
    /// The shell command line, run in the workspace.
    pub run: String,
    /// The longest it may run.
    #[serde(default = "verify_timeout")]
    pub timeout: Span,
    /// How to see that tests ran at all; null for not looking.
    #[serde(default)]
    pub tests: Option<TestCount>,
}

const fn verify_timeout() -> Span {
    Span::from_secs(30 * 60)
}

/// What a failed verification does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerifyPolicy {
    /// Galph reads it in the next prompt.
    Note,
    /// The turn fails.
    Fail,
}

/// What a provider's usage limit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    /// The baton is held until the limit's reset.
    Hold,
    /// The turn fails.
    Fail,
}

/// What happens when a provider refuses to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// `hold` until the reset, or `fail` the turn.
    pub on_limit: OnLimit,
    /// The longest that a loop waits for a hold to end by itself.
    pub max_wait: Span,
}

/// Caps on what is spent; null for no cap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Turns.
    pub turns: Option<u64>,
    /// Wall time of the agents.
    pub wall: Option<Span>,
    /// Input and output tokens.
    pub tokens: Option<u64>,
    /// US dollars, as the agents report them.
    pub cost_usd: Option<f64>,
}

/// The two budgets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// Of this invocation.
    pub run: Budget,
    /// Of the state's whole usage, over both machines.
    pub total: Budget,
}

/// When the work is done; all that is given must hold, and the `verify` commands must pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    /// Text that galph's reply holds when it thinks that all is done; null for no completion.
    pub promise: Option<String>,
    /// A Markdown file whose boxes must all be ticked; null for none.
    pub plan_file: Option<PathBuf>,
}

/// When turns lead nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoProgress {
    /// Turns in a row without a change, or with the same change undone and redone, until a hold; 0 for never.
    pub turns: u64,
}
