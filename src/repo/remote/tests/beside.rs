//! A remote on the same disk: what is done in place, and what is left to git.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rstest::rstest;

use super::super::super::testing::{TestRepo, Way};
use super::looks::processes;
use super::{By, Hub, PushKind, Pushed, child, remote_of, write_hook};
use crate::publish::ObjectId;

/// Pushes one commit by a clone that something has been done to; the processes of git that it took.
fn push(hub: &Hub, kind: PushKind, prepare: impl FnOnce(&TestRepo)) -> Vec<String> {
    let mut clone = hub.clone();
    let started = processes(&mut clone);
    let remote = remote_of(&clone, Way::Library);
    let base = hub.tip();
    let commit = child(&remote, &base, "x");
    prepare(&clone);
    started();
    assert_eq!(remote.push(&commit, Some(&base), kind).unwrap(), Pushed::Accepted);
    let started = started();
    assert_eq!(hub.tip(), commit);
    assert_eq!(clone.git(&["rev-parse", "origin/main"]).trim(), commit.as_str());
    hub.assert_sound();
    clone.assert_sound();
    started
}

#[rstest]
fn a_plain_repository_takes_a_push_without_a_process(
    #[values(PushKind::Turn, PushKind::Work)] kind: PushKind,
) {
    let hub = Hub::new(By::Path);
    assert_eq!(push(&hub, kind, |_| ()), [""; 0]);
}

#[rstest]
#[case("receive.denyDeletes", "true")]
#[case("receive.autogc", "false")]
#[case("transfer.fsckObjects", "true")]
#[case("core.sharedRepository", "group")]
#[case("core.logAllRefUpdates", "true")]
#[case("core.hooksPath", "/nowhere")]
fn settings_of_the_remote_for_pushes_are_gits_to_honour(#[case] key: &str, #[case] value: &str) {
    let hub = Hub::new(By::Path);
    hub.git(&["config", key, value]);
    assert_eq!(push(&hub, PushKind::Turn, |_| ()), ["push"]);
}

#[test]
fn a_hook_of_the_remote_is_run_by_git() {
    let hub = Hub::new(By::Path);
    hub.hook("post-update", "touch ran");
    assert_eq!(push(&hub, PushKind::Turn, |_| ()), ["push"]);
    assert!(hub.bare.join("ran").exists());
}

#[test]
fn a_branch_that_may_be_checked_out_there_is_gits() {
    let hub = Hub::new(By::Path);
    hub.git(&["worktree", "add", "-q", "-b", "side", "../side", "main"]);
    assert_eq!(push(&hub, PushKind::Turn, |_| ()), ["push"]);
}

#[test]
fn a_reference_that_names_another_one_is_gits() {
    let hub = Hub::new(By::Path);
    hub.git(&["branch", "-m", "main", "trunk"]);
    hub.git(&["symbolic-ref", "refs/heads/main", "refs/heads/trunk"]);
    assert_eq!(push(&hub, PushKind::Turn, |_| ()), ["push"]);
    assert_eq!(hub.git(&["symbolic-ref", "refs/heads/main"]), "refs/heads/trunk");
}

#[test]
fn the_users_own_hook_for_pushes_is_run_for_work() {
    let hub = Hub::new(By::Path);
    let hook = |clone: &TestRepo| write_hook(&clone.root.join(".git/hooks/pre-push"), "touch ran");
    assert_eq!(push(&hub, PushKind::Turn, hook), [""; 0]);
    assert_eq!(push(&hub, PushKind::Work, hook), ["push"]);
}

#[test]
fn what_is_in_a_pack_here_is_sent_by_git() {
    let hub = Hub::new(By::Path);
    let packed = push(&hub, PushKind::Turn, |clone| {
        clone.git(&["branch", "kept", clone.git(&["rev-parse", "HEAD"]).trim()]);
        let loose = clone.git(&["fsck", "--unreachable", "--no-reflogs"]);
        let commit = loose.lines().find_map(|line| line.strip_prefix("unreachable commit ")).unwrap();
        clone.git(&["update-ref", "refs/kept", commit]);
        clone.git(&["gc", "-q"]);
    });
    assert_eq!(packed, ["push"]);
}

#[test]
fn where_git_would_clean_up_after_a_push_it_pushes() {
    let hub = Hub::new(By::Path);
    hub.git(&["config", "gc.auto", "256"]);
    let sample = hub.bare.join("objects/17");
    std::fs::create_dir_all(&sample).unwrap();
    std::fs::write(sample.join("a"), "").unwrap();
    assert_eq!(push(&hub, PushKind::Turn, |_| ()), [""; 0]);
    std::fs::write(sample.join("b"), "").unwrap();
    let mut clone = hub.clone();
    let started = processes(&mut clone);
    let remote = remote_of(&clone, Way::Library);
    let base = hub.tip();
    let commit = child(&remote, &base, "y");
    started();
    assert_eq!(remote.push(&commit, Some(&base), PushKind::Turn).unwrap(), Pushed::Accepted);
    assert_eq!(started(), ["push"]);
}

#[test]
fn file_urls_are_gits() {
    assert_eq!(push(&Hub::new(By::File), PushKind::Turn, |_| ()), ["push"]);
}

/// So that a garbage collection that runs there keeps them until the branch names them.
#[test]
fn objects_arrive_young_however_old_they_are_here() {
    let hub = Hub::new(By::Path);
    let modified = |root: &Path, id: &ObjectId| loose_file(root, id).metadata().unwrap().modified().unwrap();
    let clone = hub.clone();
    let here = clone.root.join(".git");
    let remote = remote_of(&clone, Way::Library);
    let base = hub.tip();
    let commit = child(&remote, &base, "x");
    let young = modified(&here, &commit);
    let old = young - Duration::from_hours(24 * 30);
    File::open(loose_file(&here, &commit)).unwrap().set_modified(old).unwrap();
    assert_eq!(modified(&here, &commit), old);
    assert_eq!(remote.push(&commit, Some(&base), PushKind::Turn).unwrap(), Pushed::Accepted);
    assert_eq!(loose_file(&hub.bare, &commit).metadata().unwrap().nlink(), 2);
    assert!(modified(&hub.bare, &commit) >= young);
}

fn loose_file(git_dir: &Path, id: &ObjectId) -> PathBuf {
    let name = id.to_string();
    git_dir.join("objects").join(&name[..2]).join(&name[2..])
}

#[test]
fn what_is_seen_there_is_the_same_file_here_and_leaves_no_pack() {
    let hub = Hub::new(By::Path);
    let mut clone = hub.clone();
    let started = processes(&mut clone);
    let remote = remote_of(&clone, Way::Library);
    let other = remote_of(&hub.first, Way::Library);
    let packs = || std::fs::read_dir(clone.root.join(".git/objects/pack")).unwrap().count();
    let (mut tip, before) = (hub.tip(), packs());
    remote.look().unwrap();
    started();
    for number in 0..3 {
        let commit = child(&other, &tip, &number.to_string());
        assert_eq!(other.push(&commit, Some(&tip), PushKind::Turn).unwrap(), Pushed::Accepted);
        assert_eq!(remote.look().unwrap(), Some(commit.clone()));
        tip = commit;
    }
    assert_eq!((started(), packs()), (Vec::new(), before));
    assert_eq!(clone.git(&["rev-parse", "refs/baton/remote/heads/main"]).trim(), tip.as_str());
    assert_eq!(loose_file(&clone.root.join(".git"), &tip).metadata().unwrap().nlink(), 3);
    clone.assert_sound();
}
