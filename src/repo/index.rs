//! The index after a commit: just the committed paths, under git's own lock.
//!
//! The lock is taken here, and a copy is brought up to date. The branch moves while the lock is held, as in `git
//! commit`: otherwise a commit that somebody makes in between would be made from the index of before, and undo ours.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::backend::{Difference, InIndex, Versions, WorkTree};
use super::commit::Commit;
use super::error::{GitLock, RepoError};
use super::index_lock::{COPY, IndexLock, LOCK};
use super::open::Repo;
use super::place::LOCK_PAUSE;
use crate::publish::{ObjectId, RepoPath};

/// A staged version that the refresh replaced; it was neither HEAD's nor the committed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupersededEntry {
    /// The path.
    pub path: RepoPath,
    /// Its staged content; `git cat-file -p` still prints it.
    pub staged: ObjectId,
}

/// What became of the index after a commit. The commit stands in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexRefresh {
    /// The committed paths, and no others, are as in the new HEAD; but for one that is being merged.
    Done {
        /// Staged versions of those very paths that gave way.
        superseded: Vec<SupersededEntry>,
    },
    /// The index is as it was, so it shows the reverse of the commit as staged: say so, and try again.
    Failed {
        /// In git's words.
        reason: String,
    },
}

/// The next index, not in its place yet. Dropped, everything is as it was.
#[must_use]
pub(super) enum PreparedIndex {
    /// Under the lock.
    Ready { lock: IndexLock, copy: TempPath, git_dir: PathBuf, superseded: Vec<SupersededEntry> },
    /// It is right as it is.
    Unchanged { superseded: Vec<SupersededEntry> },
    /// It cannot be prepared, in git's words.
    Failed { reason: String },
}

impl PreparedIndex {
    pub(super) fn put_in_place(self) -> IndexRefresh {
        match self {
            Self::Ready { lock, copy, git_dir, superseded } => {
                // The lock stays until the index is the new one: readers see one or the other.
                let renamed = rename_index(copy, &git_dir);
                drop(lock);
                // An index of before the commit would show its reverse as staged, after a loss of power.
                let synced = renamed.and_then(|()| File::open(&git_dir)?.sync_all());
                match synced {
                    Ok(()) => IndexRefresh::Done { superseded },
                    Err(error) => IndexRefresh::Failed { reason: error.to_string() },
                }
            }
            Self::Unchanged { superseded } => IndexRefresh::Done { superseded },
            Self::Failed { reason } => IndexRefresh::Failed { reason },
        }
    }
}

/// The lock is held.
pub(super) fn rename_index(copy: TempPath, git_dir: &Path) -> std::io::Result<()> {
    let name = copy.to_path_buf();
    let renamed = copy.persist(git_dir.join("index")).map_err(|error| error.error);
    // Two names of one file, where nothing had to be written: a rename leaves both.
    let _ = std::fs::remove_file(name);
    renamed
}

impl Repo {
    pub(super) fn refresh_index(&self, difference: &Difference, work_tree: WorkTree) -> IndexRefresh {
        self.prepare_index(difference, work_tree).put_in_place()
    }

    /// Locks the index and brings a copy of it up to date; nobody sees it yet.
    pub(super) fn prepare_index(&self, difference: &Difference, work_tree: WorkTree) -> PreparedIndex {
        let lock = match self.lock_index() {
            Ok(lock) => lock,
            Err(error) => return PreparedIndex::Failed { reason: error.to_string() },
        };
        let paths: Vec<&RepoPath> = difference.keys().collect();
        // One that cannot be read counts as empty here: the refresh itself will say what is wrong.
        let staged = self.backend.staged(&paths).unwrap_or_else(|_| vec![InIndex::Nothing; paths.len()]);
        let mut superseded = Vec::new();
        let mut due: BTreeMap<&RepoPath, &Versions> = BTreeMap::new();
        for ((path, versions), staged) in difference.iter().zip(staged) {
            let staged = match staged {
                InIndex::Version(version) => Some(version),
                InIndex::Nothing => None,
                // It came up since the work tree was looked at, and whoever merges there settles it.
                InIndex::Unmerged => continue,
            };
            if staged == versions.new && work_tree == WorkTree::Unknown {
                continue;
            }
            if staged != versions.old && staged != versions.new {
                if work_tree == WorkTree::Unknown {
                    continue;
                }
                if let Some(staged) = staged {
                    superseded.push(SupersededEntry { path: path.clone(), staged: staged.id });
                }
            }
            due.insert(path, versions);
        }
        if due.is_empty() {
            return PreparedIndex::Unchanged { superseded };
        }
        match self.updated_copy(&due, work_tree) {
            Ok(copy) => PreparedIndex::Ready { lock, copy, git_dir: self.git_dir().to_owned(), superseded },
            Err(reason) => PreparedIndex::Failed { reason },
        }
    }

    fn updated_copy(
        &self,
        due: &BTreeMap<&RepoPath, &Versions>,
        work_tree: WorkTree,
    ) -> Result<TempPath, String> {
        let copy = self.copy_of_index()?;
        self.backend.write_index(&copy, due, work_tree)?;
        Ok(copy)
    }

    /// A copy of the index beside it; no file where there is none.
    ///
    /// As a second name where that can be had: whoever writes an index writes a new file and renames it.
    pub(super) fn copy_of_index(&self) -> Result<TempPath, String> {
        let text = |error: std::io::Error| error.to_string();
        let index = self.git_dir().join("index");
        let name = |path: &Path| std::fs::hard_link(&index, path);
        if let Ok(linked) = tempfile::Builder::new().prefix(COPY).make_in(self.git_dir(), name) {
            return Ok(linked.into_temp_path());
        }
        let copy = tempfile::Builder::new().prefix(COPY).tempfile_in(self.git_dir()).map_err(text)?;
        let copy = copy.into_temp_path();
        match copy_index(&index, &copy) {
            Ok(()) => {}
            // An empty file is no index; an absent one is an empty index.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::remove_file(&copy).map_err(text)?;
            }
            Err(error) => return Err(text(error)),
        }
        Ok(copy)
    }

    /// Waits for another's lock, with a limit. What a baton that was killed had under way is brought to its end first.
    pub(super) fn lock_index(&self) -> Result<IndexLock, RepoError> {
        let waiting = self.place().ambient.stopwatch();
        loop {
            match IndexLock::take(self.git_dir()) {
                Ok(mut lock) => {
                    let Some(left) = lock.under_way().cloned() else { return Ok(lock) };
                    self.settle(&left)?;
                    lock.end();
                }
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::WouldBlock) => {
                    if waiting.elapsed() > self.place().lock_patience {
                        let path = self.git_dir().join(LOCK);
                        return Err(RepoError::Locked { lock: GitLock { path } });
                    }
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(source) => {
                    let path = self.git_dir().join(LOCK);
                    return Err(RepoError::Io { doing: "make", path, source });
                }
            }
        }
    }

    /// Does what a kill between commit and refresh left undone: brings the index entries of these commits' paths
    /// up to date where they still hold what was there before. Entries that were staged since stay.
    pub fn refresh_index_after(&self, commits: &[Commit]) -> Result<IndexRefresh, RepoError> {
        let mut all = Difference::new();
        for commit in commits {
            for (path, versions) in self.backend.difference(None, &commit.id)? {
                // The newest version counts, and the version before the first of them.
                all.entry(path)
                    .and_modify(|earlier| earlier.new.clone_from(&versions.new))
                    .or_insert(versions);
            }
        }
        Ok(self.refresh_index(&all, WorkTree::Unknown))
    }
}

/// With its time of change: git compares the content of files that are not older than their index.
fn copy_index(index: &Path, copy: &Path) -> std::io::Result<()> {
    let changed = index.metadata()?.modified()?;
    let content = std::fs::read(index)?;
    let mut file = File::options().write(true).open(copy)?;
    file.write_all(&content)?;
    file.set_modified(changed)
}
