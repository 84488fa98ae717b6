//! Files of a commit written aside, and what is told of them in the index.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use git2::build::CheckoutBuilder;
use git2::{Index, IndexEntry, IndexEntryExtendedFlag, IndexTime, Repository, RepositoryOpenFlags, Status};

use super::super::error::RepoError;
use super::attributes::AttributeFiles;
use super::content::converts_by_default;
use super::object::{mode_bits, oid};
use super::open::Library;
use crate::publish::{Blob, FileMode, RepoPath};

const CHANGED: [Status; 5] =
    [Status::WT_NEW, Status::WT_MODIFIED, Status::WT_DELETED, Status::WT_TYPECHANGE, Status::WT_RENAMED];

impl Library {
    pub(super) fn export_files(
        &self,
        files: &BTreeMap<&RepoPath, &Blob>,
        directory: &Path,
    ) -> Result<(), RepoError> {
        if self.are_written_as_stored(files)? {
            return files.iter().try_for_each(|(path, blob)| self.export_as_stored(path, blob, directory));
        }
        self.export_converted(files, directory)
    }

    /// Whether each of the files has a plain name and gets the very bytes of its object. Where in doubt, libgit2 knows.
    fn are_written_as_stored(&self, files: &BTreeMap<&RepoPath, &Blob>) -> Result<bool, RepoError> {
        let config = self.git.config().and_then(|mut config| config.snapshot());
        let config = config.map_err(self.failed("read the configuration"))?;
        let is_file = |blob: &Blob| matches!(blob.mode, FileMode::Regular | FileMode::Executable);
        Ok(files.iter().all(|(path, blob)| is_file(blob) && has_plain_name(path))
            && !converts_by_default(&config)
            && !AttributeFiles::new(self, &config).is_outside)
    }

    /// As git makes a file in a work tree.
    fn export_as_stored(&self, path: &RepoPath, blob: &Blob, directory: &Path) -> Result<(), RepoError> {
        let content = oid(&blob.id).and_then(|id| self.git.find_blob(id));
        let content = content.map_err(self.failed("write files aside"))?;
        let mode = if blob.mode == FileMode::Executable { 0o777 } else { 0o666 };
        let path = directory.join(path.as_path());
        let write = || {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            let mut file = File::options().write(true).create_new(true).mode(mode).open(&path)?;
            file.write_all(content.content())
        };
        write().map_err(|source| RepoError::Io { doing: "write", path: path.clone(), source })
    }

    /// Through a handle of its own, whose work tree is the directory and whose index, in memory, has just these files.
    fn export_converted(
        &self,
        files: &BTreeMap<&RepoPath, &Blob>,
        directory: &Path,
    ) -> Result<(), RepoError> {
        let export = || -> Result<(), git2::Error> {
            let none: [&str; 0] = [];
            let aside = Repository::open_ext(&self.place.root, RepositoryOpenFlags::NO_SEARCH, none)?;
            aside.set_config(&self.git.config()?)?;
            aside.set_workdir(directory, false)?;
            let mut index = Index::new()?;
            for (path, blob) in files {
                index.add(&entry(path, blob)?)?;
            }
            aside.set_index(&mut index)?;
            let mut options = CheckoutBuilder::new();
            aside.checkout_index(None, Some(options.force().update_index(false).refresh(false)))
        };
        export().map_err(self.failed("write files aside"))
    }

    /// What cannot be looked at counts as changed.
    pub(super) fn list_unmodified(&self, paths: &[&RepoPath]) -> BTreeSet<RepoPath> {
        let is_unmodified = |path: &&&RepoPath| {
            let status = self.git.status_file(path.as_path());
            status.is_ok_and(|status| !CHANGED.into_iter().any(|change| status.contains(change)))
        };
        paths.iter().filter(is_unmodified).map(|path| (*path).clone()).collect()
    }

    pub(super) fn skip_entries(copy: &Path, paths: &BTreeSet<&RepoPath>) -> Result<(), String> {
        let write = || -> Result<(), git2::Error> {
            let mut index = Index::open(copy)?;
            for path in paths {
                if let Some(mut entry) = index.get_path(path.as_path(), 0) {
                    entry.flags_extended |= IndexEntryExtendedFlag::SKIP_WORKTREE.bits();
                    index.add(&entry)?;
                }
            }
            index.write()
        };
        write().map_err(|error| error.message().to_owned())?;
        File::open(copy).and_then(|file| file.sync_all()).map_err(|error| error.to_string())
    }
}

/// Nothing that git or a file system could take for another name, and no file of git's own.
fn has_plain_name(path: &RepoPath) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+@=, ".contains(byte);
    let mut parts = path.as_bytes().split(|byte| *byte == b'/');
    parts.all(|part| {
        let begins_as_gits = part.get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case(b".git"));
        !matches!(part, b"" | b"." | b"..") && !begins_as_gits && part.iter().all(is_plain)
    })
}

fn entry(path: &RepoPath, blob: &Blob) -> Result<IndexEntry, git2::Error> {
    Ok(IndexEntry {
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
    })
}
