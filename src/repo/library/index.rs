//! A copy of the index, brought up to date without git. Extensions that libgit2 does not know (untracked cache,
//! fsmonitor) are dropped: where git is installed, it writes an index that has them.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use git2::{Index, IndexEntry, IndexTime};

use super::super::backend::{Versions, WorkTree};
use super::content::Hasher;
use super::index_file::{changed_at, is_same, layout};
use super::object::{mode_bits, oid};
use super::open::Library;
use crate::publish::{Blob, FileMode, RepoPath};

/// A larger index (of some 5,000 files) costs libgit2 as much as a process of git, which reads it with several threads.
const SMALL: usize = 512 << 10;

impl Library {
    /// By libgit2 where it loses nothing of a small index, which saves a process; else by the installed git, where there is one.
    pub(super) fn write_index_copy(
        &self,
        copy: &Path,
        due: &BTreeMap<&RepoPath, &Versions>,
        work_tree: WorkTree,
    ) -> Result<(), String> {
        let found = fs::metadata(copy).and_then(|metadata| Ok((changed_at(&metadata), fs::read(copy)?)));
        let (layout, is_ours) = match found {
            Ok((changed, bytes)) => {
                let layout = layout(&bytes, changed);
                let is_kept = layout.as_ref().is_some_and(|layout| layout.is_kept);
                (layout, is_kept && bytes.len() <= SMALL)
            }
            Err(error) => (None, error.kind() == std::io::ErrorKind::NotFound),
        };
        if let Some(program) = self.program.as_ref().filter(|_| !is_ours) {
            return program.update_index(copy, &self.place, due, work_tree, &[]);
        }
        let racy = layout.map(|layout| layout.racy).unwrap_or_default();
        self.update_index(copy, due, work_tree, &racy)
    }

    /// `racy`: files whose times in this index do not tell whether they are unchanged.
    fn update_index(
        &self,
        copy: &Path,
        due: &BTreeMap<&RepoPath, &Versions>,
        work_tree: WorkTree,
        racy: &[RepoPath],
    ) -> Result<(), String> {
        let write = || -> Result<(), git2::Error> {
            let mut index = Index::open(copy)?;
            for path in racy.iter().filter(|path| !due.contains_key(path)) {
                if let Some(mut entry) = index.get_path(path.as_path(), 0).filter(|it| it.file_size != 0) {
                    // Without a size, git compares the content.
                    entry.file_size = 0;
                    index.add(&entry)?;
                }
            }
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
            && let Some(metadata) = self.metadata_of(path, blob)
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

    /// Of a file that holds this content, read once more: somebody may have saved it since it was stored, and with its
    /// new times the index would hide that.
    fn metadata_of(&self, path: &RepoPath, blob: &Blob) -> Option<Metadata> {
        let absolute = self.place.absolute(path);
        let before = absolute.symlink_metadata().ok()?;
        let id = match blob.mode {
            FileMode::Symlink => {
                let target = fs::read_link(&absolute).ok()?;
                git2::Oid::hash_object(git2::ObjectType::Blob, target.as_os_str().as_bytes()).ok()?
            }
            FileMode::Regular | FileMode::Executable if before.is_file() => {
                oid(&Hasher::new(self).ok()?.hash(path).ok()?.id).ok()?
            }
            FileMode::Regular | FileMode::Executable | FileMode::Submodule => return None,
        };
        let after = absolute.symlink_metadata().ok()?;
        (Some(id) == oid(&blob.id).ok() && is_same(&before, &after)).then_some(after)
    }
}
