//! Role mode: one seat on this machine, the other one elsewhere. Looks at the remote's branch, acts only when this seat
//! is expected there, and waits for the other side in between.

use std::time::Duration;

use crate::ambient::{Ambient, Stopwatch};
use crate::config::{Config, Takeover};
use crate::model::{Actor, Hold, Span};
use crate::runner::{Event, Runner, RunnerError, Seen, SyncError, TurnEnd, TurnKind, TurnOutcome};
use crate::turn::sync::{
    Asked, LeaseHealth, Pace as Rhythm, SeatAction, SeatEnd, SeatView, Waiting, decide_seat,
};

use super::pace::{Began, Pace, wait};
use super::report::{LoopEnd, LoopReport};
use super::waiting::in_words;

/// What a role's loop is asked for.
#[derive(Debug, Clone, Copy)]
pub struct RoleOptions {
    /// The seat.
    pub actor: Actor,
    /// Turns of this seat that shall pass; galph also waits for ralph's turn after its last one.
    pub iterations: u64,
    /// The time between two looks.
    pub poll: Duration,
    /// The longest wait for the other side; `None`: without limit.
    pub max_wait: Option<Duration>,
    /// What is told while waiting.
    pub narration: Narration,
}

/// What is told while waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Narration {
    /// What is waited for, when that changes.
    Reasons,
    /// Every change of the state too.
    Changes,
}

/// How a look left the loop.
enum Next {
    Look,
    End(LoopEnd),
}

/// A loop under way.
struct RoleLoop<'c> {
    config: &'c Config,
    ambient: &'c Ambient,
    options: RoleOptions,
    pace: Pace<'c>,
    rhythm: Rhythm,
    may_reclaim: bool,
    /// Turns of this seat that have passed.
    passed: u64,
    /// The iteration that galph's last passed turn began and ralph has not finished.
    unfinished: Option<u64>,
    /// Since when the other side is waited for, and since when holds are.
    waiting: Option<Stopwatch>,
    holding: Option<Stopwatch>,
    told: String,
    last: Option<Seen>,
}

/// Runs the loop: first what an earlier process of this seat left open, then turn after turn.
pub fn run_role(
    runner: &mut Runner<'_>,
    config: &Config,
    ambient: &Ambient,
    options: RoleOptions,
) -> Result<LoopReport, RunnerError> {
    let mut role = RoleLoop {
        config,
        ambient,
        options,
        pace: Pace::new(config, ambient),
        rhythm: Rhythm::new(options.poll),
        may_reclaim: true,
        passed: 0,
        unfinished: None,
        waiting: None,
        holding: None,
        told: String::new(),
        last: None,
    };
    while let Some(outcome) = runner.resume_seat(options.actor)? {
        if let Some(end) = role.take(outcome, runner, Began::Before) {
            return Ok(role.pace.report(end));
        }
    }
    loop {
        if let Some(signal) = runner.interrupted() {
            return Ok(role.pace.report(LoopEnd::Interrupted(signal)));
        }
        if options.actor == Actor::Ralph && role.passed >= options.iterations {
            return Ok(role.pace.report(LoopEnd::Finished));
        }
        let clock = ambient.stopwatch();
        let seen = match runner.look() {
            Ok(seen) => seen,
            Err(error) if error.is_transient() || (role.last.is_some() && error.is_outage()) => {
                role.offline(runner, &error)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        role.note(runner, &seen, clock.elapsed());
        if let Next::End(end) = role.act(runner, &seen)? {
            runner.catch_up(&seen);
            return Ok(role.pace.report(end));
        }
    }
}

impl RoleLoop<'_> {
    fn take(&mut self, outcome: TurnOutcome, runner: &Runner<'_>, began: Began) -> Option<LoopEnd> {
        if matches!(outcome.end, TurnEnd::Void) {
            return None;
        }
        self.may_reclaim = began == Began::Before && self.may_reclaim;
        let (passed, iteration) = (outcome.passed(), outcome.iteration);
        let end = self.pace.take(outcome, runner, began);
        if passed {
            self.passed += 1;
            self.unfinished = (self.options.actor == Actor::Galph).then_some(iteration);
        }
        end
    }

    /// Takes a look in: the rhythm, and what galph waits for after its last turn.
    fn note(&mut self, runner: &mut Runner<'_>, seen: &Seen, took: Duration) {
        if self.last.as_ref().is_some_and(|last| last.tip == seen.tip) {
            self.rhythm.saw_nothing_new(took);
            return;
        }
        self.rhythm.saw_change(took);
        let is_first = self.last.is_none();
        self.last = Some(seen.clone());
        let Some(state) = &seen.state else { return };
        if self.unfinished.is_some_and(|begun| state.iteration > begun) {
            self.unfinished = None;
            self.pace.iterations += 1;
        }
        if self.options.narration == Narration::Changes && !is_first {
            let what = format!(
                "the state is now `{}`, iteration {}, expected {}",
                state.status, state.iteration, state.expected_actor
            );
            runner.observe(&Event::AwaitingTurn { what: &what });
        }
    }

    fn act(&mut self, runner: &mut Runner<'_>, seen: &Seen) -> Result<Next, RunnerError> {
        let asked = Asked::Loop { may_reclaim: self.may_reclaim };
        let view = SeatView {
            role: self.options.actor,
            state: seen.state.as_ref(),
            asked,
            now: self.ambient.now(),
            lease: LeaseHealth::Unwatched,
            takeover_after_lease: false,
        };
        let mut action = decide_seat(&view);
        if matches!(action, SeatAction::Wait(Waiting::RunningElsewhere { .. }))
            && self.config.sync.takeover == Takeover::AfterLease
        {
            let lease = match runner.watch_lease(seen) {
                Err(error) if error.is_outage() => return self.offline(runner, &error).map(|()| Next::Look),
                watched => watched?,
            };
            action = decide_seat(&SeatView { lease, takeover_after_lease: true, ..view });
        }
        match action {
            SeatAction::Begin => match runner.write_first_state() {
                Err(error) if error.is_outage() => self.offline(runner, &error).map(|()| Next::Look),
                written => written.map(|()| Next::Look),
            },
            SeatAction::Claim => self.run_turn(runner, TurnKind::Expected, seen),
            SeatAction::Reclaim => self.run_turn(runner, TurnKind::Again, seen),
            SeatAction::Takeover => self.run_turn(runner, TurnKind::TakenOver, seen),
            SeatAction::Wait(Waiting::Held(holds)) => Ok(self.wait_for_holds(runner, holds)),
            SeatAction::Wait(waiting) => self.wait(runner, &waiting, seen),
            SeatAction::End(SeatEnd::Exit(reason)) => Ok(Next::End(LoopEnd::Exit(reason))),
            SeatAction::End(SeatEnd::Failed { actor }) => Ok(Next::End(self.failed(actor, seen))),
        }
    }

    fn failed(&self, actor: Actor, seen: &Seen) -> LoopEnd {
        let iteration = seen.state.as_ref().map_or(0, |state| state.iteration);
        let failure = seen.state.as_ref().and_then(|state| state.failure.clone());
        if actor == self.options.actor {
            LoopEnd::LastFailed { actor, iteration, failure }
        } else {
            LoopEnd::OtherFailed { actor, iteration, failure }
        }
    }

    fn run_turn(
        &mut self,
        runner: &mut Runner<'_>,
        kind: TurnKind,
        seen: &Seen,
    ) -> Result<Next, RunnerError> {
        (self.waiting, self.holding) = (None, None);
        self.told.clear();
        if self.passed >= self.options.iterations {
            return Ok(Next::End(LoopEnd::Finished));
        }
        if let Some(exceeded) = self.pace.run_budget() {
            return Ok(Next::End(LoopEnd::BudgetSpent(exceeded)));
        }
        if let Some(state) = &seen.state
            && let Some((exceeded, hold)) = super::combined::spent_total(self.config, self.ambient, state)
        {
            runner.set_hold(&hold)?;
            return Ok(Next::End(LoopEnd::BudgetSpent(exceeded)));
        }
        let outcome = runner.run_turn_there(self.options.actor, kind, seen)?;
        Ok(self.take(outcome, runner, Began::Here).map_or(Next::Look, Next::End))
    }

    fn wait(&mut self, runner: &mut Runner<'_>, waiting: &Waiting, seen: &Seen) -> Result<Next, RunnerError> {
        self.holding = None;
        let what = in_words(waiting, seen.state.as_ref());
        self.tell(runner, &what);
        let clock = *self.waiting.get_or_insert_with(|| self.ambient.stopwatch());
        if let Some(limit) = self.options.max_wait.filter(|limit| clock.elapsed() >= *limit) {
            let waited = Span::from_secs(limit.as_secs());
            return Err(SyncError::WaitedTooLong { waited, why: what }.into());
        }
        self.sleep(runner, clock);
        Ok(Next::Look)
    }

    /// Somebody may clear a hold from another clone: one without an end is waited for as long as any other.
    fn wait_for_holds(&mut self, runner: &mut Runner<'_>, holds: Vec<Hold>) -> Next {
        let clock = *self.holding.get_or_insert_with(|| self.ambient.stopwatch());
        let limit = self.config.limits.max_wait.0;
        let now = self.ambient.now();
        let last = holds.iter().map(|hold| hold.until).collect::<Option<Vec<_>>>();
        let last = last.and_then(|ends| ends.into_iter().max());
        let left = last.and_then(|last| Duration::try_from(last.duration_since(now)).ok());
        let total = self.pace.waited + clock.elapsed();
        if total + left.unwrap_or_default() > limit || (left.is_none() && total >= limit) {
            return Next::End(LoopEnd::Held(holds));
        }
        self.tell(runner, &in_words(&Waiting::Held(holds), None));
        self.sleep(runner, clock);
        Next::Look
    }

    fn tell(&mut self, runner: &mut Runner<'_>, what: &str) {
        if self.told != what {
            what.clone_into(&mut self.told);
            runner.observe(&Event::AwaitingTurn { what });
        }
    }

    fn sleep(&mut self, runner: &mut Runner<'_>, since: Stopwatch) {
        runner.still_waiting(since.elapsed());
        let pause = self.rhythm.wait(self.ambient.random());
        wait(runner, self.ambient, pause, || false);
    }

    fn offline(&mut self, runner: &mut Runner<'_>, error: &RunnerError) -> Result<(), RunnerError> {
        // It was not waited for, and the loop ends.
        if runner.interrupted().is_some() {
            return Ok(());
        }
        self.rhythm.failed();
        let clock = *self.waiting.get_or_insert_with(|| self.ambient.stopwatch());
        let why = error.to_string();
        if let Some(limit) = self.options.max_wait.filter(|limit| clock.elapsed() >= *limit) {
            let waited = Span::from_secs(limit.as_secs());
            return Err(SyncError::WaitedTooLong { waited, why }.into());
        }
        let pause = self.rhythm.wait(self.ambient.random());
        self.told.clear();
        runner.observe(&Event::Offline { why: &why, again_in: pause });
        wait(runner, self.ambient, pause, || false);
        Ok(())
    }
}
