//! The router's settings.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// In which order the deterministic rule and the router prompt are asked.
///
/// `default`, `first` and `only` are read too, and hyphens for underscores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RouterMode {
    /// The deterministic rule, then the router prompt's reply in its place, where there is one.
    RouterDefault,
    /// The router prompt where there is one, else the deterministic rule.
    RouterFirst,
    /// The router prompt only; without one the configuration is refused.
    RouterOnly,
}

impl<'de> Deserialize<'de> for RouterMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ModeVisitor)
    }
}

struct ModeVisitor;

impl Visitor<'_> for ModeVisitor {
    type Value = RouterMode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`router_default`, `router_first` or `router_only`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RouterMode, E> {
        match text.replace('-', "_").trim_start_matches("router_") {
            "default" => Ok(RouterMode::RouterDefault),
            "first" => Ok(RouterMode::RouterFirst),
            "only" => Ok(RouterMode::RouterOnly),
            _ => Err(E::unknown_variant(text, &["router_default", "router_first", "router_only"])),
        }
    }
}

impl JsonSchema for RouterMode {
    fn schema_name() -> Cow<'static, str> {
        "RouterMode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(router[_-])?(default|first|only)$" })
    }
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
