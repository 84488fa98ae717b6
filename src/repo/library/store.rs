//! Storing objects without an fsync each, and making them durable together.
//!
//! The library's own handle syncs every object that it writes, which suits a single one. A turn stores several: they are
//! written by a second handle, and synced before anything refers to them.

use std::cell::{OnceCell, RefCell};

use git2::{Oid, Repository, RepositoryOpenFlags};

use super::super::error::RepoError;
use super::object::{object_id, oid};
use super::open::Library;
use super::tree::write_to;
use crate::publish::ObjectId;

/// The second handle, and what it has written.
#[derive(Default)]
pub(super) struct Unsynced {
    git: OnceCell<Repository>,
    objects: RefCell<Vec<ObjectId>>,
}

impl Library {
    /// The second handle, for objects that others are made of.
    pub(super) fn unsynced(&self) -> Result<&Repository, git2::Error> {
        if let Some(git) = self.unsynced.git.get() {
            return Ok(git);
        }
        let none: [&str; 0] = [];
        let git = Repository::open_ext(&self.place.root, RepositoryOpenFlags::NO_SEARCH, none)?;
        git.set_config(&self.git.config()?)?;
        Ok(self.unsynced.git.get_or_init(|| git))
    }

    /// Stores what `write` writes with the handle that it is given. libgit2 does not write again what exists, and
    /// whoever wrote that may not have synced it: it is synced with the others.
    pub(super) fn store_unsynced(
        &self,
        write: impl FnOnce(&Repository) -> Result<Oid, git2::Error>,
    ) -> Result<ObjectId, git2::Error> {
        let id = object_id(write(self.unsynced()?)?);
        self.unsynced.objects.borrow_mut().push(id.clone());
        Ok(id)
    }

    pub(super) fn store_tree_unsynced(&self, bytes: &[u8]) -> Result<Oid, git2::Error> {
        self.store_unsynced(|git| write_to(git)(bytes)).and_then(|id| oid(&id))
    }

    /// Everything that was stored unsynced is durable when this returns, and so is the directory of objects: libgit2
    /// syncs the one that an object is put into, not the one in which it made that.
    pub(super) fn sync_unsynced(&self) -> Result<(), RepoError> {
        let objects = self.unsynced.objects.take();
        let synced = self.place.sync_stored(&objects);
        if synced.is_err() {
            self.unsynced.objects.borrow_mut().extend(objects);
        }
        synced
    }
}
