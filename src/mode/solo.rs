//! Solo mode: one seat's prompt, a number of times, with no handoff and no state.

use std::time::Duration;

use crate::ambient::Ambient;
use crate::config::Config;
use crate::model::{Actor, OutcomeClass};
use crate::runner::{Runner, RunnerError, SOLO, TurnEnd, TurnKind};

use super::pace::{Began, Pace, wait};
use super::report::{LoopEnd, LoopReport};

/// What a solo run is asked for.
#[derive(Debug, Clone, Copy)]
pub struct SoloOptions {
    /// The seat.
    pub actor: Actor,
    /// How many turns.
    pub turns: u64,
    /// A pause between them.
    pub pause: Option<Duration>,
}

/// Runs the seat's prompt; a turn that an earlier process left open is finished first and counts.
pub fn run_solo(
    runner: &mut Runner<'_>,
    config: &Config,
    ambient: &Ambient,
    options: SoloOptions,
) -> Result<LoopReport, RunnerError> {
    let mut pace = Pace::new(config, ambient);
    let mut count = 0;
    while let Some(outcome) = runner.resume()? {
        let is_ours = outcome.actor == options.actor && outcome.mode == SOLO;
        count += u64::from(is_ours && passed(&outcome.end));
        let stalemate = outcome.stalemate.clone();
        if let Some(end) = pace.take(outcome, runner, Began::Before) {
            return Ok(pace.report(end));
        }
        if let Some(reason) = stalemate {
            return Ok(pace.report(LoopEnd::Stalemate(reason)));
        }
    }
    while count < options.turns {
        if let Some(signal) = runner.interrupted() {
            return Ok(pace.report(LoopEnd::Interrupted(signal)));
        }
        if let Some(exceeded) = pace.run_budget() {
            return Ok(pace.report(LoopEnd::BudgetSpent(exceeded)));
        }
        let outcome = runner.run_turn(options.actor, TurnKind::Solo(count + 1))?;
        let stalemate = outcome.stalemate.clone();
        if let TurnEnd::Closed {
            class: class @ (OutcomeClass::Limited { .. } | OutcomeClass::Overloaded),
            detail,
            cause,
        } = &outcome.end
        {
            // Without a state there is no hold to wait for.
            let end = LoopEnd::TurnFailed {
                class: *class,
                detail: detail.clone(),
                cause: *cause,
                agent: outcome.agent.clone(),
            };
            pace.take(outcome, runner, Began::Here);
            return Ok(pace.report(end));
        }
        if let Some(end) = pace.take(outcome, runner, Began::Here) {
            return Ok(pace.report(end));
        }
        if let Some(reason) = stalemate {
            return Ok(pace.report(LoopEnd::Stalemate(reason)));
        }
        count += 1;
        if let Some(pause) = options.pause.filter(|_| count < options.turns) {
            wait(runner, ambient, pause, || false);
        }
    }
    pace.iterations = count;
    Ok(pace.report(LoopEnd::Finished))
}

const fn passed(end: &TurnEnd) -> bool {
    matches!(end, TurnEnd::Closed { class: OutcomeClass::Ok | OutcomeClass::NoChange, .. })
}
