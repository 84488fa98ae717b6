//! Commits and the index, over both ways to work with git.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rstest::rstest;

use super::*;
use crate::publish::{DirtyRecord, LeftReason, RefusedReason};
use crate::repo::backend::Versions;
use crate::repo::testing::{TestRepo, Way, commit, paths, plans, publish, select, try_publish, turn};

#[rstest]
fn additions_changes_deletions_and_renames_are_committed_and_status_is_clean(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("a/deep/one", "1"), ("gone", "g"), ("old", "moved"), ("keep", "k")]);
    let repo = test.open_as(way);
    let before = repo.dirty().unwrap();
    test.write("a/deep/one", "changed");
    test.write("a/deep/er/two", "2");
    test.remove("gone");
    test.remove("old");
    test.write("new", "moved");
    let (_, committed) = publish(&repo, &before);
    assert_eq!(committed.index, IndexRefresh::Done { superseded: Vec::new() });
    assert_eq!(test.status(), "");
    assert_eq!(
        test.git(&["log", "-1", "--format=%B", "--no-renames", "--name-status"]),
        "RALPH AUTO (prompt=main.md) (iter=00003): work\n\n\
         A a/deep/er/two\nM a/deep/one\nD gone\nR old -> new\n\n\
         Baton-Turn: 01JD5F3Z8K0000000000000000\n\n\n\
         A\ta/deep/er/two\nM\ta/deep/one\nD\tgone\nA\tnew\nD\told\n"
    );
    test.assert_sound();
}

#[rstest]
fn each_category_is_a_commit_of_its_own(#[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way) {
    let test = TestRepo::with(&[("lib.rs", "1")]);
    let repo = test.open_as(way);
    let before = repo.dirty().unwrap();
    test.write("lib.rs", "2");
    test.write("docs/fix_plan.md", "- [x] it\n");
    let (_, committed) = publish(&repo, &before);
    assert_eq!(committed.commits.len(), 2);
    assert_eq!(
        test.git(&["log", "--format=%s", "--name-only", "--reverse", "HEAD~2.."]),
        "RALPH AUTO (prompt=main.md) (iter=00003): doc/meta hygiene\n\ndocs/fix_plan.md\n\
         RALPH AUTO (prompt=main.md) (iter=00003): work\n\nlib.rs\n"
    );
    assert_eq!(test.git(&["reflog", "-1", "--format=%gs"]), "baton: 2 commits\n");
    test.assert_sound();
}

#[rstest]
fn what_the_user_staged_stays_staged_and_is_not_committed(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("lib.rs", "1"), ("both", "0"), ("dirty", "0")]);
    test.write("staged", "secret plan");
    test.write("both", "staged");
    test.git(&["add", "staged", "both"]);
    test.write("both", "and more");
    test.write("dirty", "half done");
    let was = test.status();
    assert_eq!(was, "MM both\n M dirty\nA  staged\n");
    let repo = test.open_as(way);
    let before = repo.dirty().unwrap();
    test.write("lib.rs", "2");
    let (selection, _) = publish(&repo, &before);
    assert_eq!(paths(&selection), ["lib.rs"]);
    assert_eq!(selection.left.len(), 3);
    assert!(selection.left.values().all(|reason| *reason == LeftReason::DirtyBefore));
    assert_eq!(test.status(), was);
    assert_eq!(test.git(&["show", "--format=", "--name-only", "HEAD"]), "lib.rs\n");
    assert_eq!(test.git(&["show", ":both"]), "staged");
}

#[rstest]
#[case::changed_again("dirty", Some("more"))]
#[case::reverted("dirty", Some("0"))]
#[case::deleted("dirty", None)]
#[case::staged_then_changed("staged", Some("more"))]
fn a_path_that_was_dirty_and_changed_stops_the_turn(
    #[values(Way::Library, Way::Program)] way: Way,
    #[case] path: &str,
    #[case] text: Option<&str>,
) {
    let test = TestRepo::with(&[("dirty", "0")]);
    test.write("dirty", "half done");
    test.write("staged", "s");
    test.git(&["add", "staged"]);
    let repo = test.open_as(way);
    let before = repo.dirty().unwrap();
    match text {
        Some(text) => test.write(path, text),
        None => test.remove(path),
    }
    let now = repo.dirty_since(&before).unwrap();
    let selection = crate::publish::decide_selection(
        &before,
        &now,
        crate::model::Actor::Ralph,
        &crate::repo::testing::rules(),
    );
    let refused: Vec<_> = selection.refused.into_iter().collect();
    assert_eq!(refused, [(path.into(), RefusedReason::ChangedWhileDirty)]);
}

#[rstest]
fn modes_and_links_are_committed_as_they_are(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("run.sh", "#!/bin/sh\n"), ("file", "f"), ("dir/a", "a")]);
    let repo = test.open_as(way);
    let before = repo.dirty().unwrap();
    std::fs::set_permissions(test.root.join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("nowhere/at all", test.root.join("dangling")).unwrap();
    test.remove("file");
    symlink("run.sh", test.root.join("file")).unwrap();
    std::fs::create_dir(test.root.join("elsewhere")).unwrap();
    test.write("elsewhere/a", "a");
    std::fs::remove_dir_all(test.root.join("dir")).unwrap();
    symlink("elsewhere", test.root.join("dir")).unwrap();
    let (_, committed) = publish(&repo, &before);
    assert_eq!(committed.index, IndexRefresh::Done { superseded: Vec::new() });
    assert_eq!(test.status(), "");
    let tree = test.git(&["ls-tree", "-r", "--format=%(objectmode) %(path)", "HEAD"]);
    assert_eq!(tree, "120000 dangling\n120000 dir\n100644 elsewhere/a\n120000 file\n100755 run.sh\n");
    test.assert_sound();
}

#[rstest]
fn files_and_directories_may_change_places(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("plain", "p"), ("dir/x", "x"), ("dir/y.md", "y")]);
    let repo = test.open_as(way);
    let before = repo.dirty().unwrap();
    test.remove("plain");
    test.write("plain/inside", "i");
    std::fs::remove_dir_all(test.root.join("dir")).unwrap();
    test.write("dir", "now a file");
    let (_, committed) = publish(&repo, &before);
    assert_eq!(committed.index, IndexRefresh::Done { superseded: Vec::new() });
    assert_eq!(test.status(), "");
    assert_eq!(test.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "dir\nplain/inside\n");
    test.assert_sound();
}

#[rstest]
fn names_may_be_any_bytes(#[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way) {
    let test = TestRepo::with(&[("x", "x")]);
    let repo = test.open_as(way);
    let before = repo.dirty().unwrap();
    let names: [&[u8]; 6] = [b"two\nlines", b"\xff\xfe", b" lead", b"quo\"te", b"d\xc3/\xa9", b"-rf"];
    for name in names {
        let path = test.root.join(std::ffi::OsStr::from_bytes(name));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    let (selection, _) = publish(&repo, &before);
    assert_eq!(selection.batches[0].paths.len(), names.len());
    assert_eq!(test.status(), "");
    assert_eq!(test.run(&["ls-tree", "-rz", "--name-only", "HEAD"]).stdout.split(|b| *b == 0).count(), 8);
    test.assert_sound();
}

#[rstest]
fn a_workspace_below_the_root_commits_only_what_is_its_own(#[values(Way::Library, Way::Program)] way: Way) {
    let test = TestRepo::with(&[("other/a", "1"), ("work/b", "1"), ("work/sync/x", "1")]);
    let repo = test.try_open_as(way, &test.root.join("work")).unwrap();
    assert_eq!(*repo.prefix(), "work".into());
    let before = repo.dirty().unwrap();
    test.write("other/a", "2");
    test.write("work/b", "2");
    test.write("work/docs/fix_plan.md", "plan");
    test.write("work/logs/l", "log");
    let (selection, committed) = publish(&repo, &before);
    assert_eq!(paths(&selection), ["work/docs/fix_plan.md", "work/b"]);
    assert_eq!(committed.commits.len(), 2);
    assert_eq!(selection.left[&"other/a".into()], LeftReason::OutsideWorkspace);
    assert_eq!(selection.left[&"work/logs/l".into()], LeftReason::Logs);
    assert_eq!(test.status(), " M other/a\n?? work/logs/\n");
    test.write("work/sync/x", "2");
    let (selection, _) = try_publish(&repo, &before);
    assert_eq!(selection.refused[&"work/sync/x".into()], RefusedReason::Protected);
}

#[rstest]
fn line_endings_are_converted_as_git_does(#[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way) {
    let test =
        TestRepo::with(&[(".gitattributes", "*.txt text eol=crlf\n*.bin -text\n"), ("a.txt", "1\r\n")]);
    let repo = test.open_as(way);
    let before = repo.dirty().unwrap();
    assert!(before.is_empty());
    test.write("a.txt", "1\r\n2\r\n");
    test.write("b.txt", "b\r\n");
    test.write("c.bin", "c\r\n");
    let objects = test.git(&["count-objects"]);
    repo.dirty().unwrap();
    assert_eq!(test.git(&["count-objects"]), objects);
    let _ = publish(&repo, &before);
    assert_eq!(test.status(), "");
    assert_eq!(test.git(&["show", "HEAD:a.txt"]), "1\n2\n");
    assert_eq!(test.git(&["show", "HEAD:b.txt"]), "b\n");
    assert_eq!(test.git(&["show", "HEAD:c.bin"]), "c\r\n");
}

#[rstest]
fn autocrlf_is_applied_from_the_configuration(#[values(Way::Library, Way::Program)] way: Way) {
    let test = TestRepo::with(&[("a", "1\n")]);
    test.git(&["config", "core.autocrlf", "input"]);
    let repo = test.open_as(way);
    test.write("b", "b\r\n");
    let _ = publish(&repo, &DirtyRecord::default());
    assert_eq!(test.git(&["show", "HEAD:b"]), "b\n");
    assert_eq!(test.status(), "");
}

#[test]
fn a_file_that_needs_a_filter_is_left_alone_and_said_so() {
    let test = TestRepo::with(&[(".gitattributes", "*.big filter=lfs\n")]);
    let repo = test.open();
    test.write("model.big", "weights");
    let (selection, _) = publish(&repo, &DirtyRecord::default());
    let reason = &selection.left[&"model.big".into()];
    assert_eq!(*reason, LeftReason::Filter("lfs".into()));
    assert_eq!(reason.to_string(), "it needs the git filter `lfs`, which would not be applied");
}

#[rstest]
fn a_path_that_changes_after_the_selection_stops_everything(#[values(Way::Library, Way::Program)] way: Way) {
    let test = TestRepo::with(&[("a", "1"), ("b", "1"), ("c", "1")]);
    let repo = test.open_as(way);
    for path in ["a", "b"] {
        test.write(path, "2");
    }
    test.remove("c");
    let now = repo.dirty().unwrap();
    let selection = crate::publish::decide_selection(
        &DirtyRecord::default(),
        &now,
        crate::model::Actor::Ralph,
        &crate::repo::testing::rules(),
    );
    let head = repo.head().unwrap();
    for (path, text) in [("b", "3"), ("c", "back")] {
        test.write(path, text);
        let error = commit(&repo, &selection).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{path}` changed while it was being committed; nothing was committed, and the work tree is as it was"
            )
        );
        assert_eq!(repo.head().unwrap(), head);
        test.write("b", "2");
    }
}

#[rstest]
fn a_branch_that_moved_since_the_selection_is_not_overwritten(
    #[values(Way::Library, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("a", "1")]);
    let repo = test.open_as(way);
    test.write("a", "2");
    let (head, identity) = (repo.head().unwrap(), repo.identity().unwrap());
    let selection = crate::publish::decide_selection(
        &DirtyRecord::default(),
        &repo.dirty().unwrap(),
        crate::model::Actor::Ralph,
        &crate::repo::testing::rules(),
    );
    test.git(&["commit", "-q", "--allow-empty", "-m", "theirs"]);
    let order = CommitOrder { head: &head, plans: &plans(&selection), identity: &identity };
    let error = repo.commit(order).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the branch `main` moved from {} while its next commit was made; nothing was committed, and the work tree is as it was",
            head.commit
        )
    );
    assert_eq!(test.git(&["log", "-1", "--format=%s"]), "theirs\n");
}

#[rstest]
fn a_locked_branch_is_reported_and_its_lock_kept(#[values(Way::Library, Way::Program)] way: Way) {
    let test = TestRepo::with(&[("a", "1")]);
    let repo = test.open_as(way);
    test.write("a", "2");
    let lock = test.root.join(".git/refs/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let error = try_publish(&repo, &DirtyRecord::default()).1.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` exists: another git is at work there, or was killed; if no git is running in this repository, remove the file and start again",
            lock.display()
        )
    );
    assert!(lock.exists());
}

#[rstest]
fn an_index_that_stays_locked_leaves_the_commit_and_can_be_refreshed_later(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("a", "1"), ("gone", "1"), ("user", "1")]);
    let repo = test.open_as(way);
    let base = repo.head().unwrap().commit;
    test.write("a", "2");
    test.write("new", "n");
    test.remove("gone");
    let lock = test.root.join(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    let (_, committed) = publish(&repo, &DirtyRecord::default());
    assert!(matches!(&committed.index, IndexRefresh::Failed { reason } if reason.contains("index.lock")));
    assert!(lock.exists());
    std::fs::remove_file(&lock).unwrap();
    // What a restart does, after the user has staged and edited in the meantime.
    test.write("user", "2");
    test.git(&["add", "user"]);
    test.write("new", "edited later");
    let repo = test.open_as(way);
    let ours = repo.find_commits(&base, turn()).unwrap();
    assert_eq!(ours.len(), 1);
    assert_eq!(repo.refresh_index_after(&ours).unwrap(), IndexRefresh::Done { superseded: Vec::new() });
    assert_eq!(test.status(), " M new\nM  user\n");
    assert_eq!(repo.refresh_index_after(&ours).unwrap(), IndexRefresh::Done { superseded: Vec::new() });
    assert_eq!(test.status(), " M new\nM  user\n");
}

#[rstest]
fn a_restart_recognises_the_commits_of_its_turn_and_no_others(
    #[values(Way::Library, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("a", "1")]);
    let repo = test.open_as(way);
    let base = repo.head().unwrap().commit;
    assert_eq!(repo.find_commits(&base, turn()).unwrap(), []);
    test.git(&["commit", "-q", "--allow-empty", "-m", "the agent's own"]);
    test.write("a", "2");
    test.write("input.md", "2");
    let (_, committed) = publish(&repo, &DirtyRecord::default());
    let found = repo.find_commits(&base, turn()).unwrap();
    let ids: Vec<_> = found.iter().map(|commit| commit.id.clone()).collect();
    let made: Vec<_> = committed.commits.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(ids, made);
    assert_eq!(repo.commits_since(&base).unwrap().len(), 3);
    let other = "01JD5F3Z8K0000000000000001".parse().unwrap();
    assert_eq!(repo.find_commits(&base, other).unwrap(), []);
}

#[rstest]
fn a_version_staged_during_the_turn_gives_way_and_is_named(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("a", "1")]);
    let repo = test.open_as(way);
    test.write("a", "2");
    test.git(&["add", "a"]);
    let staged: ObjectId = test.git(&["rev-parse", ":a"]).trim().parse().unwrap();
    test.write("a", "3");
    let (_, committed) = publish(&repo, &DirtyRecord::default());
    let IndexRefresh::Done { superseded } = committed.index else { panic!("not refreshed") };
    assert_eq!(superseded.len(), 1);
    assert_eq!((&superseded[0].path, &superseded[0].staged), (&"a".into(), &staged));
    assert_eq!(test.git(&["cat-file", "-p", staged.as_str()]), "2");
    assert_eq!(test.status(), "");
}

/// As by a `git stash pop` of somebody's, after the work tree was looked at.
#[rstest]
#[case::of_a_changed_file("a")]
#[case::of_a_new_file("new")]
fn a_conflict_that_came_up_meanwhile_stays_whole(
    #[case] path: &str,
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("a", "1"), ("b", "1")]);
    let repo = test.open_as(way);
    test.write(path, "2");
    test.write("b", "2");
    let selection = select(&repo, &DirtyRecord::default());
    test.put_conflict(path, test.git(&["rev-parse", ":a"]).trim());
    let unmerged = test.git(&["ls-files", "--stage", path]);
    assert_eq!(unmerged.lines().count(), 3);
    let committed = commit(&repo, &selection).unwrap();
    assert_eq!(committed.index, IndexRefresh::Done { superseded: Vec::new() });
    assert_eq!(test.git(&["ls-files", "--stage", path]), unmerged);
    assert_eq!(test.git(&["show", &format!("HEAD:{path}")]), "2");
    assert_eq!(test.git(&["diff", "--cached", "--name-only", "--diff-filter=u"]), "");
}

#[rstest]
fn a_concurrent_git_add_loses_nothing(#[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way) {
    let test = TestRepo::with(&[("ours/a", "0")]);
    let names: Vec<String> = (0..600).map(|n| format!("theirs-{n}")).collect();
    for name in &names {
        test.write(name, "t");
    }
    let repo = test.open_patient(way);
    let before = repo.dirty().unwrap();
    let enough = Arc::new(AtomicBool::new(false));
    let adding = test.spawn_adds(&names, 11, &enough);
    let mut turns = 0;
    while !adding.is_finished() {
        turns += 1;
        enough.store(turns > 3, Ordering::Relaxed);
        test.write("ours/a", &turns.to_string());
        let (_, committed) = publish(&repo, &before);
        assert_eq!(committed.index, IndexRefresh::Done { superseded: Vec::new() });
    }
    let added = adding.join().unwrap();
    assert!(turns > 3 && added.len() > 10, "{turns} turns, {} adds", added.len());
    let status = test.status();
    for name in &added {
        assert!(status.contains(&format!("A  {name}\n")), "{name} is lost");
    }
    assert!(!status.contains("ours"));
    assert_eq!(test.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "ours/a\n");
    test.assert_sound();
}

#[rstest]
fn a_linked_work_tree_commits_on_its_own_branch(#[values(Way::Library, Way::Program)] way: Way) {
    let test = TestRepo::with(&[("a", "1")]);
    test.git(&["worktree", "add", "-q", "-b", "side", "../side"]);
    let root = test.root.with_file_name("side");
    let repo = test.try_open_as(way, &root).unwrap();
    assert_ne!(repo.git_dir(), repo.common_dir());
    std::fs::write(root.join("a"), "2").unwrap();
    let _ = publish(&repo, &DirtyRecord::default());
    let status = test.run_in(&root, &["status", "--porcelain", "-b"]).stdout;
    assert_eq!(String::from_utf8_lossy(&status), "## side\n");
    assert_eq!(test.git(&["log", "--format=%s", "main"]), "first\n");
    assert_eq!(test.status(), "");
}

#[rstest]
fn nothing_to_commit_moves_nothing(#[values(Way::Library, Way::Program)] way: Way) {
    let test = TestRepo::with(&[("a", "1")]);
    let repo = test.open_as(way);
    let (_, committed) = publish(&repo, &DirtyRecord::default());
    assert_eq!(committed.commits, []);
    assert_eq!(test.git(&["rev-list", "--count", "HEAD"]), "1\n");
}

/// A hook of the repository.
fn write_hook(test: &TestRepo, name: &str, script: &str) {
    let path = format!(".git/hooks/{name}");
    test.write(&path, &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(test.root.join(path), PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn a_version_that_only_a_hook_knows_is_committed_and_the_work_tree_keeps_its_own() {
    let test = TestRepo::with(&[("a", "1"), ("b", "1"), ("gone", "1")]);
    let stage = "id=$(echo hooked | git hash-object -w --stdin); git update-index --cacheinfo 100644,$id,a";
    write_hook(&test, "pre-commit", &format!("{stage}; git update-index --force-remove b; git add --all"));
    let repo = test.open_as(Way::Program);
    test.write("other", "a person's");
    let before = repo.dirty().unwrap();
    test.write("a", "2");
    test.remove("gone");
    write_hook(&test, "pre-commit", &format!("git add --all; {stage}; git update-index --force-remove b"));
    let (_, committed) = publish(&repo, &before);
    assert_eq!(committed.restaged, ["a".into()]);
    assert_eq!(test.git(&["show", "HEAD:a"]), "hooked\n");
    assert_eq!(test.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "a\nb\n");
    assert_eq!(test.status(), " M a\n?? other\n");
    test.assert_sound();
}

#[test]
fn hooks_of_other_commits_than_ours_are_not_run() {
    let test = TestRepo::with(&[("a", "1")]);
    write_hook(&test, "post-index-change", "echo ran >> ../index-hook");
    let repo = test.open_as(Way::Program);
    test.write("a", "2");
    let _ = publish(&repo, &DirtyRecord::default());
    assert!(!test.root.join("../index-hook").exists());
    write_hook(&test, "reference-transaction", "echo no >&2; exit 1");
    test.write("a", "3");
    let error = try_publish(&repo, &DirtyRecord::default()).1.unwrap_err().to_string();
    assert!(error.starts_with("git failed to move the branch in "), "{error}");
    assert!(error.contains("ref updates aborted by hook"), "{error}");
    assert_eq!(test.git(&["show", "HEAD:a"]), "2");
}

#[rstest]
fn a_change_that_times_do_not_tell_is_seen_after_the_index_was_written(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("racy", "1"), ("work", "1")]);
    let moment = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let at_that_moment = |path: &str| {
        std::fs::File::options()
            .write(true)
            .open(test.root.join(path))
            .unwrap()
            .set_modified(moment)
            .unwrap();
    };
    // Everything that would tell but the index's own time.
    test.git(&["config", "core.trustctime", "false"]);
    at_that_moment("racy");
    test.git(&["add", "racy"]);
    test.write("racy", "2");
    at_that_moment("racy");
    at_that_moment(".git/index");
    assert_eq!(test.status(), " M racy\n");
    let repo = test.open_as(way);
    let before = repo.dirty().unwrap();
    test.write("work", "2");
    let _ = publish(&repo, &before);
    assert_eq!(test.status(), " M racy\n");
}

#[test]
fn extensions_of_the_index_that_only_git_knows_stay() {
    let test = TestRepo::with(&[("work", "1")]);
    test.git(&["config", "core.untrackedCache", "true"]);
    test.git(&["update-index", "--untracked-cache"]);
    test.git(&["status"]);
    let has_cache = || {
        let index = std::fs::read(test.root.join(".git/index")).unwrap();
        index.windows(4).any(|name| name == b"UNTR")
    };
    assert!(has_cache());
    let repo = test.open_as(Way::Library);
    let before = repo.dirty().unwrap();
    test.write("work", "2");
    let _ = publish(&repo, &before);
    assert!(has_cache());
    assert_eq!(test.status(), "");
}

#[rstest]
fn a_file_that_is_saved_after_it_was_committed_shows_as_changed(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("work", "1")]);
    test.write("work", "2");
    test.git(&["commit", "-qam", "second"]);
    let blob = |name: &str| {
        let id = test.git(&["rev-parse", name]).trim().parse().unwrap();
        Some(Blob { id, mode: FileMode::Regular })
    };
    let versions = Versions { new: blob("HEAD:work"), old: blob("HEAD~1:work") };
    test.git(&["reset", "-q", "HEAD~1"]);
    test.git(&["reset", "-q", "--soft", "ORIG_HEAD"]);
    test.write("work", "3");
    let repo = test.open_as(way);
    let difference = [(RepoPath::from("work"), versions)].into();
    assert_eq!(
        repo.refresh_index(&difference, WorkTree::JustRead),
        IndexRefresh::Done { superseded: Vec::new() }
    );
    // git stages what it finds, libgit2 what was committed.
    assert_eq!(test.status(), if way == Way::Program { "M  work\n" } else { " M work\n" });
}
