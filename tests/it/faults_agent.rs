//! Agents that misbehave: what they may cost, and what they may not.

use rstest::rstest;
use rustix::process::Signal;

use crate::support::{Git, Machine, Workspace, await_event};

const LOOP: [&str; 1] = ["--sync-loops=1"];

/// A loop whose ralph does this once, and how it ended.
fn with_ralph(git: Git, script: &str) -> (Workspace, crate::support::Ended) {
    let workspace = Workspace::new(git);
    workspace.script_once("ralph", script);
    let ended = workspace.run(&LOOP);
    (workspace, ended)
}

#[rstest]
#[case::deletes_what_is_ours("work; rm -rf .baton sync logs")]
#[case::cleans("work; git add src; git clean -fdxq -e scratch.txt; git reset -q src")]
#[case::counts_the_iteration_up("work; sed -i 's/\"iteration\": 1/\"iteration\": 40/' sync/state.json")]
#[case::passes_the_turn_itself(
    "work; sed -i 's/running-ralph/complete/; s/\"expected_actor\": \"ralph\"/\"expected_actor\": \"galph\"/' sync/state.json"
)]
#[case::leaves_a_background_process("work; (trap '' TERM HUP; sleep 600) & sleep 600 &")]
#[case::leaves_a_daemon("work; setsid sleep 600 </dev/null >/dev/null 2>&1 &")]
#[case::closes_its_output("exec >&- 2>&-; work 2>/dev/null; :")]
#[case::prints_no_text("work; printf 'caf\\303'; printf '\\251 \\377\\376 \\200\\n'")]
#[case::stages_its_work("work; git add src")]
fn an_agent_that_disturbs_only_what_is_ours_costs_nothing(
    #[case] script: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    if git == Git::Avoided && script.contains("git ") {
        return; // It would touch the repository that this case checks to be untouched.
    }
    let (workspace, ended) = with_ralph(git, script);
    ended.assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(2);
}

#[rstest]
fn output_without_end_is_kept_to_the_cap_and_in_bounded_memory(#[values(Git::Used, Git::Avoided)] git: Git) {
    let workspace = Workspace::configured(git, "");
    let capped = workspace.read("orchestration.yaml").unwrap().replace("300ms", "300ms, max_output: 1MiB");
    workspace.write("orchestration.yaml", &capped);
    if git == Git::Used {
        workspace.git(&["commit", "--quiet", "--message=cap", "orchestration.yaml"]);
    }
    workspace.prepare_release();
    workspace.script_once("ralph", "work; head -c 500000000 /dev/zero; wait_for_release");
    let orchestrator = workspace.start(&["--sync-loops=1", "--quiet"], None);
    let agent = workspace.await_waiting("ralph");
    for (who, pid) in [("orchestrator", orchestrator.pid()), ("supervisor", agent.supervisor)] {
        let peak = peak_memory_kib(pid);
        assert!(peak < 64 * 1024, "the {who} needed {peak} KiB");
    }
    workspace.release();
    orchestrator.wait().assert_code(0).assert_says("bytes of output were dropped");
    assert_eq!(workspace.state()["status"], "complete");
    workspace.assert_nobody_runs();
}

fn peak_memory_kib(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn commits_of_the_agent_are_kept_and_told() {
    let script = "work; git add src; git commit -qm 'by the agent' src; echo more > src/more.rs";
    let (workspace, ended) = with_ralph(Git::Used, script);
    ended.assert_code(0).assert_says("committed meanwhile, not by baton");
    let log = workspace.git(&["log", "--format=%s", "--name-only", "-2"]);
    assert!(log.contains("by the agent\n\nsrc/counter.rs\nsrc/made-1.rs"), "{log}");
    assert_eq!(workspace.git(&["show", "HEAD:src/more.rs"]), "more\n");
    workspace.assert_index_is_the_persons();
    workspace.assert_iterations(1);
}

#[rstest]
#[case::fails("work; echo 'no such model' >&2; exit 3", "exit code 3: no such model")]
#[case::kills_itself("work; kill -9 $$", "killed by signal 9")]
#[case::does_not_start("exec /nonexistent/agent", "exit code 127")]
fn a_failed_agent_stops_the_loop_and_is_started_again_only_when_asked(
    #[case] script: &str,
    #[case] says: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let (workspace, ended) = with_ralph(git, script);
    ended.assert_code(5).assert_says(says);
    let state = workspace.state();
    assert_eq!((&state["status"], &state["expected_actor"]), (&"failed".into(), &"ralph".into()));
    workspace.assert_nobody_runs();
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts_of("ralph", 1).len(), 2);
}

#[rstest]
#[case::wall("turn: { grace_period: 300ms, wall_limit: 300ms }", "timed_out", "the wall limit was reached")]
#[case::idle("turn: { grace_period: 300ms, idle_limit: 300ms }", "stalled", "until the idle limit")]
fn an_agent_that_hangs_is_ended_by_a_limit(#[case] turn: &str, #[case] class: &str, #[case] says: &str) {
    let workspace = Workspace::new(Git::Used);
    let limited =
        workspace.read("orchestration.yaml").unwrap().replace("turn: { grace_period: 300ms }", turn);
    workspace.write("orchestration.yaml", &limited);
    workspace.git(&["commit", "--quiet", "--message=limit", "orchestration.yaml"]);
    workspace.script_once("galph", "sleep 600");
    workspace.run(&LOOP).assert_code(5).assert_says(class).assert_says(says);
    assert_eq!(workspace.state()["status"], "failed");
    workspace.assert_nobody_runs();
}

#[rstest]
#[case::truncates("work; cp sync/state.json $FAKE_DIR/good; echo '{' > sync/state.json")]
#[case::merges("work; cp sync/state.json $FAKE_DIR/good; echo '<<<<<<< HEAD' > sync/state.json")]
fn a_state_that_the_agent_ruined_stops_the_turn_before_its_stamp(
    #[case] script: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let (workspace, ended) = with_ralph(git, script);
    ended.assert_code(2).assert_says("sync/state.json:");
    workspace.assert_nobody_runs();
    let good = workspace.kept("good");
    workspace.write("sync/state.json", &good);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[rstest]
fn an_agent_that_forges_the_token_has_fenced_itself_off(#[values(Git::Used, Git::Avoided)] git: Git) {
    let script =
        "work; sed -i 's/\"token\": \".*\"/\"token\": \"0123456789abcdef0123456789abcdef\"/' sync/state.json";
    let (workspace, ended) = with_ralph(git, script);
    ended.assert_code(6).assert_says("ralph's turn was taken away");
    assert_eq!(workspace.state()["status"], "running-ralph");
    workspace.assert_nobody_runs();
    workspace.assert_persons_files();
    assert_eq!(workspace.read("src/made-1.rs").as_deref(), Some("made in iteration 1\n"));
    workspace.run(&LOOP).assert_code(6);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[rstest]
#[case::protected(
    "work; echo 'logs_dir: elsewhere' >> orchestration.yaml",
    "orchestration.yaml: `publish.protect` names it",
    &["checkout", "--quiet", "orchestration.yaml"]
)]
#[case::unprotected_by_itself(
    "work; echo 'publish: { protect: [] }' >> orchestration.yaml",
    "orchestration.yaml: `publish.protect` names it",
    &["checkout", "--quiet", "orchestration.yaml"]
)]
#[case::switched(
    "work; git switch -qc elsewhere",
    "the branch was switched from main to elsewhere during the turn",
    &["switch", "--quiet", "main"]
)]
#[case::detached("work; git switch -q --detach", "HEAD was detached from main", &["switch", "--quiet", "main"])]
fn what_cannot_be_committed_stops_the_turn_until_it_is_put_right(
    #[case] script: &str,
    #[case] says: &str,
    #[case] remedy: &[&str],
) {
    let (workspace, ended) = with_ralph(Git::Used, script);
    ended.assert_code(5).assert_says(says).assert_says("nothing is lost");
    assert_eq!(
        workspace.git(&["rev-list", "--count", "main"]).trim(),
        "2",
        "galph's work is there, ralph's is not"
    );
    workspace.run(&LOOP).assert_code(5).assert_says(says);
    workspace.git(remedy);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[test]
fn an_agent_that_resets_a_persons_changes_away_is_told_of_and_nothing_is_committed() {
    let (workspace, ended) = with_ralph(Git::Used, "work; git reset -q --hard");
    ended
        .assert_code(5)
        .assert_says("mine.txt: it had changes before the turn, and was changed again during it");
    assert_eq!(workspace.git(&["rev-list", "--count", "HEAD"]).trim(), "2");
    workspace.assert_nobody_runs();
    workspace.write("mine.txt", "a person changed this");
    workspace.write("staged.txt", "a person staged this");
    workspace.git(&["add", "staged.txt"]);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[test]
fn a_history_that_the_agent_rewrote_stops_the_turn() {
    let (workspace, ended) =
        with_ralph(Git::Used, "git commit -q --amend --message=rewritten --only --allow-empty; work");
    ended.assert_code(5).assert_says("main was rewritten during the turn");
    workspace.git(&["reset", "--quiet", "--soft", "HEAD@{1}"]);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
}

#[test]
fn an_agent_cannot_push_by_itself() {
    let workspace = Workspace::new(Git::Used);
    let remote = tempfile::tempdir().unwrap();
    let remote = remote.path().display().to_string();
    workspace.git(&["init", "--quiet", "--bare", &remote]);
    workspace.git(&["remote", "add", "origin", &remote]);
    workspace.script_once("ralph", "work; git push -q origin main && say pushed; :");
    workspace.run(&LOOP).assert_code(0);
    assert!(!workspace.effects().has("pushed"));
    workspace.assert_whole(1);
}

#[test]
fn a_process_that_a_person_started_meanwhile_is_left_alone() {
    let workspace = Workspace::new(Git::Used);
    workspace.prepare_release();
    workspace.script_once("ralph", "wait_for_release; work");
    let orchestrator = workspace.start(&LOOP, None);
    let agent = workspace.await_waiting("ralph");
    let mut theirs = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    orchestrator.signal(Signal::KILL);
    orchestrator.wait().assert_killed();
    Machine::kill(agent.supervisor);
    workspace.run(&LOOP).assert_code(0);
    assert_eq!(theirs.try_wait().unwrap(), None);
    theirs.kill().unwrap();
    theirs.wait().unwrap();
    workspace.assert_whole(1);
}

#[test]
fn an_agent_that_kills_its_own_supervisor_gains_nothing() {
    let (workspace, ended) = with_ralph(Git::Used, "work; kill -9 $PPID; sleep 600");
    ended.assert_code(1).assert_says("the attempt vanished with its supervisor");
    workspace.assert_nobody_runs();
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts_of("ralph", 1).len(), 2);
}

#[test]
fn an_agent_that_kills_the_orchestrator_is_adopted() {
    let workspace = Workspace::new(Git::Used);
    // The orchestrator is the supervisor's parent.
    let script = "kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); work";
    workspace.script_once("ralph", script);
    workspace.run(&LOOP).assert_killed();
    await_event("the agent's end", || workspace.effects().has("end ").then_some(()));
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[test]
fn an_agent_that_deletes_the_records_is_not_run_a_second_time() {
    let (workspace, ended) = with_ralph(Git::Used, "work; rm -rf .git/baton");
    ended.assert_code(0);
    workspace.assert_whole(1);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(2);
    assert_eq!(workspace.effects().starts().len(), 4);
}

#[test]
fn a_turn_after_the_records_were_deleted_survives_a_kill() {
    let workspace = Workspace::new(Git::Used);
    workspace.prepare_release();
    workspace.script_once("galph", "work; rm -rf .git/baton");
    workspace.script_once("ralph", "wait_for_release; work");
    let orchestrator = workspace.start(&LOOP, None);
    workspace.await_waiting("ralph");
    orchestrator.signal(Signal::KILL);
    orchestrator.wait().assert_killed().assert_says("was deleted during a turn; the records begin anew");
    workspace.release();
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[rstest]
#[case::another_file("echo theirs > theirs.txt; git add theirs.txt; git commit -qm theirs theirs.txt", 4)]
#[case::their_own_change("git commit -qm theirs mine.txt", 4)]
fn a_person_who_commits_in_mid_turn_keeps_their_commit(#[case] commit: &str, #[case] commits: usize) {
    let workspace = Workspace::new(Git::Used);
    workspace.prepare_release();
    workspace.script_once("ralph", "wait_for_release; work");
    let orchestrator = workspace.start(&LOOP, None);
    workspace.await_waiting("ralph");
    let done = std::process::Command::new("sh").args(["-c", commit]).current_dir(workspace.root()).status();
    assert!(done.unwrap().success());
    workspace.release();
    orchestrator.wait().assert_code(0);
    let log = workspace.git(&["log", "--format=%s"]);
    assert_eq!(
        (log.lines().count(), log.lines().filter(|line| *line == "theirs").count()),
        (commits, 1),
        "{log}"
    );
    assert_eq!(workspace.git(&["show", "HEAD:src/made-1.rs"]), "made in iteration 1\n");
    assert_eq!(workspace.git(&["diff", "--cached", "--name-status"]), "A\tstaged.txt\n");
    workspace.assert_persons_files();
    workspace.assert_iterations(1);
}

#[test]
fn a_person_who_works_on_their_own_dirty_file_in_mid_turn_is_asked_and_loses_nothing() {
    let workspace = Workspace::new(Git::Used);
    workspace.prepare_release();
    workspace.script_once("ralph", "wait_for_release; work");
    let orchestrator = workspace.start(&LOOP, None);
    workspace.await_waiting("ralph");
    workspace.write("mine.txt", "a person changed this again");
    workspace.release();
    orchestrator.wait().assert_code(5).assert_says("mine.txt: it had changes before the turn");
    assert_eq!(workspace.read("mine.txt").as_deref(), Some("a person changed this again"));
    workspace.git(&["commit", "--quiet", "--message=mine", "mine.txt"]);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_iterations(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[rstest]
fn three_interruptions_in_a_row_call_a_person(#[values(Git::Used, Git::Avoided)] git: Git) {
    let workspace = Workspace::new(git);
    for _ in 0..3 {
        workspace.script_once("galph", "kill -9 $PPID; sleep 600");
        workspace.run(&LOOP).assert_code(1);
    }
    workspace.run(&LOOP).assert_code(4).assert_says("3 turns in a row were interrupted");
    assert_eq!(workspace.effects().starts().len(), 3);
}

#[test]
fn a_state_that_cannot_be_written_stops_before_the_agent_is_started() {
    let workspace = Workspace::new(Git::Used);
    // Permissions would not stop root.
    let obstacle = workspace.root().join("sync/state.json.tmp");
    std::fs::create_dir_all(&obstacle).unwrap();
    workspace.run(&LOOP).assert_code(1).assert_says("cannot write sync/state.json");
    assert_eq!(workspace.effects().starts().len(), 0);
    std::fs::remove_dir(&obstacle).unwrap();
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
}
