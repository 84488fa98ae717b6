//! Codex: started as below; its output is read as text.

use super::super::OutputFormat;
use super::super::known::{KnownAgent, PLAIN};
use super::super::reader::Adapter;
use super::text::Text;

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "codex",
    head: &["exec", "--skip-git-repo-check", "-c", "check_for_update_on_startup=false"],
    bypass: &["--dangerously-bypass-approvals-and-sandbox"],
    tail: &["-"],
    output: OutputFormat::Codex,
    verified: Some("0.169.0"),
    login: "run `codex login`",
    ..PLAIN
};

/// The reader of its output.
pub(super) fn reader() -> Box<dyn Adapter> {
    Box::new(Text::new(AGENT.failure_marks))
}
