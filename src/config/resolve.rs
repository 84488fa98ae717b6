//! From the merged tree to a configuration that means something.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::Actor;

use super::agents::{AgentConfig, AgentOptions, AgentOverrides, CustomCommand};
use super::check::{Checker, likeness, nearest};
use super::decode::{DecodeError, Misfit, decode};
use super::layers::list_origins;
use super::node::{Node, NodePath};
use super::problem::Problems;
use super::publishing::PublishConfig;
use super::root::{Actors, Config};
use super::routing::Router;
use super::sharing::{GitConfig, SyncConfig};
use super::surfaces::{Gate, Governance, Notify, ServeConfig};
use super::turns::{Budgets, Completion, Limits, NoProgress, TurnConfig, VerifyCommand, VerifyPolicy};

/// orchestration.yaml
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "orchestration.yaml",
    description = "How two coding agents take turns in this repository."
)]
pub(super) struct RawConfig {
    /// Where prompts lie.
    prompts_dir: String,
    /// Galph's prompt, below `prompts_dir`.
    supervisor_prompt: String,
    /// Ralph's prompt, below `prompts_dir`.
    main_prompt: String,
    /// The reviewer's prompt, below `prompts_dir`.
    reviewer_prompt: String,
    /// The shared state.
    state_file: String,
    /// What galph leaves for ralph.
    input_file: String,
    /// Where logs lie.
    logs_dir: String,
    /// Where agents put what nobody keeps.
    tmp_dir: String,
    /// Labels of the two seats.
    actors: Actors,
    /// Which prompt runs.
    router: Router,
    /// Which agent runs it.
    agent: RawAgent,
    /// Limits of one agent run.
    turn: TurnConfig,
    /// Commands that prove the work, run after ralph's agent.
    verify: Vec<VerifyCommand>,
    /// What a failed one does: `note` for galph to read, or `fail` the turn.
    verify_policy: VerifyPolicy,
    /// Whether they run before the agent too, so that old failures are told from new.
    verify_baseline: bool,
    /// Usage limits of providers.
    limits: Limits,
    /// Names of environment variables whose values are masked, besides the known patterns.
    redact: Vec<String>,
    /// Caps on what is spent.
    budget: Budgets,
    /// When the work is done.
    completion: Completion,
    /// When it leads nowhere.
    no_progress: NoProgress,
    /// What of a turn's changes is committed.
    publish: PublishConfig,
    /// Git.
    git: GitConfig,
    /// The loop, and waiting for the other seat.
    sync: SyncConfig,
    /// Points at which a person decides whether the loop goes on.
    gates: Vec<Gate>,
    /// Which actions need a person.
    governance: Governance,
    /// Who is told about events.
    notify: Notify,
    /// The dashboard and the API.
    serve: ServeConfig,
}

/// Agent choice, commands and options.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AgentConfig")]
struct RawAgent {
    /// The agent where nothing else chooses one; `auto` is the first installed.
    default: String,
    /// The agent of a seat: `galph` or `supervisor`, `ralph` or `loop`.
    #[schemars(with = "BTreeMap<String, String>")]
    roles: BTreeMap<Actor, String>,
    /// The agent of a prompt, by prompt name.
    prompts: BTreeMap<String, String>,
    /// Any other agent CLI, by a name of your own.
    commands: BTreeMap<String, CustomCommand>,
    /// Options of known agents, by name.
    options: BTreeMap<String, AgentOptions>,
}

/// The most problems that are looked for.
const MOST_PROBLEMS: usize = 50;

/// Decodes a tree; what does not fit is noted and put back to its built-in value, so that all is found at once.
pub(super) fn decode_all(tree: &mut Node, built_in: &Node, problems: &mut Problems) -> Option<RawConfig> {
    for _ in 0..MOST_PROBLEMS {
        match decode(tree) {
            Ok(raw) if problems.is_empty() => return Some(raw),
            Ok(_) => {
                tree.empty_refused_lists();
                return decode(tree).ok();
            }
            Err(error) => {
                let origin = error.origin.clone().unwrap_or_else(|| tree.origin.clone());
                problems.add(&origin, error.to_string(), remedy(&error, built_in));
                if !repair(tree, built_in, &error) {
                    return None;
                }
            }
        }
    }
    None
}

fn repair(tree: &mut Node, built_in: &Node, error: &DecodeError) -> bool {
    let path = error.path();
    if matches!(error.kind, Misfit::UnknownKey { .. }) {
        return tree.remove_at(&path);
    }
    if tree.refuse_item(&path) {
        return true;
    }
    match (built_in.at(&path), tree.at_mut(&path)) {
        (Some(default), Some(node)) if node != default => {
            *node = default.clone();
            true
        }
        (Some(_), _) => false,
        (None, _) => tree.remove_at(&path),
    }
}

fn remedy(error: &DecodeError, built_in: &Node) -> Option<String> {
    match &error.kind {
        Misfit::UnknownKey { key, known } => suggest_key(key, known, built_in),
        Misfit::UnknownWord { word, known } => {
            nearest(word, known.iter().copied()).map(|near| format!("did you mean `{near}`?"))
        }
        Misfit::WrongType { expected, found } if expected == "`true` or `false`" => {
            match found.trim_matches('`').to_lowercase().as_str() {
                "yes" | "on" | "y" | "1" => Some("write `true`".to_owned()),
                "no" | "off" | "n" | "0" => Some("write `false`".to_owned()),
                _ => None,
            }
        }
        Misfit::WrongType { expected, found } if expected == "text" && found.starts_with('`') => {
            Some(format!("quote it: \"{}\"", found.trim_matches('`')))
        }
        Misfit::WrongType { expected, found } if expected == "a list" && found.starts_with('`') => {
            Some(format!("write [{}]", found.trim_matches('`')))
        }
        Misfit::Refused(_) if error.path() == NodePath::dotted("serve.address") => {
            Some("write an address and a port, such as `127.0.0.1:7878`".to_owned())
        }
        Misfit::WrongType { .. } | Misfit::MissingKey(_) | Misfit::Refused(_) => None,
    }
}

/// The known key that was meant: one of the same section, or one of another section that is liker.
fn suggest_key(key: &str, known: &[&'static str], built_in: &Node) -> Option<String> {
    let here = nearest(key, known.iter().copied());
    let all = list_origins(built_in);
    let elsewhere = all
        .iter()
        .map(|(dotted, _)| (likeness(key, dotted.rsplit('.').next().unwrap_or(dotted)), dotted.as_str()))
        .filter(|(liked, dotted)| {
            *liked > here.map_or(0.9, |here| likeness(key, here)) && dotted.contains('.')
        })
        .collect::<Vec<_>>();
    let best = elsewhere.iter().map(|(liked, _)| *liked).fold(0.0, f64::max);
    let mut liked_best = elsewhere.iter().filter(|(liked, _)| *liked >= best).map(|(_, dotted)| *dotted);
    // A name that several sections have (`enabled`) suggests none of them.
    let elsewhere = liked_best.next().filter(|_| liked_best.next().is_none());
    if let Some(meant) = elsewhere.or(here) {
        return Some(format!("did you mean `{meant}`?"));
    }
    let listed: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    (listed.len() <= 12).then(|| format!("known here: {}", listed.join(", ")))
}

/// Resolves what was decoded; the checker notes what means nothing.
pub(super) fn resolve(raw: RawConfig, overrides: AgentOverrides, checker: &mut Checker<'_>) -> Config {
    let RawConfig {
        prompts_dir,
        supervisor_prompt,
        main_prompt,
        reviewer_prompt,
        state_file,
        input_file,
        logs_dir,
        tmp_dir,
        actors,
        router,
        agent: RawAgent { default, roles, prompts, commands, options },
        turn,
        verify,
        verify_policy,
        verify_baseline,
        limits,
        redact,
        budget,
        completion,
        no_progress,
        publish,
        git,
        sync,
        gates,
        governance,
        notify,
        serve,
    } = raw;
    let mut config = Config {
        prompts_dir: PathBuf::from(prompts_dir),
        supervisor_prompt,
        main_prompt,
        reviewer_prompt,
        state_file: PathBuf::from(state_file),
        input_file: PathBuf::from(input_file),
        logs_dir: PathBuf::from(logs_dir),
        tmp_dir: PathBuf::from(tmp_dir),
        actors,
        router,
        agent: AgentConfig { default, roles, prompts, commands, options, overrides },
        turn,
        verify,
        verify_policy,
        verify_baseline,
        limits,
        redact,
        budget,
        completion,
        no_progress,
        publish,
        git,
        sync,
        gates,
        governance,
        notify,
        serve,
    };
    checker.check(&mut config);
    config
}
