//! The local branch comes up to what the remote has, outside of any turn, where nothing is in the way.

use super::super::RunnerError;
use super::super::turn::Runner;
use super::exchange::{Exchange, Seen};
use crate::publish::{ObjectId, RepoPath};
use crate::repo::{Brought, Repo};

/// Whether the local branch has followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Followed {
    /// It is where the remote is.
    Done,
    /// It has commits that the remote has not.
    HasCommits,
    /// These files are changed here, and what is new changes them too.
    Overlaps(Vec<RepoPath>),
}

/// Brings the checked-out branch to a commit that it leads to. Touches nothing of a person's; whoever calls has the lock
/// of the work tree. `owned`: paths that are overwritten whatever they hold. `what`: for the reflog.
pub fn follow(
    repo: &Repo,
    exchange: &Exchange,
    tip: &ObjectId,
    owned: &[RepoPath],
    what: &str,
) -> Result<Followed, RunnerError> {
    let head = repo.preflight(Some(exchange.branch()))?.head;
    if head.commit == *tip {
        return Ok(Followed::Done);
    }
    if !repo.contains(tip, &head.commit)? {
        return Ok(Followed::HasCommits);
    }
    Ok(match repo.bring_to(&head, tip, owned, &format!("baton: {what}"))? {
        Brought::Done => Followed::Done,
        Brought::Overlaps(paths) => Followed::Overlaps(paths),
    })
}

impl Runner<'_> {
    /// On the way out of a loop the branch here follows the remote: what the other side did last was seen and not yet
    /// brought. A turn that is open here, or the other seat's in the same clone, brings it along itself.
    pub fn catch_up(&mut self, seen: &Seen) {
        match self.try_to_catch_up(seen) {
            Ok(Some(Followed::Overlaps(paths))) => {
                let named: Vec<String> = paths.iter().take(20).map(ToString::to_string).collect();
                self.warn(&format!(
                    "the branch here stays behind, since what is new changes files that are changed here: {}",
                    named.join(", ")
                ));
            }
            // Commits of one's own on it are for the next turn to judge, and so is whatever else is wrong.
            Ok(Some(Followed::Done | Followed::HasCommits) | None) | Err(_) => {}
        }
    }

    fn try_to_catch_up(&mut self, seen: &Seen) -> Result<Option<Followed>, RunnerError> {
        if !self.workspace.ledger.open_turns()?.is_empty() {
            return Ok(None);
        }
        self.workspace.take_tree(std::time::Duration::ZERO, self.ambient, &self.interrupts)?;
        let followed = self.parts().and_then(|(repo, exchange)| {
            let here = std::fs::read(self.workspace.state.path()).ok();
            // A state that a person has edited here is theirs, and stands in the way.
            let is_ours = here.is_none() || self.is_left_by_us(here.as_deref());
            let owned = if is_ours { std::slice::from_ref(exchange.file()) } else { &[] };
            follow(repo, exchange, &seen.tip, owned, "came to the end")
        });
        self.workspace.release_tree();
        followed.map(Some)
    }
}
