//! References and what they name; copies that only references of our own name.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use git2::{ErrorCode, Reference};

use super::super::backend::{Copy, Found};
use super::super::error::{GitLock, RepoError};
use super::super::place::LOCK_PAUSE;
use super::super::reference_lock::ReferenceLock;
use super::super::surroundings::StashEntry;
use super::object::{object_id, oid, store_commit};
use super::open::Library;
use super::tree::{edit_tree, write_to};
use crate::durable::create_directories;
use crate::publish::ObjectId;

impl Library {
    /// What cannot be resolved leads nowhere.
    pub(super) fn find_object(&self, name: &str) -> Result<Option<Found>, RepoError> {
        let Ok(object) = self.git.revparse_single(name) else { return Ok(None) };
        let failed = self.failed("read an object");
        let (size, _) = self.git.odb().and_then(|odb| odb.read_header(object.id())).map_err(failed)?;
        Ok(Some(Found { id: object_id(object.id()), size: size as u64 }))
    }

    pub(super) fn list_references(&self) -> Result<BTreeMap<String, ObjectId>, RepoError> {
        let all = self.git.references().map_err(self.failed("list the branches and tags"))?;
        // One that is deleted just now is none.
        let named = |reference: Reference<'_>| {
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            Some((name, object_id(reference.target()?)))
        };
        Ok(all.filter_map(Result::ok).filter_map(named).collect())
    }

    pub(super) fn read_stash_log(&self) -> Result<Vec<StashEntry>, RepoError> {
        const NAME: &str = "refs/stash";
        // libgit2 would make an empty log where there is none.
        if !self.place.common_dir.join("logs").join(NAME).is_file() {
            return Ok(Vec::new());
        }
        let log = self.git.reflog(NAME).map_err(self.failed("read the stash"))?;
        let entry = |entry: git2::ReflogEntry<'_>| StashEntry {
            id: object_id(entry.id_new()),
            message: String::from_utf8_lossy(entry.message_bytes().unwrap_or_default()).into_owned(),
        };
        Ok(log.iter().map(entry).collect())
    }

    pub(super) fn read_remotes(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let Ok(entries) = self.git.config().and_then(|mut config| config.snapshot()) else { return found };
        let Ok(entries) = entries.entries(Some(r"^remote\..*\.(url|pushurl)$")) else { return found };
        let _ = entries.for_each(|entry| {
            if let (Ok(name), Ok(value)) = (entry.name(), entry.value()) {
                found.push((name.to_owned(), value.to_owned()));
            }
        });
        found
    }

    pub(super) fn write_copy(&self, copy: &Copy<'_>) -> Result<ObjectId, RepoError> {
        let failed = self.failed("store copies of uncommitted changes");
        let write = || {
            let tree = match copy.base {
                Some(base) => {
                    let base = self.git.find_commit(oid(base)?)?.tree()?;
                    edit_tree(&self.git, &base, copy.changes, &write_to(&self.git))?
                }
                None => write_to(&self.git)(&[])?,
            };
            let tree = self.git.find_tree(tree)?;
            let who = git2::Signature::new("baton", "baton@localhost", &git2::Time::new(0, 0))?;
            let parents = copy.parents.iter().map(|id| oid(id).and_then(|id| self.git.find_commit(id)));
            let parents = parents.collect::<Result<Vec<_>, _>>()?;
            let parents: Vec<_> = parents.iter().collect();
            store_commit(&self.git, (&who, &who), copy.message, &tree, &parents)
        };
        write().map(object_id).map_err(failed)
    }

    /// Durably, each for itself. Waits for another git's lock, with a limit; one that a killed baton has left is none.
    pub(super) fn write_references(&self, names: &BTreeMap<String, ObjectId>) -> Result<(), RepoError> {
        names.iter().try_for_each(|(name, id)| self.write_reference(name, id))
    }

    fn write_reference(&self, name: &str, id: &ObjectId) -> Result<(), RepoError> {
        let path = self.place.common_dir.join(name);
        let failed = |source| RepoError::Io { doing: "write", path: path.clone(), source };
        if let Some(directory) = path.parent() {
            create_directories(directory, 0o777).map_err(failed)?;
        }
        let waiting = self.place.ambient.stopwatch();
        loop {
            match ReferenceLock::take(&self.place.common_dir, name, &format!("{id}\n")) {
                Ok(lock) => return lock.put_in_place(&path).map_err(failed),
                Err(error) if !matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::WouldBlock) => {
                    return Err(failed(error));
                }
                Err(_) if waiting.elapsed() > self.place.lock_patience => {
                    let path = self.place.common_dir.join(format!("{name}.lock"));
                    return Err(RepoError::Locked { lock: GitLock { path } });
                }
                Err(_) => std::thread::sleep(LOCK_PAUSE),
            }
        }
    }

    pub(super) fn delete_references(&self, names: &[String]) -> Result<(), RepoError> {
        let delete = |name: &String| match self.git.find_reference(name).and_then(|mut it| it.delete()) {
            Err(error) if error.code() != ErrorCode::NotFound => Err(error),
            _ => Ok(()),
        };
        names.iter().try_for_each(delete).map_err(self.failed("forget the copies of uncommitted changes"))
    }
}
