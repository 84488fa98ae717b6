//! The index without git: its lock is taken here, around libgit2's work on a copy.
//!
//! libgit2 by itself reads and writes the index without holding `index.lock` in between, and so loses what a concurrent
//! `git add` wrote. Extensions that it does not know (untracked cache, fsmonitor) are dropped.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use git2::{Index, IndexEntry, IndexTime};

use super::super::backend::{Versions, WorkTree};
use super::super::place::LOCK_PAUSE;
use super::object::{mode_bits, oid};
use super::open::Library;
use crate::publish::{Blob, RepoPath};

impl Library {
    pub(super) fn update_index(
        &self,
        due: &BTreeMap<&RepoPath, &Versions>,
        work_tree: WorkTree,
    ) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        let lock = self.lock_index()?;
        let index_path = self.place.git_dir.join("index");
        let copy =
            tempfile::Builder::new().prefix("baton-index").tempfile_in(&self.place.git_dir).map_err(text)?;
        match std::fs::copy(&index_path, copy.path()) {
            Ok(_) => {}
            // An empty file is no index; an absent one is an empty index.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::remove_file(copy.path()).map_err(text)?;
            }
            Err(error) => return Err(text(error)),
        }
        let write = || -> Result<(), git2::Error> {
            let mut index = Index::open(copy.path())?;
            for (path, versions) in due {
                match &versions.new {
                    Some(blob) => index.add(&self.index_entry(path, blob, work_tree)?)?,
                    None => match index.remove(path.as_path(), 0) {
                        Err(error) if error.code() != git2::ErrorCode::NotFound => return Err(error),
                        _ => {}
                    },
                }
            }
            index.write()
        };
        write().map_err(|error| error.message().to_owned())?;
        File::open(copy.path()).and_then(|file| file.sync_all()).map_err(text)?;
        lock.replace_index(copy.path(), &index_path).map_err(text)
    }

    fn lock_index(&self) -> Result<IndexLock, String> {
        let path = self.place.git_dir.join("index.lock");
        let waiting = self.place.ambient.stopwatch();
        loop {
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => return Ok(IndexLock { path: Some(path) }),
                Err(error)
                    if error.kind() == ErrorKind::AlreadyExists
                        && waiting.elapsed() < self.place.lock_patience =>
                {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(error) => return Err(format!("`{}`: {error}", path.display())),
            }
        }
    }

    /// With the file's times where they are known to belong to this content; else git compares it once more.
    fn index_entry(
        &self,
        path: &RepoPath,
        blob: &Blob,
        work_tree: WorkTree,
    ) -> Result<IndexEntry, git2::Error> {
        let mut entry = IndexEntry {
            ctime: IndexTime::new(0, 0),
            mtime: IndexTime::new(0, 0),
            dev: 0,
            ino: 0,
            mode: mode_bits(blob.mode),
            uid: 0,
            gid: 0,
            file_size: 0,
            id: oid(&blob.id)?,
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        if work_tree == WorkTree::JustRead
            && let Ok(metadata) = self.place.absolute(path).symlink_metadata()
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the index keeps the low 32 bits of each"
            )]
            {
                entry.ctime = IndexTime::new(metadata.ctime() as i32, metadata.ctime_nsec() as u32);
                entry.mtime = IndexTime::new(metadata.mtime() as i32, metadata.mtime_nsec() as u32);
                entry.dev = metadata.dev() as u32;
                entry.ino = metadata.ino() as u32;
                entry.uid = metadata.uid();
                entry.gid = metadata.gid();
                entry.file_size = metadata.len() as u32;
            }
        }
        Ok(entry)
    }
}

/// git's own lock, made by us; removed when dropped, unless it became the index.
struct IndexLock {
    path: Option<PathBuf>,
}

impl IndexLock {
    /// The lock stays in place until the very moment at which it becomes the new index.
    fn replace_index(mut self, new: &Path, index: &Path) -> std::io::Result<()> {
        if let Some(lock) = &self.path {
            std::fs::rename(new, lock)?;
            std::fs::rename(lock, index)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // If this fails the lock stays, and the next start reports it.
            let _ = std::fs::remove_file(path);
        }
    }
}
