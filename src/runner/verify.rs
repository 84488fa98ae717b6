//! The `verify` commands: run by us, under supervision, so that nobody has to take an agent's word.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::attempt::{self, CommandOrder, InterruptSignal};
use crate::config::{VerifyCommand, VerifyPolicy};
use crate::exec::{self, AttemptDir, Ended as EndedBy, ExitRecord, How, Observation, Running};
use crate::model::{Actor, AttemptId, OutcomeClass};
use crate::publish::secret::Masker;
use crate::turn::Phase;

use super::check::{Check, CheckVerdict, judge_count};
use super::environment::{AttemptContext, environment};
use super::journal::{Cause, ChecksFound, ChecksPlan, Ended, Record, TurnRecord};
use super::masking::{masked_end, read_end};
use super::observer::{Event, TurnOrigin};
use super::turn::{Runner, Step};
use super::{RunnerError, settings};

/// The end of a verification's output that is told to people and to the next prompt.
const TAIL_BYTES: u64 = 2_000;
/// As much output as is searched for counts of tests.
const COUNTED_BYTES: u64 = 16 << 20;

/// What became of a round of commands.
enum Round {
    /// All have run.
    Done(Vec<Check>),
    /// One that an earlier process began came to nothing: it runs again, under a new attempt.
    Again,
    /// A signal asked us to stop.
    Stopped(InterruptSignal),
}

/// An attempt that is looked at.
enum Used {
    /// It was never submitted.
    No,
    /// It runs, or has a result that counts.
    Yes,
    /// It came to nothing.
    Up,
}

impl Runner<'_> {
    /// The commands before the agent: what fails now is not this turn's doing.
    pub(super) fn baseline(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let plan = self.plan_checks(&turn.baseline_plan)?;
        self.journal_begin(turn, Record::BaselineBegin(plan.clone()))?;
        let found = match self.run_checks(turn, Phase::Baseline, &plan)? {
            Round::Done(checks) => ChecksFound { checks, fingerprint: None, ended: None },
            Round::Again => return Ok(Step::Go),
            // Nothing has been paid for yet: the turn is given back.
            Round::Stopped(_) => ChecksFound {
                ended: Some(Ended {
                    class: OutcomeClass::Interrupted,
                    detail: "stopped before the agent was started".to_owned(),
                    cause: Cause::Verification,
                }),
                ..ChecksFound::default()
            },
        };
        self.journal_done(turn, Record::BaselineDone(found))?;
        Ok(Step::Go)
    }

    /// The commands after the agent.
    pub(super) fn verify(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        if turn.opening.actor == Actor::Galph && !self.has_promised(turn) {
            self.journal_done(turn, Record::VerifyDone(ChecksFound::default()))?;
            return Ok(Step::Go);
        }
        let plan = self.plan_checks(&turn.verify_plan)?;
        self.journal_begin(turn, Record::VerifyBegin(plan.clone()))?;
        let checks = match self.run_checks(turn, Phase::Verified, &plan)? {
            Round::Done(checks) => checks,
            Round::Again => return Ok(Step::Go),
            // The agent has been paid for: the journal waits here.
            Round::Stopped(signal) => return Ok(Step::Suspend(signal)),
        };
        let ended = self.verification_failure(turn, &checks);
        let fingerprint = self.fingerprint_since(turn)?;
        self.journal_done(turn, Record::VerifyDone(ChecksFound { checks, fingerprint, ended }))?;
        Ok(Step::Go)
    }

    /// Whether galph's reply holds the promise that ends the loop.
    pub(super) fn has_promised(&self, turn: &TurnRecord) -> bool {
        let promise = self.config.completion.promise.as_deref().filter(|promise| !promise.is_empty());
        let reply = turn.ran.as_ref().map(|ran| ran.reply.as_str()).unwrap_or_default();
        turn.opening.actor == Actor::Galph && promise.is_some_and(|promise| reply.contains(promise))
    }

    /// With `verify_policy: fail`, a command that fails and did not fail before ends the turn.
    fn verification_failure(&self, turn: &TurnRecord, checks: &[Check]) -> Option<Ended> {
        if self.config.verify_policy != VerifyPolicy::Fail || turn.opening.actor != Actor::Ralph {
            return None;
        }
        let failed_before =
            |name: &str| turn.baseline.checks.iter().any(|old| old.name == name && !old.verdict.passed());
        let new: Vec<String> = checks
            .iter()
            .filter(|check| !check.verdict.passed() && !failed_before(&check.name))
            .map(|check| format!("`{}` {}", check.name, check.verdict.words()))
            .collect();
        (!new.is_empty()).then(|| Ended {
            class: OutcomeClass::Failed,
            detail: format!("verification: {}", new.join(", ")),
            cause: Cause::Verification,
        })
    }

    /// An attempt for each command. Those of an earlier process keep theirs, so that a finished one is not repeated and
    /// a living one not run beside; one that came to nothing gets a new one, which is then journalled like any other.
    fn plan_checks(&self, earlier: &ChecksPlan) -> Result<ChecksPlan, RunnerError> {
        let mut attempts = BTreeMap::new();
        for command in &self.config.verify {
            let known = earlier.attempts.get(&command.name).copied();
            let attempt = match known {
                Some(attempt) if !matches!(self.use_of(attempt)?, Used::Up) => attempt,
                Some(_) | None => self.ambient.new_attempt_id(),
            };
            attempts.insert(command.name.clone(), attempt);
        }
        Ok(ChecksPlan { attempts })
    }

    fn use_of(&self, attempt: AttemptId) -> Result<Used, RunnerError> {
        let dir = self.attempt_dir(attempt);
        if !dir.spec_path().exists() {
            return Ok(Used::No);
        }
        Ok(match exec::observe(&dir, self.ambient)? {
            Observation::Finished(exit) if came_to_nothing(&exit) => Used::Up,
            Observation::Alive { .. } | Observation::Finished(_) => Used::Yes,
            Observation::Vanished { .. } => {
                exec::abandon(&dir, attempt, self.ambient)?;
                Used::Up
            }
        })
    }

    fn run_checks(
        &mut self,
        turn: &TurnRecord,
        phase: Phase,
        plan: &ChecksPlan,
    ) -> Result<Round, RunnerError> {
        let mut checks = Vec::new();
        for command in self.config.verify.clone() {
            if let Some(signal) = self.interrupts.pending() {
                return Ok(Round::Stopped(signal));
            }
            let Some(attempt) = plan.attempts.get(&command.name).copied() else { continue };
            self.observer.event(&Event::Verifying { name: &command.name });
            let dir = self.attempt_dir(attempt);
            let (exit, origin) = match self.use_of(attempt)? {
                Used::No => (self.start_check(turn, phase, &command, attempt)?, TurnOrigin::Here),
                Used::Yes => {
                    (self.watch_check(attempt, exec::adopt(&dir, self.ambient)?)?, TurnOrigin::Resumed)
                }
                Used::Up => return Ok(Round::Again),
            };
            if came_to_nothing(&exit) {
                if let Some(signal) = self.interrupts.pending() {
                    return Ok(Round::Stopped(signal));
                }
                // Only what an earlier process began is tried again: a command that ends its own supervisor would
                // go on for ever.
                if origin == TurnOrigin::Resumed {
                    return Ok(Round::Again);
                }
            }
            let check = judge(&command, &dir, &exit, &self.masker)?;
            self.observer.event(&Event::Verified { name: &command.name, result: &check.verdict.words() });
            if let Some(log) = &mut self.log {
                log.line(&format!("verify `{}`: {}", check.name, check.verdict.words()));
            }
            checks.push(check);
            self.crash_point(phase, "checked");
        }
        Ok(Round::Done(checks))
    }

    fn start_check(
        &mut self,
        turn: &TurnRecord,
        phase: Phase,
        command: &VerifyCommand,
        attempt: AttemptId,
    ) -> Result<ExitRecord, RunnerError> {
        let dir = self.attempt_dir(attempt);
        let order = CommandOrder {
            attempt,
            line: &command.run,
            workspace: &self.workspace.root,
            environment: self.check_environment(turn, attempt, &dir),
            limits: settings::check_limits(self.config, command.timeout),
        };
        let spec = attempt::write_command_spec(&dir, order)?;
        let prepared = exec::submit(&dir, spec, &self.supervisor, self.ambient)?;
        let running = prepared.go()?;
        self.crash_point(phase, "go");
        self.watch_check(attempt, running)
    }

    /// What a command of the turn finds in its environment.
    pub(super) fn check_environment(
        &self,
        turn: &TurnRecord,
        attempt: AttemptId,
        dir: &AttemptDir,
    ) -> BTreeMap<OsString, OsString> {
        let context = AttemptContext {
            actor: turn.opening.actor,
            iteration: turn.opening.iteration,
            prompt: turn.prompt().unwrap_or(self.routing.own_prompt(turn.opening.actor)),
            workspace: &self.workspace.root,
            turn: turn.opening.id,
            attempt,
            attempt_dir: dir.path(),
            last_summary: None,
        };
        environment(self.config, self.ambient.env(), &context, &self.remotes())
    }

    pub(super) fn watch_check(
        &mut self,
        attempt: AttemptId,
        running: Running,
    ) -> Result<ExitRecord, RunnerError> {
        let observer = &mut self.observer;
        Ok(attempt::watch(running, attempt, &self.interrupts, self.ambient, |glimpse| {
            if let attempt::Glimpse::Tick { elapsed, quiet } = glimpse {
                observer.tick(elapsed, quiet);
            }
        })?)
    }
}

/// Whether an attempt ended without saying anything about its command: it was stopped, or it vanished.
pub(super) const fn came_to_nothing(exit: &ExitRecord) -> bool {
    matches!(exit.ended_by, EndedBy::Cancelled { .. } | EndedBy::Abandoned)
}

fn judge(
    command: &VerifyCommand,
    dir: &AttemptDir,
    exit: &ExitRecord,
    masker: &Masker,
) -> Result<Check, RunnerError> {
    let verdict = match (&exit.ended_by, &exit.how) {
        (EndedBy::WallLimit | EndedBy::IdleLimit, _) => CheckVerdict::TimedOut,
        (EndedBy::Cancelled { signal }, _) => {
            CheckVerdict::Failed { how: format!("stopped by signal {signal}") }
        }
        (EndedBy::Abandoned, _) | (_, How::Unknown | How::NeverStarted) => {
            CheckVerdict::Failed { how: "it vanished".to_owned() }
        }
        (EndedBy::Itself, How::SpawnFailed(failure)) => {
            CheckVerdict::NotStarted { why: failure.message.clone() }
        }
        (EndedBy::Itself, How::Signalled { signal }) => {
            CheckVerdict::Failed { how: format!("signal {signal}") }
        }
        (EndedBy::Itself, How::Exited { code: 0 }) => count_tests(command, dir)?,
        (EndedBy::Itself, How::Exited { code }) => CheckVerdict::Failed { how: format!("exit {code}") },
    };
    let tail =
        [dir.stdout_path(), dir.stderr_path()].map(|path| masked_end(masker, &path, TAIL_BYTES)).concat();
    Ok(Check { name: command.name.clone(), verdict, tail })
}

fn count_tests(command: &VerifyCommand, dir: &AttemptDir) -> Result<CheckVerdict, RunnerError> {
    let Some(tests) = &command.tests else { return Ok(CheckVerdict::Passed { tests: None }) };
    let counter =
        tests.counter().map_err(|source| RunnerError::CountRegex { name: command.name.clone(), source })?;
    let ran = [dir.stdout_path(), dir.stderr_path()]
        .map(|path| counter.count(read_end(&path, COUNTED_BYTES).as_bytes()))
        .into_iter()
        .fold(0, u64::saturating_add);
    Ok(judge_count(ran, tests.min))
}
