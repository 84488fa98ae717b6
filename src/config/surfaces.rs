//! Gates, governance, notifications and the server.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a gate closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateWhen {
    /// Before every n-th iteration.
    EveryNIterations,
    /// Before anything leaves this machine for the first time.
    BeforeFirstPublish,
    /// After a failed turn.
    AfterFailure,
}

/// A point at which a person decides whether the loop goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// `every_n_iterations`, `before_first_publish` or `after_failure`.
    pub when: GateWhen,
    /// The n of `every_n_iterations`.
    #[serde(default)]
    pub n: Option<u64>,
    /// What the person is asked.
    pub question: String,
}

/// What a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleDecision {
    /// The action is refused.
    Deny,
    /// A person approves it first.
    RequireProposal,
    /// The action is carried out.
    Allow,
}

/// Who asks for an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// A person at a terminal.
    Human,
    /// The supervisor's agent.
    Galph,
    /// The engineer's agent.
    Ralph,
    /// A client of the server.
    Api,
    /// The tool itself.
    System,
}

/// One rule; the first that matches decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `deny`, `require_proposal` or `allow`.
    pub decision: RuleDecision,
    /// A glob of action names.
    #[serde(default = "any_action")]
    pub action: String,
    /// Who asks; empty for anyone.
    #[serde(default)]
    pub actors: Vec<Principal>,
    /// Globs that parameters must match, by parameter name.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

fn any_action() -> String {
    "*".to_owned()
}

/// Which actions need a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Governance {
    /// The rules, in their order.
    pub rules: Vec<Rule>,
}

/// A receiver of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where events are posted; `http` or `https`.
    pub url: String,
    /// Globs of event names; empty for all.
    #[serde(default)]
    pub events: Vec<String>,
    /// The environment variable that holds the signing secret; null for unsigned.
    #[serde(default)]
    pub secret_env: Option<String>,
}

/// Who is told about events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Receivers over HTTP.
    pub webhooks: Vec<Webhook>,
    /// A program and its arguments that gets each event as JSON on standard input; null for none.
    pub command: Option<Vec<String>>,
}

/// The dashboard and the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServeConfig {
    /// Address and port to listen on.
    #[schemars(with = "String")]
    pub address: SocketAddr,
    /// Whether metrics are readable without a token.
    pub metrics_public: bool,
}
