//! Agent choices of the command line and the environment, which win over the files.

use std::str::FromStr;

use crate::model::Actor;

use super::agents::{AgentConfig, AgentOverrides};
use super::check::{prompt_name, refusal_of_agent};
use super::environment::AgentPair;
use super::legacy::seat_name;
use super::node::shortened;
use super::origin::Origin;
use super::problem::Problems;

/// The choices, with their places: dotted keys below `agent.overrides`.
#[derive(Debug, Default)]
pub(super) struct Choices {
    pub(super) overrides: AgentOverrides,
    pub(super) origins: Vec<(String, Origin)>,
    named: Vec<(String, Origin)>,
}

/// Reads the pairs; a later one wins.
pub(super) fn read_choices(roles: &[AgentPair], prompts: &[AgentPair], problems: &mut Problems) -> Choices {
    let mut choices = Choices::default();
    for AgentPair { left, right, origin } in roles {
        let Ok(actor) = Actor::from_str(seat_name(left)) else {
            let message = format!("`{}` is no role", shortened(left));
            problems.add(origin, message, Some("write `galph` or `ralph`".to_owned()));
            continue;
        };
        choices.overrides.roles.insert(actor, right.clone());
        choices.record(format!("agent.overrides.roles.{actor}"), right, origin);
    }
    for AgentPair { left, right, origin } in prompts {
        match prompt_name(left) {
            Ok(name) => {
                choices.record(format!("agent.overrides.prompts.{name}"), right, origin);
                choices.overrides.prompts.insert(name, right.clone());
            }
            Err(reason) => {
                let message = format!("`{}` is not a prompt name: {reason}", shortened(left));
                problems.add(origin, message, None);
            }
        }
    }
    choices
}

impl Choices {
    fn record(&mut self, key: String, agent: &str, origin: &Origin) {
        self.origins.retain(|(known, _)| *known != key);
        self.origins.push((key, origin.clone()));
        self.named.push((agent.to_owned(), origin.clone()));
    }

    /// Notes names that no agent has.
    pub(super) fn check(&self, agent: &AgentConfig, problems: &mut Problems) {
        for (name, origin) in &self.named {
            if let Some((message, help)) = refusal_of_agent(name, agent) {
                problems.add(origin, message, Some(help));
            }
        }
    }
}
