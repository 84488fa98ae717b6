//! Kills and signals while an agent or a `verify` command is in the middle of its work.

use rstest::rstest;
use rustix::process::Signal;

use crate::support::{Deed, Effects, Git, Machine, Orchestrator, Workspace, await_event};

const LOOP: [&str; 1] = ["--sync-loops=1"];

/// Half of the work, a tracked file among it, then a wait, then the other half.
const HALF: &str = r#"mkdir -p src
echo half > src/half.rs
echo half > docs/fix_plan.md
wait_for_release
rm src/half.rs
echo "iteration $BATON_ITERATION" > docs/fix_plan.md
work"#;

/// The other half, by an agent that finds the first one.
const OTHER_HALF: &str = r#"[ "$(cat src/half.rs docs/fix_plan.md)" = "half
half" ] || exit 9
rm src/half.rs
echo "iteration $BATON_ITERATION" > docs/fix_plan.md
work"#;

/// A workspace in which this seat's agent is in the middle of its work.
fn in_mid_run(git: Git, seat: &str) -> (Workspace, Orchestrator, Deed) {
    let workspace = Workspace::with_checks(git);
    workspace.prepare_release();
    workspace.script_once(seat, HALF);
    let orchestrator = workspace.start(&LOOP, None);
    let agent = workspace.await_waiting(seat);
    (workspace, orchestrator, agent)
}

fn starts(effects: &Effects, seat: &str) -> usize {
    effects.starts_of(seat, 1).len()
}

#[rstest]
fn an_agent_whose_orchestrator_is_killed_is_watched_again_and_not_started_again(
    #[values("galph", "ralph")] seat: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let (workspace, orchestrator, agent) = in_mid_run(git, seat);
    orchestrator.signal(Signal::KILL);
    orchestrator.wait().assert_killed();
    let restart = workspace.start(&LOOP, None);
    await_event("the restart watches", || restart.stderr().contains("is watched again").then_some(()));
    workspace.release();
    restart.wait().assert_code(0).assert_says(&format!("{seat} goes on with turn {}", agent.turn));
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

/// A repository that is not fit for a new turn is no reason to leave a living agent alone.
#[test]
fn a_living_agent_is_watched_again_though_head_was_detached_meanwhile() {
    let (workspace, orchestrator, _) = in_mid_run(Git::Used, "ralph");
    orchestrator.signal(Signal::KILL);
    orchestrator.wait().assert_killed();
    workspace.git(&["switch", "--quiet", "--detach"]);
    let restart = workspace.start(&LOOP, None);
    await_event("the restart watches", || restart.stderr().contains("is watched again").then_some(()));
    workspace.release();
    restart.wait().assert_code(5).assert_says("HEAD was detached from main during the turn");
    workspace.git(&["switch", "--quiet", "main"]);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[rstest]
fn an_agent_that_ends_while_nobody_watches_is_not_started_again(
    #[values("galph", "ralph")] seat: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let (workspace, orchestrator, _) = in_mid_run(git, seat);
    orchestrator.signal(Signal::KILL);
    orchestrator.wait().assert_killed();
    workspace.release();
    workspace.await_quiet();
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[rstest]
fn a_killed_agent_fails_its_turn_and_is_started_anew_once(
    #[values("galph", "ralph")] seat: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let (workspace, orchestrator, agent) = in_mid_run(git, seat);
    Machine::kill(agent.pid);
    orchestrator.wait().assert_code(5).assert_says("killed by signal 9");
    workspace.assert_nobody_runs();
    assert_eq!(workspace.state()["status"], "failed");
    workspace.script_once(seat, OTHER_HALF);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(starts(&workspace.effects(), seat), 2);
    assert_eq!(workspace.effects().starts().len(), 3);
}

#[rstest]
fn a_killed_supervisor_takes_its_agent_along_and_the_turn_is_given_back(
    #[values("galph", "ralph")] seat: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let (workspace, orchestrator, agent) = in_mid_run(git, seat);
    Machine::kill(agent.supervisor);
    orchestrator.wait().assert_code(1).assert_says("the attempt vanished with its supervisor");
    workspace.assert_nobody_runs();
    assert_eq!(workspace.state()["holder"], serde_json::Value::Null);
    workspace.script_once(seat, OTHER_HALF);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(starts(&workspace.effects(), seat), 2);
}

/// Who is killed besides the orchestrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Along {
    Agent,
    Supervisor,
    Both,
}

#[rstest]
fn the_orchestrator_and_those_below_it_are_killed_together(
    #[values("galph", "ralph")] seat: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
    #[values(Along::Agent, Along::Supervisor, Along::Both)] along: Along,
) {
    let (workspace, orchestrator, agent) = in_mid_run(git, seat);
    orchestrator.signal(Signal::KILL);
    orchestrator.wait().assert_killed();
    if along != Along::Agent {
        Machine::kill(agent.supervisor);
    }
    if along != Along::Supervisor {
        Machine::kill(agent.pid);
    }
    // Where the supervisor lives, it records its agent's end; the failure is then known, and nothing runs unasked.
    let failed = along == Along::Agent;
    if failed {
        workspace.await_quiet();
        workspace.run(&LOOP).assert_code(5).assert_says("killed by signal 9");
    }
    workspace.script_once(seat, OTHER_HALF);
    let restart = workspace.run(&LOOP).assert_code(0);
    if !failed {
        restart.assert_says("ended interrupted");
    }
    workspace.assert_whole(1);
    assert_eq!(starts(&workspace.effects(), seat), 2);
    assert_eq!(workspace.effects().starts().len(), 3);
}

#[rstest]
fn a_verify_command_that_is_killed_with_the_orchestrator_costs_no_second_run_of_the_agent(
    #[values(Git::Used, Git::Avoided)] git: Git,
    #[values(Along::Agent, Along::Supervisor, Along::Both)] along: Along,
) {
    let workspace = Workspace::with_checks(git);
    workspace.prepare_release();
    workspace.script_once("ralph", "work; echo wait_for_release > \"$FAKE_DIR/once.first\"");
    let orchestrator = workspace.start(&LOOP, None);
    let check = workspace.await_waiting("first");
    orchestrator.signal(Signal::KILL);
    orchestrator.wait().assert_killed();
    if along != Along::Agent {
        Machine::kill(check.supervisor);
    }
    if along != Along::Supervisor {
        Machine::kill(check.pid);
    }
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().starts().len(), 2);
}

#[rstest]
fn a_killed_router_prompt_selects_nothing_and_is_asked_again(#[values(Git::Used, Git::Avoided)] git: Git) {
    let workspace = Workspace::configured(git, "router: { enabled: true, prompt: router.md }\n");
    workspace.prepare_release();
    workspace.script_once("router", "wait_for_release");
    let orchestrator = workspace.start(&LOOP, None);
    let router = workspace.await_waiting("galph");
    orchestrator.signal(Signal::KILL);
    orchestrator.wait().assert_killed();
    Machine::kill(router.supervisor);
    Machine::kill(router.pid);
    workspace.run(&LOOP).assert_code(0).assert_says("ended interrupted");
    workspace.assert_whole(1);
    assert_eq!(workspace.effects().router_starts().len(), 2);
    assert_eq!(starts(&workspace.effects(), "galph"), 1);
}

#[rstest]
#[case(Signal::INT, 130)]
#[case(Signal::TERM, 143)]
#[case(Signal::HUP, 143)]
fn a_signal_stops_the_agent_and_gives_the_turn_back(
    #[case] signal: Signal,
    #[case] code: i32,
    #[values("galph", "ralph")] seat: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let (workspace, orchestrator, _) = in_mid_run(git, seat);
    orchestrator.signal(signal);
    orchestrator.wait().assert_code(code).assert_says("stopped by a signal, with the state saved");
    workspace.assert_nobody_runs();
    let state = workspace.state();
    let before = if seat == "galph" { "idle" } else { "waiting-ralph" };
    assert_eq!((&state["status"], &state["expected_actor"]), (&before.into(), &seat.into()));
    assert_eq!(workspace.read("src/half.rs").as_deref(), Some("half\n"), "its work is still there");
    workspace.script_once(seat, OTHER_HALF);
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    assert_eq!(starts(&workspace.effects(), seat), 2);
}

#[test]
fn what_an_interrupted_turn_left_behind_is_committed_once_by_the_next() {
    let (workspace, orchestrator, _) = in_mid_run(Git::Used, "ralph");
    orchestrator.signal(Signal::INT);
    orchestrator.wait().assert_code(130);
    workspace.run(&LOOP).assert_code(0);
    assert_eq!(workspace.git(&["show", "HEAD:src/half.rs"]), "half\n");
    assert_eq!(workspace.git(&["log", "--format=%h", "--", "src/half.rs"]).lines().count(), 1);
    workspace.assert_index_is_the_persons();
}

#[test]
fn an_agent_that_ignores_the_first_signal_is_killed_after_the_grace_period() {
    let workspace = Workspace::new(Git::Used);
    workspace.prepare_release();
    workspace.script_once("ralph", "trap '' TERM; wait_for_release; work");
    let orchestrator = workspace.start(&LOOP, None);
    workspace.await_waiting("ralph");
    orchestrator.signal(Signal::TERM);
    orchestrator.wait().assert_code(143);
    workspace.assert_nobody_runs();
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
}

#[rstest]
fn a_second_signal_ends_an_agent_that_ignores_the_first_at_once(
    #[values(Signal::INT, Signal::TERM, Signal::HUP)] signal: Signal,
) {
    let workspace = Workspace::configured(Git::Used, "");
    workspace
        .write("orchestration.yaml", &workspace.read("orchestration.yaml").unwrap().replace("300ms", "10m"));
    workspace.git(&["commit", "--quiet", "--message=patience", "orchestration.yaml"]);
    workspace.prepare_release();
    // The first signal is answered, so that the test knows when to send the second.
    let script = "trap 'say obstinate' TERM; while :; do wait_for_release; done";
    workspace.script_once("ralph", script);
    let orchestrator = workspace.start(&LOOP, None);
    workspace.await_waiting("ralph");
    orchestrator.signal(signal);
    await_event("the first signal", || workspace.effects().has("obstinate").then_some(()));
    orchestrator.signal(signal);
    orchestrator.wait().assert_code(if signal == Signal::INT { 130 } else { 143 });
    workspace.assert_nobody_runs();
    assert_eq!(workspace.state()["status"], "waiting-ralph");
}

#[rstest]
fn a_signal_during_verification_suspends_the_turn_and_the_agent_is_not_run_again(
    #[values("first", "second")] check: &str,
    #[values(Git::Used, Git::Avoided)] git: Git,
) {
    let workspace = Workspace::with_checks(git);
    workspace.prepare_release();
    // The command waits after the agent, not before it.
    workspace.script_once("ralph", &format!("work; echo wait_for_release > \"$FAKE_DIR/once.{check}\""));
    let orchestrator = workspace.start(&LOOP, None);
    workspace.await_waiting(check);
    orchestrator.signal(Signal::INT);
    orchestrator.wait().assert_code(130).assert_says("stopped by a signal, with the state saved");
    workspace.assert_nobody_runs();
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
    let effects = workspace.effects();
    assert_eq!(effects.starts().len(), 2);
    let runs = |name: &str| effects.checks().iter().filter(|deed| deed.who == name).count();
    // Before and after the agent, and the stopped one again; one that had ended is not repeated.
    let expected = if check == "first" { (3, 2) } else { (2, 3) };
    assert_eq!((runs("first"), runs("second")), expected);
}

#[test]
fn a_verification_that_is_run_again_is_known_to_the_next_restart() {
    let workspace = Workspace::with_checks(Git::Used);
    workspace.prepare_release();
    let wait = "echo wait_for_release > \"$FAKE_DIR/once.first\"";
    workspace.script_once("ralph", &format!("work; {wait}"));
    let orchestrator = workspace.start(&LOOP, None);
    workspace.await_waiting("first");
    orchestrator.signal(Signal::INT);
    orchestrator.wait().assert_code(130);
    workspace.script_once("first", "say rerun; wait_for_release");
    let again = workspace.start(&LOOP, None);
    await_event("the second run", || workspace.effects().has("rerun").then_some(()));
    again.signal(Signal::KILL);
    again.wait().assert_killed();
    let last = workspace.start(&LOOP, None);
    await_event("the restart", || last.stderr().contains("verify `first`").then_some(()));
    workspace.release();
    last.wait().assert_code(0);
    workspace.assert_whole(1);
    let firsts = workspace.effects().checks().into_iter().filter(|deed| deed.who == "first").count();
    assert_eq!(firsts, 3, "the one that lived on was watched, not run beside");
}

#[test]
fn a_verification_whose_supervisor_is_killed_has_failed_and_is_not_run_for_ever() {
    let workspace = Workspace::with_checks(Git::Used);
    workspace.prepare_release();
    workspace.script_once("ralph", "work; echo wait_for_release > \"$FAKE_DIR/once.first\"");
    let orchestrator = workspace.start(&LOOP, None);
    let check = workspace.await_waiting("first");
    Machine::kill(check.supervisor);
    orchestrator.wait().assert_code(0).assert_says("verify `first`: failed (it vanished)");
    workspace.assert_whole(1);
}
