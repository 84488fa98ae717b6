//! Combined mode: galph, then ralph, on this machine, until the iterations are done or something says stop.

use std::time::Duration;

use jiff::Timestamp;

use crate::ambient::Ambient;
use crate::config::Config;
use crate::model::{Hold, HoldKind, State, Status};
use crate::runner::{Event, Runner, RunnerError, TurnKind, settings};
use crate::turn::{Blocked, Exceeded, Spent, decide_blocked, decide_budget};

use super::pace::{Began, Pace, wait};
use super::report::{LoopEnd, LoopReport};

/// What a combined loop is asked for.
#[derive(Debug, Clone, Copy)]
pub struct CombinedOptions {
    /// Iterations to finish, one that an earlier process began included.
    pub iterations: u64,
    /// A pause between iterations.
    pub pause: Option<Duration>,
}

/// Runs the loop: first what an earlier process left open, then turn after turn.
pub fn run_combined(
    runner: &mut Runner<'_>,
    config: &Config,
    ambient: &Ambient,
    options: CombinedOptions,
) -> Result<LoopReport, RunnerError> {
    let mut pace = Pace::new(config, ambient);
    while let Some(outcome) = runner.resume()? {
        if let Some(end) = pace.take(outcome, runner, Began::Before) {
            return Ok(pace.report(end));
        }
    }
    loop {
        if let Some(signal) = runner.interrupted() {
            return Ok(pace.report(LoopEnd::Interrupted(signal)));
        }
        let state = runner.state()?.unwrap_or_else(|| State::initial(ambient.now()));
        match decide_blocked(&state, ambient.now()) {
            Some(Blocked::Exit { reason }) => return Ok(pace.report(LoopEnd::Exit(reason))),
            Some(Blocked::Held { holds }) => {
                let Some(until) = end_of_wait(&holds, config, ambient, pace.waited) else {
                    return Ok(pace.report(LoopEnd::Held(holds)));
                };
                pace.waited += wait_for_holds(runner, ambient, &holds, until);
                continue;
            }
            None => {}
        }
        if pace.iterations >= options.iterations {
            return Ok(pace.report(LoopEnd::Finished));
        }
        if let Some(exceeded) = pace.run_budget() {
            return Ok(pace.report(LoopEnd::BudgetSpent(exceeded)));
        }
        if let Some((exceeded, hold)) = spent_total(config, ambient, &state) {
            runner.set_hold(&hold)?;
            return Ok(pace.report(LoopEnd::BudgetSpent(exceeded)));
        }
        let kind = if state.status == Status::Failed { TurnKind::Again } else { TurnKind::Expected };
        let finished = pace.iterations;
        let outcome = runner.run_turn(state.expected_actor, kind)?;
        if let Some(end) = pace.take(outcome, runner, Began::Here) {
            return Ok(pace.report(end));
        }
        if pace.iterations > finished
            && pace.iterations < options.iterations
            && let Some(pause) = options.pause
        {
            wait(runner, ambient, pause, || false);
        }
    }
}

/// Until when to wait for holds that end by themselves; `None`: a person is needed, or it would take too long.
fn end_of_wait(holds: &[Hold], config: &Config, ambient: &Ambient, waited: Duration) -> Option<Timestamp> {
    let ends: Option<Vec<Timestamp>> = holds.iter().map(|hold| hold.until).collect();
    let last = ends?.into_iter().max()?;
    let left = Duration::try_from(last.duration_since(ambient.now())).unwrap_or_default();
    (waited + left <= config.limits.max_wait.0).then_some(last)
}

fn wait_for_holds(runner: &mut Runner<'_>, ambient: &Ambient, holds: &[Hold], until: Timestamp) -> Duration {
    let reason = holds.iter().map(|hold| hold.reason.as_str()).collect::<Vec<_>>().join("; ");
    runner.observe(&Event::Waiting { reason: &reason, until });
    let clock = ambient.stopwatch();
    let left = Duration::try_from(until.duration_since(ambient.now())).unwrap_or_default();
    // Somebody may clear the hold meanwhile.
    let cleared = || {
        runner
            .state()
            .is_ok_and(|state| state.is_some_and(|state| decide_blocked(&state, ambient.now()).is_none()))
    };
    wait(runner, ambient, left, cleared);
    clock.elapsed()
}

/// The budget over all turns of the state, and the hold that it becomes: so that no other process goes on either.
pub(super) fn spent_total(config: &Config, ambient: &Ambient, state: &State) -> Option<(Exceeded, Hold)> {
    let usage = state.usage.total();
    let wall = Duration::try_from_secs_f64(usage.wall_seconds).unwrap_or_default();
    let exceeded = decide_budget(&settings::allowance(&config.budget.total), &Spent { usage, wall })?;
    let hold = Hold {
        id: ambient.new_hold_id(),
        kind: HoldKind::Budget,
        reason: exceeded.to_string(),
        since: ambient.now(),
        until: None,
    };
    Some((exceeded, hold))
}
