//! Claude Code. It reports its end, its usage and its cost, and says when it waits for the provider.

use super::super::known::{KnownAgent, PLAIN, Reports};
use super::super::{OutputFormat, SessionArgs};
use super::messages::{Messages, PLAIN_DIALECT};

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "claude",
    // The package's own program is replaced by one of these after an installation that may run scripts.
    native: &[
        "@anthropic-ai/claude-code-linux-x64/claude",
        "@anthropic-ai/claude-code-linux-arm64/claude",
        "@anthropic-ai/claude-code-linux-x64-musl/claude",
        "@anthropic-ai/claude-code-linux-arm64-musl/claude",
        "@anthropic-ai/claude-code-darwin-arm64/claude",
        "@anthropic-ai/claude-code-darwin-x64/claude",
    ],
    head: &["-p", "--output-format", "stream-json", "--verbose"],
    bypass: &["--dangerously-skip-permissions"],
    session: SessionArgs { fresh: &["--session-id", "${session}"], resume: &["--resume", "${session}"] },
    env: &[
        // Tried again with growing waits, 37 s in all: over a hiccup the work of a turn is kept, and a key that is
        // refused does not hold it for the three minutes of its own ten tries.
        ("CLAUDE_CODE_MAX_RETRIES", "6"),
        ("DISABLE_AUTOUPDATER", "1"),
        ("DISABLE_ERROR_REPORTING", "1"),
        ("DISABLE_TELEMETRY", "1"),
    ],
    output: OutputFormat::Claude,
    reports: Reports { tokens: true, cost: true },
    verified: Some("2.1.197"),
    login: "run `claude` and `/login`, or set `ANTHROPIC_API_KEY`",
    ..PLAIN
};

/// The reader of its output.
pub(super) fn reader() -> Messages {
    Messages::new(PLAIN_DIALECT)
}
