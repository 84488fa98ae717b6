//! The rhythm of looks and of tries.

use std::time::Duration;

use proptest::prelude::*;

use crate::turn::sync::{Backoff, Contest, Pace};

/// The random number that makes no jitter.
const PLAIN: u64 = 250;
const FIVE: Duration = Duration::from_secs(5);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn looks_come_sooner_after_a_change_and_settle_at_the_interval() {
    let mut pace = Pace::new(FIVE);
    let mut waits = Vec::new();
    for _ in 0..5 {
        waits.push(pace.wait(PLAIN));
        pace.saw_nothing_new(millis(20));
    }
    assert_eq!(waits, [millis(625), millis(1250), millis(2500), FIVE, FIVE]);
    pace.saw_change(millis(20));
    assert_eq!(pace.wait(PLAIN), millis(625));
}

#[test]
fn a_slow_remote_is_asked_no_more_than_half_of_the_time() {
    let mut pace = Pace::new(FIVE);
    pace.saw_nothing_new(Duration::from_secs(9));
    assert_eq!(pace.wait(PLAIN), Duration::from_secs(9));
}

#[test]
fn failures_back_off_to_a_minute_and_one_success_ends_that() {
    let mut pace = Pace::new(FIVE);
    let mut waits = Vec::new();
    for _ in 0..6 {
        pace.failed();
        waits.push(pace.wait(PLAIN).as_secs());
    }
    assert_eq!(waits, [10, 20, 40, 60, 60, 60]);
    assert_eq!(pace.failures(), 6);
    for _ in 0..100 {
        pace.failed();
    }
    assert_eq!(pace.wait(PLAIN).as_secs(), 60);
    pace.saw_nothing_new(millis(20));
    assert_eq!((pace.failures(), pace.wait(PLAIN)), (0, millis(1250)));
    let mut rare = Pace::new(Duration::from_mins(5));
    rare.failed();
    assert_eq!(rare.wait(PLAIN), Duration::from_mins(5), "never more often than asked for, never rarer");
}

#[test]
fn an_interval_of_nothing_still_backs_off() {
    let mut pace = Pace::new(Duration::ZERO);
    assert_eq!(pace.wait(PLAIN), millis(4), "agents want the machine too");
    pace.failed();
    assert_eq!(pace.wait(PLAIN), millis(200));
}

#[test]
fn a_push_is_tried_five_times() {
    let mut backoff = Backoff::for_push();
    let waits: Vec<_> = std::iter::from_fn(|| backoff.next_wait(PLAIN)).collect();
    assert_eq!(waits, [millis(100), millis(200), millis(400), millis(800)]);
    assert_eq!(backoff.next_wait(PLAIN), None);
}

proptest! {
    #[test]
    fn jitter_stays_within_a_quarter(random in any::<u64>(), failures in 0_u32..40) {
        let mut pace = Pace::new(FIVE);
        (0..failures).for_each(|_| pace.failed());
        let plain = pace.wait(PLAIN);
        let wait = pace.wait(random);
        prop_assert!(wait >= plain * 3 / 4 && wait <= plain * 5 / 4);
    }
}

#[test]
fn a_publication_that_is_overtaken_goes_on_for_its_time_and_no_longer() {
    let mut contest = Contest::new(None);
    let mut waits = Vec::new();
    for _ in 0..1_000 {
        waits.push(contest.next_wait(Contest::LIMIT / 2, 0).unwrap());
    }
    assert_eq!(contest.lost(), 1_000);
    assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(3)), "{waits:?}");
    assert!(waits[0] < waits[999]);
    assert_eq!(contest.next_wait(Contest::LIMIT, 0), None);
}

#[test]
fn who_waits_less_long_for_anything_waits_less_long_for_this() {
    let second = Duration::from_secs(1);
    let mut short = Contest::new(Some(second));
    assert!(short.next_wait(second / 2, 0).is_some());
    assert_eq!(short.next_wait(second, 0), None);
    let mut long = Contest::new(Some(Contest::LIMIT * 9));
    assert_eq!(long.next_wait(Contest::LIMIT, 0), None);
}
