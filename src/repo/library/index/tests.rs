use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rstest::rstest;

use super::super::super::program::GitProgram;
use super::*;
use crate::repo::index::IndexRefresh;
use crate::repo::testing::{TestRepo, Way};

fn blob(test: &TestRepo, name: &str, mode: FileMode) -> Blob {
    Blob { id: test.git(&["rev-parse", name]).trim().parse().unwrap(), mode }
}

/// A moment long ago, so many milliseconds into its second.
fn then(milliseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000_000_000 + milliseconds)
}

fn set_time(test: &TestRepo, path: &str, time: SystemTime) {
    File::options().append(true).open(test.root.join(path)).unwrap().set_modified(time).unwrap();
}

fn library(test: &TestRepo) -> Library {
    Library::open(&test.root, &test.ambient()).unwrap()
}

fn copy(test: &TestRepo, name: &str) -> PathBuf {
    let copy = test.root.join(".git").join(name);
    fs::copy(test.root.join(".git/index"), &copy).unwrap();
    copy
}

/// `work` was changed from `1` to `2`, and the index does not have it.
fn due(test: &TestRepo) -> BTreeMap<RepoPath, Versions> {
    let [old, new] = ["1", "2"].map(|text| {
        let id = test.git_with(&["hash-object", "-w", "--stdin"], text.as_bytes());
        Some(Blob { id: id.trim().parse().unwrap(), mode: FileMode::Regular })
    });
    test.write("work", "2");
    [("work".into(), Versions { new, old })].into()
}

fn borrowed(due: &BTreeMap<RepoPath, Versions>) -> BTreeMap<&RepoPath, &Versions> {
    due.iter().collect()
}

#[test]
fn what_is_noted_of_a_file_is_what_git_itself_notes() {
    let test = TestRepo::with(&[("a", "1"), ("d/gone", "1"), ("d/kept", "1"), ("run", "1"), ("s/x", "1")]);
    test.git(&["config", "index.threads", "1"]);
    for path in ["a", "d/kept", "run", "s/x"] {
        set_time(&test, path, then(0));
    }
    test.git(&["update-index", "--refresh"]);
    let before = copy(&test, "before");
    test.remove("d/gone");
    test.write("a", "of another size");
    test.write("d/new", "3");
    symlink("a", test.root.join("link")).unwrap();
    fs::set_permissions(test.root.join("run"), Permissions::from_mode(0o755)).unwrap();
    for path in ["a", "d/new"] {
        set_time(&test, path, then(0));
    }
    test.git(&["add", "--all"]);
    let version = |path: &str, mode| {
        (RepoPath::from(path), Versions { new: Some(blob(&test, &format!(":{path}"), mode)), old: None })
    };
    let mut due: BTreeMap<RepoPath, Versions> = [
        version("a", FileMode::Regular),
        version("d/new", FileMode::Regular),
        version("link", FileMode::Symlink),
        version("run", FileMode::Executable),
    ]
    .into();
    due.insert(
        "d/gone".into(),
        Versions { new: None, old: Some(blob(&test, "HEAD:d/gone", FileMode::Regular)) },
    );
    for work_tree in [WorkTree::JustRead, WorkTree::Unknown] {
        fs::copy(&before, test.root.join(".git/index")).unwrap();
        let (ours, theirs) = (copy(&test, "ours"), copy(&test, "theirs"));
        library(&test).write_index_copy(&ours, &borrowed(&due), work_tree).unwrap();
        let program = GitProgram::find(&test.root, Duration::from_mins(1), &test.ambient()).unwrap();
        program.update_index(&theirs, &library(&test).place, &borrowed(&due), work_tree, &[]).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&fs::read(ours).unwrap()),
            String::from_utf8_lossy(&fs::read(theirs).unwrap())
        );
    }
}

/// Of whatever size: a git that could only fail stands beside it.
#[test]
fn an_ordinary_index_is_written_without_git() {
    let mut test = TestRepo::with(&[("work", "1")]);
    let blob = test.git(&["rev-parse", ":work"]);
    let line = |number: u32| format!("100644 {}\tmany/{number}\n", blob.trim());
    let many: String = (0..6_000).map(line).collect();
    test.git_with(&["update-index", "--add", "--index-info"], many.as_bytes());
    let due = due(&test);
    let copy = copy(&test, "copy");
    let bin = test.root.join("../bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("git"), "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(bin.join("git"), Permissions::from_mode(0o755)).unwrap();
    test.set_env("PATH", bin.to_str().unwrap());
    let program = GitProgram::find(&test.root, Duration::from_mins(1), &test.ambient());
    assert!(program.is_some());
    let library = library(&test).with_program(program);
    library.write_index_copy(&copy, &borrowed(&due), WorkTree::JustRead).unwrap();
    let bytes = fs::read(&copy).unwrap();
    let index = IndexFile::parse(&bytes).unwrap();
    assert_eq!((index.entries.len(), index.find(b"work").unwrap().size()), (6_001, 1));
    // Any other is git's.
    let other = test.root.join(".git/other");
    fs::write(&other, "no index").unwrap();
    assert!(library.write_index_copy(&other, &borrowed(&due), WorkTree::JustRead).is_err());
}

#[test]
fn a_damaged_index_is_told_and_left_as_it_is() {
    let test = TestRepo::with(&[("other", "1"), ("work", "1")]);
    let due = due(&test);
    let path = test.root.join(".git/index");
    let mut bytes = fs::read(&path).unwrap();
    // In the name of an object.
    bytes[12 + 45] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let refreshed = test.open_as(Way::Library).refresh_index(&due, WorkTree::JustRead);
    let reason = format!(
        "`{}` is damaged, its checksum does not match; move it away and run `git reset`, which makes it anew from HEAD",
        path.display()
    );
    assert_eq!(refreshed, IndexRefresh::Failed { reason });
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn whoever_may_read_the_index_may_read_the_next_one() {
    let test = TestRepo::with(&[("work", "1")]);
    let path = test.root.join(".git/index");
    for mode in [0o600, 0o664] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let done = test.open_as(Way::Library).refresh_index(&due(&test), WorkTree::JustRead);
        assert_eq!(done, IndexRefresh::Done { superseded: Vec::new() });
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        test.git(&["reset", "-q"]);
    }
}

/// git looks at whole seconds of a file's times, also of files that are older than the index.
#[rstest]
#[case::before_the_index(200, 500)]
#[case::with_the_index(900, 900)]
#[case::after_the_index(200, 950)]
fn a_change_in_the_second_of_the_index_is_not_hidden_by_the_next(#[case] staged: u64, #[case] changed: u64) {
    let test = TestRepo::with(&[("same", "1"), ("racy", "1"), ("work", "1")]);
    // Everything that would tell but the index's own time.
    test.git(&["config", "core.trustctime", "false"]);
    for path in ["same", "racy"] {
        set_time(&test, path, then(staged));
    }
    test.git(&["update-index", "--refresh"]);
    test.write("racy", "2");
    set_time(&test, "racy", then(changed));
    set_time(&test, ".git/index", then(900));
    let done = test.open_as(Way::Library).refresh_index(&due(&test), WorkTree::JustRead);
    assert_eq!(done, IndexRefresh::Done { superseded: Vec::new() });
    let bytes = fs::read(test.root.join(".git/index")).unwrap();
    let index = IndexFile::parse(&bytes).unwrap();
    let size = |path: &[u8]| index.find(path).unwrap().size();
    assert_eq!((size(b"racy"), size(b"same")), (0, 1), "only what differs is in doubt");
    assert_eq!(test.status(), " M racy\nM  work\n");
}
