//! The work tree's files put in place, each by one rename, from a directory that has the new ones.
//!
//! A kill leaves each path with its old version or its new one. Nothing is replaced or removed that is not what was looked at.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::look::Mark;
use super::plan::Plan;
use crate::durable;
use crate::publish::RepoPath;
use crate::repo::error::RepoError;
use crate::repo::place::{Place, is_absence};

/// From so many files on, one sync of the file system is cheaper than one of each file.
const MANY: usize = 8;

/// Puts files in place.
pub(super) struct Placing<'a> {
    place: &'a Place,
    /// Where the new files are.
    aside: &'a Path,
    /// Directories whose entries changed.
    touched: BTreeSet<PathBuf>,
}

impl<'a> Placing<'a> {
    pub(super) const fn new(place: &'a Place, aside: &'a Path) -> Self {
        Self { place, aside, touched: BTreeSet::new() }
    }

    /// Durable when it returns.
    pub(super) fn carry_out(mut self, plan: &Plan) -> Result<(), RepoError> {
        self.sync_new_files(plan)?;
        for (path, mark) in &plan.removals {
            self.remove(path, *mark)?;
        }
        for path in &plan.gone {
            self.remove_empty_above(&self.place.absolute(path));
        }
        for path in &plan.vacated {
            self.remove_empty(&self.place.absolute(path));
        }
        // What is converted by them is told from changes by them, until all is in place.
        let is_attributes =
            |path: &RepoPath| path.as_path().file_name().is_some_and(|it| it == ".gitattributes");
        let writes = plan.writes.iter();
        let (last, first): (Vec<_>, Vec<_>) = writes.partition(|(path, _)| is_attributes(path));
        for (path, replaced) in first.into_iter().chain(last) {
            self.write(path, *replaced)?;
        }
        for path in &plan.directories {
            self.make_directories(&self.place.absolute(path))?;
        }
        self.sync_directories()
    }

    /// Before any of them is in place: a file whose name is durable and whose content is not looks like somebody's change.
    fn sync_new_files(&self, plan: &Plan) -> Result<(), RepoError> {
        let failed = |path: &Path, source| RepoError::Io { doing: "sync", path: path.to_owned(), source };
        if plan.writes.len() > MANY {
            return durable::sync_file_system(self.aside).map_err(|error| failed(self.aside, error));
        }
        for path in plan.writes.keys() {
            let path = self.aside.join(path.as_path());
            if path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
                File::open(&path).and_then(|file| file.sync_all()).map_err(|error| failed(&path, error))?;
            }
        }
        Ok(())
    }

    fn sync_directories(&self) -> Result<(), RepoError> {
        let failed = |path: &Path, source| RepoError::Io { doing: "sync", path: path.to_owned(), source };
        let root = &self.place.root;
        if self.touched.len() > MANY {
            return durable::sync_file_system(root).map_err(|error| failed(root, error));
        }
        for directory in &self.touched {
            match File::open(directory).and_then(|directory| directory.sync_all()) {
                Err(error) if !is_absence(&error) => return Err(failed(directory, error)),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Whether what is there is what was looked at.
    fn check(&self, path: &RepoPath, expected: Option<Mark>) -> Result<(), RepoError> {
        let changed = || Err(RepoError::ChangedWhileBrought { path: path.clone() });
        if self.place.is_beyond_link(path) {
            return changed();
        }
        let absolute = self.place.absolute(path);
        let now = match absolute.symlink_metadata() {
            Ok(metadata) => Some(Mark::of(&metadata)),
            Err(error) if is_absence(&error) => None,
            Err(source) => return Err(RepoError::Io { doing: "look at", path: absolute, source }),
        };
        if now == expected { Ok(()) } else { changed() }
    }

    fn remove(&mut self, path: &RepoPath, mark: Mark) -> Result<(), RepoError> {
        super::kill_point();
        self.check(path, Some(mark))?;
        let absolute = self.place.absolute(path);
        fs::remove_file(&absolute).map_err(|source| RepoError::Io {
            doing: "remove",
            path: absolute.clone(),
            source,
        })?;
        self.touch_parent(&absolute);
        self.remove_empty_above(&absolute);
        Ok(())
    }

    fn remove_empty_above(&mut self, absolute: &Path) {
        let mut directory = absolute.parent();
        while let Some(empty) = directory.filter(|it| !self.place.workspace.starts_with(it)) {
            super::kill_point();
            match fs::remove_dir(empty) {
                Ok(()) => self.touch_parent(empty),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // One that is not empty stays, and so do those above it.
                Err(_) => break,
            }
            directory = empty.parent();
        }
    }

    /// A directory without a file goes; another one stays as it is.
    fn remove_empty(&mut self, directory: &Path) {
        let inner = |entry: io::Result<fs::DirEntry>| Some(entry.ok()?.path());
        let Ok(entries) = fs::read_dir(directory) else { return };
        for inner in entries.filter_map(inner) {
            if inner.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                self.remove_empty(&inner);
            }
        }
        if fs::remove_dir(directory).is_ok() {
            self.touch_parent(directory);
        }
    }

    fn touch_parent(&mut self, path: &Path) {
        self.touched.extend(path.parent().map(Path::to_owned));
    }

    fn make_directories(&mut self, directory: &Path) -> Result<(), RepoError> {
        if directory.is_dir() {
            return Ok(());
        }
        if let Some(parent) = directory.parent().filter(|parent| parent.starts_with(&self.place.root)) {
            self.make_directories(parent)?;
        }
        super::kill_point();
        match fs::create_dir(directory) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => {}
            Err(source) => return Err(RepoError::Io { doing: "create", path: directory.to_owned(), source }),
            Ok(()) => self.touch_parent(directory),
        }
        Ok(())
    }

    fn write(&mut self, path: &RepoPath, replaced: Option<Mark>) -> Result<(), RepoError> {
        let (new, absolute) = (self.aside.join(path.as_path()), self.place.absolute(path));
        if let Some(parent) = absolute.parent() {
            self.make_directories(parent)?;
        }
        super::kill_point();
        self.check(path, replaced)?;
        let moved = match replaced {
            Some(_) => fs::rename(&new, &absolute),
            None => rename_to_free(&new, &absolute),
        };
        let moved = match moved {
            Err(error) if error.kind() == ErrorKind::CrossesDevices => copy_over(&new, &absolute),
            moved => moved,
        };
        match moved {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(RepoError::ChangedWhileBrought { path: path.clone() });
            }
            Err(source) => return Err(RepoError::Io { doing: "write", path: absolute, source }),
        }
        self.touch_parent(&absolute);
        Ok(())
    }
}

/// `AlreadyExists` where somebody was faster.
fn rename_to_free(new: &Path, path: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, new, CWD, path, RenameFlags::NOREPLACE) {
            // Not every file system can.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            ended => return ended.map_err(io::Error::from),
        }
    }
    fs::rename(new, path)
}

/// Where a part of the work tree is on another file system.
fn copy_over(new: &Path, path: &Path) -> io::Result<()> {
    let directory = path.parent().ok_or(ErrorKind::InvalidInput)?;
    let aside = tempfile::Builder::new().prefix(".baton-").tempdir_in(directory)?;
    let copy = aside.path().join("new");
    if let Ok(target) = fs::read_link(new) {
        std::os::unix::fs::symlink(target, &copy)?;
    } else {
        fs::copy(new, &copy)?;
        File::open(&copy)?.sync_all()?;
    }
    fs::rename(copy, path)
}
