//! How an agent's attempt ended: its own words, and what was done to it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::agent::{Captured, CommandSpec, HowEnded, MAX_REPLY_BYTES, Reply, read_reply};
use crate::exec::{AttemptDir, Ended, ExitRecord, How};
use crate::model::{OutcomeClass, Span};
use crate::publish::secret::Masker;

use super::AttemptError;

/// As much more is read than is kept.
const MARGIN: usize = 8 << 10;

/// The class of an attempt with its reason, and the agent's reply.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentOutcome {
    /// The class; of the work tree it knows nothing, so that `ok` may still become `no_change`.
    pub class: OutcomeClass,
    /// Why, in words; empty for `ok`.
    pub detail: String,
    /// What the agent said and used.
    pub reply: Reply,
}

/// Reads what was captured and classes it. Nothing of it is cut before it is masked.
pub fn read_outcome(
    dir: &AttemptDir,
    command: &CommandSpec,
    exit: &ExitRecord,
    masker: &Masker,
) -> Result<AgentOutcome, AttemptError> {
    let stdout = read_end(&dir.stdout_path(), masker)?;
    let stderr = read_end(&dir.stderr_path(), masker)?;
    let ended = match exit.how {
        How::Exited { code } => HowEnded::Code(code),
        How::Signalled { signal } => HowEnded::Signal(signal),
        How::SpawnFailed(_) | How::NeverStarted | How::Unknown => HowEnded::Vanished,
    };
    let signalled_by_us = exit.ended_by != Ended::Itself;
    let captured = Captured { stdout: &stdout, stderr: &stderr, ended, signalled_by_us };
    let reply = read_reply(command, &captured);
    let (class, detail) = classify(exit, &reply);
    Ok(AgentOutcome { class, detail, reply })
}

/// What was done to the process comes before what it said: a process that we stopped has no verdict of its own.
fn classify(exit: &ExitRecord, reply: &Reply) -> (OutcomeClass, String) {
    let span = |wall: std::time::Duration| Span(std::time::Duration::from_secs(wall.as_secs()));
    match (&exit.ended_by, &exit.how) {
        (Ended::WallLimit, _) => {
            (OutcomeClass::TimedOut, format!("the wall limit was reached after {}", span(exit.wall)))
        }
        (Ended::IdleLimit, _) => (
            OutcomeClass::Stalled,
            format!("no output and no processor time until the idle limit, after {}", span(exit.wall)),
        ),
        (Ended::Cancelled { signal }, _) => {
            (OutcomeClass::Interrupted, format!("the attempt was stopped by signal {signal}"))
        }
        (Ended::Abandoned, _) => {
            (OutcomeClass::Interrupted, "the attempt vanished with its supervisor".to_owned())
        }
        (Ended::Itself, How::SpawnFailed(failure)) => (OutcomeClass::Failed, failure.message.clone()),
        (Ended::Itself, How::Unknown | How::NeverStarted) => {
            (OutcomeClass::Interrupted, "nobody saw how the attempt ended".to_owned())
        }
        (Ended::Itself, How::Exited { .. } | How::Signalled { .. }) => {
            (reply.class, reply.detail.clone().unwrap_or_default())
        }
    }
}

fn read_end(path: &Path, masker: &Masker) -> Result<Vec<u8>, AttemptError> {
    let failed = |source| AttemptError::File { action: "read", path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        // An attempt that never started has captured nothing.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let length = file.metadata().map_err(failed)?.len();
    // More than is kept, so that neither a character nor a secret is cut at the front.
    let wanted = (MAX_REPLY_BYTES + MARGIN) as u64;
    file.seek(SeekFrom::Start(length.saturating_sub(wanted))).map_err(failed)?;
    let mut end = Vec::new();
    file.take(wanted).read_to_end(&mut end).map_err(failed)?;
    let mut text = masker.mask_bytes(&end).into_owned();
    // A few bytes more than are kept, so that a character is never cut.
    let surplus = text.len().saturating_sub(MAX_REPLY_BYTES + 4);
    text.drain(..surplus);
    Ok(text)
}
