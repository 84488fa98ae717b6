//! What the router is told by the configuration and the command line.

use std::fmt;
use std::str::FromStr;

use crate::model::{Actor, PromptName};

/// The router's settings, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Off: each seat runs its own prompt; cadence, allowlist and override do not apply.
    pub enabled: bool,
    /// How the deterministic rule and the router prompt work together.
    pub mode: Mode,
    /// Every how many iterations the reviewer's prompt is due; 0: never.
    pub review_every_n: u64,
    /// Galph's own prompt.
    pub supervisor_prompt: PromptName,
    /// Ralph's own prompt.
    pub main_prompt: PromptName,
    /// The prompt that either seat may run as a review.
    pub reviewer_prompt: PromptName,
    /// What may be selected while the router is on; empty: the three prompts above.
    pub allowlist: Vec<PromptName>,
    /// The prompt that an agent runs to choose galph's prompt.
    pub router_prompt: Option<PromptName>,
}

impl Settings {
    /// The prompt that belongs to a seat.
    pub const fn own_prompt(&self, actor: Actor) -> &PromptName {
        match actor {
            Actor::Galph => &self.supervisor_prompt,
            Actor::Ralph => &self.main_prompt,
        }
    }

    /// The prompts that a seat may run: its own and the reviewer's.
    #[must_use]
    pub fn gate(&self, actor: Actor) -> Vec<PromptName> {
        let mut gate = vec![self.own_prompt(actor).clone()];
        if !gate.contains(&self.reviewer_prompt) {
            gate.push(self.reviewer_prompt.clone());
        }
        gate
    }

    /// What may be selected while the router is on.
    #[must_use]
    pub fn allowed(&self) -> Vec<PromptName> {
        if !self.allowlist.is_empty() {
            return self.allowlist.clone();
        }
        let mut allowed: Vec<PromptName> = Vec::with_capacity(3);
        for prompt in [&self.supervisor_prompt, &self.main_prompt, &self.reviewer_prompt] {
            if !allowed.contains(prompt) {
                allowed.push(prompt.clone());
            }
        }
        allowed
    }

    /// Whether a review is due in this iteration.
    pub const fn review_is_due(&self, iteration: u64) -> bool {
        self.review_every_n > 0 && iteration.is_multiple_of(self.review_every_n)
    }
}

/// How the deterministic rule and the router prompt work together in galph's turn. Ralph's turn is always
/// deterministic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The deterministic rule must give a prompt; the router prompt, where there is one, then replaces it.
    #[default]
    Default,
    /// The router prompt decides, where there is one; else the deterministic rule.
    First,
    /// The router prompt decides; without one there is no decision.
    Only,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Default, Self::First, Self::Only];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "router_default",
            Self::First => "router_first",
            Self::Only => "router_only",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown router mode `{}`: expected `router_default`, `router_first` or `router_only` (also without `router_`)",
    .0.escape_debug()
)]
pub struct ParseModeError(pub String);

impl FromStr for Mode {
    type Err = ParseModeError;

    /// Accepts the words with or without `router_`, with hyphens for underscores, in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = text.trim().to_ascii_lowercase().replace('-', "_");
        match word.strip_prefix("router_").unwrap_or(&word) {
            "default" => Ok(Self::Default),
            "first" => Ok(Self::First),
            "only" => Ok(Self::Only),
            _ => Err(ParseModeError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("router_default", Mode::Default)]
    #[case("router-first", Mode::First)]
    #[case("only", Mode::Only)]
    #[case(" Router_Only ", Mode::Only)]
    #[case("FIRST", Mode::First)]
    fn modes_are_read_with_their_aliases(#[case] text: &str, #[case] mode: Mode) {
        assert_eq!(text.parse(), Ok(mode));
        assert_eq!(mode.as_str().parse(), Ok(mode));
    }

    #[rstest]
    #[case("")]
    #[case("router")]
    #[case("router_")]
    #[case("router_router_only")]
    fn what_is_not_a_mode_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<Mode>(), Err(ParseModeError(text.to_owned())));
    }

    #[test]
    fn the_refusal_of_a_mode_says_what_is_expected() {
        assert_eq!(
            "sometimes".parse::<Mode>().unwrap_err().to_string(),
            "unknown router mode `sometimes`: expected `router_default`, `router_first` or `router_only` (also without \
             `router_`)"
        );
    }
}
