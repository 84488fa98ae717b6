//! Which prompt a turn runs: actor, state and settings in, one decision with its reason out.
//!
//! Pure: no file is looked at, no agent asked. Where a decision needs either, the answer is passed in: whether a
//! prompt exists as a predicate, the router agent's reply as text. The caller does this, in order:
//!
//! 1. [`decide_plan`] says what the turn needs: a decision that stands, or a router prompt to run first.
//! 2. [`check_plan`] finds out before the claim whether the named prompts exist.
//! 3. Where a router prompt was run, [`decide_override`] turns its reply into the decision, or into the reason
//!    why the turn fails.
//! 4. After the turn, [`last_prompt_after`] says whether the state remembers the prompt.
//!
//! Neighbours: `model` has the names; `config` makes [`Settings`]; `runner` carries the plan out.

mod decide;
mod error;
mod replied;
mod settings;
#[cfg(test)]
mod tests;

pub use decide::{
    Decision, RoutePlan, Situation, Source, check_plan, check_selected, decide_deterministic, decide_plan,
    last_prompt_after,
};
pub use error::RouteError;
pub use replied::decide_override;
pub use settings::{Mode, ParseModeError, Settings};

use crate::model::{ParsePromptNameError, PromptName};

/// The canonical form of a prompt's name; see [`PromptName`].
pub fn normalise(name: &str) -> Result<PromptName, ParsePromptNameError> {
    name.parse()
}
