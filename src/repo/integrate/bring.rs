//! Branch, index and work tree brought to a commit.

use crate::publish::{ObjectId, RepoPath};
use crate::repo::error::RepoError;
use crate::repo::head::Head;
use crate::repo::open::Repo;

/// What came of bringing the work tree to a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Brought {
    /// Branch, index and files are those of the commit, durably.
    Done,
    /// These are in the way, and nothing was written.
    Overlaps(Vec<RepoPath>),
}

impl Repo {
    /// What keeps the work tree from being brought from one commit to another: files that are changed, staged, untracked
    /// or ignored where the two differ, in order. Nothing that holds already what `to` has. Changes nothing.
    ///
    /// `owned`: paths that are overwritten whatever they hold. It looks only at what differs.
    pub fn overlaps(
        &self,
        from: &ObjectId,
        to: &ObjectId,
        owned: &[RepoPath],
    ) -> Result<Vec<RepoPath>, RepoError> {
        let _ = (from, to, owned);
        unimplemented!()
    }

    /// Brings files, index and branch from `from`, which must be checked out, to the commit `to`. What is changed,
    /// staged or untracked elsewhere stays as it is; where anything is in the way, nothing is written.
    ///
    /// Each file is put in place whole, then the branch moves by compare-and-swap under the lock of the index. After a kill
    /// at any point, the same call does the rest. `log`: for the reflog.
    pub fn bring_to(
        &self,
        from: &Head,
        to: &ObjectId,
        owned: &[RepoPath],
        log: &str,
    ) -> Result<Brought, RepoError> {
        let _ = (from, to, owned, log);
        unimplemented!()
    }
}
