//! A turn that was taken away: nothing of it is published, and its commits are put aside under a name.

use super::super::RunnerError;
use super::super::journal::TurnRecord;
use super::super::turn::{Runner, Step};
use super::Patiently;
use super::exchange::Seen;
use super::take::not_shared;
use crate::model::Token;
use crate::publish::ObjectId;
use crate::repo::Brought;
use crate::turn::{Phase, Refusal};

impl Runner<'_> {
    /// Before a turn of an earlier process goes on: is it still ours on the remote? Where the network does not answer, an
    /// agent that has been started is watched on: its publication will ask again.
    pub(in super::super) fn check_still_ours_there(
        &mut self,
        turn: &mut TurnRecord,
    ) -> Result<Step, RunnerError> {
        // Begun, the publication looks for its own stamp; a claim that was not settled looks for itself.
        if !turn.facts.is_done(Phase::Claimed) || turn.publish.is_some() {
            return Ok(Step::Go);
        }
        let Some(claimed) = turn.claimed_state().cloned() else { return Ok(Step::Go) };
        let agent_was_started = turn.run.is_some() || turn.select.is_some();
        let seen = if agent_was_started {
            match self.look() {
                Ok(seen) => seen,
                Err(error) if error.is_outage() => {
                    self.keep_lease(turn)?;
                    return Ok(Step::Go);
                }
                Err(error) => return Err(error),
            }
        } else {
            match self.patiently(Self::look)? {
                Patiently::Done(seen) => seen,
                Patiently::Interrupted => return Ok(self.suspended()),
            }
        };
        if seen.state.as_ref().and_then(|state| state.token.as_ref()) == Some(&claimed.token) {
            self.keep_lease(turn)?;
            return Ok(Step::Go);
        }
        self.fence(turn, &seen)
    }

    /// Ends a turn that is not ours any more: its agent, its records, and the local branch goes back to the remote's.
    pub(super) fn fence(&mut self, turn: &TurnRecord, seen: &Seen) -> Result<Step, RunnerError> {
        self.lease = None;
        let found = seen.state.as_ref().and_then(|state| state.token.as_ref());
        let Some(claimed) = turn.claimed_state() else { return Err(not_shared()) };
        let refusal = Refusal::Fenced {
            actor: turn.opening.actor,
            ours: claimed.token.clone(),
            found: found.map_or_else(|| "none".to_owned(), Token::to_string),
        };
        self.end_attempts(turn)?;
        if let Some(kept) = self.put_aside(turn, &seen.tip)? {
            self.warn(&format!(
                "the turn's commits are kept as {kept}: `git log {kept}` shows them, `git cherry-pick` takes them"
            ));
        }
        self.close_fenced(turn, &refusal)?;
        Err(refusal.into())
    }

    /// Names the commits that are not on the remote, and lets the branch go back to where the remote is.
    fn put_aside(&mut self, turn: &TurnRecord, tip: &ObjectId) -> Result<Option<String>, RunnerError> {
        let (repo, exchange) = self.parts()?;
        let head = repo.head()?;
        let branch = turn.pushed_claim().and_then(|pushed| pushed.from.branch.clone());
        if repo.contains(tip, &head.commit)? {
            return Ok(None);
        }
        let name = repo.keep_work(turn.opening.id, &head.commit)?;
        let own = std::slice::from_ref(&exchange.file);
        if head.branch == branch
            && let Ok(Brought::Overlaps(_)) | Err(_) = repo.bring_to(&head, tip, own, "baton: fenced off")
        {
            let (remote, branch) = (exchange.name().to_owned(), exchange.branch.clone());
            self.warn(&format!(
                "`{branch}` still has them too, since files are changed here: `git reset --keep {remote}/{branch}` after \
                 `git fetch {remote}` takes them off it"
            ));
        }
        Ok(Some(name))
    }
}
