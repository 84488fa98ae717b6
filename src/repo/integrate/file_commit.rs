//! A commit of a few files, as an object only.

use crate::publish::{ObjectId, RepoPath};
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
        let _ = plan;
        unimplemented!()
    }
}
