//! From an agent's command, or a shell line, to a process specification in its attempt directory.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::agent::{AgentError, CommandSpec, Places, SessionWish, Stdin, session_id};
use crate::exec::{ATTEMPT_MARKER, AttemptDir, ExecError, Spec, StdinSource};
use crate::model::AttemptId;

/// An attempt cannot be prepared, started or followed.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The agent cannot be given this prompt.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The supervised process.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A file of the attempt.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What bounds an attempt; `None` is no limit.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest it may run.
    pub wall: Option<Duration>,
    /// The longest without output or processor time.
    pub idle: Option<Duration>,
    /// Between the asked signal and SIGKILL.
    pub grace: Duration,
    /// Bytes of output that are kept.
    pub max_output: u64,
}

/// An agent's attempt.
#[derive(Debug)]
pub struct AgentOrder<'a> {
    /// The attempt.
    pub attempt: AttemptId,
    /// The agent.
    pub command: &'a CommandSpec,
    /// The prompt as the agent is to read it.
    pub prompt: &'a str,
    /// The session to go on with; `None` for a new one, which is named after the attempt where the CLI lets us.
    pub resume: Option<&'a str>,
    /// The workspace, absolute.
    pub workspace: &'a Path,
    /// The environment, complete but for what the agent's own command adds and removes.
    pub environment: BTreeMap<OsString, OsString>,
    /// Its limits.
    pub limits: Limits,
}

/// A shell command's attempt.
#[derive(Debug)]
pub struct CommandOrder<'a> {
    /// The attempt.
    pub attempt: AttemptId,
    /// The shell line.
    pub line: &'a str,
    /// The workspace, absolute.
    pub workspace: &'a Path,
    /// The environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// Its limits.
    pub limits: Limits,
}

/// Makes an agent's attempt directory with the prompt in it, and says what to run.
pub fn write_agent_spec(dir: &AttemptDir, order: AgentOrder<'_>) -> Result<Spec, AttemptError> {
    make_directory(dir)?;
    let prompt_file = dir.path().join("prompt.md");
    let content = order.command.prompt_content(order.prompt)?;
    fs::write(&prompt_file, content.as_bytes()).map_err(|source| AttemptError::File {
        action: "write",
        path: prompt_file.clone(),
        source,
    })?;
    let session = order.resume.map_or_else(
        || SessionWish::Fresh(session_id(order.attempt.bits())),
        |id| SessionWish::Resume(id.to_owned()),
    );
    let invocation = order.command.invocation(&Places {
        prompt: &content,
        prompt_file: &prompt_file,
        workspace: order.workspace,
        attempt_dir: dir.path(),
        session: &session,
    })?;
    let argv = std::iter::once(invocation.program.into_os_string()).chain(invocation.args).collect();
    let mut environment = order.environment;
    for name in &invocation.env_remove {
        environment.remove(OsStr::new(name));
    }
    environment.extend(invocation.env.into_iter().map(|(name, value)| (name.into(), value.into())));
    let mut spec = specification(order.attempt, argv, order.workspace, environment, order.limits);
    spec.keeps_work = true;
    spec.stdin = match invocation.stdin {
        Stdin::Null => StdinSource::Null,
        Stdin::File(path) => StdinSource::File(path),
    };
    Ok(spec)
}

/// Makes a shell command's attempt directory, and says what to run.
pub fn write_command_spec(dir: &AttemptDir, order: CommandOrder<'_>) -> Result<Spec, AttemptError> {
    make_directory(dir)?;
    let argv = vec!["sh".into(), "-c".into(), order.line.into()];
    Ok(specification(order.attempt, argv, order.workspace, order.environment, order.limits))
}

fn make_directory(dir: &AttemptDir) -> Result<(), AttemptError> {
    crate::durable::create_directories(dir.path(), 0o777).map_err(|source| AttemptError::File {
        action: "create",
        path: dir.path().to_owned(),
        source,
    })
}

fn specification(
    attempt: AttemptId,
    argv: Vec<OsString>,
    workspace: &Path,
    environment: BTreeMap<OsString, OsString>,
    limits: Limits,
) -> Spec {
    let mut spec = Spec::new(attempt, argv, workspace.to_owned());
    spec.env = environment.into_iter().collect();
    spec.wall_limit = limits.wall;
    spec.idle_limit = limits.idle;
    spec.grace = limits.grace;
    spec.max_output = limits.max_output;
    spec
}

/// The environment of an attempt: what was inherited, all of it or only what `keep` names, and our own variables.
#[must_use]
pub fn plan_environment(
    inherited: &BTreeMap<OsString, OsString>,
    keep: impl Fn(&OsStr) -> bool,
    own: &[(&str, OsString)],
) -> BTreeMap<OsString, OsString> {
    let marker = OsStr::new(ATTEMPT_MARKER);
    let mut environment: BTreeMap<OsString, OsString> = inherited
        .iter()
        .filter(|(name, _)| name.as_os_str() == marker || keep(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    environment.extend(own.iter().map(|(name, value)| (OsString::from(name), value.clone())));
    environment
}
