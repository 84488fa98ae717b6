//! The `verify` commands: run by us, under supervision, so that nobody has to take an agent's word.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};

use crate::attempt::{self, CommandOrder};
use crate::config::{VerifyCommand, VerifyPolicy};
use crate::exec::{self, AttemptDir, Ended as EndedBy, ExitRecord, How, Observation, Running};
use crate::model::{Actor, AttemptId, OutcomeClass};

use super::check::{Check, CheckVerdict, judge_count};
use super::environment::{AttemptContext, environment};
use super::journal::{Cause, ChecksFound, ChecksPlan, Ended, Record, TurnRecord};
use super::observer::Event;
use super::turn::{Runner, Step};
use super::{RunnerError, settings};

/// The end of a verification's output that is told to people and to the next prompt.
const TAIL_BYTES: u64 = 2_000;
/// As much output as is searched for counts of tests.
const COUNTED_BYTES: u64 = 16 << 20;

impl Runner<'_> {
    /// The commands before the agent: what fails now is not this turn's doing.
    pub(super) fn baseline(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let plan = self.plan_checks(&turn.baseline_plan);
        self.journal_begin(turn, Record::BaselineBegin(plan.clone()))?;
        let found = match self.run_checks(turn, &plan)? {
            Some(checks) => ChecksFound { checks, fingerprint: None, ended: None },
            // Nothing has been paid for yet: the turn is given back.
            None => ChecksFound {
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
        let plan = self.plan_checks(&turn.verify_plan);
        self.journal_begin(turn, Record::VerifyBegin(plan.clone()))?;
        let Some(checks) = self.run_checks(turn, &plan)? else {
            // The agent has been paid for: the journal waits here.
            return Ok(self.interrupts.pending().map_or(Step::Go, Step::Suspend));
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

    /// An attempt for each command; those of an earlier process keep theirs, so that a finished one is not repeated.
    fn plan_checks(&self, earlier: &ChecksPlan) -> ChecksPlan {
        let attempts = self
            .config
            .verify
            .iter()
            .map(|command| {
                let known = earlier.attempts.get(&command.name).copied();
                (command.name.clone(), known.unwrap_or_else(|| self.ambient.new_attempt_id()))
            })
            .collect();
        ChecksPlan { attempts }
    }

    /// `None`: a signal asked us to stop.
    fn run_checks(
        &mut self,
        turn: &TurnRecord,
        plan: &ChecksPlan,
    ) -> Result<Option<Vec<Check>>, RunnerError> {
        let mut checks = Vec::new();
        for command in self.config.verify.clone() {
            if self.interrupts.pending().is_some() {
                return Ok(None);
            }
            let Some(attempt) = plan.attempts.get(&command.name).copied() else { continue };
            self.observer.event(&Event::Verifying { name: &command.name });
            let (dir, exit) = self.run_check(turn, &command, attempt)?;
            if matches!(exit.ended_by, EndedBy::Cancelled { .. }) {
                return Ok(None);
            }
            let check = judge(&command, &dir, &exit)?;
            self.observer.event(&Event::Verified { name: &command.name, result: &check.verdict.words() });
            if let Some(log) = &mut self.log {
                log.line(&format!("verify `{}`: {}", check.name, check.verdict.words()));
            }
            checks.push(check);
        }
        Ok(Some(checks))
    }

    fn run_check(
        &mut self,
        turn: &TurnRecord,
        command: &VerifyCommand,
        attempt: AttemptId,
    ) -> Result<(AttemptDir, ExitRecord), RunnerError> {
        let dir = self.attempt_dir(attempt);
        if dir.spec_path().exists() {
            match exec::observe(&dir, self.ambient)? {
                Observation::Finished(exit) if exit.ended_by == EndedBy::Itself => return Ok((dir, *exit)),
                Observation::Alive { .. } => {
                    let exit = self.watch_check(attempt, exec::adopt(&dir, self.ambient)?)?;
                    return Ok((dir, exit));
                }
                Observation::Finished(_) => {}
                Observation::Vanished { .. } => {
                    exec::abandon(&dir, attempt, self.ambient)?;
                }
            }
            // A command may run twice; an attempt's directory is used once.
            return self.run_check(turn, command, self.ambient.new_attempt_id());
        }
        let prompt = turn.prompt().unwrap_or(self.routing.own_prompt(turn.opening.actor)).clone();
        let context = AttemptContext {
            actor: turn.opening.actor,
            iteration: turn.opening.iteration,
            prompt: &prompt,
            workspace: &self.workspace.root,
            turn: turn.opening.id,
            attempt,
            attempt_dir: dir.path(),
            last_summary: None,
        };
        let order = CommandOrder {
            attempt,
            line: &command.run,
            workspace: &self.workspace.root,
            environment: environment(self.config, self.ambient.env(), &context),
            limits: settings::check_limits(self.config, command.timeout),
        };
        let spec = attempt::write_command_spec(&dir, order)?;
        let prepared = exec::submit(&dir, spec, &self.supervisor, self.ambient)?;
        let running = prepared.go()?;
        let exit = self.watch_check(attempt, running)?;
        Ok((dir, exit))
    }

    fn watch_check(&mut self, attempt: AttemptId, running: Running) -> Result<ExitRecord, RunnerError> {
        let observer = &mut self.observer;
        Ok(attempt::watch(running, attempt, &self.interrupts, self.ambient, |glimpse| {
            if let attempt::Glimpse::Tick { elapsed, quiet } = glimpse {
                observer.tick(elapsed, quiet);
            }
        })?)
    }
}

fn judge(command: &VerifyCommand, dir: &AttemptDir, exit: &ExitRecord) -> Result<Check, RunnerError> {
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
    let tail = [dir.stdout_path(), dir.stderr_path()].map(|path| read_end(&path, TAIL_BYTES)).concat();
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

/// The end of a captured stream as text; nothing where there is none.
fn read_end(path: &std::path::Path, limit: u64) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = fs::File::open(path) {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let read = file
            .seek(SeekFrom::Start(length.saturating_sub(limit)))
            .and_then(|_| file.take(limit).read_to_end(&mut bytes));
        if read.is_err() {
            return String::new();
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
