//! Nothing goes wrong.

use rstest::rstest;

use crate::support::{Pair, SYNC, Scheme};

#[rstest]
fn two_machines_take_turns_over_any_remote(
    #[values(Scheme::Path, Scheme::File, Scheme::Daemon, Scheme::Http)] scheme: Scheme,
    #[values("git2", "cli")] backend: &str,
) {
    let pair = Pair::configured(scheme, 2, &format!("{SYNC}git: {{ backend: {backend} }}\n"));
    for ended in pair.run(3) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(3);
    // Who stamped last is where the remote is; the other side comes there with its next turn.
    assert_eq!(pair.ralph().head(), pair.tip());
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(4);
}

#[test]
fn the_commits_of_an_iteration_say_what_the_earlier_log_tool_reads() {
    let pair = Pair::new(Scheme::Path);
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    let history = pair.history();
    let short = |number: usize| pair.git(&["rev-parse", "--short", &history.entries[number].id]);
    let [plan, work] = [short(3), short(6)].map(|id| id.trim().to_owned());
    let expected = [
        "first".to_owned(),
        "[SYNC init] actor=galph status=idle".to_owned(),
        "[SYNC i=1] actor=galph status=running".to_owned(),
        "SUPERVISOR AUTO (prompt=supervisor.md) (iter=00001): doc/meta hygiene".to_owned(),
        format!("[SYNC i=1] actor=galph → next=ralph status=ok galph_commit={plan}"),
        "[SYNC i=1] actor=ralph status=running".to_owned(),
        "RALPH AUTO (prompt=main.md) (iter=00001): work".to_owned(),
        format!("[SYNC i=2] actor=ralph → next=galph status=ok ralph_commit={work}"),
    ];
    assert_eq!(history.subjects(), expected);
    for entry in &history.entries[1..] {
        let author = pair.git(&["log", "-1", "--format=%an %ae %cn", &entry.id]);
        assert!(author.starts_with("Machine m"), "{author}");
    }
}

#[test]
fn a_look_that_finds_nothing_new_makes_one_connection() {
    let pair = Pair::new(Scheme::Daemon);
    pair.galph().prepare_release();
    pair.galph().script_once("galph", "wait_for_release; work");
    let galph = pair.start("galph", 1, None);
    pair.galph().await_waiting("galph");
    let ralph = pair.start("ralph", 1, None);
    crate::support::await_event("looks", || (pair.server().traffic().looks > 20).then_some(()));
    let traffic = pair.server().traffic();
    // The first state, and the claim.
    assert_eq!(traffic.pushes, 2, "{traffic:?}");
    pair.galph().release();
    galph.wait().assert_code(0);
    ralph.wait().assert_code(0);
    pair.assert_undisturbed(1);
    assert_eq!(pair.server().traffic().pushes, 5);
}

#[test]
fn who_starts_is_what_a_person_has_written() {
    let pair = Pair::new(Scheme::Path);
    let person = pair.clone_machine("person");
    person.write(
        "sync/state.json",
        "{ \"iteration\": 7, \"expected_actor\": \"ralph\", \"status\": \"idle\" }\n",
    );
    person.git(&["add", "sync"]);
    person.git(&["commit", "--quiet", "--message=ralph starts"]);
    person.git(&["push", "--quiet", "origin", "main"]);
    pair.start("ralph", 1, None).wait().assert_code(0);
    let account = pair.assert_sound();
    let turns: Vec<(&str, u64)> =
        account.passed().map(|turn| (turn.actor.as_str(), turn.iteration)).collect();
    assert_eq!((turns, account.state["iteration"].as_u64()), (vec![("ralph", 7)], Some(8)));
}
