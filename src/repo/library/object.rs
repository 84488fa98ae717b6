//! Between our object names and libgit2's.

use git2::{Commit, ObjectType, Odb, OdbLookupFlags, Oid, Repository, Signature, Tree};

use super::super::durable::sync_loose_object;
use crate::publish::{FileMode, ObjectId};

/// The name as `publish` and the journal write it.
#[expect(
    clippy::expect_used,
    reason = "libgit2 prints 40 lower-case hexadecimal digits, which is what is parsed"
)]
pub(in super::super) fn object_id(oid: Oid) -> ObjectId {
    oid.to_string().parse().expect("an object name")
}

/// The name as libgit2 wants it; fails for a name of another object format.
pub(in super::super) fn oid(id: &ObjectId) -> Result<Oid, git2::Error> {
    Oid::from_str(id.as_str())
}

/// The mode of a tree or index entry; `None` for a directory.
pub(super) const fn file_mode(bits: u32) -> Option<FileMode> {
    match bits & 0o170_000 {
        0o100_000 if bits & 0o111 != 0 => Some(FileMode::Executable),
        0o100_000 => Some(FileMode::Regular),
        0o120_000 => Some(FileMode::Symlink),
        0o160_000 => Some(FileMode::Submodule),
        _ => None,
    }
}

/// The mode in an index entry.
pub(super) const fn mode_bits(mode: FileMode) -> u32 {
    match mode {
        FileMode::Regular => 0o100_644,
        FileMode::Executable => 0o100_755,
        FileMode::Symlink => 0o120_000,
        FileMode::Submodule => 0o160_000,
    }
}

/// Whether an object need not be written. The list of packs is not read anew for one that is not found: if it is in a pack
/// that somebody has just made, it is written once more.
pub(super) fn is_stored(odb: &Odb<'_>, id: Oid) -> bool {
    odb.exists_ext(id, OdbLookupFlags::NO_REFRESH)
}

/// Stores a commit durably that no branch names yet. libgit2's own call returns success where the object could not be written.
pub(super) fn store_commit(
    git: &Repository,
    (author, committer): (&Signature<'_>, &Signature<'_>),
    message: &str,
    tree: &Tree<'_>,
    parents: &[&Commit<'_>],
) -> Result<Oid, git2::Error> {
    let commit = git.commit_create_buffer(author, committer, message, tree, parents)?;
    store_object(git, ObjectType::Commit, &commit)
}

/// Stores an object durably. libgit2 does not write again what exists, and whoever wrote it may not have synced it.
pub(super) fn store_object(git: &Repository, kind: ObjectType, content: &[u8]) -> Result<Oid, git2::Error> {
    let odb = git.odb()?;
    let existed = is_stored(&odb, Oid::hash_object(kind, content)?);
    let id = odb.write(kind, content)?;
    if existed {
        let synced = sync_loose_object(&git.commondir().join("objects"), &object_id(id));
        synced.map_err(|error| git2::Error::from_str(&error.to_string()))?;
    }
    Ok(id)
}
