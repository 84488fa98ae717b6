//! Submitting an attempt: the supervisor boots first, and starts the agent only when it is told to.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::program::marker_around;
use super::running::Running;
use super::spec::SPEC_VERSION;
use super::{ATTEMPT_MARKER, AttemptDir, ExecError, SUPERVISE_VERB, Spec, StdinSource, os};
use crate::ambient::{Ambient, Stopwatch};

/// The byte by which the supervisor says that it holds the lock and can start the agent.
pub(super) const READY: u8 = b'r';
/// The byte that lets it.
pub(super) const GO: u8 = b'g';
/// A supervisor boots in milliseconds; on a machine that thrashes it may take long.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// A supervisor that waits for the go. Dropping it ends the supervisor; the agent is then never started. So does
/// the death of this process.
#[derive(Debug)]
#[must_use = "dropping it ends the supervisor"]
pub struct Prepared {
    dir: AttemptDir,
    // `None` once the supervisor has become a `Running`.
    supervisor: Option<Supervisor>,
    ready: bool,
    clock: Stopwatch,
    boot_id: String,
}

#[derive(Debug)]
struct Supervisor {
    child: Child,
    go: ChildStdin,
    events: ChildStdout,
}

/// Writes `spec.json` and starts the supervisor `program` in a directory that exists and holds no attempt yet.
/// Returns at once: what the caller has to record can be written while the supervisor boots. Each directory is
/// good for one attempt, ever.
pub fn submit(
    dir: &AttemptDir,
    mut spec: Spec,
    program: &Path,
    ambient: &Ambient,
) -> Result<Prepared, ExecError> {
    check(dir, &spec)?;
    spec.boot_id = ambient.boot_id();
    write_spec(dir, &spec)?;
    let attempt = spec.attempt.to_string();
    let inherited = spec.env.iter().rev().find(|(name, _)| name == ATTEMPT_MARKER).map(|(_, value)| &**value);
    let around = marker_around(inherited, &attempt);
    #[expect(clippy::disallowed_methods, reason = "the supervisor's pipes and life are handled here by hand")]
    let mut command = std::process::Command::new(program);
    command
        .arg(SUPERVISE_VERB)
        .arg(dir.path())
        .current_dir("/")
        .env_clear()
        .envs(spec.env.iter().filter(|(name, _)| name != ATTEMPT_MARKER).map(|(name, value)| (name, value)))
        .envs(around.map(|value| (ATTEMPT_MARKER, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let no_supervisor = |source| ExecError::NoSupervisor { program: program.to_owned(), source };
    let mut child = command.spawn().map_err(no_supervisor)?;
    let (Some(go), Some(events)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(no_supervisor(io::ErrorKind::BrokenPipe.into()));
    };
    Ok(Prepared {
        dir: dir.clone(),
        supervisor: Some(Supervisor { child, go, events }),
        ready: false,
        clock: ambient.stopwatch(),
        boot_id: spec.boot_id,
    })
}

impl Prepared {
    /// The supervisor's process id.
    pub fn supervisor_pid(&self) -> Option<u32> {
        self.supervisor.as_ref().map(|supervisor| supervisor.child.id())
    }

    /// Waits until the supervisor holds the lock and could start the agent.
    pub fn ready(&mut self) -> Result<(), ExecError> {
        if self.ready {
            return Ok(());
        }
        let Some(supervisor) = &mut self.supervisor else { return Err(gone(&self.dir)) };
        let until = self.clock.elapsed() + READY_WITHIN;
        loop {
            let left = until.saturating_sub(self.clock.elapsed());
            match poll(&mut [PollFd::new(&supervisor.events, PollFlags::IN)], Some(&os::timespec(left))) {
                Ok(0) => return Err(ExecError::SupervisorSlow { seconds: READY_WITHIN.as_secs() }),
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(events_failed(supervisor.child.id())(error.into())),
            }
        }
        let mut byte = [0];
        match supervisor.events.read(&mut byte).map_err(events_failed(supervisor.child.id()))? {
            1 if byte[0] == READY => {
                self.ready = true;
                Ok(())
            }
            _ => Err(gone(&self.dir)),
        }
    }

    /// Lets the supervisor start the agent. When this fails, the agent was not started.
    pub fn go(mut self) -> Result<Running, ExecError> {
        self.ready()?;
        let Some(mut supervisor) = self.supervisor.take() else { return Err(gone(&self.dir)) };
        if supervisor.go.write_all(&[GO]).is_err() {
            let _ = supervisor.child.wait();
            return Err(gone(&self.dir));
        }
        let boot_id = std::mem::take(&mut self.boot_id);
        Ok(Running::of_child(self.dir.clone(), supervisor.child, supervisor.events, self.clock, boot_id))
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            // Without the go it has started nothing, so that nothing is orphaned by ending it at once.
            let _ = supervisor.child.kill();
            let _ = supervisor.child.wait();
        }
    }
}

fn events_failed(pid: u32) -> impl FnOnce(io::Error) -> ExecError {
    move |source| ExecError::Process { action: "hear from", pid: i32::try_from(pid).unwrap_or(-1), source }
}

/// The supervisor ended; its log says why.
fn gone(dir: &AttemptDir) -> ExecError {
    let log = std::fs::read(dir.supervisor_log_path()).unwrap_or_default();
    let text = String::from_utf8_lossy(&log).trim().to_owned();
    ExecError::SupervisorFailed {
        detail: if text.is_empty() {
            "it left no message (it cannot where no space is left on the disk)".to_owned()
        } else {
            text
        },
    }
}

fn check(dir: &AttemptDir, spec: &Spec) -> Result<(), ExecError> {
    let bad = |what| Err(ExecError::BadSpec(what));
    if spec.version != SPEC_VERSION {
        return bad("its version is not the one of this build");
    }
    if spec.argv.first().is_none_or(|program| program.is_empty()) {
        return bad("there is no program to run");
    }
    if !dir.path().is_absolute() || !spec.cwd.is_absolute() {
        return bad("the attempt's directory and the working directory must be absolute paths");
    }
    if matches!(&spec.stdin, StdinSource::File(file) if !file.is_absolute()) {
        return bad("the file for standard input must be an absolute path");
    }
    let holds = |text: &std::ffi::OsStr, byte| text.as_encoded_bytes().contains(&byte);
    if spec.env.iter().any(|(name, _)| name.is_empty() || holds(name, b'=')) {
        return bad("the name of an environment variable is empty or holds `=`");
    }
    if spec.argv.iter().any(|word| holds(word, 0))
        || spec.env.iter().any(|(name, value)| holds(name, 0) || holds(value, 0))
    {
        return bad("an argument or environment variable holds a NUL byte");
    }
    Ok(())
}

fn write_spec(dir: &AttemptDir, spec: &Spec) -> Result<(), ExecError> {
    let path = dir.spec_path();
    let mut file = match open_private(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ExecError::AlreadySubmitted(dir.path().to_owned()));
        }
        Err(error) => return Err(ExecError::file("write", path)(error)),
    };
    let text = serde_json::to_vec(spec).map_err(|source| ExecError::Format {
        path: path.clone(),
        what: "specification",
        source,
    })?;
    file.write_all(&text).map_err(ExecError::file("write", path))
}

fn open_private(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
