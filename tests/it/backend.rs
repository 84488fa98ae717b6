//! The installed git at work: repositories that libgit2 cannot work with, and what it would leave out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rstest::rstest;

use crate::scratch::{Run, Scratch};

/// Writes a file of the work, and notes outside the repository that it ran.
const PROMPT: &str = "```sh\necho \"$BATON_ITERATION\" >> notes.txt\necho ran >> ../ran\n```\n";

fn scratch(options: &[&str]) -> Scratch {
    let scratch = Scratch::with_format(options);
    scratch.write("prompts/main.md", PROMPT);
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
fn assert_done(run: &Run) {
    assert_eq!(run.code, Some(0), "{run:?}");
}

fn installed() -> PathBuf {
    std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|directory| directory.join("git"))
        .find(|file| file.is_file())
        .unwrap()
}

/// The lines of what was said about git.
fn said(run: &Run) -> Vec<String> {
    let git = installed().display().to_string();
    let lines = run.stderr.lines().filter(|line| line.starts_with("note: "));
    lines.map(|line| line.replace(&git, "GIT")).collect()
}

fn runs_of_the_agent(scratch: &Scratch) -> usize {
    fs::read_to_string(scratch.root().join("../ran")).unwrap_or_default().lines().count()
}

fn hook(scratch: &Scratch, name: &str, script: &str) {
    scratch.write_program(&format!(".git/hooks/{name}"), &format!("#!/bin/sh\n{script}\n"), 0o755);
}

#[track_caller]
fn assert_sound(scratch: &Scratch) {
    scratch.git(&["fsck", "--strict", "--full"]);
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? sync/\n");
}

const SET_SPARSE: &[&str] = &["sparse-checkout", "set", "--cone", "prompts"];
const SET_SPARSE_INDEX: &[&str] = &["sparse-checkout", "set", "--cone", "--sparse-index", "prompts"];

#[rstest]
#[case::sha256(&["--object-format=sha256"], &[], "uses SHA-256 object names")]
#[case::reftable(&["--ref-format=reftable"], &[], "stores its references as a reftable")]
#[case::both(&["--object-format=sha256", "--ref-format=reftable"], &[], "stores its references as a reftable")]
#[case::split_index(&[], &["update-index", "--split-index"], "has a split index")]
#[case::sparse_checkout(&[], SET_SPARSE, "has a sparse checkout")]
#[case::sparse_index(&[], SET_SPARSE_INDEX, "has a sparse checkout")]
#[case::partial_clone(&[], &["config", "remote.origin.promisor", "true"], "is a partial clone")]
fn what_libgit2_cannot_work_with_is_worked_with(
    #[case] options: &[&str],
    #[case] set_up: &[&str],
    #[case] because: &str,
) {
    let scratch = scratch(options);
    scratch.write("elsewhere/deep/file", "kept\n");
    commit_all(&scratch);
    if !set_up.is_empty() {
        scratch.git(set_up);
    }
    let run = scratch.baton(&["run", "--sync-loops", "2"]);
    assert_done(&run);
    assert_eq!(
        said(&run),
        [format!("note: using the installed git (GIT), because the repository {because}")]
    );
    assert_eq!(scratch.git(&["log", "-2", "--format=%s", "--name-only"]).lines().count(), 6);
    assert_eq!(scratch.git(&["show", "HEAD:notes.txt"]), "1\n2\n");
    assert_eq!(scratch.git(&["show", "HEAD:elsewhere/deep/file"]), "kept\n");
    assert_sound(&scratch);
}

#[test]
fn an_ordinary_repository_is_worked_with_in_the_same_way_when_asked_for() {
    let scratch = scratch(&[]);
    scratch.write("orchestration.yaml", "agent: { default: shell }\ngit: { backend: cli }\n");
    commit_all(&scratch);
    scratch.write("staged.txt", "mine\n");
    scratch.git(&["add", "staged.txt"]);
    let run = run(&scratch);
    assert_done(&run);
    assert_eq!(said(&run), [""; 0]);
    assert_eq!(scratch.git(&["show", "--format=", "--name-only", "HEAD"]), "notes.txt\n");
    assert_eq!(scratch.git(&["status", "--porcelain"]), "A  staged.txt\n?? sync/\n");
    assert_eq!(scratch.git(&["reflog", "-1", "--format=%gs"]), "baton: 1 commits\n");
}

#[test]
fn what_a_filter_makes_of_a_file_is_what_is_stored() {
    let scratch = scratch(&[]);
    scratch.git(&["config", "filter.pointer.clean", "sed s/secret/pointer/"]);
    scratch.git(&["config", "filter.pointer.smudge", "sed s/pointer/secret/"]);
    scratch.write(".gitattributes", "*.big filter=pointer\n");
    scratch.write("prompts/main.md", "```sh\necho secret > model.big\n```\n");
    commit_all(&scratch);
    let run = run(&scratch);
    assert_done(&run);
    assert_eq!(
        said(&run),
        [
            "note: using the installed git (GIT), because the repository stores files through the filter `pointer`"
        ]
    );
    assert_eq!(scratch.git(&["cat-file", "blob", "HEAD:model.big"]), "pointer\n");
    assert_eq!(scratch.read("model.big"), "secret\n");
    assert!(!run.stderr.contains("not committed"), "{run:?}");
    assert_sound(&scratch);
}

#[test]
fn a_filter_that_is_installed_but_not_asked_for_changes_nothing() {
    let scratch = scratch(&[]);
    scratch.git(&["config", "filter.lfs.process", "git-lfs filter-process"]);
    scratch.git(&["config", "filter.lfs.clean", "git-lfs clean -- %f"]);
    scratch.write(".gitattributes", "# *.big filter=lfs\n*.bin filter=other\n");
    commit_all(&scratch);
    let doctor = scratch.baton(&["doctor"]);
    assert!(doctor.stdout.contains("built-in (git2): nothing here needs the installed git"), "{doctor:?}");
    let run = run(&scratch);
    assert_done(&run);
    assert_eq!(said(&run), [""; 0]);
}

#[test]
fn the_hooks_of_a_commit_run_and_what_they_change_is_committed() {
    let scratch = scratch(&[]);
    scratch.write("mine.txt", "not yet\n");
    // A formatter that stages what it changed, and by the way everything else.
    hook(&scratch, "pre-commit", "echo pre-commit >> ../hooks; sed -i s/1/one/ notes.txt; git add --all");
    hook(
        &scratch,
        "prepare-commit-msg",
        "echo prepare-commit-msg $2 >> ../hooks; sed -i '1s/^/[x] /' \"$1\"; test -n \"$GIT_AUTHOR_NAME\"",
    );
    hook(
        &scratch,
        "commit-msg",
        "echo commit-msg >> ../hooks; grep -v Baton-Turn \"$1\" > m; cat m > \"$1\"; rm m",
    );
    hook(&scratch, "post-commit", "echo post-commit $(git log -1 --format=%an) >> ../hooks; exit 7");
    let run = run(&scratch);
    assert_done(&run);
    assert_eq!(
        said(&run),
        [
            "note: using the installed git (GIT), because the repository has the hooks `pre-commit`, `prepare-commit-msg`, \
             `commit-msg`, `post-commit`"
        ]
    );
    assert_eq!(
        fs::read_to_string(scratch.root().join("../hooks")).unwrap(),
        "pre-commit\nprepare-commit-msg message\ncommit-msg\npost-commit Somebody\n"
    );
    assert_eq!(scratch.git(&["show", "--format=", "--name-only", "HEAD"]), "notes.txt\n");
    assert_eq!(scratch.git(&["show", "HEAD:notes.txt"]), "one\n");
    let message = scratch.git(&["log", "-1", "--format=%B"]);
    assert!(message.starts_with("[x] RALPH AUTO (prompt=main.md) (iter=00001): work\n"), "{message}");
    assert!(message.contains("\n\nBaton-Turn: "), "a restart recognises the commit: {message}");
    assert!(
        run.stderr.contains("committed as a hook changed it, after the verification: notes.txt"),
        "{run:?}"
    );
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? mine.txt\n?? sync/\n");
    assert!(!scratch.git(&["log", "--name-only", "--format="]).contains("mine.txt"));
}

#[test]
fn a_hook_that_refuses_stops_the_turn_and_the_next_run_goes_on_at_the_commit() {
    let scratch = scratch(&[]);
    hook(
        &scratch,
        "pre-commit",
        "test -e ../pass && exit 0\necho 'checking' >&2\necho 'notes.txt: too short'\nexit 3",
    );
    let head = scratch.git(&["rev-parse", "HEAD"]);
    let refused = run(&scratch);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert_eq!(
        refused.error(),
        "error: ralph's work cannot be committed:\n    \
         the hook `pre-commit` refused the commit (exit 3); put right what it names, or the hook \
         `/w/.git/hooks/pre-commit`:\n        checking\n        notes.txt: too short\n  \
         help: nothing is lost: the changes are in the work tree. Commit or undo by hand what is named, then `baton run`: \
         it goes on at the commit, the agent is not run again"
    );
    assert_eq!(scratch.git(&["rev-parse", "HEAD"]), head);
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? notes.txt\n?? sync/\n");
    assert_eq!(runs_of_the_agent(&scratch), 1);
    scratch.write("../pass", "");
    let again = run(&scratch);
    assert_done(&again);
    assert_eq!(runs_of_the_agent(&scratch), 1, "the agent is not run again");
    assert_eq!(scratch.git(&["show", "HEAD:notes.txt"]), "1\n");
    assert_sound(&scratch);
}

#[test]
fn a_refusal_of_the_second_commit_leaves_none() {
    let scratch = scratch(&[]);
    scratch.write("prompts/main.md", "```sh\necho 1 > notes.txt\necho plan >> docs/fix_plan.md\n```\n");
    scratch.write("docs/fix_plan.md", "plan\n");
    commit_all(&scratch);
    hook(&scratch, "commit-msg", "grep -q hygiene \"$1\"");
    let head = scratch.git(&["rev-parse", "HEAD"]);
    let refused = run(&scratch);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.error().contains("the hook `commit-msg` refused the commit (exit 1)"), "{refused:?}");
    assert_eq!(scratch.git(&["rev-parse", "HEAD"]), head);
}

#[test]
fn a_hook_that_never_ends_is_ended() {
    let scratch = scratch(&[]);
    scratch.write("orchestration.yaml", "agent: { default: shell }\ngit: { timeout: 1s }\n");
    commit_all(&scratch);
    hook(&scratch, "pre-commit", "sleep 600 & echo $! > ../sleeper; wait");
    let refused = run(&scratch);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(
        refused.error().contains(
            "the hook `pre-commit` refused the commit (was ended); put right what it names, or the hook \
             `/w/.git/hooks/pre-commit`:\n        it was ended after 1 s (`git.timeout`)\n"
        ),
        "{refused:?}"
    );
    let sleeper = fs::read_to_string(scratch.root().join("../sleeper")).unwrap();
    let alive = fs::read_to_string(format!("/proc/{}/stat", sleeper.trim())).unwrap_or_default();
    assert!(alive.is_empty() || alive.contains(") Z "), "it was ended too: {alive}");
}

#[test]
fn a_directory_of_hooks_that_is_configured_is_the_one_that_counts() {
    let scratch = scratch(&[]);
    hook(&scratch, "pre-commit", "exit 1");
    scratch.write_program("../own/pre-commit", "#!/bin/sh\necho own >> ../hooks\n", 0o755);
    scratch.git(&["config", "core.hooksPath", "../own"]);
    assert_done(&run(&scratch));
    assert_eq!(fs::read_to_string(scratch.root().join("../hooks")).unwrap(), "own\n");
}

fn make_key(scratch: &Scratch) {
    let key = scratch.root().join("../key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.unwrap().success());
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    scratch.write("../allowed", format!("somebody@example.invalid {public}"));
    let shown = |path: &Path| path.display().to_string();
    scratch.git(&["config", "gpg.format", "ssh"]);
    scratch.git(&["config", "user.signingKey", &shown(&key)]);
    scratch.git(&["config", "gpg.ssh.allowedSignersFile", &shown(&scratch.root().join("../allowed"))]);
    scratch.git(&["config", "commit.gpgSign", "true"]);
}

#[test]
fn commits_are_signed_where_the_repository_asks_for_it() {
    let scratch = scratch(&[]);
    make_key(&scratch);
    let run = run(&scratch);
    assert_done(&run);
    assert_eq!(
        said(&run),
        [
            "note: using the installed git (GIT), because the repository asks for signed commits (`commit.gpgSign`)"
        ]
    );
    scratch.git(&["verify-commit", "HEAD"]);
    assert_eq!(
        scratch.git(&["log", "-1", "--format=%G? %s"]),
        "G RALPH AUTO (prompt=main.md) (iter=00001): work\n"
    );
}

#[test]
fn a_commit_that_cannot_be_signed_is_not_made() {
    let scratch = scratch(&[]);
    make_key(&scratch);
    fs::remove_file(scratch.root().join("../key")).unwrap();
    let head = scratch.git(&["rev-parse", "HEAD"]);
    let refused = run(&scratch);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    let error = refused.error();
    assert!(
        error.starts_with(
            "error: ralph's work cannot be committed:\n    \
             the commit could not be signed, as `commit.gpgSign` asks for ("
        ),
        "{error}"
    );
    assert!(
        error.contains(
            "); mend it until `git commit` works here without a question, or run `git config commit.gpgSign false`\n"
        ),
        "{error}"
    );
    assert_eq!(scratch.git(&["rev-parse", "HEAD"]), head);
    scratch.git(&["config", "commit.gpgSign", "false"]);
    assert_done(&run(&scratch));
    assert_eq!(runs_of_the_agent(&scratch), 1, "the agent is not run again");
}

#[test]
fn with_the_built_in_git_asked_for_hooks_are_left_out_and_that_is_said() {
    let scratch = scratch(&[]);
    scratch.write("orchestration.yaml", "agent: { default: shell }\ngit: { backend: git2 }\n");
    commit_all(&scratch);
    hook(&scratch, "pre-commit", "exit 1");
    let run = run(&scratch);
    assert_done(&run);
    assert_eq!(
        said(&run),
        [
            "note: `git.backend: git2` does without what the repository has: it has the hook `pre-commit`; no hook is run, \
             nothing is signed, and files that need a filter are left alone"
        ]
    );
    let doctor = scratch.baton(&["doctor"]);
    assert!(doctor.stdout.contains("built-in (git2), as `git.backend` asks for; "), "{doctor:?}");
}

#[rstest]
#[case::format(
    &["--object-format=sha256"],
    "auto",
    "error: the repository of `/w` uses SHA-256 object names, and no `git` is on PATH; install git, or use a repository with \
     SHA-1 object names (`git init --object-format=sha1`)"
)]
#[case::hook(
    &[],
    "auto",
    "error: the repository of `/w` has the hook `pre-commit`, and no `git` is on PATH; install git, or set \
     `git.backend: git2` to commit without them"
)]
#[case::asked(
    &[],
    "cli",
    "error: `git.backend: cli` needs git, and no `git` is on PATH; install git, or set `git.backend: auto`"
)]
#[case::built_in(
    &["--ref-format=reftable"],
    "git2",
    "error: the repository of `/w` stores its references as a reftable, which the built-in git cannot read; set \
     `git.backend: cli`, or convert it with `git refs migrate --ref-format=files`"
)]
fn a_repository_that_cannot_be_worked_with_is_refused_before_anything(
    #[case] options: &[&str],
    #[case] backend: &str,
    #[case] text: &str,
) {
    let scratch = scratch(options);
    scratch
        .write("orchestration.yaml", format!("agent: {{ default: shell }}\ngit: {{ backend: {backend} }}\n"));
    commit_all(&scratch);
    hook(&scratch, "pre-commit", "true");
    let refused = scratch.run(scratch.baton_command().args(["run"]).env("PATH", "/nowhere"));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert_eq!(refused.error(), text);
    assert!(!scratch.exists("sync"));
    assert_eq!(runs_of_the_agent(&scratch), 0);
}

#[test]
fn doctor_says_which_git_is_used_and_why() {
    let scratch = scratch(&["--ref-format=reftable"]);
    let doctor = scratch.baton(&["doctor"]);
    let git = installed().display().to_string();
    let expected = format!("installed ({git}), because the repository stores its references as a reftable");
    assert!(doctor.stdout.contains(&expected), "{doctor:?}");
}

#[test]
fn operations_in_progress_are_seen_among_tables_of_references() {
    let scratch = scratch(&["--ref-format=reftable"]);
    scratch.git(&["update-ref", "CHERRY_PICK_HEAD", "HEAD"]);
    let refused = run(&scratch);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.error().starts_with("error: a cherry-pick is in progress; "), "{refused:?}");
}

/// The number that `docs/publishing.md` gives.
#[test]
fn a_turn_takes_few_processes() {
    let scratch = scratch(&[]);
    scratch.write("orchestration.yaml", "agent: { default: shell }\ngit: { backend: cli }\n");
    commit_all(&scratch);
    assert_done(&run(&scratch));
    let shim = format!("#!/bin/sh\necho \"$*\" >> ../calls\nexec {} \"$@\"\n", installed().display());
    scratch.write_program("../bin/git", &shim, 0o755);
    let path = format!("{}:{}", scratch.root().join("../bin").display(), std::env::var("PATH").unwrap());
    let calls = |prompt: &str| {
        let _ = fs::remove_file(scratch.root().join("../calls"));
        scratch.write("prompts/main.md", prompt);
        commit_all(&scratch);
        let solo = ["run", "--mode", "solo", "--role", "ralph", "--sync-loops"];
        let count = |turns: &str| {
            let command = &mut scratch.baton_command();
            assert_done(&scratch.run(command.args(solo).arg(turns).env("PATH", &path)));
            let calls = fs::read_to_string(scratch.root().join("../calls")).unwrap();
            fs::remove_file(scratch.root().join("../calls")).unwrap();
            calls.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let (one, three) = (count("1"), count("3"));
        ((three.len() - one.len()) / 2, three)
    };
    let (idle, all) = calls("```sh\ntrue\n```\n");
    assert_eq!(idle, 13, "in a turn that changes nothing:\n{}", all.join("\n"));
    let (busy, all) = calls("```sh\necho x >> notes.txt\n```\n");
    assert_eq!(busy, 27, "in a turn with a commit:\n{}", all.join("\n"));
}

/// Before git 2.36.
#[test]
fn a_git_that_cannot_run_hooks_by_name_has_them_run_all_the_same() {
    let scratch = scratch(&[]);
    hook(
        &scratch,
        "pre-commit",
        "echo \"$GIT_INDEX_FILE\" > ../hooks; test -n \"$(git diff --cached --name-only)\"",
    );
    hook(&scratch, "commit-msg", "grep -q '^RALPH AUTO' \"$1\"");
    let git = installed().display().to_string();
    let old = format!(
        "#!/bin/sh\n[ \"$1\" = hook ] && {{ echo \"git: 'hook' is not a git command.\" >&2; exit 1; }}\nexec {git} \"$@\"\n"
    );
    scratch.write_program("../bin/git", &old, 0o755);
    let path = format!("{}:{}", scratch.root().join("../bin").display(), std::env::var("PATH").unwrap());
    let run = scratch.run(scratch.baton_command().args(["run", "--sync-loops", "1"]).env("PATH", path));
    assert_done(&run);
    assert!(fs::read_to_string(scratch.root().join("../hooks")).unwrap().trim().ends_with("/index"));
    assert_eq!(scratch.git(&["show", "HEAD:notes.txt"]), "1\n");
}

#[test]
fn what_a_hook_changed_after_the_verification_does_not_complete_the_work() {
    let scratch = scratch(&[]);
    scratch.write(
        "orchestration.yaml",
        "agent: { default: shell }\nverify: [{ name: done, run: 'true' }]\ncompletion: { promise: ALL-DONE }\n",
    );
    scratch.write("prompts/supervisor.md", "```sh\necho '- x' >> galph_memory.md\necho ALL-DONE\n```\n");
    commit_all(&scratch);
    hook(&scratch, "pre-commit", "echo formatted > galph_memory.md; git add galph_memory.md");
    let run = run(&scratch);
    assert_done(&run);
    assert_eq!(scratch.git(&["show", "HEAD~1:galph_memory.md"]), "formatted\n");
    assert!(
        run.stderr.contains(
            "warning: galph's promise of completion is refused: the tree that was verified is not the tree that is \
             committed; uncommitted: (changed since)\n"
        ),
        "{run:?}"
    );
}
