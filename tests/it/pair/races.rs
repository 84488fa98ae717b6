//! Many machines that play the same two seats at once, some by loops, some by ticks: each turn is taken by one of them, and
//! none is lost.

use std::sync::atomic::{AtomicBool, Ordering};

use rstest::rstest;

use crate::support::{Machine, Orchestrator, Pair, SYNC, Scheme, await_event, start_role};

/// So many iterations, two claims each.
const ITERATIONS: u64 = if cfg!(feature = "faults") { 250 } else { 7 };

/// Ticks as cron would, but all the time.
fn tick(machine: &Machine, role: &str, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        machine.baton(&["tick", &format!("--role={role}")]).assert_code(0);
    }
}

/// Ends the ticks, also where the test fails: nobody waits for them for ever.
struct EndTicks<'a>(&'a AtomicBool);

impl Drop for EndTicks<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Lets the machines race until the pair has done so many iterations, then a person stops them all.
fn race(pair: &Pair, iterations: u64) {
    let person = pair.clone_machine("person");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = EndTicks(&over);
        let mut loops: Vec<Orchestrator> = Vec::new();
        for (number, machine) in pair.machines().iter().enumerate() {
            let role = ["galph", "ralph"][number % 2];
            // The first two are loops, so that there is always one of each seat that waits.
            if number % 4 < 2 {
                loops.push(start_role(machine, role, &["--sync-loops=1000000"], None));
            } else {
                scope.spawn(|| tick(machine, role, &over));
            }
        }
        // Each iteration in its own time, so that a hang is found soon however long the race is.
        for iteration in 1..=iterations {
            await_event(&format!("the end of iteration {iteration}"), || {
                (pair.state()?["iteration"].as_u64()? > iteration).then_some(())
            });
        }
        person.baton(&["stop", "--reason=the race is over"]).assert_code(0);
        over.store(true, Ordering::Relaxed);
        for one in loops {
            one.wait().assert_code(0);
        }
    });
}

#[rstest]
fn each_turn_is_taken_by_one_of_many(
    #[values(Scheme::Path, Scheme::Daemon)] scheme: Scheme,
    #[values(2, 4, 8)] machines: usize,
) {
    let pair = Pair::configured(scheme, machines, SYNC);
    race(&pair, ITERATIONS);
    let account = pair.assert_sound();
    let passed = account.passed().count();
    assert!(passed as u64 >= 2 * ITERATIONS, "{passed} turns");
    assert_eq!((account.turns.len(), pair.notes().starts.len()), (passed, passed), "{account:#?}");
}

/// Several ticks of one seat in the same clone: cron does not wait for the last one.
#[test]
fn ticks_that_overlap_in_one_clone_take_each_turn_once() {
    let pair = Pair::new(Scheme::Path);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = EndTicks(&over);
        for role in ["galph", "ralph"] {
            for _ in 0..3 {
                scope.spawn(|| tick(pair.seat(role), role, &over));
            }
        }
        await_event("three iterations", || (pair.state()?["iteration"].as_u64()? > 3).then_some(()));
        over.store(true, Ordering::Relaxed);
    });
    let account = pair.assert_sound();
    let passed = account.passed().count();
    assert!(passed >= 6, "{passed} turns");
    assert_eq!((account.turns.len(), pair.notes().starts.len()), (passed, passed), "{account:#?}");
}
