//! The router's settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// In which order the deterministic rule and the router prompt are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouterMode {
    /// The deterministic rule, then the router prompt's reply in its place, where there is one.
    #[serde(alias = "default", alias = "router-default")]
    RouterDefault,
    /// The router prompt where there is one, else the deterministic rule.
    #[serde(alias = "first", alias = "router-first")]
    RouterFirst,
    /// The router prompt only; without one the configuration is refused.
    #[serde(alias = "only", alias = "router-only")]
    RouterOnly,
}

/// Which prompt a turn runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Router {
    /// Off: each seat runs its own prompt, and nothing else here applies.
    pub enabled: bool,
    /// `router_default`, `router_first` or `router_only`; `default`, `first`, `only` and hyphens are accepted.
    pub mode: RouterMode,
    /// The router prompt, whose one-line reply names the prompt of galph's turn; null for none.
    pub prompt: Option<String>,
    /// Run the reviewer prompt in every n-th iteration; 0 for never.
    pub review_every_n: u64,
    /// Prompts that may be selected; empty for the seats' and the reviewer's prompts.
    pub allowlist: Vec<String>,
    /// What the router selects for galph; null for the top-level `supervisor_prompt`.
    pub supervisor_prompt: Option<String>,
    /// What the router selects for ralph; null for the top-level `main_prompt`.
    pub main_prompt: Option<String>,
    /// What the router selects when a review is due; null for the top-level `reviewer_prompt`.
    pub reviewer_prompt: Option<String>,
}
