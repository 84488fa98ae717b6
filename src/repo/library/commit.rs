//! Making commits and moving the branch; the primitives of the seam.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use git2::{ObjectType, Oid};

use super::super::backend::{
    Backend, BesideHead, Changed, Changes, Copy, Difference, Found, Hashed, InIndex, Known, Made, Merge,
    Merged, NewCommit, RawCommit, Staged, StoredCommit, Versions, WorkTree,
};
use super::super::commit::CommitOrder;
use super::super::error::RepoError;
use super::super::head::Head;
use super::super::introduced::Introduced;
use super::super::place::Place;
use super::super::preflight::{Operation, Person};
use super::super::remote::Own;
use super::super::surroundings::StashEntry;
use super::content::Hasher;
use super::object::{is_stored, object_id, oid, store_commit, store_object};
use super::open::Library;
use super::tree::{edit_tree, write_to};
use crate::publish::{Blob, ObjectId, RepoPath};

/// Each is lost to somebody who writes the file at that very moment.
const HASH_TRIES: u32 = 20;

impl Backend for Library {
    fn place(&self) -> &Place {
        &self.place
    }

    fn own(&self) -> Result<Own, RepoError> {
        let another = || Self::open(&self.place.workspace, &self.place.ambient);
        let backend = Box::new(another()?.with_program(self.program.clone()));
        Ok(Own { backend, library: Some(another()?), program: self.program.clone() })
    }

    fn head(&self) -> Result<Head, RepoError> {
        self.read_head()
    }

    fn settings(&self, keys: &[&str]) -> Result<Vec<Option<String>>, RepoError> {
        self.read_settings(keys)
    }

    fn trusts_mode_bits(&self) -> bool {
        self.git.config().and_then(|config| config.get_bool("core.filemode")).unwrap_or(true)
    }

    /// With references in files, every operation leaves a file.
    fn operation_among_references(&self) -> Result<Option<Operation>, RepoError> {
        Ok(None)
    }

    fn check_person(&self, person: &Person) -> Result<(), RepoError> {
        self.signature(person).map(|_| ())
    }

    fn status(&self) -> Result<BTreeMap<RepoPath, Changed>, RepoError> {
        self.scan()
    }

    fn known(&self, paths: &[&RepoPath]) -> Result<Vec<Known>, RepoError> {
        self.known_versions(paths)
    }

    fn staged(&self, paths: &[&RepoPath]) -> Result<Vec<InIndex>, RepoError> {
        self.staged_versions(paths)
    }

    fn versions_at(&self, commit: &ObjectId, paths: &[&RepoPath]) -> Result<Vec<Option<Blob>>, RepoError> {
        self.versions_of(commit, paths)
    }

    fn find(&self, names: &[String]) -> Result<Vec<Option<Found>>, RepoError> {
        names.iter().map(|name| self.find_object(name)).collect()
    }

    fn references(&self) -> Result<BTreeMap<String, ObjectId>, RepoError> {
        self.list_references()
    }

    fn stash_log(&self) -> Result<Vec<StashEntry>, RepoError> {
        self.read_stash_log()
    }

    fn remote_settings(&self) -> Vec<(String, String)> {
        self.read_remotes()
    }

    fn hash_files(&self, paths: &[&RepoPath]) -> Result<Vec<Option<Hashed>>, RepoError> {
        let mut hasher = Hasher::new(self)?;
        let mut hash = |path: &&RepoPath| {
            let mut tries = 1;
            loop {
                match hasher.hash(path) {
                    // Somebody has deleted it in this very moment; or wrote it, and it is there again.
                    Err(_) if self.place.absolute(path).symlink_metadata().is_err() => return Ok(None),
                    Err(_) if tries < HASH_TRIES => tries += 1,
                    found => return found.map(Some),
                }
            }
        };
        paths.iter().map(&mut hash).collect()
    }

    fn hash_bytes(&self, content: &[u8]) -> Result<ObjectId, RepoError> {
        Oid::hash_object(ObjectType::Blob, content).map(object_id).map_err(self.failed("hash a link"))
    }

    fn submodule_commit(&self, path: &RepoPath) -> Option<ObjectId> {
        let none: [&str; 0] = [];
        let flags = git2::RepositoryOpenFlags::NO_SEARCH;
        let inner = git2::Repository::open_ext(self.place.absolute(path), flags, none).ok()?;
        inner.head().ok()?.target().map(object_id)
    }

    fn blobs(&self, ids: &[&ObjectId]) -> Result<Vec<Option<Vec<u8>>>, RepoError> {
        ids.iter().map(|id| self.read_blob(id)).collect()
    }

    fn commits_between(&self, base: &ObjectId, tip: Option<&ObjectId>) -> Result<Vec<RawCommit>, RepoError> {
        self.list_commits(base, tip)
    }

    fn descends(&self, new: &ObjectId, old: &ObjectId) -> Result<bool, RepoError> {
        self.is_descendant(new, old)
    }

    fn related(&self, one: &ObjectId, other: &ObjectId) -> Result<bool, RepoError> {
        self.have_common_commit(one, other)
    }

    fn introduced(&self, base: &ObjectId) -> Result<Vec<Introduced>, RepoError> {
        self.list_introduced(base)
    }

    fn objects_between(
        &self,
        base: &ObjectId,
        tip: Option<&ObjectId>,
    ) -> Result<BTreeSet<ObjectId>, RepoError> {
        self.list_objects(base, tip)
    }

    fn difference(&self, old: Option<&ObjectId>, new: &ObjectId) -> Result<Difference, RepoError> {
        self.commit_difference(old, new)
    }

    fn recent_commits(&self, newest: Option<&ObjectId>, limit: usize) -> Result<Vec<RawCommit>, RepoError> {
        self.list_recent(newest, limit)
    }

    fn files_below(&self, commit: &ObjectId, below: &[RepoPath]) -> Result<Vec<RepoPath>, RepoError> {
        self.list_files(commit, below)
    }

    fn seek_version(
        &self,
        newest: Option<&ObjectId>,
        path: &RepoPath,
        accept: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<Option<String>, RepoError> {
        self.seek(newest, path, accept)
    }

    fn tree_with(&self, commit: &ObjectId, changes: &Changes) -> Result<ObjectId, RepoError> {
        let failed = self.failed("read HEAD's tree");
        let commit = oid(commit).and_then(|id| self.git.find_commit(id)).map_err(&failed)?;
        let tree = commit.tree().map_err(&failed)?;
        let hash = |bytes: &[u8]| Oid::hash_object(ObjectType::Tree, bytes);
        edit_tree(&self.git, &tree, changes, &hash).map(object_id).map_err(&failed)
    }

    fn store_files(&self, files: &[(&RepoPath, &ObjectId)]) -> Result<Vec<ObjectId>, RepoError> {
        let mut hasher = Hasher::new(self)?;
        let mut store = |(path, expected): &(&RepoPath, &ObjectId)| {
            let failed = self.failed("store a file");
            let existed = is_stored(&self.git.odb().map_err(&failed)?, oid(expected).map_err(&failed)?);
            let stored = hasher.store(path).map_err(&failed)?;
            if existed {
                // libgit2 does not write it again.
                self.place.sync_object(expected)?;
            }
            Ok(object_id(stored))
        };
        files.iter().map(&mut store).collect()
    }

    fn store_contents(&self, links: &[(Vec<u8>, &ObjectId)]) -> Result<Vec<ObjectId>, RepoError> {
        let store = |(content, _): &(Vec<u8>, &ObjectId)| {
            store_object(&self.git, ObjectType::Blob, content)
                .map(object_id)
                .map_err(self.failed("store a file"))
        };
        links.iter().map(store).collect()
    }

    fn make_commits(&self, order: &CommitOrder<'_>, changes: &[Changes]) -> Result<Made, RepoError> {
        let failed = self.failed("make a commit");
        let author = self.signature(&order.identity.author)?;
        let committer = self.signature(&order.identity.committer)?;
        let mut tip = oid(&order.head.commit).and_then(|base| self.git.find_commit(base)).map_err(&failed)?;
        let mut made = Made::default();
        for (at, (plan, changes)) in order.plans.iter().zip(changes).enumerate() {
            let parent_tree = tip.tree().map_err(&failed)?;
            let tree = edit_tree(&self.git, &parent_tree, changes, &write_to(&self.git)).map_err(&failed)?;
            if tree == parent_tree.id() {
                continue;
            }
            let tree = self.git.find_tree(tree).map_err(&failed)?;
            let id = store_commit(&self.git, (&author, &committer), &plan.message, &tree, &[&tip])
                .map_err(&failed)?;
            tip = self.git.find_commit(id).map_err(&failed)?;
            made.commits.push((at, object_id(id)));
        }
        if !made.commits.is_empty() {
            // libgit2 syncs the directory that an object is put into, not the one in which it made that directory.
            self.place.sync_objects_directory()?;
        }
        Ok(made)
    }

    fn store_copy(&self, copy: &Copy<'_>) -> Result<ObjectId, RepoError> {
        self.write_copy(copy)
    }

    fn name_objects(&self, names: &BTreeMap<String, ObjectId>) -> Result<(), RepoError> {
        self.write_references(names)
    }

    fn forget_names(&self, names: &[String]) -> Result<(), RepoError> {
        self.delete_references(names)
    }

    fn check_out(&self) -> Result<(), RepoError> {
        self.check_out_head()
    }

    fn restore_missing(&self) -> Result<(), RepoError> {
        self.check_out_missing()
    }

    fn beside_head(&self) -> Result<BesideHead, RepoError> {
        self.list_beside_head()
    }

    fn move_branch(&self, branch: &str, from: &ObjectId, to: &ObjectId, log: &str) -> Result<(), RepoError> {
        self.move_branch_durably(branch, from, to, log)
    }

    /// libgit2 runs no hook.
    fn after_commits(&self, _order: &CommitOrder<'_>) {}

    fn write_index(
        &self,
        copy: &Path,
        due: &BTreeMap<&RepoPath, &Versions>,
        work_tree: WorkTree,
    ) -> Result<(), String> {
        self.write_index_copy(copy, due, work_tree)
    }

    fn main_line(&self, without: [&ObjectId; 2], tip: &ObjectId) -> Result<Vec<StoredCommit>, RepoError> {
        self.list_main_line(without, tip)
    }

    fn store_tree(&self, commit: &ObjectId, changes: &Changes) -> Result<ObjectId, RepoError> {
        self.write_tree_with(commit, changes)
    }

    fn store_commit(&self, commit: &NewCommit<'_>) -> Result<ObjectId, RepoError> {
        self.write_new_commit(commit)
    }

    fn store_replayed(&self, content: &[u8]) -> Result<ObjectId, RepoError> {
        self.write_raw_commit(content)
    }

    fn merge(&self, merge: &Merge<'_>) -> Result<Merged, RepoError> {
        self.merge_in_memory(merge)
    }

    fn staged_around(&self, paths: &BTreeSet<&RepoPath>) -> Result<BTreeMap<RepoPath, Staged>, RepoError> {
        self.list_staged_around(paths)
    }

    fn unmodified(&self, paths: &[&RepoPath]) -> Result<BTreeSet<RepoPath>, RepoError> {
        Ok(self.list_unmodified(paths))
    }

    fn export(&self, files: &BTreeMap<&RepoPath, &Blob>, directory: &Path) -> Result<(), RepoError> {
        self.export_files(files, directory)
    }

    fn skip_in_index(&self, copy: &Path, paths: &BTreeSet<&RepoPath>) -> Result<(), String> {
        match &self.program {
            Some(program) => program.skip_in_index(copy, paths),
            None => Self::skip_entries(copy, paths),
        }
    }
}
