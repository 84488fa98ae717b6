//! Why a turn could not be taken or carried on. How an agent's turn itself ended is data, in `TurnOutcome`.

use std::io;
use std::path::PathBuf;

use crate::agent::{AgentError, ChoiceError};
use crate::attempt::AttemptError;
use crate::config::CountRegexError;
use crate::exec::ExecError;
use crate::ledger::{HomeError, LedgerError};
use crate::model::{Actor, ParsePromptNameError, PromptName, TurnId};
use crate::publish::RuleError;
use crate::repo::{RemoteError, RepoError};
use crate::route::RouteError;
use crate::state::StateError;
use crate::turn::Refusal;

use super::isolation::IsolationError;
use super::prompt::PromptError;
use super::secrets::SecretsFound;
use super::sync::SyncError;

/// A turn cannot be taken or carried on; what happened so far is in the journal.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The configuration names a prompt that cannot be one.
    #[error("`{key}`: {source}")]
    PromptName {
        /// The configuration key.
        key: &'static str,
        /// What is wrong; shown in the text already.
        source: ParsePromptNameError,
    },
    /// Routing refuses.
    #[error(transparent)]
    Route(Box<RouteError>),
    /// The prompt cannot be used.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The agent cannot be used.
    #[error(transparent)]
    Agent(Box<NoAgent>),
    /// The agent cannot be given the prompt.
    #[error("{shown}: the agent cannot be given this prompt")]
    UnusablePrompt {
        /// The prompt, relative to the workspace.
        shown: String,
        /// Why not.
        source: Box<AgentError>,
    },
    /// The choice of agents makes no sense.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// A glob of the publishing rules.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// A count of tests cannot be read with this expression.
    #[error("`verify` command `{name}`: `tests.count_regex` cannot be used")]
    CountRegex {
        /// The command's name.
        name: String,
        /// Why not.
        source: CountRegexError,
    },
    /// A setting that this version cannot honour yet: better refused than ignored.
    #[error("`{setting}` is not available in this version: {remedy}")]
    NotAvailable {
        /// The setting with its value.
        setting: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A cost cap over an agent that reports no cost would never hold.
    #[error("`budget.{which}.cost_usd` cannot be kept: the agent `{agent}` of {actor} reports no cost")]
    NoCostReported {
        /// `run` or `total`.
        which: &'static str,
        /// The agent.
        agent: String,
        /// Whose.
        actor: Actor,
    },
    /// A token cap over an agent that reports no tokens would never hold.
    #[error("`budget.{which}.tokens` cannot be kept: the agent `{agent}` of {actor} reports no tokens")]
    NoTokensReported {
        /// `run` or `total`.
        which: &'static str,
        /// The agent.
        agent: String,
        /// Whose.
        actor: Actor,
    },
    /// `turn.session: resume` with an agent that knows no sessions.
    #[error(
        "`turn.session: resume` cannot be kept: the agent `{agent}` of {actor} cannot go on with a session"
    )]
    CannotResume {
        /// The agent.
        agent: String,
        /// Whose.
        actor: Actor,
    },
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state refuses the change.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The state file is gone, and no turn under way explains what it held: to begin anew is a person's decision.
    #[error(
        "{shown} has disappeared: after the last turn, it was {expected}'s turn in iteration {iteration}"
    )]
    StateGone {
        /// The state file.
        shown: String,
        /// The iteration that it held.
        iteration: u64,
        /// Whose turn it was.
        expected: Actor,
    },
    /// The repository.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The work of a turn cannot be committed as things are; its journal waits at `committed`.
    #[error("{actor}'s work cannot be committed:{}", listed(.problems))]
    Unpublishable {
        /// Whose work.
        actor: Actor,
        /// One line a problem.
        problems: Vec<String>,
    },
    /// Galph has changed what only the other seat publishes; the journal waits at `committed`.
    #[error("{actor} changed what it does not publish: {paths}")]
    OthersPaths {
        /// Whose work.
        actor: Actor,
        /// The paths, as a message names them.
        paths: String,
    },
    /// The work of a turn holds what looks like secrets; its journal waits at `committed`.
    #[error(transparent)]
    Secrets(Box<SecretsFound>),
    /// The external scanner does not call a turn's work clean; its journal waits at `committed`.
    #[error("`publish.secrets.scanner` refuses {actor}'s work ({how}), and nothing is committed{}", ended(.tail))]
    Scanner {
        /// Whose work.
        actor: Actor,
        /// How it ended.
        how: String,
        /// The end of what it wrote, masked, one indented line each.
        tail: String,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The records' directory or a lock.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A journal record of another version or a damaged one.
    #[error("the journal of turn {turn} cannot be read")]
    Journal {
        /// The turn.
        turn: TurnId,
        /// Why not.
        source: serde_json::Error,
    },
    /// A turn of another mode is open.
    #[error("{actor}'s turn {turn} was begun in {mode} mode and has not ended")]
    OtherMode {
        /// The turn.
        turn: TurnId,
        /// Whose.
        actor: Actor,
        /// The mode.
        mode: String,
    },
    /// The remote.
    #[error(transparent)]
    Remote(Box<RemoteError>),
    /// The exchange of turns.
    #[error(transparent)]
    Sync(Box<SyncError>),
    /// The journal was written on another machine.
    #[error("turn {turn} was begun on another machine ({machine}); this one is {here}")]
    OtherMachine {
        /// The turn.
        turn: TurnId,
        /// Its machine.
        machine: String,
        /// This one.
        here: String,
    },
    /// The work tree of an isolated loop.
    #[error(transparent)]
    Isolation(Box<IsolationError>),
    /// The attempt.
    #[error(transparent)]
    Attempt(#[from] AttemptError),
    /// A log or a summary.
    #[error("cannot write {}", .path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A turn has no agent that could take it.
#[derive(Debug, thiserror::Error)]
#[error("{actor}'s turn with `{prompt}` has no agent (chosen by {because})")]
pub struct NoAgent {
    /// Whose turn.
    pub actor: Actor,
    /// The prompt.
    pub prompt: PromptName,
    /// What chose it.
    pub because: String,
    /// Why not.
    pub source: AgentError,
}

impl RunnerError {
    /// Whether the network may allow it later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Remote(error) if error.is_transient())
    }

    /// The same for a remote that was there before: a directory that is gone may be one that is not mounted just now.
    pub fn is_outage(&self) -> bool {
        self.is_transient() || matches!(self, Self::Remote(error) if error.is_no_repository())
    }
}

impl From<RemoteError> for RunnerError {
    fn from(error: RemoteError) -> Self {
        Self::Remote(Box::new(error))
    }
}

impl From<SyncError> for RunnerError {
    fn from(error: SyncError) -> Self {
        Self::Sync(Box::new(error))
    }
}

impl From<RouteError> for RunnerError {
    fn from(error: RouteError) -> Self {
        Self::Route(Box::new(error))
    }
}

impl From<Refusal> for RunnerError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<NoAgent> for RunnerError {
    fn from(error: NoAgent) -> Self {
        Self::Agent(Box::new(error))
    }
}

impl From<IsolationError> for RunnerError {
    fn from(error: IsolationError) -> Self {
        Self::Isolation(Box::new(error))
    }
}

impl From<ExecError> for RunnerError {
    fn from(error: ExecError) -> Self {
        Self::Attempt(error.into())
    }
}

fn ended(tail: &str) -> String {
    if tail.is_empty() { String::new() } else { format!(":{tail}") }
}

fn listed(problems: &[String]) -> String {
    problems.iter().fold(String::new(), |text, problem| text + "\n    " + problem)
}
