//! Reading commits that are nowhere checked out.

use crate::publish::{ObjectId, RepoPath};
use crate::repo::commit::Commit;
use crate::repo::error::RepoError;
use crate::repo::open::Repo;

impl Repo {
    /// The content of a file in a commit, as git stores it; of a link, its target. `None` where the commit has neither.
    pub fn file_at(&self, commit: &ObjectId, path: &RepoPath) -> Result<Option<Vec<u8>>, RepoError> {
        let Some(blob) = self.backend.versions_at(commit, &[path])?.pop().flatten() else { return Ok(None) };
        Ok(self.backend.blobs(&[&blob.id])?.pop().flatten())
    }

    /// Whether `commit` is `tip` or below it; not where there is no such commit here.
    pub fn contains(&self, tip: &ObjectId, commit: &ObjectId) -> Result<bool, RepoError> {
        Ok(tip == commit || self.backend.descends(tip, commit)?)
    }

    /// Whether the two have any commit in common.
    pub fn is_related(&self, one: &ObjectId, other: &ObjectId) -> Result<bool, RepoError> {
        Ok(one == other || self.backend.related(one, other)?)
    }

    /// The commits that `tip` has and `base` has not, oldest first.
    pub fn commits_between(&self, base: &ObjectId, tip: &ObjectId) -> Result<Vec<Commit>, RepoError> {
        let commits = self.backend.commits_between(base, Some(tip))?;
        Ok(commits.into_iter().map(Commit::from).collect())
    }
}
