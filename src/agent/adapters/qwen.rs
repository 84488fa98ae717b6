//! Qwen Code. It writes Claude Code's stream, but calls errors of the provider a success, and counts its whole session.

use super::super::known::{KnownAgent, PLAIN, Reports};
use super::super::{OutputFormat, SessionArgs, WaitReason, Waiting};
use super::messages::{Dialect, Messages};

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "qwen",
    head: &["-o", "stream-json"],
    bypass: &["--yolo"],
    session: SessionArgs { fresh: &["--session-id", "${session}"], resume: &["--resume", "${session}"] },
    // Otherwise the process that is started is the parent of the one that works, and a signal leaves that one alive.
    env: &[
        ("QWEN_CODE_NO_RELAUNCH", "true"),
        // A line for each request, without which nothing tells that it waits for the provider.
        ("OPENAI_LOG", "info"),
    ],
    output: OutputFormat::Qwen,
    reports: Reports { tokens: true, cost: false },
    verified: Some("0.15.10"),
    login: "run `qwen` and `/auth`, or set `OPENAI_API_KEY`",
    ..PLAIN
};

const ERROR_MARK: &str = "[API Error: ";
/// In the line about a request that was refused; the status follows.
const REFUSED_MARK: &str = " failed with status ";

/// The reader of its output.
pub(super) fn reader() -> Messages {
    Messages::new(Dialect { cached_apart: false, counts_session: true, error_in, wait_in })
}

/// An error of the provider that stands in a reply: all of it, its last paragraph, or what follows the words before the
/// connection broke. Those last ones no count of tokens has reached.
fn error_in(reply: &str, is_uncounted: bool) -> Option<&str> {
    let at = reply.rfind(ERROR_MARK)?;
    let is_apart = at == 0 || reply[..at].ends_with('\n');
    let is_end = is_uncounted && reply.ends_with(']');
    (is_apart || is_end).then(|| reply[at + ERROR_MARK.len()..].trim().trim_end_matches(']'))
}

/// `[log_425495] post http://.../chat/completions failed with status 429 in 4ms - retrying, 3 attempts remaining`. After the
/// last of these tries it may begin anew, for as long as the provider asked for.
fn wait_in(line: &str) -> Option<Waiting> {
    let (_, rest) = line.strip_prefix("[log_")?.split_once(REFUSED_MARK)?;
    let reason = match rest.get(..3)?.parse().ok()? {
        429 => WaitReason::RateLimit,
        503 | 529 => WaitReason::Overloaded,
        500..=599 => WaitReason::Retry,
        _ => return None,
    };
    Some(Waiting { reason, attempt: None, of: None, until: None })
}
