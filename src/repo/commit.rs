//! Commits by category, from HEAD's tree plus the chosen paths.

use std::os::unix::ffi::OsStrExt as _;

use super::backend::{Changes, Hashed, RawCommit, TreeChange, WorkTree};
use super::error::RepoError;
use super::head::Head;
use super::index::{IndexRefresh, PreparedIndex};
use super::open::Repo;
use super::preflight::Identity;
use super::work_file::Looker;
use crate::model::TurnId;
use crate::publish::{Batch, Blob, FileMode, ObjectId, RepoPath, turn_of_message};

/// A commit in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: ObjectId,
    /// The first line of its message.
    pub subject: String,
    /// The turn whose trailer it carries.
    pub turn: Option<TurnId>,
}

impl From<RawCommit> for Commit {
    fn from(commit: RawCommit) -> Self {
        Self {
            subject: commit.message.lines().next().unwrap_or_default().to_owned(),
            turn: turn_of_message(&commit.message),
            id: commit.id,
        }
    }
}

/// One commit to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPlan {
    /// What it changes.
    pub batch: Batch,
    /// Its message; with the turn's trailer, or a restart cannot recognise it.
    pub message: String,
}

/// What to commit on top of what.
#[derive(Debug, Clone, Copy)]
pub struct CommitOrder<'a> {
    /// HEAD as it was when the selection was made; it must not have moved.
    pub head: &'a Head,
    /// The commits, in their order.
    pub plans: &'a [CommitPlan],
    /// Who is put on them.
    pub identity: &'a Identity,
}

/// What was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Committed {
    /// One for each plan that changed something, in order, each with its plan's batch.
    pub commits: Vec<(ObjectId, Batch)>,
    /// What became of the index.
    pub index: IndexRefresh,
    /// Paths that are committed otherwise than they were selected, since a hook staged another version of them.
    pub restaged: Vec<RepoPath>,
}

/// A path to store: its place among the plans, and the version that was selected.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    plan: usize,
    path: &'a RepoPath,
    blob: &'a Blob,
}

impl Repo {
    /// Commits each plan's paths as the work tree holds them, and moves the branch once, by compare-and-swap:
    /// either all of the commits are on it or none. Then refreshes just those paths in the index.
    ///
    /// Any path that is not as it was selected stops everything before the branch moves. When this returns `Ok`,
    /// objects and branch are on disk.
    pub fn commit(&self, order: CommitOrder<'_>) -> Result<Committed, RepoError> {
        let Some(branch) = order.head.branch.as_deref() else {
            return Err(RepoError::DetachedHead { commit: order.head.short.clone() });
        };
        let base = &order.head.commit;
        let now = self.head()?;
        if now.branch.as_deref() != Some(branch) || now.commit != *base {
            return Err(RepoError::BranchMoved { branch: branch.to_owned(), expected: base.clone() });
        }
        let changes = self.store_all(order.plans)?;
        let made = self.backend.make_commits(&order, &changes)?;
        let commits: Vec<(ObjectId, Batch)> =
            made.commits.into_iter().map(|(plan, id)| (id, order.plans[plan].batch.clone())).collect();
        let Some((tip, _)) = commits.last() else {
            let index = IndexRefresh::Done { superseded: Vec::new() };
            return Ok(Committed { commits, index, restaged: Vec::new() });
        };
        let log = format!("baton: {} commits", commits.len());
        let difference = self.backend.difference(Some(base), tip);
        // Under the lock of the index: nobody makes a commit of the index of before on top of ours.
        let index = match &difference {
            Ok(difference) => self.prepare_index(difference, WorkTree::JustRead),
            Err(error) => PreparedIndex::Failed { reason: error.to_string() },
        };
        self.backend.move_branch(branch, base, tip, &log)?;
        let index = index.put_in_place();
        self.backend.after_commits(&order);
        Ok(Committed { commits, index, restaged: made.restaged })
    }

    /// A file among these that does not hold this content any more.
    pub(super) fn other_than(&self, files: &[(&RepoPath, &ObjectId)]) -> Result<Option<RepoPath>, RepoError> {
        let paths: Vec<&RepoPath> = files.iter().map(|(path, _)| *path).collect();
        let now = self.backend.hash_files(&paths)?;
        let is_other = |hashed: &Option<Hashed>, id: &ObjectId| hashed.as_ref().is_none_or(|it| it.id != *id);
        let other = files.iter().zip(&now).find(|((_, id), hashed)| is_other(hashed, id));
        Ok(other.map(|((path, _), _)| (*path).clone()))
    }

    /// Every blob is stored and compared before any tree is made.
    fn store_all(&self, plans: &[CommitPlan]) -> Result<Vec<Changes>, RepoError> {
        let place = self.backend.place();
        let looker = Looker::new(self.backend.as_ref());
        let mut changes = vec![Changes::new(); plans.len()];
        let (mut files, mut links) = (Vec::new(), Vec::new());
        for (at, (plan, changes)) in plans.iter().zip(&mut changes).enumerate() {
            for (path, selected) in &plan.batch.paths {
                let stale = || RepoError::ChangedSinceSelected { path: path.clone() };
                let Some(blob) = &selected.content else {
                    if !place.is_absent(path) {
                        return Err(stale());
                    }
                    changes.insert(path.clone(), TreeChange::Remove);
                    continue;
                };
                let absolute = place.absolute(path);
                let metadata = absolute.symlink_metadata().map_err(|_| stale())?;
                let wanted = Wanted { plan: at, path, blob };
                if place.is_beyond_link(path) {
                    return Err(stale());
                } else if metadata.is_symlink() && blob.mode == FileMode::Symlink {
                    let target = std::fs::read_link(&absolute).map_err(|_| stale())?;
                    links.push((wanted, target.as_os_str().as_bytes().to_vec()));
                } else if metadata.is_file()
                    && looker.file_mode(&metadata, selected.head.as_ref()) == blob.mode
                {
                    files.push(wanted);
                } else {
                    return Err(stale());
                }
            }
        }
        let named: Vec<_> = files.iter().map(|wanted| (wanted.path, &wanted.blob.id)).collect();
        let stored_files = match self.backend.store_files(&named) {
            Ok(stored) => stored,
            // A file that somebody deletes or saves in this very moment cannot be read.
            Err(error) => match self.other_than(&named)? {
                Some(path) => return Err(RepoError::ChangedSinceSelected { path }),
                None => return Err(error),
            },
        };
        let (links, targets): (Vec<_>, Vec<_>) =
            links.into_iter().map(|(wanted, target)| (wanted, (target, &wanted.blob.id))).unzip();
        let stored_links = self.backend.store_contents(&targets)?;
        let wanted = files.into_iter().chain(links);
        for (wanted, stored) in wanted.zip(stored_files.into_iter().chain(stored_links)) {
            if stored != wanted.blob.id {
                return Err(RepoError::ChangedSinceSelected { path: wanted.path.clone() });
            }
            changes[wanted.plan].insert(wanted.path.clone(), TreeChange::Put(wanted.blob.clone()));
        }
        Ok(changes)
    }

    /// The commits since `base` that carry the trailer of `turn`, oldest first: after a crash, they tell a turn
    /// whose branch moved from one that has nothing committed.
    pub fn find_commits(&self, base: &ObjectId, turn: TurnId) -> Result<Vec<Commit>, RepoError> {
        let mut commits = self.commits_since(base)?;
        commits.retain(|commit| commit.turn == Some(turn));
        Ok(commits)
    }
}

#[cfg(test)]
mod tests;
