//! A reference of another repository moved as git moves it: under `NAME.lock`, by one rename.
//!
//! git does this in a process of its own; ours may be killed. A lock that a dead process has left would keep everybody out, so
//! the lock is a second name of a note that is complete and durable before, and that its maker keeps locked for as long as
//! it lives. The lock is held for three calls, and whoever comes next can tell one whose maker has died, and removes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, Repository};

use crate::durable::sync_parent;

/// How the names of notes begin; they lie in the remote's git directory.
const NOTE: &str = "baton-push-";

/// What became of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swapped {
    /// It names the new commit, durably.
    Done,
    /// It names something else than was expected.
    Moved,
    /// Somebody holds its lock, or it lies in a way that only git knows: nothing was done.
    Unclear,
}

/// Lets the reference name `new` if it names `expected`; both are commits that the repository has.
pub(super) fn swap(
    there: &Repository,
    reference: &str,
    expected: Oid,
    new: Oid,
) -> Result<Swapped, git2::Error> {
    let directory = there.commondir();
    let (target, lock) = (directory.join(reference), directory.join(format!("{reference}.lock")));
    let Some(note) = Note::write(directory, new).map_err(said)? else { return Ok(Swapped::Unclear) };
    if !note.become_lock(directory, &lock) {
        return Ok(Swapped::Unclear);
    }
    let swapped = match there.refname_to_id(reference) {
        Ok(now) if now == expected => fs::rename(&lock, &target).map_err(said).map(|()| Swapped::Done),
        Ok(_) => Ok(Swapped::Moved),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(Swapped::Moved),
        Err(error) => Err(error),
    };
    match swapped {
        Ok(Swapped::Done) => sync_parent(&target).map_err(said)?,
        Ok(Swapped::Moved | Swapped::Unclear) | Err(_) => fs::remove_file(&lock).map_err(said)?,
    }
    swapped
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over errors")]
fn said(error: io::Error) -> git2::Error {
    git2::Error::from_str(&error.to_string())
}

/// A file that says what git writes into a lock. Gone when it is dropped.
struct Note {
    path: PathBuf,
    file: File,
}

impl Note {
    /// `None`: another process has one for the same commit.
    fn write(directory: &Path, new: Oid) -> io::Result<Option<Self>> {
        let path = directory.join(format!("{NOTE}{new}"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
        // Who held it may have removed it meanwhile.
        if file.try_lock().is_err() || !is_same(&file, &path) {
            return Ok(None);
        }
        file.write_all(format!("{new}\n").as_bytes())?;
        file.sync_all()?;
        Ok(Some(Self { path, file }))
    }

    fn become_lock(&self, directory: &Path, lock: &Path) -> bool {
        let is_made = || fs::hard_link(&self.path, lock).map_err(|error| error.kind());
        match is_made() {
            Ok(()) => true,
            // Left by a process that has died with the same commit, or with another one.
            Err(ErrorKind::AlreadyExists) => {
                is_same(&self.file, lock) || (remove_dead(directory, lock) && is_made().is_ok())
            }
            Err(_) => false,
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // One that stays only takes space.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes a lock that is another name of a note whose maker is dead; others' locks are left alone.
fn remove_dead(directory: &Path, lock: &Path) -> bool {
    let is_note = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(NOTE);
    let notes = fs::read_dir(directory).into_iter().flatten().flatten().filter(is_note);
    for path in notes.map(|entry| entry.path()) {
        let Ok(note) = File::open(&path) else { continue };
        // Compared once more under its lock: who removed it before us has made way for another.
        if is_same(&note, lock) && note.try_lock().is_ok() && is_same(&note, lock) {
            let is_removed = fs::remove_file(lock).is_ok();
            let _ = fs::remove_file(&path);
            return is_removed;
        }
    }
    false
}

/// Whether this path is a name of this file.
fn is_same(file: &File, path: &Path) -> bool {
    let (Ok(file), Ok(other)) = (file.metadata(), path.symlink_metadata()) else { return false };
    (file.dev(), file.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{By, Hub, child, remote_of};
    use super::*;
    use crate::repo::library::oid;
    use crate::repo::testing::Way;

    /// A hub with two commits beside its tip: the tip, the hub, the commits.
    fn scene() -> (Hub, Repository, Oid, [Oid; 2]) {
        let hub = Hub::new(By::Path);
        let remote = remote_of(&hub.first, Way::Library);
        let commits = ["a", "b"].map(|name| child(&remote, &hub.tip(), name));
        for commit in &commits {
            hub.first.git(&["push", "-q", "origin", &format!("{commit}:refs/heads/{commit}")]);
        }
        let there = Repository::open(&hub.bare).unwrap();
        let base = oid(&hub.tip()).unwrap();
        (hub, there, base, commits.map(|commit| oid(&commit).unwrap()))
    }

    const MAIN: &str = "refs/heads/main";

    fn notes(hub: &Hub) -> usize {
        let entries = fs::read_dir(&hub.bare).unwrap().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(NOTE)).count()
    }

    #[test]
    fn a_reference_moves_from_what_is_expected_and_from_nothing_else() {
        let (hub, there, base, [a, b]) = scene();
        assert_eq!(swap(&there, MAIN, a, b).unwrap(), Swapped::Moved);
        assert_eq!(swap(&there, MAIN, base, a).unwrap(), Swapped::Done);
        assert_eq!(swap(&there, MAIN, base, b).unwrap(), Swapped::Moved);
        assert_eq!(hub.tip().as_str(), a.to_string());
        // Also where it is a line in the table of references.
        hub.git(&["pack-refs", "--all"]);
        assert_eq!(swap(&there, MAIN, a, b).unwrap(), Swapped::Done);
        assert_eq!(hub.tip().as_str(), b.to_string());
        assert_eq!(swap(&there, "refs/heads/none", a, b).unwrap(), Swapped::Moved);
        assert_eq!(notes(&hub), 0);
        assert!(!hub.bare.join("refs/heads/main.lock").exists());
        hub.assert_sound();
    }

    #[test]
    fn the_lock_of_a_process_that_has_died_is_no_obstacle_and_that_of_a_live_one_is() {
        for of_the_same in [true, false] {
            let (hub, there, base, [a, b]) = scene();
            let lock = hub.bare.join("refs/heads/main.lock");
            let note = Note::write(&hub.bare, if of_the_same { a } else { b }).unwrap().unwrap();
            assert!(note.become_lock(&hub.bare, &lock));
            assert_eq!(swap(&there, MAIN, base, a).unwrap(), Swapped::Unclear);
            assert_eq!(swap(&there, MAIN, a, b).unwrap(), Swapped::Unclear);
            assert!(lock.exists());
            // What a kill leaves: both names, and no lock of the system's.
            let Note { path, file } = &note;
            let kept = path.with_extension("kept");
            fs::hard_link(path, &kept).unwrap();
            file.unlock().unwrap();
            let path = path.clone();
            drop(note);
            fs::rename(kept, path).unwrap();
            assert_eq!(swap(&there, MAIN, base, a).unwrap(), Swapped::Done);
            assert_eq!(hub.tip().as_str(), a.to_string());
            assert_eq!((lock.exists(), notes(&hub)), (false, 0));
        }
    }

    #[test]
    fn a_lock_of_gits_is_left_alone() {
        let (hub, there, base, [a, _]) = scene();
        let lock = hub.bare.join("refs/heads/main.lock");
        fs::write(&lock, format!("{a}\n")).unwrap();
        assert_eq!(swap(&there, MAIN, base, a).unwrap(), Swapped::Unclear);
        assert!(lock.exists());
        assert_eq!(notes(&hub), 0);
    }
}
