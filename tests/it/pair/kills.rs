//! One machine's process is killed at every point of its turn while the other machine lives on; the same command again must
//! bring the work to its end.
//!
//! `docs/reliability.md` holds the table that comes of it; `BATON_WRITE_TABLES=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use rstest::rstest;
use rustix::process::Signal;

use crate::support::{CHECKS, Ended, Ending, Machine, Pair, SYNC, Scheme, await_event, check_table};

/// The points of a turn at which a debug build can kill itself, and what each of them lies between.
pub(super) const POINTS: &[(&str, &str)] = &[
    ("claimed:begin", "claim made, not journalled"),
    ("claimed:effect", "claim journalled, not pushed"),
    ("claimed:pushed", "claim pushed, its answer not looked at"),
    ("claimed:accepted", "claim on the remote, branch and files here as before"),
    ("claimed:done", "branch and files brought to the claim"),
    ("selected:begin", "before the selection"),
    ("selected:done", "prompt selected, not journalled"),
    ("running:begin", "before the attempt"),
    ("running:submitted", "supervisor booting, attempt not journalled"),
    ("running:effect", "attempt journalled"),
    ("running:ready", "supervisor waits for its go"),
    ("running:go", "agent started"),
    ("running:done", "agent ended, result not journalled"),
    ("committed:begin", "before the commits"),
    ("committed:effect", "commits journalled, not made"),
    ("committed:done", "commits made, not journalled"),
    ("stamped:begin", "before the stamp is decided"),
    ("stamped:effect", "stamp journalled"),
    ("stamped:done", "before the publication"),
    ("published:begin", "stamp not made yet"),
    ("published:effect", "stamp made and journalled, not pushed"),
    ("published:pushed", "work and stamp pushed, the answer not looked at"),
    ("published:accepted", "on the remote, branch and files here as before"),
    ("published:done", "branch and files brought to the remote's"),
    ("close:begin", "turn not closed"),
    ("close:done", "turn closed"),
];

/// The points around the `verify` commands, which only ralph's turn has; two are configured then.
pub(super) const CHECK_POINTS: &[(&str, &str)] = &[
    ("baseline:begin", "before the first `verify` run"),
    ("baseline:effect", "its attempts journalled"),
    ("baseline:go", "first command started"),
    ("baseline:checked", "first command ended"),
    ("baseline:checked#2", "second command ended"),
    ("baseline:done", "results not journalled"),
    ("verified:begin", "before the `verify` commands"),
    ("verified:effect", "their attempts journalled"),
    ("verified:go", "first command started"),
    ("verified:checked", "first command ended"),
    ("verified:checked#2", "second command ended"),
    ("verified:done", "results not journalled"),
];

/// Each role with each point of its turn, in the order in which it comes by.
pub(super) fn rows() -> Vec<(&'static str, &'static str, &'static str)> {
    let mut rows = Vec::new();
    for role in ["galph", "ralph"] {
        for (place, meaning) in POINTS {
            if role == "ralph" {
                let before = match *place {
                    "running:begin" => "baseline",
                    "committed:begin" => "verified",
                    _ => "nothing",
                };
                let checks = CHECK_POINTS.iter().filter(|(check, _)| check.starts_with(before));
                rows.extend(checks.map(|(check, meaning)| (role, *check, *meaning)));
            }
            rows.push((role, *place, *meaning));
        }
    }
    rows
}

/// A pair for this point: with `verify` commands where it is one of theirs.
pub(super) fn pair_for(place: &str, scheme: Scheme) -> Pair {
    if is_of_checks(place) {
        Pair::configured(scheme, 2, &format!("{SYNC}{CHECKS}"))
    } else {
        Pair::new(scheme)
    }
}

/// Asserts that each `verify` command ran once before and once after ralph's agent.
#[track_caller]
fn assert_checked_once(pair: &Pair, place: &str, iterations: u64) {
    let ran = if is_of_checks(place) { 4 * iterations } else { 0 };
    assert_eq!(pair.ralph().effects().checks().len() as u64, ran, "{place}");
}

/// Whether this point is one around the `verify` commands.
pub(super) fn is_of_checks(place: &str) -> bool {
    place.starts_with("baseline") || place.starts_with("verified")
}

/// The seat beside this one.
pub(super) fn other(role: &str) -> &'static str {
    if role == "galph" { "ralph" } else { "galph" }
}

/// Kills one role at a place, starts it again, and lets the pair come to its end.
fn kill_and_restart(role: &str, place: &str, scheme: Scheme) -> &'static str {
    kill_in(&pair_for(place, scheme), role, place)
}

/// The same in a pair that was just made.
pub(super) fn kill_in(pair: &Pair, role: &str, place: &str) -> &'static str {
    // A turn that was over is not counted by the next start.
    let iterations = if place == "close:done" { 2 } else { 1 };
    let beside = pair.start(other(role), iterations, None);
    pair.start(role, 1, Some(place)).wait().assert_killed();
    if place == "running:go" {
        // The agent outlives the kill; how soon it is up is its own affair.
        await_event("the agent's start", || (pair.seat(role).effects().starts().len() == 1).then_some(()));
    }
    let before = pair.seat(role).effects().starts().len();
    let claimed =
        pair.history().subjects().contains(&format!("[SYNC i=1] actor={role} status=running").as_str());
    let restart = pair.start(role, 1, None).wait().assert_code(0);
    beside.wait().assert_code(0);
    let account = pair.assert_undisturbed(iterations);
    assert_eq!(account.turns.len() as u64, 2 * iterations);
    assert_checked_once(pair, place, iterations);
    describe(before, claimed, &restart)
}

fn describe(before: usize, claimed: bool, restart: &Ended) -> &'static str {
    match (restart.stderr.contains(" goes on with turn "), claimed, before) {
        (true, true, 0) => "the turn goes on, the agent is started once",
        (true, true, _) => "the turn goes on; the agent is not started again",
        (true, false, 0) => "the same claim is pushed now; the turn goes on, the agent is started once",
        (false, false, 0) => "nothing had happened; the turn is taken, the agent started once",
        (false, true, 1) => "the turn was over; the next one is taken",
        other => panic!("{other:?}:\n{}", restart.stderr),
    }
}

#[test]
fn a_killed_role_repeats_nothing_and_loses_nothing_wherever_it_is_killed() {
    let rows = rows();
    let queue = Mutex::new((0..rows.len()).collect::<Vec<_>>().into_iter());
    let outcomes = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some(row) = next else { return };
                    let (role, place, _) = rows[row];
                    let outcome = kill_and_restart(role, place, Scheme::Path);
                    if cfg!(feature = "faults") {
                        for scheme in [Scheme::File, Scheme::Daemon, Scheme::Http] {
                            assert_eq!(
                                kill_and_restart(role, place, scheme),
                                outcome,
                                "{role} {place} {scheme:?}"
                            );
                        }
                    }
                    outcomes.lock().unwrap().insert(row, outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    assert_eq!(outcomes.len(), rows.len());
    let mut table =
        "| turn of | killed at | that is | the same command again |\n|---|---|---|---|\n".to_owned();
    for (row, (role, place, meaning)) in rows.iter().enumerate() {
        let _ = writeln!(table, "| {role} | `{place}` | {meaning} | {} |", outcomes[&row]);
    }
    check_table("role-crash-points", &table);
}

#[rstest]
fn a_role_whose_every_restart_is_killed_too_still_starts_its_agent_once(
    #[values("galph", "ralph")] role: &str,
) {
    let pair = Pair::new(Scheme::Path);
    let beside = pair.start(other(role), 1, None);
    let mut killed = 0;
    for (place, _) in POINTS {
        let ended = pair.start(role, 1, Some(place)).wait();
        if ended.signal.is_none() {
            ended.assert_code(0);
            break;
        }
        killed += 1;
        if *place == "close:begin" {
            break;
        }
    }
    assert!(killed > 8, "only {killed} restarts were killed");
    if pair.state().unwrap()["status"] == format!("running-{role}") || role == "galph" {
        pair.start(role, 1, None).wait().assert_code(0);
    }
    beside.wait().assert_code(0);
    pair.assert_undisturbed(1);
}

/// Half of the work, then a wait, then the other half.
const HALF: &str = "mkdir -p plans src; echo half > docs/fix_plan.md; wait_for_release; work";

#[rstest]
fn an_agent_whose_role_is_killed_is_watched_again(#[values("galph", "ralph")] role: &str) {
    let pair = Pair::new(Scheme::Path);
    pair.seat(role).prepare_release();
    pair.seat(role).script_once(role, HALF);
    let beside = pair.start(other(role), 1, None);
    let killed = pair.start(role, 1, None);
    pair.seat(role).await_waiting(role);
    killed.signal(Signal::KILL);
    killed.wait().assert_killed();
    let mut restart = pair.start(role, 1, None);
    restart.await_says("is watched again");
    pair.seat(role).release();
    restart.wait().assert_code(0);
    beside.wait().assert_code(0);
    // The half-done document is ralph's to finish, which he does not.
    let account = pair.assert_sound();
    account.assert_iterations(1);
    assert_eq!(pair.notes().starts.len(), 2);
}

#[rstest]
fn a_killed_supervisor_gives_the_turn_back_and_the_next_start_takes_it_anew(
    #[values("galph", "ralph")] role: &str,
    #[values(true, false)] with_its_role: bool,
) {
    let pair = Pair::new(Scheme::Path);
    pair.seat(role).prepare_release();
    pair.seat(role).script_once(role, "wait_for_release");
    let beside = pair.start(other(role), 1, None);
    let started = pair.start(role, 1, None);
    let agent = pair.seat(role).await_waiting(role);
    if with_its_role {
        started.signal(Signal::KILL);
    }
    Machine::kill(agent.supervisor);
    if with_its_role {
        started.wait().assert_killed();
    } else {
        started.wait().assert_code(1).assert_says("the attempt vanished with its supervisor");
    }
    pair.start(role, 1, None).wait().assert_code(0);
    beside.wait().assert_code(0);
    let account = pair.assert_sound();
    account.assert_iterations(1);
    assert_eq!((account.turns.len(), pair.notes().starts.len()), (3, 3));
}

#[rstest]
fn a_killed_agent_fails_its_turn_and_the_other_side_says_so(#[values("galph", "ralph")] role: &str) {
    let pair = Pair::new(Scheme::Path);
    pair.seat(role).prepare_release();
    pair.seat(role).script_once(role, "wait_for_release");
    let beside = pair.start(other(role), 1, None);
    let started = pair.start(role, 1, None);
    Machine::kill(pair.seat(role).await_waiting(role).pid);
    started.wait().assert_code(5).assert_says("killed by signal 9");
    beside.wait().assert_code(5).assert_says(&format!("{role}'s turn of iteration 1 failed"));
    let mut again = vec![pair.start(role, 1, None)];
    if role == "galph" {
        // He waits for ralph's turn.
        pair.await_status("waiting-ralph");
        again.push(pair.start("ralph", 1, None));
    }
    for ended in again {
        ended.wait().assert_code(0);
    }
    let account = pair.assert_sound();
    account.assert_iterations(1);
    assert_eq!(account.count(Ending::Failed), 1);
    assert_eq!(pair.notes().starts.len(), 3);
}
