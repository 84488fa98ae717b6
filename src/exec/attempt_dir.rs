//! The directory of one attempt: where its files are, and the lock that proves that its supervisor lives.
//!
//! | file | content |
//! |---|---|
//! | `spec.json` | what to run |
//! | `lock` | held by the supervisor for its whole life; its lines say who, and how far it came |
//! | `stdout`, `stderr` | the captured bytes |
//! | `exit.json` | how it ended, present only when complete |
//! | `supervisor.log` | what the supervisor itself had to say; normally absent |

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::exit_record::EXIT_VERSION;
use super::spec::SPEC_VERSION;
use super::{ExecError, ExitRecord, Spec};

/// The directory of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptDir(PathBuf);

impl AttemptDir {
    /// An attempt's directory; it must be absolute and exist when the attempt is submitted.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What to run.
    pub fn spec_path(&self) -> PathBuf {
        self.0.join("spec.json")
    }

    /// The proof of life.
    pub fn lock_path(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The captured standard output.
    pub fn stdout_path(&self) -> PathBuf {
        self.0.join("stdout")
    }

    /// The captured standard error.
    pub fn stderr_path(&self) -> PathBuf {
        self.0.join("stderr")
    }

    /// How it ended.
    pub fn exit_path(&self) -> PathBuf {
        self.0.join("exit.json")
    }

    /// The place that is kept for `exit.json` on a disk that fills up.
    pub(super) fn exit_reserve_path(&self) -> PathBuf {
        self.0.join("exit.json.reserved")
    }

    /// What the supervisor itself had to say.
    pub fn supervisor_log_path(&self) -> PathBuf {
        self.0.join("supervisor.log")
    }

    pub(super) fn read_spec(&self) -> Result<Spec, ExecError> {
        let path = self.spec_path();
        let spec: Option<Spec> = read_json(&path, "specification")?;
        let spec = spec.ok_or_else(|| ExecError::file("read", &path)(io::ErrorKind::NotFound.into()))?;
        if spec.version != SPEC_VERSION {
            return Err(ExecError::Version { path, found: spec.version, expected: SPEC_VERSION });
        }
        Ok(spec)
    }

    pub(super) fn read_exit(&self) -> Result<Option<ExitRecord>, ExecError> {
        let path = self.exit_path();
        let Some(record) = read_json::<ExitRecord>(&path, "exit record")? else { return Ok(None) };
        if record.version != EXIT_VERSION {
            return Err(ExecError::Version { path, found: record.version, expected: EXIT_VERSION });
        }
        Ok(Some(record))
    }
}

fn read_json<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<Option<T>, ExecError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|source| ExecError::Format {
            path: path.to_owned(),
            what,
            source,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ExecError::file("read", path)(error)),
    }
}

/// What the holder of the lock has written into it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LockNotes {
    /// The supervisor's process id, which is also the session of the agent.
    pub(super) supervisor: Option<i32>,
    /// Whether the supervisor was about to start the agent.
    pub(super) started: bool,
}

impl LockNotes {
    fn parse(text: &str) -> Self {
        let mut notes = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("supervisor", pid)) => notes.supervisor = pid.parse().ok(),
                None if line == "started" => notes.started = true,
                _ => {}
            }
        }
        notes
    }
}

/// The lock, held. Dropping it frees it; so does the death of the process.
#[derive(Debug)]
pub(super) struct HeldLock {
    file: File,
    path: PathBuf,
}

/// The lock as an onlooker finds it.
#[derive(Debug)]
pub(super) enum LockState {
    /// There is no such file.
    Missing,
    /// Nobody holds it.
    Free(LockNotes),
    /// Somebody holds it.
    Taken(LockNotes),
}

impl LockState {
    /// Looks without creating anything. Onlookers share the lock, so that they never see each other.
    pub(super) fn peek(dir: &AttemptDir) -> Result<Self, ExecError> {
        let path = dir.lock_path();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Missing),
            Err(error) => return Err(ExecError::file("open", path)(error)),
        };
        let free = match file.try_lock_shared() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(ExecError::file("lock", path)(error)),
        };
        let notes = read_notes(&mut file).map_err(ExecError::file("read", path))?;
        Ok(if free { Self::Free(notes) } else { Self::Taken(notes) })
    }
}

impl HeldLock {
    /// Takes the lock, waiting for whoever looks at it or cleans up.
    pub(super) fn take(dir: &AttemptDir) -> Result<Self, ExecError> {
        let path = dir.lock_path();
        let file = open_lock(&path)?;
        file.lock().map_err(ExecError::file("lock", &path))?;
        Ok(Self { file, path })
    }

    /// Takes the lock if nobody has it or looks at it.
    pub(super) fn try_take(dir: &AttemptDir) -> Result<Option<Self>, ExecError> {
        let path = dir.lock_path();
        let file = open_lock(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(ExecError::file("lock", &path)(error)),
        }
    }

    /// Adds a line.
    pub(super) fn note(&mut self, line: &str) -> Result<(), ExecError> {
        self.file.write_all(line.as_bytes()).map_err(ExecError::file("write", &self.path))
    }

    /// What was written before.
    pub(super) fn notes(&mut self) -> Result<LockNotes, ExecError> {
        read_notes(&mut self.file).map_err(ExecError::file("read", &self.path))
    }
}

fn open_lock(path: &Path) -> Result<File, ExecError> {
    // Append, never truncate: whoever only looks must not wipe what the holder wrote.
    OpenOptions::new().read(true).append(true).create(true).open(path).map_err(ExecError::file("open", path))
}

fn read_notes(file: &mut File) -> io::Result<LockNotes> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut text)?;
    Ok(LockNotes::parse(&String::from_utf8_lossy(&text)))
}
