//! What the file system has at a path, and how it is recognised again.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::publish::RepoPath;
use crate::repo::error::RepoError;
use crate::repo::place::{Place, is_absence};

/// By this a file is recognised as the one that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    inode: (u64, u64),
    size: u64,
    mode: u32,
    changed: (i64, i64),
    status_changed: (i64, i64),
}

impl Mark {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            mode: metadata.mode(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
            status_changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What is at a path.
#[derive(Debug)]
pub(super) enum Seen {
    Nothing,
    Directory,
    /// Something that is no directory stands in the place of this directory of the path.
    Blocked(RepoPath),
    /// A file, a link, or something that git does not know.
    Entry(Box<Metadata>),
}

/// Looks at one path after the other, at each directory once.
pub(super) struct Looking<'a> {
    place: &'a Place,
    directories: BTreeMap<PathBuf, Found>,
}

/// What is in the place of a directory.
#[derive(Clone)]
enum Found {
    Nothing,
    Directory,
    Blocked(RepoPath),
}

impl<'a> Looking<'a> {
    pub(super) fn new(place: &'a Place) -> Self {
        Self { place, directories: BTreeMap::new() }
    }

    pub(super) fn at(&mut self, path: &RepoPath) -> Result<Seen, RepoError> {
        match self.directory(path.as_path().parent().unwrap_or(Path::new("")))? {
            Found::Nothing => return Ok(Seen::Nothing),
            Found::Blocked(by) => return Ok(Seen::Blocked(by)),
            Found::Directory => {}
        }
        Ok(match self.metadata(path.as_path())? {
            None => Seen::Nothing,
            Some(metadata) if metadata.is_dir() => Seen::Directory,
            Some(metadata) => Seen::Entry(Box::new(metadata)),
        })
    }

    fn directory(&mut self, path: &Path) -> Result<Found, RepoError> {
        let Some(parent) = path.parent() else { return Ok(Found::Directory) };
        if let Some(found) = self.directories.get(path) {
            return Ok(found.clone());
        }
        let found = match self.directory(parent)? {
            Found::Directory => match self.metadata(path)? {
                None => Found::Nothing,
                Some(metadata) if !metadata.is_dir() => Found::Blocked(RepoPath::from_path(path)),
                // Another repository, or a submodule that is checked out: nothing in it is ours.
                Some(_) if self.metadata(&path.join(".git"))?.is_some() => {
                    Found::Blocked(RepoPath::from_path(path))
                }
                Some(_) => Found::Directory,
            },
            other => other,
        };
        self.directories.insert(path.to_owned(), found.clone());
        Ok(found)
    }

    fn metadata(&self, path: &Path) -> Result<Option<Metadata>, RepoError> {
        let path = self.place.root.join(path);
        match path.symlink_metadata() {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(source) => Err(RepoError::Io { doing: "look at", path, source }),
        }
    }

    /// The first thing below a directory, in the order of names, that is no directory and is not expected.
    pub(super) fn other_below(
        &self,
        directory: &RepoPath,
        is_expected: &dyn Fn(&RepoPath) -> bool,
    ) -> Result<Option<RepoPath>, RepoError> {
        let path = self.place.absolute(directory);
        let failed = |source| RepoError::Io { doing: "list", path: path.clone(), source };
        let mut entries =
            std::fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let inner = RepoPath::from_path(&directory.as_path().join(entry.file_name()));
            let is_directory = entry.file_type().map_err(failed)?.is_dir();
            if inner.as_path().file_name().is_some_and(|name| name == ".git") {
                return Ok(Some(directory.clone()));
            }
            let other = if is_directory {
                self.other_below(&inner, is_expected)?
            } else {
                (!is_expected(&inner)).then_some(inner)
            };
            if other.is_some() {
                return Ok(other);
            }
        }
        Ok(None)
    }
}
