#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use rstest::rstest;

use super::super::open::Library;
use super::MOST;
use crate::publish::Content;
use crate::repo::testing::{TestRepo, Way};

/// A file that was saved long before its index was written.
fn age(test: &TestRepo, path: &str) {
    let file = File::options().append(true).open(test.root.join(path)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
}

/// A repository whose index knows each of its files, and every directory's tree.
fn settled(files: &[(&str, &str)]) -> TestRepo {
    let test = TestRepo::with(files);
    for (path, _) in files {
        age(&test, path);
    }
    test.git(&["add", "--all"]);
    test.git(&["commit", "-q", "--allow-empty", "-m", "settled"]);
    test
}

fn suspects(test: &TestRepo) -> Option<Vec<String>> {
    let library = Library::open(&test.root, &test.ambient()).unwrap();
    library.look(|_, unproven, _| unproven.iter().map(ToString::to_string).collect())
}

fn known(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

const FILES: [(&str, &str); 6] =
    [("a", "1"), ("d.e/f", "1"), ("d/b", "1"), ("d/deep/c", "1"), ("d/deep/er/g", "1"), ("e", "")];

#[test]
fn nothing_is_asked_about_a_tree_as_it_was_committed() {
    let test = settled(&FILES);
    symlink("a", test.root.join("link")).unwrap();
    test.write("run", "1");
    fs::set_permissions(test.root.join("run"), Permissions::from_mode(0o755)).unwrap();
    age(&test, "run");
    test.git(&["add", "--all"]);
    test.git(&["commit", "-qm", "a link, and a program"]);
    // A link's own times cannot be set back: it may be as young as the index.
    let found = suspects(&test).unwrap();
    assert!(found.is_empty() || found == ["link"], "{found:?}");
}

#[rstest]
#[case::saved(|test: &TestRepo| test.write("d/b", "22"), &["d/b"])]
#[case::gone(|test: &TestRepo| test.remove("d/deep/c"), &["d/deep/c"])]
#[case::new(|test: &TestRepo| test.write("d/deep/new", ""), &["d/deep/new"])]
#[case::new_below(|test: &TestRepo| test.write("d/new/er/x", ""), &["d/new"])]
#[case::executable(
    |test: &TestRepo| fs::set_permissions(test.root.join("a"), Permissions::from_mode(0o755)).unwrap(),
    &["a"]
)]
#[case::staged_and_put_back(
    |test: &TestRepo| {
        test.write("d/deep/er/g", "22");
        test.git(&["add", "d/deep/er/g"]);
        test.write("d/deep/er/g", "1");
        age(test, "d/deep/er/g");
    },
    &["d/deep/er/g"]
)]
#[case::only_staged(
    |test: &TestRepo| {
        test.write("d/deep/c", "22");
        age(test, "d/deep/c");
        test.git(&["add", "d/deep/c"]);
    },
    &["d/deep/c"]
)]
#[case::a_new_directory_staged(
    |test: &TestRepo| {
        test.write("d/new/x", "22");
        age(test, "d/new/x");
        test.git(&["add", "d/new/x"]);
    },
    &["d/new"]
)]
#[case::a_directory_unstaged(
    |test: &TestRepo| { test.git(&["rm", "-rq", "--cached", "d/deep"]); },
    &["d/deep"]
)]
#[case::announced(
    |test: &TestRepo| {
        test.write("d/new", "22");
        age(test, "d/new");
        test.git(&["add", "-N", "d/new"]);
    },
    &["d/new"]
)]
#[case::told_to_look_away(|test: &TestRepo| { test.git(&["update-index", "--assume-unchanged", "a"]); }, &["a"])]
#[case::a_file_for_a_directory(
    |test: &TestRepo| {
        fs::remove_dir_all(test.root.join("d/deep")).unwrap();
        test.write("d/deep", "");
    },
    &["d/deep"]
)]
#[case::a_link_for_a_directory(
    |test: &TestRepo| {
        fs::rename(test.root.join("d.e"), test.root.join("other")).unwrap();
        symlink("other", test.root.join("d.e")).unwrap();
    },
    &["d.e", "other"]
)]
#[case::a_directory_for_a_file(
    |test: &TestRepo| {
        test.remove("a");
        test.write("a/b", "");
    },
    &["a"]
)]
#[case::names_that_mean_something_to_git(
    |test: &TestRepo| [":(exclude)a", "*", "-x", "d/?"].iter().for_each(|name| test.write(name, "")),
    &["*", "-x", ":(exclude)a", "d/?"]
)]
fn what_may_differ_is_named(#[case] change: fn(&TestRepo), #[case] expected: &[&str]) {
    let test = settled(&FILES);
    assert_eq!(suspects(&test), Some(known(&[])));
    change(&test);
    assert_eq!(suspects(&test), Some(known(expected)));
    same_as_git(&test);
}

#[test]
fn a_workspace_inside_a_repository_sees_all_of_it() {
    let test = settled(&FILES);
    test.write("a", "22");
    test.write("d/deep/new", "");
    let inside = test.root.join("d");
    let [library, program] =
        [Way::LargeLibrary, Way::Program].map(|way| test.try_open_as(way, &inside).unwrap().dirty().unwrap());
    assert_eq!(library.iter().count(), 2);
    assert_eq!(library, program);
}

#[test]
fn times_that_were_set_back_hide_nothing() {
    let test = settled(&FILES);
    test.write("d/b", "2");
    age(&test, "d/b");
    assert_eq!(suspects(&test), Some(known(&["d/b"])));
}

#[test]
fn a_file_as_young_as_the_index_is_not_believed() {
    let test = settled(&FILES);
    let index = test.root.join(".git/index");
    let saved = fs::metadata(test.root.join("d/b")).unwrap().modified().unwrap();
    let same_second = saved + Duration::from_nanos(999_999_999);
    File::options().append(true).open(&index).unwrap().set_modified(same_second).unwrap();
    assert_eq!(suspects(&test), Some(known(&["a", "d.e/f", "d/b", "d/deep/c", "d/deep/er/g", "e"])));
    let after = saved + Duration::from_secs(1);
    File::options().append(true).open(&index).unwrap().set_modified(after).unwrap();
    assert_eq!(suspects(&test), Some(known(&[])));
}

#[test]
fn one_tree_that_was_staged_into_does_not_make_the_others_unknown() {
    let test = settled(&FILES);
    test.write("d/deep/c", "22");
    age(&test, "d/deep/c");
    test.git(&["update-index", "d/deep/c"]);
    let tree = test.git(&["write-tree"]);
    let commit = test.git(&["commit-tree", "-p", "HEAD", "-m", "as staged", tree.trim()]);
    test.git(&["update-ref", "HEAD", commit.trim()]);
    assert_eq!(suspects(&test), Some(known(&[])));
}

#[rstest]
#[case::no_commit(|test: &TestRepo| { test.git(&["update-ref", "-d", "HEAD"]); })]
#[case::another_version(|test: &TestRepo| { test.git(&["update-index", "--index-version", "4"]); })]
#[case::no_trees(|test: &TestRepo| {
    test.remove(".git/index");
    test.git(&["update-index", "--add", "a"]);
})]
#[case::no_index(|test: &TestRepo| test.remove(".git/index"))]
#[case::a_part_elsewhere(|test: &TestRepo| { test.git(&["update-index", "--split-index"]); })]
#[case::a_repository_inside(|test: &TestRepo| { test.git(&["init", "-q", "d"]); })]
#[case::very_many(|test: &TestRepo| (0..=MOST).for_each(|n| test.write(&format!("d/{n}"), "")))]
fn what_is_out_of_the_ordinary_is_left_to_git(#[case] change: fn(&TestRepo)) {
    let test = settled(&FILES);
    change(&test);
    assert_eq!(suspects(&test), None);
}

/// libgit2 does not read the index at each look, and asks its copy where the work tree has no attributes file.
#[test]
fn attributes_that_only_the_index_has_are_those_of_now() {
    let test = settled(&[(".gitattributes", "*.txt text\n"), ("a.txt", "1\n")]);
    test.remove(".gitattributes");
    test.write("a.txt", "1\r\n2\r\n");
    let repo = test.open_as(Way::LargeLibrary);
    let stored = || {
        let record = repo.dirty().unwrap();
        let Content::File(blob) = &record.get(&"a.txt".into()).unwrap().content else { panic!("no file") };
        blob.id.to_string()
    };
    let as_it_is = test.git(&["hash-object", "--no-filters", "a.txt"]);
    assert_ne!(stored(), as_it_is.trim());
    test.git(&["rm", "-q", "--cached", ".gitattributes"]);
    assert_eq!(stored(), as_it_is.trim());
}

#[test]
fn a_broken_index_is_no_answer() {
    let test = settled(&FILES);
    let index = test.root.join(".git/index");
    let whole = fs::read(&index).unwrap();
    for length in 0..whole.len() {
        fs::write(&index, &whole[..length]).unwrap();
        assert_eq!(suspects(&test), None, "{length}");
    }
}

/// What is known of paths that are not provably as in HEAD: those that differ, and those that git is asked about.
fn settled_suspects(test: &TestRepo) -> (Vec<String>, Vec<String>) {
    let library = Library::open(&test.root, &test.ambient()).unwrap();
    let found = library.suspects().unwrap();
    (
        found.changed.keys().map(ToString::to_string).collect(),
        found.unclear.iter().map(ToString::to_string).collect(),
    )
}

#[rstest]
#[case::saved(|test: &TestRepo| test.write("d/b", "22"), &["d/b"], &[])]
#[case::saved_in_the_same_size(|test: &TestRepo| test.write("d/b", "2"), &["d/b"], &[])]
#[case::saved_as_it_was(|test: &TestRepo| test.write("d/b", "1"), &[], &[])]
#[case::touched_among_others(
    |test: &TestRepo| {
        test.write("a", "1");
        test.write("d/b", "2");
        test.write("new", "");
    },
    &["d/b"],
    &["new"]
)]
#[case::executable(
    |test: &TestRepo| fs::set_permissions(test.root.join("a"), Permissions::from_mode(0o755)).unwrap(),
    &[],
    &["a"]
)]
#[case::gone(|test: &TestRepo| test.remove("d/b"), &[], &["d/b"])]
#[case::a_link(
    |test: &TestRepo| {
        test.remove("d/b");
        symlink("../a", test.root.join("d/b")).unwrap();
    },
    &[],
    &["d/b"]
)]
#[case::staged(
    |test: &TestRepo| {
        test.write("d/b", "22");
        test.git(&["add", "d/b"]);
        test.write("d/b", "1");
    },
    &[],
    &["d/b"]
)]
#[case::line_ends(
    |test: &TestRepo| {
        test.write(".gitattributes", "* text=auto\n");
        test.write("d/b", "1\r\n");
    },
    &[],
    &[".gitattributes", "d/b"]
)]
#[case::told_to_look_away(
    |test: &TestRepo| {
        test.git(&["update-index", "--assume-unchanged", "d/b"]);
        test.write("d/b", "2");
    },
    &[],
    &["d/b"]
)]
fn a_plain_file_is_compared_here_and_all_else_is_asked(
    #[case] change: fn(&TestRepo),
    #[case] changed: &[&str],
    #[case] unclear: &[&str],
) {
    let test = settled(&FILES);
    change(&test);
    assert_eq!(settled_suspects(&test), (known(changed), known(unclear)));
    same_as_git(&test);
}

#[test]
fn a_look_at_plain_files_starts_no_git() {
    let mut test = settled(&FILES);
    test.write("a", "2");
    test.write("d/b", "1");
    let bin = test.root.join("../bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("git"), "#!/bin/sh\necho ran >> \"${0%/*}/ran\"\nexit 1\n").unwrap();
    fs::set_permissions(bin.join("git"), Permissions::from_mode(0o755)).unwrap();
    let path = test.ambient().env()[OsStr::new("PATH")].clone().into_string().unwrap();
    test.set_env("PATH", &format!("{}:{path}", bin.display()));
    let repo = test.open_as(Way::LargeLibrary);
    let started = || fs::remove_file(bin.join("ran")).is_ok();
    started();
    let looked = |repo: &crate::repo::Repo| {
        repo.dirty().unwrap().iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((looked(&repo), started()), (known(&["a"]), false));
    test.write("new", "");
    assert_eq!((looked(&repo), started()), (known(&["a", "new"]), true));
}

/// The library asks git about less than everything, and sees the same.
fn same_as_git(test: &TestRepo) {
    let [library, program] = [Way::LargeLibrary, Way::Program].map(|way| test.open_as(way).dirty().unwrap());
    assert_eq!(library, program);
}

/// What somebody does in a work tree, to one of a few paths.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Write(usize, String),
    Remove(usize),
    RemoveDirectory(usize),
    Stage(usize),
    Unstage(usize),
    Commit,
}

const PLACES: [&str; 8] = ["a", "a/x", "d/b", "d/b.c/y", "d/b/z", "d/deep/er/g", "ignored/i", "sub.o"];

pub(super) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let place = 0..PLACES.len();
    let act = prop_oneof![
        4 => (place.clone(), "[12]{0,2}").prop_map(|(at, text)| Act::Write(at, text)),
        1 => place.clone().prop_map(Act::Remove),
        1 => place.clone().prop_map(Act::RemoveDirectory),
        2 => place.clone().prop_map(Act::Stage),
        1 => place.prop_map(Act::Unstage),
        1 => Just(Act::Commit),
    ];
    proptest::collection::vec(act, 1..12)
}

pub(super) fn perform(test: &TestRepo, act: &Act) {
    // Where it cannot be done, nothing is done.
    match act {
        Act::Write(place, content) => {
            let path = test.root.join(PLACES[*place]);
            if fs::create_dir_all(path.parent().unwrap()).is_ok() {
                let _ = fs::write(path, content);
            }
        }
        Act::Remove(place) => drop(fs::remove_file(test.root.join(PLACES[*place]))),
        Act::RemoveDirectory(place) => {
            let parent = test.root.join(PLACES[*place]).parent().unwrap().to_owned();
            if parent != test.root {
                let _ = fs::remove_dir_all(parent);
            }
        }
        Act::Stage(place) => drop(test.run(&["add", "--", PLACES[*place]])),
        Act::Unstage(place) => drop(test.run(&["rm", "-q", "--cached", "--", PLACES[*place]])),
        Act::Commit => drop(test.run(&["commit", "-qm", "more"])),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_both_see_the_same(before in acts(), after in acts()) {
        let test = settled(&[(".gitignore", "ignored/\n*.o\n"), ("d/b", "1"), ("d/deep/er/g", "1")]);
        for one in &before {
            perform(&test, one);
        }
        drop(test.run(&["add", "--all"]));
        drop(test.run(&["commit", "-qm", "before"]));
        for one in &after {
            perform(&test, one);
        }
        same_as_git(&test);
    }
}
