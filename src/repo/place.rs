//! Where a repository lies, and what looking at its files alone tells.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::durable::{sync_loose_object, sync_loose_objects};
use super::error::RepoError;
use crate::ambient::Ambient;
use crate::publish::{ObjectId, RepoPath};

/// How long a lock that another git holds is waited for.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(5);
pub(super) const LOCK_PAUSE: Duration = Duration::from_millis(3);

/// The directories of a repository with a work tree, all canonical.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Where the search began: at the root or below it.
    pub(super) workspace: PathBuf,
    /// The workspace inside the repository; empty where it is the root.
    pub(super) prefix: RepoPath,
    /// The root of the work tree.
    pub(super) root: PathBuf,
    /// Of this work tree's HEAD and index.
    pub(super) git_dir: PathBuf,
    /// Of objects, branches and `info/exclude`.
    pub(super) common_dir: PathBuf,
    pub(super) ambient: Ambient,
    /// How long a lock that another git holds is waited for.
    pub(super) lock_patience: Duration,
}

impl Place {
    /// Fails where the workspace is not inside `root`: then the repository found is another's.
    pub(super) fn new(
        workspace: &Path,
        root: &Path,
        git_dir: PathBuf,
        common_dir: PathBuf,
        ambient: &Ambient,
    ) -> Result<Self, RepoError> {
        let root = std::fs::canonicalize(root).map_err(|source| RepoError::Io {
            doing: "open",
            path: root.to_owned(),
            source,
        })?;
        let Ok(inside) = workspace.strip_prefix(&root) else {
            return Err(RepoError::NotARepository { workspace: workspace.to_owned() });
        };
        // Below a git directory there is no work tree but a linked one, whose root lies there too.
        let common = std::fs::canonicalize(&common_dir).map_err(|source| RepoError::Io {
            doing: "open",
            path: common_dir.clone(),
            source,
        })?;
        if workspace.starts_with(&common) && !root.starts_with(&common) {
            return Err(RepoError::NotARepository { workspace: workspace.to_owned() });
        }
        Ok(Self {
            prefix: RepoPath::from_path(inside),
            workspace: workspace.to_owned(),
            root,
            git_dir,
            common_dir,
            ambient: ambient.clone(),
            lock_patience: LOCK_PATIENCE,
        })
    }

    /// Where a path lies in the file system.
    pub(super) fn absolute(&self, path: &RepoPath) -> PathBuf {
        self.root.join(path.as_path())
    }

    /// Whether one of the path's parents is a symbolic link: what lies behind it is not this path's.
    pub(super) fn is_beyond_link(&self, path: &RepoPath) -> bool {
        path.as_path().ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()).any(|parent| {
            self.root.join(parent).symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
        })
    }

    /// Makes an object durable that may be stored already, by somebody who did not sync it.
    pub(super) fn sync_object(&self, id: &ObjectId) -> Result<(), RepoError> {
        let objects = self.common_dir.join("objects");
        sync_loose_object(&objects, id).map_err(|source| RepoError::Io {
            doing: "sync",
            path: objects,
            source,
        })
    }

    /// Makes objects durable that may be stored already, and the directory of objects.
    pub(super) fn sync_stored(&self, ids: &[ObjectId]) -> Result<(), RepoError> {
        let objects = self.common_dir.join("objects");
        sync_loose_objects(&objects, ids).map_err(|source| RepoError::Io {
            doing: "sync",
            path: objects,
            source,
        })
    }

    /// The directory of objects itself: a new one is in a directory that may be new too.
    pub(super) fn sync_objects_directory(&self) -> Result<(), RepoError> {
        let objects = self.common_dir.join("objects");
        std::fs::File::open(&objects)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| RepoError::Io { doing: "sync", path: objects, source })
    }

    /// Whether references lie in tables instead of files.
    pub(super) fn has_reftable(&self) -> bool {
        self.common_dir.join("reftable").is_dir()
    }

    /// Whether the work tree has no file at a path.
    pub(super) fn is_absent(&self, path: &RepoPath) -> bool {
        match self.absolute(path).symlink_metadata() {
            Ok(metadata) => metadata.is_dir() || self.is_beyond_link(path),
            Err(error) => is_absence(&error),
        }
    }
}

pub(super) fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
