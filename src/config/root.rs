//! The whole configuration, resolved.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Actor;

use super::agents::AgentConfig;
use super::publishing::PublishConfig;
use super::routing::Router;
use super::sharing::{GitConfig, SyncConfig};
use super::surfaces::{Gate, Governance, Notify, ServeConfig};
use super::turns::{Budgets, Completion, Limits, NoProgress, TurnConfig, VerifyCommand, VerifyPolicy};

/// A seat's label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActorLabel {
    /// What people call the seat.
    pub label: String,
}

/// The labels of the two seats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Actors {
    /// The supervisor's seat.
    pub galph: ActorLabel,
    /// The engineer's seat.
    pub ralph: ActorLabel,
}

impl Actors {
    /// What people call this seat.
    pub fn label(&self, actor: Actor) -> &str {
        match actor {
            Actor::Galph => &self.galph.label,
            Actor::Ralph => &self.ralph.label,
        }
    }
}

/// Everything that `orchestration.yaml` and its neighbours decide.
///
/// Paths are relative to the workspace and stay inside it; prompt names are normalised (they end in `.md` and have
/// no leading `prompts/`); globs and regular expressions compile. Serialised, it has the shape of the file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Where prompts lie.
    pub prompts_dir: PathBuf,
    /// Galph's prompt.
    pub supervisor_prompt: String,
    /// Ralph's prompt.
    pub main_prompt: String,
    /// The reviewer's prompt.
    pub reviewer_prompt: String,
    /// The shared state.
    pub state_file: PathBuf,
    /// What galph leaves for ralph.
    pub input_file: PathBuf,
    /// Where logs lie.
    pub logs_dir: PathBuf,
    /// Where agents put what nobody keeps.
    pub tmp_dir: PathBuf,
    /// Labels of the seats.
    pub actors: Actors,
    /// Which prompt runs.
    pub router: Router,
    /// Which agent runs it.
    pub agent: AgentConfig,
    /// Limits of one agent run.
    pub turn: TurnConfig,
    /// Commands that prove the work.
    pub verify: Vec<VerifyCommand>,
    /// What a failed one does.
    pub verify_policy: VerifyPolicy,
    /// Whether they run before the agent too.
    pub verify_baseline: bool,
    /// Usage limits of providers.
    pub limits: Limits,
    /// Names of environment variables whose values are masked.
    pub redact: Vec<String>,
    /// Caps on what is spent.
    pub budget: Budgets,
    /// When the work is done.
    pub completion: Completion,
    /// When it leads nowhere.
    pub no_progress: NoProgress,
    /// What is committed.
    pub publish: PublishConfig,
    /// Git.
    pub git: GitConfig,
    /// The loop and the other machine.
    pub sync: SyncConfig,
    /// Where a person decides.
    pub gates: Vec<Gate>,
    /// Which actions need a person.
    pub governance: Governance,
    /// Who is told.
    pub notify: Notify,
    /// The server.
    pub serve: ServeConfig,
}

/// The prompts among which the router selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterPrompts<'a> {
    /// Galph's.
    pub supervisor: &'a str,
    /// Ralph's.
    pub main: &'a str,
    /// The reviewer's.
    pub reviewer: &'a str,
}

impl Config {
    /// The seat's own prompt while the router is off.
    pub fn own_prompt(&self, actor: Actor) -> &str {
        match actor {
            Actor::Galph => &self.supervisor_prompt,
            Actor::Ralph => &self.main_prompt,
        }
    }

    /// The prompts among which the router selects: its own where given, else the top-level ones.
    pub fn router_prompts(&self) -> RouterPrompts<'_> {
        let router = &self.router;
        RouterPrompts {
            supervisor: router.supervisor_prompt.as_deref().unwrap_or(&self.supervisor_prompt),
            main: router.main_prompt.as_deref().unwrap_or(&self.main_prompt),
            reviewer: router.reviewer_prompt.as_deref().unwrap_or(&self.reviewer_prompt),
        }
    }

    /// The prompts that the router may select: `router.allowlist`, or the router's three prompts where it is empty.
    pub fn allowed_prompts(&self) -> Vec<&str> {
        if self.router.allowlist.is_empty() {
            let prompts = self.router_prompts();
            vec![prompts.supervisor, prompts.main, prompts.reviewer]
        } else {
            self.router.allowlist.iter().map(String::as_str).collect()
        }
    }
}
