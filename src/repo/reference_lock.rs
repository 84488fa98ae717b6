//! git's lock of a branch or another reference, taken by us, here or in a repository on the same disk.
//!
//! As with that of the index, it is a second name of a file of ours, the witness, that is locked as long as we live: a lock
//! that a dead process has left would keep everybody out. The witness holds what the reference is to hold, durably, before
//! it is the lock, so the lock is held for a few calls only. It becomes the reference, so one that was left is never written
//! again.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::index_lock::is_same;
use crate::durable::sync_parent;

/// How the names of witnesses begin; they lie beside `refs`. No reference has a `~` in its name.
const WITNESS: &str = "baton-reference-lock~";

/// Held; removed when dropped.
pub(super) struct ReferenceLock {
    /// None: it is the reference by now, and what is found at its name is another's.
    lock: Option<PathBuf>,
    witness: PathBuf,
    _alive: File,
}

impl ReferenceLock {
    /// `reference`: from `refs/` on. `content`: what it is to hold. `AlreadyExists` or `WouldBlock` where
    /// somebody else holds it; that of a baton that has ended is removed.
    pub(super) fn take(common_dir: &Path, reference: &str, content: &str) -> std::io::Result<Self> {
        release_stale(common_dir, reference);
        let (lock, witness) = names(common_dir, reference);
        let mut alive = File::options().write(true).create_new(true).open(&witness)?;
        alive.try_lock()?;
        // Whoever took it for one that was left has removed it.
        if !is_same(&alive, &witness) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut held = Self { lock: None, witness, _alive: alive.try_clone()? };
        alive.write_all(content.as_bytes())?;
        alive.sync_all()?;
        match fs::hard_link(&held.witness, &lock) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
            // A file system without hard links: then one that we leave behind is reported as anybody's.
            Err(_) => write_plain(&lock, content)?,
        }
        held.lock = Some(lock);
        Ok(held)
    }

    /// It becomes the reference, durably.
    pub(super) fn put_in_place(self, reference: &Path) -> std::io::Result<()> {
        self.put_in_place_lightly(reference)?;
        sync_parent(reference)
    }

    /// It becomes the reference, which with the power may fall back to what it was.
    pub(super) fn put_in_place_lightly(mut self, reference: &Path) -> std::io::Result<()> {
        let lock = self.lock.as_ref().ok_or_else(|| Error::from(ErrorKind::NotFound))?;
        fs::rename(lock, reference)?;
        self.lock = None;
        Ok(())
    }
}

fn write_plain(lock: &Path, content: &str) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(lock)?;
    let written = file.write_all(content.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(lock);
    }
    written
}

impl Drop for ReferenceLock {
    fn drop(&mut self) {
        // If this fails the lock stays, and the next start reports or removes it.
        if let Some(lock) = &self.lock {
            let _ = fs::remove_file(lock);
        }
        let _ = fs::remove_file(&self.witness);
    }
}

pub(super) fn names(common_dir: &Path, reference: &str) -> (PathBuf, PathBuf) {
    let witness = format!("{WITNESS}{}", reference.replace('/', "~"));
    (common_dir.join(format!("{reference}.lock")), common_dir.join(witness))
}

/// Removes the lock of a baton that has ended without removing it. No other lock is touched.
pub(super) fn release_stale(common_dir: &Path, reference: &str) {
    let (lock, witness) = names(common_dir, reference);
    let Ok(left) = File::open(&witness) else { return };
    if left.try_lock().is_err() || !is_same(&left, &witness) {
        return;
    }
    // What cannot be removed is reported as a lock that stays.
    if is_same(&left, &lock) {
        let _ = fs::remove_file(&lock);
    }
    let _ = fs::remove_file(&witness);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "refs/heads/main";

    fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("refs/heads")).unwrap();
        let (lock, witness) = names(directory.path(), MAIN);
        (directory, lock, witness)
    }

    fn take(directory: &Path, content: &str) -> std::io::Result<ReferenceLock> {
        ReferenceLock::take(directory, MAIN, content)
    }

    #[test]
    fn it_is_held_once_and_gone_when_dropped() {
        let (directory, lock, witness) = place();
        let held = take(directory.path(), "one\n").unwrap();
        release_stale(directory.path(), MAIN);
        assert_eq!(fs::read_to_string(&lock).unwrap(), "one\n");
        assert_eq!(take(directory.path(), "two\n").err().unwrap().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&lock).unwrap(), "one\n");
        drop(held);
        assert!(!lock.exists() && !witness.exists());
    }

    #[test]
    fn it_becomes_the_branch() {
        let (directory, lock, witness) = place();
        let branch = directory.path().join(MAIN);
        for content in ["one\n", "two\n"] {
            take(directory.path(), content).unwrap().put_in_place(&branch).unwrap();
            assert_eq!(fs::read_to_string(&branch).unwrap(), content);
            assert!(!lock.exists() && !witness.exists());
        }
    }

    #[test]
    fn that_of_a_killed_baton_is_released() {
        let (directory, lock, witness) = place();
        fs::write(&witness, "").unwrap();
        fs::hard_link(&witness, &lock).unwrap();
        release_stale(directory.path(), MAIN);
        assert!(!lock.exists() && !witness.exists());
    }

    #[test]
    fn a_branch_that_is_the_file_of_a_killed_baton_keeps_its_content() {
        let (directory, _, witness) = place();
        let branch = directory.path().join(MAIN);
        fs::write(&witness, "one\n").unwrap();
        fs::hard_link(&witness, &branch).unwrap();
        drop(take(directory.path(), "two\n").unwrap());
        assert_eq!(fs::read_to_string(&branch).unwrap(), "one\n");
        assert!(!witness.exists());
    }

    #[test]
    fn that_of_a_git_is_never_touched() {
        let (directory, lock, witness) = place();
        for path in [&lock, &witness] {
            fs::write(path, "of a git").unwrap();
        }
        let refused = take(directory.path(), "one\n").err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&lock).unwrap(), "of a git");
        assert!(!witness.exists());
    }
}
