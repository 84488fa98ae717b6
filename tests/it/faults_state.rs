//! The state file and the locks: damaged, gone, taken away, contended.

use rstest::rstest;
use rustix::process::Signal;

use crate::support::{Git, Workspace};

const LOOP: [&str; 1] = ["--sync-loops=1"];

/// A kill in the middle of ralph's turn: a turn is open, its agent has ended, and its state is not written.
const OPEN_TURN: &str = "running:done#2";

#[rstest]
#[case::truncated(|text: &str| text[..text.len() / 2].to_owned(), "EOF while parsing")]
#[case::empty(|_: &str| String::new(), "sync/state.json:1:1: not a valid turn state: an empty file")]
#[case::conflicted(
    |text: &str| format!("<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> theirs\n"),
    "sync/state.json:1:1: not a valid turn state: a merge conflict marker"
)]
#[case::wrong_type(
    |text: &str| text.replace("\"iteration\": 1", "\"iteration\": \"one\""),
    "sync/state.json:2:20: not a valid turn state: invalid type: string \"one\", expected u64"
)]
#[case::unknown_status(
    |text: &str| text.replace("running-ralph", "sleeping"),
    "sync/state.json:4:22: not a valid turn state: unknown variant `sleeping`"
)]
#[case::newer(
    |text: &str| text.replace("\"schema_version\": 1", "\"schema_version\": 9"),
    "schema_version 9, written by a newer baton; this one knows up to 1"
)]
fn a_state_that_cannot_be_read_stops_everything_and_is_never_reset(
    #[case] damage: fn(&str) -> String,
    #[case] says: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let workspace = Workspace::new(git);
    workspace.crash(&LOOP, OPEN_TURN);
    let good = workspace.read("sync/state.json").unwrap();
    let bad = damage(&good);
    assert_ne!(bad, good);
    workspace.write("sync/state.json", &bad);
    for _ in 0..2 {
        workspace.run(&LOOP).assert_code(2).assert_says("sync/state.json:").assert_says(says);
        assert_eq!(workspace.read("sync/state.json"), Some(bad.clone()));
    }
    workspace.write("sync/state.json", &good);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[rstest]
fn a_state_that_disappears_in_an_open_turn_is_written_anew_from_the_journal(
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let workspace = Workspace::new(git);
    workspace.crash(&LOOP, OPEN_TURN);
    std::fs::remove_dir_all(workspace.root().join("sync")).unwrap();
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[rstest]
#[case::after_galph("close:done", 1, "ralph")]
#[case::after_ralph("close:done#2", 2, "galph")]
fn a_state_that_disappears_between_turns_is_never_replaced_by_iteration_1(
    #[case] place: &str,
    #[case] iteration: u64,
    #[case] expected: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let workspace = Workspace::new(git);
    workspace.crash(&LOOP, place);
    std::fs::remove_file(workspace.root().join("sync/state.json")).unwrap();
    let ended = workspace.run(&LOOP).assert_code(2);
    let anew =
        format!("{{\"iteration\": {iteration}, \"expected_actor\": \"{expected}\", \"status\": \"idle\"}}");
    assert_eq!(
        ended.stderr,
        format!(
            "error: sync/state.json has disappeared: after the last turn, it was {expected}'s turn in iteration \
             {iteration}\n  help: put the file back, or write it anew, to go on: {anew}\n"
        )
    );
    assert_eq!(workspace.read("sync/state.json"), None);
    workspace.write("sync/state.json", &anew);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(iteration);
    assert_eq!(workspace.effects().starts().len() as u64, 2 * iteration);
}

/// What somebody who takes a turn over leaves in the state.
fn take_over(workspace: &Workspace) -> String {
    let mut state = workspace.state();
    state["token"] = "0123456789abcdef0123456789abcdef".into();
    state["epoch"] = 99.into();
    let text = format!("{state:#}\n");
    workspace.write("sync/state.json", &text);
    text
}

#[rstest]
#[case::agent_has_ended("running:done#2")]
#[case::verified("verified:done")]
#[case::not_yet_stamped("stamped:begin#2")]
#[case::stamp_journalled("stamped:effect#2")]
fn a_turn_that_was_taken_away_meanwhile_publishes_nothing_more(
    #[case] place: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let workspace = Workspace::with_checks(git);
    workspace.crash(&LOOP, place);
    let theirs = take_over(&workspace);
    let (head, starts) = (workspace.head(), workspace.effects().starts().len());
    workspace.run(&LOOP).assert_code(6).assert_says("ralph's turn was taken away");
    assert_eq!(workspace.read("sync/state.json"), Some(theirs.clone()));
    assert_eq!(workspace.head(), head);
    assert_eq!(workspace.effects().starts().len(), starts);
    assert_eq!(
        workspace.read("src/made-1.rs").as_deref(),
        Some("made in iteration 1\n"),
        "the work is there"
    );
    // It stays theirs: the next start takes nothing either.
    workspace.run(&LOOP).assert_code(6).assert_says("a turn is running");
    assert_eq!(workspace.read("sync/state.json"), Some(theirs));
    workspace.assert_nobody_runs();
    workspace.assert_persons_files();
}

#[rstest]
fn the_agent_of_a_turn_that_was_taken_away_is_ended(#[values(Git::Used, Git::Avoided)] git: Git) {
    let workspace = Workspace::new(git);
    workspace.prepare_release();
    workspace.script_once("ralph", "wait_for_release; work");
    let orchestrator = workspace.start(&LOOP, None);
    workspace.await_waiting("ralph");
    orchestrator.signal(Signal::KILL);
    orchestrator.wait().assert_killed();
    let theirs = take_over(&workspace);
    workspace.run(&LOOP).assert_code(6).assert_says("ralph's turn was taken away");
    workspace.assert_nobody_runs();
    assert_eq!(workspace.read("sync/state.json"), Some(theirs));
    assert_eq!(workspace.read("src/made-1.rs"), None);
}

#[rstest]
#[case(Git::Used, &[])]
#[case(Git::Avoided, &[])]
#[case::one_without_git(Git::Used, &["--no-git"])]
#[case::the_other_seat_alone(Git::Used, &["--mode=solo", "--role=galph"])]
#[case::solo_without_git(Git::Used, &["--mode=solo", "--role=galph", "--no-git"])]
fn a_second_loop_in_the_same_workspace_leaves_at_once(#[case] git: Git, #[case] more: &[&str]) {
    let workspace = Workspace::new(git);
    workspace.prepare_release();
    workspace.script_once("galph", "wait_for_release; work");
    let first = workspace.start(&LOOP, None);
    workspace.await_waiting("galph");
    let arguments: Vec<&str> = LOOP.iter().chain(more).copied().collect();
    workspace
        .run(&arguments)
        .assert_code(1)
        .assert_says("another baton is at work here")
        .assert_says("wait for it to end, or stop it");
    workspace.release();
    first.wait().assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[test]
fn loops_that_start_together_take_each_turn_once() {
    let workspace = Workspace::new(Git::Used);
    let loops: Vec<_> = (0..6).map(|_| workspace.start(&LOOP, None)).collect();
    let codes: Vec<_> = loops.into_iter().map(|one| one.wait().code).collect();
    let done = codes.iter().filter(|code| **code == Some(0)).count();
    assert!(done >= 1 && codes.iter().all(|code| matches!(code, Some(0 | 1))), "{codes:?}");
    workspace.assert_whole(done as u64);
    assert_eq!(workspace.effects().starts().len(), 2 * done);
}

#[rstest]
fn a_person_who_stops_the_loop_while_it_is_dead_is_heard(#[values(Git::Used, Git::Avoided)] git: Git) {
    let workspace = Workspace::new(git);
    workspace.crash(&LOOP, "running:done");
    let mut state = workspace.state();
    state["exit"] = true.into();
    state["exit_reason"] = "enough for today".into();
    workspace.write("sync/state.json", &format!("{state:#}\n"));
    workspace.run(&LOOP).assert_code(0);
    let state = workspace.state();
    assert_eq!((&state["status"], &state["exit"]), (&"waiting-ralph".into(), &true.into()));
    assert_eq!(workspace.effects().starts().len(), 1);
}

#[test]
fn a_lock_of_git_that_stays_is_named_before_anything_is_claimed() {
    let workspace = Workspace::new(Git::Used);
    let lock = workspace.root().join(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    workspace.run(&LOOP).assert_code(1).assert_says(&format!(
        "error: `{}` exists: another git is at work there, or was killed; if no git is running in this repository, \
         remove the file and start again\n",
        lock.canonicalize().unwrap().display()
    ));
    assert_eq!(workspace.read("sync/state.json"), None);
    assert_eq!(workspace.effects().starts().len(), 0);
    assert!(lock.exists(), "nobody deletes another's lock");
    std::fs::remove_file(&lock).unwrap();
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
}
