//! The command that an agent becomes: first as it is configured, then with the places of one attempt filled in.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{AgentError, OutputFormat, SessionArgs, SessionWish, shell};

/// What one argument can hold on Linux, less the final NUL.
const MAX_ARGUMENT_BYTES: usize = 128 * 1024 - 1;

/// How the prompt reaches the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PromptDelivery {
    /// The prompt file is its standard input.
    #[default]
    Stdin,
    /// `${prompt_file}` in its arguments is the prompt file's path; standard input is empty.
    File,
    /// The prompt is the last argument; standard input is empty.
    Argument,
}

/// What the prompt file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PromptEncoding {
    /// The prompt as it is.
    #[default]
    AsWritten,
    /// The program that the built-in `shell` agent makes of it.
    ShellScript,
}

/// A CLI of the user's own, from `agent.commands`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomCommand {
    /// The program and its arguments; `${prompt_file}`, `${workspace}` and `${attempt_dir}` are replaced.
    pub command: Vec<String>,
    /// How the prompt reaches it.
    pub prompt: PromptDelivery,
    /// How its output is read.
    pub output: OutputFormat,
}

/// An agent, ready for any attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSpec {
    /// The agent's name; never `auto`.
    pub agent: String,
    /// The program, as it was found.
    pub program: PathBuf,
    /// Its arguments, with places not yet filled in.
    pub args: Vec<String>,
    /// Variables that are set for it.
    pub env: Vec<(String, String)>,
    /// Variables that it must not inherit.
    pub env_remove: Vec<String>,
    /// How the prompt reaches it.
    pub delivery: PromptDelivery,
    /// What the prompt file holds.
    pub encoding: PromptEncoding,
    /// The arguments that choose its session, and where among `args` they go.
    pub session: SessionArgs,
    /// How many of `args` come before the session's.
    pub session_at: usize,
    /// The file in the attempt's directory into which it writes what it used, if it does so.
    pub usage_file: Option<&'static str>,
    /// What it leaves in the work tree that is nobody's work, as patterns of git's.
    pub leavings: &'static [&'static str],
    /// How its output is read.
    pub output: OutputFormat,
}

/// The places of one attempt.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// What the prompt file holds.
    pub prompt: &'a str,
    /// The prompt file, absolute.
    pub prompt_file: &'a Path,
    /// The workspace, absolute.
    pub workspace: &'a Path,
    /// The attempt's directory, absolute.
    pub attempt_dir: &'a Path,
    /// The session to run in.
    pub session: &'a SessionWish,
}

/// What standard input is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing: the null device, so that no agent waits for a person.
    Null,
    /// This file.
    File(PathBuf),
}

/// A process to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, without the program itself.
    pub args: Vec<OsString>,
    /// Variables that are set for it, beside what it inherits.
    pub env: Vec<(String, String)>,
    /// Variables that it must not inherit.
    pub env_remove: Vec<String>,
    /// Its standard input.
    pub stdin: Stdin,
}

impl CommandSpec {
    /// Whether one of its sessions can be resumed by its id.
    pub const fn can_resume(&self) -> bool {
        self.session.can_resume()
    }

    /// What to write into the prompt file for this prompt.
    pub fn prompt_content<'a>(&self, prompt: &'a str) -> Result<Cow<'a, str>, AgentError> {
        match self.encoding {
            PromptEncoding::AsWritten => Ok(Cow::Borrowed(prompt)),
            PromptEncoding::ShellScript => {
                shell::script(prompt).map(Cow::Owned).map_err(|source| AgentError::Shell { source })
            }
        }
    }

    /// The process to start for one attempt.
    pub fn invocation(&self, places: &Places<'_>) -> Result<Invocation, AgentError> {
        if matches!(places.session, SessionWish::Resume(_)) && !self.session.can_resume() {
            return Err(AgentError::CannotResume { agent: self.agent.clone() });
        }
        let (before, after) = self.args.split_at(self.session_at.min(self.args.len()));
        let filled = |arguments: &[String]| -> Vec<OsString> {
            arguments.iter().map(|argument| fill(argument, places)).collect()
        };
        let mut args = filled(before);
        args.extend(self.session.of(places.session).map(OsString::from));
        args.extend(filled(after));
        let stdin = match self.delivery {
            PromptDelivery::Stdin => Stdin::File(places.prompt_file.to_owned()),
            PromptDelivery::File => Stdin::Null,
            PromptDelivery::Argument => {
                self.check_argument(places.prompt)?;
                args.push(places.prompt.into());
                Stdin::Null
            }
        };
        Ok(Invocation {
            program: self.program.clone(),
            args,
            env: self.env.clone(),
            env_remove: self.env_remove.clone(),
            stdin,
        })
    }

    fn check_argument(&self, prompt: &str) -> Result<(), AgentError> {
        let agent = self.agent.clone();
        if prompt.len() > MAX_ARGUMENT_BYTES {
            return Err(AgentError::PromptTooLong { agent, bytes: prompt.len(), limit: MAX_ARGUMENT_BYTES });
        }
        if prompt.contains('\0') {
            return Err(AgentError::PromptHasNul { agent });
        }
        Ok(())
    }
}

/// Replaces the places in one argument. What a place is replaced by is not read again, and `${...}` of other names
/// is left for the command's own shell.
fn fill(argument: &str, places: &Places<'_>) -> OsString {
    let known = [
        ("${prompt_file}", places.prompt_file),
        ("${workspace}", places.workspace),
        ("${attempt_dir}", places.attempt_dir),
    ];
    let mut filled = OsString::new();
    let mut rest = argument;
    while let Some((at, name, path)) = known
        .iter()
        .filter_map(|(name, path)| rest.find(name).map(|at| (at, *name, *path)))
        .min_by_key(|(at, ..)| *at)
    {
        filled.push(&rest[..at]);
        filled.push(path);
        rest = &rest[at + name.len()..];
    }
    filled.push(rest);
    filled
}
