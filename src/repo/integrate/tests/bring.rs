//! Work tree, index and branch brought to a commit, over both ways to work with git.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};

use rstest::rstest;

use crate::publish::ObjectId;
use crate::repo::error::RepoError;
use crate::repo::head::Head;
use crate::repo::open::Repo;
use crate::repo::testing::{TestRepo, Way};
use crate::repo::{Brought, Replayed};

const STATE: &str = "sync/state.json";

/// A work tree on `main`, and a commit on top of it that is checked out nowhere.
struct Scene {
    test: TestRepo,
    repo: Repo,
    from: Head,
    to: ObjectId,
}

impl Scene {
    fn new(way: Way, files: &[(&str, &str)], change: impl FnOnce(&TestRepo)) -> Self {
        Self::on(way, TestRepo::with(files), change)
    }

    fn on(way: Way, test: TestRepo, change: impl FnOnce(&TestRepo)) -> Self {
        test.git(&["switch", "-q", "-c", "next"]);
        change(&test);
        test.git(&["add", "-A"]);
        test.git(&["commit", "-q", "--allow-empty", "-m", "next"]);
        test.git(&["switch", "-q", "main"]);
        let repo = test.open_as(way);
        let from = repo.head().unwrap();
        let to = repo.commit_named("next").unwrap();
        Self { test, repo, from, to }
    }

    fn bring(&self) -> Result<Brought, RepoError> {
        self.repo.bring_to(&self.from, &self.to, &[STATE.into()], "baton: the other side's turn")
    }

    #[track_caller]
    fn assert_brought(&self, status: &str) {
        assert_eq!(self.repo.overlaps(&self.from.commit, &self.to, &[STATE.into()]).unwrap(), []);
        assert_eq!(self.bring().unwrap(), Brought::Done);
        self.assert_there(status);
    }

    #[track_caller]
    fn assert_there(&self, status: &str) {
        assert_eq!(self.test.git(&["rev-parse", "main"]).trim(), self.to.as_str());
        assert_eq!(self.test.status(), status);
        assert_eq!(self.repo.head().unwrap().branch.as_deref(), Some("main"));
        self.assert_no_litter();
        self.test.assert_sound();
    }

    /// And nothing changes.
    #[track_caller]
    fn assert_overlaps(&self, paths: &[&str]) {
        let (status, files) = (self.test.status(), self.files());
        let overlaps = self.repo.overlaps(&self.from.commit, &self.to, &[STATE.into()]).unwrap();
        assert_eq!(overlaps.iter().map(ToString::to_string).collect::<Vec<_>>(), paths);
        assert_eq!(self.bring().unwrap(), Brought::Overlaps(overlaps));
        assert_eq!(self.repo.head().unwrap(), self.from);
        assert_eq!((self.test.status(), self.files()), (status, files));
        self.assert_no_litter();
    }

    fn assert_no_litter(&self) {
        let names = fs::read_dir(self.test.root.join(".git")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> =
            names.filter(|name| name.starts_with("baton") || name == "index.lock").collect();
        assert_eq!(left, [""; 0]);
    }

    /// Everything in the work tree, with its content.
    fn files(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut open = vec![self.test.root.clone()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let metadata = path.symlink_metadata().unwrap();
                if metadata.is_dir() && !path.ends_with(".git") {
                    open.push(path.clone());
                }
                let content = fs::read(&path).unwrap_or_default();
                let content =
                    format!("{:o} {}", metadata.permissions().mode(), String::from_utf8_lossy(&content));
                found.push((path.strip_prefix(&self.test.root).unwrap().display().to_string(), content));
            }
        }
        found.retain(|(path, _)| !path.starts_with(".git/") && path != ".git");
        found.sort();
        found
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.test.root.join(path)).unwrap()
    }
}

const FILES: [(&str, &str); 12] = [
    (".gitignore", "*.o\n"),
    ("changed", "1\n"),
    ("d/only", "1\n"),
    ("deep/er/gone", "1\n"),
    ("dirty", "1\n"),
    ("file-to-dir", "1\n"),
    ("dir-to-file/a", "1\n"),
    ("dir-to-file/b/c", "1\n"),
    ("run", "1\n"),
    ("staged", "1\n"),
    ("to-link", "1\n"),
    (STATE, "{}\n"),
];

/// A bit of everything.
fn change_much(test: &TestRepo) {
    test.write("changed", "2\n");
    test.remove("deep/er/gone");
    test.remove("file-to-dir");
    test.write("file-to-dir/inside", "new\n");
    fs::remove_dir_all(test.root.join("dir-to-file")).unwrap();
    test.write("dir-to-file", "now a file\n");
    fs::set_permissions(test.root.join("run"), PermissionsExt::from_mode(0o755)).unwrap();
    test.remove("to-link");
    symlink("changed", test.root.join("to-link")).unwrap();
    test.write("new/very/deep", "new\n");
    test.write("name with \"quotes\" and\na break", "new\n");
    test.write(STATE, "{\"turn\": 1}\n");
}

fn make_dirty(test: &TestRepo) {
    test.write("dirty", "half done\n");
    test.write("staged", "mine\n");
    test.git(&["add", "staged"]);
    test.write("untracked", "mine\n");
    test.write("d/ignored.o", "mine\n");
    test.write(STATE, "{\"local\": true}\n");
}

#[rstest]
fn what_differs_comes_and_everything_else_stays(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let scene = Scene::new(way, &FILES, change_much);
    make_dirty(&scene.test);
    scene.assert_brought(" M dirty\nM  staged\n?? untracked\n");
    assert_eq!(scene.read("file-to-dir/inside"), "new\n");
    assert_eq!(scene.read("dir-to-file"), "now a file\n");
    assert_eq!(scene.read("to-link"), "2\n");
    assert!(scene.test.root.join("to-link").symlink_metadata().unwrap().is_symlink());
    assert!(!scene.test.root.join("deep").exists());
    assert_eq!(scene.read(STATE), "{\"turn\": 1}\n");
    assert_eq!(scene.read("dirty"), "half done\n");
    assert_eq!(scene.read("d/ignored.o"), "mine\n");
    assert_eq!(scene.test.git(&["show", ":staged"]), "mine\n");
    assert_eq!(scene.test.git(&["reflog", "-1", "--format=%gs"]), "baton: the other side's turn\n");
    // Nothing needs to be looked at again.
    assert_eq!(scene.test.git(&["diff-files", "--name-only"]), "dirty\n");
    let (files, status) = (scene.files(), scene.test.status());
    assert_eq!(scene.bring().unwrap(), Brought::Done, "once more");
    assert_eq!((scene.files(), scene.test.status()), (files, status));
}

#[rstest]
fn and_back_again(#[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way) {
    let scene = Scene::new(way, &FILES, change_much);
    let files = scene.files();
    assert_eq!(scene.bring().unwrap(), Brought::Done);
    let head = scene.repo.head().unwrap();
    let back = scene.repo.bring_to(&head, &scene.from.commit, &[], "back").unwrap();
    assert_eq!(back, Brought::Done);
    assert_eq!(scene.files(), files);
    assert_eq!(scene.test.status(), "");
}

#[rstest]
#[case::changed(|test: &TestRepo| test.write("a", "mine\n"), &["a"])]
#[case::deleted(|test: &TestRepo| test.remove("a"), &["a"])]
#[case::untracked(|test: &TestRepo| test.write("new/file", "mine\n"), &["new/file"])]
#[case::ignored(|test: &TestRepo| test.write("new.o", "mine\n"), &["new.o"])]
#[case::staged(|test: &TestRepo| { test.write("a", "mine\n"); test.git(&["add", "a"]); test.write("a", "1\n"); }, &["a"])]
#[case::staged_new(|test: &TestRepo| { test.write("new/file", "mine\n"); test.git(&["add", "new/file"]); test.remove("new/file"); }, &["new/file"])]
#[case::unstaged(|test: &TestRepo| drop(test.git(&["rm", "-q", "--cached", "a"])), &["a"])]
#[case::changed_and_to_go(|test: &TestRepo| test.write("goes/x", "mine\n"), &["goes/x"])]
#[case::mode(|test: &TestRepo| fs::set_permissions(test.root.join("a"), PermissionsExt::from_mode(0o755)).unwrap(), &["a"])]
#[case::a_file_for_a_directory(|test: &TestRepo| test.write("new", "mine\n"), &["new"])]
#[case::a_link_for_a_directory(|test: &TestRepo| symlink("goes", test.root.join("new")).unwrap(), &["new"])]
#[case::a_staged_file_for_a_directory(|test: &TestRepo| { test.write("new", "mine\n"); test.git(&["add", "new"]); test.remove("new"); }, &["new"])]
#[case::a_directory_for_a_file(|test: &TestRepo| test.write("plain/mine", "mine\n"), &["plain/mine"])]
#[case::a_staged_directory_for_a_file(|test: &TestRepo| { test.write("plain/mine", "mine\n"); test.git(&["add", "plain"]); fs::remove_dir_all(test.root.join("plain")).unwrap(); }, &["plain/mine"])]
#[case::more_in_a_directory_that_becomes_a_file(|test: &TestRepo| test.write("becomes-file/mine.o", "mine\n"), &["becomes-file/mine.o"])]
#[case::a_repository_inside(|test: &TestRepo| drop(test.git(&["init", "-q", "new"])), &["new"])]
#[case::a_directory_in_its_place(|test: &TestRepo| { test.remove("a"); test.write("a/b", "mine\n"); }, &["a/b"])]
#[case::several(|test: &TestRepo| { test.write("a", "mine\n"); test.write("new.o", "mine\n"); test.write("keep", "mine\n"); }, &["a", "new.o"])]
fn what_is_in_the_way_is_named_and_nothing_is_written(
    #[values(Way::Library, Way::Program)] way: Way,
    #[case] disturb: fn(&TestRepo),
    #[case] expected: &[&str],
) {
    let files = [
        (".gitignore", "*.o\n"),
        ("a", "1\n"),
        ("becomes-file/x", "1\n"),
        ("goes/x", "1\n"),
        ("keep", "1\n"),
        (STATE, "{}\n"),
    ];
    let scene = Scene::new(way, &files, |test| {
        test.write("a", "2\n");
        test.remove("goes/x");
        fs::remove_dir_all(test.root.join("becomes-file")).unwrap();
        test.write("becomes-file", "2\n");
        test.write("new/file", "new\n");
        test.write("plain", "new\n");
        test.write("new.o", "new\n");
        test.git(&["add", "-f", "new.o"]);
        test.write(STATE, "{\"turn\": 1}\n");
    });
    disturb(&scene.test);
    scene.assert_overlaps(expected);
}

#[rstest]
fn unmerged_entries_are_in_the_way(#[values(Way::Library, Way::Program)] way: Way) {
    let scene = Scene::new(way, &[("a", "1\n")], |test| test.write("a", "2\n"));
    let test = &scene.test;
    test.write("a", "stashed\n");
    test.git(&["stash", "-q"]);
    test.write("a", "3\n");
    test.git(&["commit", "-qam", "main"]);
    assert!(!test.run(&["stash", "pop"]).status.success());
    test.write("a", "1\n");
    let from = scene.repo.head().unwrap();
    let overlaps = scene.repo.overlaps(&from.commit, &scene.to, &[]).unwrap();
    assert_eq!(overlaps, ["a".into()]);
}

#[rstest]
fn what_holds_the_new_version_already_is_done(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let scene = Scene::new(way, &[("a", "1\n"), ("b", "1\n"), ("gone", "1\n"), ("c", "1\n")], |test| {
        test.write("a", "2\n");
        test.write("b", "2\n");
        test.write("c", "2\n");
        test.remove("gone");
        test.write("new", "new\n");
    });
    scene.test.write("a", "2\n");
    scene.test.write("b", "2\n");
    scene.test.git(&["add", "b"]);
    scene.test.remove("gone");
    scene.test.write("new", "new\n");
    scene.assert_brought("");
}

#[rstest]
#[case::changed(|test: &TestRepo| test.write(STATE, "mine\n"))]
#[case::staged(|test: &TestRepo| { test.write(STATE, "mine\n"); test.git(&["add", STATE]); })]
#[case::deleted(|test: &TestRepo| test.remove(STATE))]
#[case::unstaged(|test: &TestRepo| drop(test.git(&["rm", "-q", "--cached", STATE])))]
#[case::a_link(|test: &TestRepo| { test.remove(STATE); symlink("nowhere", test.root.join(STATE)).unwrap(); })]
#[case::an_empty_directory(|test: &TestRepo| { test.remove(STATE); fs::create_dir(test.root.join(STATE)).unwrap(); })]
fn what_is_owned_is_overwritten(
    #[values(Way::Library, Way::Program)] way: Way,
    #[values(true, false)] differs: bool,
    #[case] disturb: fn(&TestRepo),
) {
    let scene = Scene::new(way, &[("a", "1\n"), (STATE, "{}\n")], |test| {
        test.write("a", "2\n");
        if differs {
            test.write(STATE, "{\"turn\": 1}\n");
        }
    });
    disturb(&scene.test);
    scene.assert_brought("");
    assert_eq!(scene.read(STATE), if differs { "{\"turn\": 1}\n" } else { "{}\n" });
}

#[rstest]
fn a_state_file_that_no_commit_has_yet_is_left_where_it_is(#[values(Way::Library, Way::Program)] way: Way) {
    let scene = Scene::new(way, &[("a", "1\n")], |test| test.write("a", "2\n"));
    scene.test.write(STATE, "{}\n");
    scene.assert_brought("?? sync/\n");
    assert_eq!(scene.read(STATE), "{}\n");
}

#[rstest]
fn line_ends_are_those_that_the_new_commit_asks_for(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[
        (".gitattributes", "*.txt text eol=crlf\n"),
        ("d/old.txt", "1\n"),
        ("plain", "1\n"),
    ]);
    test.remove("d/old.txt");
    test.git(&["checkout", "-q", "--", "d/old.txt"]);
    let scene = Scene::on(way, test, |test| {
        test.write(".gitattributes", "*.txt text eol=crlf\nplain text eol=crlf\n");
        test.write("d/old.txt", "2\r\n");
        test.write("d/.gitattributes", "other text eol=crlf\n");
        test.write("d/other", "new\r\n");
        test.write("plain", "2\r\n");
    });
    assert_eq!(scene.read("d/old.txt"), "1\r\n");
    scene.assert_brought("");
    assert_eq!(scene.read("d/old.txt"), "2\r\n");
    assert_eq!(scene.read("d/other"), "new\r\n");
    assert_eq!(scene.read("plain"), "2\r\n");
}

#[rstest]
fn a_file_is_made_as_git_makes_it(
    #[values("plain", "run", "d/.github/it", "-d/a b+c@1=2,3", "~d/ö\\:", ".gitignore")] path: &str,
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let scene = Scene::on(way, TestRepo::with(&[("other", "1")]), |test| {
        test.write(path, "1\r\n\0");
        if path == "run" {
            let executable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(test.root.join(path), executable).unwrap();
        }
    });
    let git_made = scene.test.root.join("other").metadata().unwrap().mode();
    scene.assert_brought("");
    assert_eq!(scene.read(path), "1\r\n\0");
    let mode = scene.test.root.join(path).metadata().unwrap().mode();
    assert_eq!(mode, if path == "run" { git_made | (git_made & 0o444) >> 2 } else { git_made });
}

#[rstest]
fn line_ends_are_those_that_the_user_asks_for(
    #[values("core.autocrlf", "core.attributesfile")] setting: &str,
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let scene = Scene::on(way, TestRepo::with(&[("other", "1\n")]), |test| test.write("d/new.txt", "n\n"));
    let told = scene.test.root.with_file_name("told");
    std::fs::write(&told, "* text eol=crlf\n").unwrap();
    let value = if setting == "core.autocrlf" { "true" } else { told.to_str().unwrap() };
    scene.test.git(&["config", setting, value]);
    scene.assert_brought("");
    assert_eq!(scene.read("d/new.txt"), "n\r\n");
}

#[rstest]
fn a_file_that_git_takes_for_unchanged_is(#[values(Way::Library, Way::Program)] way: Way) {
    // Its line ends are in the repository as they are.
    let test = TestRepo::with(&[("a", "1\r\n"), ("b", "1\r\n")]);
    test.write(".gitattributes", "* text=auto\n");
    test.git(&["add", ".gitattributes"]);
    test.git(&["commit", "-qm", "attributes"]);
    let scene = Scene::on(way, test, |test| {
        test.write("new", "n\n");
        test.git(&["rm", "-q", "a"]);
    });
    scene.assert_brought("");
    assert!(!scene.test.root.join("a").exists());
}

#[test]
fn a_filter_makes_the_file() {
    let test = TestRepo::with(&[(".gitattributes", "*.big filter=pointer\n")]);
    test.git(&["config", "filter.pointer.clean", "sed s/secret/pointer/"]);
    test.git(&["config", "filter.pointer.smudge", "sed s/pointer/secret/"]);
    let scene = Scene::on(Way::Program, test, |test| test.write("d/x.big", "secret\n"));
    scene.assert_brought("");
    assert_eq!(scene.read("d/x.big"), "secret\n");
    assert_eq!(scene.test.git(&["show", "HEAD:d/x.big"]), "pointer\n");
}

#[rstest]
#[case::whole_index(&["sparse-checkout", "set", "--cone", "in"])]
#[case::sparse_index(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"])]
#[case::patterns(&["sparse-checkout", "set", "--no-cone", "/in/"])]
fn what_a_sparse_checkout_leaves_out_stays_out(#[case] set: &[&str]) {
    let scene = Scene::new(Way::Program, &[("in/a", "1\n"), ("out/b", "1\n"), ("out/gone", "1\n")], |test| {
        test.write("in/a", "2\n");
        test.write("in/new", "new\n");
        test.write("out/b", "2\n");
        test.write("out/new", "new\n");
        test.remove("out/gone");
        test.write("further/out", "new\n");
    });
    scene.test.git(set);
    assert!(!scene.test.root.join("out").exists());
    scene.assert_brought("");
    assert_eq!(scene.read("in/a"), "2\n");
    assert_eq!(scene.read("in/new"), "new\n");
    assert!(!scene.test.root.join("out").exists());
    assert!(!scene.test.root.join("further").exists());
    scene.test.git(&["sparse-checkout", "disable"]);
    assert_eq!(scene.read("out/b"), "2\n");
    assert_eq!(scene.test.status(), "");
}

#[rstest]
fn submodules_are_never_checked_out_and_never_in_the_way(#[values(Way::Library, Way::Program)] way: Way) {
    let inner = TestRepo::with(&[("i", "1\n")]);
    let test = TestRepo::with(&[("a", "1\n")]);
    let url = inner.root.to_str().unwrap();
    for name in ["bumped", "goes"] {
        test.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, name]);
    }
    test.git(&["commit", "-qm", "with submodules"]);
    let scene = Scene::on(way, test, |test| {
        test.write("a", "2\n");
        test.run_in(
            &test.root.join("bumped"),
            &["-c", "user.name=T", "-c", "user.email=t@x", "commit", "-q", "--allow-empty", "-m", "x"],
        );
        let id = "1234567890123456789012345678901234567890";
        test.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},comes")]);
        fs::create_dir(test.root.join("comes")).unwrap();
        test.git(&["rm", "-q", "--cached", "goes"]);
        fs::rename(test.root.join("goes"), test.root.with_file_name("goes")).unwrap();
    });
    fs::remove_dir_all(scene.test.root.join("goes")).unwrap();
    fs::rename(scene.test.root.with_file_name("goes"), scene.test.root.join("goes")).unwrap();
    let old = ["checkout", "-q", "HEAD~1"];
    scene.test.run_in(&scene.test.root.join("bumped"), &old);
    let was = scene.files();
    assert_eq!(scene.bring().unwrap(), Brought::Done);
    assert_eq!(scene.read("a"), "2\n");
    assert!(scene.test.root.join("comes").is_dir());
    assert_eq!(scene.read("goes/i"), "1\n");
    let below = |files: Vec<(String, String)>| {
        files.into_iter().filter(|(path, _)| path.contains('/')).collect::<Vec<_>>()
    };
    assert_eq!(below(scene.files()), below(was), "nothing in a submodule changes");
    let staged = scene.test.git(&["diff", "--cached", "--name-only"]);
    assert_eq!(staged, "");
}

#[rstest]
fn another_branch_or_none_is_refused(#[values(Way::Library, Way::Program)] way: Way) {
    let scene = Scene::new(way, &[("a", "1\n")], |test| test.write("a", "2\n"));
    let files = scene.files();
    let moved = format!(
        "the branch `main` moved from {} while its next commit was made; nothing was committed, and the work tree is as it was",
        scene.from.commit
    );
    scene.test.git(&["switch", "-q", "-c", "other"]);
    assert_eq!(scene.bring().unwrap_err().to_string(), moved);
    scene.test.git(&["switch", "-q", "main"]);
    scene.test.git(&["commit", "-q", "--allow-empty", "-m", "mine"]);
    assert_eq!(scene.bring().unwrap_err().to_string(), moved);
    let detached = Head { branch: None, ..scene.from.clone() };
    let refused = scene.repo.bring_to(&detached, &scene.to, &[], "");
    assert!(matches!(refused, Err(RepoError::DetachedHead { .. })));
    assert_eq!(scene.files(), files);
    scene.assert_no_litter();
}

#[rstest]
fn while_another_git_writes_the_index_nothing_is_written(#[values(Way::Library, Way::Program)] way: Way) {
    let scene = Scene::new(way, &FILES, change_much);
    let files = scene.files();
    let lock = scene.test.root.join(".git/index.lock");
    fs::write(&lock, "").unwrap();
    let refused = scene.bring();
    assert!(matches!(refused, Err(RepoError::Locked { .. })), "{refused:?}");
    fs::remove_file(lock).unwrap();
    assert_eq!(scene.files(), files);
}

#[rstest]
fn where_the_branch_cannot_move_the_files_are_taken_back(#[values(Way::Library, Way::Program)] way: Way) {
    let scene = Scene::new(way, &FILES, change_much);
    let files = scene.files();
    let lock = scene.test.root.join(".git/refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    let refused = scene.bring();
    assert!(matches!(refused, Err(RepoError::Locked { .. })), "{refused:?}");
    assert_eq!((scene.files(), scene.test.status()), (files, String::new()));
    scene.assert_no_litter();
    fs::remove_file(lock).unwrap();
    scene.assert_brought("");
}

/// As if the kill had come when this file was in its place.
fn left_by_a_kill(scene: &Scene, branch: &str) {
    let (from, to) = (&scene.from.commit, &scene.to);
    let record =
        format!(r#"{{"branch":"{branch}","from":"{from}","to":"{to}","placed":["changed"],"skipped":[]}}"#);
    scene.test.write(".git/baton-index-lock", &record);
    scene.test.write("changed", "2\n");
}

#[rstest]
fn what_a_kill_has_left_is_taken_back_on_its_own_branch_and_commit_only(
    #[values(Way::Library, Way::Program)] way: Way,
) {
    let change = |test: &TestRepo| test.write("changed", "2\n");
    let scene = Scene::new(way, &FILES, change);
    left_by_a_kill(&scene, "main");
    scene.repo.preflight(None).unwrap();
    assert_eq!(scene.test.status(), "");
    left_by_a_kill(&scene, "other");
    scene.repo.preflight(None).unwrap();
    assert_eq!(scene.test.status(), " M changed\n");
    scene.test.git(&["commit", "-qm", "on", "--allow-empty"]);
    left_by_a_kill(&scene, "main");
    scene.repo.preflight(None).unwrap();
    assert_eq!(scene.test.status(), " M changed\n");
    scene.assert_no_litter();
}

#[rstest]
fn what_a_person_has_staged_since_a_kill_is_not_taken_back(#[values(Way::Library, Way::Program)] way: Way) {
    let scene = Scene::new(way, &FILES, |test| test.write("changed", "2\n"));
    left_by_a_kill(&scene, "main");
    scene.test.git(&["add", "changed"]);
    scene.repo.preflight(None).unwrap();
    assert_eq!(scene.test.status(), "M  changed\n");
    scene.assert_no_litter();
}

#[rstest]
fn what_changes_between_look_and_move_is_left_as_it_is(#[values(Way::Library, Way::Program)] way: Way) {
    let scene = Scene::new(way, &FILES, change_much);
    let files = scene.files();
    let mut plan = scene.repo.plan_move(&scene.from.commit, &scene.to, &[]).unwrap();
    scene.test.write("changed", "mine\n");
    let refused = scene.repo.place_files(&mut plan, &scene.to).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`changed` changed while the work tree was brought to another commit; it was left as it is, and the same command goes on \
         from here"
    );
    assert_eq!(scene.read("changed"), "mine\n");
    scene.assert_overlaps(&["changed"]);
    scene.test.write("changed", "1\n");
    scene.assert_brought("");
    assert_ne!(scene.files(), files);
}

#[rstest]
fn a_linked_work_tree_and_a_workspace_below_the_root(#[values(Way::Library, Way::Program)] way: Way) {
    let scene = Scene::new(way, &FILES, change_much);
    let linked = scene.test.root.with_file_name("linked");
    scene.test.git(&["worktree", "add", "-q", "-b", "there", linked.to_str().unwrap()]);
    let repo = scene.test.try_open_as(way, &linked.join("d")).unwrap();
    let head = repo.head().unwrap();
    assert_eq!(repo.bring_to(&head, &scene.to, &[], "log").unwrap(), Brought::Done);
    let status = scene.test.run_in(&linked, &["status", "--porcelain"]);
    assert_eq!(String::from_utf8_lossy(&status.stdout), "");
    assert_eq!(fs::read_to_string(linked.join("new/very/deep")).unwrap(), "new\n");
    assert_eq!(scene.read("changed"), "1\n");
}

#[test]
fn sha256_and_reftable() {
    let test = TestRepo::unborn();
    fs::remove_dir_all(test.root.join(".git")).unwrap();
    test.git(&["init", "-q", "-b", "main", "--object-format=sha256", "--ref-format=reftable"]);
    test.git(&["config", "user.name", "Tester"]);
    test.git(&["config", "user.email", "tester@example.org"]);
    test.write("a", "1\n");
    test.git(&["add", "-A"]);
    test.git(&["commit", "-qm", "first"]);
    let scene = Scene::on(Way::Program, test, |test| {
        test.write("a", "2\n");
        test.write("b", "2\n");
    });
    scene.assert_brought("");
    let empty = scene.repo.replay(&scene.from.commit, &scene.to, &scene.to, &[]).unwrap();
    assert_eq!(empty, Replayed::Tip(scene.to.clone()));
}
