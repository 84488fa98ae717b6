//! Which agent takes a turn: flags before configuration, the prompt before the role before the default.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{Actor, PromptName};

use super::ChoiceError;

/// All that was said about agents, by the place where it was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// `--agent-prompt`.
    pub flag_prompts: BTreeMap<PromptName, String>,
    /// `--agent-role`.
    pub flag_roles: BTreeMap<Actor, String>,
    /// `agent.prompts`.
    pub config_prompts: BTreeMap<PromptName, String>,
    /// `agent.roles`.
    pub config_roles: BTreeMap<Actor, String>,
    /// `--agent`, or `agent.default`; `auto` where nothing is said.
    pub default: String,
}

/// The agent of a turn, and why it is that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The agent's name, or `auto`.
    pub name: String,
    /// What decided.
    pub because: Because,
}

/// What decided on an agent. Its text is how a person would write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// `--agent-prompt` names this prompt.
    FlagPrompt(PromptName),
    /// `--agent-role` names this seat.
    FlagRole(Actor),
    /// `agent.prompts` names this prompt.
    ConfigPrompt(PromptName),
    /// `agent.roles` names this seat.
    ConfigRole(Actor),
    /// `--agent`, or `agent.default`.
    Default,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FlagPrompt(prompt) => write!(f, "--agent-prompt {prompt}"),
            Self::FlagRole(actor) => write!(f, "--agent-role {actor}"),
            Self::ConfigPrompt(prompt) => write!(f, "agent.prompts.{prompt}"),
            Self::ConfigRole(actor) => write!(f, "agent.roles.{actor}"),
            Self::Default => f.write_str("--agent or agent.default"),
        }
    }
}

/// The agent that runs this prompt in this seat.
#[must_use]
pub fn decide_agent(choice: &Choice, actor: Actor, prompt: &PromptName) -> Chosen {
    let candidates = [
        (choice.flag_prompts.get(prompt), Because::FlagPrompt(prompt.clone())),
        (choice.flag_roles.get(&actor), Because::FlagRole(actor)),
        (choice.config_prompts.get(prompt), Because::ConfigPrompt(prompt.clone())),
        (choice.config_roles.get(&actor), Because::ConfigRole(actor)),
    ];
    candidates
        .into_iter()
        .find_map(|(name, because)| name.map(|name| Chosen { name: name.clone(), because }))
        .unwrap_or_else(|| Chosen { name: choice.default.clone(), because: Because::Default })
}

/// A seat by its name or by an alias that people use for it.
pub fn parse_role(text: &str) -> Result<Actor, ChoiceError> {
    match text.trim().to_ascii_lowercase().as_str() {
        "galph" | "supervisor" => Ok(Actor::Galph),
        "ralph" | "loop" | "engineer" => Ok(Actor::Ralph),
        _ => Err(ChoiceError::UnknownRole(text.trim().to_owned())),
    }
}

/// Reads `--agent-role`: `role=agent`, several separated by commas. Blank text is an empty list.
pub fn parse_role_agents(text: &str) -> Result<BTreeMap<Actor, String>, ChoiceError> {
    parse_pairs(text, "ROLE=AGENT", parse_role)
}

/// Reads `--agent-prompt`: `prompt=agent`, several separated by commas. Blank text is an empty list.
pub fn parse_prompt_agents(text: &str) -> Result<BTreeMap<PromptName, String>, ChoiceError> {
    parse_pairs(text, "PROMPT=AGENT", |key| Ok(key.parse()?))
}

fn parse_pairs<K: Ord + fmt::Display>(
    text: &str,
    form: &'static str,
    parse_key: impl Fn(&str) -> Result<K, ChoiceError>,
) -> Result<BTreeMap<K, String>, ChoiceError> {
    let mut pairs = BTreeMap::new();
    if text.trim().is_empty() {
        return Ok(pairs);
    }
    for entry in text.split(',') {
        // The last `=`: a prompt's file may have one in its name, an agent's name has none.
        let (key, agent) = entry
            .rsplit_once('=')
            .map(|(key, agent)| (key.trim(), agent.trim()))
            .filter(|(key, agent)| !key.is_empty() && !agent.is_empty())
            .ok_or_else(|| ChoiceError::NotAPair { entry: entry.trim().to_owned(), form })?;
        let key = parse_key(key)?;
        let shown = key.to_string();
        if let Some(first) = pairs.insert(key, agent.to_owned()) {
            return Err(ChoiceError::Twice { key: shown, first, second: agent.to_owned() });
        }
    }
    Ok(pairs)
}
