//! Bad input of every kind: the error to the letter, the exit code, and that nothing was claimed or lost.

use rstest::rstest;

use crate::scratch::{Run, Scratch};

/// Nothing was claimed, nothing was committed, no agent ran.
fn assert_untouched(scratch: &Scratch) {
    assert!(!scratch.exists("sync/state.json"), "a misconfiguration claims nothing");
    assert!(!scratch.exists("notes.txt"), "no agent ran");
}

fn refused(scratch: &Scratch, args: &[&str], error: &str) {
    let run = scratch.baton(args);
    assert_eq!((run.error(), run.code), (error, Some(2)), "{run:?}");
    assert_untouched(scratch);
}

#[test]
fn without_a_repository_the_remedies_are_named() {
    refused(
        &Scratch::empty(),
        &["run", "--agent", "shell"],
        "error: `/w` is not inside a git repository; make one with `git init` and a first commit, or use `--no-git`",
    );
}

#[test]
fn a_repository_without_commits_is_refused() {
    let scratch = Scratch::empty();
    scratch.git(&["init", "--quiet", "--initial-branch=main", "."]);
    refused(
        &scratch,
        &["run", "--agent", "shell"],
        "error: the branch `main` has no commits yet; make the first one with `git commit --allow-empty -m 'Initial commit'`",
    );
}

#[test]
fn a_detached_head_is_refused() {
    let scratch = Scratch::new();
    scratch.git(&["checkout", "--quiet", "--detach"]);
    let head = scratch.git(&["rev-parse", "--short=7", "HEAD"]);
    let error = format!(
        "error: HEAD is detached at {}, on no branch; run `git switch <branch>` (or `git switch -c <new branch>`)",
        head.trim()
    );
    refused(&scratch, &["run"], &error);
}

#[test]
fn a_missing_identity_is_refused() {
    let scratch = Scratch::new();
    scratch.git(&["config", "--unset", "user.name"]);
    scratch.git(&["config", "--unset", "user.email"]);
    refused(
        &scratch,
        &["run"],
        "error: git does not know who you are: user.name and user.email are not set; run `git config --global user.name \
         'Your Name'` and `git config --global user.email you@example.org`",
    );
}

#[test]
fn another_branch_than_the_one_asked_for_is_refused() {
    refused(
        &Scratch::new(),
        &["run", "--branch", "release"],
        "error: the branch is `main`, not `release` as asked for; run `git switch release`, or change `--branch`",
    );
}

#[test]
fn a_merge_in_progress_is_refused() {
    let scratch = Scratch::new();
    scratch.git(&["checkout", "--quiet", "-b", "side"]);
    scratch.git(&["commit", "--quiet", "--allow-empty", "--message=side"]);
    scratch.git(&["checkout", "--quiet", "main"]);
    scratch.git(&["merge", "--quiet", "--no-ff", "--no-commit", "side"]);
    refused(
        &scratch,
        &["run"],
        "error: a merge is in progress; finish it with `git merge --continue`, or undo it with `git merge --abort`",
    );
}

const PROMPTS_HELP: &str = "\n  help: the prompts lie in `prompts`; `baton init` writes default ones";

#[rstest]
#[case(b" \n\t\n", "error: prompts/supervisor.md: the prompt is empty")]
#[case(b"fine\nab\xff\n", "error: prompts/supervisor.md:2:3: the prompt is not UTF-8 text")]
#[case(b"fine\n\na\0b\n", "error: prompts/supervisor.md:3:2: the prompt is not UTF-8 text")]
fn a_prompt_that_cannot_be_used_is_refused_with_its_place(#[case] content: &[u8], #[case] error: &str) {
    let scratch = Scratch::new();
    scratch.write("prompts/supervisor.md", content);
    refused(&scratch, &["run"], &format!("{error}{PROMPTS_HELP}"));
}

#[test]
fn a_gigantic_prompt_is_refused_with_its_size() {
    let scratch = Scratch::new();
    scratch.write("prompts/supervisor.md", vec![b'a'; 5_000_000]);
    let error = "error: prompts/supervisor.md: the prompt has 5000000 bytes; the most is 4194304";
    refused(&scratch, &["run"], &format!("{error}{PROMPTS_HELP}"));
}

#[test]
fn a_missing_prompt_is_refused_with_the_place_where_it_was_sought() {
    let scratch = Scratch::new();
    std::fs::remove_file(scratch.root().join("prompts/supervisor.md")).unwrap();
    refused(
        &scratch,
        &["run"],
        "error: the prompt `supervisor.md` for galph (router_off) does not exist in `prompts`: create \
         `prompts/supervisor.md`, or run `baton init`",
    );
}

#[test]
fn a_prompt_without_a_block_is_refused_for_the_shell_agent() {
    let scratch = Scratch::new();
    scratch.write("prompts/supervisor.md", "Just words.\n");
    refused(
        &scratch,
        &["run"],
        "error: prompts/supervisor.md: the agent cannot be given this prompt\n  \
         caused by: the agent `shell` cannot run this prompt\n  \
         caused by: it has no fenced block that is marked `sh`, `bash` or `shell`: add one, or choose another agent",
    );
}

#[rstest]
#[case("../x.md", "it leaves the prompts folder")]
#[case("/etc/passwd", "it is absolute; write it relative to the prompts folder")]
fn a_prompt_name_that_leaves_the_folder_is_refused(#[case] name: &str, #[case] problem: &str) {
    refused(
        &Scratch::new(),
        &["run", "--prompt-supervisor", name],
        &format!(
            "error: flag --prompt-supervisor: `supervisor_prompt` is not a prompt name: {problem}\n  \
             help: name a file below `prompts_dir`, such as `main.md`"
        ),
    );
}

#[test]
fn prompt_names_with_spaces_and_other_scripts_work() {
    let scratch = Scratch::new();
    scratch.write("prompts/été plan 計画.md", "```sh\necho done\n```\n");
    let run = scratch.baton(&["run", "--sync-loops", "1", "--prompt-supervisor", "été plan 計画"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("été plan 計画.md"), "{run:?}");
}

#[rstest]
#[case(
    &["run", "--agent", "claude"],
    "error: galph's turn with `supervisor.md` has no agent (chosen by --agent or agent.default)\n  \
     caused by: the agent `claude` is not installed: `claude` was not found; install it, or set `agent.options.claude.binary`"
)]
#[case(
    &["run", "--agent", "clod"],
    "error: flag --agent: `agent.default` names no known agent: `clod`\n  \
     help: known: auto, claude, codex, gemini, opencode, copilot, qwen, goose, aider, amp, cursor-agent, shell; describe \
     any other under `agent.commands`"
)]
#[case(
    &["run", "--mode", "solo"],
    "error: this mode plays one seat, and none is named\n  help: add `--role galph` or `--role ralph`"
)]
#[case(
    &["run", "--role", "galph"],
    "error: `--role galph` makes no sense in combined mode, which plays both seats\n  \
     help: add `--mode solo` or leave `--role` out"
)]
#[case(
    &["run", "--sync-via-git"],
    "error: `--sync-via-git` goes with `--mode role` only\n  \
     help: leave it out: combined and solo mode pass no turn through git"
)]
#[case(
    &["run", "--mode", "role", "--role", "galph", "--no-git"],
    "error: role mode passes the turn through git, and `--no-git` leaves git alone\n  \
     help: leave `--no-git` out, or play both seats here with `--mode combined`"
)]
#[case(
    &["run", "--mode", "role", "--role", "galph", "--commit-dry-run"],
    "error: `--commit-dry-run` publishes nothing, and role mode hands each turn over\n  \
     help: try it with `--mode combined` or `--mode solo`"
)]
#[case(
    &["run", "--mode", "role"],
    "error: this mode plays one seat, and none is named\n  help: add `--role galph` or `--role ralph`"
)]
#[case(
    &["run", "--publish-existing"],
    "error: `--publish-existing` goes with `--mode role` only\n  \
     help: leave it out: combined and solo mode publish nothing"
)]
#[case(
    &["run", "--prompt", "main.md"],
    "error: `--prompt` names one seat's prompt, and combined mode plays both\n  \
     help: use `--prompt-supervisor` or `--prompt-main`"
)]
#[case(
    &["run", "--agent-role", "boss=claude"],
    "error: `--agent-role`: unknown role `boss`: expected `galph` (or `supervisor`) or `ralph` (or `loop`, `engineer`)"
)]
fn flags_that_make_no_sense_are_refused(#[case] args: &[&str], #[case] error: &str) {
    refused(&Scratch::new(), args, error);
}

fn own_agent(scratch: &Scratch) {
    scratch.write(
        "orchestration.yaml",
        "agent: { default: mine, commands: { mine: { command: [\"./agent.sh\"] } } }\n",
    );
}

#[test]
fn an_agent_that_is_not_executable_is_refused_before_the_claim() {
    let scratch = Scratch::new();
    own_agent(&scratch);
    scratch.write_program("agent.sh", "#!/bin/sh\n", 0o644);
    refused(
        &scratch,
        &["run"],
        "error: galph's turn with `supervisor.md` has no agent (chosen by --agent or agent.default)\n  \
         caused by: the agent `mine` cannot be started: `/w/./agent.sh` is not executable; run `chmod +x` on it, or set \
         the first word of `agent.commands.mine.command`",
    );
}

fn failing_agent(program: &str) -> (Scratch, Run) {
    let scratch = Scratch::new();
    own_agent(&scratch);
    scratch.write_program("agent.sh", program, 0o755);
    let run = scratch.baton(&["run"]);
    (scratch, run)
}

#[rstest]
#[case("#!/bin/sh\necho boom >&2\nkill -SEGV $$\n", "killed by signal 11: boom")]
#[case("#!/bin/sh\necho one\necho two >&2\nexit 7\n", "exit code 7: two")]
#[case("#!/bin/sh\nexit 1\n", "exit code 1, without a word")]
#[case(
    "#!/nowhere/sh\n",
    "`/w/./agent.sh` names an interpreter in its first line, or a loader, that does not exist"
)]
fn an_agent_that_crashes_fails_the_turn_and_the_loop(#[case] program: &str, #[case] why: &str) {
    let (scratch, run) = failing_agent(program);
    let error = format!(
        "error: the agent's turn ended `failed`: {why}\n  \
         help: the log and the summary lie under `logs`; `baton run` takes the turn again"
    );
    assert_eq!((run.error(), run.code), (error.as_str(), Some(5)), "{run:?}");
    let state = scratch.read("sync/state.json");
    assert!(
        state.contains("\"status\": \"failed\"") && state.contains("\"expected_actor\": \"galph\""),
        "{state}"
    );
}

#[rstest]
#[case(
    "router:\n  review_evry_n: 3\n",
    "error: orchestration.yaml:2:3: unknown key `review_evry_n` in `router`\n  2 |   review_evry_n: 3\n    |   ^\n  \
     help: did you mean `review_every_n`?"
)]
#[case(
    "verify_baseline: yes\n",
    "error: orchestration.yaml:1:18: `verify_baseline` must be `true` or `false`, not `yes`\n  \
     1 | verify_baseline: yes\n    |                  ^\n  help: write `true`"
)]
#[case(
    "logs_dir: a\nlogs_dir: b\n",
    "error: orchestration.yaml:2:1: the key `logs_dir` is given twice\n  2 | logs_dir: b\n    | ^\n  \
     help: keep one of the two"
)]
#[case(
    "router:\n\tenabled: true\n",
    "error: orchestration.yaml:2:2: not valid YAML: tabs disallowed within this context (block indentation)\n  \
     2 |  enabled: true\n    |  ^\n  help: indent with spaces: YAML does not allow tabs there"
)]
#[case(
    "agent: { default: shell }\nbudget: { run: { cost_usd: 3 } }\n",
    "error: orchestration.yaml:2:28: `budget.run.cost_usd` cannot be kept: the agent `shell` does not report what its \
     runs cost\n  2 | budget: { run: { cost_usd: 3 } }\n    |                            ^\n  \
     help: cap `turns`, `wall` or `tokens` instead, or choose an agent that reports costs"
)]
#[case(
    "agent: { default: shell }\nturn: { isolation: worktree }\n",
    "error: `turn.isolation: worktree` needs the name of a branch for the turns: `main` is your own\n  \
     help: `git branch loop` makes one, for example; then `baton run --branch loop`"
)]
#[case(
    "agent: { default: shell }\nturn: { session: resume }\n",
    "error: `turn.session: resume` cannot be kept: the agent `shell` of galph cannot go on with a session\n  \
     help: set `turn.session: fresh`, or give the seat an agent that can"
)]
#[case(
    "agent: { default: shell }\ngates: [{ when: after_failure, question: 'Go on?' }]\n",
    "error: `gates` is not available in this version: remove them; `baton stop` ends the loop before its next turn"
)]
fn a_configuration_that_is_wrong_is_refused_with_its_place(#[case] yaml: &str, #[case] error: &str) {
    let scratch = Scratch::new();
    scratch.write("orchestration.yaml", yaml);
    refused(&scratch, &["run"], error);
}

#[test]
fn a_megabyte_of_nesting_is_refused_at_once() {
    let scratch = Scratch::new();
    scratch.write("orchestration.yaml", format!("router: {}", "[".repeat(1_000_000)));
    let run = scratch.baton(&["run"]);
    assert!(
        run.error().starts_with("error: orchestration.yaml:1:33: nested deeper than 24 levels\n"),
        "{run:?}"
    );
    assert_eq!(run.code, Some(2));
}

#[rstest]
#[case("{\n  \"iteration\": 4,", "sync/state.json:2:17: not a valid turn state: EOF while parsing a value")]
#[case("", "sync/state.json:1:1: not a valid turn state: an empty file")]
#[case("<<<<<<< HEAD\n{}\n", "sync/state.json:1:1: not a valid turn state: a merge conflict marker")]
#[case(
    "{\"iteration\": \"four\", \"expected_actor\": \"galph\", \"status\": \"idle\"}",
    "sync/state.json:1:20: not a valid turn state: invalid type: string \"four\", expected u64"
)]
#[case(
    "{\"iteration\": 4, \"expected_actor\": \"bob\", \"status\": \"idle\"}",
    "sync/state.json:1:40: not a valid turn state: unknown variant `bob`, expected `galph` or `ralph`"
)]
#[case(
    "{\"schema_version\": 99, \"iteration\": 4, \"expected_actor\": \"galph\", \"status\": \"idle\"}",
    "sync/state.json:1:21: not a valid turn state: schema_version 99, written by a newer baton; this one knows up to 1"
)]
fn an_unreadable_state_is_named_and_never_reset(#[case] state: &str, #[case] error: &str) {
    let scratch = Scratch::new();
    scratch.write("sync/state.json", state);
    let run = scratch.baton(&["run"]);
    let expected = format!(
        "error: {error}\n  help: `baton doctor --fix` restores the newest valid version; nothing is reset"
    );
    assert_eq!((run.error(), run.code), (expected.as_str(), Some(2)), "{run:?}");
    assert_eq!(scratch.read("sync/state.json"), state);
    assert!(!scratch.exists("notes.txt"));
}

#[test]
fn a_turn_that_runs_elsewhere_is_left_alone() {
    let scratch = Scratch::new();
    let state = "{\"iteration\": 4, \"expected_actor\": \"galph\", \"status\": \"running-galph\"}";
    scratch.write("sync/state.json", state);
    let run = scratch.baton(&["run"]);
    assert_eq!(
        (run.error(), run.code),
        (
            "error: a turn is running: status is `running-galph`\n  \
             help: if that process is gone for good, `baton takeover` gives the turn back; if it runs elsewhere, let it end",
            Some(6)
        )
    );
    assert_eq!(scratch.read("sync/state.json"), state);
}

#[test]
fn a_directory_that_does_not_exist_is_named() {
    let run = Scratch::new().baton(&["-C", "/nowhere/at/all", "run"]);
    assert_eq!(
        (run.error(), run.code),
        (
            "error: cannot work in `/nowhere/at/all`\n  caused by: No such file or directory (os error 2)\n  \
             help: give an existing directory with `-C DIR`",
            Some(2)
        )
    );
}

#[test]
fn a_path_that_was_dirty_before_and_is_changed_by_the_agent_stops_the_turn_and_the_next_run_goes_on_at_the_commit()
 {
    let scratch = Scratch::new();
    scratch.write("notes.txt", "first\n");
    scratch.git(&["add", "notes.txt"]);
    scratch.git(&["commit", "--quiet", "--message=notes"]);
    scratch.write("notes.txt", "first\nmine\n");
    let run = scratch.baton(&["run", "--sync-loops", "1"]);
    let kept = scratch.git(&["for-each-ref", "--format=%(refname)", "refs/baton-rescue/*/files"]);
    let kept = kept.trim();
    assert_eq!(scratch.git(&["show", &format!("{kept}:notes.txt")]), "first\nmine\n");
    assert_eq!(
        (run.error().replace(kept, "KEPT").as_str(), run.code),
        (
            "error: ralph's work cannot be committed:\n    \
             notes.txt: it had changes before the turn, and was changed again during it; what it held before is kept: \
             `git restore --source=KEPT -- notes.txt`\n  \
             help: nothing is lost: the changes are in the work tree. Commit or undo by hand what is named, then \
             `baton run`: it goes on at the commit, the agent is not run again",
            Some(5)
        ),
        "{run:?}"
    );
    assert_eq!(scratch.read("notes.txt"), "first\nmine\nralph 1\n");
    scratch.git(&["commit", "--quiet", "--message=mine", "notes.txt"]);
    let again = scratch.baton(&["run", "--sync-loops", "1"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(scratch.read("notes.txt"), "first\nmine\nralph 1\n", "the agent did not run again");
}

#[test]
fn a_protected_path_stops_the_turn() {
    let scratch = Scratch::new();
    scratch.write("prompts/main.md", "```sh\necho '# sly' >> orchestration.yaml\n```\n");
    scratch.git(&["commit", "--quiet", "--message=prompt", "prompts"]);
    let run = scratch.baton(&["run", "--sync-loops", "1"]);
    assert!(
        run.error().starts_with(
            "error: ralph's work cannot be committed:\n    orchestration.yaml: `publish.protect` names it\n"
        ),
        "{run:?}"
    );
    assert_eq!(run.code, Some(5));
}

#[test]
fn two_loops_in_one_workspace_never_work_together() {
    let scratch = Scratch::new();
    scratch.write("prompts/supervisor.md", "```sh\necho started > started\nread line < gate\n```\n");
    scratch.git(&["commit", "--quiet", "--message=gate", "prompts"]);
    std::process::Command::new("mkfifo").arg(scratch.root().join("gate")).status().unwrap();
    let mut first = scratch
        .baton_command()
        .args(["run", "--sync-loops", "1"])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Opening the gate waits until the agent reads from it; the second loop starts while the first one is at work.
    let gate = std::fs::OpenOptions::new().write(true).open(scratch.root().join("gate")).unwrap();
    for args in [&["run"][..], &["run", "--mode", "solo", "--role", "ralph"], &["run", "--no-git"]] {
        let second = scratch.baton(args);
        let error = second.error();
        assert!(error.contains(": another baton is at work here"), "{second:?}");
        assert!(
            error.ends_with("\n  help: wait for it to end, or stop it; `baton status` tells what it does"),
            "{second:?}"
        );
        assert_eq!(second.code, Some(1));
    }
    drop(gate);
    assert!(first.wait().unwrap().code().is_some());
}

#[test]
fn a_place_for_records_that_cannot_be_used_is_named_before_anything_is_claimed() {
    let scratch = Scratch::new();
    scratch.write(".git/baton", "in the way\n");
    let run = scratch.baton(&["run"]);
    assert_eq!(
        (run.error(), run.code),
        (
            "error: cannot use /w/.git/baton/attempts for baton's records\n  \
             caused by: Not a directory (os error 20)\n  help: make the directory writable for this user",
            Some(1)
        ),
        "{run:?}"
    );
    assert_untouched(&scratch);
}

#[test]
fn a_state_file_that_cannot_be_had_is_named_and_no_agent_starts() {
    let scratch = Scratch::new();
    scratch.write("sync", "in the way\n");
    let run = scratch.baton(&["run"]);
    assert_eq!(
        (run.error(), run.code),
        ("error: cannot read sync/state.json\n  caused by: Not a directory (os error 20)", Some(1)),
        "{run:?}"
    );
    assert!(!scratch.exists("notes.txt"));
}
