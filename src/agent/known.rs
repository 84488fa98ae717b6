//! What is known of an agent CLI, as data. Each adapter holds one; the registry is the list of them.

use super::{OutputFormat, PromptDelivery, SessionArgs};

/// Where a model's name goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum ModelBy {
    /// After this flag.
    Flag(&'static str),
    /// In this variable.
    Variable(&'static str),
}

/// What a CLI reports of its use; a static fact, for budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reports {
    /// Tokens of both directions.
    pub tokens: bool,
    /// US dollars.
    pub cost: bool,
}

/// A coding agent's CLI, run headless. Arguments come in this order: `head`, `bypass` or `guarded`, the model, the user's, the session's,
/// `tail`.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownAgent {
    pub(super) name: &'static str,
    /// The program's name, where it is not the agent's.
    pub(super) program: Option<&'static str>,
    /// The program itself where the one on PATH is a wrapper that keeps a process of its own: paths below a
    /// `node_modules` folder beside the wrapper, the first that is there is taken.
    pub(super) native: &'static [&'static str],
    pub(super) head: &'static [&'static str],
    /// Without these the agent waits for, or is refused, the permission to work.
    pub(super) bypass: &'static [&'static str],
    pub(super) bypass_env: &'static [(&'static str, &'static str)],
    /// Instead of those, where the CLI is to keep its own guard: what it needs to be able to do any work under it.
    pub(super) guarded: &'static [&'static str],
    pub(super) model: ModelBy,
    pub(super) session: SessionArgs,
    pub(super) tail: &'static [&'static str],
    /// Stops what an unattended process must not do: update itself, run on behind a relaunching parent, wait for
    /// hours in silence.
    pub(super) env: &'static [(&'static str, &'static str)],
    pub(super) delivery: PromptDelivery,
    pub(super) output: OutputFormat,
    pub(super) reports: Reports,
    /// The file in the attempt's directory into which the CLI writes what it used.
    pub(super) usage_file: Option<&'static str>,
    /// What it leaves in the work tree that is nobody's work, as patterns of git's.
    pub(super) leavings: &'static [&'static str],
    /// What a person does when the provider refuses the credentials.
    pub(super) login: &'static str,
    /// The version that was measured; `None` where only documentation was read. `auto` takes measured ones only.
    pub(super) verified: Option<&'static str>,
}

/// An agent of which nothing special is known.
pub(super) const PLAIN: KnownAgent = KnownAgent {
    name: "",
    program: None,
    native: &[],
    head: &[],
    bypass: &[],
    bypass_env: &[],
    guarded: &[],
    model: ModelBy::Flag("--model"),
    session: SessionArgs { fresh: &[], resume: &[] },
    tail: &[],
    env: &[],
    delivery: PromptDelivery::Stdin,
    output: OutputFormat::Text,
    reports: Reports { tokens: false, cost: false },
    usage_file: None,
    leavings: &[],
    login: "give the agent its credentials",
    verified: None,
};

impl KnownAgent {
    /// The name of its program.
    pub(super) const fn program(&self) -> &'static str {
        match self.program {
            Some(program) => program,
            None => self.name,
        }
    }
}
