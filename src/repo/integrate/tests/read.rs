//! Reading commits, over both ways to work with git.

use rstest::rstest;

use crate::repo::testing::{TestRepo, Way};

#[rstest]
fn what_is_in_no_work_tree_is_read(#[values(Way::Library, Way::Program)] way: Way) {
    let test = TestRepo::with(&[("sync/state.json", "one"), ("d/f", "x")]);
    let repo = test.open_as(way);
    let first = repo.head().unwrap().commit;
    test.git(&["switch", "-q", "-c", "elsewhere"]);
    test.write("sync/state.json", "two\n");
    std::os::unix::fs::symlink("d/f", test.root.join("link")).unwrap();
    test.git(&["add", "-A"]);
    test.git(&["commit", "-q", "-m", "second\n\nBaton-Turn: 01JD5F3Z8K0000000000000000"]);
    let second = repo.head().unwrap().commit;
    test.git(&["switch", "-q", "main"]);
    test.git(&["commit", "-q", "--allow-empty", "-m", "aside"]);
    let aside = repo.head().unwrap().commit;

    let text = |commit, path: &str| repo.file_at(commit, &path.into()).unwrap();
    assert_eq!(text(&first, "sync/state.json"), Some(b"one".to_vec()));
    assert_eq!(text(&second, "sync/state.json"), Some(b"two\n".to_vec()));
    assert_eq!(text(&second, "link"), Some(b"d/f".to_vec()));
    for none in ["sync", "sync/none", "d/f/below", "none/at/all"] {
        assert_eq!(text(&second, none), None, "{none}");
    }

    assert!(repo.contains(&second, &first).unwrap());
    assert!(repo.contains(&second, &second).unwrap());
    assert!(!repo.contains(&first, &second).unwrap());
    assert!(!repo.contains(&second, &aside).unwrap());
    assert!(!repo.contains(&second, &"1".repeat(40).parse().unwrap()).unwrap());

    assert!(repo.is_related(&second, &aside).unwrap());
    test.git(&["switch", "-q", "--orphan", "other"]);
    test.git(&["commit", "-q", "--allow-empty", "-m", "another beginning"]);
    let other = repo.head().unwrap().commit;
    test.git(&["switch", "-q", "main"]);
    assert!(!repo.is_related(&second, &other).unwrap());

    let between = repo.commits_between(&aside, &second).unwrap();
    assert_eq!(between.len(), 1);
    assert_eq!(
        (between[0].subject.as_str(), between[0].turn),
        ("second", Some(crate::repo::testing::turn()))
    );
    assert_eq!(repo.commits_between(&second, &first).unwrap(), []);
}
