//! References that repeat what is known elsewhere: what a remote's branch was seen to name.
//!
//! libgit2 syncs the reference, its log and the directories of both. Of these it is enough that a reference never names what
//! cannot be read: with the power it may fall back to what it named before, and the next look sets it again.

use std::fs;
use std::io::{self, ErrorKind};

use git2::{ErrorClass, ErrorCode, Oid, Repository};

use super::super::reference_lock::ReferenceLock;
use super::reflog::{append, is_wanted, log_line, writer};
use crate::publish::ObjectId;

/// Lets the reference name a commit that is durable here. `log`: for its reflog, where it has one. `ErrorCode::Locked`
/// where another git is at it.
pub(in super::super) fn name_lightly(
    git: &Repository,
    reference: &str,
    to: Oid,
    log: &str,
) -> Result<(), git2::Error> {
    match try_plain(git, reference, to, log) {
        Ok(true) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::WouldBlock) => {
            Err(git2::Error::new(ErrorCode::Locked, ErrorClass::Reference, error.to_string()))
        }
        // libgit2 knows every way in which a reference can be kept, or says what is wrong.
        Ok(false) | Err(_) => git.reference(reference, to, true, log).map(|_| ()),
    }
}

/// `false`: it is none with a file of its own.
fn try_plain(git: &Repository, reference: &str, to: Oid, log: &str) -> io::Result<bool> {
    let path = git.commondir().join(reference);
    let from = match fs::read(&path) {
        Ok(found) => {
            let found = String::from_utf8_lossy(&found);
            // A name of another reference, or nothing that git would take for one.
            let Ok(known) = found.trim_ascii_end().parse::<ObjectId>() else { return Ok(false) };
            known.to_string()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => match git.refname_to_id(reference) {
            Err(error) if error.code() == ErrorCode::NotFound => Oid::ZERO_SHA1.to_string(),
            // Packed.
            Ok(_) | Err(_) => return Ok(false),
        },
        Err(error) => return Err(error),
    };
    if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Ok(false);
    }
    let to = to.to_string();
    if from == to {
        return Ok(true);
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    // A name without its content would be a broken one: that is durable from here on.
    let lock = ReferenceLock::take(git.commondir(), reference, &format!("{to}\n"))?;
    let who = writer(git)?;
    let line = log_line(&who, who.when().seconds(), (&from, &to), log);
    append(&git.commondir().join("logs").join(reference), &line, is_wanted(git, reference))?;
    lock.put_in_place_lightly(&path)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::repo::testing::TestRepo;

    const TRACKING: &str = "refs/remotes/origin/main";

    fn two_commits() -> (TestRepo, Repository, [Oid; 2]) {
        let test = TestRepo::with(&[]);
        test.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
        let git = Repository::open(&test.root).unwrap();
        let ids = ["HEAD^", "HEAD"].map(|name| git.revparse_single(name).unwrap().id());
        (test, git, ids)
    }

    fn named(test: &TestRepo) -> String {
        test.git(&["rev-parse", TRACKING]).trim().to_owned()
    }

    #[test]
    fn it_is_made_moved_and_logged_as_git_does() {
        let (test, git, [first, second]) = two_commits();
        name_lightly(&git, TRACKING, first, "fetch").unwrap();
        name_lightly(&git, TRACKING, second, "update by push").unwrap();
        name_lightly(&git, TRACKING, second, "again").unwrap();
        assert_eq!(named(&test), second.to_string());
        let log = test.git(&["reflog", "--format=%H %gn <%ge> %gs", TRACKING]);
        let who = "Tester <tester@example.org>";
        assert_eq!(log, format!("{second} {who} update by push\n{first} {who} fetch\n"));
        assert_eq!(test.git(&["reflog", "exists", TRACKING]), "");
        test.assert_sound();
    }

    #[rstest]
    #[case::by_default(&[], true)]
    #[case::by_a_setting(&["core.logAllRefUpdates", "false"], false)]
    fn a_log_is_kept_where_git_keeps_one(#[case] setting: &[&str], #[case] is_kept: bool) {
        let (test, _, [first, _]) = two_commits();
        if !setting.is_empty() {
            test.git(&[&["config"], setting].concat());
        }
        let git = Repository::open(&test.root).unwrap();
        name_lightly(&git, TRACKING, first, "fetch").unwrap();
        name_lightly(&git, "refs/baton/remote/heads/main", first, "look").unwrap();
        assert_eq!(test.root.join(".git/logs").join(TRACKING).exists(), is_kept);
        assert!(!test.root.join(".git/logs/refs/baton").exists());
        assert_eq!(named(&test), first.to_string());
    }

    #[test]
    fn one_that_is_packed_or_leads_to_another_is_left_to_libgit2() {
        let (test, git, [first, second]) = two_commits();
        name_lightly(&git, TRACKING, first, "fetch").unwrap();
        test.git(&["pack-refs", "--all"]);
        name_lightly(&git, TRACKING, second, "fetch").unwrap();
        assert_eq!(named(&test), second.to_string());
        let head = "refs/remotes/origin/HEAD";
        test.git(&["symbolic-ref", head, TRACKING]);
        name_lightly(&git, head, first, "fetch").unwrap();
        assert_eq!(test.git(&["rev-parse", head]).trim(), first.to_string());
    }

    #[test]
    fn another_gits_lock_is_respected_and_what_is_in_the_way_is_told() {
        let (test, git, [first, _]) = two_commits();
        test.write(".git/refs/remotes/origin/main.lock", "");
        let refused = name_lightly(&git, TRACKING, first, "fetch").unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Locked);
        assert!(test.root.join(".git/refs/remotes/origin/main.lock").exists());
        let refused = name_lightly(&git, "refs/heads/main/below", first, "fetch").unwrap_err();
        assert!(refused.message().contains("refs/heads/main"), "{refused}");
    }
}
