//! A turn whose work must not be published as it is. The agent has finished and was paid for, so that the turn stays open in
//! the journal and waits for a person; the remote is told at once that it failed and where its work waits, and when it
//! can be published the turn is claimed once more and handed over.
//!
//! The three states of such a turn have a token each, journalled before it is pushed: the claim's, the refusal's, and that of
//! the claim made again. Whatever else stands on the remote is somebody else's turn.

use std::time::Duration;

use super::super::RunnerError;
use super::super::commit::short;
use super::super::journal::{ClaimedState, Record, RefusedPlan, TurnRecord};
use super::super::turn::{Runner, Step, TurnKind};
use super::Patiently;
use super::exchange::{Change, Seen, change_seen};
use super::take::not_shared;
use crate::model::{Actor, State, Token, TurnFailure, TurnId};
use crate::publish::{LeftReason, RepoPath, Selection};
use crate::turn::sync::SyncEvent;
use crate::turn::{Input, Refusal, Stamp, StampOutcome, apply};

/// How many paths a message names.
const NAMED_PATHS: usize = 20;
/// Before the remote is told again where the network has not answered.
const TELL_PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// After so long it is left to the next start: the person here waits for what they have to mend.
const TELL_LIMIT: Duration = Duration::from_secs(5);

/// Which of a refused turn's own states stands on the remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The claim: nobody there knows of the refusal.
    Claimed,
    /// The refusal.
    Refused,
    /// The claim that was made again.
    ClaimedAgain,
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
            if turn.refused.is_some() && !turn.claimed_again {
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

    /// Hands on how the commits ended. Where they were refused in role mode, the other side is told first: it would take
    /// the turn for a running one, and wait.
    pub(in super::super) fn tell_refusal(
        &mut self,
        turn: &mut TurnRecord,
        ended: Result<Step, RunnerError>,
    ) -> Result<Step, RunnerError> {
        let reason = ended.as_ref().err().and_then(refusal_in_words);
        let (Some(reason), Some(_)) = (reason, turn.pushed_claim()) else { return ended };
        if turn.refusal_stands {
            return ended;
        }
        match self.stand_failed(turn, reason) {
            Ok(_) => turn.refusal_stands = true,
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

    fn stand_failed(&mut self, turn: &mut TurnRecord, reason: &str) -> Result<Seen, RunnerError> {
        self.lease = None;
        if turn.refused.is_none() {
            let Some(claimed) = turn.claimed_state() else { return Err(not_shared()) };
            let plan = RefusedPlan {
                claim: claimed.token.clone(),
                token: self.ambient.new_token(),
                failure: TurnFailure {
                    turn: turn.opening.id.to_string(),
                    host: self.ambient.host(),
                    reason: reason.to_owned(),
                    waits: true,
                },
            };
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

    /// Sees to it that the refusal stands on the remote.
    fn put_refusal(&mut self, turn: &TurnRecord) -> Result<Seen, RunnerError> {
        let Some(plan) = turn.refused.clone() else { return Err(not_shared()) };
        loop {
            let seen = self.look()?;
            match standing(turn, &seen) {
                Some(Standing::Refused) => return Ok(seen),
                Some(Standing::Claimed) => {}
                Some(Standing::ClaimedAgain) | None => return self.fence(turn, &seen).map(|_| seen),
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
            if let Some(seen) = self.change_own(seen, &change)? {
                return Ok(seen);
            }
        }
    }

    /// A change that rests on one of our tokens; `None`: it was gone by then, and the branch wants another look.
    fn change_own(&mut self, seen: Seen, change: &Change<'_>) -> Result<Option<Seen>, RunnerError> {
        let (Some(repo), Some(exchange)) = (&self.workspace.repo, &mut self.exchange) else {
            return Err(not_shared());
        };
        match change_seen(exchange, repo, seen, change) {
            Ok(seen) => Ok(Some(seen.ok_or_else(not_shared)?)),
            Err(RunnerError::Refused(refusal)) if matches!(*refusal, Refusal::Fenced { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Before a refused turn's work is handed over, the turn is claimed once more. `None`: it was not refused.
    pub(super) fn claim_again(
        &mut self,
        turn: &mut TurnRecord,
    ) -> Result<Patiently<Option<Seen>>, RunnerError> {
        if turn.refused.is_none() {
            return Ok(Patiently::Done(None));
        }
        let claimed = match self.patiently(|runner| runner.put_claim_again(turn))? {
            Patiently::Done(seen) => seen,
            Patiently::Interrupted => return Ok(Patiently::Interrupted),
        };
        if self.lease.is_none() {
            self.keep_lease(turn)?;
        }
        Ok(Patiently::Done(Some(claimed)))
    }

    fn put_claim_again(&mut self, turn: &mut TurnRecord) -> Result<Seen, RunnerError> {
        loop {
            let mut seen = self.look()?;
            match standing(turn, &seen) {
                Some(Standing::ClaimedAgain) => return Ok(seen),
                Some(Standing::Refused) => {}
                // Whether the refusal is on its way nobody knows: arriving later, it would fence us off.
                Some(Standing::Claimed) => seen = self.put_refusal(turn)?,
                None => return self.fence(turn, &seen).map(|_| seen),
            }
            let refused = turn.refused.as_ref().map(|plan| plan.token.clone()).ok_or_else(not_shared)?;
            let now = self.ambient.now();
            let token = match turn.claimed_state() {
                Some(claimed) if turn.claimed_again => claimed.token.clone(),
                Some(_) | None => self.ambient.new_token(),
            };
            let input = self.claim_input(turn, TurnKind::Again, &token, now);
            if !turn.claimed_again {
                let found = seen.state.as_ref().ok_or_else(not_shared)?;
                let after = apply(found, input.clone(), now)?;
                let before = turn.claimed_state().ok_or_else(not_shared)?.before.clone();
                let claimed = ClaimedState { before, after, token };
                self.journal_begin(turn, Record::ClaimedAgain(Box::new(claimed)))?;
            }
            let actor = turn.opening.actor;
            let change = Change {
                event: &|_, after| SyncEvent::Claimed { iteration: after.iteration, actor },
                apply: &|state| {
                    if state.token.as_ref() == Some(&refused) {
                        return apply(state, input.clone(), now);
                    }
                    let found = state.token.as_ref().map_or_else(|| "none".to_owned(), Token::to_string);
                    Err(Refusal::Fenced { actor, ours: refused.clone(), found })
                },
                initial: None,
                only_initial: false,
            };
            if let Some(seen) = self.change_own(seen, &change)? {
                return Ok(seen);
            }
        }
    }
}

/// Whether the state on the remote is one of this turn's own; notes whether a refusal stands there.
pub(super) fn is_ours_there(turn: &mut TurnRecord, seen: &Seen) -> bool {
    let standing = standing(turn, seen);
    turn.refusal_stands = standing == Some(Standing::Refused);
    standing.is_some()
}

fn standing(turn: &TurnRecord, seen: &Seen) -> Option<Standing> {
    let found = seen.state.as_ref().and_then(|state| state.token.as_ref())?;
    let claimed = turn.claimed_state().map(|claimed| &claimed.token);
    match &turn.refused {
        Some(plan) if *found == plan.token => Some(Standing::Refused),
        Some(plan) if *found == plan.claim => Some(Standing::Claimed),
        Some(_) if turn.claimed_again && Some(found) == claimed => Some(Standing::ClaimedAgain),
        None if Some(found) == claimed => Some(Standing::Claimed),
        Some(_) | None => None,
    }
}

/// What the other machine is told of an error that a person must mend here; `None`: it is of another kind. No path and
/// nothing that was found is in it.
fn refusal_in_words(error: &RunnerError) -> Option<&'static str> {
    match error {
        RunnerError::Secrets(_) => Some("refused to publish what looks like secrets"),
        RunnerError::Scanner { .. } => Some("refused to publish what the scanner for secrets objects to"),
        RunnerError::OthersPaths { .. } => Some("refused to publish what the other seat publishes"),
        RunnerError::Unpublishable { .. } => Some("refused to publish the work as it is"),
        _ => None,
    }
}
