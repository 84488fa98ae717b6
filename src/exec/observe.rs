//! What became of an attempt: judged from its lock and its files alone, by whoever comes.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rustix::event::poll;

use super::attempt_dir::{HeldLock, LockState};
use super::exit_record::{EXIT_VERSION, Ended, How, SweptProcess};
use super::sweep::{Family, Firmness, Reach, Sweep, sweep};
use super::{AttemptDir, ExecError, ExitRecord, os};
use crate::ambient::Ambient;
use crate::model::AttemptId;

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// Its supervisor holds the lock.
    Alive {
        /// The supervisor.
        pid: i32,
    },
    /// It ended and left its result.
    Finished(Box<ExitRecord>),
    /// Its supervisor is gone and left no result; [`abandon`] cleans up.
    Vanished {
        /// Whether the agent may have been started. `false` is proof that nothing was spent.
        started: bool,
    },
}

/// What [`abandon`] found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepReport {
    /// Whether the agent may have been started.
    pub started: bool,
    /// The record that was written: what was ended, and what could not be.
    pub record: ExitRecord,
}

/// Looks at an attempt without changing anything.
pub fn observe(dir: &AttemptDir, ambient: &Ambient) -> Result<Observation, ExecError> {
    if let Some(pid) = peek_alive(dir)? {
        return Ok(Observation::Alive { pid });
    }
    // The result is complete before the lock is free: looked at in this order, it cannot be missed.
    match dir.read_exit()? {
        Some(record) => Ok(Observation::Finished(Box::new(record))),
        None => Ok(Observation::Vanished { started: was_started(dir, &ambient.boot_id())? }),
    }
}

/// The supervisor, if one holds the lock.
pub(super) fn peek_alive(dir: &AttemptDir) -> Result<Option<i32>, ExecError> {
    const TRIES: u32 = 1_000;
    for _ in 0..TRIES {
        match LockState::peek(dir)? {
            LockState::Missing | LockState::Free(_) => return Ok(None),
            LockState::Taken(notes) => {
                if let Some(pid) = notes.supervisor {
                    return Ok(Some(pid));
                }
            }
        }
        // Between taking the lock and writing its id a supervisor needs microseconds, `abandon` a sweep's time.
        let _ = poll(&mut [], Some(&os::timespec(Duration::from_millis(10))));
    }
    Err(ExecError::StillAlive { dir: dir.path().to_owned(), pid: 0 })
}

/// Whether the agent of an attempt without a supervisor may have been started. Only files that nobody could have
/// lost prove that it was not: in the same boot what was written is there, whoever was killed.
pub(super) fn was_started(dir: &AttemptDir, boot: &str) -> Result<bool, ExecError> {
    let same_boot = dir.read_spec().is_ok_and(|spec| !boot.is_empty() && spec.boot_id == boot);
    Ok(!same_boot
        || match LockState::peek(dir)? {
            LockState::Taken(notes) | LockState::Free(notes) => notes.started,
            // The lock comes before all else of the supervisor's; without it, something was deleted.
            LockState::Missing => dir.stdout_path().exists(),
        })
}

/// Takes over an attempt whose supervisor is gone: ends what it left alive and writes that it was abandoned.
pub fn abandon(dir: &AttemptDir, attempt: AttemptId, ambient: &Ambient) -> Result<SweepReport, ExecError> {
    let boot = ambient.boot_id();
    let seen_started = was_started(dir, &boot)?;
    let mut lock = take_lock(dir)?;
    if dir.read_exit()?.is_some() {
        return Err(ExecError::AlreadyFinished(dir.path().to_owned()));
    }
    let notes = lock.notes()?;
    let started = seen_started || notes.started;
    let same_boot = dir.read_spec().map_or(true, |spec| spec.boot_id == boot);
    let swept = if same_boot {
        let family = Family { attempt, session: notes.supervisor, reach: Reach::All };
        sweep(&family, Firmness::AskFirst, ambient, || {}).map_err(ExecError::file("read", "/proc"))?
    } else {
        Sweep::default()
    };
    let record = abandoned_record(dir, attempt, started, swept, ambient);
    super::supervisor::write_exit(dir, &record)?;
    Ok(SweepReport { started, record })
}

/// Takes the lock, past onlookers, who hold it for microseconds.
fn take_lock(dir: &AttemptDir) -> Result<HeldLock, ExecError> {
    loop {
        if let Some(lock) = HeldLock::try_take(dir)? {
            return Ok(lock);
        }
        if let Some(pid) = peek_alive(dir)? {
            return Err(ExecError::StillAlive { dir: dir.path().to_owned(), pid });
        }
    }
}

fn abandoned_record(
    dir: &AttemptDir,
    attempt: AttemptId,
    started: bool,
    swept: Sweep,
    ambient: &Ambient,
) -> ExitRecord {
    // Nobody saw the end; the last sign of life is what can be said, and no time is made up.
    let started_at = modified(&dir.lock_path()).unwrap_or_else(|| ambient.now());
    let ended_at = [dir.stdout_path(), dir.stderr_path()]
        .iter()
        .filter_map(|path| modified(path))
        .fold(started_at, Timestamp::max);
    ExitRecord {
        version: EXIT_VERSION,
        attempt,
        how: if started { How::Unknown } else { How::NeverStarted },
        ended_by: Ended::Abandoned,
        started_at,
        ended_at,
        wall: Duration::try_from(ended_at.duration_since(started_at)).unwrap_or_default(),
        cpu: None,
        stdout_bytes: std::fs::metadata(dir.stdout_path()).map_or(0, |metadata| metadata.len()),
        stderr_bytes: std::fs::metadata(dir.stderr_path()).map_or(0, |metadata| metadata.len()),
        dropped_bytes: 0,
        capture_error: None,
        swept: swept.swept,
        swept_count: swept.count,
        survivors: swept.survivors,
    }
}

fn modified(path: &Path) -> Option<Timestamp> {
    Timestamp::try_from(std::fs::metadata(path).ok()?.modified().ok()?).ok()
}

impl SweepReport {
    /// Processes that could not be ended.
    pub fn survivors(&self) -> &[SweptProcess] {
        &self.record.survivors
    }
}
