//! git's lock of the index, taken by us: no git writes the index meanwhile.
//!
//! It is a second name of a file of ours that is locked as long as we live. So the lock of a baton that was killed is told
//! from that of a git, which nobody but a person removes.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The name of git's lock.
pub(super) const LOCK: &str = "index.lock";
/// How the names of what lies beside it while the index is written begin.
pub(super) const COPY: &str = "baton-index-";
const WITNESS: &str = "baton-index-lock";

/// `index.lock`, held; removed when dropped.
pub(super) struct IndexLock {
    lock: PathBuf,
    witness: PathBuf,
    _alive: File,
}

impl IndexLock {
    /// `AlreadyExists` where somebody else holds it.
    pub(super) fn take(git_dir: &Path) -> std::io::Result<Self> {
        release_stale(git_dir);
        let (lock, witness) = (git_dir.join(LOCK), git_dir.join(WITNESS));
        let alive = File::options().write(true).create(true).truncate(true).open(&witness)?;
        alive.try_lock()?;
        match fs::hard_link(&witness, &lock) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let _ = fs::remove_file(&witness);
                return Err(error);
            }
            // A file system without hard links: then a lock that we leave behind is reported as anybody's.
            Err(_) => drop(File::options().write(true).create_new(true).open(&lock)?),
        }
        Ok(Self { lock, witness, _alive: alive })
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        // If this fails the lock stays, and the next start reports it or releases it.
        let _ = fs::remove_file(&self.lock);
        let _ = fs::remove_file(&self.witness);
    }
}

/// Removes the lock of a baton that has ended without removing it, and what it was writing. No other lock is touched.
pub(super) fn release_stale(git_dir: &Path) {
    let (lock, witness) = (git_dir.join(LOCK), git_dir.join(WITNESS));
    let (Ok(held), Ok(ours)) = (lock.symlink_metadata(), File::open(&witness)) else { return };
    let same = ours.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (held.dev(), held.ino()));
    if !same || ours.try_lock().is_err() {
        return;
    }
    // What cannot be removed is reported as a lock that stays.
    let _ = fs::remove_file(&lock);
    for entry in fs::read_dir(git_dir).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(COPY)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn it_is_held_once_and_gone_when_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let lock = IndexLock::take(directory.path()).unwrap();
        assert!(directory.path().join("index.lock").exists());
        assert!(IndexLock::take(directory.path()).is_err());
        release_stale(directory.path());
        assert!(directory.path().join("index.lock").exists());
        drop(lock);
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }

    #[test]
    fn that_of_a_killed_baton_is_released_with_what_it_wrote() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(WITNESS), "").unwrap();
        fs::hard_link(directory.path().join(WITNESS), directory.path().join(LOCK)).unwrap();
        fs::write(directory.path().join("baton-index-x1y2z3"), "half").unwrap();
        release_stale(directory.path());
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }

    #[test]
    fn that_of_a_git_is_never_touched() {
        let directory = tempfile::tempdir().unwrap();
        for name in [LOCK, WITNESS] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let refused = IndexLock::take(directory.path()).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert!(directory.path().join(LOCK).exists());
    }
}
