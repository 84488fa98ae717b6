//! Values of the command line.

use crate::model::Actor;

/// A value as a flag gives it; texts are read like the file's (`2h`, `5MiB`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverrideValue {
    /// Text, a duration, a size, a word.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A switch.
    Switch(bool),
    /// A list of texts.
    List(Vec<String>),
}

impl From<&str> for OverrideValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for OverrideValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for OverrideValue {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<bool> for OverrideValue {
    fn from(switch: bool) -> Self {
        Self::Switch(switch)
    }
}

impl From<Vec<String>> for OverrideValue {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

/// What the command line gives, each with the flag's name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    pub(super) values: Vec<GivenValue>,
    pub(super) agent_roles: Vec<GivenPair>,
    pub(super) agent_prompts: Vec<GivenPair>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GivenValue {
    pub(super) key: String,
    pub(super) value: OverrideValue,
    pub(super) flag: String,
}

/// `left=right`, with the flag it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GivenPair {
    pub(super) left: String,
    pub(super) right: String,
    pub(super) flag: String,
}

impl Overrides {
    /// Gives a dotted key of the file a value; a later one wins. `flag` has its dashes.
    pub fn set(&mut self, key: &str, value: impl Into<OverrideValue>, flag: &str) {
        self.values.push(GivenValue { key: key.to_owned(), value: value.into(), flag: flag.to_owned() });
    }

    /// `--agent-role ROLE=AGENT`: wins over `agent.prompts` and `agent.roles`. The role is read as in the file.
    pub fn set_agent_role(&mut self, role: &str, agent: &str, flag: &str) {
        self.agent_roles.push(GivenPair::new(role, agent, flag));
    }

    /// As [`Overrides::set_agent_role`], for a seat that is known.
    pub fn set_agent_of(&mut self, actor: Actor, agent: &str, flag: &str) {
        self.set_agent_role(actor.as_str(), agent, flag);
    }

    /// `--agent-prompt PROMPT=AGENT`: wins over all other choices. The prompt is normalised.
    pub fn set_agent_prompt(&mut self, prompt: &str, agent: &str, flag: &str) {
        self.agent_prompts.push(GivenPair::new(prompt, agent, flag));
    }
}

impl GivenPair {
    fn new(left: &str, right: &str, flag: &str) -> Self {
        Self { left: left.to_owned(), right: right.to_owned(), flag: flag.to_owned() }
    }
}

/// The items between the commas; a comma in braces belongs to its glob (`*.{png,jpg}`).
pub fn split_commas(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let items = text.split(|character| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    items.map(str::trim).filter(|item| !item.is_empty()).collect()
}
