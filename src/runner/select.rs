//! The selection: the deterministic decision, or the router prompt's.

use crate::exec::{self, Ended as EndedBy, How, Observation};
use crate::model::{OutcomeClass, PromptName, Usage, Verdict};
use crate::route::{self, Decision, RouteError, RoutePlan, check_selected, decide_override, decide_plan};

use super::RunnerError;
use super::claim::situation;
use super::journal::{Cause, Ended, Record, RunPlan, SelectPlan, Selected, TurnRecord};
use super::observer::{Event, TurnOrigin};
use super::run::Finished;
use super::turn::{Runner, Step, TurnKind};

impl Runner<'_> {
    pub(super) fn select(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        match self.route_plan(turn) {
            Ok(RoutePlan::Decided(decision)) => {
                self.finish_selection(turn, Ok(decision), Usage::default())?;
            }
            Ok(RoutePlan::AskRouter { .. }) if self.interrupts.pending().is_some() => {
                self.journal_done(turn, Record::SelectDone(never_asked()))?;
            }
            Ok(RoutePlan::AskRouter { prompt, .. }) => {
                let plan = self.plan_attempt(turn, &prompt)?;
                let record = Record::SelectBegin(SelectPlan { router: Some(plan.clone()) });
                let finished = self.start_attempt(turn, &plan, record)?;
                self.read_router_reply(turn, &finished)?;
            }
            Err(error) => self.finish_selection(turn, Err(error), Usage::default())?,
        }
        Ok(Step::Go)
    }

    /// A router prompt that was begun: its attempt is watched again, or its result taken; what never started starts.
    pub(super) fn examine_selection(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let Some(plan) = turn.select.as_ref().and_then(|plan| plan.router.clone()) else {
            return self.select(turn);
        };
        match self.recover_attempt(turn, &plan)? {
            Some(finished) => {
                self.read_router_reply(turn, &finished)?;
                Ok(Step::Go)
            }
            None => self.select(turn),
        }
    }

    fn route_plan(&self, turn: &TurnRecord) -> Result<RoutePlan, RouteError> {
        let before = turn.claimed_state().map(|claimed| &claimed.before);
        let kind = TurnKind::Solo(turn.opening.iteration);
        decide_plan(&self.routing, &situation(turn.opening.actor, kind, before))
    }

    fn read_router_reply(&mut self, turn: &mut TurnRecord, finished: &Finished) -> Result<(), RunnerError> {
        let outcome = &finished.outcome;
        if outcome.class != OutcomeClass::Ok {
            let detail = format!("the router prompt's run: {}", outcome.detail);
            let ended = Ended { class: outcome.class, detail, cause: Cause::Agent };
            let selected = Selected {
                prompt: None,
                source: route::Source::Override.to_string(),
                reason: String::new(),
                remembered: false,
                ended: Some(ended),
                usage: finished.usage,
            };
            return self.journal_done(turn, Record::SelectDone(selected));
        }
        let plan = self.route_plan(turn)?;
        let before = turn.claimed_state().map(|claimed| &claimed.before);
        let situation = situation(turn.opening.actor, TurnKind::Solo(turn.opening.iteration), before);
        let exists = |prompt: &PromptName| self.prompt_exists(prompt);
        let reply = &outcome.reply.text;
        let decision = decide_override(&self.routing, &situation, &plan, reply, &self.prompts_dir(), exists);
        self.finish_selection(turn, decision, finished.usage)
    }

    fn finish_selection(
        &mut self,
        turn: &mut TurnRecord,
        decision: Result<Decision, RouteError>,
        usage: Usage,
    ) -> Result<(), RunnerError> {
        let actor = turn.opening.actor;
        let checked = decision.and_then(|decision| {
            check_selected(actor, &decision, &self.prompts_dir(), |prompt| self.prompt_exists(prompt))?;
            Ok(decision)
        });
        let selected = match checked {
            Ok(decision) => {
                let remembered = route::last_prompt_after(actor, &decision, Verdict::Pass).is_some();
                self.observer.event(&Event::Selected {
                    prompt: decision.prompt.as_str(),
                    source: decision.source.as_str(),
                    reason: &decision.reason,
                });
                Selected {
                    prompt: Some(decision.prompt),
                    source: decision.source.to_string(),
                    reason: decision.reason,
                    remembered,
                    ended: None,
                    usage,
                }
            }
            Err(error) => Selected {
                prompt: None,
                source: String::new(),
                reason: String::new(),
                remembered: false,
                ended: Some(Ended {
                    class: OutcomeClass::Failed,
                    detail: error_chain(&error),
                    cause: Cause::Routing,
                }),
                usage,
            },
        };
        self.journal_done(turn, Record::SelectDone(selected))
    }

    /// An attempt of an earlier process: watched to its end, or its result. `None`: it never started.
    pub(super) fn recover_attempt(
        &mut self,
        turn: &TurnRecord,
        plan: &RunPlan,
    ) -> Result<Option<Finished>, RunnerError> {
        let dir = self.attempt_dir(plan.attempt);
        match exec::observe(&dir, self.ambient)? {
            Observation::Alive { .. } => self.observer.event(&Event::AgentRunning {
                agent: &plan.agent,
                log: &plan.files.log.display().to_string(),
                origin: TurnOrigin::Resumed,
            }),
            Observation::Finished(_) => {}
            Observation::Vanished { started } => {
                exec::abandon(&dir, plan.attempt, self.ambient)?;
                if !started {
                    return Ok(None);
                }
            }
        }
        // Ended or not: following it from its beginning also writes the log anew that a crash cut short.
        let running = exec::adopt(&dir, self.ambient)?;
        let (exit, reader) = self.follow(turn, plan, running)?;
        // Found while it was still going, a supervisor without its go leaves the same proof a moment later.
        if exit.how == How::NeverStarted && exit.ended_by == EndedBy::Abandoned {
            return Ok(None);
        }
        self.finish_attempt(plan, &exit, reader).map(Some)
    }
}

/// A signal came before the router prompt was spent on.
fn never_asked() -> Selected {
    Selected {
        prompt: None,
        source: route::Source::Override.to_string(),
        reason: String::new(),
        remembered: false,
        ended: Some(Ended {
            class: OutcomeClass::Interrupted,
            detail: "stopped before the router prompt was started".to_owned(),
            cause: Cause::Agent,
        }),
        usage: Usage::default(),
    }
}

/// An error and its causes in one line, for records.
pub(super) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
