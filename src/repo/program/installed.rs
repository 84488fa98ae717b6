//! The installed git behind the seam.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

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
use super::look::object_id;
use super::open::{Installed, is_signing, without_last_break};
use crate::publish::{Blob, ObjectId, RepoPath};

impl Backend for Installed {
    fn place(&self) -> &Place {
        &self.place
    }

    fn own(&self) -> Result<Own, RepoError> {
        let program = self.program.clone();
        let backend = Self::open(&self.place.workspace, program.clone(), &self.place.ambient)?;
        Ok(Own { backend: Box::new(backend), library: None, program: Some(program) })
    }

    fn head(&self) -> Result<Head, RepoError> {
        self.read_head()
    }

    fn settings(&self, keys: &[&str]) -> Result<Vec<Option<String>>, RepoError> {
        let failed = self.program.failed("read the configuration");
        let mut settings = self.program.settings().map_err(failed)?;
        self.signed.set(is_signing(&settings));
        Ok(keys.iter().map(|key| settings.remove(&key.to_ascii_lowercase()).flatten()).collect())
    }

    fn trusts_mode_bits(&self) -> bool {
        self.trusts_mode_bits
    }

    /// Among tables of references, these two are references like others.
    fn operation_among_references(&self) -> Result<Option<Operation>, RepoError> {
        if !self.place.common_dir.join("reftable").is_dir() {
            return Ok(None);
        }
        let failed = self.program.failed("look for operations in progress");
        let marks = [("CHERRY_PICK_HEAD", Operation::CherryPick), ("REVERT_HEAD", Operation::Revert)];
        let asked = marks.iter().fold(String::new(), |text, (mark, _)| text + mark + "\n");
        let answers = self
            .program
            .look(&["cat-file", "--batch-check"])
            .input(asked.as_bytes())
            .run()
            .map_err(failed)?;
        let answers = String::from_utf8_lossy(&answers).into_owned();
        let found = answers.lines().zip(marks).find(|(answer, _)| !answer.ends_with(" missing"));
        Ok(found.map(|(_, (_, operation))| operation))
    }

    fn check_person(&self, person: &Person) -> Result<(), RepoError> {
        let is_usable = |text: &str| {
            !text.contains(['<', '>', '\n', '\0'])
                && !text.trim_matches(|c: char| c <= ' ' || ".,:;\"\\'".contains(c)).is_empty()
        };
        if is_usable(&person.name) && is_usable(&person.email) {
            return Ok(());
        }
        Err(RepoError::BadIdentity { name: person.name.clone(), email: person.email.clone(), source: None })
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
        self.find_objects(names)
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
        self.hash(paths)
    }

    fn hash_bytes(&self, content: &[u8]) -> Result<ObjectId, RepoError> {
        self.hash_content(content)
    }

    fn submodule_commit(&self, path: &RepoPath) -> Option<ObjectId> {
        let inner = self.place.absolute(path);
        inner.join(".git").symlink_metadata().ok()?;
        let inner = self.program.clone().at(&inner);
        let answer = inner.look(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).run().ok()?;
        object_id(without_last_break(&answer))
    }

    fn blobs(&self, ids: &[&ObjectId]) -> Result<Vec<Option<Vec<u8>>>, RepoError> {
        self.read_blobs(ids)
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
        self.tree_name(commit, changes)
    }

    fn store_files(&self, files: &[(&RepoPath, &ObjectId)]) -> Result<Vec<ObjectId>, RepoError> {
        let paths: Vec<&RepoPath> = files.iter().map(|(path, _)| *path).collect();
        self.store_as_files(&paths)
    }

    fn store_contents(&self, links: &[(Vec<u8>, &ObjectId)]) -> Result<Vec<ObjectId>, RepoError> {
        let targets: Vec<&[u8]> = links.iter().map(|(target, _)| target.as_slice()).collect();
        self.store_as_links(&targets)
    }

    fn make_commits(&self, order: &CommitOrder<'_>, changes: &[Changes]) -> Result<Made, RepoError> {
        self.commit_all(order, changes)
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
        self.swap_branch(branch, from, to, log)
    }

    fn after_commits(&self, order: &CommitOrder<'_>) {
        self.run_post_commit(order);
    }

    fn write_index(
        &self,
        copy: &Path,
        due: &BTreeMap<&RepoPath, &Versions>,
        work_tree: WorkTree,
    ) -> Result<(), String> {
        let made = self.made.borrow();
        let exact = made.as_ref().map_or(&[][..], |made| &made.restaged);
        self.program.update_index(copy, &self.place, due, work_tree, exact)
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
        self.list_unmodified(paths)
    }

    fn export(&self, files: &BTreeMap<&RepoPath, &Blob>, directory: &Path) -> Result<(), RepoError> {
        self.export_files(files, directory)
    }

    fn skip_in_index(&self, copy: &Path, paths: &BTreeSet<&RepoPath>) -> Result<(), String> {
        self.program.skip_in_index(copy, paths)
    }
}
