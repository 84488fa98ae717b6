//! Commits replayed on another one, in memory.

use crate::publish::{ObjectId, RepoPath};
use crate::repo::commit::Commit;
use crate::repo::error::RepoError;
use crate::repo::open::Repo;

/// What came of replaying commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// The newest of the new commits; where nothing was left to replay, what they were to be replayed on.
    Tip(ObjectId),
    /// This commit and what it was to be put on have changed the same places. Nothing was changed.
    Conflict {
        /// The commit, as it was.
        commit: Commit,
        /// Where, in order; of a renamed file both names.
        paths: Vec<RepoPath>,
    },
}

impl Repo {
    /// Replays the commits that `tip` has and `base` has not on `onto`, along first parents, durably; moves no branch.
    ///
    /// Authors, committers, dates and messages stay; signatures are made anew where commits are signed, else dropped.
    /// `ours`: paths that every new commit has as `onto` does. Commits that become empty are dropped; those that were
    /// empty before stay. A merge keeps its other parents, but those that the new history has in any case.
    ///
    /// The same call makes the same commits (unless they are signed).
    pub fn replay(
        &self,
        base: &ObjectId,
        tip: &ObjectId,
        onto: &ObjectId,
        ours: &[RepoPath],
    ) -> Result<Replayed, RepoError> {
        let _ = (base, tip, onto, ours);
        unimplemented!()
    }
}
