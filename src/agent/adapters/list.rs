//! All of them: the registry's table, and which reader reads which format.

use super::super::OutputFormat;
use super::super::known::KnownAgent;
use super::super::reader::Adapter;
use super::{aider, amp, claude, codex, copilot, cursor_agent, gemini, goose, opencode, qwen, text};

/// In the order in which `auto` looks for them.
pub(in super::super) const KNOWN: [KnownAgent; 10] = [
    claude::AGENT,
    codex::AGENT,
    gemini::AGENT,
    opencode::AGENT,
    copilot::AGENT,
    qwen::AGENT,
    goose::AGENT,
    aider::AGENT,
    amp::AGENT,
    cursor_agent::AGENT,
];

/// The reader of a format.
pub(in super::super) fn adapter(format: OutputFormat) -> Box<dyn Adapter> {
    match format {
        OutputFormat::Text => Box::new(text::Text),
        OutputFormat::Claude => Box::new(claude::reader()),
        OutputFormat::Codex => codex::reader(),
        OutputFormat::Gemini => Box::new(gemini::reader()),
        OutputFormat::Opencode => opencode::reader(),
        OutputFormat::Copilot => copilot::reader(),
        OutputFormat::Qwen => Box::new(qwen::reader()),
        OutputFormat::Goose => goose::reader(),
        OutputFormat::Aider => aider::reader(),
        OutputFormat::Amp => Box::new(amp::reader()),
        OutputFormat::CursorAgent => Box::new(cursor_agent::reader()),
    }
}
