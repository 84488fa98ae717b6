//! The formats in which agents write their output.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::adapters::KNOWN;
use super::known::Reports;

/// How the captured output is read. Beside plain text, one format a known CLI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputFormat {
    /// Standard output is the reply, exit code 0 is success.
    #[default]
    Text,
    /// `claude -p --output-format stream-json --verbose`.
    Claude,
    /// `codex exec --json`.
    Codex,
    /// `gemini -o stream-json`.
    Gemini,
    /// `opencode run --format json`.
    Opencode,
    /// `copilot --output-format json`.
    Copilot,
    /// `qwen -o stream-json`.
    Qwen,
    /// `goose run --output-format stream-json`.
    Goose,
    /// `aider --no-pretty`: text with known lines.
    Aider,
    /// `amp -x --stream-json`.
    Amp,
    /// `cursor-agent -p --output-format stream-json`.
    CursorAgent,
}

impl OutputFormat {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Text,
        Self::Claude,
        Self::Codex,
        Self::Gemini,
        Self::Opencode,
        Self::Copilot,
        Self::Qwen,
        Self::Goose,
        Self::Aider,
        Self::Amp,
        Self::CursorAgent,
    ];

    /// The word in the configuration; for all but `text` the name of the CLI.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
            Self::Copilot => "copilot",
            Self::Qwen => "qwen",
            Self::Goose => "goose",
            Self::Aider => "aider",
            Self::Amp => "amp",
            Self::CursorAgent => "cursor-agent",
        }
    }

    /// What a stream of this format tells of the use. A static fact: a single run may tell less.
    pub fn reports(self) -> Reports {
        KNOWN.iter().find(|known| known.name == self.as_str()).map(|known| known.reports).unwrap_or_default()
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no output format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown output format `{}`: expected one of {}", .0.escape_debug(), listed())]
pub struct ParseOutputFormatError(pub String);

fn listed() -> String {
    OutputFormat::ALL.map(|format| format!("`{format}`")).join(", ")
}

impl FromStr for OutputFormat {
    type Err = ParseOutputFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| ParseOutputFormatError(text.to_owned()))
    }
}
