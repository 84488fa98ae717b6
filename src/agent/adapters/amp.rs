//! Amp, by its documentation: it writes Claude Code's stream. Not measured, since it works with its own service only.

use super::super::OutputFormat;
use super::super::known::{KnownAgent, ModelBy, PLAIN, Reports};
use super::messages::{Messages, PLAIN_DIALECT};

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "amp",
    head: &["-x", "--stream-json"],
    bypass: &["--dangerously-allow-all"],
    // It chooses its models itself; a mode comes nearest.
    model: ModelBy::Flag("--mode"),
    output: OutputFormat::Amp,
    reports: Reports { tokens: true, cost: false },
    login: "run `amp login`, or set `AMP_API_KEY`",
    ..PLAIN
};

/// The reader of its output.
pub(super) fn reader() -> Messages {
    Messages::new(PLAIN_DIALECT)
}
