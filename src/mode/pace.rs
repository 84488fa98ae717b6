//! What both modes do between turns: count, look at budgets, wait, decide whether to go on.

use std::time::Duration;

use crate::ambient::{Ambient, Stopwatch};
use crate::config::Config;
use crate::model::{Actor, OutcomeClass, Usage, Verdict};
use crate::runner::{Completion, Runner, SOLO, TurnEnd, TurnOutcome, settings};
use crate::turn::{Exceeded, Spent, decide_budget};

use super::report::{LoopEnd, LoopReport};

/// How long a wait lasts before signals and the state are looked at again.
const SLICE: Duration = Duration::from_millis(200);

/// A loop under way.
pub(super) struct Pace<'c> {
    config: &'c Config,
    started: Stopwatch,
    spent: Usage,
    turns: Vec<TurnOutcome>,
    pub(super) iterations: u64,
    /// How long holds were waited for.
    pub(super) waited: Duration,
}

/// Whether a turn was begun by this process or before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Began {
    Here,
    Before,
}

impl<'c> Pace<'c> {
    pub(super) fn new(config: &'c Config, ambient: &Ambient) -> Self {
        Self {
            config,
            started: ambient.stopwatch(),
            spent: Usage::default(),
            turns: Vec::new(),
            iterations: 0,
            waited: Duration::ZERO,
        }
    }

    /// Takes a turn's outcome in; `Some`: the loop is over.
    pub(super) fn take(
        &mut self,
        outcome: TurnOutcome,
        runner: &Runner<'_>,
        began: Began,
    ) -> Option<LoopEnd> {
        self.spent = self.spent.plus(outcome.usage);
        let end = self.judge(&outcome, runner, began);
        self.turns.push(outcome);
        end
    }

    fn judge(&mut self, outcome: &TurnOutcome, runner: &Runner<'_>, began: Began) -> Option<LoopEnd> {
        let (class, detail, cause) = match &outcome.end {
            TurnEnd::Void => return None,
            TurnEnd::Suspended { signal } => return Some(LoopEnd::Interrupted(*signal)),
            TurnEnd::Closed { class, detail, cause } => (*class, detail.clone(), *cause),
        };
        match class.verdict() {
            Verdict::Fail => Some(LoopEnd::TurnFailed { class, detail, cause, agent: outcome.agent.clone() }),
            Verdict::Pass => {
                // A solo turn passes no baton: finished by a combined loop, it is no iteration.
                self.iterations += u64::from(outcome.actor == Actor::Ralph && outcome.mode != SOLO);
                if let Some(Completion::Accepted { evidence }) = &outcome.completion {
                    return Some(LoopEnd::Completed(evidence.clone()));
                }
                None
            }
            Verdict::Release => match (runner.interrupted(), class, began) {
                (Some(signal), _, _) => Some(LoopEnd::Interrupted(signal)),
                // After a crash the turn is taken anew; while we watched, somebody else ended it.
                (None, OutcomeClass::Interrupted, Began::Here) => Some(LoopEnd::AttemptStopped(detail)),
                (None, _, _) => None,
            },
        }
    }

    /// The budget of this run, if it leaves no room for another turn.
    pub(super) fn run_budget(&self) -> Option<Exceeded> {
        let spent = Spent { usage: self.spent, wall: self.started.elapsed() };
        decide_budget(&settings::allowance(&self.config.budget.run), &spent)
    }

    pub(super) fn report(self, end: LoopEnd) -> LoopReport {
        LoopReport { end, turns: self.turns, iterations: self.iterations, waited: self.waited }
    }
}

/// Waits for `duration`, or until a signal comes or `done` says so.
pub(super) fn wait(
    runner: &Runner<'_>,
    ambient: &Ambient,
    duration: Duration,
    mut done: impl FnMut() -> bool,
) {
    let clock = ambient.stopwatch();
    while runner.interrupted().is_none() && !done() {
        let left = duration.saturating_sub(clock.elapsed());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(SLICE));
    }
}
