//! One look, for cron: goes on with what this seat left open, takes at most one turn, and never waits.

use crate::ambient::Ambient;
use crate::config::{Config, Takeover};
use crate::ledger::HomeError;
use crate::model::{Actor, Hold, OutcomeClass, State, TurnFailure};
use crate::runner::{Runner, RunnerError, Seen, TurnEnd, TurnKind, TurnOutcome};
use crate::turn::sync::{Asked, LeaseHealth, SeatAction, SeatEnd, SeatView, Waiting, decide_seat};

use super::pace::{Began, Pace};
use super::report::{LoopEnd, LoopReport};

/// What a tick is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickOptions {
    /// The seat.
    pub actor: Actor,
    /// What becomes of this seat's failed turn.
    pub failed: FailedTurn,
}

/// What becomes of a turn that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedTurn {
    /// A person looks at it first.
    Leave,
    /// It is taken again.
    TakeAgain,
}

/// A tick that is over.
#[derive(Debug)]
pub struct TickReport {
    /// What came of it.
    pub end: TickEnd,
    /// The state on the remote, as far as it was looked at; before the turn, where one was taken.
    pub state: Option<State>,
}

/// What came of a tick.
#[derive(Debug)]
pub enum TickEnd {
    /// A turn was taken, or an open one gone on with.
    Turn(Box<LoopReport>),
    /// There was nothing to do, or it could not be done now.
    Idle(Idle),
}

/// Why a tick took no turn. Nothing is wrong with any of these: the next tick looks again.
#[derive(Debug)]
pub enum Idle {
    /// It is not this seat's turn, or it runs elsewhere already.
    NotYourTurn(Waiting),
    /// Nobody may act while these stand.
    Held(Vec<Hold>),
    /// The last turn failed, and nobody asked to take it again.
    Failed {
        /// Whose it was.
        actor: Actor,
        /// In which iteration.
        iteration: u64,
        /// What its machine says of it.
        failure: Option<TurnFailure>,
    },
    /// Both sides were asked to stop, with this reason.
    Exit(String),
    /// Another process of this machine is at work.
    Busy(HomeError),
    /// The remote could not be reached.
    Offline(RunnerError),
    /// Another machine was faster.
    ClaimLost,
}

/// Looks once, and takes at most one turn.
pub fn run_tick(
    runner: &mut Runner<'_>,
    config: &Config,
    ambient: &Ambient,
    options: TickOptions,
) -> Result<TickReport, RunnerError> {
    let mut tick = Tick { config, ambient, options, pace: Pace::new(config, ambient), state: None };
    let end = match tick.run(runner) {
        Ok(None) => TickEnd::Turn(Box::new(tick.pace.report(LoopEnd::Finished))),
        Ok(Some(Stop::Turn(end))) => TickEnd::Turn(Box::new(tick.pace.report(end))),
        Ok(Some(Stop::Idle(idle))) => TickEnd::Idle(idle),
        Err(RunnerError::Home(error @ HomeError::Busy { .. })) => TickEnd::Idle(Idle::Busy(error)),
        Err(error)
            if error.is_transient()
                && let Some(signal) = runner.interrupted() =>
        {
            TickEnd::Turn(Box::new(tick.pace.report(LoopEnd::Interrupted(signal))))
        }
        // A turn that has begun and cannot go on is no idle tick.
        Err(error) if error.is_transient() && !has_open_turn(runner, options.actor)? => {
            TickEnd::Idle(Idle::Offline(error))
        }
        Err(error) => return Err(error),
    };
    Ok(TickReport { end, state: tick.state })
}

fn has_open_turn(runner: &Runner<'_>, actor: Actor) -> Result<bool, RunnerError> {
    Ok(runner.workspace().ledger.open_turns()?.iter().any(|turn| turn.opening.actor == actor))
}

/// Why a tick ends, where its turn did not simply pass.
enum Stop {
    Turn(LoopEnd),
    Idle(Idle),
}

struct Tick<'c> {
    config: &'c Config,
    ambient: &'c Ambient,
    options: TickOptions,
    pace: Pace<'c>,
    state: Option<State>,
}

impl Tick<'_> {
    /// `None`: a turn has passed.
    fn run(&mut self, runner: &mut Runner<'_>) -> Result<Option<Stop>, RunnerError> {
        if self.is_left_to_a_person(runner)? {
            return Ok(Some(Stop::Idle(self.failed(self.options.actor))));
        }
        while let Some(outcome) = runner.resume_seat(self.options.actor)? {
            let goes_on = is_given_back(&outcome);
            if let Some(end) = self.pace.take(outcome, runner, Began::Before) {
                return Ok(Some(Stop::Turn(end)));
            }
            if !goes_on {
                return Ok(None);
            }
        }
        // The first state is written, and then it is galph's turn.
        let mut seen = runner.look()?;
        let mut action = self.decide(runner, &seen)?;
        if action == SeatAction::Begin {
            runner.write_first_state()?;
            seen = runner.look()?;
            action = self.decide(runner, &seen)?;
        }
        let idle = match action {
            SeatAction::Claim => return self.take_turn(runner, TurnKind::Expected, &seen),
            SeatAction::Reclaim => return self.take_turn(runner, TurnKind::Again, &seen),
            SeatAction::Takeover => return self.take_turn(runner, TurnKind::TakenOver, &seen),
            SeatAction::Begin => Idle::NotYourTurn(Waiting::NoState),
            SeatAction::Wait(Waiting::Held(holds)) => Idle::Held(holds),
            SeatAction::Wait(waiting) => Idle::NotYourTurn(waiting),
            SeatAction::End(SeatEnd::Exit(reason)) => Idle::Exit(reason),
            SeatAction::End(SeatEnd::Failed { actor }) => self.failed(actor),
        };
        Ok(Some(Stop::Idle(idle)))
    }

    fn failed(&self, actor: Actor) -> Idle {
        let state = self.state.as_ref();
        let iteration = state.map_or(0, |state| state.iteration);
        Idle::Failed { actor, iteration, failure: state.and_then(|state| state.failure.clone()) }
    }

    /// Whether this seat's open turn waits for a person, as the remote says too: nobody asked to try it again.
    fn is_left_to_a_person(&mut self, runner: &mut Runner<'_>) -> Result<bool, RunnerError> {
        if self.options.failed == FailedTurn::TakeAgain {
            return Ok(false);
        }
        let Some(turn) = runner.refused_turn(self.options.actor)? else { return Ok(false) };
        self.state = runner.look()?.state;
        let failure = self.state.as_ref().and_then(|state| state.failure.as_ref());
        Ok(failure.is_some_and(|failure| failure.waits && failure.turn == turn.to_string()))
    }

    fn decide(&mut self, runner: &mut Runner<'_>, seen: &Seen) -> Result<SeatAction, RunnerError> {
        self.state.clone_from(&seen.state);
        let view = SeatView {
            role: self.options.actor,
            state: seen.state.as_ref(),
            asked: Asked::Tick { retry_failed: self.options.failed == FailedTurn::TakeAgain },
            now: self.ambient.now(),
            lease: LeaseHealth::Unwatched,
            takeover_after_lease: false,
        };
        let action = decide_seat(&view);
        if matches!(action, SeatAction::Wait(Waiting::RunningElsewhere { .. }))
            && self.config.sync.takeover == Takeover::AfterLease
        {
            let lease = runner.watch_lease(seen)?;
            return Ok(decide_seat(&SeatView { lease, takeover_after_lease: true, ..view }));
        }
        Ok(action)
    }

    fn take_turn(
        &mut self,
        runner: &mut Runner<'_>,
        kind: TurnKind,
        seen: &Seen,
    ) -> Result<Option<Stop>, RunnerError> {
        if let Some(signal) = runner.interrupted() {
            return Ok(Some(Stop::Turn(LoopEnd::Interrupted(signal))));
        }
        if let Some(exceeded) = self.pace.run_budget() {
            return Ok(Some(Stop::Turn(LoopEnd::BudgetSpent(exceeded))));
        }
        if let Some(state) = &seen.state
            && let Some((_, hold)) = super::combined::spent_total(self.config, self.ambient, state)
        {
            runner.set_hold(&hold)?;
            return Ok(Some(Stop::Idle(Idle::Held(vec![hold]))));
        }
        let outcome = runner.run_turn_there(self.options.actor, kind, seen)?;
        if outcome.end == TurnEnd::Void {
            return Ok(Some(Stop::Idle(Idle::ClaimLost)));
        }
        Ok(self.pace.take(outcome, runner, Began::Here).map(Stop::Turn))
    }
}

/// Whether an open turn has cost nobody an agent's run now, so that another may be taken.
fn is_given_back(outcome: &TurnOutcome) -> bool {
    matches!(outcome.end, TurnEnd::Void | TurnEnd::Closed { class: OutcomeClass::Interrupted, .. })
}
