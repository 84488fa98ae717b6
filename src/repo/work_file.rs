//! What the work tree holds at a path, as far as the file system alone tells.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

use super::backend::Backend;
use super::error::RepoError;
use super::place::is_absence;
use crate::publish::{Blob, Content, FileMode, RepoPath};

/// A path as the work tree has it now.
pub(super) enum Look {
    /// Nothing is left to find out.
    Settled { content: Content, size: u64 },
    /// An ordinary file that can be read; its object depends on git's conversions.
    File { mode: FileMode, size: u64 },
}

/// Looks at one path after the other.
pub(super) struct Looker<'a> {
    backend: &'a dyn Backend,
    trusts_mode_bits: bool,
}

impl<'a> Looker<'a> {
    pub(super) fn new(backend: &'a dyn Backend) -> Self {
        Self { backend, trusts_mode_bits: backend.trusts_mode_bits() }
    }

    /// `known`: the version in HEAD or, where HEAD has none, in the index; it says what a directory at that path means, and
    /// gives the mode where the file system has none to trust.
    pub(super) fn look_at(&self, path: &RepoPath, known: Option<&Blob>) -> Result<Look, RepoError> {
        let bare = |content| Look::Settled { content, size: 0 };
        let place = self.backend.place();
        if place.is_beyond_link(path) {
            return Ok(bare(Content::Deleted));
        }
        let absolute = place.absolute(path);
        let metadata = match absolute.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if is_absence(&error) => return Ok(bare(Content::Deleted)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Ok(bare(Content::Unreadable));
            }
            Err(source) => return Err(RepoError::Io { doing: "look at", path: absolute, source }),
        };
        let size = metadata.len();
        if metadata.is_dir() {
            let was_submodule = known.is_some_and(|known| known.mode == FileMode::Submodule);
            return Ok(bare(if was_submodule {
                Content::Submodule(self.backend.submodule_commit(path))
            } else {
                Content::Deleted
            }));
        }
        if metadata.is_symlink() {
            let target = std::fs::read_link(&absolute).map_err(|source| RepoError::Io {
                doing: "read the link",
                path: absolute,
                source,
            })?;
            let id = self.backend.hash_bytes(target.as_os_str().as_bytes())?;
            return Ok(Look::Settled { content: Content::File(Blob { id, mode: FileMode::Symlink }), size });
        }
        if !metadata.is_file() {
            return Ok(bare(Content::Special));
        }
        match std::fs::File::open(&absolute) {
            Ok(_) => Ok(Look::File { mode: self.file_mode(&metadata, known), size }),
            Err(error) if is_absence(&error) => Ok(bare(Content::Deleted)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Ok(Look::Settled { content: Content::Unreadable, size })
            }
            Err(source) => Err(RepoError::Io { doing: "open", path: absolute, source }),
        }
    }

    /// The mode that git would store for an ordinary file.
    pub(super) fn file_mode(&self, metadata: &Metadata, known: Option<&Blob>) -> FileMode {
        if !self.trusts_mode_bits {
            let known = known.map(|known| known.mode).filter(|mode| *mode == FileMode::Executable);
            return known.unwrap_or(FileMode::Regular);
        }
        if metadata.mode() & 0o100 == 0 { FileMode::Regular } else { FileMode::Executable }
    }
}
