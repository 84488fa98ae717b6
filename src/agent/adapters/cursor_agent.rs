//! cursor_agent
use super::super::known::{KnownAgent, PLAIN};
use super::text::Text;

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent { name: "cursor-agent", ..PLAIN };

/// The reader of its output.
pub(super) const fn reader() -> Text {
    Text::new(&[])
}
