//! The installed git at work: what is a person's, what must not be published, and turns in a work tree of their own.

use std::fs;
use std::path::PathBuf;

use rstest::rstest;

use crate::scratch::{Run, Scratch};

const BY_GIT: &str = "agent: { default: shell }\ngit: { backend: cli }\n";

const FORMATS: [&[&str]; 3] =
    [&[], &["--object-format=sha256"], &["--object-format=sha256", "--ref-format=reftable"]];

/// A repository in which the agent of the second seat runs this.
fn scratch(options: &[&str], script: &str) -> Scratch {
    let scratch = Scratch::with_format(options);
    scratch.write("orchestration.yaml", BY_GIT);
    scratch.write("prompts/main.md", format!("```sh\n{script}\n```\n"));
    commit_all(&scratch);
    scratch
}

fn commit_all(scratch: &Scratch) {
    scratch.git(&["add", "--all"]);
    scratch.git(&["commit", "--quiet", "--message=set up"]);
}

fn run(scratch: &Scratch) -> Run {
    scratch.baton(&["run", "--sync-loops", "1"])
}

#[track_caller]
fn assert_ended(run: &Run, code: i32) {
    assert_eq!(run.code, Some(code), "{run:?}");
}

fn rescue_refs(scratch: &Scratch) -> Vec<String> {
    let listed = scratch.git(&["for-each-ref", "--format=%(refname)", "refs/baton-rescue"]);
    listed.lines().map(str::to_owned).collect()
}

fn parts(names: &[String]) -> Vec<&str> {
    names.iter().filter_map(|name| name.rsplit('/').next()).collect()
}

/// Put together at run time, so that no scanner takes this file for a leak.
fn token() -> String {
    ["ghp_", "4kQ9zR2mX7pL1vN8", "bT6yW3cJ5hF0dSgAeUiO"].concat()
}

#[rstest]
fn copies_of_what_is_a_persons_go_when_a_turn_has_left_it_alone(
    #[values(FORMATS[0], FORMATS[1], FORMATS[2])] options: &[&str],
) {
    let list = "git for-each-ref --format='%(refname)' refs/baton-rescue > ../refs; echo x >> notes.txt";
    let scratch = scratch(options, list);
    scratch.git(&["branch", "other", "HEAD~1"]);
    scratch.write("mine.txt", "mine\n");
    scratch.write("staged.txt", "staged\n");
    scratch.git(&["add", "staged.txt"]);
    scratch.write("staged.txt", "and changed\n");
    assert_ended(&run(&scratch), 0);
    let during = fs::read_to_string(scratch.root().join("../refs")).unwrap();
    let during: Vec<String> = during.lines().map(str::to_owned).collect();
    assert_eq!(parts(&during), ["branch", "files", "kept", "staged"]);
    assert_eq!(rescue_refs(&scratch), Vec::<String>::new());
    assert_eq!(scratch.git(&["status", "--porcelain"]), "AM staged.txt\n?? mine.txt\n?? sync/\n");
    assert_eq!(scratch.git(&["show", "--format=", "--name-only", "HEAD"]), "notes.txt\n");
    scratch.git(&["fsck", "--strict", "--full"]);
}

#[rstest]
fn what_the_agent_has_undone_is_got_back_from_the_copies(
    #[values(FORMATS[0], FORMATS[1], FORMATS[2])] options: &[&str],
) {
    let scratch = scratch(options, "echo x >> notes.txt; git checkout -q -- mine.txt");
    scratch.write("mine.txt", "as committed\n");
    commit_all(&scratch);
    scratch.write("mine.txt", "mine\n");
    let refused = run(&scratch);
    assert_ended(&refused, 5);
    let kept = rescue_refs(&scratch);
    let files = kept.iter().find(|name| name.ends_with("/files")).unwrap();
    let command = format!("`git restore --source={files} -- mine.txt`");
    assert!(refused.stderr.contains(&command), "{refused:?}");
    scratch.git(&["restore", &format!("--source={files}"), "--", "mine.txt"]);
    assert_eq!(scratch.read("mine.txt"), "mine\n");
    assert_ended(&run(&scratch), 0);
    assert_eq!(rescue_refs(&scratch), Vec::<String>::new());
    assert_eq!(scratch.git(&["status", "--porcelain"]), " M mine.txt\n?? sync/\n");
}

#[rstest]
fn a_protected_path_in_an_agents_commit_is_refused(#[values(FORMATS[0], FORMATS[1])] options: &[&str]) {
    let script = "echo x >> prompts/main.md; git commit -qam 'by the agent'; echo y >> notes.txt";
    let scratch = scratch(options, script);
    scratch.write("orchestration.yaml", format!("{BY_GIT}publish: {{ protect: ['prompts/**'] }}\n"));
    commit_all(&scratch);
    let refused = run(&scratch);
    assert_ended(&refused, 5);
    let tip = scratch.git(&["rev-parse", "--short", "HEAD"]);
    let said = format!(
        "prompts/main.md: commit {} (by the agent) changes it, and `publish.protect` names it",
        &tip.trim()[..7]
    );
    assert!(refused.stderr.contains(&said), "{refused:?}");
    let accepted = scratch.baton(&["run", "--sync-loops", "1", "--accept-commits", tip.trim()]);
    assert_ended(&accepted, 0);
    assert_eq!(scratch.git(&["log", "-2", "--format=%s"]).lines().last(), Some("by the agent"));
}

#[rstest]
fn a_secret_in_an_agents_commit_is_refused_even_if_a_later_one_removes_it(
    #[values(FORMATS[0], FORMATS[1])] options: &[&str],
) {
    let script = format!(
        "echo 'key {}' > key.txt; git add key.txt; git commit -qm in; git rm -q key.txt; git commit -qm out",
        token()
    );
    let scratch = scratch(options, &script);
    let tip = || scratch.git(&["rev-parse", "HEAD"]);
    let refused = run(&scratch);
    assert_ended(&refused, 5);
    assert!(refused.stderr.contains("key.txt:1:5: github-token, fingerprint "), "{refused:?}");
    assert!(!refused.stderr.contains(&token()), "{refused:?}");
    let was = tip();
    assert_ended(&run(&scratch), 5);
    assert_eq!(tip(), was);
}

#[rstest]
fn a_report_that_is_ignored_and_named_is_committed(#[values(FORMATS[0], FORMATS[1])] options: &[&str]) {
    let scratch = scratch(options, "mkdir -p out; echo '{}' > out/a.json; echo x > out/b.bin");
    let named = format!("{BY_GIT}publish: {{ reports: {{ force_add: ['out/*.json'] }} }}\n");
    scratch.write("orchestration.yaml", &named);
    scratch.write(".gitignore", "out/\n");
    commit_all(&scratch);
    assert_ended(&run(&scratch), 0);
    assert_eq!(scratch.git(&["show", "--format=", "--name-only", "HEAD"]), "out/a.json\n");
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? sync/\n");
}

fn isolated(scratch: &Scratch) -> Run {
    scratch.baton(&["run", "--isolation=worktree", "--branch=loop", "--sync-loops=1"])
}

fn tree(scratch: &Scratch) -> PathBuf {
    scratch.root().join(".git/baton/worktrees/loop")
}

#[rstest]
fn an_isolated_loop_goes_on_in_formats_that_only_git_reads(
    #[values(FORMATS[0], FORMATS[1])] options: &[&str],
) {
    let scratch = scratch(options, "echo \"$BATON_ITERATION\" >> notes.txt");
    scratch.git(&["branch", "loop"]);
    scratch.write("mine.txt", "mine\n");
    assert_ended(&isolated(&scratch), 0);
    assert_ended(&isolated(&scratch), 0);
    assert_eq!(scratch.git(&["show", "loop:notes.txt"]), "1\n2\n");
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? mine.txt\n");
    assert!(scratch.git(&["worktree", "list"]).contains("[loop]"));
    // Its link is mended, and its missing files are put back.
    fs::remove_file(tree(&scratch).join(".git")).unwrap();
    fs::remove_file(tree(&scratch).join("prompts/main.md")).unwrap();
    assert_ended(&isolated(&scratch), 0);
    assert_eq!(scratch.git(&["show", "loop:notes.txt"]), "1\n2\n3\n");
    // Somebody else has the branch.
    let other = scratch.root().join("../other").display().to_string();
    scratch.git(&["worktree", "add", "--quiet", "--force", &other, "loop"]);
    let refused = isolated(&scratch);
    assert_ended(&refused, 2);
    assert!(refused.stderr.contains("`loop` is checked out"), "{refused:?}");
    scratch.git(&["worktree", "remove", "--force", &other]);
    fs::write(tree(&scratch).join("kept.txt"), "mine\n").unwrap();
    let refused = scratch.baton(&["worktree", "remove", "loop"]);
    assert!(refused.stderr.contains("kept.txt"), "{refused:?}");
    fs::remove_file(tree(&scratch).join("kept.txt")).unwrap();
    assert_ended(&scratch.baton(&["worktree", "remove", "loop"]), 0);
    assert!(!tree(&scratch).exists());
    scratch.git(&["fsck", "--strict", "--full"]);
}

#[test]
fn an_isolated_loop_is_refused_where_references_are_in_a_table() {
    let scratch = scratch(FORMATS[2], "true");
    scratch.git(&["branch", "loop"]);
    let refused = isolated(&scratch);
    assert_ended(&refused, 2);
    assert_eq!(
        refused.stderr,
        "error: the repository stores its references as a reftable, in which turns get no work tree of their own yet\n  \
         help: convert it with `git refs migrate --ref-format=files`, or run with `--isolation none`\n"
    );
    assert!(!tree(&scratch).exists());
}

#[test]
fn an_isolated_loop_has_its_files_as_a_filter_makes_them() {
    let scratch = Scratch::new();
    scratch.git(&["config", "filter.pointer.clean", "sed s/secret/pointer/"]);
    scratch.git(&["config", "filter.pointer.smudge", "sed s/pointer/secret/"]);
    scratch.write(".gitattributes", "*.big filter=pointer\n*.wide working-tree-encoding=UTF-16LE\n");
    scratch.write("model.big", "secret\n");
    scratch.write("text.wide", "a\0\n\0");
    scratch.write("prompts/main.md", "```sh\ncat model.big > seen.txt; echo secret > new.big\n```\n");
    commit_all(&scratch);
    assert_eq!(scratch.git(&["show", "HEAD:model.big"]), "pointer\n");
    scratch.git(&["branch", "loop"]);
    assert_ended(&isolated(&scratch), 0);
    assert_eq!(scratch.git(&["show", "loop:seen.txt"]), "secret\n");
    assert_eq!(scratch.git(&["cat-file", "blob", "loop:new.big"]), "pointer\n");
    assert_eq!(fs::read(tree(&scratch).join("text.wide")).unwrap(), b"a\0\n\0");
}
