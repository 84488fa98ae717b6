//! Looking back: commits, what they changed, earlier versions of a file.

use git2::{ErrorCode, ObjectType, Sort, TreeWalkMode, TreeWalkResult};

use super::super::backend::{Difference, RawCommit};
use super::super::error::RepoError;
use super::object::{object_id, oid};
use super::open::Library;
use super::tree::tree_difference;
use crate::publish::{ObjectId, RepoPath};

impl Library {
    /// `tip`: HEAD where it is not given.
    pub(super) fn list_commits(
        &self,
        base: &ObjectId,
        tip: Option<&ObjectId>,
    ) -> Result<Vec<RawCommit>, RepoError> {
        let failed = self.failed("list commits");
        let mut walk = self.git.revwalk().map_err(&failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE).map_err(&failed)?;
        match tip {
            None => walk.push_head(),
            Some(tip) => oid(tip).and_then(|tip| walk.push(tip)),
        }
        .map_err(&failed)?;
        oid(base).and_then(|base| walk.hide(base)).map_err(&failed)?;
        let mut commits = Vec::new();
        for id in walk {
            let commit = id.and_then(|id| self.git.find_commit(id)).map_err(&failed)?;
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            commits.push(RawCommit { id: object_id(commit.id()), message });
        }
        Ok(commits)
    }

    /// `newest`: HEAD where it is not given.
    pub(super) fn list_recent(
        &self,
        newest: Option<&ObjectId>,
        limit: usize,
    ) -> Result<Vec<RawCommit>, RepoError> {
        let failed = self.failed("list commits");
        let mut walk = self.git.revwalk().map_err(&failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL).map_err(&failed)?;
        match newest {
            None => walk.push_head(),
            Some(newest) => oid(newest).and_then(|newest| walk.push(newest)),
        }
        .map_err(&failed)?;
        walk.take(limit)
            .map(|id| {
                let commit = id.and_then(|id| self.git.find_commit(id)).map_err(&failed)?;
                let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
                Ok(RawCommit { id: object_id(commit.id()), message })
            })
            .collect()
    }

    pub(super) fn list_files(
        &self,
        commit: &ObjectId,
        below: &[RepoPath],
    ) -> Result<Vec<RepoPath>, RepoError> {
        let failed = self.failed("list the files of a commit");
        let commit = oid(commit).and_then(|id| self.git.find_commit(id));
        let tree = commit.and_then(|commit| commit.tree()).map_err(&failed)?;
        let mut files = Vec::new();
        for path in below {
            let entry = match tree.get_path(path.as_path()) {
                Ok(entry) => entry,
                Err(error) if error.code() == ErrorCode::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            if entry.kind() != Some(ObjectType::Tree) {
                files.push(path.clone());
                continue;
            }
            let directory = self.git.find_tree(entry.id()).map_err(&failed)?;
            directory
                .walk(TreeWalkMode::PreOrder, |folder, entry| {
                    if entry.kind() != Some(ObjectType::Tree) {
                        let parts = [path.as_bytes(), b"/", folder.as_bytes(), entry.name_bytes()];
                        files.push(RepoPath::from_bytes(parts.concat()));
                    }
                    TreeWalkResult::Ok
                })
                .map_err(&failed)?;
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    pub(super) fn is_descendant(&self, new: &ObjectId, old: &ObjectId) -> Result<bool, RepoError> {
        let failed = self.failed("compare commits");
        let (old, new) = (oid(old).map_err(&failed)?, oid(new).map_err(&failed)?);
        // A rewritten history may have been pruned: then the old commit itself is gone.
        let exists = self.git.odb().map_err(&failed)?.exists(old);
        Ok(exists && self.git.graph_descendant_of(new, old).map_err(&failed)?)
    }

    pub(super) fn commit_difference(
        &self,
        old: Option<&ObjectId>,
        new: &ObjectId,
    ) -> Result<Difference, RepoError> {
        let failed = self.failed("compare commits");
        let commit = |id: &ObjectId| oid(id).and_then(|id| self.git.find_commit(id));
        let new = commit(new).map_err(&failed)?;
        let old = match old {
            Some(old) => Some(commit(old)),
            None if new.parent_count() == 0 => None,
            None => Some(new.parent(0)),
        };
        let old = old.map(|old| old.and_then(|old| old.tree())).transpose().map_err(&failed)?;
        let new = new.tree().map_err(&failed)?;
        tree_difference(&self.git, old.as_ref(), &new).map_err(&failed)
    }

    pub(super) fn seek(
        &self,
        newest: Option<&ObjectId>,
        path: &RepoPath,
        accept: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<Option<String>, RepoError> {
        let failed = self.failed("read the history");
        let newest = newest.map_or_else(|| self.read_head().map(|head| head.commit), |it| Ok(it.clone()))?;
        let mut walk = self.git.revwalk().map_err(&failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL).map_err(&failed)?;
        walk.simplify_first_parent().map_err(&failed)?;
        oid(&newest).and_then(|newest| walk.push(newest)).map_err(&failed)?;
        let mut seen = None;
        for id in walk {
            let commit = id.and_then(|id| self.git.find_commit(id)).map_err(&failed)?;
            let entry = match commit.tree().and_then(|tree| tree.get_path(path.as_path())) {
                Ok(entry) => entry,
                Err(error) if error.code() == ErrorCode::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            if seen.replace(entry.id()) == Some(entry.id()) {
                continue;
            }
            let Ok(blob) = self.git.find_blob(entry.id()) else { continue };
            if accept(blob.content()) {
                let short = commit.as_object().short_id().map_err(&failed)?;
                return Ok(Some(String::from_utf8_lossy(&short).into_owned()));
            }
        }
        Ok(None)
    }
}
