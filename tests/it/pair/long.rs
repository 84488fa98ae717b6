//! Two machines for a long time, killed, signalled and cut off again and again. By default short. What fails names its
//! seed; `BATON_SEED=7` runs one alone, `BATON_SEED=1-40` a row of them, `BATON_ITERATIONS` says how long each is.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::kills::POINTS;
use crate::support::{Dice, Ending, Pair, Scheme, say, start_role};

const ITERATIONS: u64 = if cfg!(feature = "faults") { 200 } else { 8 };
const SEEDS: RangeInclusive<u64> = if cfg!(feature = "faults") { 1..=3 } else { 1..=2 };

/// How many iterations, and which seeds: as built, or as the environment says.
fn asked() -> (u64, RangeInclusive<u64>) {
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("`{text}` is no number"));
    let iterations = std::env::var("BATON_ITERATIONS").map_or(ITERATIONS, |text| number(&text));
    let seeds = std::env::var("BATON_SEED").map_or(SEEDS, |text| match text.split_once('-') {
        Some((first, last)) => number(first)..=number(last),
        None => number(&text)..=number(&text),
    });
    (iterations, seeds)
}

/// What was done to the pair, over all starts of its roles.
#[derive(Debug, Default)]
struct Toll {
    starts: AtomicU64,
    killed: AtomicU64,
    asked: AtomicU64,
    cuts: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

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

/// Tells the others that one has given up, so that they do not go on for nothing.
struct GiveUp<'a>(&'a AtomicBool);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Starts the role again and again until it has passed its turns.
fn live(pair: &Pair, role: &str, iterations: u64, dice: &mut Dice, toll: &Toll, over: &AtomicBool) {
    let _give_up = GiveUp(over);
    let (mut starts, mut was_asked) = (0, false);
    loop {
        let passed = pair.passed(role);
        if passed >= iterations || over.load(Ordering::Relaxed) {
            return;
        }
        starts += 1;
        assert!(starts < 20 * iterations, "{role} makes no progress:\n{}", pair.history().shown());
        let fate = some_fate(dice, was_asked);
        was_asked = matches!(fate, Fate::Asked(_));
        // Whoever is spared does not live for ever.
        let loops = format!("--sync-loops={}", (1 + dice.roll(4)).min(iterations - passed));
        let crash = match &fate {
            Fate::Crashes(place) => Some(("BATON_CRASH_AT", place.as_str())),
            Fate::Lives | Fate::Killed(_) | Fate::Asked(_) => None,
        };
        let running = start_role(pair.seat(role), role, &[&loops], crash);
        count(&toll.starts);
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
        if ended.signal == Some(9) {
            count(&toll.killed);
        } else if ended.code != Some(0) {
            count(&toll.asked);
        }
    }
}

/// Cuts the network for a moment again and again, until the pair is done.
fn cut_now_and_then(pair: &Pair, dice: &mut Dice, over: &AtomicBool, toll: &Toll) {
    let server = pair.server();
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(500 + dice.roll(2000)));
        server.cut();
        std::thread::sleep(Duration::from_millis(dice.roll(300)));
        server.heal();
        count(&toll.cuts);
    }
}

/// One pair's life; says in words what it went through.
fn long_run(seed: u64, iterations: u64) {
    let since = Instant::now();
    let pair = Pair::new(Scheme::Daemon);
    let (over, toll) = (AtomicBool::new(false), Toll::default());
    std::thread::scope(|scope| {
        pair.server().be_unreliable(Dice(seed * 100));
        scope.spawn(|| cut_now_and_then(&pair, &mut Dice(seed * 1000), &over, &toll));
        let living = ["galph", "ralph"].map(|role| {
            let (pair, toll, over) = (&pair, &toll, &over);
            let mut dice = Dice(seed * 10 + role.len() as u64 + u64::from(role == "ralph"));
            scope.spawn(move || live(pair, role, iterations, &mut dice, toll, over))
        });
        let ended = living.map(std::thread::ScopedJoinHandle::join);
        over.store(true, Ordering::Relaxed);
        for role in ended {
            role.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    let account = pair.assert_sound();
    account.assert_iterations(iterations);
    assert_eq!(account.count(Ending::Failed) + account.takeovers(), 0, "{account:#?}");
    let traffic = pair.server().traffic();
    let [starts, killed, asked, cuts] =
        [&toll.starts, &toll.killed, &toll.asked, &toll.cuts].map(|counter| counter.load(Ordering::Relaxed));
    say(&format!(
        "seed {seed}: {iterations} iterations, {} claims, {} given back; {starts} starts of a role, {killed} killed, {asked} \
         asked to end; {cuts} cuts of the network; {} pushes, {} looks; {} s",
        account.turns.len(),
        account.count(Ending::Released),
        traffic.pushes,
        traffic.looks,
        since.elapsed().as_secs()
    ));
}

#[test]
fn two_machines_come_through_kills_and_cuts_with_every_turn_done_once() {
    let (iterations, seeds) = asked();
    for seed in seeds {
        let ended = std::panic::catch_unwind(|| long_run(seed, iterations));
        if let Err(panic) = ended {
            say(&format!("this was seed {seed}"));
            std::panic::resume_unwind(panic);
        }
    }
}
