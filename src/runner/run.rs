//! The agent's run: started once, watched, taken up again after a crash, classed by what it said and what it changed.

use std::path::PathBuf;
use std::time::Duration;

use crate::agent::{OutputFormat, Reader};
use crate::attempt::{self, AgentOrder, AgentOutcome, Glimpse};
use crate::config::OnLimit;
use crate::exec::{self, ExitRecord, Running};
use crate::model::{OutcomeClass, PromptName, TurnId, Usage};
use crate::publish::{DirtyRecord, ObjectId};
use crate::repo::{Fingerprint, RepoError};

use super::environment::{AttemptContext, environment, variables};
use super::journal::{Ran, Record, RunPlan, TurnRecord};
use super::log::TurnLog;
use super::naming::turn_files;
use super::observer::{Event, TurnOrigin};
use super::prompt::{compose_prompt, read_prompt};
use super::session::SessionPlan;
use super::turn::{Runner, Step};
use super::void::Void;
use super::{RunnerError, settings};

/// The work tree as it was a moment ago: what follows at once need not look at all files again. What is committed is
/// compared with the files once more, and with HEAD.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) turn: TurnId,
    pub(super) head: ObjectId,
    pub(super) now: DirtyRecord,
}

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) outcome: AgentOutcome,
    pub(super) exit: ExitRecord,
    pub(super) usage: Usage,
}

impl Runner<'_> {
    pub(super) fn run_agent(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let Some(prompt) = turn.prompt().cloned() else { return Ok(Step::Void(Void::NeverMade)) };
        if let Some(signal) = self.interrupts.pending() {
            // A router prompt that has been paid for is not asked again: its selection waits.
            if turn.select.is_some() {
                return Ok(Step::Suspend(signal));
            }
            self.journal_done(turn, Record::RunDone(Box::new(never_started())))?;
            return Ok(Step::Go);
        }
        let mut plan = self.plan_attempt(turn, &prompt)?;
        let command = self.agent_for(turn.opening.actor, &prompt)?;
        plan.session = self.plan_session(turn.opening.actor, &command, plan.attempt)?;
        let finished = self.start_attempt(turn, &plan, Record::RunBegin(plan.clone()))?;
        self.take_result(turn, finished)?;
        Ok(Step::Go)
    }

    /// An agent's run that was begun: watched again while it lives, its result taken when it is there. One that
    /// vanished is called interrupted; only one that provably never started is started.
    pub(super) fn examine_agent(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let Some(plan) = turn.run.clone() else { return self.run_agent(turn) };
        match self.recover_attempt(turn, &plan)? {
            Some(finished) => self.take_result(turn, finished)?,
            None => return self.run_agent(turn),
        }
        Ok(Step::Go)
    }

    /// Names an attempt and its files.
    pub(super) fn plan_attempt(
        &self,
        turn: &TurnRecord,
        prompt: &PromptName,
    ) -> Result<RunPlan, RunnerError> {
        let actor = turn.opening.actor;
        let command = self.agent_for(actor, prompt)?;
        let branch = turn.base().and_then(|base| base.head.branch.clone());
        let taken = |path: &std::path::Path| self.workspace.root.join(path).exists();
        // One summary a turn: a router prompt's log and the turn's own share it.
        let files = turn.files().cloned().unwrap_or_else(|| {
            turn_files(
                &self.config.logs_dir,
                branch.as_deref(),
                actor,
                turn.opening.iteration,
                prompt,
                turn.opening.at,
                taken,
            )
        });
        Ok(RunPlan {
            attempt: self.ambient.new_attempt_id(),
            output: command.output,
            usage_file: command.usage_file.map(str::to_owned),
            agent: command.agent,
            prompt: prompt.clone(),
            files,
            session: SessionPlan::default(),
        })
    }

    /// Starts an attempt and watches it to its end. `record` is its `begin`: durable before the agent starts.
    pub(super) fn start_attempt(
        &mut self,
        turn: &mut TurnRecord,
        plan: &RunPlan,
        record: Record,
    ) -> Result<Finished, RunnerError> {
        let (phase, _) = record.place();
        let actor = turn.opening.actor;
        let command = self.agent_for(actor, &plan.prompt)?;
        if let Some(repo) = &self.workspace.repo {
            repo.exclude(command.leavings)?;
        }
        let dir = self.attempt_dir(plan.attempt);
        let last_summary = self.last_summary()?;
        let context = AttemptContext {
            actor,
            iteration: turn.opening.iteration,
            prompt: &plan.prompt,
            workspace: &self.workspace.root,
            turn: turn.opening.id,
            attempt: plan.attempt,
            attempt_dir: dir.path(),
            last_summary: last_summary.as_deref(),
        };
        let text = read_prompt(&self.workspace.root, &self.config.prompts_dir, plan.prompt.as_str())?;
        let shown = self.config.prompts_dir.join(plan.prompt.as_str()).display().to_string();
        let prompt = compose_prompt(&shown, &text, &variables(&context), &self.notes_for(turn)?)?;
        let order = AgentOrder {
            attempt: plan.attempt,
            command: &command,
            prompt: &prompt,
            resume: plan.session.resume.as_deref(),
            workspace: &self.workspace.root,
            environment: environment(self.config, self.ambient.env(), &context, &self.remotes()),
            limits: settings::agent_limits(self.config),
        };
        let spec = attempt::write_agent_spec(&dir, order)?;
        self.open_log(turn, plan)?;
        // The supervisor boots while the journal is written; without its go the agent is never started.
        let mut prepared = exec::submit(&dir, spec, &self.supervisor, self.ambient)?;
        self.crash_point(phase, "submitted");
        self.journal_begin(turn, record)?;
        prepared.ready()?;
        self.crash_point(phase, "ready");
        let running = prepared.go()?;
        self.crash_point(phase, "go");
        self.observer.event(&Event::AgentRunning {
            agent: &plan.agent,
            log: &plan.files.log.display().to_string(),
            origin: TurnOrigin::Here,
        });
        let (exit, reader) = self.follow(turn, plan, running)?;
        self.finish_attempt(plan, &exit, reader)
    }

    fn open_log(&mut self, turn: &TurnRecord, plan: &RunPlan) -> Result<(), RunnerError> {
        let mut log = TurnLog::resume(&self.workspace.root, &plan.files.log)?;
        log.line(&format!(
            "{} iteration {} turn {} prompt {} agent {} attempt {}",
            turn.opening.actor,
            turn.opening.iteration,
            turn.opening.id,
            plan.prompt,
            plan.agent,
            plan.attempt
        ));
        if let Some(selected) = &turn.selected {
            log.line(&format!("selected by {}: {}", selected.source, selected.reason));
        }
        self.log = Some(log);
        Ok(())
    }

    /// After a restart the log is written anew from what was captured: a crash may have cut it short.
    fn rebuild_log(&mut self, turn: &TurnRecord, plan: &RunPlan) -> Result<(), RunnerError> {
        let _ = std::fs::remove_file(self.workspace.root.join(&plan.files.log));
        let router = turn.select.as_ref().and_then(|select| select.router.as_ref());
        if let Some(router) = router.filter(|router| router.attempt != plan.attempt) {
            self.open_log(turn, router)?;
            let (dir, log) = (self.attempt_dir(router.attempt), &mut self.log);
            let ended = exec::adopt(&dir, self.ambient)?;
            attempt::watch(ended, router.attempt, &self.interrupts, self.ambient, |glimpse| {
                if let (Glimpse::Output { bytes, .. }, Some(log)) = (glimpse, log.as_mut()) {
                    log.raw(bytes);
                }
            })?;
        }
        self.open_log(turn, plan)
    }

    /// Goes on with the log of a turn whose agent had ended before the restart.
    pub(super) fn reopen_log(&mut self, turn: &TurnRecord) -> Result<(), RunnerError> {
        if let (Some(_), Some(files)) = (&turn.ran, turn.files()) {
            let mut log = TurnLog::resume(&self.workspace.root, &files.log)?;
            log.line("goes on after a restart");
            self.log = Some(log);
        }
        Ok(())
    }

    /// Watches an attempt to its end: its bytes go into the log, what they mean to whoever watches.
    pub(super) fn follow(
        &mut self,
        turn: &TurnRecord,
        plan: &RunPlan,
        running: Running,
    ) -> Result<(ExitRecord, Reader), RunnerError> {
        if self.log.is_none() {
            self.rebuild_log(turn, plan)?;
        }
        let mut reader = Reader::of_format(plan.output);
        let (log, observer, ambient) = (&mut self.log, &mut self.observer, self.ambient);
        let exit =
            attempt::watch(running, plan.attempt, &self.interrupts, self.ambient, |glimpse| match glimpse {
                Glimpse::Output { stream, bytes } => {
                    if let Some(log) = log {
                        log.raw(bytes);
                    }
                    let seen = reader.push(stream, bytes, ambient.now());
                    if plan.output == OutputFormat::Text {
                        observer.output(stream, bytes);
                    } else {
                        for sighting in &seen {
                            observer.sighting(sighting);
                        }
                    }
                }
                Glimpse::Tick { elapsed, quiet } => observer.tick(elapsed, quiet),
            })?;
        if let Some(text) = self.log.as_mut().and_then(TurnLog::take_failure) {
            self.warn(&text);
        }
        Ok((exit, reader))
    }

    /// Reads what an attempt left and says what it cost.
    pub(super) fn finish_attempt(
        &mut self,
        plan: &RunPlan,
        exit: &ExitRecord,
        reader: Reader,
    ) -> Result<Finished, RunnerError> {
        let dir = self.attempt_dir(plan.attempt);
        let usage_file = plan.usage_file.as_deref();
        let mut outcome = attempt::close_reading(reader, &dir, usage_file, exit, &self.masker)?;
        outcome.class = class_under_limits(outcome.class, self.config.limits.on_limit);
        self.report_capture(exit);
        let used = outcome.reply.usage_since(plan.session.before.as_ref());
        let usage = Usage { wall_seconds: seconds(exit.wall), ..used };
        Ok(Finished { outcome, exit: exit.clone(), usage })
    }

    fn report_capture(&mut self, exit: &ExitRecord) {
        if exit.dropped_bytes > 0 {
            self.warn(&format!("{} bytes of output were dropped", exit.dropped_bytes));
        }
        if let Some(error) = &exit.capture_error {
            self.warn(&format!("output could not be kept: {error}"));
        }
        if exit.swept_count > 0 {
            let names: Vec<String> =
                exit.swept.iter().map(|process| format!("{} ({})", process.name, process.pid)).collect();
            self.warn(&format!("the agent left processes running, which were ended: {}", names.join(", ")));
        }
        for process in &exit.survivors {
            self.warn(&format!("process {} ({}) could not be ended", process.pid, process.name));
        }
    }

    /// The agent's result, with what it changed.
    fn take_result(&mut self, turn: &mut TurnRecord, finished: Finished) -> Result<(), RunnerError> {
        let Finished { outcome, exit, usage } = finished;
        let fingerprint = self.fingerprint_since(turn)?;
        let unchanged =
            fingerprint.is_some() && fingerprint.as_ref() == turn.base().map(|base| &base.fingerprint);
        let class = match outcome.class {
            OutcomeClass::Ok if unchanged => OutcomeClass::NoChange,
            class => class,
        };
        self.journal_done(
            turn,
            Record::RunDone(Box::new(Ran {
                class,
                detail: outcome.detail,
                reply: outcome.reply.text,
                usage,
                session: outcome.reply.session,
                cumulative: outcome.reply.cumulative,
                exit: Some(exit),
                fingerprint,
                settings: Some(self.settings_digest()),
            })),
        )
    }

    /// The identity of everything in the work tree; `None` where git is not used.
    pub(super) fn fingerprint_since(
        &mut self,
        turn: &TurnRecord,
    ) -> Result<Option<Fingerprint>, RunnerError> {
        let (Some(repo), Some(base)) = (&self.workspace.repo, turn.base()) else { return Ok(None) };
        self.workspace.refuse_gone()?;
        let head = match repo.head() {
            Ok(head) => head,
            // The branch was deleted during the turn: the commit phase says so, with the remedy.
            Err(RepoError::NoCommits { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let now = repo.dirty_since(&base.dirty)?;
        let fingerprint = repo.fingerprint(&head.commit, &now, &self.workspace.rules)?;
        self.looked = Some(Looked { turn: turn.opening.id, head: head.commit, now });
        Ok(Some(fingerprint))
    }

    fn last_summary(&self) -> Result<Option<PathBuf>, RunnerError> {
        let summary = self.workspace.ledger.last_summary_path()?;
        Ok(summary.map(|relative| self.workspace.root.join(relative)))
    }
}

/// A signal came before anything was spent.
fn never_started() -> Ran {
    Ran {
        class: OutcomeClass::Interrupted,
        detail: "stopped before the agent was started".to_owned(),
        reply: String::new(),
        usage: Usage::default(),
        session: None,
        cumulative: None,
        exit: None,
        fingerprint: None,
        settings: None,
    }
}

/// A provider's refusal gives the turn back and holds it, unless the configuration calls it a failure.
const fn class_under_limits(class: OutcomeClass, on_limit: OnLimit) -> OutcomeClass {
    match (class, on_limit) {
        (OutcomeClass::Limited { .. } | OutcomeClass::Overloaded, OnLimit::Fail) => OutcomeClass::Failed,
        (class, _) => class,
    }
}

/// Seconds with the precision of a millisecond.
pub(super) fn seconds(duration: Duration) -> f64 {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_failure_only_where_the_configuration_says_so() {
        let limits = [OutcomeClass::Limited { until: None }, OutcomeClass::Overloaded];
        for class in limits {
            assert_eq!(class_under_limits(class, OnLimit::Hold), class);
            assert_eq!(class_under_limits(class, OnLimit::Fail), OutcomeClass::Failed);
        }
        assert_eq!(class_under_limits(OutcomeClass::Interrupted, OnLimit::Fail), OutcomeClass::Interrupted);
    }
}
