//! An index of our own: trees are made in it, and the user's is left alone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::backend::{Changes, TreeChange};
use super::super::error::RepoError;
use super::index::{Entry, index_info};
use super::look::object_id;
use super::open::{Installed, unexpected, without_last_break};
use super::run::Call;
use crate::publish::ObjectId;

/// A commit's tree as an index.
pub(super) struct BaseIndex {
    commit: ObjectId,
    tree: ObjectId,
    directory: TempDir,
}

/// A copy of it, to be changed.
pub(super) struct ScratchIndex {
    directory: TempDir,
}

impl ScratchIndex {
    /// Without entries.
    pub(super) fn empty() -> Result<Self, RepoError> {
        let io = |source| RepoError::Io { doing: "use", path: std::env::temp_dir(), source };
        Ok(Self { directory: tempfile::tempdir().map_err(io)? })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("index")
    }

    /// A name beside it that goes with it.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Installed {
    /// The commit's tree, and a copy of it as an index.
    pub(super) fn scratch_index(&self, commit: &ObjectId) -> Result<(ObjectId, ScratchIndex), RepoError> {
        let io = |source| RepoError::Io { doing: "use", path: std::env::temp_dir(), source };
        self.read_base(commit)?;
        let base = self.base_index.borrow();
        let base = base.as_ref().ok_or_else(|| self.program.failed("read HEAD's tree")(unexpected()))?;
        let scratch = ScratchIndex { directory: tempfile::tempdir().map_err(io)? };
        std::fs::copy(base.directory.path().join("index"), scratch.path()).map_err(io)?;
        Ok((base.tree.clone(), scratch))
    }

    fn read_base(&self, commit: &ObjectId) -> Result<(), RepoError> {
        if self.base_index.borrow().as_ref().is_some_and(|base| base.commit == *commit) {
            return Ok(());
        }
        let failed = self.program.failed("read HEAD's tree");
        let io = |source| RepoError::Io { doing: "use", path: std::env::temp_dir(), source };
        let directory = tempfile::tempdir().map_err(io)?;
        let asked = format!("{commit}^{{tree}}");
        let answer = self.program.look(&["rev-parse", &asked]).run().map_err(&failed)?;
        let tree = object_id(without_last_break(&answer)).ok_or_else(|| failed(unexpected()))?;
        self.in_index(&directory.path().join("index"), &["read-tree", tree.as_str()])
            .run()
            .map_err(&failed)?;
        self.base_index.replace(Some(BaseIndex { commit: commit.clone(), tree, directory }));
        Ok(())
    }

    /// A call on this index instead of the user's; what the user wants of the own one does not matter for it.
    pub(super) fn in_index(&self, index: &Path, arguments: &[&str]) -> Call<'_> {
        self.program
            .write(&[
                "-c",
                "core.splitIndex=false",
                "-c",
                "index.sparse=false",
                "-c",
                "core.untrackedCache=false",
            ])
            .arguments(arguments)
            .env("GIT_INDEX_FILE", index)
    }

    pub(super) fn change_index(&self, index: &ScratchIndex, changes: &Changes) -> Result<(), RepoError> {
        let mut info = Vec::new();
        for (path, change) in changes {
            let entry = match change {
                TreeChange::Put(blob) => Entry::Holds(blob),
                TreeChange::Remove => Entry::Gone { digits: self.format.digits() },
            };
            index_info(&mut info, path, entry);
        }
        self.in_index(
            &index.path(),
            &["update-index", "-z", "--add", "--remove", "--replace", "--index-info"],
        )
        .input(&info)
        .run()
        .map(|_| ())
        .map_err(self.program.failed("put a tree together"))
    }

    pub(super) fn write_tree(&self, call: Call<'_>) -> Result<ObjectId, RepoError> {
        let failed = self.program.failed("put a tree together");
        let answer = call.run().map_err(&failed)?;
        object_id(without_last_break(&answer)).ok_or_else(|| failed(unexpected()))
    }

    /// The trees go into a directory that goes with it.
    pub(super) fn tree_name(&self, commit: &ObjectId, changes: &Changes) -> Result<ObjectId, RepoError> {
        if let Some((known, same, tree)) = &*self.named.borrow()
            && (known, same) == (commit, changes)
        {
            return Ok(tree.clone());
        }
        let (tree, index) = self.scratch_index(commit)?;
        if changes.is_empty() {
            return Ok(tree);
        }
        self.change_index(&index, changes)?;
        let (tree, _) = self.passing_tree(&index)?;
        self.named.replace(Some((commit.clone(), changes.clone(), tree.clone())));
        Ok(tree)
    }

    /// The index as a tree, in a directory of objects that goes with it.
    pub(super) fn passing_tree(&self, index: &ScratchIndex) -> Result<(ObjectId, PathBuf), RepoError> {
        let objects = index.beside("objects");
        std::fs::create_dir(&objects).map_err(|source| RepoError::Io {
            doing: "create",
            path: objects.clone(),
            source,
        })?;
        let call = self
            .in_index(&index.path(), &["write-tree", "--missing-ok"])
            .env("GIT_OBJECT_DIRECTORY", &objects)
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", alternate(&self.place.common_dir.join("objects")));
        Ok((self.write_tree(call)?, objects))
    }

    /// An index that holds just what this commit does.
    pub(super) fn keep_as_base(&self, commit: ObjectId, tree: ObjectId, index: ScratchIndex) {
        self.base_index.replace(Some(BaseIndex { commit, tree, directory: index.directory }));
    }
}

/// A directory in a list that is separated by colons.
pub(super) fn alternate(objects: &Path) -> OsString {
    let bytes = objects.as_os_str().as_encoded_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b':' | b'"' | b'\\' | b'\n')) {
        return objects.as_os_str().to_owned();
    }
    let mut quoted = Vec::new();
    super::look::quote(bytes, &mut quoted);
    std::os::unix::ffi::OsStringExt::from_vec(quoted)
}
