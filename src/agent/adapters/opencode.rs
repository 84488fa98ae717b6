//! opencode: started as below; its output is read as text.

use super::super::OutputFormat;
use super::super::known::{KnownAgent, PLAIN};
use super::super::reader::Adapter;
use super::text::Text;

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "opencode",
    // A title of our own saves the model call that would make one.
    head: &["run", "--title", "baton"],
    bypass: &["--auto"],
    env: &[("OPENCODE_DISABLE_AUTOUPDATE", "1")],
    output: OutputFormat::Opencode,
    verified: Some("1.18.33"),
    login: "run `opencode auth login`",
    ..PLAIN
};

/// The reader of its output.
pub(super) fn reader() -> Box<dyn Adapter> {
    Box::new(Text::new(AGENT.failure_marks))
}
