use std::fs;

use proptest::prelude::*;

use super::super::super::index_file::IndexFile;
use super::super::tests::{acts, perform};
use super::*;
use crate::repo::testing::TestRepo;

/// Everything is older than this look.
const LATE: Moment = Moment { written: u32::MAX, begun: i64::MAX };

fn look(test: &TestRepo, moment: Moment, known: Option<&mut Names>) -> Option<Vec<Vec<u8>>> {
    let bytes = fs::read(test.root.join(".git/index")).unwrap();
    let mut found = differing(&test.root, &IndexFile::parse(&bytes)?.entries, moment, known)?;
    found.sort_unstable();
    Some(found)
}

/// Returns when the clock of the file system has gone on: what changes then has other times than all before.
fn await_clock(test: &TestRepo) {
    let now = || {
        let probe = test.root.join("../probe");
        fs::write(&probe, "").unwrap();
        fs::metadata(probe).unwrap().modified().unwrap()
    };
    let before = now();
    while now() == before {}
}

fn repo() -> TestRepo {
    TestRepo::with(&[("a", "1"), ("d/b", "1"), ("d/deep/c", "1")])
}

#[test]
fn names_are_not_read_again_where_nothing_came_or_went() {
    let test = repo();
    let mut known = Names::default();
    assert_eq!(look(&test, LATE, Some(&mut known)), Some(Vec::new()));
    assert_eq!(known.directories.len(), 3);
    await_clock(&test);
    test.write("d/new", "");
    let mut misled = Names::default();
    for (path, was) in &known.directories {
        let stat = rustix::fs::stat(test.root.join(OsStr::from_bytes(path))).unwrap();
        let now = KnownNames { mark: Mark::of(&stat), names: was.names.clone() };
        misled.directories.insert(path.clone(), now);
    }
    assert_eq!(look(&test, LATE, Some(&mut misled)), Some(Vec::new()), "it believes what it is told");
    assert_eq!(look(&test, LATE, Some(&mut known)), Some(vec![b"d/new".to_vec()]));
    test.write("d/b", "22");
    let found = [b"d/b".to_vec(), b"d/new".to_vec()];
    assert_eq!(look(&test, LATE, Some(&mut known)), Some(found.to_vec()));
}

#[test]
fn of_a_young_directory_nothing_is_remembered() {
    let test = repo();
    let stat = rustix::fs::stat(test.root.join("d/deep")).unwrap();
    for (age, is_known) in [(0, false), (1, false), (2, true)] {
        let mut known = Names::default();
        let begun = stat.st_ctime + age;
        look(&test, Moment { begun, ..LATE }, Some(&mut known)).unwrap();
        assert_eq!(known.directories.contains_key(b"d/deep".as_slice()), is_known, "{age}");
    }
}

#[test]
fn directories_that_are_not_in_the_index_any_more_are_forgotten() {
    let test = repo();
    let mut known = Names::default();
    look(&test, LATE, Some(&mut known)).unwrap();
    fs::remove_dir_all(test.root.join("d")).unwrap();
    test.git(&["add", "--all"]);
    assert_eq!(look(&test, LATE, Some(&mut known)), Some(Vec::new()));
    assert!(known.directories.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_is_remembered_of_names_hides_nothing(acts in acts()) {
        let test = repo();
        let mut known = Names::default();
        for act in &acts {
            perform(&test, act);
            await_clock(&test);
            assert_eq!(look(&test, LATE, Some(&mut known)), look(&test, LATE, None));
        }
    }
}
