//! Work and stamp in one push. Where others were faster, the work is put on top of theirs and stamped anew, as long as
//! the turn is still ours.

use super::super::RunnerError;
use super::super::commit::short;
use super::super::journal::{
    ClaimedState, Completion, PublishPlan, Published, Record, StampPlan, TurnRecord,
};
use super::super::notes::notes_for_other;
use super::super::stamp::stamped_state;
use super::super::turn::{Runner, Step};
use super::Patiently;
use super::claim::Way;
use super::error::SyncError;
use super::exchange::{Seen, refused, too_busy};
use super::take::not_shared;
use super::work::Source;
use crate::model::{Actor, State, Verdict};
use crate::publish::ObjectId;
use crate::repo::{PushKind, Pushed, Replayed};
use crate::state;
use crate::turn::sync::{Answer, Backoff, Contest, PublishFate, SyncEvent, decide_publish, sync_message};
use crate::turn::{Phase, decide_blocked};

/// What stands on the remote, as far as the next push builds on it.
pub(super) struct Onto {
    pub(super) tip: ObjectId,
    pub(super) state: State,
}

/// What is pushed next.
pub(super) enum Publication {
    /// The commit that was pushed before.
    Same(PublishPlan),
    /// One that is made on top of this.
    On(Box<Onto>),
}

impl Runner<'_> {
    /// The stamp is decided; what it is put on, and the commit, is the publication's business.
    pub(in super::super) fn stamp_for_remote(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        if turn.stamp.is_none() {
            let plan = self.plan_stamp(turn)?;
            self.journal_begin(turn, Record::StampBegin(Box::new(plan)))?;
        }
        self.journal_done(turn, Record::StampDone)?;
        Ok(Step::Go)
    }

    pub(in super::super) fn publish(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let Some(pushed) = turn.pushed_claim().cloned() else { return Ok(Step::Go) };
        let Some(claimed) = turn.claimed_state().cloned() else { return Ok(Step::Go) };
        if turn.refused.is_some() {
            return self.publish_refused(turn);
        }
        let onto = Onto { tip: pushed.commit, state: claimed.after };
        self.push_stamp(turn, Publication::On(Box::new(onto)))
    }

    /// A stamp that was begun: perhaps it is there already.
    pub(in super::super) fn examine_publication(
        &mut self,
        turn: &mut TurnRecord,
    ) -> Result<Step, RunnerError> {
        let Some(plan) = turn.publish.clone().filter(|_| turn.refused.is_none()) else {
            return self.publish(turn);
        };
        let looked = self.look_for_stamp(turn, &plan, Answer::Unknown)?;
        let next = match looked {
            Patiently::Interrupted => return Ok(self.suspended()),
            Patiently::Done((PublishFate::Published, _)) => return self.finish_publication(turn, &plan),
            Patiently::Done((PublishFate::Fenced, seen)) => return self.fence(turn, &seen),
            Patiently::Done((PublishFate::PushAgain | PublishFate::Look, _)) => Publication::Same(plan),
            Patiently::Done((PublishFate::Rebuild, seen)) => Publication::On(Box::new(onto(turn, seen)?)),
        };
        self.push_stamp(turn, next)
    }

    pub(super) fn push_stamp(
        &mut self,
        turn: &mut TurnRecord,
        first: Publication,
    ) -> Result<Step, RunnerError> {
        let (mut next, mut backoff, mut outage) = (first, Backoff::for_push(), None);
        let (mut contest, clock) = (Contest::new(self.longest_wait()), self.ambient.stopwatch());
        loop {
            let plan = match next {
                // A push whose answer was lost may still arrive: no other commit takes its place.
                Publication::Same(plan) => plan,
                Publication::On(onto) => {
                    let plan = self.plan_publication(turn, &onto)?;
                    self.journal_begin(turn, Record::PublishBegin(plan.clone()))?;
                    plan
                }
            };
            // Work goes through the hooks that the repository has for it.
            let kind = if turn.passed() { PushKind::Work } else { PushKind::Turn };
            let (_, exchange) = self.parts()?;
            let mut failed = None;
            let (answer, refusal) = match exchange.remote.push(&plan.commit, Some(&plan.onto), kind) {
                Ok(Pushed::Accepted) => (Answer::Accepted, None),
                Ok(Pushed::Refused(refusal)) => (Answer::Refused, Some(refusal)),
                Err(error) if error.may_have_arrived() => {
                    failed = Some(error);
                    (Answer::Unknown, None)
                }
                Err(error) => return Err(error.into()),
            };
            self.crash_point(Phase::Published, "pushed");
            if answer == Answer::Accepted {
                return self.finish_publication(turn, &plan);
            }
            let (fate, seen) = match self.look_for_stamp(turn, &plan, answer)? {
                Patiently::Interrupted => return Ok(self.suspended()),
                Patiently::Done(looked) => looked,
            };
            next = match fate {
                PublishFate::Published => return self.finish_publication(turn, &plan),
                PublishFate::Fenced => return self.fence(turn, &seen),
                PublishFate::PushAgain | PublishFate::Look => Publication::Same(plan),
                PublishFate::Rebuild => Publication::On(Box::new(onto(turn, seen)?)),
            };
            if let (Publication::Same(_), Some(refusal)) =
                (&next, refusal.as_ref().filter(|it| !it.may_pass()))
            {
                return Err(self.not_taken(turn, refusal.clone())?.into());
            }
            if let (Publication::Same(_), Some(error)) = (&next, failed) {
                match self.sit_out(&mut outage, error.into())? {
                    Patiently::Done(()) => continue,
                    Patiently::Interrupted => return Ok(self.suspended()),
                }
            }
            let random = self.ambient.random();
            let wait = match &next {
                Publication::Same(_) => backoff.next_wait(random),
                Publication::On(_) => contest.next_wait(clock.elapsed(), random),
            };
            let Some(wait) = wait else {
                return Err(match (&next, refusal) {
                    (Publication::Same(_), Some(refusal)) => refused("the work", refusal).into(),
                    (Publication::Same(_), None) => too_busy(self.parts()?.1, "the work").into(),
                    (Publication::On(_), _) => self.overtaken(turn, contest.lost(), clock.elapsed())?.into(),
                });
            };
            if !self.pause(wait) {
                return Ok(self.suspended());
            }
        }
    }

    /// Whether the stamp stands, from a look at the remote.
    fn look_for_stamp(
        &mut self,
        turn: &TurnRecord,
        plan: &PublishPlan,
        answer: Answer,
    ) -> Result<Patiently<(PublishFate, Seen)>, RunnerError> {
        let Some(stamp) = turn.stamp.clone() else { return Ok(Patiently::Interrupted) };
        self.patiently(|runner| {
            let seen = runner.look()?;
            let (repo, _) = runner.parts()?;
            let tip = seen.after_push(repo, &plan.commit, &plan.onto)?;
            runner.refuse_rewritten(turn, &seen, tip.contains_ours)?;
            Ok((decide_publish(answer, Some(&tip), &turn.standing_tokens(), &stamp.token), seen))
        })
    }

    /// A branch that was rewritten on the remote has lost our claim: whose work is on it cannot be told.
    pub(super) fn refuse_rewritten(
        &self,
        turn: &TurnRecord,
        seen: &Seen,
        published: bool,
    ) -> Result<(), RunnerError> {
        let Some(pushed) = turn.pushed_claim().filter(|_| !published) else { return Ok(()) };
        let (repo, exchange) = self.parts()?;
        if repo.contains(&seen.tip, &pushed.commit)? {
            return Ok(());
        }
        Err(SyncError::Rewritten {
            remote: exchange.name().to_owned(),
            branch: exchange.branch.clone(),
            lost: short(pushed.commit.as_str()).to_owned(),
            what: "is the claim of the running turn",
        }
        .into())
    }

    /// The commit that hands the turn over, on top of what stands on the remote.
    fn plan_publication(&mut self, turn: &mut TurnRecord, onto: &Onto) -> Result<PublishPlan, RunnerError> {
        let (Some(pushed), Some(claimed), Some(mut stamp)) =
            (turn.pushed_claim().cloned(), turn.claimed_state().cloned(), turn.stamp.clone())
        else {
            return Err(not_shared());
        };
        let from = self.parts()?.0.head()?;
        let work = self.work_to_publish(turn, &from, &onto.tip)?;
        stamp.commit = Some(short(work.tip.as_str()).to_owned());
        if work.source == Source::Mended {
            refuse_completion(&mut stamp, "a person has mended the work when it was to be published");
        } else if onto.tip != pushed.commit && self.brings_others_work(&pushed.commit, &onto.tip)? {
            refuse_completion(&mut stamp, "others' changes came in while the turn was published");
        }
        let (mut parent, mut running) = (work.tip.clone(), claimed.clone());
        let mut there = onto.state.clone();
        if turn.is_refused_in(&onto.state) {
            running = self.claim_again(turn, &claimed, &onto.state)?;
            there = running.after.clone();
            let (repo, exchange) = self.parts()?;
            let event = SyncEvent::Claimed { iteration: there.iteration, actor: turn.opening.actor };
            let message = sync_message(&event, Some(turn.opening.id));
            parent = exchange.write(repo, &parent, &there, &message)?;
        }
        let found = self.found_for_stamp(turn, &claimed, &there);
        let mut state = stamped_state(turn, &stamp, &running, &found, self.ambient)?;
        state.notes = notes_for_other(turn, &self.masker);
        self.masker.mask_in_place(&mut state.exit_reason);
        state.holds.iter_mut().for_each(|hold| self.masker.mask_in_place(&mut hold.reason));
        self.refuse_pass_to_peer(turn, &claimed, &state)?;
        let (repo, exchange) = self.parts()?;
        let own = std::slice::from_ref(&exchange.file);
        let message = sync_message(&event_of(turn, &state, &stamp), Some(turn.opening.id));
        let commit = exchange.write(repo, &parent, &state, &message)?;
        let to = match turn.committed.fingerprint.as_ref().filter(|_| turn.passed()) {
            Some(_) if work.source == Source::Mended => Some(commit.clone()),
            Some(committed) if committed.head == from.commit => Some(commit.clone()),
            Some(committed) => target(repo.replay(&committed.head, &from.commit, &commit, own)?),
            None => match self.way(repo, &from.commit, &onto.tip, &commit)? {
                Way::To(to) => Some(to),
                Way::Blocked(_) => None,
            },
        };
        turn.stamp = Some(stamp);
        Ok(PublishPlan { commit, onto: onto.tip.clone(), from, to })
    }

    /// The remote's state under our claim, with what the agent may say in its own copy.
    fn found_for_stamp(&mut self, turn: &TurnRecord, claimed: &ClaimedState, remote: &State) -> State {
        let mut found = remote.clone();
        // Everything but `exit` and the holds is put back from the claim.
        match std::fs::read(self.workspace.state.path()).ok().map(|bytes| state::parse(&bytes)) {
            Some(Ok(here)) if here.token.as_ref() == Some(&claimed.token) && here.exit && !found.exit => {
                found.exit = true;
                found.exit_reason = here.exit_reason;
            }
            Some(Err(_)) if turn.publish.is_none() => {
                self.warn(
                    "the agent has left something in the state file that is none; what it says is ignored",
                );
            }
            _ => {}
        }
        found
    }

    /// Whether anything but the state differs.
    fn brings_others_work(&self, before: &ObjectId, after: &ObjectId) -> Result<bool, RunnerError> {
        let (repo, exchange) = self.parts()?;
        Ok(repo.paths_between(before, after)?.iter().any(|path| *path != exchange.file))
    }

    /// The earlier scripts would claim whatever hold stands.
    fn refuse_pass_to_peer(
        &self,
        turn: &TurnRecord,
        claimed: &ClaimedState,
        state: &State,
    ) -> Result<(), RunnerError> {
        let by_peer = claimed.before.schema_version == 0 && claimed.before.last_update.is_some();
        if !by_peer || !turn.passed() || !peer_has_written(claimed) {
            return Ok(());
        }
        let mut unblocked = state.clone();
        unblocked.exit = false;
        if let Some(crate::turn::Blocked::Held { holds }) = decide_blocked(&unblocked, self.ambient.now()) {
            let holds: Vec<String> =
                holds.iter().map(|hold| format!("{} ({})", hold.reason, hold.kind)).collect();
            return Err(SyncError::HeldFromPeer { holds: holds.join("; ") }.into());
        }
        Ok(())
    }

    /// `Err`: why not, and what to do. The next turn here has the same to do first, and is refused what is refused here.
    fn bring_publication(&mut self, plan: &PublishPlan) -> Result<Result<(), String>, RunnerError> {
        let Some(to) = &plan.to else {
            let (_, exchange) = self.parts()?;
            let (remote, branch) = (exchange.name(), &exchange.branch);
            return Ok(Err(format!(
                "`git pull --rebase {remote} {branch}` brings them together (`git stash` before it, where files are \
                 changed): commits here do not fit on what is new there"
            )));
        };
        Ok(self.bring(&plan.from, to, "published").map_err(|error| {
            let why = super::super::select::error_chain(&error);
            format!("the next turn here brings it along, when nothing is in the way any more: {why}")
        }))
    }

    /// The remote has it: the branch and the files here follow.
    pub(super) fn finish_publication(
        &mut self,
        turn: &mut TurnRecord,
        plan: &PublishPlan,
    ) -> Result<Step, RunnerError> {
        // Until now: a publication that waits for the network is at work too.
        self.lease = None;
        self.crash_point(Phase::Published, "accepted");
        if let Err(why) = self.bring_publication(plan)? {
            let (_, exchange) = self.parts()?;
            self.warn(&format!(
                "the turn is published, but `{}` here could not follow; {why}",
                exchange.branch
            ));
        }
        let (repo, _) = self.parts()?;
        let ahead = repo.commits_between(&plan.commit, &repo.head()?.commit).unwrap_or_default();
        let ahead = if turn.passed() { Vec::new() } else { ahead };
        let ahead = ahead.into_iter().map(|commit| commit.id.to_string()).collect();
        self.journal_done(turn, Record::PublishDone(Published { commit: plan.commit.clone(), ahead }))?;
        Ok(Step::Go)
    }
}

pub(super) fn onto(turn: &TurnRecord, seen: Seen) -> Result<Onto, RunnerError> {
    let state = seen.state.or_else(|| turn.claimed_state().map(|claimed| claimed.after.clone()));
    Ok(Onto { tip: seen.tip, state: state.ok_or_else(not_shared)? })
}

fn target(replayed: Replayed) -> Option<ObjectId> {
    match replayed {
        Replayed::Tip(tip) => Some(tip),
        Replayed::Conflict { .. } => None,
    }
}

/// A state without our fields is the earlier scripts' once the other seat has had a turn under them.
fn peer_has_written(claimed: &ClaimedState) -> bool {
    match claimed.after.expected_actor {
        Actor::Galph => claimed.before.ralph_commit.is_some(),
        Actor::Ralph => claimed.before.galph_commit.is_some(),
    }
}

/// Evidence for a tree is none for another one.
fn refuse_completion(stamp: &mut StampPlan, why: &str) {
    if let Some(Completion::Accepted { .. }) = stamp.completion {
        let reason = format!("{why}, so what was verified is not what is published; promise it again");
        stamp.completion = Some(Completion::Refused { reason });
    }
}

fn event_of(turn: &TurnRecord, state: &State, stamp: &StampPlan) -> SyncEvent {
    let (actor, iteration, commit) = (turn.opening.actor, state.iteration, stamp.commit.clone());
    match turn.facts.verdict {
        Some(Verdict::Pass) | None => SyncEvent::Passed { iteration, actor, commit },
        Some(Verdict::Fail) => SyncEvent::Failed { iteration, actor, commit },
        Some(Verdict::Release) => SyncEvent::Released { iteration, actor },
    }
}
