//! A turn whose work must not be published as it is: at its commit, or only when it is to be handed over, since others have
//! pushed or a hook says no. The agent has finished and was paid for, so that the turn stays open in the journal and waits
//! for a person; the remote is told at once that it failed and where its work waits.
//!
//! The states of such a turn have a token each, journalled before it is pushed: the claim's, the refusal's, the stamp's.
//! Whatever else stands on the remote is somebody else's turn. When the work is mended, the turn is claimed again and
//! handed over in one push: there is no moment in which it runs and nobody is at work.

use std::time::Duration;

use super::super::RunnerError;
use super::super::commit::short;
use super::super::journal::{ClaimedState, PublishPlan, Record, RefusedPlan, TurnRecord};
use super::super::turn::{Runner, Step, TurnKind};
use super::Patiently;
use super::error::SyncError;
use super::exchange::{Change, Seen, change_seen};
use super::publish::{Publication, onto};
use super::take::not_shared;
use crate::model::{Actor, State, TurnFailure, TurnId};
use crate::publish::{LeftReason, RepoPath, Selection};
use crate::repo::RefusalKind;
use crate::turn::sync::{RefusalFate, SyncEvent, Tip, decide_refusal};
use crate::turn::{Input, Phase, Refusal, Stamp, StampOutcome, apply};

/// How many paths a message names.
const NAMED_PATHS: usize = 20;
/// Before the remote is told again where the network has not answered.
const TELL_PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// After so long it is left to the next start: the person here waits for what they have to mend.
const TELL_LIMIT: Duration = Duration::from_secs(5);

/// What stands on the remote of a refused turn.
enum Told {
    /// The refusal.
    Stands,
    /// The work: it had arrived before it was refused.
    Published(Box<PublishPlan>),
}

impl Runner<'_> {
    /// Lets turns pass although galph has changed what it does not publish.
    #[must_use]
    pub const fn tolerating_others_paths(mut self) -> Self {
        self.tolerates_others_paths = true;
        self
    }

    /// The open turn of this seat whose work was refused here and waits for a person.
    pub fn refused_turn(&self, seat: Actor) -> Result<Option<TurnId>, RunnerError> {
        for turn in self.workspace.ledger.open_turns()? {
            let (id, opening) = (turn.opening.id, turn.opening);
            if opening.actor != seat {
                continue;
            }
            let records = self.workspace.ledger.phases(id)?;
            let turn = TurnRecord::fold(opening, &records)
                .map_err(|source| RunnerError::Journal { turn: id, source })?;
            if turn.refused.is_some() && !turn.is_mended {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Refuses galph's turn where it has changed paths that only the other seat publishes: on another machine nobody
    /// would see them. Nothing is committed, everything stays in the tree.
    pub(in super::super) fn refuse_others_paths(
        &self,
        turn: &TurnRecord,
        selection: &Selection,
    ) -> Result<(), RunnerError> {
        let is_galphs = turn.opening.actor == Actor::Galph && turn.pushed_claim().is_some();
        if !is_galphs || self.tolerates_others_paths {
            return Ok(());
        }
        let others =
            |(path, reason): (_, &LeftReason)| matches!(reason, LeftReason::NotThisActor(_)).then_some(path);
        let paths: Vec<String> = selection
            .outside_categories()
            .filter_map(others)
            .map(|path: &RepoPath| path.to_string())
            .collect();
        if paths.is_empty() {
            return Ok(());
        }
        let named = paths[..paths.len().min(NAMED_PATHS)].join(", ");
        let more = paths.len().saturating_sub(NAMED_PATHS);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        Err(RunnerError::OthersPaths { actor: turn.opening.actor, paths: named + &more })
    }

    /// Hands on how commits or publication ended. Where the work was refused in role mode, the other side is told first: it
    /// would take the turn for a running one, and wait.
    pub(in super::super) fn tell_refusal(
        &mut self,
        turn: &mut TurnRecord,
        ended: Result<Step, RunnerError>,
    ) -> Result<Step, RunnerError> {
        let reason = ended.as_ref().err().and_then(refusal_in_words);
        let (Some(reason), Some(_)) = (reason, turn.pushed_claim()) else { return ended };
        if turn.refusal_stands && !turn.is_mended {
            return ended;
        }
        match self.stand_failed(turn, reason) {
            Ok(Told::Stands) => turn.refusal_stands = true,
            Ok(Told::Published(plan)) => return self.finish_publication(turn, &plan),
            // The turn is not ours any more: that counts for more than what it held.
            Err(fenced @ RunnerError::Refused(_)) => return Err(fenced),
            Err(error) => self.warn(&format!(
                "the other side could not be told that this turn is refused, and takes it for running until the next start \
                 here ({})",
                super::super::select::error_chain(&error)
            )),
        }
        ended
    }

    fn stand_failed(&mut self, turn: &mut TurnRecord, reason: &str) -> Result<Told, RunnerError> {
        self.lease = None;
        if turn.refused.is_none() || turn.is_mended {
            let plan = self.plan_refusal(turn, reason)?;
            self.journal_begin(turn, Record::Refused(plan))?;
        }
        let clock = self.ambient.stopwatch();
        for pause in TELL_PAUSES {
            match self.put_refusal(turn) {
                Err(error) if error.is_outage() && clock.elapsed() < TELL_LIMIT && self.pause(pause) => {}
                told => return told,
            }
        }
        self.put_refusal(turn)
    }

    /// The same once more where what was mended is refused again: the remote says it already.
    fn plan_refusal(&self, turn: &TurnRecord, reason: &str) -> Result<RefusedPlan, RunnerError> {
        let at = if turn.facts.is_done(Phase::Committed) { Phase::Published } else { Phase::Committed };
        if let Some(plan) = turn.refused.clone() {
            return Ok(RefusedPlan { at, ..plan });
        }
        let claimed = turn.claimed_state().ok_or_else(not_shared)?;
        Ok(RefusedPlan {
            at,
            claim: claimed.token.clone(),
            token: self.ambient.new_token(),
            failure: TurnFailure {
                turn: turn.opening.id.to_string(),
                host: self.ambient.host(),
                reason: reason.to_owned(),
                waits: true,
            },
        })
    }

    /// Sees to it that the refusal stands on the remote, unless the work does.
    fn put_refusal(&mut self, turn: &TurnRecord) -> Result<Told, RunnerError> {
        let Some(plan) = turn.refused.clone() else { return Err(not_shared()) };
        loop {
            let seen = self.look()?;
            match (self.fate_of_refusal(turn, &seen)?, &turn.publish) {
                (RefusalFate::Stands, _) => return Ok(Told::Stands),
                (RefusalFate::Published, Some(publish)) => {
                    return Ok(Told::Published(Box::new(publish.clone())));
                }

                (RefusalFate::Tell, _) => {}
                (RefusalFate::Fenced | RefusalFate::Published, _) => {
                    return self.fence(turn, &seen).map(|_| Told::Stands);
                }
            }
            let (actor, now) = (turn.opening.actor, self.ambient.now());
            let stamp = Stamp {
                actor,
                claim_token: plan.claim.clone(),
                token: plan.token.clone(),
                outcome: StampOutcome::Fail {
                    commit: Some(short(seen.tip.as_str()).to_owned()),
                    spent: turn.spent(),
                    failure: Some(plan.failure.clone()),
                },
            };
            let event = |_: &State, after: &State| SyncEvent::Failed {
                iteration: after.iteration,
                actor,
                commit: match actor {
                    Actor::Galph => after.galph_commit.clone(),
                    Actor::Ralph => after.ralph_commit.clone(),
                },
            };
            let change = Change {
                event: &event,
                apply: &|state| apply(state, Input::Stamp(stamp.clone()), now),
                initial: None,
                only_initial: false,
            };
            if self.change_own(seen, &change)? {
                return Ok(Told::Stands);
            }
        }
    }

    fn fate_of_refusal(&self, turn: &TurnRecord, seen: &Seen) -> Result<RefusalFate, RunnerError> {
        let (repo, _) = self.parts()?;
        let claimed = turn.claimed_state().ok_or_else(not_shared)?;
        let contains_ours = match &turn.publish {
            Some(plan) => repo.contains(&seen.tip, &plan.commit)?,
            None => false,
        };
        self.refuse_rewritten(turn, seen, contains_ours)?;
        let token = seen.state.as_ref().and_then(|state| state.token.as_ref());
        let tip = Tip { contains_ours, is_expected: false, token };
        let refusal = turn.refused.as_ref().map(|plan| &plan.token);
        let stamp = turn.stamp.as_ref().map(|plan| &plan.token);
        Ok(decide_refusal(&tip, &claimed.token, refusal, stamp))
    }

    /// A change that rests on our token; `false`: it was gone by then, and the branch wants another look.
    fn change_own(&mut self, seen: Seen, change: &Change<'_>) -> Result<bool, RunnerError> {
        let (Some(repo), Some(exchange)) = (&self.workspace.repo, &mut self.exchange) else {
            return Err(not_shared());
        };
        match change_seen(exchange, repo, seen, change) {
            Ok(seen) => seen.map(|_| true).ok_or_else(not_shared),
            Err(RunnerError::Refused(refusal)) if matches!(*refusal, Refusal::Fenced { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Hands a refused turn over, on top of its refusal or, where nobody was told of that, of its claim.
    pub(super) fn publish_refused(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let looked = self.patiently(|runner| {
            let seen = runner.look()?;
            Ok((runner.fate_of_refusal(turn, &seen)?, seen))
        })?;
        let (fate, seen) = match looked {
            Patiently::Interrupted => return Ok(self.suspended()),
            Patiently::Done(looked) => looked,
        };
        match (fate, turn.publish.clone()) {
            (RefusalFate::Stands, _) => turn.refusal_stands = true,
            (RefusalFate::Tell, _) => {}
            (RefusalFate::Published, Some(plan)) => return self.finish_publication(turn, &plan),
            (RefusalFate::Fenced | RefusalFate::Published, _) => return self.fence(turn, &seen),
        }
        let here = self.parts()?.0.head()?.commit;
        // A push whose answer was lost may still arrive: only what a person has mended since takes its place.
        let same = turn.publish.clone().filter(|plan| plan.onto == seen.tip && plan.from.commit == here);
        let first = match same {
            Some(plan) => Publication::Same(plan),
            None => Publication::On(Box::new(onto(turn, seen)?)),
        };
        self.push_stamp(turn, first)
    }

    /// The claim of a refused turn that is made again, from the refusal's state.
    pub(super) fn claim_again(
        &self,
        turn: &TurnRecord,
        claimed: &ClaimedState,
        found: &State,
    ) -> Result<ClaimedState, RunnerError> {
        let (now, token) = (self.ambient.now(), self.ambient.new_token());
        let after = apply(found, self.claim_input(turn, TurnKind::Again, &token, now), now)?;
        Ok(ClaimedState { before: claimed.before.clone(), after, token })
    }
}

/// Whether the state on the remote is one of this turn's own; notes whether a refusal stands there.
pub(super) fn is_ours_there(turn: &mut TurnRecord, seen: &Seen) -> bool {
    let found = seen.state.as_ref().and_then(|state| state.token.as_ref());
    let refusal = turn.refused.as_ref().map(|plan| &plan.token);
    turn.refusal_stands = refusal.is_some() && found == refusal;
    let claim = turn.claimed_state().map(|claimed| &claimed.token);
    turn.refusal_stands || (found.is_some() && found == claim)
}

/// What the other machine is told of an error that a person must mend here; `None`: it is of another kind. No path and
/// nothing that was found is in it.
fn refusal_in_words(error: &RunnerError) -> Option<&'static str> {
    match error {
        RunnerError::Secrets(_) => Some("refused to publish what looks like secrets"),
        RunnerError::Scanner { .. } => Some("refused to publish what the scanner for secrets objects to"),
        RunnerError::OthersPaths { .. } => Some("refused to publish what the other seat publishes"),
        RunnerError::Unpublishable { .. } => Some("refused to publish the work as it is"),
        RunnerError::Sync(error) => match error.as_ref() {
            SyncError::WorkConflict { .. } => Some("met a conflict with what others have pushed"),
            SyncError::WorkRefused { refusal, .. } if refusal.kind == RefusalKind::Hook => {
                Some("was kept from pushing the work by a hook")
            }
            SyncError::WorkRefused { .. } => Some("was not allowed to push the work"),
            _ => None,
        },
        _ => None,
    }
}
