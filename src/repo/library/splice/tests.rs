use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use rstest::rstest;

use super::super::index_file::{Entry, IndexFile};
use super::{Change, Changes, FileEntry, splice};
use crate::repo::testing::TestRepo;

/// Three objects, one for each number.
const CONTENTS: [&str; 3] = ["1", "2", "3"];

/// An index, and git to change it.
struct Case {
    test: TestRepo,
    blobs: [String; 3],
}

/// What git is to make of a path; the number is that of an object.
#[derive(Debug, Clone)]
enum Act {
    Put(String, &'static str, usize),
    Remove(String),
}

impl Case {
    fn new() -> Self {
        let test = TestRepo::unborn();
        let blobs = CONTENTS.map(|it| test.git_with(&["hash-object", "-w", "--stdin"], it.as_bytes()));
        // Threads are told in extensions of their own.
        test.git(&["config", "index.threads", "1"]);
        Self { test, blobs: blobs.map(|it| it.trim().to_owned()) }
    }

    fn index(&self) -> PathBuf {
        self.test.root.join(".git/index")
    }

    fn read(&self) -> Vec<u8> {
        fs::read(self.index()).unwrap()
    }

    /// `side`: 0, or that of a conflict.
    fn line(&self, path: &str, mode: &str, object: usize, side: u32) -> String {
        format!("{mode} {} {side}\t{path}\0", self.blobs[object])
    }

    fn stage(&self, lines: &str) {
        self.test.git_with(
            &["update-index", "-z", "--add", "--remove", "--replace", "--index-info"],
            lines.as_bytes(),
        );
    }

    fn perform(&self, acts: &[Act]) {
        let line = |act: &Act| match act {
            Act::Put(path, mode, object) => self.line(path, mode, *object, 0),
            Act::Remove(path) => format!("0 {} 0\t{path}\0", "0".repeat(40)),
        };
        self.stage(&acts.iter().map(line).collect::<String>());
    }

    fn changes<'a>(&self, acts: &'a [Act]) -> Changes<'a> {
        let change = |act: &'a Act| match act {
            Act::Put(path, mode, object) => {
                let object = git2::Oid::from_str(&self.blobs[*object]).unwrap();
                let entry = FileEntry {
                    mode: u32::from_str_radix(mode, 8).unwrap(),
                    object: object.as_bytes().try_into().unwrap(),
                    ..FileEntry::default()
                };
                (path.as_bytes(), Change::Put(entry))
            }
            Act::Remove(path) => (path.as_bytes(), Change::Remove),
        };
        acts.iter().map(change).collect()
    }

    /// The same bytes as git's own.
    #[track_caller]
    fn assert_as_git(&self, acts: &[Act]) {
        let before = fs::read(self.index()).ok();
        let index = before.as_ref().map_or_else(IndexFile::absent, |it| IndexFile::parse(it).unwrap());
        let ours = splice(&index, &self.changes(acts)).unwrap();
        let found = IndexFile::parse(&ours).unwrap();
        assert!(found.is_intact());
        self.perform(acts);
        let theirs = self.read();
        if ours != theirs {
            let shown = |bytes: &[u8]| {
                fs::write(self.index(), bytes).unwrap();
                let listed = self.test.git(&["ls-files", "--stage", "--debug"]);
                listed + &self.test.git(&["ls-files", "--resolve-undo"])
            };
            assert_eq!(shown(&ours), shown(&theirs));
            assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs));
            panic!("not the same bytes");
        }
    }
}

fn put(path: &str) -> Act {
    Act::Put(path.to_owned(), "100644", 2)
}

fn remove(path: &str) -> Act {
    Act::Remove(path.to_owned())
}

const PATHS: [&str; 7] = ["a", "a-b", "d.e/f", "d/b", "d/deep/c", "d/deep/er/g", "e"];

/// An index of these paths that remembers the trees of all directories.
fn settled() -> Case {
    let case = Case::new();
    let line = |path: &&str| case.line(path, "100644", 0, 0);
    case.stage(&PATHS.iter().map(line).collect::<String>());
    case.test.git(&["write-tree"]);
    case
}

#[rstest]
#[case::nothing(&[])]
#[case::changed(&[put("d/b")])]
#[case::executable(&[Act::Put("d/deep/c".to_owned(), "100755", 0)])]
#[case::a_link(&[Act::Put("a".to_owned(), "120000", 1)])]
#[case::a_submodule(&[Act::Put("a".to_owned(), "160000", 1)])]
#[case::first(&[put("A")])]
#[case::last(&[put("z")])]
#[case::between(&[put("a.b"), put("d/c"), put("d/deep/d")])]
#[case::gone(&[remove("d/b"), remove("e")])]
#[case::never_there(&[remove("x"), remove("d/x"), remove("d"), remove("x/y")])]
#[case::a_directory_gone(&[remove("d/deep/er/g"), remove("d/deep/c")])]
#[case::a_file_for_a_directory(&[put("d")])]
#[case::a_file_for_a_deep_directory(&[put("d/deep/er")])]
#[case::a_directory_for_a_file(&[put("a/b/c")])]
#[case::a_directory_for_a_deep_file(&[put("d/b/c/d"), put("d/b-c")])]
#[case::places_changed(&[remove("d/b"), put("d/b/c"), remove("a"), put("a/b")])]
#[case::all_gone(&PATHS.map(remove))]
fn the_next_index_has_the_bytes_that_git_would_write(#[case] acts: &[Act]) {
    settled().assert_as_git(acts);
}

#[rstest]
#[case(4094)]
#[case(4095)]
#[case(4096)]
#[case(5000)]
fn long_paths_are_kept_and_written(#[case] length: usize) {
    let case = settled();
    let long = |last: &str| "l".repeat(length - last.len()) + last;
    case.stage(&case.line(&long("a"), "100644", 0, 0));
    case.assert_as_git(&[put(&long("b"))]);
    case.assert_as_git(&[put(&long("a")), remove(&long("b"))]);
}

#[rstest]
#[case::skipped("--skip-worktree")]
#[case::assumed("--assume-unchanged")]
fn what_was_told_about_other_paths_stays(#[case] flag: &str) {
    let case = settled();
    case.test.git(&["update-index", flag, "d/b", "e"]);
    case.assert_as_git(&[put("d/c"), remove("a")]);
    case.assert_as_git(&[put("d/b")]);
    // The last one that needs version 3.
    case.assert_as_git(&[remove("e")]);
}

#[test]
fn what_is_only_announced_stays_announced() {
    let case = settled();
    case.test.write("new", "new");
    case.test.git(&["add", "-N", "new"]);
    case.assert_as_git(&[put("d/c"), remove("a")]);
    case.assert_as_git(&[put("new")]);
}

#[rstest]
#[case::of_others(&[put("d/b")])]
#[case::settled(&[put("c")])]
#[case::settled_as_gone(&[remove("c")])]
#[case::for_a_directory(&[put("c/d")])]
#[case::for_a_file(&[put("a"), put("s")])]
fn a_conflict_is_kept_or_settled_as_git_does_it(#[case] acts: &[Act]) {
    let case = settled();
    let sides = |path: &str, sides: &[u32]| {
        case.perform(&[remove(path)]);
        let line = |side: &u32| case.line(path, "100644", *side as usize - 1, *side);
        case.stage(&sides.iter().map(line).collect::<String>());
    };
    sides("c", &[1, 2, 3]);
    sides("s/f", &[2, 3]);
    // One that was settled before is not forgotten; and it may come up again.
    sides("d/x", &[1, 3]);
    case.perform(&[put("d/x")]);
    assert_ne!(case.test.git(&["ls-files", "--resolve-undo"]), "");
    case.assert_as_git(acts);
    sides("d/x", &[2, 3]);
    case.assert_as_git(&[remove("d/x")]);
}

#[test]
fn an_index_without_a_checksum_stays_so() {
    let case = settled();
    case.test.git(&["config", "index.skipHash", "true"]);
    case.perform(&[put("first")]);
    assert_eq!(case.read()[case.read().len() - 20..], [0; 20]);
    case.assert_as_git(&[put("d/c")]);
}

#[test]
fn what_only_helps_to_read_is_left_out() {
    let case = settled();
    case.test.git(&["config", "index.threads", "2"]);
    case.perform(&[put("first")]);
    let before = case.read();
    let names: Vec<&[u8]> = IndexFile::parse(&before).unwrap().extensions.iter().map(|it| it.0).collect();
    assert_eq!(names, [b"IEOT", b"TREE", b"EOIE"]);
    case.test.git(&["config", "index.threads", "1"]);
    case.assert_as_git(&[put("d/c")]);
}

#[test]
fn the_first_index_is_the_one_that_git_would_write() {
    let case = Case::new();
    let acts = [put("d/b"), put("a")];
    let ours = splice(&IndexFile::absent(), &case.changes(&acts)).unwrap();
    case.perform(&acts);
    assert_eq!(ours, case.read());
    case.assert_as_git(&[remove("a"), remove("d/b")]);
    case.assert_as_git(&[put("a")]);
}

#[test]
fn an_entry_in_doubt_loses_its_size_alone() {
    let test = TestRepo::with(&[("a", "1"), ("b", "1")]);
    let before = fs::read(test.root.join(".git/index")).unwrap();
    let index = IndexFile::parse(&before).unwrap();
    let doubted = splice(&index, &[(b"b".as_slice(), Change::Doubt)].into()).unwrap();
    let next = IndexFile::parse(&doubted).unwrap();
    assert_eq!(next.entries.iter().map(Entry::size).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(next.extensions, index.extensions);
    fs::write(test.root.join(".git/index"), &doubted).unwrap();
    assert_eq!(test.status(), "");
}

#[rstest]
#[case::git(".git")]
#[case::git_elsewhere("d/.git/hooks/x")]
#[case::in_capitals("d/.Git")]
#[case::short("GIT~1/x")]
#[case::with_a_stream(".git::$INDEX_ALLOCATION/x")]
#[case::with_a_blank(".git ")]
#[case::with_what_is_not_seen(".g\u{200c}it")]
#[case::above("d/../x")]
#[case::here("./x")]
#[case::nothing("d//x")]
#[case::at_the_end("d/")]
#[case::no_name("")]
fn a_path_that_git_might_refuse_is_left_to_git(#[case] path: &str) {
    let case = settled();
    let acts = [put(path)];
    assert_eq!(splice(&IndexFile::parse(&case.read()).unwrap(), &case.changes(&acts)), None);
}

#[test]
fn files_of_gits_own_that_anybody_may_write_are_written() {
    settled()
        .assert_as_git(&[".gitattributes", ".github/x", ".gitignore", ".gitkeep", "d/.gitmodules"].map(put));
}

#[rstest]
#[case::untracked_cache(|test: &TestRepo| { test.git(&["update-index", "--force-untracked-cache"]); })]
#[case::a_part_elsewhere(|test: &TestRepo| { test.git(&["update-index", "--split-index"]); })]
#[case::out_of_order(|test: &TestRepo| {
    let path = test.root.join(".git/index");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|it| it == b"a-b\0").unwrap();
    bytes[at] = b'z';
    fs::write(path, bytes).unwrap();
})]
#[case::a_version_beside_a_conflict(|test: &TestRepo| {
    let blob = test.git(&["rev-parse", ":e"]);
    test.git_with(&["update-index", "--index-info"], format!("100644 {} 2\te\n", blob.trim()).as_bytes());
})]
#[case::a_file_and_a_conflict_below_it(|test: &TestRepo| {
    let blob = test.git(&["rev-parse", ":e"]);
    test.git_with(&["update-index", "--index-info"], format!("100644 {0} 1\td/b/x\n100644 {0} 0\td\n", blob.trim()).as_bytes());
})]
fn an_index_of_which_something_would_be_lost_is_left_to_git(#[case] change: fn(&TestRepo)) {
    let case = settled();
    change(&case.test);
    let before = case.read();
    assert_eq!(splice(&IndexFile::parse(&before).unwrap(), &case.changes(&[put("d/b")])), None);
}

#[test]
fn changes_that_exclude_each_other_are_left_to_git() {
    let case = settled();
    let acts = [put("n"), put("n/m/o")];
    assert_eq!(splice(&IndexFile::parse(&case.read()).unwrap(), &case.changes(&acts)), None);
}

/// Few names, so that files and directories meet; some sort before and some behind the slash.
fn paths() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("a"), Just("b"), Just("a."), Just("a-b"), Just("a0")];
    proptest::collection::vec(name, 1..4).prop_map(|names| names.join("/"))
}

fn modes() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("100644"), 1 => Just("100755"), 1 => Just("120000"), 1 => Just("160000")]
}

fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (paths(), modes(), 0..3_usize).prop_map(|(path, mode, object)| Act::Put(path, mode, object)),
        1 => paths().prop_map(Act::Remove),
    ];
    proptest::collection::vec(act, 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_changed_the_bytes_are_those_of_git(
        first in acts(12),
        remembers in any::<bool>(),
        conflicts in proptest::collection::vec((paths(), 1..8_u32), 0..3),
        flagged in proptest::collection::vec((0..12_usize, any::<bool>()), 0..3),
        then in proptest::collection::vec(acts(5), 1..4),
    ) {
        let case = Case::new();
        case.perform(&first);
        if remembers {
            // Not where a submodule stands for an object that is none.
            drop(case.test.run(&["write-tree", "--missing-ok"]));
        }
        for (path, sides) in &conflicts {
            case.perform(&[remove(path)]);
            let there = (1..4_u32).filter(|side| sides >> (side - 1) & 1 == 1);
            case.stage(&there.map(|side| case.line(path, "100644", side as usize - 1, side)).collect::<String>());
        }
        for (at, skipped) in &flagged {
            if let Some(Act::Put(path, ..)) = first.get(*at) {
                let flag = if *skipped { "--skip-worktree" } else { "--assume-unchanged" };
                drop(case.test.run(&["update-index", flag, "--", path]));
            }
        }
        for acts in then.iter().filter(|acts| !acts.is_empty()) {
            let last: std::collections::BTreeMap<_, _> = acts.iter().map(|act| {
                let (Act::Put(path, ..) | Act::Remove(path)) = act;
                (path.clone(), act.clone())
            }).collect();
            let acts: Vec<Act> = last.into_values().collect();
            let changes = case.changes(&acts);
            let before = fs::read(case.index()).ok();
            let index = before.as_ref().map_or_else(IndexFile::absent, |it| IndexFile::parse(it).unwrap());
            let stands_twice = |path| super::parents(path).any(|parent| super::is_file_and_directory(&index, parent));
            // git begins no index only to remove something from it.
            let has_put = acts.iter().any(|act| matches!(act, Act::Put(..)));
            let is_left = |path| super::is_blocked(path, &changes) || stands_twice(path);
            if (before.is_some() || has_put) && !changes.keys().any(|path| is_left(path)) {
                case.assert_as_git(&acts);
            }
        }
    }
}
