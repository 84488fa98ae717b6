//! Branch, index and work tree brought to a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tempfile::{TempDir, TempPath};

use super::kill_point;
use super::place_files::Placing;
use super::plan::Plan;
use crate::durable;
use crate::publish::{Blob, FileMode, ObjectId, RepoPath};
use crate::repo::backend::{Versions, WorkTree};
use crate::repo::error::RepoError;
use crate::repo::head::Head;
use crate::repo::index::rename_index;
use crate::repo::index_lock::{ASIDE, LOCK, Move};
use crate::repo::open::Repo;

/// Paths at which the index is to change, with both versions.
pub(super) type Due<'a> = BTreeMap<&'a RepoPath, &'a Versions>;

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
    /// All under the lock of the index, which holds what is under way: each file is put in place whole, then the branch
    /// moves by compare-and-swap, then the index follows. After a kill at any point, whoever takes the lock next takes the
    /// files back or lets the index follow, and the same call or another one goes on. `log`: for the reflog.
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
        let mut lock = self.lock_index()?;
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
        let aside = self.new_files(&mut plan, to)?;
        if !is_there {
            let under_way = Move {
                branch: branch.to_owned(),
                from: from.commit.clone(),
                to: to.clone(),
                placed: plan.writes.keys().chain(plan.removals.keys()).cloned().collect(),
                skipped: plan.skipped.iter().cloned().collect(),
            };
            let path = self.git_dir().join(LOCK);
            lock.begin(under_way).map_err(|source| RepoError::Io { doing: "write", path, source })?;
            kill_point();
        }
        let advance = || {
            Placing::new(self.place(), aside.path()).carry_out(&plan)?;
            kill_point();
            let copy = self.next_index(&plan, due(&plan))?;
            kill_point();
            if !is_there {
                self.backend.move_branch(branch, &from.commit, to, log)?;
            }
            Ok(copy)
        };
        let copy = match advance() {
            Ok(copy) => copy,
            Err(error) => {
                // If that fails too, it is left to whoever takes the lock next.
                if let Some(begun) = lock.under_way()
                    && self.head().and_then(|head| self.follow_or_take_back(begun, &head)).is_ok()
                {
                    lock.end();
                }
                return Err(error);
            }
        };
        kill_point();
        let index = self.git_dir().join("index");
        let failed = |source| RepoError::Io { doing: "write", path: index.clone(), source };
        copy.map_or(Ok(()), |copy| rename_index(copy, self.git_dir())).map_err(failed)?;
        kill_point();
        drop(aside);
        lock.end();
        drop(lock);
        durable::sync_parent(&index).map_err(failed)?;
        kill_point();
        Ok(Brought::Done)
    }

    /// Files as the plan says; durable when it returns.
    pub(super) fn place_files(&self, plan: &mut Plan, to: &ObjectId) -> Result<(), RepoError> {
        let aside = self.new_files(plan, to)?;
        Placing::new(self.place(), aside.path()).carry_out(plan)
    }

    /// The files that come, in a directory beside the index.
    fn new_files(&self, plan: &mut Plan, to: &ObjectId) -> Result<TempDir, RepoError> {
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
        Ok(aside)
    }

    fn make_aside(&self) -> Result<TempDir, RepoError> {
        let git_dir = self.git_dir();
        tempfile::Builder::new().prefix(ASIDE).tempdir_in(git_dir).map_err(|source| RepoError::Io {
            doing: "make a directory in",
            path: git_dir.to_owned(),
            source,
        })
    }

    /// A copy of the index with the new versions of these paths; `None` where there are none.
    pub(super) fn next_index(&self, plan: &Plan, due: Due<'_>) -> Result<Option<TempPath>, RepoError> {
        let failed =
            |said| RepoError::Program { doing: "write the index", place: self.root().to_owned(), said };
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
    fn holding_their_version(&self, plan: &Plan, due: &Due<'_>) -> Result<BTreeSet<RepoPath>, RepoError> {
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

    /// Durably.
    pub(super) fn put_index_in_place(&self, copy: TempPath) -> Result<(), RepoError> {
        let path = self.git_dir().join("index");
        rename_index(copy, self.git_dir())
            .and_then(|()| durable::sync_parent(&path))
            .map_err(|source| RepoError::Io { doing: "write", path, source })
    }
}

/// The paths at which the index has not what it is to have.
fn due(plan: &Plan) -> Due<'_> {
    let is_due = |(path, versions): &(&RepoPath, &Versions)| {
        let staged = plan.staged.get(*path);
        staged.and_then(|staged| staged.blob.as_ref()) != versions.new.as_ref()
            || (staged.is_some() && versions.new.is_none())
            || plan.writes.contains_key(*path)
    };
    plan.versions.iter().filter(is_due).collect()
}

fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err()
}
