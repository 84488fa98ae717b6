//! The local branch and its files after a commit of ours was accepted.

use super::super::RunnerError;
use super::super::turn::Runner;
use super::claim::Way;
use super::error::SyncError;
use crate::model::Token;
use crate::publish::ObjectId;
use crate::repo::{Brought, Head, RepoError};
use crate::state;

/// How often the branch is looked at anew, because somebody commits in that moment.
const BRING_TRIES: u32 = 20;
/// As many turns back a state that was left in the work tree is recognised as ours.
const RECOGNISED_TURNS: u32 = 8;

impl Runner<'_> {
    /// Brings branch, index and files from where they were to a commit that is on the remote, or on top of it. Run again
    /// after a kill, it finishes what was begun. What a person has committed meanwhile is put on top.
    pub(super) fn bring(&mut self, from: &Head, to: &ObjectId, what: &str) -> Result<(), RunnerError> {
        let mut tries = 1;
        loop {
            let (repo, exchange) = self.parts()?;
            let own = std::slice::from_ref(&exchange.file);
            let now = repo.head()?;
            if now.branch != from.branch {
                return Err(RepoError::WrongBranch {
                    expected: from.branch.clone().unwrap_or_default(),
                    actual: now.branch.unwrap_or_else(|| "a detached HEAD".to_owned()),
                }
                .into());
            }
            let target = if now.commit == from.commit || repo.contains(to, &now.commit)? {
                to.clone()
            } else if repo.contains(&now.commit, to)? {
                return Ok(());
            } else {
                match self.way(repo, &now.commit, &from.commit, to)? {
                    Way::To(target) => target,
                    Way::Blocked(error) => return Err(error.into()),
                }
            };
            match repo.bring_to(&now, &target, own, &format!("baton: {what}")) {
                Ok(Brought::Done) => return Ok(()),
                Ok(Brought::Overlaps(paths)) => {
                    return Err(SyncError::InTheWay { remote: exchange.name().to_owned(), paths }.into());
                }
                Err(RepoError::BranchMoved { .. } | RepoError::ChangedSinceSelected { .. })
                    if tries < BRING_TRIES =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether a state in the work tree is what one of our turns has left there.
    pub(super) fn is_left_by_us(&self, bytes: Option<&[u8]>) -> bool {
        let Some(token) = bytes.and_then(|bytes| state::parse(bytes).ok()).and_then(|state| state.token)
        else {
            return false;
        };
        self.tokens_of_recent_turns().is_ok_and(|known| known.contains(&token))
    }

    fn tokens_of_recent_turns(&self) -> Result<Vec<Token>, RunnerError> {
        let filter = crate::ledger::TurnFilter { actor: None, limit: RECOGNISED_TURNS };
        let mut tokens = Vec::new();
        for turn in self.workspace.ledger.turns(filter)? {
            let records = self.workspace.ledger.phases(turn.opening.id)?;
            let Ok(record) = super::super::journal::TurnRecord::fold(turn.opening, &records) else {
                continue;
            };
            tokens.extend(record.claimed_state().map(|claimed| claimed.token.clone()));
            tokens.extend(record.stamp.map(|plan| plan.token));
        }
        Ok(tokens)
    }
}
