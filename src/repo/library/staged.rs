//! What the index has at some paths.
//!
//! Read from the file: libgit2 takes in and checks the whole index each time that it has changed. An index that only libgit2
//! can read, such as one of version 4, is left to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use git2::{Index, IndexEntry, IndexEntryExtendedFlag};

use super::super::backend::{InIndex, Staged};
use super::super::error::RepoError;
use super::index_file::{Entry, IndexFile};
use super::look::in_index;
use super::object::{file_mode, object_id};
use super::open::Library;
use crate::publish::{Blob, RepoPath};

/// The bits of an entry of libgit2's that tell the sides of a conflict.
const STAGES: u16 = 0x3000;

impl Library {
    pub(super) fn staged_versions(&self, paths: &[&RepoPath]) -> Result<Vec<InIndex>, RepoError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let in_file = self.in_index_file(|index| paths.iter().map(|path| staged(index, path)).collect())?;
        if let Some(staged) = in_file {
            return Ok(staged);
        }
        let index = self.read_index()?;
        let staged = |path: &&RepoPath| match in_index(&index, path) {
            Some(version) => InIndex::Version(version),
            None if (1..=3).any(|side| index.get_path(path.as_path(), side).is_some()) => InIndex::Unmerged,
            None => InIndex::Nothing,
        };
        Ok(paths.iter().map(staged).collect())
    }

    pub(super) fn list_staged_around(
        &self,
        paths: &BTreeSet<&RepoPath>,
    ) -> Result<BTreeMap<RepoPath, Staged>, RepoError> {
        match self.in_index_file(|index| staged_around(index, paths))? {
            Some(found) => Ok(found),
            None => Ok(library_staged_around(&self.read_index()?, paths)),
        }
    }

    /// What can be read in the file itself; `None` for an index that only libgit2 can read, or not even it.
    fn in_index_file<T>(&self, read: impl FnOnce(&IndexFile<'_>) -> T) -> Result<Option<T>, RepoError> {
        let Ok(bytes) = std::fs::read(self.place.git_dir.join("index")) else { return Ok(None) };
        let Some(index) = IndexFile::parse(&bytes).filter(IndexFile::is_whole) else { return Ok(None) };
        self.follow_attributes(&index)?;
        Ok(Some(read(&index)))
    }

    /// libgit2 asks its own copy of the index for the attributes of a file; of these at least it is as the file is.
    pub(super) fn follow_attributes(&self, index: &IndexFile<'_>) -> Result<(), RepoError> {
        let attributes = index.attributes();
        if self.attributes.borrow().as_ref() != Some(&attributes) {
            self.read_index()?;
            self.attributes.replace(Some(attributes));
        }
        Ok(())
    }

    fn read_index(&self) -> Result<Index, RepoError> {
        let index = self.git.index().and_then(|mut index| index.read(false).map(|()| index));
        index.map_err(self.failed("read the index"))
    }
}

/// The directories that hold a path, from the inside, after the path itself.
fn ancestors(path: &RepoPath) -> impl Iterator<Item = &Path> {
    path.as_path().ancestors().filter(|at| !at.as_os_str().is_empty())
}

fn version(entry: &Entry<'_>) -> Option<Blob> {
    let id = git2::Oid::from_bytes(&entry.object()).ok()?;
    file_mode(entry.mode()).map(|mode| Blob { id: object_id(id), mode })
}

fn staged(index: &IndexFile<'_>, path: &RepoPath) -> InIndex {
    match index.find(path.as_bytes()) {
        Some(entry) if entry.is_unmerged() => InIndex::Unmerged,
        Some(entry) => version(entry).map_or(InIndex::Nothing, InIndex::Version),
        None => InIndex::Nothing,
    }
}

fn staged_around(index: &IndexFile<'_>, paths: &BTreeSet<&RepoPath>) -> BTreeMap<RepoPath, Staged> {
    let mut found = BTreeMap::new();
    let mut note = |entry: &Entry<'_>| {
        let blob = version(entry).filter(|_| !entry.is_unmerged());
        found.insert(RepoPath::from_bytes(entry.path), Staged { blob, skipped: entry.is_skipped() });
    };
    let mut seen = BTreeSet::new();
    for path in paths {
        for at in ancestors(path).take_while(|at| seen.insert(*at)) {
            index.entries[index.all_of(at.as_os_str().as_encoded_bytes())].iter().for_each(&mut note);
        }
        index.entries[index.all_below(path.as_bytes())].iter().for_each(&mut note);
    }
    found
}

fn library_staged_around(index: &Index, paths: &BTreeSet<&RepoPath>) -> BTreeMap<RepoPath, Staged> {
    let mut found = BTreeMap::new();
    let mut note = |entry: IndexEntry| {
        let extended = IndexEntryExtendedFlag::from_bits_truncate(entry.flags_extended);
        let is_merged = entry.flags & STAGES == 0;
        let blob = file_mode(entry.mode).map(|mode| Blob { id: object_id(entry.id), mode });
        let blob = blob.filter(|_| is_merged);
        found.insert(RepoPath::from_bytes(entry.path), Staged { blob, skipped: extended.is_skip_worktree() });
    };
    let mut seen = BTreeSet::new();
    for path in paths {
        for at in ancestors(path).take_while(|at| seen.insert(*at)) {
            (0..=3).filter_map(|stage| index.get_path(at, stage)).for_each(&mut note);
        }
        let below = [path.as_bytes(), b"/"].concat();
        let Ok(first) = index.find_prefix(below.clone()) else { continue };
        let entries = (first..).map_while(|at| index.get(at));
        entries.take_while(|entry| entry.path.starts_with(&below)).for_each(&mut note);
    }
    found
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::repo::testing::TestRepo;

    /// Version 4 is libgit2's to read.
    #[rstest]
    fn what_is_around_some_paths_is_found_in_the_file_as_libgit2_finds_it(
        #[values(&["d"], &["d/b/x", "e"], &["a", "a/b/c", "d/b"], &["c"], &["none", "d/none/x"])]
        asked: &[&str],
    ) {
        let test =
            TestRepo::with(&["a", "a-", "c", "d/b", "d/b-", "d/er/c", "d0", "e"].map(|path| (path, "1")));
        let blob = test.git(&["rev-parse", ":a"]);
        test.put_conflict("c", blob.trim());
        test.put_conflict("d/er/c", blob.trim());
        test.git(&["update-index", "--skip-worktree", "e"]);
        let paths: Vec<RepoPath> = asked.iter().map(|path| RepoPath::from(*path)).collect();
        let look = || {
            let library = Library::open(&test.root, &test.ambient()).unwrap();
            let read = library.in_index_file(|_| ()).unwrap().is_some();
            let versions = library.staged_versions(&paths.iter().collect::<Vec<_>>()).unwrap();
            (read, library.list_staged_around(&paths.iter().collect()).unwrap(), versions)
        };
        let (is_here, around, versions) = look();
        test.git(&["update-index", "--index-version", "4"]);
        assert_eq!(look(), (false, around.clone(), versions));
        assert!(is_here);
        assert_eq!(around.is_empty(), asked == ["none", "d/none/x"]);
    }
}
