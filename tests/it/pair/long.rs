//! Two machines for a long time, killed, signalled and cut off again and again. By default short; the seed is in the name of
//! what fails, and `BATON_SEED` runs one alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use super::kills::POINTS;
use crate::support::{Dice, Pair, Scheme, start_role};

const ITERATIONS: u64 = if cfg!(feature = "faults") { 200 } else { 8 };
const SEEDS: u64 = if cfg!(feature = "faults") { 3 } else { 2 };

/// What is done to one start of a role.
enum Fate {
    Lives,
    /// Killed at the n-th passing of a place.
    Crashes(String),
    /// Killed after so many milliseconds.
    Killed(u64),
    /// Asked to end after so many milliseconds.
    Asked(u64),
}

fn some_fate(dice: &mut Dice, was_asked: bool) -> Fate {
    match dice.roll(10) {
        0 | 1 => Fate::Lives,
        2..=6 => {
            let (place, _) = POINTS[usize::try_from(dice.roll(POINTS.len() as u64)).unwrap()];
            Fate::Crashes(format!("{place}#{}", 1 + dice.roll(2)))
        }
        // Three interrupted turns in a row would call a person.
        9 if !was_asked => Fate::Asked(dice.roll(1500)),
        _ => Fate::Killed(dice.roll(1500)),
    }
}

/// Starts the role again and again until it has passed its turns; says how often.
fn live(pair: &Pair, role: &str, dice: &mut Dice) -> u64 {
    let (mut starts, mut was_asked) = (0, false);
    loop {
        let passed = pair.passed(role);
        if passed >= ITERATIONS {
            return starts;
        }
        starts += 1;
        assert!(starts < 20 * ITERATIONS, "{role} makes no progress:\n{}", pair.history().shown());
        let fate = some_fate(dice, was_asked);
        was_asked = matches!(fate, Fate::Asked(_));
        let loops = format!("--sync-loops={}", ITERATIONS - passed);
        let crash = match &fate {
            Fate::Crashes(place) => Some(("BATON_CRASH_AT", place.as_str())),
            Fate::Lives | Fate::Killed(_) | Fate::Asked(_) => None,
        };
        let running = start_role(pair.seat(role), role, &[&loops], crash);
        let after = |milliseconds: u64, signal: Signal| {
            std::thread::sleep(Duration::from_millis(milliseconds));
            running.signal(signal);
        };
        match fate {
            Fate::Lives | Fate::Crashes(_) => {}
            Fate::Killed(milliseconds) => after(milliseconds, Signal::KILL),
            Fate::Asked(milliseconds) => after(milliseconds, Signal::TERM),
        }
        let ended = running.wait_within(Duration::from_mins(3));
        let as_told = matches!((ended.code, ended.signal), (Some(0 | 143), None) | (None, Some(9 | 15)));
        assert!(as_told, "{role} ended with {:?}:\n{}\n{}", ended.code, ended.stderr, pair.history().shown());
    }
}

/// Cuts the network for a moment again and again, until the pair is done.
fn cut_now_and_then(pair: &Pair, dice: &mut Dice, over: &AtomicBool) {
    let server = pair.server();
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(500 + dice.roll(2000)));
        server.cut();
        std::thread::sleep(Duration::from_millis(dice.roll(300)));
        server.heal();
    }
}

#[test]
fn two_machines_come_through_kills_and_cuts_with_every_turn_done_once() {
    let only: Option<u64> = std::env::var("BATON_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(1..=SEEDS, |seed| seed..=seed) {
        let pair = Pair::new(Scheme::Daemon);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            pair.server().be_unreliable(Dice(seed * 100));
            scope.spawn(|| cut_now_and_then(&pair, &mut Dice(seed * 1000), &over));
            let living = ["galph", "ralph"].map(|role| {
                let pair = &pair;
                scope.spawn(move || {
                    live(pair, role, &mut Dice(seed * 10 + role.len() as u64 + u64::from(role == "ralph")))
                })
            });
            let ended = living.map(std::thread::ScopedJoinHandle::join);
            over.store(true, Ordering::Relaxed);
            for role in ended {
                role.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
        });
        let account = pair.assert_sound();
        account.assert_iterations(ITERATIONS);
    }
}
