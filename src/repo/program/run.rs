//! Starting the installed git: the one place that does.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::super::error::RepoError;
use super::super::stop::StopSign;
use crate::ambient::Ambient;

/// How much of what git says is kept for an error, in bytes; the end of it.
const KEPT: u64 = 4096;

/// How long a git that takes too long may clean up.
const GRACE: Duration = Duration::from_millis(500);

/// Neither a hook nor a program that the repository's configuration names for watching files runs.
const NO_PROGRAMS: [&str; 4] = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"];

/// A git program, for one work tree.
#[derive(Debug, Clone)]
pub(in super::super) struct GitProgram {
    path: PathBuf,
    /// Where it runs.
    root: PathBuf,
    time_limit: Duration,
    ambient: Ambient,
}

/// Why git did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct GitFailure {
    /// Its exit code; `None` where it was ended or could not be started.
    pub(in super::super) code: Option<i32>,
    /// The end of what it said on its standard error.
    pub(in super::super) said: String,
}

/// What a call came to.
#[derive(Debug)]
pub(in super::super) struct Finished {
    /// `None`: it was ended at the time limit, or because this process was asked to stop.
    pub(in super::super) status: Option<ExitStatus>,
    /// Whether it was the latter.
    pub(in super::super) was_stopped: bool,
    /// All of its standard output.
    pub(in super::super) printed: Vec<u8>,
    /// The end of its standard error.
    pub(in super::super) said: String,
}

/// Variables of a call.
pub(in super::super) type Environment = Vec<(&'static str, OsString)>;

/// One invocation.
#[derive(Debug)]
pub(in super::super) struct Call<'a> {
    program: &'a GitProgram,
    arguments: Vec<OsString>,
    environment: Environment,
    input: &'a [u8],
    stop: StopSign,
}

/// How a call was waited for.
enum Waited {
    Ended(ExitStatus),
    TooLong,
    Stopped,
}

impl GitProgram {
    /// The first executable `git` on the search path.
    pub(in super::super) fn find(root: &Path, time_limit: Duration, ambient: &Ambient) -> Option<Self> {
        let path = ambient.env().get(OsStr::new("PATH"))?;
        let is_program = |file: &PathBuf| {
            file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
        };
        let path = std::env::split_paths(path)
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join("git"))
            .find(is_program)?;
        Some(Self { path, root: root.to_owned(), time_limit, ambient: ambient.clone() })
    }

    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }

    /// The same program for another work tree.
    pub(in super::super) fn at(self, root: &Path) -> Self {
        Self { root: root.to_owned(), ..self }
    }

    pub(in super::super) fn failed(&self, doing: &'static str) -> impl Fn(GitFailure) -> RepoError + '_ {
        move |failure| RepoError::Program { doing, place: self.root.clone(), said: failure.said }
    }

    /// A call that only looks: it takes no lock and runs no hook.
    pub(in super::super) fn look(&self, arguments: &[&str]) -> Call<'_> {
        self.call(&["--no-optional-locks"]).arguments(NO_PROGRAMS).arguments(arguments)
    }

    /// A call that writes durably and runs no hook.
    pub(in super::super) fn write(&self, arguments: &[&str]) -> Call<'_> {
        self.write_with_hooks(&[]).arguments(NO_PROGRAMS).arguments(arguments)
    }

    /// A call that writes durably, with the hooks of the repository.
    pub(in super::super) fn write_with_hooks(&self, arguments: &[&str]) -> Call<'_> {
        self.call(&["-c", "core.fsync=committed,loose-object,reference", "-c", "core.fsyncMethod=fsync"])
            .arguments(arguments)
    }

    /// A call whose children may be anybody's programs: they get the user's own language.
    pub(in super::super) fn call_for_hook(&self, arguments: &[&str]) -> Call<'_> {
        let language = self.ambient.env().get(OsStr::new("LC_ALL")).cloned();
        self.call(arguments).env("LC_ALL", language.unwrap_or_default()).env("GIT_EDITOR", ":")
    }

    /// Another program, run likewise.
    pub(in super::super) fn instead(self, program: &Path) -> Self {
        Self { path: program.to_owned(), ..self }
    }

    /// A call with nothing added.
    pub(in super::super) fn call(&self, arguments: &[&str]) -> Call<'_> {
        let call = Call {
            program: self,
            arguments: Vec::new(),
            environment: Vec::new(),
            input: b"",
            stop: StopSign::default(),
        };
        call.arguments(arguments)
    }
}

impl<'a> Call<'a> {
    #[must_use]
    pub(in super::super) fn arguments<A: AsRef<OsStr>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    #[must_use]
    pub(in super::super) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    #[must_use]
    pub(in super::super) fn envs(mut self, environment: &Environment) -> Self {
        self.environment.extend_from_slice(environment);
        self
    }

    #[must_use]
    pub(in super::super) fn input(self, input: &'a [u8]) -> Self {
        Self { input, ..self }
    }

    /// It waits for somebody else, and ends early where this process is asked to stop.
    #[must_use]
    pub(in super::super) fn until(self, stop: &StopSign) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    /// What it printed.
    pub(in super::super) fn run(self) -> Result<Vec<u8>, GitFailure> {
        self.run_accepting(0).map(|(_, printed)| printed)
    }

    /// Its exit code, 0 or the other one that is no failure, and what it printed.
    pub(in super::super) fn run_accepting(self, other: i32) -> Result<(i32, Vec<u8>), GitFailure> {
        let seconds = self.program.time_limit.as_secs();
        let Finished { status, printed, said, .. } = self.finish()?;
        if let Some(code) = status.and_then(|status| status.code()).filter(|code| [0, other].contains(code)) {
            return Ok((code, printed));
        }
        Err(match status {
            None => GitFailure {
                code: None,
                said: format!("it was ended after {seconds} s (`git.timeout`) {said}").trim_end().to_owned(),
            },
            Some(status) if said.is_empty() => GitFailure { code: status.code(), said: status.to_string() },
            Some(status) => GitFailure { code: status.code(), said },
        })
    }

    /// How it ended and what it printed, whatever that is; fails only where it could not be started.
    pub(in super::super) fn finish(self) -> Result<Finished, GitFailure> {
        let unstartable = |error: std::io::Error| GitFailure {
            code: None,
            said: format!("cannot run {}: {error}", self.program.path.display()),
        };
        let mut stdin = passing_file().map_err(unstartable)?;
        stdin.write_all(self.input).and_then(|()| stdin.rewind()).map_err(unstartable)?;
        let mut stdout = passing_file().map_err(unstartable)?;
        let stderr = passing_file().map_err(unstartable)?;
        let outputs = (stdout.try_clone().map_err(unstartable)?, stderr.try_clone().map_err(unstartable)?);
        let waited = self.start_and_wait(stdin, outputs.0, outputs.1).map_err(unstartable)?;
        let mut printed = Vec::new();
        stdout.rewind().and_then(|()| stdout.read_to_end(&mut printed)).map_err(unstartable)?;
        let (status, was_stopped) = match waited {
            Waited::Ended(status) => (Some(status), false),
            Waited::TooLong => (None, false),
            Waited::Stopped => (None, true),
        };
        Ok(Finished { status, was_stopped, printed, said: end_of(stderr) })
    }

    /// What is not waited for any longer is ended with everything that it had started.
    fn start_and_wait(&self, stdin: File, stdout: File, stderr: File) -> std::io::Result<Waited> {
        let program = self.program;
        #[expect(clippy::disallowed_methods, reason = "git is a helper that must not outlive its call")]
        let mut command = std::process::Command::new(&program.path);
        let mut child = command
            .args(&self.arguments)
            .current_dir(&program.root)
            .env_clear()
            .envs(environment(&program.ambient))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(stdin)
            .stdout(Stdio::from(stdout))
            .stderr(stderr)
            .spawn()?;
        let running = program.ambient.stopwatch();
        let mut stop = self.stop.watch();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Waited::Ended(status));
            }
            let elapsed = running.elapsed();
            let waited = match (elapsed > program.time_limit, stop.is_over(elapsed)) {
                (true, _) => Waited::TooLong,
                (false, true) => Waited::Stopped,
                (false, false) => {
                    let left = program.time_limit.saturating_sub(elapsed);
                    wait_for_end(&child, self.stop.slice(left), elapsed);
                    continue;
                }
            };
            end_group(&mut child, &program.ambient)?;
            return Ok(waited);
        }
    }
}

/// A file without a name. In memory where the system has that: a new file on a disk can cost as much as git itself.
fn passing_file() -> std::io::Result<File> {
    #[cfg(target_os = "linux")]
    if let Ok(file) = rustix::fs::memfd_create("baton-git", rustix::fs::MemfdFlags::CLOEXEC) {
        return Ok(file.into());
    }
    tempfile::tempfile()
}

/// Returns when the child has ended, at the latest at the limit; it may return sooner.
fn wait_for_end(child: &Child, limit: Duration, elapsed: Duration) {
    #[cfg(target_os = "linux")]
    if let Some(ended) = end_of_process(child) {
        let limit = rustix::event::Timespec::try_from(limit).ok();
        let mut ended = [rustix::event::PollFd::new(&ended, rustix::event::PollFlags::IN)];
        if rustix::event::poll(&mut ended, limit.as_ref()).is_ok() {
            return;
        }
    }
    let early = elapsed < Duration::from_millis(20);
    let pause = if early { Duration::from_micros(100) } else { Duration::from_millis(5) };
    std::thread::sleep(pause.min(limit));
}

/// Can be read from when the process has ended.
#[cfg(target_os = "linux")]
fn end_of_process(child: &Child) -> Option<rustix::fd::OwnedFd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw)?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

/// Asked first, git takes its locks with it. It is waited for without being reaped, so that its group stays its own until
/// all of it is ended.
fn end_group(child: &mut Child, ambient: &Ambient) -> std::io::Result<()> {
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        child.kill()?;
        return child.wait().map(|_| ());
    };
    if kill_process_group(group, Signal::TERM).is_ok() {
        let asked = ambient.stopwatch();
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while asked.elapsed() < GRACE && matches!(waitid(WaitId::Pid(group), options), Ok(None)) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    match kill_process_group(group, Signal::KILL) {
        Ok(()) => {}
        Err(_) => child.kill()?,
    }
    child.wait().map(|_| ())
}

fn end_of(mut output: File) -> String {
    let mut bytes = Vec::new();
    let length = output.metadata().map_or(0, |metadata| metadata.len());
    let start = std::io::SeekFrom::Start(length.saturating_sub(KEPT));
    // What cannot be read is not said.
    let _ = output.seek(start).and_then(|_| output.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// Whether a variable may reach git: those that would point it elsewhere, or make it print more, do not.
fn may_pass(name: &str) -> bool {
    const PASSING: [&str; 7] =
        ["GIT_CONFIG_", "GIT_SSH", "GIT_ASKPASS", "GIT_SSL_", "GIT_EXEC_PATH", "GIT_PROXY_", "GIT_HTTP_"];
    !name.starts_with("GIT_") || PASSING.iter().any(|prefix| name.starts_with(prefix))
}

fn environment(ambient: &Ambient) -> impl Iterator<Item = (OsString, OsString)> {
    ambient
        .env()
        .iter()
        .filter(|(name, _)| name.to_str().is_none_or(may_pass))
        .map(|(name, value)| (name.clone(), value.clone()))
        .chain(
            [("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0")].map(|(name, value)| (name.into(), value.into())),
        )
}
