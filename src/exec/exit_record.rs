//! How an attempt ended: the content of `exit.json`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::AttemptId;

/// The version of `exit.json` that this build writes and reads.
pub(super) const EXIT_VERSION: u32 = 1;

/// How an attempt ended. Written once, durably, by its supervisor, or by [`abandon`](super::abandon).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// Version of the format.
    pub version: u32,
    /// The attempt.
    pub attempt: AttemptId,
    /// What became of the process itself.
    pub how: How,
    /// Who ended it.
    pub ended_by: Ended,
    /// When the agent was started; for an abandoned attempt, when it was last known.
    pub started_at: Timestamp,
    /// When its end was seen.
    pub ended_at: Timestamp,
    /// Time between both on the monotonic clock.
    pub wall: Duration,
    /// Processor time of the agent and of the descendants that were waited for; 10 ms resolution.
    pub cpu: Option<Duration>,
    /// Bytes kept of standard output.
    pub stdout_bytes: u64,
    /// Bytes kept of standard error.
    pub stderr_bytes: u64,
    /// Bytes that were read and not kept: over the cap, or not writable.
    pub dropped_bytes: u64,
    /// Why output could not be written, if that happened (a full disk).
    pub capture_error: Option<String>,
    /// Processes that the agent left behind and that were ended; the first 32.
    pub swept: Vec<SweptProcess>,
    /// How many were ended in all.
    pub swept_count: u64,
    /// Processes that could not be ended within the bound (uninterruptible, or of another user); the first 32.
    pub survivors: Vec<SweptProcess>,
}

impl ExitRecord {
    /// Whether the process ended by itself with exit code 0, unasked. No verdict on the agent's work.
    pub fn is_clean_exit(&self) -> bool {
        self.how == How::Exited { code: 0 } && self.ended_by == Ended::Itself
    }
}

/// What became of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum How {
    /// It exited.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// It was ended by a signal.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// It could not be started; nothing was spent.
    SpawnFailed(SpawnFailure),
    /// It was started, and its end was not seen.
    Unknown,
    /// It was never started; nothing was spent.
    NeverStarted,
}

/// Why the process could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnFailure {
    /// The class of the failure.
    pub reason: SpawnFailureKind,
    /// The system's error number, where there is one.
    pub errno: Option<i32>,
    /// One sentence for people.
    pub message: String,
}

/// The class of a failure to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpawnFailureKind {
    /// No such program.
    NotFound,
    /// The program's file is not executable.
    NotExecutable,
    /// Neither a binary of this machine nor a script with a `#!` line.
    NotAProgram,
    /// The script's interpreter does not exist.
    NoInterpreter,
    /// The working directory does not exist or cannot be entered.
    NoWorkingDirectory,
    /// The file for standard input cannot be read.
    NoInput,
    /// Arguments and environment are too long for the system.
    TooLong,
    /// Anything else, such as no memory or too many processes.
    Other,
}

/// Who ended the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Ended {
    /// It ended by itself.
    Itself,
    /// The wall limit was reached.
    WallLimit,
    /// The idle limit was reached.
    IdleLimit,
    /// The supervisor was signalled: the attempt is never `ok`, whatever the agent then said.
    Cancelled {
        /// The first signal that was received.
        signal: i32,
    },
    /// The supervisor vanished, or the machine was restarted.
    Abandoned,
}

/// A process that an attempt left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweptProcess {
    /// Its process id.
    pub pid: i32,
    /// Its name, as the kernel knows it.
    pub name: String,
}
