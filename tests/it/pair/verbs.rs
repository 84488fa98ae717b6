//! What people do to a pair from a clone of their own: stop, hold, pass by hand.

use rstest::rstest;

use crate::support::{Ending, Pair, Scheme, start_role};

#[test]
fn a_pair_that_is_asked_to_stop_ends_after_the_turn_that_runs_and_goes_on_when_it_may() {
    let pair = Pair::new(Scheme::Path);
    pair.galph().prepare_release();
    pair.galph().script_once("galph", "work; wait_for_release");
    let running = ["galph", "ralph"].map(|role| pair.start(role, 9, None));
    pair.galph().await_waiting("galph");
    let person = pair.clone_machine("person");
    person.baton(&["stop", "--reason=enough for today"]).assert_code(0);
    pair.galph().release();
    for ended in running.map(crate::support::Orchestrator::wait) {
        let said = ended.assert_code(0);
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(all.contains("enough for today"), "{all}");
    }
    // Each seat ends with all that it has seen there, though ralph had no turn to bring it along.
    assert_eq!(pair.galph().head(), pair.tip());
    let asked = pair.git(&["log", "-1", "--format=%H", "--grep=exit=set", "main"]);
    pair.ralph().git(&["merge-base", "--is-ancestor", asked.trim(), "HEAD"]);
    assert_eq!(pair.assert_sound().passed().count(), 1);
    person.baton(&["stop", "--clear"]).assert_code(0);
    pair.start("ralph", 1, None).wait().assert_code(0);
    pair.assert_undisturbed(1);
}

#[test]
fn a_hold_keeps_both_sides_from_their_next_turn_until_it_is_cleared() {
    let pair = Pair::new(Scheme::Path);
    let mut waiting = pair.start("ralph", 1, None);
    waiting.await_says("waiting for galph");
    let person = pair.clone_machine("person");
    pair.galph().prepare_release();
    pair.galph().script_once("galph", "work; wait_for_release");
    let mut galph = pair.start("galph", 1, None);
    pair.galph().await_waiting("galph");
    person.baton(&["hold", "set", "pause", "--reason=a look at the plan"]).assert_code(0);
    pair.galph().release();
    waiting.await_says("held: a look at the plan (pause)");
    galph.await_says("a look at the plan");
    let held = pair.state().unwrap();
    assert_eq!((&held["status"], held["holder"].is_null()), (&"waiting-ralph".into(), true));
    let id = held["holds"][0]["id"].as_str().unwrap();
    person.baton(&["hold", "clear", id]).assert_code(0);
    galph.wait().assert_code(0);
    waiting.wait().assert_code(0);
    pair.assert_undisturbed(1);
}

#[rstest]
fn a_turn_that_failed_is_passed_by_hand(#[values("ok", "fail")] how: &str) {
    let pair = Pair::new(Scheme::Path);
    pair.galph().script_once("galph", "exit 3");
    pair.start("galph", 1, None).wait().assert_code(5);
    let person = pair.clone_machine("person");
    person.baton(&["pass", "galph", how]).assert_code(0);
    if how == "fail" {
        pair.start("ralph", 1, None).wait().assert_code(5);
        person.baton(&["pass", "galph", "ok"]).assert_code(0);
    }
    pair.start("ralph", 1, None).wait().assert_code(0);
    let account = pair.assert_sound();
    assert_eq!((account.count(Ending::Failed), account.passed().count()), (1, 1));
    assert_eq!(account.state["iteration"], 2);
}

/// A tick leaves a failed turn to a person, unless it is told otherwise.
#[test]
fn a_tick_takes_a_failed_turn_again_only_when_asked() {
    let pair = Pair::new(Scheme::Path);
    let tick = |more: &[&str]| pair.galph().baton(&[&["tick", "--role=galph"], more].concat());
    pair.galph().script_once("galph", "exit 3");
    tick(&[]).assert_code(5);
    tick(&[]).assert_code(0);
    tick(&["--exit-code"]).assert_code(5);
    assert_eq!(pair.notes().starts.len(), 1);
    tick(&["--retry-failed"]).assert_code(0);
    tick(&["--exit-code"]).assert_code(3);
    pair.ralph().baton(&["tick", "--role=ralph"]).assert_code(0);
    let account = pair.assert_sound();
    account.assert_iterations(1);
    assert_eq!((account.turns.len(), pair.notes().starts.len()), (3, 3));
}

/// Both seats on one machine, by two processes in the same clone.
#[rstest]
fn two_seats_in_one_clone_take_turns(#[values("git2", "cli")] backend: &str) {
    let pair = Pair::configured(
        Scheme::Path,
        1,
        &format!("{}git: {{ backend: {backend} }}\n", crate::support::SYNC),
    );
    let both =
        ["galph", "ralph"].map(|role| start_role(&pair.machines()[0], role, &["--sync-loops=3"], None));
    for ended in crate::support::wait_for_both(both) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(3);
}

/// A slip of the fingers must not play the other machine's seat beside it.
#[test]
fn combined_mode_is_refused_where_a_seat_of_a_pair_was_played() {
    let pair = Pair::new(Scheme::Path);
    pair.run(1);
    let refused = pair.ralph().baton(&["run", "--sync-loops=1"]).assert_code(2);
    assert_eq!(
        refused.stderr.lines().filter(|line| !line.starts_with("note: ")).collect::<Vec<_>>().join("\n"),
        "error: this clone plays ralph in role mode, and combined mode would play both seats\n  \
         help: `baton run --mode role --role ralph` goes on\n  \
         help: if the other machine has stopped for good, `baton run --local` plays both seats here from now on"
    );
    assert_eq!(pair.notes().starts.len(), 2);
    pair.ralph().baton(&["run", "--sync-loops=1", "--local"]).assert_code(0);
    assert_eq!(pair.notes().starts.len(), 4);
}

/// On another machine nobody would see it, and the agent has been paid for.
#[test]
fn galphs_turn_fails_for_what_it_does_not_publish_and_goes_on_at_its_commits() {
    let pair = Pair::new(Scheme::Path);
    let tick = |more: &[&str]| pair.galph().baton(&[&["tick", "--role=galph"], more].concat());
    pair.galph().script_once("galph", "work; echo mine > lib.rs");
    let failed = tick(&[]).assert_code(5);
    let all = format!("{}{}", failed.stdout, failed.stderr);
    assert!(all.contains("galph changed what it does not publish: lib.rs"), "{all}");
    assert_eq!(pair.state().unwrap()["status"], "failed");
    tick(&["--retry-failed"]).assert_code(5);
    std::fs::remove_file(pair.galph().root().join("lib.rs")).unwrap();
    tick(&["--retry-failed"]).assert_code(0);
    assert_eq!(pair.state().unwrap()["status"], "waiting-ralph");
    assert_eq!(pair.notes().starts.len(), 1, "the agent was not run again");
}

/// Each look costs a connection, and people look often.
#[test]
fn the_status_of_a_shared_state_makes_one_connection_and_tells_of_the_first_commit_too() {
    let pair = Pair::new(Scheme::Daemon);
    let person = pair.clone_machine("person");
    let look = || {
        let before = pair.server().traffic();
        let shown = person.baton(&["status"]).assert_code(0).stdout;
        let after = pair.server().traffic();
        assert_eq!((after.looks - before.looks, after.pushes - before.pushes), (1, 0), "{shown}");
        shown
    };
    // A branch of one commit, which has a state: somebody has set the pair up by hand.
    let state = r#"{"iteration": 1, "expected_actor": "galph", "status": "idle"}"#;
    person.write("sync/state.json", state);
    person.git(&["checkout", "--quiet", "--orphan", "alone"]);
    person.git(&["add", "--all"]);
    person.git(&["commit", "--quiet", "--message=the whole beginning"]);
    person.git(&["branch", "--quiet", "-M", "main"]);
    person.git(&["push", "--quiet", "--force", "origin", "main"]);
    let shown = look();
    assert!(shown.contains(": the whole beginning"), "{shown}");
    for machine in pair.machines() {
        machine.git(&["fetch", "--quiet", "origin"]);
        machine.git(&["reset", "--quiet", "--keep", "origin/main"]);
    }
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    let shown = look();
    assert!(shown.contains("the branch here is"), "{shown}");
}
