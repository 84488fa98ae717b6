//! A copy of the index, brought up to date without git. Extensions that libgit2 does not know (untracked cache,
//! fsmonitor) are dropped.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use git2::{Index, IndexEntry, IndexTime};

use super::super::backend::{Versions, WorkTree};
use super::object::{mode_bits, oid};
use super::open::Library;
use crate::publish::{Blob, RepoPath};

impl Library {
    pub(super) fn update_index(
        &self,
        copy: &Path,
        due: &BTreeMap<&RepoPath, &Versions>,
        work_tree: WorkTree,
    ) -> Result<(), String> {
        let write = || -> Result<(), git2::Error> {
            let mut index = Index::open(copy)?;
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
        File::open(copy).and_then(|file| file.sync_all()).map_err(|error| error.to_string())
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
