//! One linked work tree of our own: what is there of it, made, mended, and taken away.
//!
//! Its files are those of `git worktree add`, written one by one, so that each half-made one is recognised.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use git2::build::CheckoutBuilder;
use git2::{Status, StatusOptions};

use crate::ambient::Ambient;
use crate::repo::error::RepoError;
use crate::repo::head::Head;
use crate::repo::open::Repo;

/// Why git should leave our entry alone; it is shown by `git worktree list -v`.
const LOCK_REASON: &str = "baton: `baton worktree remove` removes it";

/// The mode of a submodule in an index.
const SUBMODULE: u32 = 0o160_000;

/// One linked work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedTree {
    /// The shared git directory.
    pub common: PathBuf,
    /// Its root.
    pub path: PathBuf,
    /// The branch that belongs to it.
    pub branch: String,
    /// Its entry's name below `worktrees/`.
    pub entry: String,
}

/// What is there of a linked work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeSeen {
    /// Whether its directory holds anything.
    pub directory: Directory,
    /// Its `.git` file.
    pub link: Link,
    /// Git's entry for it.
    pub entry: EntrySeen,
}

/// A directory, looked at from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directory {
    /// None, or an empty one.
    Absent,
    /// There is something.
    Present,
}

/// One of the two pointers between a work tree and its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// No such file.
    Missing,
    /// It points to the other side.
    Right,
    /// It points elsewhere, as after the repository was moved or copied.
    Wrong,
}

/// What a work tree holds beside its branch's commit, as paths below its root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Changed, staged or untracked.
    pub uncommitted: Vec<String>,
    /// Ignored files; whole directories end in `/`.
    pub ignored: Vec<String>,
    /// Submodules that are checked out, and other repositories.
    pub nested: Vec<String>,
}

/// Git's entry for a work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntrySeen {
    /// None, or none with a HEAD.
    Missing,
    /// It is there, with its pointer to the work tree.
    Present(Link),
    /// Somebody has locked it.
    Locked {
        /// Why, in their words.
        reason: String,
    },
}

impl LinkedTree {
    pub(super) fn entry_dir(&self) -> PathBuf {
        self.common.join("worktrees").join(&self.entry)
    }

    fn link_file(&self) -> PathBuf {
        self.path.join(".git")
    }

    /// Looks at it, and changes nothing.
    pub fn look(&self) -> TreeSeen {
        let holds_something = fs::read_dir(&self.path).is_ok_and(|mut entries| entries.next().is_some());
        let entry_dir = self.entry_dir();
        let back = fs::read_to_string(entry_dir.join("gitdir"));
        let entry = if !entry_dir.join("HEAD").is_file() {
            EntrySeen::Missing
        } else if let Some(reason) = foreign_lock(&entry_dir) {
            EntrySeen::Locked { reason }
        } else {
            EntrySeen::Present(link(back, |target| same_file_name(&entry_dir, target, &self.link_file())))
        };
        let forth = fs::read_to_string(self.link_file());
        let link = link(forth, |target| {
            let target = target.strip_prefix("gitdir:").unwrap_or(target).trim();
            same_file_name(&self.path, target, &entry_dir)
        });
        let directory = if holds_something { Directory::Present } else { Directory::Absent };
        TreeSeen { directory, link, entry }
    }

    /// Where the work tree of this entry lies by now, if a person has moved it (`git worktree move`).
    pub fn moved_to(&self) -> Option<PathBuf> {
        let link_file =
            self.entry_dir().join(fs::read_to_string(self.entry_dir().join("gitdir")).ok()?.trim());
        let tree = link_file.parent()?.to_owned();
        let forth = fs::read_to_string(&link_file).ok()?;
        let target = forth.strip_prefix("gitdir:")?.trim();
        let links_back = same_file_name(&tree, target, &self.entry_dir());
        (links_back && !same_place(&tree, &self.path)).then_some(tree)
    }

    /// Whether the work tree is linked as it should be, asked of one file.
    pub fn is_linked(&self) -> bool {
        self.look().link == Link::Right
    }

    /// Makes the entry, as of a tree that has yet to be checked out; one that is there is made anew.
    pub fn register(&self) -> Result<(), RepoError> {
        self.unregister()?;
        let directory = self.entry_dir();
        let failed = |source| RepoError::Io { doing: "write", path: directory.clone(), source };
        fs::create_dir_all(&directory).map_err(failed)?;
        // The lock first: a `git gc` at this moment must not find an entry whose tree is yet to come.
        let locked = write(&directory.join("locked"), LOCK_REASON, &directory);
        locked
            .and_then(|()| {
                write(&directory.join("HEAD"), &format!("ref: refs/heads/{}\n", self.branch), &directory)
            })
            .and_then(|()| write(&directory.join("commondir"), "../..\n", &directory))
            .map_err(failed)
    }

    /// Points the tree and its entry to each other, and locks the entry against git's pruning.
    pub fn join(&self) -> Result<(), RepoError> {
        let entry = self.entry_dir();
        let failed = |path: PathBuf| move |source| RepoError::Io { doing: "write", path, source };
        fs::create_dir_all(&self.path).map_err(failed(self.path.clone()))?;
        let link = self.link_file();
        write(&entry.join("gitdir"), &format!("{}\n", link.display()), &entry)
            .map_err(failed(entry.clone()))?;
        write(&link, &format!("gitdir: {}\n", entry.display()), &entry).map_err(failed(link.clone()))?;
        if entry.join("locked").symlink_metadata().is_err() {
            write(&entry.join("locked"), LOCK_REASON, &entry).map_err(failed(entry.clone()))?;
        }
        Ok(())
    }

    /// Writes the files of the branch into a tree that was made just now.
    pub fn check_out(&self, ambient: &Ambient) -> Result<(), RepoError> {
        let repo = self.open(ambient)?;
        repo.git.checkout_head(Some(CheckoutBuilder::new().force())).map_err(repo.failed("check out"))?;
        self.sync()
    }

    /// Puts back files that are not there, and an index where there is none; what was changed stays changed.
    pub fn restore_missing(&self, ambient: &Ambient) -> Result<(), RepoError> {
        let repo = self.open(ambient)?;
        let failed = repo.failed("restore missing files");
        if !repo.git_dir().join("index").is_file() {
            let tree = repo.git.head().and_then(|head| head.peel_to_tree()).map_err(&failed)?;
            let mut index = repo.git.index().map_err(&failed)?;
            index.read_tree(&tree).and_then(|()| index.write()).map_err(&failed)?;
        }
        let mut options = CheckoutBuilder::new();
        repo.git.checkout_head(Some(options.safe().recreate_missing(true))).map_err(&failed)?;
        self.sync()
    }

    /// The tree as a repository: this one and no other that a search upward would find.
    pub fn open(&self, ambient: &Ambient) -> Result<Repo, RepoError> {
        let repo = Repo::open(&self.path, ambient)?;
        if !same_place(repo.root(), &self.path) {
            return Err(RepoError::NotARepository { workspace: self.path.clone() });
        }
        Ok(repo)
    }

    /// What would be lost with the tree. It is an error that its HEAD is not on its branch, or that an operation of git
    /// has not ended: then commits may be lost too.
    pub fn contents_beside_branch(&self, ambient: &Ambient) -> Result<Contents, RepoError> {
        let repo = self.open(ambient)?;
        if let Some(operation) = repo.operation() {
            return Err(RepoError::InProgress { operation });
        }
        match repo.head()? {
            Head { branch: Some(actual), .. } if actual == self.branch => {}
            Head { branch: Some(actual), .. } => {
                return Err(RepoError::WrongBranch { expected: self.branch.clone(), actual });
            }
            Head { commit, .. } => return Err(RepoError::DetachedHead { commit: commit.to_string() }),
        }
        let failed = repo.failed("compare the work tree with HEAD");
        let mut options = StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(true);
        let statuses = repo.git.statuses(Some(&mut options)).map_err(&failed)?;
        let mut contents = Contents::default();
        for entry in statuses.iter() {
            let path = String::from_utf8_lossy(entry.path_bytes()).into_owned();
            // libgit2 calls a repository without commits ignored.
            if path.ends_with('/') && self.path.join(&path).join(".git").exists() {
                contents.nested.push(path);
            } else if entry.status().is_ignored() {
                contents.ignored.push(path);
            } else if entry.status() != Status::CURRENT {
                contents.uncommitted.push(path);
            }
        }
        let index = repo.git.index().map_err(&failed)?;
        let submodules = index.iter().filter(|entry| entry.mode == SUBMODULE);
        let path = |entry: git2::IndexEntry| PathBuf::from(OsStr::from_bytes(&entry.path));
        let populated = submodules.map(path).filter(|path| self.path.join(path).join(".git").exists());
        contents.nested.extend(populated.map(|path| path.display().to_string()));
        Ok(contents)
    }

    /// A power cut must not leave a tree that is called finished with files that are not.
    fn sync(&self) -> Result<(), RepoError> {
        let failed = |source| RepoError::Io { doing: "sync", path: self.path.clone(), source };
        #[cfg(target_os = "linux")]
        return File::open(&self.path)
            .and_then(|directory| rustix::fs::syncfs(directory).map_err(Into::into))
            .map_err(failed);
        #[cfg(not(target_os = "linux"))]
        {
            rustix::fs::sync();
            File::open(&self.path).and_then(|directory| directory.sync_all()).map_err(failed)
        }
    }

    /// Removes the entry, and no other.
    pub fn unregister(&self) -> Result<(), RepoError> {
        remove(&self.entry_dir())?;
        // Git itself removes the last one's parent.
        let _ = fs::remove_dir(self.common.join("worktrees"));
        Ok(())
    }

    /// Removes the tree's directory with all that is in it.
    pub fn remove_files(&self) -> Result<(), RepoError> {
        remove(&self.path)
    }
}

/// The reason of a lock that is not ours.
fn foreign_lock(entry: &Path) -> Option<String> {
    let reason = fs::read_to_string(entry.join("locked")).ok()?;
    let reason = reason.trim();
    (reason != LOCK_REASON).then(|| reason.to_owned())
}

fn link(read: std::io::Result<String>, is_right: impl FnOnce(&str) -> bool) -> Link {
    match read {
        Ok(target) if is_right(target.trim()) => Link::Right,
        Ok(_) => Link::Wrong,
        Err(_) => Link::Missing,
    }
}

/// Whether `target`, relative to `base` or absolute, is `place`; the last component need not exist.
fn same_file_name(base: &Path, target: &str, place: &Path) -> bool {
    let target = base.join(target);
    let (Some(folder), Some(other)) = (target.parent(), place.parent()) else { return false };
    target.file_name() == place.file_name() && same_place(folder, other)
}

pub(super) fn same_place(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Whole or not at all, and durable. What a crash leaves of it lies in the entry, never in the tree.
fn write(path: &Path, text: &str, entry: &Path) -> std::io::Result<()> {
    let temporary = entry.join("baton.new");
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn remove(directory: &Path) -> Result<(), RepoError> {
    match fs::remove_dir_all(directory) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(RepoError::Io { doing: "remove", path: directory.to_owned(), source })
        }
        _ => Ok(()),
    }
}
