//! Environment variables and flags as a layer.
//!
//! The names are those of the earlier scripts. A few belong to one seat's script and apply when this process plays
//! that seat. An empty variable counts as unset, as it did there.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::model::Actor;

use super::node::{Node, Value};
use super::origin::{Notice, Origin};
use super::overrides::{GivenPair, OverrideValue, Overrides, split_commas};
use super::problem::Problems;

/// An environment variable that gives a key its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvironmentName {
    /// The variable.
    pub name: &'static str,
    /// The dotted key.
    pub key: &'static str,
    reading: Reading,
    applies: Applies,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Text,
    Count,
    List,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Applies {
    Always,
    /// This process plays both seats.
    Both,
    /// This process plays this seat alone.
    Alone(Actor),
    /// This process plays this seat, alone or not.
    Plays(Actor),
}

impl Applies {
    fn holds(self, seat: Option<Actor>) -> bool {
        match self {
            Self::Always => true,
            Self::Both => seat.is_none(),
            Self::Alone(actor) => seat == Some(actor),
            Self::Plays(actor) => seat.is_none_or(|seat| seat == actor),
        }
    }
}

const fn row(name: &'static str, key: &'static str, reading: Reading, applies: Applies) -> EnvironmentName {
    EnvironmentName { name, key, reading, applies }
}

use Applies::{Alone, Always, Both, Plays};
use Reading::{Count, List, Text};

impl EnvironmentName {
    /// All of them; where two give one key, the later one wins.
    pub const ALL: [Self; 34] = [
        row("STATE_FILE", "state_file", Text, Always),
        row("SUPERVISOR_PROMPT", "supervisor_prompt", Text, Always),
        row("LOOP_PROMPT", "main_prompt", Text, Always),
        row("REVIEWER_PROMPT", "reviewer_prompt", Text, Always),
        row("SYNC_LOOPS", "sync.loops", Count, Always),
        row("POLL_INTERVAL", "sync.poll_interval", Text, Always),
        row("MAX_WAIT_SEC", "sync.max_wait", Text, Always),
        row("ROUTER_PROMPT", "router.prompt", Text, Always),
        row("ROUTER_MODE", "router.mode", Text, Always),
        row("ROUTER_REVIEW_EVERY_N", "router.review_every_n", Count, Always),
        row("ROUTER_ALLOWLIST", "router.allowlist", List, Always),
        row("ROUTER_PROMPT_SUPERVISOR", "router.supervisor_prompt", Text, Always),
        row("ROUTER_PROMPT_MAIN", "router.main_prompt", Text, Always),
        row("ROUTER_PROMPT_REVIEWER", "router.reviewer_prompt", Text, Always),
        row("ORCHESTRATOR_AGENT", "agent.default", Text, Always),
        row("SUPERVISOR_AGENT", "agent.default", Text, Alone(Actor::Galph)),
        row("LOOP_AGENT", "agent.default", Text, Alone(Actor::Ralph)),
        row("SUPERVISOR_AGENT", "agent.roles.galph", Text, Both),
        row("LOOP_AGENT", "agent.roles.ralph", Text, Both),
        row("CLAUDE_CMD", "agent.options.claude.binary", Text, Always),
        row("CODEX_CMD", "agent.options.codex.binary", Text, Always),
        row("MAX_AUTOCOMMIT_BYTES", "publish.docs.max_file", Text, Always),
        row("REPORT_EXTENSIONS", "publish.reports.extensions", List, Plays(Actor::Ralph)),
        row("REPORT_PATH_GLOBS", "publish.reports.globs", List, Plays(Actor::Ralph)),
        row("MAX_REPORT_FILE_BYTES", "publish.reports.max_file", Text, Plays(Actor::Ralph)),
        row("MAX_REPORT_TOTAL_BYTES", "publish.reports.max_total", Text, Plays(Actor::Ralph)),
        row("SUPERVISOR_REPORT_EXTENSIONS", "publish.reports.extensions", List, Alone(Actor::Galph)),
        row("SUPERVISOR_REPORT_PATH_GLOBS", "publish.reports.globs", List, Alone(Actor::Galph)),
        row("SUPERVISOR_MAX_REPORT_FILE_BYTES", "publish.reports.max_file", Text, Alone(Actor::Galph)),
        row("SUPERVISOR_MAX_REPORT_TOTAL_BYTES", "publish.reports.max_total", Text, Alone(Actor::Galph)),
        row("SUPERVISOR_TRACKED_OUTPUT_GLOBS", "publish.tracked_outputs.globs", List, Plays(Actor::Galph)),
        row(
            "SUPERVISOR_TRACKED_OUTPUT_EXTENSIONS",
            "publish.tracked_outputs.extensions",
            List,
            Plays(Actor::Galph),
        ),
        row(
            "SUPERVISOR_MAX_TRACKED_OUTPUT_FILE_BYTES",
            "publish.tracked_outputs.max_file",
            Text,
            Plays(Actor::Galph),
        ),
        row(
            "SUPERVISOR_MAX_TRACKED_OUTPUT_TOTAL_BYTES",
            "publish.tracked_outputs.max_total",
            Text,
            Plays(Actor::Galph),
        ),
    ];
}

/// Whether an environment variable of this name has a say in the configuration.
pub fn is_configuration_name(name: &OsStr) -> bool {
    let rows = EnvironmentName::ALL.iter().map(|row| row.name);
    let pairs = AGENT_ROLE_NAMES.iter().chain(&AGENT_PROMPT_NAMES).map(|(name, _)| *name);
    rows.chain(pairs).any(|known| name == known)
}

/// Names of pair lists, a seat's own after the common one since it wins, with the seat whose script read them.
const AGENT_ROLE_NAMES: [(&str, Option<Actor>); 3] = [
    ("ORCHESTRATOR_AGENT_ROLE", None),
    ("SUPERVISOR_AGENT_ROLE", Some(Actor::Galph)),
    ("LOOP_AGENT_ROLE", Some(Actor::Ralph)),
];
const AGENT_PROMPT_NAMES: [(&str, Option<Actor>); 3] = [
    ("ORCHESTRATOR_AGENT_PROMPT", None),
    ("SUPERVISOR_AGENT_PROMPT", Some(Actor::Galph)),
    ("LOOP_AGENT_PROMPT", Some(Actor::Ralph)),
];

/// An agent choice that wins over the files, with its place: a role or a prompt, and an agent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AgentPair {
    pub(super) left: String,
    pub(super) right: String,
    pub(super) origin: Origin,
}

/// What the environment and the command line give.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Dotted keys with their values, in rising order.
    pub(super) values: Vec<(String, Node)>,
    /// `--agent-role` and its environment names, in rising order.
    pub(super) agent_roles: Vec<AgentPair>,
    /// `--agent-prompt` and its environment names, in rising order.
    pub(super) agent_prompts: Vec<AgentPair>,
}

/// Reads the environment, then the flags over it.
pub(super) fn read_given(
    env: &BTreeMap<OsString, OsString>,
    flags: &Overrides,
    seat: Option<Actor>,
    problems: &mut Problems,
    notices: &mut Vec<Notice>,
) -> Given {
    let mut given = Given::default();
    for row in EnvironmentName::ALL {
        let Some(text) = variable(env, row.name, problems) else { continue };
        let origin = Origin::environment(row.name);
        if row.applies.holds(seat) {
            given.values.push((row.key.to_owned(), read_variable(text, row.reading, &origin)));
        } else if seat.is_none() && !applies_somewhere(row.name, seat) {
            let message = "has no effect when one process plays both seats".to_owned();
            notices.push(Notice { origin, message });
        }
    }
    given.agent_roles = pairs_of(env, &AGENT_ROLE_NAMES, "role", seat, problems);
    if seat.is_none() {
        given.agent_roles.retain(speaks_for_its_seat);
    }
    given.agent_prompts = pairs_of(env, &AGENT_PROMPT_NAMES, "prompt", seat, problems);
    read_flags(flags, &mut given);
    given
}

fn applies_somewhere(name: &str, seat: Option<Actor>) -> bool {
    EnvironmentName::ALL.iter().any(|row| row.name == name && row.applies.holds(seat))
}

/// Where one process plays both seats, the name of one seat's script speaks for that seat only.
fn speaks_for_its_seat(pair: &AgentPair) -> bool {
    let Origin::Environment(name) = &pair.origin else { return true };
    let owner = AGENT_ROLE_NAMES.iter().find(|(known, _)| **known == **name).and_then(|(_, owner)| *owner);
    owner.is_none_or(|owner| super::legacy::seat_name(&pair.left) == owner.as_str())
}

fn variable<'e>(
    env: &'e BTreeMap<OsString, OsString>,
    name: &str,
    problems: &mut Problems,
) -> Option<&'e str> {
    let value = env.get(OsStr::new(name)).filter(|value| !value.is_empty())?;
    let text = value.to_str();
    if text.is_none() {
        let help = format!("unset it, or set it with `export {name}=...` in UTF-8");
        problems.add(&Origin::environment(name), "is not UTF-8", Some(help));
    }
    text
}

fn read_variable(text: &str, reading: Reading, origin: &Origin) -> Node {
    let value = match reading {
        Text => Value::Text(text.to_owned()),
        // What is no number is refused by its type, with this place.
        Count => text.trim().parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Unsigned),
        List => Value::List(split_list(text).map(|item| text_node(item, origin)).collect()),
    };
    Node::new(value, origin.clone())
}

fn split_list(text: &str) -> impl Iterator<Item = &str> {
    split_commas(text).into_iter()
}

fn text_node(text: &str, origin: &Origin) -> Node {
    Node::new(Value::Text(text.to_owned()), origin.clone())
}

fn pairs_of(
    env: &BTreeMap<OsString, OsString>,
    names: &[(&str, Option<Actor>)],
    left: &str,
    seat: Option<Actor>,
    problems: &mut Problems,
) -> Vec<AgentPair> {
    let mut pairs = Vec::new();
    for (name, owner) in names {
        if !owner.is_none_or(|owner| Plays(owner).holds(seat)) {
            continue;
        }
        let Some(text) = variable(env, name, problems) else { continue };
        let origin = Origin::environment(name);
        for item in split_list(text) {
            match item.split_once('=') {
                Some((key, agent)) => pairs.push(AgentPair {
                    left: key.trim().to_owned(),
                    right: agent.trim().to_owned(),
                    origin: origin.clone(),
                }),
                None => problems.add(
                    &origin,
                    format!("`{item}` is not `{left}=agent`"),
                    Some(format!("write `{left}=agent`, with commas between several")),
                ),
            }
        }
    }
    pairs
}

fn read_flags(flags: &Overrides, given: &mut Given) {
    let Overrides { values, agent_roles, agent_prompts } = flags;
    for value in values {
        let origin = Origin::flag(&value.flag);
        let node = match &value.value {
            OverrideValue::Text(text) => text_node(text, &origin),
            OverrideValue::Count(count) => Node::new(Value::Unsigned(*count), origin.clone()),
            OverrideValue::Switch(switch) => Node::new(Value::Switch(*switch), origin.clone()),
            OverrideValue::List(items) => {
                let items = items.iter().map(|item| text_node(item, &origin)).collect();
                Node::new(Value::List(items), origin.clone())
            }
        };
        given.values.push((value.key.clone(), node));
    }
    given.agent_roles.extend(agent_roles.iter().map(flag_pair));
    given.agent_prompts.extend(agent_prompts.iter().map(flag_pair));
}

fn flag_pair(pair: &GivenPair) -> AgentPair {
    AgentPair { left: pair.left.clone(), right: pair.right.clone(), origin: Origin::flag(&pair.flag) }
}
