//! Where a workspace's records lie, and the locks that keep two loops apart.
//!
//! With git: `<git dir>/baton/`, since agents run `git clean -fdx`; an isolated loop has its own place below that.
//! Without: a directory of the user's own state, named after the workspace's path, so that no repository is touched.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::IsolatedPlace;
use crate::ambient::Ambient;
use crate::model::{Actor, AttemptId};

/// The directory of a workspace's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// The records' directory cannot be had, or somebody else is at work.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// No place for records outside a repository.
    #[error(
        "there is no place for records outside the repository: neither XDG_STATE_HOME nor HOME is an absolute path"
    )]
    NoStateDirectory,
    /// The file system refused.
    #[error("cannot use {} for baton's records", .path.display())]
    Unusable {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("{}: another baton is at work here{}", .path.display(), describe(.owner))]
    Busy {
        /// What is locked.
        path: PathBuf,
        /// Who holds it, as far as it has said so.
        owner: String,
    },
}

fn describe(owner: &str) -> String {
    if owner.is_empty() { String::new() } else { format!(" ({owner})") }
}

impl Home {
    /// The home of a workspace whose git directory is known.
    #[must_use]
    pub fn in_git_dir(git_dir: &Path) -> Self {
        Self { root: git_dir.join("baton") }
    }

    /// The home of the work tree `tree`, whose git directory is `git_dir`: an isolated loop's records lie apart, so
    /// that they outlive its tree.
    #[must_use]
    pub fn of_work_tree(git_dir: &Path, tree: &Path) -> Self {
        IsolatedPlace::of_tree(tree).map_or_else(|| Self::in_git_dir(git_dir), |place| place.home())
    }

    pub(super) const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The home of a workspace that is used without git.
    pub fn in_state_directory(workspace: &Path, ambient: &Ambient) -> Result<Self, HomeError> {
        // A relative one would lead elsewhere from each directory, and no attempt can be submitted in it.
        let absolute = |name| ambient.path_var(name).filter(|path| path.is_absolute());
        let base = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
            .ok_or(HomeError::NoStateDirectory)?;
        let digest = Sha256::digest(workspace.as_os_str().as_encoded_bytes());
        let name = digest.iter().take(8).fold(0_u64, |name, byte| name << 8 | u64::from(*byte));
        Ok(Self { root: base.join("baton/workspaces").join(format!("{name:016x}")) })
    }

    /// Makes the directory, with nothing in it that others may read.
    pub fn create(&self) -> Result<(), HomeError> {
        let attempts = self.attempts();
        // Prompts and output of agents may hold what only their owner should read.
        crate::durable::create_directories(&attempts, 0o700)
            .map_err(|source| HomeError::Unusable { path: attempts, source })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The ledger's file.
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger.db")
    }

    /// The directory of all attempts.
    pub fn attempts(&self) -> PathBuf {
        self.root.join("attempts")
    }

    /// The directory of one attempt.
    pub fn attempt(&self, id: AttemptId) -> PathBuf {
        self.attempts().join(id.to_string())
    }

    /// Takes a seat for this process, at once or not at all.
    pub fn lock_seat(&self, actor: Actor, ambient: &Ambient) -> Result<Lock, HomeError> {
        let path = self.root.join(format!("{actor}.lock"));
        let unusable = |source| HomeError::Unusable { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unusable)?;
        if let Err(error) = file.try_lock() {
            let mut owner = String::new();
            // Who it is, is for people; a lock without a readable owner is a lock all the same.
            let _ = file.read_to_string(&mut owner);
            return Err(refused(&path, owner.trim().to_owned(), error));
        }
        let owner = format!("pid {} on {} since {}\n", std::process::id(), ambient.host(), ambient.now());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(owner.as_bytes()))
            .map_err(unusable)?;
        Ok(Lock { _file: file })
    }

    /// What the process that took a seat last has said of itself; empty where it has said nothing.
    pub fn seat_owner(&self, actor: Actor) -> String {
        let owner = fs::read_to_string(self.root.join(format!("{actor}.lock"))).unwrap_or_default();
        owner.trim().to_owned()
    }

    /// Whether a seat is taken by a live process.
    pub fn seat_is_taken(&self, actor: Actor) -> Locked {
        let path = self.root.join(format!("{actor}.lock"));
        match File::open(path).map(|file| file.try_lock_shared()) {
            Ok(Err(fs::TryLockError::WouldBlock)) => Locked::Yes,
            Ok(Ok(()) | Err(fs::TryLockError::Error(_))) | Err(_) => Locked::No,
        }
    }
}

/// Whether a live process holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locked {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// A lock that stands while this value, or the process, lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the work tree for this process. The lock is on the directory itself, so that runs with and without git
    /// keep out of each other's way and an agent that cleans the tree cannot remove it.
    pub fn on_work_tree(workspace: &Path) -> Result<Self, HomeError> {
        let file = File::open(workspace)
            .map_err(|source| HomeError::Unusable { path: workspace.to_owned(), source })?;
        file.try_lock().map_err(|error| refused(workspace, String::new(), error))?;
        Ok(Self { _file: file })
    }
}

fn refused(path: &Path, owner: String, error: fs::TryLockError) -> HomeError {
    match error {
        fs::TryLockError::WouldBlock => HomeError::Busy { path: path.to_owned(), owner },
        fs::TryLockError::Error(source) => HomeError::Unusable { path: path.to_owned(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn ambient(pairs: &[(&str, &str)]) -> Ambient {
        let env: BTreeMap<_, _> = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Ambient::fixed(jiff::Timestamp::from_second(1_800_000_000).unwrap(), env)
    }

    #[test]
    fn a_seat_is_taken_once_and_says_by_whom() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::in_git_dir(directory.path());
        home.create().unwrap();
        let ambient = ambient(&[]);
        assert_eq!(home.seat_is_taken(Actor::Galph), Locked::No);
        let lock = home.lock_seat(Actor::Galph, &ambient).unwrap();
        assert_eq!(home.seat_is_taken(Actor::Galph), Locked::Yes);
        assert!(home.seat_owner(Actor::Galph).starts_with(&format!("pid {} on ", std::process::id())));
        assert_eq!(home.seat_owner(Actor::Ralph), "");
        assert_eq!(
            home.lock_seat(Actor::Galph, &ambient).unwrap_err().to_string(),
            format!(
                "{}: another baton is at work here (pid {} on {} since 2027-01-15T08:00:00Z)",
                home.root().join("galph.lock").display(),
                std::process::id(),
                ambient.host()
            )
        );
        let _other_seat = home.lock_seat(Actor::Ralph, &ambient).unwrap();
        drop(lock);
        home.lock_seat(Actor::Galph, &ambient).unwrap();
    }

    #[test]
    fn the_work_tree_lock_leaves_no_file_behind() {
        let directory = tempfile::tempdir().unwrap();
        let _lock = Lock::on_work_tree(directory.path()).unwrap();
        assert_eq!(
            Lock::on_work_tree(directory.path()).unwrap_err().to_string(),
            format!("{}: another baton is at work here", directory.path().display())
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn without_git_the_home_is_named_after_the_workspace() {
        let workspace = Path::new("/some/where");
        let one = Home::in_state_directory(workspace, &ambient(&[("HOME", "/home/x")])).unwrap();
        assert!(one.root().starts_with("/home/x/.local/state/baton/workspaces"));
        let other = Home::in_state_directory(Path::new("/else"), &ambient(&[("HOME", "/home/x")])).unwrap();
        assert_ne!(one, other);
        let state = Home::in_state_directory(workspace, &ambient(&[("XDG_STATE_HOME", "/s")])).unwrap();
        assert!(state.root().starts_with("/s/baton/workspaces"));
        for unusable in [&[][..], &[("HOME", "../home"), ("XDG_STATE_HOME", "state")]] {
            assert_eq!(
                Home::in_state_directory(workspace, &ambient(unusable)).unwrap_err().to_string(),
                "there is no place for records outside the repository: \
                 neither XDG_STATE_HOME nor HOME is an absolute path"
            );
        }
    }
}
