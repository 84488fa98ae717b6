//! The agent's process: started with duct in a group of its own, signalled as a group, waited for by its id.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, wait, waitid};

use super::capture::AgentEnds;
use crate::ambient::Ambient;
use crate::exec::program::{explain_no_input, explain_refusal, find_program, marker_inside};
use crate::exec::{ATTEMPT_MARKER, How, SpawnFailure, Spec, StdinSource, StopSignal, os};

/// All that can be found out before the go.
pub(super) struct AgentCommand {
    argv: Vec<OsString>,
    program: PathBuf,
    cwd: PathBuf,
    stdin: Option<File>,
    marker: OsString,
}

impl AgentCommand {
    /// Finds the program and opens the input. A failure is how the attempt ends, after the go.
    pub(super) fn prepare(spec: &Spec, ambient: &Ambient) -> Result<Self, SpawnFailure> {
        let variable = |name: &str| ambient.env().get(OsStr::new(name)).map(OsString::as_os_str);
        let name = spec.argv.first().map_or(OsStr::new(""), OsString::as_os_str);
        let program = find_program(name, variable("PATH"), &spec.cwd)?;
        let stdin = match &spec.stdin {
            StdinSource::Null => None,
            StdinSource::File(file) => {
                Some(File::open(file).map_err(|error| explain_no_input(&error, file))?)
            }
        };
        Ok(Self {
            argv: spec.argv.clone(),
            program,
            cwd: spec.cwd.clone(),
            stdin,
            marker: marker_inside(variable(ATTEMPT_MARKER), &spec.attempt.to_string()),
        })
    }

    /// Starts it.
    pub(super) fn start(self, ends: AgentEnds) -> Result<Agent, SpawnFailure> {
        let shown_name = self.argv.first().cloned().unwrap_or_default();
        let expression = duct::cmd(self.program.clone(), self.argv.get(1..).unwrap_or_default())
            .dir(&self.cwd)
            .env(ATTEMPT_MARKER, self.marker)
            .stdout_file(ends.stdout)
            .stderr_file(ends.stderr)
            .unchecked()
            .before_spawn(move |command| {
                command.process_group(0).arg0(&shown_name);
                Ok(())
            });
        let expression = match self.stdin {
            Some(file) => expression.stdin_file(file),
            None => expression.stdin_null(),
        };
        // The expression holds the write ends of the pipes; it ends with this function.
        let handle = expression.start().map_err(|error| explain_refusal(&error, &self.program, &self.cwd))?;
        let pid = handle.pids().first().and_then(|pid| i32::try_from(*pid).ok()).and_then(Pid::from_raw);
        pid.map(|pid| Agent { handle, pid }).ok_or_else(|| SpawnFailure {
            reason: crate::exec::SpawnFailureKind::Other,
            errno: None,
            message: "the process was started without an id".to_owned(),
        })
    }
}

/// The agent, alive or dead and not yet waited for.
pub(super) struct Agent {
    handle: duct::Handle,
    pid: Pid,
}

impl Agent {
    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// How it ended, if it has. From then on the agent must not be signalled.
    pub(super) fn try_wait(&self) -> io::Result<Option<How>> {
        let Some(output) = self.handle.try_wait()? else { return Ok(None) };
        Ok(Some(match (output.status.code(), output.status.signal()) {
            (Some(code), _) => How::Exited { code },
            (None, Some(signal)) => How::Signalled { signal },
            (None, None) => How::Unknown,
        }))
    }

    /// Asks the group to stop. A stopped group is continued, or it could not obey.
    pub(super) fn ask_to_stop(&self, signal: StopSignal) {
        let signal = match signal {
            StopSignal::Terminate => Signal::TERM,
            StopSignal::Interrupt => Signal::INT,
        };
        self.signal_group(signal);
        self.signal_group(Signal::CONT);
    }

    /// Ends the group.
    pub(super) fn kill(&self) {
        self.signal_group(Signal::KILL);
    }

    fn signal_group(&self, signal: Signal) {
        // The agent is not waited for yet, so the group's number is its own; that all have ended is no failure.
        let _ = kill_process_group(self.pid, signal);
    }

    /// Collects adopted children that have ended, each by its id: a wait for any child would rob duct's own.
    pub(super) fn reap_adopted(&self) {
        let Ok(children) = os::own_children() else { return };
        for pid in children.into_iter().filter(|pid| *pid != self.pid()).filter_map(Pid::from_raw) {
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }
}

/// Collects all children that have ended, once the agent has been waited for; `true` when none is left.
pub(super) fn reap_all() -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}
