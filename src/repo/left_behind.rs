//! What an agent's git has left behind that keeps commits from being made, and what makes its own commits durable.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use super::durable::sync_loose_object;
use super::error::RepoError;
use super::open::Repo;
use super::preflight::Operation;
use crate::publish::ObjectId;

impl Repo {
    /// Locks that stay, each as the error that names it with its remedy. Those of a baton that was killed do not.
    pub fn standing_locks(&self, branch: &str) -> Vec<RepoError> {
        if let Err(error) = self.settle_left_behind(branch) {
            return vec![error];
        }
        [
            self.git_dir().join("index.lock"),
            self.git_dir().join("HEAD.lock"),
            self.common_dir().join(format!("refs/heads/{branch}.lock")),
            self.common_dir().join("reftable/tables.list.lock"),
        ]
        .into_iter()
        .filter_map(|lock| self.wait_for_lock(lock).err())
        .collect()
    }

    /// What git has begun and not ended.
    pub fn operation_in_progress(&self) -> Result<Option<Operation>, RepoError> {
        self.operation()
    }

    /// Makes durable what git itself wrote on top of `base`: it syncs neither loose objects nor branches by default.
    pub fn sync_commits_since(&self, base: &ObjectId, branch: &str) -> Result<(), RepoError> {
        self.sync_objects(&self.backend.objects_between(base, None)?)?;
        let synced = || -> std::io::Result<()> {
            if self.place().has_reftable() {
                sync_files_of(&self.common_dir().join("reftable"))?;
            }
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
        let path = self.common_dir().join("refs");
        synced().map_err(|source| RepoError::Io { doing: "sync", path, source })
    }

    /// Makes objects durable that somebody else may have stored.
    pub(super) fn sync_objects(&self, objects: &BTreeSet<ObjectId>) -> Result<(), RepoError> {
        let place = self.common_dir().join("objects");
        let synced = || -> std::io::Result<()> {
            let mut packed = false;
            for id in objects {
                let name = id.as_str();
                packed |= !place.join(&name[..2]).join(&name[2..]).is_file();
                sync_loose_object(&place, id)?;
            }
            if packed {
                sync_files_of(&place.join("pack"))?;
            }
            sync_path(&place)
        };
        synced().map_err(|source| RepoError::Io { doing: "sync", path: place.clone(), source })
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
