//! Commits as objects only: read and stored as git stores them, their changes merged in memory.

use std::collections::BTreeSet;

use git2::{IndexEntry, MergeOptions, ObjectType, Tree};

use super::super::backend::{Changes, Merge, Merged, NewCommit, StoredCommit};
use super::super::error::RepoError;
use super::object::{object_id, oid, store_commit, store_object};
use super::open::Library;
use super::tree::{edit_tree, write_to};
use crate::publish::{ObjectId, RepoPath};

impl Library {
    pub(super) fn list_main_line(
        &self,
        without: [&ObjectId; 2],
        tip: &ObjectId,
    ) -> Result<Vec<StoredCommit>, RepoError> {
        let list = || -> Result<Vec<StoredCommit>, git2::Error> {
            let mut walk = self.git.revwalk()?;
            walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE)?;
            walk.simplify_first_parent()?;
            walk.push(oid(tip)?)?;
            for id in without {
                walk.hide(oid(id)?)?;
            }
            let objects = self.git.odb()?;
            walk.map(|id| {
                let id = id?;
                Ok(StoredCommit { id: object_id(id), content: objects.read(id)?.data().to_vec() })
            })
            .collect()
        };
        list().map_err(self.failed("list commits"))
    }

    fn tree_of(&self, commit: &ObjectId) -> Result<Tree<'_>, git2::Error> {
        self.git.find_commit(oid(commit)?)?.tree()
    }

    pub(super) fn write_tree_with(
        &self,
        commit: &ObjectId,
        changes: &Changes,
    ) -> Result<ObjectId, RepoError> {
        let write = || edit_tree(&self.git, &self.tree_of(commit)?, changes, &write_to(&self.git));
        write().map(object_id).map_err(self.failed("put a tree together"))
    }

    pub(super) fn write_new_commit(&self, commit: &NewCommit<'_>) -> Result<ObjectId, RepoError> {
        let author = self.signature(&commit.identity.author)?;
        let committer = self.signature(&commit.identity.committer)?;
        let write = || {
            let tree = self.git.find_tree(oid(commit.tree)?)?;
            let parent = self.git.find_commit(oid(commit.parent)?)?;
            store_commit(&self.git, (&author, &committer), commit.message, &tree, &[&parent])
        };
        self.named_durably(write())
    }

    pub(super) fn write_raw_commit(&self, content: &[u8]) -> Result<ObjectId, RepoError> {
        self.named_durably(store_object(&self.git, ObjectType::Commit, content))
    }

    /// libgit2 syncs the directory that an object is put into, not the one in which it made that directory.
    fn named_durably(&self, commit: Result<git2::Oid, git2::Error>) -> Result<ObjectId, RepoError> {
        let id = commit.map(object_id).map_err(self.failed("make a commit"))?;
        self.place.sync_objects_directory()?;
        Ok(id)
    }

    pub(super) fn merge_in_memory(&self, merge: &Merge<'_>) -> Result<Merged, RepoError> {
        let run = || {
            let write = write_to(&self.git);
            let base = match merge.base {
                Some(base) => self.tree_of(base)?,
                None => self.git.find_tree(write(&[])?)?,
            };
            let theirs = edit_tree(&self.git, &self.tree_of(merge.theirs)?, merge.held, &write)?;
            let theirs = self.git.find_tree(theirs)?;
            let mut options = MergeOptions::new();
            options.find_renames(true);
            let ours = self.tree_of(merge.ours)?;
            let mut merged = self.git.merge_trees(&base, &ours, &theirs, Some(&options))?;
            if !merged.has_conflicts() {
                return Ok(Merged::Tree(object_id(merged.write_tree_to(&self.git)?)));
            }
            let mut paths = BTreeSet::new();
            for conflict in merged.conflicts()? {
                let conflict = conflict?;
                let sides = [conflict.ancestor, conflict.our, conflict.their];
                let path = |side: IndexEntry| RepoPath::from_bytes(side.path);
                paths.extend(sides.into_iter().flatten().map(path));
            }
            Ok(Merged::Conflict(paths.into_iter().collect()))
        };
        run().map_err(self.failed("replay a commit"))
    }
}
