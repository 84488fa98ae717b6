//! Many machines that play the same two seats at once: each turn is taken by one of them, and none is lost.

use rstest::rstest;
use rustix::process::Signal;

use crate::support::{Orchestrator, Pair, SYNC, Scheme, await_event, start_role};

/// So many iterations, two claims each.
const ITERATIONS: u64 = if cfg!(feature = "faults") { 250 } else { 7 };

/// Runs the loops until the pair has done so many iterations, then asks them all to end.
fn race(pair: &Pair, processes: usize, iterations: u64) {
    let start = |number: usize| {
        let role = ["galph", "ralph"][number % 2];
        start_role(&pair.machines()[number], role, &["--sync-loops=1000000"], None)
    };
    let running: Vec<Orchestrator> = (0..processes).map(start).collect();
    let (mut seen, mut since) = (0, 0);
    // Each iteration in its own time, so that a hang is found soon however long the race is.
    while seen <= iterations {
        since += 1;
        seen = await_event(&format!("iteration {since} of the race"), || {
            let iteration = pair.state()?["iteration"].as_u64()?;
            (iteration > since || iteration > iterations).then_some(iteration)
        });
        since = seen;
    }
    for process in &running {
        process.signal(Signal::TERM);
    }
    for process in running {
        let ended = process.wait();
        assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    }
}

#[rstest]
fn each_turn_is_taken_by_one_of_many(
    #[values(Scheme::Path, Scheme::Daemon)] scheme: Scheme,
    #[values(2, 4, 8)] processes: usize,
) {
    let pair = Pair::configured(scheme, processes, SYNC);
    let iterations = ITERATIONS;
    race(&pair, processes, iterations);
    let account = pair.assert_sound();
    let passed = account.passed().count() as u64;
    assert!(passed >= 2 * iterations, "{passed} turns");
    // Whoever was at work when all were asked to end gives its turn back or waits with it.
    let others = account.turns.len() as u64 - passed;
    assert!(others <= 1, "{account:#?}");
    let starts = pair.notes().starts.len() as u64;
    assert!((passed..=passed + others).contains(&starts), "{starts} starts, {passed} passed, {others} not");
}
