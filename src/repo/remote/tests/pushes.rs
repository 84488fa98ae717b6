//! Pushes: accepted, refused, unknown, and never wider than asked for.

use rstest::rstest;

use super::super::super::testing::Way;
use super::{By, Hub, PushKind, Pushed, RefusalKind, child, refused, remote_of, write_hook};

#[rstest]
fn a_push_moves_the_branch_from_what_was_seen_and_from_nothing_else(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::File, By::Git)] by: By,
    #[values(PushKind::Turn, PushKind::Work)] kind: PushKind,
) {
    let hub = Hub::new(by);
    let (one, two) = (hub.clone(), hub.clone());
    let (ours, theirs) = (remote_of(&one, way), remote_of(&two, way));
    let base = hub.tip();
    let (a, b) = (child(&ours, &base, "a"), child(&theirs, &base, "b"));
    assert_eq!(ours.push(&a, Some(&base), kind).unwrap(), Pushed::Accepted);
    assert_eq!(hub.tip(), a);
    // The person's own view of the remote moves with it, whichever git has pushed.
    assert_eq!(one.git(&["rev-parse", "refs/remotes/origin/main"]).trim(), a.as_str());
    // Again, as after an answer that was lost.
    assert_eq!(ours.push(&a, Some(&base), kind).unwrap(), Pushed::Accepted);

    let (why, text) = refused(theirs.push(&b, Some(&base), kind).unwrap());
    assert_eq!(why, RefusalKind::Moved);
    assert!(text.ends_with("; nothing was pushed"), "{text}");
    assert_eq!(hub.tip(), a);

    // A fast-forward from something else than was expected is none of ours.
    theirs.look().unwrap();
    let (c, d) = (child(&theirs, &a, "c"), child(&ours, &a, "d"));
    let d = child(&ours, &d, "d2");
    assert_eq!(theirs.push(&c, Some(&a), kind).unwrap(), Pushed::Accepted);
    assert_eq!(refused(ours.push(&d, Some(&a), kind).unwrap()).0, RefusalKind::Moved);
    assert_eq!(refused(ours.push(&d, None, kind).unwrap()).0, RefusalKind::Moved);
    assert_eq!(hub.tip(), c);
    hub.assert_sound();
}

#[rstest]
fn a_branch_that_must_not_exist_is_made_once(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::File, By::Git)] by: By,
) {
    let hub = Hub::empty(by);
    let remote = remote_of(&hub.first, way);
    let base = hub.first.git(&["rev-parse", "HEAD"]).trim().parse().unwrap();
    let a = child(&remote, &base, "a");
    assert_eq!(refused(remote.push(&a, Some(&base), PushKind::Turn).unwrap()).0, RefusalKind::Moved);
    assert_eq!(remote.push(&base, None, PushKind::Turn).unwrap(), Pushed::Accepted);
    assert_eq!(refused(remote.push(&a, None, PushKind::Turn).unwrap()).0, RefusalKind::Moved);
    assert_eq!(hub.tip(), base);
}

#[rstest]
fn what_does_not_stand_on_the_remotes_tip_is_not_even_sent(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    let clone = hub.clone();
    let remote = remote_of(&clone, way);
    let base = hub.tip();
    let (a, b) = (child(&remote, &base, "a"), child(&remote, &base, "b"));
    assert_eq!(remote.push(&a, Some(&base), PushKind::Turn).unwrap(), Pushed::Accepted);
    let error = remote.push(&b, Some(&a), PushKind::Turn).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{b} does not stand on {a}, so pushing it would undo others' commits; nothing was pushed")
    );
    assert_eq!(hub.tip(), a);
}

#[rstest]
fn nothing_in_the_configuration_widens_a_push(
    #[values(Way::Library, Way::Program)] way: Way,
    #[values(By::Path, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    let clone = hub.clone();
    for (key, value) in [
        ("push.followTags", "true"),
        ("push.recurseSubmodules", "on-demand"),
        ("push.pushOption", "ci.skip"),
        ("push.gpgSign", "true"),
        ("push.default", "matching"),
        ("remote.origin.mirror", "true"),
        ("remote.origin.push", "+refs/heads/*:refs/heads/*"),
    ] {
        clone.git(&["config", key, value]);
    }
    clone.git(&["branch", "side"]);
    let remote = remote_of(&clone, way);
    let base = hub.tip();
    let a = child(&remote, &base, "a");
    clone.git(&["tag", "-a", "-m", "t", "v1", a.as_str()]);
    for kind in [PushKind::Turn, PushKind::Work] {
        assert_eq!(remote.push(&a, Some(&base), kind).unwrap(), Pushed::Accepted);
    }
    assert_eq!(hub.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
}

#[rstest]
fn hooks_run_for_work_and_not_for_turns(
    #[values(Way::Library, Way::Program)] way: Way,
    #[values(By::Path, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    let clone = hub.clone();
    write_hook(&clone.root.join(".git/hooks/pre-push"), "echo 'the tests fail' >&2; exit 3");
    let remote = remote_of(&clone, way);
    let base = hub.tip();
    let a = child(&remote, &base, "a");
    let (kind, text) = refused(remote.push(&a, Some(&base), PushKind::Work).unwrap());
    assert_eq!(kind, RefusalKind::Hook);
    assert_eq!(
        text,
        "the hook `pre-push` refused the push to `main` of the remote `origin`; put right what it names, or the hook:\n        the tests fail"
    );
    assert_eq!(hub.tip(), base);
    assert_eq!(remote.push(&a, Some(&base), PushKind::Turn).unwrap(), Pushed::Accepted);
}

#[rstest]
fn hooks_of_the_server_run_and_refuse_in_their_own_words(
    #[values(Way::Library, Way::Program)] way: Way,
    #[values(By::Path, By::File, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    hub.hook("pre-receive", "echo 'nothing on Fridays'; exit 1");
    let clone = hub.clone();
    let remote = remote_of(&clone, way);
    let base = hub.tip();
    let a = child(&remote, &base, "a");
    let (kind, text) = refused(remote.push(&a, Some(&base), PushKind::Turn).unwrap());
    assert_eq!(kind, RefusalKind::Declined);
    assert_eq!(
        text,
        format!(
            "the remote `origin` ({}) does not take this push to `main` (pre-receive hook declined); put right what it names, or have its owner allow it:\n        remote: nothing on Fridays",
            hub.url
        )
    );
    assert_eq!(hub.tip(), base);
}

#[test]
fn without_git_a_directory_with_hooks_is_not_pushed_to() {
    let hub = Hub::new(By::Path);
    hub.hook("post-receive", "true");
    let clone = hub.clone();
    let remote = remote_of(&clone, Way::LibraryAlone);
    let base = hub.tip();
    let a = child(&remote, &base, "a");
    let (kind, text) = refused(remote.push(&a, Some(&base), PushKind::Turn).unwrap());
    assert_eq!(kind, RefusalKind::Declined);
    assert_eq!(
        text,
        format!(
            "the remote `origin` ({}) does not take this push to `main` (the hook `post-receive` is there, and no git is installed here to run it); put right what it names, or have its owner allow it: it said nothing more",
            hub.url
        )
    );
    assert_eq!(hub.tip(), base);
}

#[rstest]
fn a_branch_that_is_checked_out_there_is_not_pushed_to(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let hub = Hub::new(By::Path);
    let clone = hub.clone();
    clone.git(&["remote", "set-url", "origin", &hub.first.root.display().to_string()]);
    let remote = remote_of(&clone, way);
    let base = hub.tip();
    let a = child(&remote, &base, "a");
    let (kind, text) = refused(remote.push(&a, Some(&base), PushKind::Turn).unwrap());
    assert_eq!(kind, RefusalKind::Declined);
    assert!(text.contains("(branch is currently checked out)"), "{text}");
}

#[rstest]
fn a_lock_that_was_left_on_the_server_is_told_from_a_lost_race(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    std::fs::write(hub.bare.join("refs/heads/main.lock"), "").unwrap();
    let clone = hub.clone();
    let remote = remote_of(&clone, way);
    let base = hub.tip();
    let a = child(&remote, &base, "a");
    let (kind, text) = refused(remote.push(&a, Some(&base), PushKind::Turn).unwrap());
    assert_eq!(kind, RefusalKind::Busy, "{text}");
    assert!(text.contains("could not move `main`"), "{text}");
    assert_eq!(hub.tip(), base);
}

/// The server is killed when the branch has moved and before it says so.
#[rstest]
fn an_answer_that_is_lost_is_an_error_and_a_look_finds_the_commit(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::File, By::Git)] by: By,
) {
    if way == Way::LibraryAlone && by != By::Git {
        return; // Nothing stands between: the lock is held until it has moved.
    }
    let hub = Hub::new(by);
    let clone = hub.clone();
    let remote = remote_of(&clone, way);
    let base = hub.tip();
    let a = child(&remote, &base, "a");
    hub.hook("reference-transaction", "[ \"$1\" = committed ] && kill -9 $PPID; exit 0");
    let error = remote.push(&a, Some(&base), PushKind::Turn).unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(remote.look().unwrap(), Some(a.clone()));
    assert_eq!(remote.push(&a, Some(&base), PushKind::Turn).unwrap(), Pushed::Accepted);
}

/// The server is killed before the branch has moved.
#[rstest]
fn a_push_that_broke_off_is_an_error_and_can_be_repeated(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let hub = Hub::new(By::Git);
    let clone = hub.clone();
    let remote = remote_of(&clone, way);
    let base = hub.tip();
    let a = child(&remote, &base, "a");
    hub.hook("update", "kill -9 $PPID");
    let error = remote.push(&a, Some(&base), PushKind::Turn).unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(remote.look().unwrap(), Some(base.clone()));
    std::fs::remove_file(hub.bare.join("hooks/update")).unwrap();
    assert_eq!(remote.push(&a, Some(&base), PushKind::Turn).unwrap(), Pushed::Accepted);
    assert_eq!(hub.tip(), a);
}

#[rstest]
fn whether_one_may_push_is_told_without_pushing(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
    #[values(By::Path, By::File, By::Git)] by: By,
) {
    let hub = Hub::new(by);
    let clone = hub.clone();
    let remote = remote_of(&clone, way);
    remote.check_push().unwrap();
    assert_eq!(hub.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
}
