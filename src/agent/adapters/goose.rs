//! goose: started as below; its output is read as text.

use super::super::OutputFormat;
use super::super::known::{KnownAgent, ModelBy, PLAIN};
use super::super::reader::Adapter;
use super::text::Text;

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "goose",
    head: &["run", "-q", "--with-builtin", "developer"],
    bypass_env: &[("GOOSE_MODE", "auto")],
    model: ModelBy::Variable("GOOSE_MODEL"),
    tail: &["-i", "-"],
    failure_marks: &["Ran into this error: "],
    output: OutputFormat::Goose,
    verified: Some("1.34.0"),
    login: "run `goose configure`",
    ..PLAIN
};

/// The reader of its output.
pub(super) fn reader() -> Box<dyn Adapter> {
    Box::new(Text::new(AGENT.failure_marks))
}
