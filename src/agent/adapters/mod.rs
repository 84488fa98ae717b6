//! The agent CLIs, one file each: how it is started, and what its output means.

mod aider;
mod amp;
mod claude;
mod codex;
mod copilot;
mod cursor_agent;
mod gemini;
mod goose;
mod list;
mod messages;
mod opencode;
mod qwen;
#[cfg(test)]
mod tests;
mod text;
mod tool_call;

pub(super) use list::{KNOWN, adapter};
