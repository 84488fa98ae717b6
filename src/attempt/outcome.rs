//! How an agent's attempt ended: its own words, and what was done to it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::agent::{End, HowEnded, MAX_REPLY_BYTES, Reader, Reply, WaitReason};
use crate::exec::{AttemptDir, Ended, ExitRecord, How};
use crate::model::{OutcomeClass, Span};
use crate::publish::secret::Masker;

use super::AttemptError;

/// More than any account of one run; the rest would be a mistake.
const MAX_SIDE_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// No secret is longer: what was cut at the front of a long reply is looked for a clean beginning this far.
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

/// Ends a reading that went along with the attempt, and classes the attempt; what the agent said is masked. `usage_file`:
/// the name of the file in the attempt's directory into which the agent writes what it used, where it does so.
pub fn close_reading(
    reader: Reader,
    dir: &AttemptDir,
    usage_file: Option<&str>,
    exit: &ExitRecord,
    masker: &Masker,
) -> Result<AgentOutcome, AttemptError> {
    let usage_file = usage_file.map(|name| read_side_file(&dir.path().join(name))).transpose()?.flatten();
    let ended = match exit.how {
        How::Exited { code } => HowEnded::Code(code),
        How::Signalled { signal } => HowEnded::Signal(signal),
        How::SpawnFailed(_) | How::NeverStarted | How::Unknown => HowEnded::Vanished,
    };
    let signalled_by_us = exit.ended_by != Ended::Itself;
    let end = End { ended, signalled_by_us, at: exit.ended_at, usage_file: usage_file.as_deref() };
    let reply = masked(reader.finish(&end), masker);
    let (class, detail) = classify(exit, &reply);
    Ok(AgentOutcome { class, detail, reply })
}

/// What was done to the process comes before what it said: a process that we stopped has no verdict of its own.
fn classify(exit: &ExitRecord, reply: &Reply) -> (OutcomeClass, String) {
    let span = |wall: std::time::Duration| Span(std::time::Duration::from_secs(wall.as_secs()));
    if matches!(exit.ended_by, Ended::WallLimit | Ended::IdleLimit)
        && let Some((class, why)) = refused_to_serve(reply)
    {
        return (class, format!("{why}, and the agent only waited; it was ended after {}", span(exit.wall)));
    }
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

/// An agent that waits for its provider, until our own limit ends it, has not hung: nobody served it.
fn refused_to_serve(reply: &Reply) -> Option<(OutcomeClass, &'static str)> {
    let waiting = reply.waiting.as_ref()?;
    match waiting.reason {
        WaitReason::RateLimit => Some((
            OutcomeClass::Limited { until: waiting.until },
            "the provider refused to serve for a limit",
        )),
        WaitReason::Overloaded => Some((OutcomeClass::Overloaded, "the provider was overloaded")),
        WaitReason::Retry => Some((OutcomeClass::Overloaded, "requests to the provider failed")),
    }
}

/// The reply without secrets. Of a reply that was cut the first line goes: half a secret cannot be recognised.
fn masked(mut reply: Reply, masker: &Masker) -> Reply {
    if reply.text.len() + MARGIN >= MAX_REPLY_BYTES
        && let Some(end) = reply.text.find('\n').filter(|end| *end <= MARGIN)
    {
        reply.text.drain(..=end);
    }
    reply.text = masker.mask(&reply.text);
    reply.detail = reply.detail.map(|detail| masker.mask(&detail));
    reply
}

/// A file that the agent was told to write. One that is not there is no error: the agent may have ended before it.
fn read_side_file(path: &Path) -> Result<Option<Vec<u8>>, AttemptError> {
    let failed = |source| AttemptError::File { action: "read", path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut content = Vec::new();
    file.take(MAX_SIDE_FILE_BYTES).read_to_end(&mut content).map_err(failed)?;
    Ok(Some(content))
}
