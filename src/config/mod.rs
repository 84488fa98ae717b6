//! `orchestration.yaml`: read, layered, checked, resolved, with the origin of every value.
//!
//! Four layers lie over the built-in `default.yaml`: the user's file, the project's file, the environment and
//! the command line. They are merged as a tree in which every value knows its place ([`Origin`]), decoded once
//! into raw types that refuse what they do not know, and resolved into [`Config`]. All problems are reported
//! together, each with its place and its line.
//!
//! This module never expands variables, never looks whether prompts or agents exist, never prints and never
//! writes. Verbs that show the configuration are in `cli::config`; what a value means is decided by the module
//! that uses it (`route`, `turn`, `publish`, `agent`).

mod agents;
mod check;
mod choices;
mod counting;
mod decode;
mod environment;
mod layers;
mod legacy;
mod load;
mod node;
mod origin;
mod overrides;
mod pending;
mod problem;
mod publishing;
mod resolve;
mod root;
mod routing;
mod schema;
mod sharing;
mod spans;
mod surfaces;
mod turns;
mod yaml;

pub use agents::{
    AgentConfig, AgentOptions, AgentOverrides, CustomCommand, KNOWN_AGENTS, Permission, PromptMode,
    TEXT_OUTPUT,
};
pub use counting::{CountRegexError, TestCounter};
pub use environment::{EnvironmentName, is_configuration_name};
pub use load::{Loaded, PROJECT_FILE, find_workspace, load, user_file};
pub use origin::{Notice, Origin, Origins};
pub use overrides::{OverrideValue, Overrides, split_commas};
pub use pending::pending_notices;
pub use problem::{ConfigError, Problem};
pub use publishing::{
    AllowedSecret, DocsConfig, PublishConfig, ReportsConfig, SecretsConfig, TrackedOutputsConfig, WorkConfig,
};
pub use root::{ActorLabel, Actors, Config, RouterPrompts};
pub use routing::{Router, RouterMode};
pub use schema::schema;
pub use sharing::{GitBackend, GitConfig, SyncConfig, Takeover};
pub use surfaces::{Gate, GateWhen, Governance, Notify, Principal, Rule, RuleDecision, ServeConfig, Webhook};
pub use turns::{
    AgentPush, Budget, Budgets, Completion, Environment, Isolation, Limits, NoProgress, OnLimit, Session,
    TestCount, TurnConfig, VerifyCommand, VerifyPolicy,
};
pub use yaml::to_yaml;

#[cfg(test)]
mod tests;
