//! A reference of another repository moved as git moves it: under `NAME.lock`, by one rename.
//!
//! git does this in a process of its own; ours may be killed, and whoever comes next removes its lock.

use std::io::{self, ErrorKind};

use git2::{ErrorCode, Oid, Repository};

use crate::repo::reference_lock::ReferenceLock;

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
    let lock = match ReferenceLock::take(directory, reference, &format!("{new}\n")) {
        Ok(lock) => lock,
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::WouldBlock) => {
            return Ok(Swapped::Unclear);
        }
        Err(error) => return Err(said(error)),
    };
    match there.refname_to_id(reference) {
        Ok(now) if now == expected => {
            lock.put_in_place(&directory.join(reference)).map_err(said)?;
            Ok(Swapped::Done)
        }
        Ok(_) => Ok(Swapped::Moved),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(Swapped::Moved),
        Err(error) => Err(error),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over errors")]
fn said(error: io::Error) -> git2::Error {
    git2::Error::from_str(&error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::{By, Hub, child, remote_of};
    use super::*;
    use crate::repo::library::oid;
    use crate::repo::reference_lock::names;
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

    fn has_witness(hub: &Hub) -> bool {
        names(&hub.bare, MAIN).1.exists()
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
        assert!(!has_witness(&hub));
        assert!(!hub.bare.join("refs/heads/main.lock").exists());
        hub.assert_sound();
    }

    #[test]
    fn the_lock_of_a_process_that_has_died_is_no_obstacle_and_that_of_a_live_one_is() {
        let (hub, there, base, [a, b]) = scene();
        let (lock, witness) = names(&hub.bare, MAIN);
        let held = ReferenceLock::take(&hub.bare, MAIN, &format!("{b}\n")).unwrap();
        assert_eq!(swap(&there, MAIN, base, a).unwrap(), Swapped::Unclear);
        assert_eq!(swap(&there, MAIN, a, b).unwrap(), Swapped::Unclear);
        assert!(lock.exists());
        drop(held);
        // What a kill leaves: both names, and no lock of the system's.
        fs::write(&witness, format!("{b}\n")).unwrap();
        fs::hard_link(&witness, &lock).unwrap();
        assert_eq!(swap(&there, MAIN, base, a).unwrap(), Swapped::Done);
        assert_eq!(hub.tip().as_str(), a.to_string());
        assert!(!lock.exists() && !has_witness(&hub));
    }

    #[test]
    fn a_lock_of_gits_is_left_alone() {
        let (hub, there, base, [a, _]) = scene();
        let lock = hub.bare.join("refs/heads/main.lock");
        fs::write(&lock, format!("{a}\n")).unwrap();
        assert_eq!(swap(&there, MAIN, base, a).unwrap(), Swapped::Unclear);
        assert!(lock.exists());
        assert!(!has_witness(&hub));
    }
}
