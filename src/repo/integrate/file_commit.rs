//! A commit of a few files, as an object only.

use crate::publish::{Blob, FileMode, ObjectId, RepoPath};
use crate::repo::backend::{Changes, NewCommit, TreeChange};
use crate::repo::error::RepoError;
use crate::repo::open::Repo;
use crate::repo::preflight::Identity;

/// A commit that puts these files over its parent's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCommit<'a> {
    /// What it is made on.
    pub parent: &'a ObjectId,
    /// Paths with their contents, as git shall store them.
    pub files: &'a [(RepoPath, Vec<u8>)],
    /// The whole message.
    pub message: &'a str,
    /// Who is put on it, at the clock's now.
    pub identity: &'a Identity,
}

impl Repo {
    /// Stores a commit, durably; it is on no branch, and neither index nor work tree changes. No hook runs; it is signed
    /// where `commit.gpgSign` asks for it and the installed git works with this repository.
    ///
    /// A file keeps the mode that the parent has for it. With nothing changed it is an empty commit.
    pub fn write_commit(&self, plan: &FileCommit<'_>) -> Result<ObjectId, RepoError> {
        let paths: Vec<&RepoPath> = plan.files.iter().map(|(path, _)| path).collect();
        let before = self.backend.versions_at(plan.parent, &paths)?;
        let ids = plan.files.iter().map(|(_, content)| self.backend.hash_bytes(content));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let contents: Vec<_> = plan.files.iter().zip(&ids).map(|((_, it), id)| (it.clone(), id)).collect();
        let stored = self.backend.store_contents(&contents)?;
        let mut changes = Changes::new();
        for ((path, before), id) in paths.into_iter().zip(before).zip(stored) {
            let mode = before.map(|before| before.mode).filter(|mode| *mode == FileMode::Executable);
            let blob = Blob { id, mode: mode.unwrap_or(FileMode::Regular) };
            changes.insert(path.clone(), TreeChange::Put(blob));
        }
        let tree = self.backend.store_tree(plan.parent, &changes)?;
        let FileCommit { parent, message, identity, .. } = *plan;
        self.backend.store_commit(&NewCommit { tree: &tree, parent, message, identity })
    }
}
