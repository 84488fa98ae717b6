//! What an agent's git has left behind that keeps commits from being made, and what makes its own commits durable.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use git2::{ObjectType, Oid, Tree};

use super::error::RepoError;
use super::object::{oid, sync_loose_object};
use super::open::Repo;
use super::preflight::Operation;
use crate::publish::ObjectId;

impl Repo {
    /// Locks that stay, each as the error that names it with its remedy.
    pub fn standing_locks(&self, branch: &str) -> Vec<RepoError> {
        [
            self.git_dir().join("index.lock"),
            self.git_dir().join("HEAD.lock"),
            self.common_dir().join(format!("refs/heads/{branch}.lock")),
        ]
        .into_iter()
        .filter_map(|lock| self.wait_for_lock(lock).err())
        .collect()
    }

    /// What git has begun and not ended.
    pub fn operation_in_progress(&self) -> Option<Operation> {
        self.operation()
    }

    /// Makes durable what git itself wrote on top of `base`: it syncs neither loose objects nor branches by default.
    pub fn sync_commits_since(&self, base: &ObjectId, branch: &str) -> Result<(), RepoError> {
        let failed = self.failed("read the new commits");
        let mut walk = self.git.revwalk().map_err(&failed)?;
        walk.push_head().map_err(&failed)?;
        oid(base).and_then(|base| walk.hide(base)).map_err(&failed)?;
        let mut objects = BTreeSet::new();
        for id in walk {
            let commit = id.and_then(|id| self.git.find_commit(id)).map_err(&failed)?;
            let tree = commit.tree().map_err(&failed)?;
            let parent = commit.parent(0).and_then(|parent| parent.tree()).ok();
            objects.insert(commit.id());
            self.new_objects(&tree, parent.as_ref(), &mut objects).map_err(&failed)?;
        }
        let place = self.common_dir().join("objects");
        let synced = || -> std::io::Result<()> {
            let mut packed = false;
            for id in &objects {
                let name = id.to_string();
                packed |= !place.join(&name[..2]).join(&name[2..]).is_file();
                sync_loose_object(&place, *id)?;
            }
            if packed {
                sync_files_of(&place.join("pack"))?;
            }
            sync_path(&place)?;
            let branch = self.common_dir().join("refs/heads").join(branch);
            for path in [branch.as_path(), &self.common_dir().join("packed-refs")] {
                if path.is_file() {
                    sync_path(path)?;
                }
            }
            for directory in branch.ancestors().skip(1).take_while(|it| it.starts_with(self.common_dir())) {
                if directory.is_dir() {
                    sync_path(directory)?;
                }
            }
            Ok(())
        };
        synced().map_err(|source| RepoError::Io { doing: "sync", path: place.clone(), source })
    }

    fn new_objects(
        &self,
        tree: &Tree<'_>,
        parent: Option<&Tree<'_>>,
        objects: &mut BTreeSet<Oid>,
    ) -> Result<(), git2::Error> {
        if parent.is_some_and(|parent| parent.id() == tree.id()) || !objects.insert(tree.id()) {
            return Ok(());
        }
        for entry in tree {
            let before = parent.and_then(|parent| {
                parent.iter().find(|before| before.name_bytes() == entry.name_bytes()).map(|it| it.to_owned())
            });
            if before.as_ref().is_some_and(|before| before.id() == entry.id()) {
                continue;
            }
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    let below = self.git.find_tree(entry.id())?;
                    let before = before.and_then(|before| self.git.find_tree(before.id()).ok());
                    self.new_objects(&below, before.as_ref(), objects)?;
                }
                Some(ObjectType::Blob) => {
                    objects.insert(entry.id());
                }
                // A submodule's commit is in another repository.
                _ => {}
            }
        }
        Ok(())
    }
}

fn sync_path(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

fn sync_files_of(directory: &Path) -> std::io::Result<()> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_file() {
            sync_path(&path)?;
        }
    }
    sync_path(directory)
}
