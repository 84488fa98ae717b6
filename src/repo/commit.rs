//! Commits by category, from HEAD's tree plus the chosen paths.

use std::collections::BTreeMap;

use git2::{ErrorCode, Oid};

use super::content::ContentReader;
use super::error::{GitLock, RepoError};
use super::head::Head;
use super::index::{IndexRefresh, LOCK_PAUSE, Refreshed, WorkTree};
use super::object::{object_id, oid};
use super::open::Repo;
use super::preflight::Identity;
use super::tree::{TreeChange, TreeDifference, edit_tree, tree_difference, write_to};
use crate::model::TurnId;
use crate::publish::{Batch, ObjectId, RepoPath};

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
}

impl Repo {
    /// Commits each plan's paths as the work tree holds them, and moves the branch once, by compare-and-swap:
    /// either all of the commits are on it or none. Then refreshes just those paths in the index.
    ///
    /// Any path that is not as it was selected stops everything before the branch moves. When this returns `Ok`,
    /// objects and branch are on disk.
    pub fn commit(&self, order: CommitOrder<'_>) -> Result<Committed, RepoError> {
        let moved = |branch: &str| RepoError::BranchMoved {
            branch: branch.to_owned(),
            expected: order.head.commit.clone(),
        };
        let Some(branch) = order.head.branch.as_deref() else {
            return Err(RepoError::DetachedHead { commit: order.head.short.clone() });
        };
        let now = self.head()?;
        if now.branch.as_deref() != Some(branch) || now.commit != order.head.commit {
            return Err(moved(branch));
        }
        let changes = self.store_all(order.plans)?;
        let failed = self.failed("make a commit");
        let base = oid(&order.head.commit).map_err(&failed)?;
        let author = self.signature(&order.identity.author)?;
        let committer = self.signature(&order.identity.committer)?;
        let mut tip = self.git.find_commit(base).map_err(&failed)?;
        let mut commits = Vec::new();
        let mut refreshed: BTreeMap<RepoPath, Refreshed> = BTreeMap::new();
        for (plan, changes) in order.plans.iter().zip(&changes) {
            let parent_tree = tip.tree().map_err(&failed)?;
            let tree = edit_tree(&self.git, &parent_tree, changes, &write_to(&self.git)).map_err(&failed)?;
            if tree == parent_tree.id() {
                continue;
            }
            let tree = self.git.find_tree(tree).map_err(&failed)?;
            merge_difference(
                &mut refreshed,
                tree_difference(&self.git, &parent_tree, &tree).map_err(&failed)?,
            );
            let id =
                self.git.commit(None, &author, &committer, &plan.message, &tree, &[&tip]).map_err(&failed)?;
            tip = self.git.find_commit(id).map_err(&failed)?;
            commits.push((object_id(id), plan.batch.clone()));
        }
        if commits.is_empty() {
            return Ok(Committed { commits, index: IndexRefresh::Done { superseded: Vec::new() } });
        }
        let log = format!("baton: {} commits", commits.len());
        self.move_branch(branch, base, tip.id(), &log)?;
        let index = self.refresh_index(&refreshed, WorkTree::JustRead);
        Ok(Committed { commits, index })
    }

    /// Compare-and-swap; another git's lock is waited for, with a limit.
    fn move_branch(&self, branch: &str, from: Oid, to: Oid, log: &str) -> Result<(), RepoError> {
        let reference = format!("refs/heads/{branch}");
        let waiting = self.ambient.stopwatch();
        loop {
            match self.git.reference_matching(&reference, to, true, from, log) {
                Ok(_) => return Ok(()),
                Err(error) if error.code() == ErrorCode::Modified => {
                    let expected = object_id(from);
                    return Err(RepoError::BranchMoved { branch: branch.to_owned(), expected });
                }
                Err(error) if error.code() == ErrorCode::Locked => {
                    if waiting.elapsed() > self.lock_patience {
                        let path = self.common_dir().join(format!("{reference}.lock"));
                        return Err(RepoError::Locked { lock: GitLock { path } });
                    }
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(error) => return Err(self.failed("move the branch")(error)),
            }
        }
    }

    /// Every blob is stored and compared before any tree is made.
    fn store_all(&self, plans: &[CommitPlan]) -> Result<Vec<BTreeMap<RepoPath, TreeChange>>, RepoError> {
        let mut reader = ContentReader::new(self)?;
        let mut stored = Vec::with_capacity(plans.len());
        for plan in plans {
            let mut changes = BTreeMap::new();
            for (path, selected) in &plan.batch.paths {
                let stale = || RepoError::ChangedSinceSelected { path: path.clone() };
                let change = match &selected.content {
                    Some(blob) => {
                        let id = reader.store(path, blob, selected.head.as_ref())?.ok_or_else(stale)?;
                        TreeChange::Put { id, mode: blob.mode }
                    }
                    None if reader.is_absent(path) => TreeChange::Remove,
                    None => return Err(stale()),
                };
                changes.insert(path.clone(), change);
            }
            stored.push(changes);
        }
        Ok(stored)
    }

    /// The commits since `base` that carry the trailer of `turn`, oldest first: after a crash, they tell a turn
    /// whose branch moved from one that has nothing committed.
    pub fn find_commits(&self, base: &ObjectId, turn: TurnId) -> Result<Vec<Commit>, RepoError> {
        let mut commits = self.commits_since(base)?;
        commits.retain(|commit| commit.turn == Some(turn));
        Ok(commits)
    }

    /// Does what a kill between commit and refresh left undone: brings the index entries of these commits' paths
    /// up to date where they still hold what was there before. Entries that were staged since stay.
    pub fn refresh_index_after(&self, commits: &[Commit]) -> Result<IndexRefresh, RepoError> {
        let failed = self.failed("compare commits");
        let mut refreshed = BTreeMap::new();
        for commit in commits {
            let commit = oid(&commit.id).and_then(|id| self.git.find_commit(id)).map_err(&failed)?;
            let tree = commit.tree().map_err(&failed)?;
            let parent = commit.parent(0).and_then(|parent| parent.tree()).map_err(&failed)?;
            merge_difference(&mut refreshed, tree_difference(&self.git, &parent, &tree).map_err(&failed)?);
        }
        Ok(self.refresh_index(&refreshed, WorkTree::Unknown))
    }
}

/// Adds a later commit's changes: the newest version counts, and the version before the first of them.
fn merge_difference(refreshed: &mut BTreeMap<RepoPath, Refreshed>, difference: TreeDifference) {
    for (path, (new, old)) in difference {
        refreshed.entry(path).and_modify(|earlier| earlier.new = new).or_insert(Refreshed { new, old });
    }
}
