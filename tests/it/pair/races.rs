//! Many machines that play the same two seats at once, some by loops, some by ticks: each turn is taken by one of them, and
//! none is lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rstest::rstest;

use crate::support::{Machine, Orchestrator, Pair, SYNC, Scheme, await_event, say, start_role};

/// So many iterations, two claims each.
const ITERATIONS: u64 = if cfg!(feature = "faults") { 90 } else { 7 };

/// Which git looks and pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// As it is built in: libgit2 looks, and where a machine has git that pushes.
    Auto,
    /// The installed git does both.
    Program,
    /// libgit2 does both, on machines without git.
    Library,
}

impl By {
    fn pair(self, scheme: Scheme, machines: usize) -> Pair {
        match self {
            Self::Auto => Pair::configured(scheme, machines, SYNC),
            Self::Program => Pair::configured(scheme, machines, &format!("{SYNC}git: {{ backend: cli }}\n")),
            Self::Library => Pair::without_git(scheme, machines, SYNC),
        }
    }
}

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

/// Asserts that each claim on the branch had its agent, that no turn of it failed, and that the machines know of all that
/// they have taken; says how the others were lost.
#[track_caller]
fn assert_each_taken_once(pair: &Pair, at_least: u64, what: &str) {
    let account = pair.assert_sound();
    let passed = account.passed().count();
    assert!(passed as u64 >= at_least, "{passed} turns");
    assert_eq!((account.turns.len(), pair.notes().starts.len()), (passed, passed), "{account:#?}");
    let (mut taken, mut lost) = (0, BTreeMap::new());
    for machine in pair.machines() {
        let (its_own, others) = machine.claims();
        taken += its_own;
        for (why, count) in others {
            *lost.entry(why).or_insert(0) += count;
        }
    }
    assert_eq!(taken, passed, "the ledgers know of other claims than the branch: {lost:?}");
    let known = |why: &String| why.starts_with("the claim was lost: ");
    assert!(lost.keys().all(known), "{lost:?}");
    let total: usize = lost.values().sum();
    let whys: Vec<String> = lost.iter().map(|(why, count)| format!("{count} {}", &why[20..])).collect();
    say(&format!("{what}: {passed} claims won, {total} lost ({})", whys.join(", ")));
}

#[rstest]
fn each_turn_is_taken_by_one_of_many(
    #[values(Scheme::Path, Scheme::Daemon)] scheme: Scheme,
    #[values(2, 4, 8)] machines: usize,
) {
    let pair = By::Auto.pair(scheme, machines);
    race(&pair, ITERATIONS);
    assert_each_taken_once(&pair, 2 * ITERATIONS, &format!("{machines} machines, {scheme:?}"));
}

/// Whichever git pushes: what is built in does not compare on a path, so that what is done in its place is looked at.
#[rstest]
fn each_turn_is_taken_by_one_of_many_whichever_git_they_have(
    #[values(
        (Scheme::Path, By::Program),
        (Scheme::Path, By::Library),
        (Scheme::File, By::Auto),
        (Scheme::File, By::Library),
        (Scheme::Daemon, By::Program),
        (Scheme::Daemon, By::Library)
    )]
    world: (Scheme, By),
) {
    let (machines, (scheme, by)) = (if cfg!(feature = "faults") { 8 } else { 4 }, world);
    let pair = by.pair(scheme, machines);
    race(&pair, ITERATIONS);
    assert_each_taken_once(&pair, 2 * ITERATIONS, &format!("{machines} machines, {scheme:?}, {by:?}"));
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
    assert_each_taken_once(&pair, 6, "ticks that overlap in one clone");
}
