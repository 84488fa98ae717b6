//! git's lock of the index, taken by us: no git writes the index meanwhile.
//!
//! It is a second name of a file of ours, the witness, that is locked as long as we live. So the lock of a baton that was
//! killed is told from that of a git, which nobody but a person removes. The witness holds what is under way, so that
//! whoever takes the lock next can bring it to an end first.

use std::fs::{self, File, TryLockError};
use std::io::{Error, ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::publish::{ObjectId, RepoPath};

/// The name of git's lock.
pub(super) const LOCK: &str = "index.lock";
/// How the names of what lies beside it while the index is written begin.
pub(super) const COPY: &str = "baton-index-";
/// How the names of directories with new files begin.
pub(super) const ASIDE: &str = "baton-checkout-";
const WITNESS: &str = "baton-index-lock";

/// Files, branch and index on their way from one commit to another, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Move {
    /// The branch, without `refs/heads/`.
    pub(super) branch: String,
    pub(super) from: ObjectId,
    pub(super) to: ObjectId,
    /// Files that are written or removed by it; no others are.
    pub(super) placed: Vec<RepoPath>,
    /// Paths that the work tree is meant not to have.
    pub(super) skipped: Vec<RepoPath>,
}

/// `index.lock`, held; removed when dropped.
pub(super) struct IndexLock {
    lock: PathBuf,
    witness: PathBuf,
    /// The witness.
    alive: Locked,
    under_way: Option<Box<Move>>,
}

impl IndexLock {
    /// `AlreadyExists` where a git holds it, `WouldBlock` where a living baton does. The lock of a baton that has ended is
    /// taken over, with [`IndexLock::under_way`].
    pub(super) fn take(git_dir: &Path) -> std::io::Result<Self> {
        let (lock, witness) = (git_dir.join(LOCK), git_dir.join(WITNESS));
        let mut options = File::options();
        options.read(true).write(true);
        let (alive, was_left) = match options.clone().create_new(true).open(&witness) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (options.open(&witness)?, true),
            opened => (opened?, false),
        };
        let mut alive = Locked::of(alive)?;
        // Whoever had it until now has removed it meanwhile.
        if !is_same(&alive.0, &witness) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let under_way = read(&mut alive.0);
        if !is_same(&alive.0, &lock) {
            match fs::hard_link(&witness, &lock) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if under_way.is_none() {
                        let _ = fs::remove_file(&witness);
                    }
                    return Err(error);
                }
                // A file system without hard links: then a lock that we leave behind is reported as anybody's.
                Err(_) => drop(File::options().write(true).create_new(true).open(&lock)?),
            }
        }
        if was_left {
            forget_what_lies_beside(git_dir);
        }
        Ok(Self { lock, witness, alive, under_way })
    }

    /// What has begun under this lock or an earlier one, and has not come to its end.
    pub(super) fn under_way(&self) -> Option<&Move> {
        self.under_way.as_deref()
    }

    /// Keeps, durably, what is about to begin.
    pub(super) fn begin(&mut self, under_way: Move) -> std::io::Result<()> {
        let text = serde_json::to_vec(&under_way).map_err(Error::other)?;
        self.alive.0.set_len(0)?;
        self.alive.0.rewind()?;
        self.alive.0.write_all(&text)?;
        self.alive.0.sync_all()?;
        crate::durable::sync_parent(&self.witness)?;
        self.under_way = Some(Box::new(under_way));
        Ok(())
    }

    /// It has come to its end: its record goes with the lock.
    pub(super) fn end(&mut self) {
        self.under_way = None;
    }
}

/// A file that is locked as long as this lives, and no longer: a child that is being started has it open too for a moment.
struct Locked(File);

impl Locked {
    fn of(file: File) -> Result<Self, TryLockError> {
        file.try_lock()?;
        Ok(Self(file))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        // If this fails the lock stays, and the next start reports it or takes it over.
        let _ = fs::remove_file(&self.lock);
        if self.under_way.is_none() {
            let _ = fs::remove_file(&self.witness);
        }
    }
}

/// Whether a baton has ended without removing its lock, or what it had under way.
pub(super) fn is_left_behind(git_dir: &Path) -> bool {
    File::open(git_dir.join(WITNESS)).is_ok_and(|witness| Locked::of(witness).is_ok())
}

pub(super) fn is_same(file: &File, path: &Path) -> bool {
    let (Ok(file), Ok(named)) = (file.metadata(), path.symlink_metadata()) else { return false };
    (file.dev(), file.ino()) == (named.dev(), named.ino())
}

/// One that is not whole was never durable, and then nothing had begun.
fn read(witness: &mut File) -> Option<Box<Move>> {
    let mut text = Vec::new();
    witness.read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// What a baton that was killed was writing. It only takes space.
fn forget_what_lies_beside(git_dir: &Path) {
    for entry in fs::read_dir(git_dir).into_iter().flatten().flatten() {
        match entry.file_name().to_str() {
            Some(name) if name.starts_with(ASIDE) => drop(fs::remove_dir_all(entry.path())),
            Some(name) if name.starts_with(COPY) && name != WITNESS => drop(fs::remove_file(entry.path())),
            Some(_) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn some_move() -> Move {
        let id = |digit: &str| digit.repeat(40).parse().unwrap();
        let placed = vec![RepoPath::from_bytes(b"not utf-8 \xff".to_vec())];
        Move { branch: "main".to_owned(), from: id("1"), to: id("2"), placed, skipped: Vec::new() }
    }

    fn left_by_a_kill(directory: &Path, text: &[u8]) {
        fs::write(directory.join(WITNESS), text).unwrap();
        fs::hard_link(directory.join(WITNESS), directory.join(LOCK)).unwrap();
        fs::write(directory.join("baton-index-x1y2z3"), "half").unwrap();
        fs::create_dir_all(directory.join("baton-checkout-x1y2z3/d")).unwrap();
    }

    #[test]
    fn it_is_held_once_and_gone_when_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let lock = IndexLock::take(directory.path()).unwrap();
        assert!(directory.path().join("index.lock").exists());
        assert_eq!(IndexLock::take(directory.path()).err().unwrap().kind(), ErrorKind::WouldBlock);
        assert!(!is_left_behind(directory.path()));
        assert!(directory.path().join("index.lock").exists());
        drop(lock);
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }

    #[test]
    fn that_of_a_killed_baton_is_taken_over_with_what_it_had_under_way() {
        let text = serde_json::to_vec(&some_move()).unwrap();
        for (text, wanted) in [(&b""[..], None), (b"\0\0\0", None), (&text, Some(some_move()))] {
            let directory = tempfile::tempdir().unwrap();
            left_by_a_kill(directory.path(), text);
            assert!(is_left_behind(directory.path()));
            let mut lock = IndexLock::take(directory.path()).unwrap();
            assert_eq!(lock.under_way(), wanted.as_ref());
            assert_eq!(names(directory.path()), [WITNESS, LOCK]);
            lock.end();
            drop(lock);
            assert_eq!(names(directory.path()), Vec::<String>::new());
        }
    }

    #[test]
    fn what_has_not_come_to_its_end_is_known_to_the_next_even_if_a_person_removes_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let mut lock = IndexLock::take(directory.path()).unwrap();
        let longer = Move { branch: "a much longer name than the next one".to_owned(), ..some_move() };
        lock.begin(longer).unwrap();
        lock.begin(some_move()).unwrap();
        drop(lock);
        assert_eq!(names(directory.path()), [WITNESS]);
        fs::write(directory.path().join(LOCK), "of a git").unwrap();
        assert_eq!(IndexLock::take(directory.path()).err().unwrap().kind(), ErrorKind::AlreadyExists);
        fs::remove_file(directory.path().join(LOCK)).unwrap();
        assert_eq!(IndexLock::take(directory.path()).unwrap().under_way(), Some(&some_move()));
    }

    #[test]
    fn that_of_a_git_is_never_touched() {
        let directory = tempfile::tempdir().unwrap();
        for name in [LOCK, WITNESS] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let refused = IndexLock::take(directory.path()).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert_eq!(names(directory.path()), [LOCK]);
    }
}
