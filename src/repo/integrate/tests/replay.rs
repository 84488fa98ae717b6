//! Commits made and replayed as objects, over both ways to work with git.

use std::os::unix::fs::PermissionsExt;

use rstest::rstest;

use crate::publish::{ObjectId, RepoPath};
use crate::repo::error::RepoError;
use crate::repo::open::Repo;
use crate::repo::testing::{TestRepo, Way};
use crate::repo::{FileCommit, Replayed};

const STATE: &str = "sync/state.json";

/// Two histories from one base: `theirs`, and what is checked out.
struct Two {
    test: TestRepo,
    repo: Repo,
    base: ObjectId,
    theirs: ObjectId,
}

impl Two {
    fn new(way: Way, files: &[(&str, &str)], theirs: impl FnOnce(&TestRepo)) -> Self {
        let test = TestRepo::with(files);
        let repo = test.open_as(way);
        let base = repo.head().unwrap().commit;
        test.git(&["switch", "-q", "-c", "theirs"]);
        theirs(&test);
        commit(&test, "theirs");
        let tip = repo.head().unwrap().commit;
        test.git(&["switch", "-q", "main"]);
        Self { test, repo, base, theirs: tip }
    }

    fn replay(&self) -> Replayed {
        let tip = self.repo.head().unwrap().commit;
        self.repo.replay(&self.base, &tip, &self.theirs, &[STATE.into()]).unwrap()
    }

    #[track_caller]
    fn tip(&self) -> String {
        match self.replay() {
            Replayed::Tip(tip) => tip.to_string(),
            Replayed::Conflict { .. } => panic!("a conflict"),
        }
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.test.git(arguments)
    }
}

fn commit(test: &TestRepo, message: &str) {
    test.git(&["add", "-A"]);
    test.git(&["commit", "-q", "--allow-empty", "-m", message]);
}

#[rstest]
fn a_commit_of_a_few_files_is_an_object_only(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let test = TestRepo::with(&[("a", "1"), (STATE, "{}"), ("run", "#!/bin/sh\n")]);
    std::fs::set_permissions(test.root.join("run"), PermissionsExt::from_mode(0o755)).unwrap();
    commit(&test, "executable");
    test.write("a", "staged");
    test.git(&["add", "a"]);
    let repo = test.open_as(way);
    let head = repo.head().unwrap();
    let identity = repo.identity().unwrap();
    let files: Vec<(RepoPath, Vec<u8>)> = vec![
        (STATE.into(), b"{\"new\": true}\n".to_vec()),
        ("new/deep/file".into(), b"n".to_vec()),
        ("run".into(), b"#!/bin/sh\nexit\n".to_vec()),
    ];
    let message =
        "[SYNC i=3] actor=galph status=running\n\n[skip ci]\n\nBaton-Turn: 01JD5F3Z8K0000000000000000\n";
    let plan = FileCommit { parent: &head.commit, files: &files, message, identity: &identity };
    let id = repo.write_commit(&plan).unwrap();
    assert_eq!(repo.write_commit(&plan).unwrap(), id);
    assert_eq!(repo.head().unwrap(), head);
    assert_eq!(test.status(), "M  a\n");
    assert_eq!(
        test.git(&["show", "--format=%an <%ae> %cn %ct%n%P%n%B", "--raw", "--abbrev=4", id.as_str()]),
        format!(
            "Tester <tester@example.org> Tester 1767323045\n{}\n{message}\n\n\
             :000000 100644 0000 {} A\tnew/deep/file\n\
             :100755 100755 1a24 {} M\trun\n\
             :100644 100644 9e26 {} M\tsync/state.json\n",
            head.commit,
            &test.git(&["rev-parse", &format!("{id}:new/deep/file")])[..4],
            &test.git(&["rev-parse", &format!("{id}:run")])[..4],
            &test.git(&["rev-parse", &format!("{id}:{STATE}")])[..4],
        )
    );
    assert_eq!(repo.file_at(&id, &STATE.into()).unwrap().unwrap(), b"{\"new\": true}\n");
    let nothing = FileCommit { files: &[], ..plan };
    let empty = repo.write_commit(&nothing).unwrap();
    assert_eq!(test.git(&["diff", head.commit.as_str(), empty.as_str()]), "");
    test.assert_sound();
}

#[rstest]
fn commits_keep_author_date_and_message_and_take_the_state_from_where_they_are_put(
    #[values(Way::Library, Way::LibraryAlone, Way::Program)] way: Way,
) {
    let two = Two::new(way, &[("a", "1\n"), ("b", "1\n"), (STATE, "{}\n")], |test| {
        test.write("b", "2\n");
        test.write(STATE, "theirs\n");
    });
    let test = &two.test;
    test.write("a", "2\n");
    test.write(STATE, "ours\n");
    test.git(&["add", "-A"]);
    test.git(&[
        "-c",
        "user.name=Ágent",
        "commit",
        "-q",
        "--date=2020-01-01T00:00:00+02:00",
        "-m",
        "first\n\nbody\n\nBaton-Turn: 01JD5F3Z8K0000000000000000",
    ]);
    test.write(STATE, "again\n");
    commit(test, "the state only");
    commit(test, "empty from the start");
    test.write("new/x", "x");
    commit(test, "last");
    let was = two.git(&["log", "--format=%an %ae %aI %cn %cI %B", "theirs..main"]);
    let tip = two.tip();
    let now = two.git(&["log", "--format=%an %ae %aI %cn %cI %B", &format!("theirs..{tip}")]);
    let without: Vec<&str> =
        was.split_inclusive("\n\n").filter(|it| !it.contains("the state only")).collect();
    assert_eq!(now, without.concat());
    assert_eq!(
        two.git(&["log", "--format=%s", &format!("theirs..{tip}")]),
        "last\nempty from the start\nfirst\n"
    );
    assert_eq!(two.git(&["show", &format!("{tip}:{STATE}")]), "theirs\n");
    assert_eq!(two.git(&["diff", "--name-only", "theirs", &tip]), "a\nnew/x\n");
    assert_eq!(two.tip(), tip, "the same once more");
    assert_eq!(test.status(), "");
    test.assert_sound();
}

#[rstest]
fn changes_of_one_file_in_two_places_are_merged_and_renames_followed(
    #[values(Way::Library, Way::Program)] way: Way,
) {
    let lines = (1..40).fold(String::new(), |text, number| text + &format!("line {number}\n"));
    let two = Two::new(way, &[("a", &lines), ("old", &lines.replace("line", "row"))], |test| {
        test.write("a", &lines.replace("line 1\n", "theirs\n"));
        test.git(&["mv", "old", "renamed"]);
    });
    two.test.write("a", &lines.replace("line 39\n", "ours\n"));
    two.test.write("old", &lines.replace("line", "row").replace("row 20\n", "ours\n"));
    commit(&two.test, "ours");
    let tip = two.tip();
    let a = two.git(&["show", &format!("{tip}:a")]);
    assert!(a.contains("theirs\n") && a.contains("ours\n"));
    assert!(two.git(&["show", &format!("{tip}:renamed")]).contains("ours\n"));
    assert_eq!(two.git(&["ls-tree", "--name-only", &tip]), "a\nrenamed\n");
    two.test.assert_sound();
}

#[rstest]
fn a_conflict_names_commit_and_paths_and_touches_nothing(#[values(Way::Library, Way::Program)] way: Way) {
    let two = Two::new(way, &[("a", "1\n"), ("b", "1\n"), ("c", "1\n"), (STATE, "{}\n")], |test| {
        test.write("a", "theirs\n");
        test.write("b", "theirs\n");
        test.write(STATE, "theirs\n");
        test.remove("c");
    });
    let test = &two.test;
    test.write("d", "fine\n");
    commit(test, "before");
    for path in ["a", "b", "c", STATE] {
        test.write(path, "ours\n");
    }
    commit(test, "the one\n\nBaton-Turn: 01JD5F3Z8K0000000000000000");
    test.write("untracked", "u");
    let head = two.repo.head().unwrap();
    let Replayed::Conflict { commit, paths } = two.replay() else { panic!("no conflict") };
    assert_eq!(paths, ["a".into(), "b".into(), "c".into()]);
    assert_eq!((commit.id, commit.subject.as_str()), (head.commit.clone(), "the one"));
    assert_eq!(commit.turn, Some(crate::repo::testing::turn()));
    assert_eq!(two.repo.head().unwrap(), head);
    assert_eq!(test.status(), "?? untracked\n");
    assert!(two.repo.operation_in_progress().unwrap().is_none());
}

#[rstest]
fn what_is_there_already_is_dropped_and_nothing_to_replay_is_what_it_was_put_on(
    #[values(Way::Library, Way::Program)] way: Way,
) {
    let two = Two::new(way, &[("a", "1\n")], |test| test.write("a", "2\n"));
    assert_eq!(two.tip(), two.theirs.as_str());
    two.test.write("a", "2\n");
    commit(&two.test, "the same change");
    assert_eq!(two.tip(), two.theirs.as_str());
}

#[rstest]
fn commits_that_stand_on_it_already_stay_the_very_same(#[values(Way::Library, Way::Program)] way: Way) {
    let two = Two::new(way, &[("a", "1\n")], |_| {});
    two.git(&["reset", "-q", "--hard", "theirs"]);
    two.test.write("a", "2\n");
    commit(&two.test, "on top");
    assert_eq!(two.tip(), two.repo.head().unwrap().commit.as_str());
}

#[rstest]
fn a_merge_keeps_its_other_parent(#[values(Way::Library, Way::Program)] way: Way) {
    let two = Two::new(way, &[("a", "1\n"), ("b", "1\n")], |test| test.write("theirs", "t"));
    let test = &two.test;
    test.git(&["switch", "-q", "-c", "side"]);
    test.write("side", "s");
    commit(test, "side");
    test.git(&["switch", "-q", "main"]);
    test.write("a", "2\n");
    commit(test, "main");
    test.git(&["merge", "-q", "-m", "merged", "side"]);
    // Of no use in the new history.
    test.git(&["merge", "-q", "-m", "theirs merged", "theirs"]);
    let tip = two.tip();
    assert_eq!(
        two.git(&["log", "--format=%s", "--first-parent", &format!("theirs..{tip}")]),
        "merged\nmain\n"
    );
    assert_eq!(
        two.git(&["rev-parse", &format!("{tip}^2")]),
        two.git(&["rev-parse", "side"]),
        "the side's commits are the same"
    );
    assert_eq!(two.git(&["ls-tree", "--name-only", &tip]), "a\nb\nside\ntheirs\n");
    test.assert_sound();
}

#[rstest]
fn files_and_directories_in_each_others_place_are_no_independent_changes(
    #[values(Way::Library, Way::Program)] way: Way,
) {
    let two = Two::new(way, &[("keep", "1\n")], |test| test.write("x", "a file\n"));
    two.test.write("x/y", "in a directory\n");
    commit(&two.test, "ours");
    let Replayed::Conflict { paths, .. } = two.replay() else { panic!("no conflict") };
    assert!(!paths.is_empty());
}

#[test]
fn an_installed_git_that_is_too_old_is_named_with_a_remedy() {
    let error = RepoError::GitTooOld {
        version: "2.34.1".to_owned(),
        needed: "2.38".to_owned(),
        doing: "replaying commits on those of the remote",
    };
    assert_eq!(
        error.to_string(),
        "replaying commits on those of the remote needs git 2.38 or newer, and the installed one is 2.34.1; update git, or set \
         `git.backend: git2` where the repository allows it"
    );
}

#[test]
fn replayed_commits_are_signed_anew_where_commits_are_signed() {
    let mut test = TestRepo::with(&[("a", "1\n")]);
    let program = test.root.with_file_name("sign");
    // What gpg says when it signs.
    std::fs::write(
        &program,
        "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\necho '-----BEGIN PGP SIGNATURE-----'\necho \
         '-----END PGP SIGNATURE-----'\n",
    )
    .unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    test.set_env("GNUPGHOME", "/nowhere");
    test.git(&["config", "gpg.program", program.to_str().unwrap()]);
    let base = test.open().head().unwrap().commit;
    test.git(&["switch", "-q", "-c", "theirs"]);
    test.write("b", "b");
    commit(&test, "theirs");
    let theirs = test.open().head().unwrap().commit;
    test.git(&["switch", "-q", "main"]);
    test.write("a", "2\n");
    commit(&test, "ours: ünïcode\n\nbody");
    test.git(&["config", "commit.gpgSign", "true"]);
    let repo = test.open_as(Way::Program);
    let tip = repo.head().unwrap().commit;
    let Replayed::Tip(new) = repo.replay(&base, &tip, &theirs, &[]).unwrap() else { panic!("a conflict") };
    let raw = test.git(&["cat-file", "commit", new.as_str()]);
    assert!(raw.contains("gpgsig -----BEGIN PGP SIGNATURE-----"), "{raw}");
    let format = ["log", "-1", "--format=%an %ae %ad %cn %cd %B"];
    assert_eq!(
        test.git(&[&format[..], &[new.as_str()]].concat()),
        test.git(&[&format[..], &["main"]].concat())
    );
    let identity = repo.identity().unwrap();
    let plan = FileCommit { parent: &new, files: &[], message: "stamp\n", identity: &identity };
    let stamp = repo.write_commit(&plan).unwrap();
    assert!(test.git(&["cat-file", "commit", stamp.as_str()]).contains("gpgsig "));
}
