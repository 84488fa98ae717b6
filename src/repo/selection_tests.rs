//! Turns from scan to commit, in real repositories, by all four categories: odd paths one by one, and random ones.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;

use super::open::Repo;
use super::testing::{TestRepo, commit};
use crate::model::{Actor, ByteSize};
use crate::publish::{DirtyRecord, RepoPath, RuleSpec, Rules, Selection, decide_selection};

fn rules() -> Rules {
    let mut spec = RuleSpec::default();
    spec.work.exclude = vec!["vendor/**".into()];
    spec.reports.max_file = ByteSize(40);
    spec.reports.max_total = ByteSize(60);
    Rules::compile(spec).unwrap()
}

fn select(repo: &Repo, before: &DirtyRecord, actor: Actor) -> Selection {
    decide_selection(before, &repo.dirty_since(before).unwrap(), actor, &rules())
}

/// One turn of ralph's; what it did, in words.
fn turn(test: &TestRepo, change: impl FnOnce()) -> Vec<String> {
    let repo = test.open();
    let before = repo.dirty().unwrap();
    change();
    let selection = select(&repo, &before, Actor::Ralph);
    assert!(selection.refused.is_empty(), "{selection:?}");
    let _ = commit(&repo, &selection).unwrap();
    test.assert_sound();
    words(&selection)
}

fn words(selection: &Selection) -> Vec<String> {
    let committed = selection
        .batches
        .iter()
        .map(|batch| format!("{}: {}", batch.category, crate::publish::list_files(&batch.paths).join(", ")));
    committed.chain(selection.left.iter().map(|(path, reason)| format!("{path}: {reason}"))).collect()
}

fn with_submodule() -> (TestRepo, TestRepo) {
    let inner = TestRepo::with(&[("i", "1")]);
    let test = TestRepo::with(&[("a", "1")]);
    add_submodule(&test, &inner, "sub");
    test.git(&["commit", "-qm", "with a submodule"]);
    (test, inner)
}

fn add_submodule(test: &TestRepo, inner: &TestRepo, place: &str) {
    let url = inner.root.to_str().unwrap();
    test.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, place]);
}

fn head_entry(test: &TestRepo, path: &str) -> String {
    test.git(&["ls-tree", "--format=%(objectmode)", "HEAD", path]).trim().to_owned()
}

#[test]
fn a_submodule_that_is_added_is_left_alone_and_does_not_block() {
    let inner = TestRepo::with(&[("i", "1")]);
    let test = TestRepo::with(&[("a", "1")]);
    let did = turn(&test, || {
        add_submodule(&test, &inner, "sub");
        test.write("a", "2");
    });
    assert_eq!(did, ["doc/meta hygiene: A .gitmodules", "work: M a", "sub: it is a submodule"]);
    assert_eq!(head_entry(&test, "sub"), "");
}

#[test]
fn a_submodule_that_is_moved_is_left_alone_and_does_not_block() {
    let (test, _inner) = with_submodule();
    let did = turn(&test, || {
        test.git(&["mv", "sub", "elsewhere"]);
        test.write("a", "2");
    });
    assert_eq!(
        did,
        [
            "doc/meta hygiene: M .gitmodules",
            "work: M a",
            "elsewhere: it is a submodule",
            "sub: it is a submodule",
        ]
    );
    assert_eq!(head_entry(&test, "sub"), "160000");
}

#[test]
fn a_submodule_that_is_deleted_is_left_alone_and_does_not_block() {
    let (test, _inner) = with_submodule();
    let did = turn(&test, || {
        std::fs::remove_dir_all(test.root.join("sub")).unwrap();
        test.write("a", "2");
    });
    assert_eq!(did, ["work: M a", "sub: it is a submodule"]);
    assert_eq!(head_entry(&test, "sub"), "160000");
}

#[test]
fn files_in_the_place_of_a_submodule_do_not_displace_its_entry() {
    let (test, _inner) = with_submodule();
    let did = turn(&test, || {
        test.git(&["rm", "-q", "--cached", "sub"]);
        std::fs::remove_file(test.root.join("sub/.git")).unwrap();
        test.write("a", "2");
    });
    assert_eq!(
        did,
        [
            "work: M a",
            "sub: it is a submodule",
            "sub/i: it takes the place of sub, whose change is not committed",
        ]
    );
    assert_eq!(head_entry(&test, "sub"), "160000");
}

#[test]
fn a_directory_that_becomes_a_repository_keeps_what_is_committed_of_it() {
    let test = TestRepo::with(&[("d/a", "1"), ("d/b", "1"), ("x", "1")]);
    let did = turn(&test, || {
        test.git(&["init", "-q", "d"]);
        test.write("d/a", "2");
        test.write("d/new", "n");
        test.write("x", "2");
    });
    assert_eq!(test.git(&["show", "HEAD:d/b"]), "1");
    assert!(did.iter().any(|line| line.contains('x')), "{did:?}");
    assert!(!test.git(&["ls-tree", "-r", "HEAD"]).contains("160000"), "{did:?}");
}

#[test]
fn a_file_becomes_a_directory_and_a_file_again() {
    let test = TestRepo::with(&[("plans/p.md", "1"), ("thing", "2")]);
    let did = turn(&test, || {
        test.remove("thing");
        test.write("thing/reports/r.md", "r");
        test.write("thing/code", "c");
    });
    assert_eq!(did, ["reports evidence: D thing, A thing/reports/r.md", "work: A thing/code"]);
    let did = turn(&test, || {
        std::fs::remove_dir_all(test.root.join("thing")).unwrap();
        test.write("thing", "2");
    });
    assert_eq!(did, ["work: A thing, D thing/code, D thing/reports/r.md"]);
    assert_eq!(test.status(), "");
}

#[test]
fn only_the_case_of_a_name_changes() {
    let test = TestRepo::with(&[("Readme.md", "long enough to be known again\n"), ("Src/a", "1")]);
    let did = turn(&test, || {
        std::fs::rename(test.root.join("Readme.md"), test.root.join("README.md")).unwrap();
        std::fs::rename(test.root.join("Src"), test.root.join("src")).unwrap();
    });
    assert_eq!(did, ["work: R Readme.md -> README.md, R Src/a -> src/a"]);
    assert_eq!(test.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "README.md\nsrc/a\n");
    assert_eq!(test.status(), "");
}

#[test]
fn modes_links_and_empty_files_go_to_their_category() {
    let test = TestRepo::with(&[("reports/run.sh", "#!/bin/sh\n"), ("input.md", "1"), ("b", "b")]);
    let did = turn(&test, || {
        std::fs::set_permissions(test.root.join("reports/run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
        test.remove("input.md");
        symlink("nowhere", test.root.join("input.md")).unwrap();
        symlink("reports", test.root.join("latest")).unwrap();
        test.write("reports/empty.txt", "");
        test.write("empty", "");
    });
    assert_eq!(
        did,
        [
            "reports evidence: A reports/empty.txt, M reports/run.sh",
            "doc/meta hygiene: M input.md",
            "work: A empty, A latest",
        ]
    );
    assert_eq!(head_entry(&test, "reports/run.sh"), "100755");
    assert_eq!(head_entry(&test, "input.md"), "120000");
    assert_eq!(test.status(), "");
}

#[test]
fn a_report_with_any_name_is_committed_and_found_again() {
    let test = TestRepo::with(&[("x", "x")]);
    let name: &[u8] = b"reports/two\nlines\xff.txt";
    let did = turn(&test, || {
        std::fs::create_dir(test.root.join("reports")).unwrap();
        std::fs::write(test.root.join(RepoPath::from_bytes(name).as_path()), "r").unwrap();
    });
    assert_eq!(did, ["reports evidence: A \"reports/two\\nlines\\377.txt\""]);
    assert_eq!(test.status(), "");
}

#[test]
fn a_file_that_is_ignored_from_now_on_is_not_added_and_one_that_is_tracked_stays() {
    let test = TestRepo::with(&[("out/kept", "1")]);
    let did = turn(&test, || {
        test.write(".gitignore", "out/\n");
        test.write("out/new", "n");
        test.write("out/kept", "2");
    });
    assert_eq!(did, ["doc/meta hygiene: A .gitignore", "work: M out/kept"]);
    assert_eq!(test.status(), "");
}

#[test]
fn the_caps_leave_out_what_does_not_fit() {
    let test = TestRepo::with(&[("reports/shrinks.md", &"x".repeat(50))]);
    let did = turn(&test, || {
        test.write("reports/a.md", &"a".repeat(35));
        test.write("reports/b.md", &"b".repeat(35));
        test.write("reports/c.md", &"c".repeat(41));
        test.write("reports/shrinks.md", &"x".repeat(20));
    });
    assert_eq!(
        did,
        [
            "reports evidence: A reports/a.md, M reports/shrinks.md",
            "reports/b.md: with its 35 bytes the turn's `reports evidence` would be over 60B",
            "reports/c.md: its 41 bytes are over the 40B that `reports evidence` allows for a file",
        ]
    );
}

/// Every path with mode and object, of a commit.
fn tree_of(test: &TestRepo, commit: &str) -> BTreeMap<String, String> {
    let listed = test.git(&["ls-tree", "-rz", "--format=%(path)%x09%(objectmode) %(objectname)", commit]);
    listed
        .split('\0')
        .filter_map(|line| line.split_once('\t'))
        .map(|(path, entry)| (path.to_owned(), entry.to_owned()))
        .collect()
}

/// What happens to one path.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Write(u8),
    Run(u8),
    Link(u8),
    Remove,
}

const PATHS: [&str; 14] = [
    "a",
    "a/reports/x.md",
    "b",
    "data/reports/b.md",
    "docs/fix_plan.md",
    "input.md",
    "input.md/x",
    "logs/l.png",
    "plans/p.md",
    "reports",
    "reports/c.md",
    "tests/fixtures/t.json",
    "ignored/reports/i.md",
    "vendor/v",
];

fn any_deeds(most: usize) -> impl Strategy<Value = Vec<(usize, Deed)>> {
    let deed = prop_oneof![
        5 => (0_u8..5).prop_map(Deed::Write),
        1 => (0_u8..3).prop_map(Deed::Run),
        1 => (0_u8..3).prop_map(Deed::Link),
        3 => Just(Deed::Remove),
    ];
    proptest::collection::vec((0..PATHS.len(), deed), 0..most)
}

/// Does it, and makes room for it: what stands in the way goes.
fn perform(root: &Path, deeds: &[(usize, Deed)]) {
    for (at, deed) in deeds {
        let path = root.join(PATHS[*at]);
        for parent in path.ancestors().skip(1).take_while(|parent| *parent != root) {
            if parent.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
                std::fs::remove_file(parent).unwrap();
            }
        }
        match path.symlink_metadata() {
            Ok(found) if found.is_dir() => std::fs::remove_dir_all(&path).unwrap(),
            Ok(_) => std::fs::remove_file(&path).unwrap(),
            Err(_) => {}
        }
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = |digit: &u8| digit.to_string().repeat(usize::from(*digit) * 12);
        match deed {
            Deed::Write(digit) => std::fs::write(&path, text(digit)).unwrap(),
            Deed::Run(digit) => {
                std::fs::write(&path, text(digit)).unwrap();
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
            }
            Deed::Link(digit) => symlink(format!("target-{digit}"), &path).unwrap(),
            Deed::Remove => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn each_commit_is_the_one_before_it_with_the_chosen_paths(
        first in any_deeds(12),
        persons in any_deeds(4),
        turns in any_deeds(12),
        galph: bool,
    ) {
        let actor = if galph { Actor::Galph } else { Actor::Ralph };
        let test = TestRepo::with(&[(".gitignore", "ignored/\n")]);
        perform(&test.root, &first);
        test.git(&["add", "-A"]);
        test.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
        perform(&test.root, &persons);
        let repo = test.open();
        let before = repo.dirty().unwrap();
        let base = repo.head().unwrap().commit;
        perform(&test.root, &turns);
        let now = repo.dirty_since(&before).unwrap();
        let selection = select(&repo, &before, actor);

        let chosen: Vec<&RepoPath> = selection.batches.iter().flat_map(|batch| batch.paths.keys()).collect();
        let places = chosen.iter().copied().chain(selection.left.keys()).chain(selection.refused.keys());
        let places: Vec<&RepoPath> = places.collect();
        let all: BTreeSet<&RepoPath> = now.iter().map(|(path, _)| path).collect();
        prop_assert_eq!(places.len(), all.len());
        prop_assert_eq!(places.into_iter().collect::<BTreeSet<_>>(), all);
        for path in &chosen {
            prop_assert!(before.get(path).is_none(), "{path} was dirty before");
            prop_assert!(!path.is_within(&"ignored".into()) || tree_of(&test, "HEAD").contains_key(&path.to_string()));
        }

        let head = repo.head().unwrap();
        let committed = commit(&repo, &selection).unwrap();
        let mut tree = tree_of(&test, base.as_str());
        prop_assert_eq!(committed.commits.len(), selection.batches.len());
        for (id, batch) in &committed.commits {
            for (path, selected) in &batch.paths {
                match &selected.content {
                    Some(blob) => tree.insert(path.to_string(), format!("{} {}", blob.mode.as_octal(), blob.id)),
                    None => tree.remove(&path.to_string()),
                };
            }
            prop_assert_eq!(&tree_of(&test, id.as_str()), &tree);
        }
        let tip = committed.commits.last().map_or(&head.commit, |(id, _)| id);
        prop_assert_eq!(&repo.head().unwrap().commit, tip);
        let again = repo.dirty_since(&before).unwrap();
        for (path, dirty) in now.iter() {
            let still = again.get(path).filter(|dirty| !dirty.matches_head());
            let is_chosen = chosen.contains(&path);
            prop_assert_eq!(still.is_none(), is_chosen || dirty.matches_head(), "{}", path);
        }
    }
}
