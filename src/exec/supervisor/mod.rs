//! The body of the supervisor process: one thread, one `poll`, few system calls.
//!
//! It owns one agent from its start to the end of the last process that the agent left behind, and writes how it
//! was. It holds the attempt's lock for its whole life. It never reads the configuration, the repository or the
//! ledger, and never judges the agent's work.

mod agent;
mod capture;
mod exit_file;
mod orchestrator;
mod signals;
mod watch;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::process::{getpid, setsid};

use self::agent::AgentCommand;
use self::capture::Capture;
use self::exit_file::ExitFile;
use self::orchestrator::{Orchestrator, Word};
use self::signals::Signals;
use super::attempt_dir::HeldLock;
use super::{AttemptDir, Ended, ExecError, How, os};
use crate::ambient::Ambient;

pub(super) use self::exit_file::write_exit;

/// Runs the attempt in this directory: what `baton __supervise DIR` does. Only `submit` starts it: standard input
/// is the orchestrator's word to go, standard output tells it of progress. What goes wrong is written into `supervisor.log`, which normally does not exist.
pub fn supervise(dir: Option<OsString>) -> ExitCode {
    let Some(dir) = dir.map(PathBuf::from).filter(|dir| dir.is_absolute()) else {
        // Nobody but a person at a terminal can have come here.
        let _ =
            writeln!(io::stderr(), "this verb is for internal use: it needs the absolute path of an attempt");
        return ExitCode::from(2);
    };
    let dir = AttemptDir::new(dir);
    let log = dir.supervisor_log_path();
    std::panic::set_hook(Box::new(move |panic| complain(&log, &panic.to_string())));
    match supervise_in(&dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&dir.supervisor_log_path(), &explain(&error));
            ExitCode::FAILURE
        }
    }
}

fn supervise_in(dir: &AttemptDir) -> Result<(), ExecError> {
    let mut lock = HeldLock::take(dir)?;
    if dir.exit_path().exists() {
        return Err(ExecError::AlreadyFinished(dir.path().to_owned()));
    }
    let own = getpid().as_raw_nonzero().get();
    let on_self = |action| move |source: io::Error| ExecError::Process { action, pid: own, source };
    lock.note(&format!("supervisor {own}\n"))?;
    setsid().map_err(io::Error::from).map_err(on_self("make a session of"))?;
    os::adopt_orphans().map_err(on_self("make a subreaper of"))?;
    let signals = Signals::install().map_err(on_self("install signal handlers in"))?;
    let spec = dir.read_spec()?;
    let ambient = Ambient::real();
    let exit_file = ExitFile::reserve(dir)?;
    let capture = Capture::create(dir, spec.max_output)?;
    let command = AgentCommand::prepare(&spec, &ambient);
    let mut orchestrator = Orchestrator::of_this_process().map_err(on_self("prepare the pipes of"))?;
    match orchestrator.await_go(&signals).map_err(on_self("hear the go for"))? {
        Word::Go => {}
        Word::Withdrawn => {
            exit_file.release();
            return Ok(());
        }
        Word::Stop(request) => {
            let ended_by = Ended::Cancelled { signal: request.signal };
            let record = watch::never_ran(&spec, How::NeverStarted, ended_by, ambient.now());
            return exit_file.write(dir, &record);
        }
    }
    lock.note("started\n")?;
    let record = watch::run(&spec, command, capture, &signals, &mut orchestrator, &ambient)
        .map_err(on_self("watch the agent of"))?;
    // Once the record is durable the agent is never run again: its work must not be lost after that.
    if spec.keeps_work
        && let Err(error) = crate::durable::sync_file_system(&spec.cwd)
    {
        complain(&dir.supervisor_log_path(), &format!("cannot sync {}: {error}", spec.cwd.display()));
    }
    exit_file.write(dir, &record)
}

/// The error and its causes in one line.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Whoever started the attempt reads this where the supervisor ends without a result; there is nobody else to tell.
fn complain(log: &Path, text: &str) {
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(log);
    let _ = opened.and_then(|mut log| writeln!(log, "{text}"));
}
