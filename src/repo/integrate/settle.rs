//! What a baton that was killed had under way is brought to its end by whoever takes the lock of the index next.
//!
//! The branch decides: where it has moved the index follows, where it has not the files are taken back. A person may have
//! acted since. So nothing is done on another branch or commit, and of the paths only to those that hold exactly what was
//! put there or what was there before.

use std::collections::BTreeSet;

use super::plan::Plan;
use crate::publish::RepoPath;
use crate::repo::backend::Versions;
use crate::repo::error::RepoError;
use crate::repo::head::Head;
use crate::repo::index_lock::{Move, is_left_behind};
use crate::repo::open::Repo;
use crate::repo::reference_lock::release_stale;

impl Repo {
    /// Locks of a baton that was killed go, with what was under way under them.
    pub(in crate::repo) fn settle_left_behind(&self, branch: &str) -> Result<(), RepoError> {
        release_stale(self.common_dir(), &format!("refs/heads/{branch}"));
        if is_left_behind(self.git_dir()) {
            drop(self.lock_index()?);
        }
        Ok(())
    }

    /// Under the lock of the index. After a kill in its middle, the same call does the rest.
    pub(in crate::repo) fn settle(&self, left: &Move) -> Result<(), RepoError> {
        let head = self.head()?;
        let is_as_left = head.branch.as_deref() == Some(left.branch.as_str())
            && (head.commit == left.to || head.commit == left.from);
        if is_as_left { self.follow_or_take_back(left, &head) } else { Ok(()) }
    }

    /// Where nobody can have acted since, `head` may be anywhere.
    pub(super) fn follow_or_take_back(&self, left: &Move, head: &Head) -> Result<(), RepoError> {
        if head.commit == left.to { self.let_index_follow(left) } else { self.take_files_back(left) }
    }

    /// The files are all in place, durably, since before the branch moved.
    fn let_index_follow(&self, left: &Move) -> Result<(), RepoError> {
        let versions = self.backend.difference(Some(&left.from), &left.to)?;
        let staged = self.backend.staged_around(&versions.keys().collect())?;
        let mut plan = Plan { versions, staged, ..Plan::default() };
        let is_behind =
            |path: &&RepoPath| plan.has_old_staged(path) && plan.staged_in_the_way(path).next().is_none();
        let behind: BTreeSet<RepoPath> = plan.versions.keys().filter(is_behind).cloned().collect();
        plan.versions.retain(|path, _| behind.contains(path));
        let is_skipped = |(path, versions): &(&RepoPath, &Versions)| {
            let was_skipped = plan.staged.get(*path).is_some_and(|staged| staged.skipped);
            versions.new.is_some()
                && (left.skipped.contains(path) || (was_skipped && self.place().is_absent(path)))
        };
        plan.skipped = plan.versions.iter().filter(is_skipped).map(|(path, _)| path.clone()).collect();
        match self.next_index(&plan, plan.versions.iter().collect())? {
            Some(copy) => self.put_index_in_place(copy),
            None => Ok(()),
        }
    }

    fn take_files_back(&self, left: &Move) -> Result<(), RepoError> {
        let mut plan = self.plan_move(&left.to, &left.from, &[])?;
        plan.keep_only(&left.placed);
        self.place_files(&mut plan, &left.from)
    }
}
