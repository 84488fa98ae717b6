//! GitHub Copilot CLI: started as below; its output is read as text.

use super::super::OutputFormat;
use super::super::known::{KnownAgent, PLAIN};
use super::super::reader::Adapter;
use super::text::Text;

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "copilot",
    head: &["--no-ask-user"],
    bypass: &["--allow-all"],
    env: &[("COPILOT_AUTO_UPDATE", "false")],
    output: OutputFormat::Copilot,
    verified: Some("1.0.102"),
    login: "run `copilot` and `/login`, or set `GH_TOKEN`",
    ..PLAIN
};

/// The reader of its output.
pub(super) fn reader() -> Box<dyn Adapter> {
    Box::new(Text::new(AGENT.failure_marks))
}
