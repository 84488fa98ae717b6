//! The stamp: the turn's end in the state, written once, under our own token only.

use std::time::Duration;

use crate::model::{Hold, HoldKind, OutcomeClass, State, Token, TurnFailure, Usage, Verdict};
use crate::turn::{
    Evidence, Input, Refusal, Stamp, StampOutcome, apply, count_unticked, decide_completion,
    decide_no_progress, restore_tampered,
};

use super::RunnerError;
use super::journal::{Cause, ClaimedState, Completion, Record, StampPlan, TurnRecord};
use super::turn::{Runner, Step};
use crate::ambient::Ambient;
use crate::exec::How;
use crate::ledger::TurnFilter;

/// The first wait for an overloaded provider, and the longest.
const OVERLOADED_WAIT: Duration = Duration::from_mins(5);
const OVERLOADED_WAIT_MAX: Duration = Duration::from_hours(1);
/// Without a reset time, a usage limit is looked at again after this.
const LIMITED_WAIT: Duration = Duration::from_mins(30);
/// As far back as turns are compared for progress.
const PROGRESS_WINDOW: u32 = 50;

impl Runner<'_> {
    pub(super) fn stamp(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let plan = self.plan_stamp(turn)?;
        self.journal_begin(turn, Record::StampBegin(Box::new(plan.clone())))?;
        self.write_stamp(turn, &plan)?;
        self.journal_done(turn, Record::StampDone)?;
        Ok(Step::Go)
    }

    /// A stamp that was begun: the state has its token, or it is written now, the same one.
    pub(super) fn examine_stamp(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let Some(plan) = turn.stamp.clone() else { return self.stamp(turn) };
        self.write_stamp(turn, &plan)?;
        self.journal_done(turn, Record::StampDone)?;
        Ok(Step::Go)
    }

    pub(super) fn plan_stamp(&self, turn: &TurnRecord) -> Result<StampPlan, RunnerError> {
        let commit = match &self.workspace.repo {
            Some(repo) => Some(repo.head()?.short),
            None => None,
        };
        Ok(StampPlan {
            token: self.ambient.new_token(),
            commit,
            hold: self.plan_hold(turn)?,
            completion: self.completion(turn),
            at: self.ambient.now(),
        })
    }

    /// The hold that this turn's end sets: a provider's limit, or turns that go round in circles.
    fn plan_hold(&self, turn: &TurnRecord) -> Result<Option<Hold>, RunnerError> {
        let now = self.ambient.now();
        let hold = |kind, reason: String, wait: Option<Duration>| {
            let until = wait
                .and_then(|wait| jiff::SignedDuration::try_from(wait).ok())
                .and_then(|wait| now.checked_add(wait).ok());
            Hold { id: self.ambient.new_hold_id(), kind, reason, since: now, until }
        };
        let Some(ended) = &turn.ended else { return Ok(None) };
        Ok(match ended.class {
            OutcomeClass::Limited { until: Some(until) } => {
                Some(Hold { until: Some(until), ..hold(HoldKind::Limit, ended.detail.clone(), None) })
            }
            OutcomeClass::Limited { until: None } => {
                Some(hold(HoldKind::Limit, ended.detail.clone(), Some(LIMITED_WAIT)))
            }
            OutcomeClass::Overloaded => {
                Some(hold(HoldKind::Limit, ended.detail.clone(), Some(self.overloaded_wait()?)))
            }
            _ => self.stalemate(turn)?.map(|reason| hold(HoldKind::NoProgress, reason, None)),
        })
    }

    fn overloaded_wait(&self) -> Result<Duration, RunnerError> {
        let turns = self.workspace.ledger.turns(TurnFilter { actor: None, limit: 8 })?;
        let in_a_row = turns
            .iter()
            .filter_map(|turn| turn.closing.as_ref())
            .take_while(|closing| closing.class == OutcomeClass::Overloaded.as_str())
            .count();
        let doubled = OVERLOADED_WAIT * 2_u32.pow(u32::try_from(in_a_row.min(8)).unwrap_or(8));
        Ok(doubled.min(OVERLOADED_WAIT_MAX))
    }

    /// Whether this turn was one too many without progress. Only git can tell.
    pub(super) fn stalemate(&self, turn: &TurnRecord) -> Result<Option<String>, RunnerError> {
        let limit = usize::try_from(self.config.no_progress.turns).unwrap_or(usize::MAX);
        let (Some(base), Some(after)) = (turn.base(), &turn.committed.fingerprint) else { return Ok(None) };
        let passed = self.workspace.ledger.passed_trees(PROGRESS_WINDOW)?;
        let first =
            passed.last().map_or_else(|| base.fingerprint.tree.to_string(), |(before, _)| before.clone());
        let mut trees = vec![first];
        trees.extend(passed.into_iter().rev().map(|(_, after)| after));
        trees.push(after.tree.to_string());
        Ok(decide_no_progress(&trees, limit).map(|stalemate| stalemate.to_string()))
    }

    /// What becomes of galph's promise; `None` where none was made.
    pub(super) fn completion(&self, turn: &TurnRecord) -> Option<Completion> {
        if !turn.passed() || !self.has_promised(turn) {
            return None;
        }
        let verified_tree = turn.verified.fingerprint.as_ref().map(|fingerprint| &fingerprint.tree);
        let published_tree = turn.committed.fingerprint.as_ref().map(|fingerprint| &fingerprint.tree);
        let mut unpublished = turn.committed.uncommitted.clone();
        if verified_tree.is_some() && verified_tree != published_tree && unpublished.is_empty() {
            unpublished.push("(changed since)".to_owned());
        }
        let plan_file = self.config.completion.plan_file.as_ref().map(|path| {
            let text = std::fs::read_to_string(self.workspace.root.join(path)).ok();
            (path.display().to_string(), text.as_deref().and_then(count_unticked))
        });
        // A command without a result has shown nothing: a turn begun before it was configured did not run it.
        let passed = |name: &&String| {
            turn.verified.checks.iter().any(|check| check.name == **name && check.verdict.passed())
        };
        let not_shown = |name: &&String| !passed(name);
        let evidence = Evidence {
            verify_commands: self.config.verify.len(),
            failing: self
                .config
                .verify
                .iter()
                .map(|command| &command.name)
                .filter(not_shown)
                .cloned()
                .collect(),
            plan: plan_file,
            unpublished,
        };
        Some(match decide_completion(&evidence) {
            Ok(()) => Completion::Accepted { evidence: in_words(&evidence) },
            Err(refused) => Completion::Refused { reason: refused.to_string() },
        })
    }

    fn write_stamp(&self, turn: &TurnRecord, plan: &StampPlan) -> Result<(), RunnerError> {
        let Some(claimed) = turn.claimed_state() else { return Ok(()) };
        let ours = &claimed.token;
        self.workspace.state.update(|found| -> Result<State, RunnerError> {
            // An agent may have removed the file; what we claimed is in the journal.
            let found = found.unwrap_or_else(|| claimed.after.clone());
            if found.token.as_ref() == Some(&plan.token) {
                return Ok(found);
            }
            if found.token.as_ref() != Some(ours) {
                return Err(Refusal::Fenced {
                    actor: turn.opening.actor,
                    ours: ours.clone(),
                    found: found.token.as_ref().map_or_else(|| "none".to_owned(), Token::to_string),
                }
                .into());
            }
            Ok(stamped_state(turn, plan, claimed, &found, self.ambient)?)
        })?;
        Ok(())
    }
}

/// The state after a turn's stamp, from what stood there under the claim's token.
pub(super) fn stamped_state(
    turn: &TurnRecord,
    plan: &StampPlan,
    claimed: &ClaimedState,
    found: &State,
    ambient: &Ambient,
) -> Result<State, Refusal> {
    let input = stamp_input(turn, plan, claimed, ambient);
    let mut state = apply(&restore_tampered(&claimed.after, found), input, plan.at)?;
    if let Some(hold) = plan.hold.clone().filter(|_| !turn_releases(turn)) {
        state = apply(&state, Input::SetHold(hold), plan.at)?;
    }
    if let Some(Completion::Accepted { evidence }) = &plan.completion {
        state = apply(&state, Input::SetExit(format!("complete: {evidence}")), plan.at)?;
    }
    Ok(state)
}

fn stamp_input(turn: &TurnRecord, plan: &StampPlan, claimed: &ClaimedState, ambient: &Ambient) -> Input {
    // A claim that was made again follows a refusal, and with that the cost was counted.
    let is_again = turn.claimed_state().is_some_and(|own| own.token != claimed.token);
    let spent = if is_again { Usage::default() } else { turn.spent() };
    let outcome = match turn.facts.verdict {
        Some(Verdict::Pass) | None => StampOutcome::Pass {
            commit: plan.commit.clone(),
            prompt: turn
                .selected
                .as_ref()
                .filter(|selected| selected.remembered)
                .and_then(|selected| selected.prompt.as_ref())
                .map(ToString::to_string),
            spent,
        },
        Some(Verdict::Fail) => {
            StampOutcome::Fail { commit: plan.commit.clone(), spent, failure: failure_of(turn, ambient) }
        }
        Some(Verdict::Release) => StampOutcome::Release {
            prior: claimed.before.status,
            spent,
            hold: plan.hold.clone(),
            interrupted: agent_was_interrupted(turn).then(|| ambient.new_hold_id()),
        },
    };
    Input::Stamp(Stamp {
        actor: turn.opening.actor,
        claim_token: claimed.token.clone(),
        token: plan.token.clone(),
        outcome,
    })
}

/// What the other machine is told of a turn that failed; nothing where both seats share a ledger.
fn failure_of(turn: &TurnRecord, ambient: &Ambient) -> Option<TurnFailure> {
    let ended = turn.ended.as_ref().filter(|_| turn.pushed_claim().is_some())?;
    let reason = match ended.cause {
        Cause::Agent => format!("the agent's turn ended `{}`", ended.class),
        Cause::Routing => "no prompt could be chosen".to_owned(),
        Cause::Verification => "verification failed".to_owned(),
    };
    Some(TurnFailure { turn: turn.opening.id.to_string(), host: ambient.host(), reason, waits: false })
}

fn turn_releases(turn: &TurnRecord) -> bool {
    turn.facts.verdict == Some(Verdict::Release)
}

/// An interruption counts only where an agent may have been started.
fn agent_was_interrupted(turn: &TurnRecord) -> bool {
    let interrupted = turn.ended.as_ref().is_some_and(|ended| ended.class == OutcomeClass::Interrupted);
    let exit = turn.ran.as_ref().and_then(|ran| ran.exit.as_ref());
    interrupted && exit.is_some_and(|exit| exit.how != How::NeverStarted)
}

fn in_words(evidence: &Evidence) -> String {
    let verify = match evidence.verify_commands {
        0 => None,
        count => Some(format!("{count} verify command(s) pass")),
    };
    let plan = evidence.plan.as_ref().map(|(plan, _)| format!("every item of {plan} is ticked"));
    let words: Vec<String> = verify.into_iter().chain(plan).collect();
    words.join(", ")
}
