//! The index after a commit: just the committed paths, under git's own lock.
//!
//! libgit2 reads and writes the index without holding `index.lock` in between, and so loses what a concurrent
//! `git add` wrote. Hence the lock is taken here, and a copy is brought up to date: by `git update-index` where git is
//! installed, else by libgit2. The branch moves while the lock is held, as in `git commit`: otherwise a commit that
//! somebody makes in between would be made from the index of before, and undo ours.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{Index, IndexEntry, IndexTime, Oid};
use tempfile::TempPath;

use super::git_program::{find_git, run_git};
use super::index_lock::{COPY, IndexLock, LOCK};
use super::object::{file_mode, mode_bits, object_id};
use super::open::Repo;
use crate::ambient::Ambient;
use crate::publish::{FileMode, ObjectId, RepoPath};

/// How long a lock that another git holds is waited for.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(5);
pub(super) const LOCK_PAUSE: Duration = Duration::from_millis(3);

/// Who writes the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexBackend {
    /// This git program.
    Git(PathBuf),
    /// libgit2, under a lock of ours; extensions that it does not know (untracked cache, fsmonitor) are dropped.
    BuiltIn,
}

impl IndexBackend {
    /// git where it is on the search path, else the built-in one.
    pub fn find(ambient: &Ambient) -> Self {
        find_git(ambient).map_or(Self::BuiltIn, Self::Git)
    }
}

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
    /// The committed paths, and no others, are as in the new HEAD.
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
                let renamed = copy.persist(git_dir.join("index")).map_err(|error| error.error);
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

/// A committed path: its version in the index shall be `new`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refreshed {
    pub(super) new: Option<(Oid, FileMode)>,
    pub(super) old: Option<(Oid, FileMode)>,
}

/// Whether the work tree is known to hold the new versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkTree {
    /// It was read just now: file times can be taken from it.
    JustRead,
    /// It may have changed since; only entries that still have the old version are touched.
    Unknown,
}

impl Repo {
    pub(super) fn refresh_index(
        &self,
        paths: &BTreeMap<RepoPath, Refreshed>,
        work_tree: WorkTree,
    ) -> IndexRefresh {
        self.prepare_index(paths, work_tree).put_in_place()
    }

    /// Locks the index and brings a copy of it up to date; nobody sees it yet.
    pub(super) fn prepare_index(
        &self,
        paths: &BTreeMap<RepoPath, Refreshed>,
        work_tree: WorkTree,
    ) -> PreparedIndex {
        let lock = match self.lock_index() {
            Ok(lock) => lock,
            Err(reason) => return PreparedIndex::Failed { reason },
        };
        // One that cannot be read counts as empty here: the refresh itself will say what is wrong.
        let index = self.git.index().and_then(|mut index| index.read(false).map(|()| index)).ok();
        let mut superseded = Vec::new();
        let mut due = BTreeMap::new();
        for (path, refreshed) in paths {
            let staged = index.as_ref().and_then(|index| staged_version(index, path));
            if staged == refreshed.new && work_tree == WorkTree::Unknown {
                continue;
            }
            if staged != refreshed.old && staged != refreshed.new {
                if work_tree == WorkTree::Unknown {
                    continue;
                }
                if let Some((id, _)) = staged {
                    superseded.push(SupersededEntry { path: path.clone(), staged: object_id(id) });
                }
            }
            due.insert(path, *refreshed);
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
        due: &BTreeMap<&RepoPath, Refreshed>,
        work_tree: WorkTree,
    ) -> Result<TempPath, String> {
        let text = |error: std::io::Error| error.to_string();
        let copy = tempfile::Builder::new().prefix(COPY).tempfile_in(self.git_dir()).map_err(text)?;
        let copy = copy.into_temp_path();
        match copy_index(&self.git_dir().join("index"), &copy) {
            Ok(()) => {}
            // An empty file is no index; an absent one is an empty index.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::remove_file(&copy).map_err(text)?;
            }
            Err(error) => return Err(text(error)),
        }
        match &self.index_backend {
            IndexBackend::Git(git) => self.refresh_by_git(git, &copy, due, work_tree)?,
            IndexBackend::BuiltIn => self.refresh_built_in(&copy, due, work_tree)?,
        }
        Ok(copy)
    }

    fn refresh_by_git(
        &self,
        git: &Path,
        copy: &Path,
        due: &BTreeMap<&RepoPath, Refreshed>,
        work_tree: WorkTree,
    ) -> Result<(), String> {
        let mut info = Vec::new();
        let mut listed = Vec::new();
        let mut unreachable = Vec::new();
        for (path, refreshed) in due {
            let input = match (work_tree, refreshed.new) {
                (WorkTree::Unknown, Some((id, mode))) => {
                    info.extend_from_slice(format!("{} {id} 0\t", mode.as_octal()).as_bytes());
                    &mut info
                }
                (WorkTree::Unknown, None) => {
                    info.extend_from_slice(format!("0 {} 0\t", Oid::ZERO_SHA1).as_bytes());
                    &mut info
                }
                // Where a directory or a link stands in the way of a removed path, git would refuse to look.
                (WorkTree::JustRead, None) if self.absolute(path).symlink_metadata().is_ok() => {
                    &mut unreachable
                }
                (WorkTree::JustRead, None) if self.is_beyond_link(path) => &mut unreachable,
                (WorkTree::JustRead, _) => &mut listed,
            };
            input.extend_from_slice(path.as_bytes());
            input.push(0);
        }
        self.update_index(git, copy, &["--index-info"], &info)?;
        self.update_index(git, copy, &["--force-remove", "--stdin"], &unreachable)?;
        self.update_index(git, copy, &["--stdin"], &listed)
    }

    fn update_index(&self, git: &Path, copy: &Path, mode: &[&str], input: &[u8]) -> Result<(), String> {
        if input.is_empty() {
            return Ok(());
        }
        // Renamed into place without its content, the index would be an empty file after a loss of power.
        let options = ["-c", "core.fsync=index", "update-index", "-z", "--add", "--remove", "--replace"];
        let arguments = [&options[..], mode].concat();
        run_git(git, self.root(), copy, &self.ambient, &arguments, input).map_err(|failure| failure.text)
    }

    fn refresh_built_in(
        &self,
        copy: &Path,
        due: &BTreeMap<&RepoPath, Refreshed>,
        work_tree: WorkTree,
    ) -> Result<(), String> {
        let write = || -> Result<(), git2::Error> {
            let mut index = Index::open(copy)?;
            for (path, refreshed) in due {
                match refreshed.new {
                    Some((id, mode)) => index.add(&self.index_entry(path, id, mode, work_tree))?,
                    None => match index.remove(path.as_path(), 0) {
                        Err(error) if !super::preflight::is_missing(&error) => return Err(error),
                        _ => {}
                    },
                }
            }
            index.write()
        };
        write().map_err(|error| error.message().to_owned())?;
        File::open(copy).and_then(|file| file.sync_all()).map_err(|error| error.to_string())
    }

    fn lock_index(&self) -> Result<IndexLock, String> {
        let waiting = self.ambient.stopwatch();
        loop {
            match IndexLock::take(self.git_dir()) {
                Ok(lock) => return Ok(lock),
                Err(error)
                    if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::WouldBlock)
                        && waiting.elapsed() < self.lock_patience =>
                {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(error) => {
                    return Err(format!("`{}`: {error}", self.git_dir().join(LOCK).display()));
                }
            }
        }
    }

    /// With the file's times where they are known to belong to this content; else git compares it once more.
    fn index_entry(&self, path: &RepoPath, id: Oid, mode: FileMode, work_tree: WorkTree) -> IndexEntry {
        let mut entry = IndexEntry {
            ctime: IndexTime::new(0, 0),
            mtime: IndexTime::new(0, 0),
            dev: 0,
            ino: 0,
            mode: mode_bits(mode),
            uid: 0,
            gid: 0,
            file_size: 0,
            id,
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        if work_tree == WorkTree::JustRead
            && let Ok(metadata) = self.absolute(path).symlink_metadata()
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
        entry
    }
}

/// With its time of change: git compares the content of files that are not older than their index.
fn copy_index(index: &Path, copy: &Path) -> std::io::Result<()> {
    let changed = index.metadata()?.modified()?;
    std::fs::copy(index, copy)?;
    File::options().write(true).open(copy)?.set_modified(changed)
}

fn staged_version(index: &Index, path: &RepoPath) -> Option<(Oid, FileMode)> {
    let entry = index.get_path(path.as_path(), 0)?;
    file_mode(entry.mode).map(|mode| (entry.id, mode))
}
