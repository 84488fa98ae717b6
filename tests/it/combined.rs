//! The loop as a person runs it: what it leaves in the repository, in the state, in the logs and in its exit code.

use std::collections::BTreeMap;
use std::path::Path;

use rstest::rstest;
use serde_json::Value;

use crate::scratch::{Run, Scratch, WORKING_PROMPT};

fn state(scratch: &Scratch) -> Value {
    serde_json::from_str(&scratch.read("sync/state.json")).unwrap()
}

fn subjects(scratch: &Scratch) -> Vec<String> {
    let log = scratch.git(&["log", "--reverse", "--format=%s"]);
    log.lines().skip(1).map(str::to_owned).collect()
}

fn commit_all(scratch: &Scratch) {
    scratch.git(&["add", "--all", "--", ".", ":!sync"]);
    scratch.git(&["commit", "--quiet", "--message=set up"]);
}

fn run(scratch: &Scratch, loops: &str) -> Run {
    scratch.baton(&["run", "--sync-loops", loops])
}

const PLANNING_PROMPT: &str = "```sh\necho \"- $BATON_ITERATION\" >> galph_memory.md\n```\n";

fn productive() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("prompts/supervisor.md", PLANNING_PROMPT);
    commit_all(&scratch);
    scratch
}

#[test]
fn two_iterations_leave_a_history_that_reads_like_a_book() {
    let scratch = productive();
    let run = run(&scratch, "2");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(
        subjects(&scratch)[1..],
        [
            "SUPERVISOR AUTO (prompt=supervisor.md) (iter=00001): doc/meta hygiene",
            "RALPH AUTO (prompt=main.md) (iter=00001): work",
            "SUPERVISOR AUTO (prompt=supervisor.md) (iter=00002): doc/meta hygiene",
            "RALPH AUTO (prompt=main.md) (iter=00002): work",
        ]
    );
    let state = state(&scratch);
    assert_eq!(state["iteration"], 3);
    assert_eq!((&state["status"], &state["expected_actor"]), (&"complete".into(), &"galph".into()));
    assert_eq!(state["ralph_commit"], scratch.git(&["rev-parse", "--short=7", "HEAD"]).trim());
    assert_eq!(state["usage"]["ralph"]["turns"], 2);
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? sync/\n");
    scratch.git(&["fsck", "--strict"]);
}

#[test]
fn the_count_of_iterations_is_of_this_invocation() {
    let scratch = productive();
    assert_eq!(run(&scratch, "1").code, Some(0));
    assert_eq!(run(&scratch, "2").code, Some(0));
    assert_eq!(state(&scratch)["iteration"], 4);
}

#[test]
fn a_failed_turn_stops_the_loop_and_the_next_run_takes_it_again_with_what_it_left() {
    let scratch = productive();
    scratch.write(
        "prompts/main.md",
        "```sh\necho half >> notes.txt\ntest -e ../pass || { echo no >&2; exit 3; }\necho rest >> notes.txt\n```\n",
    );
    commit_all(&scratch);
    let failed = run(&scratch, "1");
    assert_eq!(failed.code, Some(5));
    assert!(
        failed
            .error()
            .starts_with("error: the agent's turn ended `failed`: exit code 3: baton: block 1 of 1 "),
        "{failed:?}"
    );
    assert_eq!(state(&scratch)["status"], "failed");
    assert_eq!(state(&scratch)["expected_actor"], "ralph");
    assert_eq!(scratch.read("notes.txt"), "half\n", "what it did is still there");
    std::fs::write(scratch.root().join("../pass"), "").unwrap();
    let again = run(&scratch, "1");
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(scratch.git(&["show", "HEAD:notes.txt"]), "half\nhalf\nrest\n");
    assert_eq!(state(&scratch)["iteration"], 2);
}

#[test]
fn what_a_person_had_changed_before_is_left_alone() {
    let scratch = productive();
    scratch.write("mine.txt", "draft\n");
    scratch.write("staged.txt", "staged\n");
    scratch.git(&["add", "staged.txt"]);
    let run = run(&scratch, "2");
    assert_eq!(run.code, Some(0));
    let listed: Vec<&str> = run.stderr.lines().filter(|line| line.contains("uncommitted before")).collect();
    assert_eq!(
        listed,
        [
            "warning: uncommitted before this turn, and left alone: mine.txt, staged.txt; a turn that changes one of these \
             paths stops"
        ]
    );
    assert_eq!(scratch.git(&["status", "--porcelain"]), "A  staged.txt\n?? mine.txt\n?? sync/\n");
    assert!(!scratch.git(&["log", "--name-only", "--format="]).contains("mine.txt"));
}

#[test]
fn logs_and_summaries_lie_under_their_known_names() {
    let scratch = productive();
    assert_eq!(run(&scratch, "1").code, Some(0));
    let files = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(scratch.root().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let shape =
        |name: &str| -> String { name.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect() };
    for (folder, expected) in [
        ("logs/main/galph", "iter-99999_99999999_999999.log"),
        ("logs/main/ralph", "iter-99999_99999999_999999_main.log"),
        ("logs/main/galph-summaries", "iter-99999_99999999_999999-summary.md"),
        ("logs/main/ralph-summaries", "iter-99999_99999999_999999-summary.md"),
    ] {
        let names = files(folder);
        assert_eq!(names.iter().map(|name| shape(name)).collect::<Vec<_>>(), [expected], "{folder}");
    }
}

#[test]
fn the_agent_is_told_who_and_where_it_is() {
    let scratch = productive();
    scratch.write(
        "prompts/main.md",
        "```sh\nenv | grep '^BATON_' | sort > notes.txt\ncat \"$BATON_LAST_SUMMARY\" > summary.txt\n```\n",
    );
    commit_all(&scratch);
    assert_eq!(run(&scratch, "1").code, Some(0));
    let notes = scratch.read("notes.txt");
    let variables: BTreeMap<&str, &str> = notes.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(variables["BATON_ACTOR"], "ralph");
    assert_eq!(variables["BATON_ITERATION"], "1");
    assert_eq!(variables["BATON_PROMPT"], "main.md");
    assert_eq!(Path::new(variables["BATON_WORKSPACE"]), scratch.root());
    assert!(Path::new(variables["BATON_ATTEMPT_DIR"]).ends_with(variables["BATON_ATTEMPT"]));
    assert!(scratch.read("summary.txt").starts_with("# galph (supervisor), iteration 1: ok\n"));
}

#[test]
fn a_template_is_expanded_and_other_prompts_are_not() {
    let scratch = productive();
    scratch.write(
        "prompts/main.md",
        "---\ntemplate: true\n---\n```sh\necho '{{ BATON_ACTOR }} {{ BATON_ITERATION }}' >> notes.txt\n```\n",
    );
    commit_all(&scratch);
    assert_eq!(run(&scratch, "1").code, Some(0));
    assert_eq!(scratch.read("notes.txt"), "ralph 1\n");
}

#[test]
fn an_agent_cannot_push_by_itself() {
    let scratch = productive();
    scratch.git(&["init", "--quiet", "--bare", "../remote.git"]);
    scratch.git(&["remote", "add", "origin", "../remote.git"]);
    scratch.write("prompts/main.md", "```sh\ngit fetch origin\ngit push origin HEAD:main\n```\n");
    commit_all(&scratch);
    assert_eq!(run(&scratch, "1").code, Some(5));
    scratch.git(&["ls-remote", "origin"]);
    assert_eq!(scratch.git(&["ls-remote", "origin"]), "");
}

#[test]
fn without_git_no_repository_is_touched() {
    let scratch = productive();
    let picture = |scratch: &Scratch| -> String {
        let find = std::process::Command::new("find")
            .args([".git", "-printf", "%p %s %T@\\n"])
            .current_dir(scratch.root())
            .output()
            .unwrap();
        String::from_utf8(find.stdout).unwrap()
    };
    let before = picture(&scratch);
    let run = scratch.baton(&["run", "--no-git", "--sync-loops", "2"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(picture(&scratch), before);
    assert_eq!(scratch.read("notes.txt"), "ralph 1\nralph 2\n");
    assert!(scratch.exists("logs/no-branch/ralph"));
}

#[test]
fn verification_is_told_to_people_and_to_the_next_prompt_with_its_baseline() {
    let scratch = productive();
    scratch.write(
        "orchestration.yaml",
        "agent:\n  default: copy\n  commands: { copy: { command: [\"./agent.sh\", \"${prompt_file}\"], prompt: file } }\n\
         verify:\n  - { name: always, run: 'true' }\n  - { name: broken, run: 'echo why it is broken; test -e fixed' }\n\
           \x20 - { name: none, run: 'echo 0 passed', tests: { min: 1, count_regex: '(\\d+) passed' } }\n",
    );
    scratch.write_program(
        "agent.sh",
        "#!/bin/sh\ncp \"$1\" \"seen-$BATON_ACTOR-$BATON_ITERATION.md\"\n",
        0o755,
    );
    commit_all(&scratch);
    assert_eq!(run(&scratch, "2").code, Some(0));
    let seen = scratch.read("seen-galph-2.md");
    let notes = seen.split("## Notes from baton\n").nth(1).unwrap();
    assert_eq!(
        notes,
        "\n- verified after ralph's turn: `always`: passed\n\
         - verified after ralph's turn: `broken`: failed (exit 1); it failed before this turn too\n  \n  \
         ```text\n  why it is broken\n  ```\n\
         - verified after ralph's turn: `none`: failed (only 0 tests ran, 1 wanted); it failed before this turn too\n  \n  \
         ```text\n  0 passed\n  ```\n"
    );
    assert!(!scratch.read("seen-galph-1.md").contains("Notes from baton"));
}

#[test]
fn verify_policy_fail_stops_at_a_new_failure_only() {
    let scratch = productive();
    scratch.write(
        "orchestration.yaml",
        "agent: { default: shell }\nverify_policy: fail\nverify:\n  - { name: old, run: 'false' }\n  \
         - { name: new, run: 'test ! -e notes.txt' }\n",
    );
    commit_all(&scratch);
    let run = run(&scratch, "1");
    assert_eq!(run.code, Some(5));
    assert!(
        run.error().starts_with("error: verification ended `failed`: verification: `new` failed (exit 1)\n"),
        "{run:?}"
    );
}

const COMPLETION: &str = "agent: { default: shell }\nverify: [{ name: done, run: 'test -e done.txt' }]\n\
     completion: { promise: ALL-DONE, plan_file: docs/fix_plan.md }\n";

fn promising() -> Scratch {
    let scratch = productive();
    scratch.write("orchestration.yaml", COMPLETION);
    scratch.write("docs/fix_plan.md", "- [ ] make done.txt\n");
    scratch.write(
        "prompts/supervisor.md",
        "```sh\necho \"- $BATON_ITERATION\" >> galph_memory.md\necho ALL-DONE\n```\n",
    );
    scratch.write(
        "prompts/main.md",
        "```sh\ntest \"$BATON_ITERATION\" = 1 || sed -i 's/\\[ \\]/[x]/' docs/fix_plan.md\n\
         test \"$BATON_ITERATION\" = 1 && touch done.txt; true\n```\n",
    );
    commit_all(&scratch);
    scratch
}

#[test]
fn a_promise_is_refused_until_all_the_evidence_is_there() {
    let scratch = promising();
    let run = run(&scratch, "9");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(
        run.stdout.lines().last().unwrap(),
        "complete after 2 iteration(s): 1 verify command(s) pass, every item of docs/fix_plan.md is ticked"
    );
    let refusals: Vec<&str> = run.stderr.lines().filter(|line| line.contains("promise")).collect();
    assert_eq!(
        refusals,
        [
            "warning: galph's promise of completion is refused: these `verify` commands fail: done",
            "warning: galph's promise of completion is refused: docs/fix_plan.md has 1 open item(s)",
        ]
    );
    let state = state(&scratch);
    assert_eq!(state["exit"], true);
    assert_eq!((&state["iteration"], &state["status"]), (&3.into(), &"waiting-ralph".into()));
    let again = scratch.baton(&["run"]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""), "{again:?}");
    assert!(again.stdout.starts_with("stopped: complete: "), "{again:?}");
}

#[test]
fn a_promise_over_a_tree_that_is_not_committed_is_refused() {
    let scratch = promising();
    scratch.write("docs/fix_plan.md", "- [x] make done.txt\n");
    commit_all(&scratch);
    // What is verified is in the work tree only: nobody who clones the repository would have it.
    scratch.write("done.txt", "");
    let run = run(&scratch, "1");
    assert!(
        run.stderr.contains(
            "warning: galph's promise of completion is refused: the tree that was verified is not the tree that is \
             committed; uncommitted: done.txt\n"
        ),
        "{run:?}"
    );
    assert_eq!(state(&scratch)["exit"], false);
}

fn routed(mode: &str, router: &str) -> Scratch {
    let scratch = productive();
    scratch.write(
        "orchestration.yaml",
        format!("agent: {{ default: shell }}\nrouter: {{ enabled: true, mode: {mode}, prompt: router.md, review_every_n: 2 }}\n"),
    );
    scratch.write("prompts/reviewer.md", "```sh\necho \"review by $BATON_ACTOR\" >> galph_memory.md\n```\n");
    scratch.write("prompts/router.md", router);
    commit_all(&scratch);
    scratch
}

#[test]
fn reviews_come_at_their_cadence_and_once_an_iteration() {
    let scratch = routed("first", "unused");
    scratch.write(
        "orchestration.yaml",
        "agent: { default: shell }\nrouter: { enabled: true, review_every_n: 2 }\n",
    );
    commit_all(&scratch);
    assert_eq!(run(&scratch, "4").code, Some(0));
    assert_eq!(scratch.read("galph_memory.md"), "- 1\nreview by galph\n- 3\nreview by galph\n");
    let prompts: Vec<String> =
        subjects(&scratch).iter().filter(|s| s.starts_with("RALPH")).map(|s| s[11..27].to_owned()).collect();
    assert_eq!(prompts, ["(prompt=main.md)"; 4]);
}

#[test]
fn the_router_prompt_overrides_galph_and_never_ralph() {
    let scratch = routed("router_default", "```sh\necho reviewer\n```\n");
    assert_eq!(run(&scratch, "1").code, Some(0));
    assert_eq!(scratch.read("galph_memory.md"), "review by galph\n");
    assert_eq!(scratch.read("notes.txt"), "ralph 1\n");
    assert_eq!(state(&scratch)["last_prompt"], "main.md");
}

#[rstest]
#[case(
    "```sh\ntrue\n```\n",
    "the router prompt `router.md` was answered with nothing: its reply for galph must be one line that names one of `supervisor.md`, `reviewer.md`"
)]
#[case(
    "```sh\necho supervisor; echo reviewer\n```\n",
    "the router prompt `router.md` was answered with 2 lines, first `supervisor`: its reply for galph must be one line that names one of `supervisor.md`, `reviewer.md`"
)]
#[case(
    "```sh\necho main\n```\n",
    "galph may not run `main.md` (override): a seat runs its own prompt or the reviewer's, here `supervisor.md`, `reviewer.md`"
)]
#[case(
    "```sh\necho ../../etc/passwd\n```\n",
    "the router prompt `router.md` was answered for galph with what cannot be used; it must name one of `supervisor.md`, `reviewer.md`: `../../etc/passwd` is not a prompt name: it leaves the prompts folder by `..`; move the file into the prompts folder"
)]
fn a_router_reply_that_is_not_one_allowed_prompt_fails_the_turn(#[case] router: &str, #[case] why: &str) {
    let scratch = routed("only", router);
    let run = run(&scratch, "1");
    let error = format!(
        "error: routing ended `failed`: {why}\n  \
         help: the log and the summary lie under `logs`; `baton run` takes the turn again"
    );
    assert_eq!((run.error(), run.code), (error.as_str(), Some(2)), "{run:?}");
    assert_eq!(state(&scratch)["status"], "failed");
    assert!(!scratch.exists("galph_memory.md"), "no prompt ran");
}

#[test]
fn a_run_budget_ends_this_run_and_leaves_no_hold() {
    let scratch = productive();
    scratch.write("orchestration.yaml", "agent: { default: shell }\nbudget: { run: { turns: 3 } }\n");
    commit_all(&scratch);
    let first = run(&scratch, "5");
    assert_eq!(first.code, Some(4));
    assert!(first.error().starts_with("error: the budget is used up: 3 of 3 turns are used\n"), "{first:?}");
    assert_eq!(state(&scratch)["holds"], Value::Array(vec![]));
    assert_eq!(run(&scratch, "1").code, Some(0), "a new run has a new budget");
}

#[test]
fn a_total_budget_becomes_a_hold() {
    let scratch = productive();
    scratch.write("orchestration.yaml", "agent: { default: shell }\nbudget: { total: { turns: 2 } }\n");
    commit_all(&scratch);
    assert_eq!(run(&scratch, "5").code, Some(4));
    let hold = state(&scratch)["holds"][0].clone();
    assert_eq!((&hold["kind"], &hold["reason"]), (&"budget".into(), &"2 of 2 turns are used".into()));
    let again = run(&scratch, "5");
    let id = hold["id"].as_str().unwrap();
    let error = format!(
        "error: held: 2 of 2 turns are used (budget)\n  help: `baton hold clear {id}` lets the turns go on"
    );
    assert_eq!((again.error(), again.code), (error.as_str(), Some(4)));
}

#[test]
fn turns_that_change_nothing_end_in_a_hold() {
    let scratch = Scratch::new();
    scratch.write("prompts/main.md", "```sh\ntrue\n```\n");
    commit_all(&scratch);
    let run = run(&scratch, "9");
    assert_eq!(run.code, Some(4));
    assert!(
        run.error().starts_with("error: held: 4 turns in a row changed nothing (no_progress)\n"),
        "{run:?}"
    );
    assert_eq!(state(&scratch)["iteration"], 3);
    // A person who clears the hold gives as many turns again.
    let hold = state(&scratch)["holds"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(scratch.baton(&["hold", "clear", &hold]).code, Some(0));
    assert_eq!(scratch.baton(&["run", "--sync-loops", "9"]).code, Some(4));
    assert_eq!(state(&scratch)["iteration"], 5);
}

#[test]
fn turns_that_undo_each_other_end_in_a_hold() {
    let scratch = Scratch::new();
    scratch.write("prompts/main.md", "```sh\nif test -e flag; then rm flag; else touch flag; fi\n```\n");
    commit_all(&scratch);
    let run = run(&scratch, "20");
    assert_eq!(run.code, Some(4), "{run:?}");
    assert!(
        run.error().starts_with(
            "error: held: 4 turns in a row only undid and redid earlier changes (no_progress)\n"
        ),
        "{run:?}"
    );
}

#[test]
fn exit_in_the_state_stops_the_loop_before_its_next_turn() {
    let scratch = productive();
    // The agent may ask for the end; the turn itself is finished.
    scratch.write(
        "prompts/main.md",
        "```sh\necho x >> notes.txt\nsed -i 's/\"exit\": false/\"exit\": true/; s/\"exit_reason\": \"\"/\"exit_reason\": \"enough\"/; \
         s/\"iteration\": 1/\"iteration\": 77/' sync/state.json\n```\n",
    );
    commit_all(&scratch);
    let run = run(&scratch, "9");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(
        run.stdout.lines().last().unwrap(),
        "stopped: enough (`baton stop --clear` lets the turns go on)"
    );
    assert_eq!(state(&scratch)["iteration"], 2, "an agent may set `exit` and its reason, nothing else");
}

#[test]
fn solo_mode_runs_one_seat_without_any_state() {
    let scratch = productive();
    let run = scratch.baton(&["run", "--mode", "solo", "--role", "ralph", "--sync-loops", "3"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(scratch.read("notes.txt"), "ralph 1\nralph 2\nralph 3\n");
    assert!(!scratch.exists("sync/state.json"));
    assert_eq!(subjects(&scratch).len(), 4);
}

#[test]
fn an_old_scripts_flags_are_taken_and_those_without_effect_are_said() {
    let scratch = productive();
    let flags = "run --sync-loops 1 --auto-commit-docs --auto-commit-reports --report-extensions .png,.md \
                 --max-report-file-bytes 5242880 --no-auto-commit-tracked-outputs --force-add-reports --allow-dirty \
                 --no-prepull-auto-commit-docs --tolerate-doc-dirty --max-autocommit-bytes 1048576";
    let run = scratch.baton(&flags.split_whitespace().collect::<Vec<_>>());
    assert_eq!(run.code, Some(0), "{run:?}");
    let notes: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("note: ")).collect();
    assert_eq!(
        notes,
        [
            "note: flag --force-add-reports: ignored files are not added, since `publish.reports.force_add` names none",
            "note: flag --tolerate-doc-dirty: has no effect in this mode, where a path outside the categories is a warning",
            "note: flag --allow-dirty: has no effect, since no pull needs it here",
        ]
    );
}

#[test]
fn the_names_of_the_earlier_scripts_keep_their_meaning() {
    let scratch = productive();
    scratch.write("orchestration.yaml", "");
    scratch.write("prompts/other.md", WORKING_PROMPT);
    commit_all(&scratch);
    let output = scratch
        .baton_command()
        .arg("run")
        .envs([
            ("ORCHESTRATOR_AGENT", "shell"),
            ("SYNC_LOOPS", "1"),
            ("LOOP_PROMPT", "other.md"),
            ("STATE_FILE", "elsewhere/state.json"),
            ("ORCHESTRATION_BRANCH", "main"),
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(scratch.exists("elsewhere/state.json"));
    assert_eq!(subjects(&scratch).last().unwrap(), "RALPH AUTO (prompt=other.md) (iter=00001): work");
}

fn open_ledger(scratch: &Scratch) -> rusqlite::Connection {
    rusqlite::Connection::open(scratch.root().join(".git/baton/ledger.db")).unwrap()
}

#[test]
fn a_turn_that_another_machine_began_is_not_taken_for_ours() {
    let scratch = productive();
    let crash = scratch.baton_command().arg("run").env("BATON_CRASH_AT", "committed:begin").output().unwrap();
    assert_eq!(crash.status.code(), None, "killed");
    open_ledger(&scratch).execute("UPDATE turns SET machine = 'elsewhere'", []).unwrap();
    let run = run(&scratch, "1");
    assert_eq!(run.code, Some(2));
    let (first, help) = run.error().split_once('\n').unwrap();
    assert!(first.contains(" was begun on another machine (elsewhere); this one is "), "{run:?}");
    assert_eq!(
        help,
        "  help: the git directory was copied or is shared: end the turn there, or remove `baton/` in the git directory of \
         this copy if the turn is of no interest"
    );
    assert!(!scratch.exists("notes.txt"), "no agent ran");
}

#[test]
fn a_verification_that_was_configured_after_the_claim_and_never_ran_is_no_evidence() {
    let scratch = promising();
    scratch.write("docs/fix_plan.md", "- [x] make done.txt\n");
    scratch.write(
        "orchestration.yaml",
        COMPLETION.replace("verify: [{ name: done, run: 'test -e done.txt' }]\n", ""),
    );
    commit_all(&scratch);
    let crash = scratch.baton_command().arg("run").env("BATON_CRASH_AT", "committed:begin").output().unwrap();
    assert_eq!(crash.status.code(), None, "killed");
    scratch.write("orchestration.yaml", COMPLETION);
    commit_all(&scratch);
    // Before the crash the agent's end was not durable: whose commit this is must be said.
    let run = scratch.baton(&["run", "--sync-loops", "1", "--accept-commits", "HEAD"]);
    assert!(
        run.stderr.contains("promise of completion is refused: these `verify` commands fail: done\n"),
        "{run:?}"
    );
    assert_eq!(state(&scratch)["exit"], false);
}
