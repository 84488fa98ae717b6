//! The state of a pair on one machine, from the file in the work tree.

use super::RunnerError;
use super::outcome::COMBINED;
use super::turn::Runner;
use crate::ledger::TurnFilter;
use crate::model::{Actor, State};

impl Runner<'_> {
    /// The state as it is now; `None` when there is no file and never was one.
    pub fn state(&self) -> Result<Option<State>, RunnerError> {
        let found = self.workspace.state.read()?;
        if found.is_none() {
            self.refuse_reset()?;
        }
        Ok(found)
    }

    /// Turns that have been taken left a state behind; without it, nobody may begin at iteration 1 unasked.
    fn refuse_reset(&self) -> Result<(), RunnerError> {
        let turns = self.workspace.ledger.turns(TurnFilter { actor: None, limit: u32::MAX })?;
        let last = turns.into_iter().find_map(|turn| {
            let class = turn.closing?.class;
            (turn.opening.mode == COMBINED && class != "void").then_some((turn.opening, class))
        });
        let Some((opening, class)) = last else { return Ok(()) };
        let passed = matches!(class.as_str(), "ok" | "no_change");
        let (iteration, expected) = match (opening.actor, passed) {
            (actor, false) => (opening.iteration, actor),
            (Actor::Galph, true) => (opening.iteration, Actor::Ralph),
            (Actor::Ralph, true) => (opening.iteration + 1, Actor::Galph),
        };
        Err(RunnerError::StateGone {
            shown: self.config.state_file.display().to_string(),
            iteration,
            expected,
        })
    }

    /// The state, or the first one of all where there is no file.
    pub(super) fn state_or_initial(&self) -> Result<State, RunnerError> {
        Ok(self.state()?.unwrap_or_else(|| State::initial(self.ambient.now())))
    }
}
