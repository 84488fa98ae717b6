//! Which agent runs a prompt, and how each is started.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::Choice;
use crate::model::Actor;

/// The agents that need no `agent.commands` entry; `auto` is the first installed one.
pub const KNOWN_AGENTS: [&str; 12] = [
    "auto",
    "claude",
    "codex",
    "gemini",
    "opencode",
    "copilot",
    "qwen",
    "goose",
    "aider",
    "amp",
    "cursor-agent",
    "shell",
];

/// The output format of a command that has no stream format.
pub const TEXT_OUTPUT: &str = "text";

/// Agent choice, commands and options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentConfig {
    /// The agent where nothing else chooses one.
    pub default: String,
    /// The agent of a seat.
    pub roles: BTreeMap<Actor, String>,
    /// The agent of a prompt, by normalised name.
    pub prompts: BTreeMap<String, String>,
    /// Agents that are configured here, by name.
    pub commands: BTreeMap<String, CustomCommand>,
    /// Options of known agents, by name.
    pub options: BTreeMap<String, AgentOptions>,
    /// What `--agent-role` and `--agent-prompt`, or their environment names, gave; no file can.
    #[serde(skip_serializing_if = "AgentOverrides::is_empty")]
    pub overrides: AgentOverrides,
}

/// Choices of the command line and the environment, which win over `prompts` and `roles`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct AgentOverrides {
    /// The agent of a seat.
    pub roles: BTreeMap<Actor, String>,
    /// The agent of a prompt, by normalised name.
    pub prompts: BTreeMap<String, String>,
}

impl AgentOverrides {
    fn is_empty(&self) -> bool {
        self.roles.is_empty() && self.prompts.is_empty()
    }
}

impl AgentConfig {
    /// Who said what about agents, in the words of `agent`, which decides by them. Names of prompts were checked when
    /// the configuration was read.
    pub fn choice(&self) -> Choice {
        let by_prompt = |map: &BTreeMap<String, String>| {
            map.iter().filter_map(|(name, agent)| Some((name.parse().ok()?, agent.clone()))).collect()
        };
        Choice {
            flag_prompts: by_prompt(&self.overrides.prompts),
            flag_roles: self.overrides.roles.clone(),
            config_prompts: by_prompt(&self.prompts),
            config_roles: self.roles.clone(),
            default: self.default.clone(),
        }
    }
}

/// How a command is given its prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum PromptMode {
    /// On standard input.
    #[default]
    Stdin,
    /// As a file, whose path replaces `${prompt_file}` in the command.
    File,
    /// As the last argument.
    Argument,
}

/// Any other agent CLI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomCommand {
    /// The program and its arguments; `${prompt_file}`, `${workspace}` and `${attempt_dir}` are replaced.
    pub command: Vec<String>,
    /// How the prompt is handed over: `stdin`, `file` or `argument`.
    #[serde(default)]
    pub prompt: PromptMode,
    /// The format of its output: `text`, or the name of a known agent whose stream it writes.
    #[serde(default = "text_output")]
    pub output: String,
}

fn text_output() -> String {
    TEXT_OUTPUT.to_owned()
}

/// What a known agent may do unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Everything: nobody is there to be asked.
    #[default]
    Bypass,
    /// What the agent's own settings allow.
    Default,
}

/// Options of one known agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct AgentOptions {
    /// The executable, by path or by name; null to seek it in the usual places.
    pub binary: Option<PathBuf>,
    /// The model, in the agent's own spelling; null for the agent's default.
    pub model: Option<String>,
    /// Further arguments, after ours.
    pub args: Vec<String>,
    /// Further environment variables.
    pub env: BTreeMap<String, String>,
    /// `bypass`: it runs unattended and asks nothing; `default`: the agent's own settings decide.
    pub permission: Permission,
}
