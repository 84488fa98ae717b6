//! A turn that was taken away: nothing of it is published, and its commits are put aside under a name.

use super::super::RunnerError;
use super::super::journal::TurnRecord;
use super::super::turn::{Runner, Step};
use super::Patiently;
use super::exchange::Seen;
use super::refused::is_ours_there;
use super::take::not_shared;
use crate::model::Token;
use crate::publish::{DirtyRecord, ObjectId};
use crate::repo::Brought;
use crate::turn::{Phase, Refusal};

/// How many paths a message names.
const NAMED_PATHS: usize = 20;

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
        let agent_was_started = turn.run.is_some() || turn.select.is_some();
        let seen = if agent_was_started {
            match self.look() {
                Ok(seen) => seen,
                Err(error) if error.is_outage() => {
                    // Under the token of a refusal nothing runs.
                    if turn.refused.is_none() {
                        self.keep_lease(turn)?;
                    }
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
        if !is_ours_there(turn, &seen) {
            return self.fence(turn, &seen);
        }
        if !turn.refusal_stands {
            self.keep_lease(turn)?;
        }
        Ok(Step::Go)
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
        self.put_aside(turn, &seen.tip)?;
        self.close_fenced(turn, &refusal)?;
        Err(refusal.into())
    }

    /// Names what the turn has made and the remote does not have, committed or not, and lets the branch go back to where
    /// the remote is. Uncommitted files stay where they are: some may be a person's.
    fn put_aside(&mut self, turn: &TurnRecord, tip: &ObjectId) -> Result<(), RunnerError> {
        let left: DirtyRecord = self.leftovers(turn).into_iter().map(|left| (left.path, left.now)).collect();
        let (repo, exchange) = self.parts()?;
        let head = repo.head()?;
        let branch = turn.pushed_claim().and_then(|pushed| pushed.from.branch.clone());
        let has_commits = !repo.contains(tip, &head.commit)?;
        let message = format!("what turn {} had not committed", turn.opening.id);
        let (uncommitted, left_out) = repo.store_uncommitted(&head.commit, &left, &message)?;
        let Some(work) = uncommitted.as_ref().or(has_commits.then_some(&head.commit)) else {
            return Ok(());
        };
        let kept = repo.keep_work(turn.opening.id, work)?;
        let own = std::slice::from_ref(&exchange.file);
        let stays = has_commits
            && head.branch == branch
            && matches!(
                repo.bring_to(&head, tip, own, "baton: fenced off"),
                Ok(Brought::Overlaps(_)) | Err(_)
            );
        let (remote, branch) = (exchange.name().to_owned(), exchange.branch.clone());
        self.warn(&format!(
            "the turn's work is kept as {kept}: `git log {kept}` shows it, `git cherry-pick` takes it"
        ));
        if stays {
            self.warn(&format!(
                "`{branch}` still has its commits too, since files are changed here: `git reset --keep {remote}/{branch}` \
                 after `git fetch {remote}` takes them off it"
            ));
        }
        if uncommitted.is_some() || !left_out.is_empty() {
            let paths: Vec<String> = left.iter().map(|(path, _)| path.to_string()).collect();
            let named = paths[..paths.len().min(NAMED_PATHS)].join(", ");
            let more = paths.len().saturating_sub(NAMED_PATHS);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            self.warn(&format!(
                "what it had not committed stays in the work tree besides, and no turn publishes it as it is: {named}{more}"
            ));
        }
        if !left_out.is_empty() {
            let paths: Vec<String> = left_out.iter().take(NAMED_PATHS).map(ToString::to_string).collect();
            self.warn(&format!("too large to be kept, and only in the work tree: {}", paths.join(", ")));
        }
        Ok(())
    }
}
