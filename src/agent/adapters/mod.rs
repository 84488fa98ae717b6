//! The agent CLIs, one file each: how it is started, and what its output means.

mod aider;
mod aider_report;
mod amp;
mod claude;
mod codex;
mod complaint;
mod copilot;
mod cursor_agent;
mod gemini;
mod goose;
mod last_words;
mod list;
mod messages;
mod opencode;
mod qwen;
mod refusals;
#[cfg(test)]
mod tests;
mod text;
mod tool_call;
mod wait_reason;

pub(super) use list::{KNOWN, adapter};
