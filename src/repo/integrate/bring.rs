//! Branch, index and work tree brought to a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tempfile::{TempDir, TempPath};

use super::kill_point;
use super::place_files::Placing;
use super::plan::Plan;
use crate::publish::{Blob, FileMode, ObjectId, RepoPath};
use crate::repo::backend::{Versions, WorkTree};
use crate::repo::error::{GitLock, RepoError};
use crate::repo::head::Head;
use crate::repo::index::{IndexRefresh, PreparedIndex};
use crate::repo::index_lock::{IndexLock, LOCK};
use crate::repo::open::Repo;

/// How the names of directories with new files begin; they lie in the git directory.
const ASIDE: &str = "baton-checkout-";

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
    /// or ignored where the two differ, in order. What holds already what `to` has is not in the way. Changes nothing.
    ///
    /// `owned`: paths that are overwritten whatever they hold. It looks only at what differs.
    pub fn overlaps(
        &self,
        from: &ObjectId,
        to: &ObjectId,
        owned: &[RepoPath],
    ) -> Result<Vec<RepoPath>, RepoError> {
        Ok(self.plan_move(from, to, owned)?.overlaps.into_iter().collect())
    }

    /// Brings files, index and branch from `from`, which must be checked out, to the commit `to`. What is changed,
    /// staged or untracked elsewhere stays as it is; where anything is in the way, nothing is written. Submodules are not
    /// checked out, no hook runs, and what a sparse checkout leaves out stays out.
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
        let Some(branch) = from.branch.as_deref() else {
            return Err(RepoError::DetachedHead { commit: from.short.clone() });
        };
        let lock = self.take_index_lock()?;
        kill_point();
        let now = self.head()?;
        let is_there = now.commit == *to;
        if now.branch.as_deref() != Some(branch) || !(is_there || now.commit == from.commit) {
            let expected = from.commit.clone();
            return Err(RepoError::BranchMoved { branch: branch.to_owned(), expected });
        }
        let mut plan = self.plan_move(&from.commit, to, owned)?;
        if !plan.overlaps.is_empty() {
            return Ok(Brought::Overlaps(plan.overlaps.into_iter().collect()));
        }
        self.forget_left_aside();
        let mut advance = || {
            self.place_files(&mut plan, to)?;
            kill_point();
            let copy = self.next_index(&plan)?;
            kill_point();
            if !is_there {
                self.backend.move_branch(branch, &from.commit, to, log)?;
            }
            Ok(copy)
        };
        let copy = match advance() {
            Ok(copy) => copy,
            Err(error) => {
                // What was placed goes back; if that fails too, the same call finds the new files and goes on.
                if !is_there && let Ok(mut back) = self.plan_move(to, &from.commit, owned) {
                    let _ = self.place_files(&mut back, &from.commit);
                }
                return Err(error);
            }
        };
        kill_point();
        self.put_index_in_place(lock, copy)?;
        kill_point();
        Ok(Brought::Done)
    }

    fn take_index_lock(&self) -> Result<IndexLock, RepoError> {
        self.lock_index().map_err(|said| {
            let path = self.git_dir().join(LOCK);
            if path.symlink_metadata().is_ok() {
                return RepoError::Locked { lock: GitLock { path } };
            }
            RepoError::Program { doing: "lock the index", place: self.root().to_owned(), said }
        })
    }

    /// What a kill has left; under the lock of the index nobody else uses any.
    fn forget_left_aside(&self) {
        for entry in std::fs::read_dir(self.git_dir()).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(ASIDE)) {
                // It only takes space.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Files as the plan says; durable when it returns.
    pub(super) fn place_files(&self, plan: &mut Plan, to: &ObjectId) -> Result<(), RepoError> {
        let aside = self.make_aside()?;
        let coming: Vec<RepoPath> = plan.writes.keys().cloned().collect();
        self.export_versions(plan, to, coming.iter(), aside.path())?;
        kill_point();
        for path in coming {
            if is_missing(&aside.path().join(path.as_path())) {
                // A sparse checkout leaves it out.
                let replaced = plan.writes.remove(&path).flatten();
                plan.removals.extend(replaced.map(|mark| (path.clone(), mark)));
                plan.skipped.insert(path);
            }
        }
        Placing::new(self.place(), aside.path()).carry_out(plan)
    }

    fn make_aside(&self) -> Result<TempDir, RepoError> {
        let git_dir = self.git_dir();
        tempfile::Builder::new().prefix(ASIDE).tempdir_in(git_dir).map_err(|source| RepoError::Io {
            doing: "make a directory in",
            path: git_dir.to_owned(),
            source,
        })
    }

    /// A copy of the index with the new versions of all paths that differ; `None` where it has them.
    fn next_index(&self, plan: &Plan) -> Result<Option<TempPath>, RepoError> {
        let failed =
            |said| RepoError::Program { doing: "write the index", place: self.root().to_owned(), said };
        let is_due = |(path, versions): &(&RepoPath, &Versions)| {
            let staged = plan.staged.get(*path);
            staged.and_then(|staged| staged.blob.as_ref()) != versions.new.as_ref()
                || (staged.is_some() && versions.new.is_none())
                || plan.writes.contains_key(*path)
        };
        let due: BTreeMap<&RepoPath, &Versions> = plan.versions.iter().filter(is_due).collect();
        if due.is_empty() {
            return Ok(None);
        }
        let readable = self.holding_their_version(plan, &due)?;
        let (read, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            due.into_iter().partition(|(path, _)| readable.contains(*path));
        let copy = self.copy_of_index().map_err(failed)?;
        // What goes, first: a file may come in the place of a directory.
        for (due, work_tree) in [(others, WorkTree::Unknown), (read, WorkTree::JustRead)] {
            if !due.is_empty() {
                self.backend.write_index(&copy, &due, work_tree).map_err(failed)?;
            }
        }
        let skipped: BTreeSet<&RepoPath> = plan.skipped.iter().collect();
        if !skipped.is_empty() {
            self.backend.skip_in_index(&copy, &skipped).map_err(failed)?;
        }
        Ok(Some(copy))
    }

    /// The files whose content git would store as the very version that they are to have: their times can be taken.
    fn holding_their_version(
        &self,
        plan: &Plan,
        due: &BTreeMap<&RepoPath, &Versions>,
    ) -> Result<BTreeSet<RepoPath>, RepoError> {
        let is_link = |blob: &Blob| blob.mode == FileMode::Symlink;
        let is_file = |blob: &Blob| matches!(blob.mode, FileMode::Regular | FileMode::Executable);
        let there = due.iter().filter(|(path, _)| !plan.skipped.contains(**path));
        let there: Vec<(&RepoPath, &Blob)> =
            there.filter_map(|(path, versions)| Some((*path, versions.new.as_ref()?))).collect();
        let kind = |path: &RepoPath| self.place().absolute(path).symlink_metadata().ok();
        let links = there
            .iter()
            .filter(|(path, blob)| is_link(blob) && kind(path).is_some_and(|it| it.is_symlink()))
            .map(|(path, _)| (*path).clone());
        let mut holding: BTreeSet<RepoPath> = links.collect();
        let files: Vec<&(&RepoPath, &Blob)> = there
            .iter()
            .filter(|(path, blob)| is_file(blob) && kind(path).is_some_and(|it| it.is_file()))
            .collect();
        let paths: Vec<&RepoPath> = files.iter().map(|(path, _)| *path).collect();
        for ((path, blob), hashed) in files.into_iter().zip(self.backend.hash_files(&paths)?) {
            if hashed.is_some_and(|hashed| hashed.id == blob.id) {
                holding.insert((*path).clone());
            }
        }
        Ok(holding)
    }

    fn put_index_in_place(&self, lock: IndexLock, copy: Option<TempPath>) -> Result<(), RepoError> {
        let superseded = Vec::new();
        let prepared = match copy {
            Some(copy) => PreparedIndex::Ready { lock, copy, git_dir: self.git_dir().to_owned(), superseded },
            None => PreparedIndex::Unchanged { superseded },
        };
        match prepared.put_in_place() {
            IndexRefresh::Done { .. } => Ok(()),
            IndexRefresh::Failed { reason } => Err(RepoError::Program {
                doing: "write the index",
                place: self.root().to_owned(),
                said: reason,
            }),
        }
    }
}

fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err()
}
