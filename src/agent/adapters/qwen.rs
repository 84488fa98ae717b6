//! Qwen Code. It writes Claude Code's stream, but calls errors of the provider a success, and counts its whole session.

use super::super::known::{KnownAgent, PLAIN, Reports};
use super::super::{OutputFormat, SessionArgs};
use super::messages::{Dialect, Messages};

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "qwen",
    head: &["-o", "stream-json"],
    bypass: &["--yolo"],
    session: SessionArgs { fresh: &["--session-id", "${session}"], resume: &["--resume", "${session}"] },
    // Otherwise the process that is started is the parent of the one that works, and a signal leaves that one alive.
    env: &[("QWEN_CODE_NO_RELAUNCH", "true")],
    output: OutputFormat::Qwen,
    reports: Reports { tokens: true, cost: false },
    verified: Some("0.15.10"),
    login: "run `qwen` and `/auth`, or set `OPENAI_API_KEY`",
    ..PLAIN
};

/// The reader of its output.
pub(super) fn reader() -> Messages {
    Messages::new(Dialect { cached_apart: false, counts_session: true, error_mark: Some("[API Error: ") })
}
