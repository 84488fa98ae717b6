//! When a lease counts as expired, over any course of renewals, looks, reboots and holds.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use rstest::rstest;

use crate::model::{Actor, Hold, HoldId, HoldKind, Holder, State, Status, Token};
use crate::turn::sync::{LeaseHealth, LeaseSight, LeaseWatch, lease_length};

const LENGTH: Duration = Duration::from_mins(10);
const ENOUGH: u64 = 750;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn token(n: u128) -> Token {
    Token::from_random(n)
}

fn running() -> State {
    State {
        status: Status::RunningGalph,
        expected_actor: Actor::Galph,
        token: Some(token(1)),
        holder: Some(Holder { id: "turn".into(), host: "there".into(), pid: 7, since: at(0) }),
        lease_expires_at: Some(at(600)),
        ..State::initial(at(0))
    }
}

fn sight(renewal: Option<&str>) -> LeaseSight {
    LeaseSight { token: token(1), renewal: renewal.map(ToOwned::to_owned) }
}

fn left(seconds: u64) -> LeaseHealth {
    LeaseHealth::Alive { left: Duration::from_secs(seconds) }
}

#[test]
fn a_lease_expires_when_it_was_seen_unchanged_for_five_quarters_of_its_length() {
    let first = LeaseWatch::see(None, sight(None), "boot", seconds(1000));
    assert_eq!(first.health(LENGTH, seconds(1000)), left(ENOUGH));
    let later = LeaseWatch::see(Some(&first), sight(None), "boot", seconds(1600));
    assert_eq!(later, first);
    assert_eq!(later.health(LENGTH, seconds(1749)), left(1));
    assert_eq!(later.health(LENGTH, seconds(1750)), LeaseHealth::Expired);
}

#[rstest]
#[case::renewed(sight(Some("a")), "boot", 1600)]
#[case::another_claim(LeaseSight { token: token(2), renewal: None }, "boot", 1600)]
#[case::another_boot(sight(None), "another", 1600)]
#[case::a_clock_that_went_back(sight(None), "boot", 999)]
fn the_watch_begins_anew_with_another_value_another_boot_and_a_clock_that_went_back(
    #[case] sight: LeaseSight,
    #[case] boot: &str,
    #[case] uptime: u64,
) {
    let first = LeaseWatch::see(None, self::sight(None), "boot", seconds(1000));
    let next = LeaseWatch::see(Some(&first), sight, boot, seconds(uptime));
    assert_eq!(next.health(LENGTH, seconds(uptime)), left(ENOUGH));
}

#[test]
fn there_is_nothing_to_watch_at_rest_under_a_hold_and_without_a_token() {
    let of = |state: &State| LeaseSight::of(state, None, at(60));
    assert_eq!(of(&running()), Some(sight(None)));
    assert_eq!(of(&State { status: Status::Complete, ..running() }), None);
    assert_eq!(of(&State { token: None, ..running() }), None);
    let hold = |until| Hold {
        id: HoldId::from_parts(0, 1),
        kind: HoldKind::Pause,
        reason: "lunch".into(),
        since: at(0),
        until,
    };
    assert_eq!(of(&State { holds: vec![hold(None)], ..running() }), None);
    assert_eq!(of(&State { holds: vec![hold(Some(at(60)))], ..running() }), Some(sight(None)));
}

#[test]
fn a_renewal_counts_only_under_the_token_of_the_claim() {
    let of = |lease| LeaseSight::of(&running(), lease, at(60)).unwrap();
    let (ours, other) = (token(1), token(2));
    assert_eq!(of(Some(("abc", Some(&ours)))), sight(Some("abc")));
    assert_eq!(of(Some(("abc", Some(&other)))), sight(None));
    assert_eq!(of(Some(("abc", None))), sight(None));
}

#[test]
fn a_lease_is_as_long_as_its_holder_said_and_never_shorter_than_here() {
    assert_eq!(lease_length(&running(), seconds(60)), seconds(600));
    assert_eq!(lease_length(&running(), seconds(900)), seconds(900));
    assert_eq!(lease_length(&State { lease_expires_at: None, ..running() }, seconds(60)), seconds(60));
    let backwards = State { lease_expires_at: Some(at(-5)), ..running() };
    assert_eq!(lease_length(&backwards, seconds(60)), seconds(60));
}

/// What happens next around a lease.
#[derive(Debug, Clone, Copy)]
enum Happens {
    /// So many seconds pass.
    Pass(u64),
    Renew,
    Look,
    Hold,
    Clear,
    /// The watcher's machine is off for so long; its clock begins at zero.
    Reboot(u64),
    /// The watcher's clock is set back, which no boot clock should do.
    SetBack(u64),
}

fn anything() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (1_u64..400).prop_map(Happens::Pass),
        2 => Just(Happens::Renew),
        5 => Just(Happens::Look),
        1 => Just(Happens::Hold),
        2 => Just(Happens::Clear),
        1 => (0_u64..5000).prop_map(Happens::Reboot),
        1 => (0_u64..500).prop_map(Happens::SetBack),
    ]
}

proptest! {
    /// Whatever else happens, an expired lease was not renewed for at least five quarters of its length.
    #[test]
    fn no_lease_expires_that_was_renewed_in_time(
        events in prop::collection::vec(anything(), 0..80), offset in 0_u64..100_000
    ) {
        let (mut now, mut clock, mut boot) = (0_u64, offset, 0_u32);
        let (mut renewals, mut renewed_at, mut held) = (0_u32, 0_u64, false);
        let mut watch: Option<LeaseWatch> = None;
        for event in events {
            match event {
                Happens::Pass(seconds) => (now, clock) = (now + seconds, clock + seconds),
                Happens::Renew => (renewals, renewed_at) = (renewals + 1, now),
                Happens::Hold => held = true,
                Happens::Clear => held = false,
                Happens::Reboot(off) => (now, clock, boot) = (now + off, 0, boot + 1),
                Happens::SetBack(by) => clock = clock.saturating_sub(by),
                Happens::Look => {
                    let id = format!("renewal {renewals}");
                    let ours = token(1);
                    let lease = (renewals > 0).then_some((id.as_str(), Some(&ours)));
                    let hold = Hold {
                        id: HoldId::from_parts(0, 1), kind: HoldKind::Pause, reason: String::new(), since: at(0), until: None,
                    };
                    let state = State { holds: if held { vec![hold] } else { vec![] }, ..running() };
                    watch = LeaseSight::of(&state, lease, at(0))
                        .map(|sight| LeaseWatch::see(watch.as_ref(), sight, &boot.to_string(), seconds(clock)));
                    if let Some(watch) = &watch && watch.health(LENGTH, seconds(clock)) == LeaseHealth::Expired {
                        prop_assert!(now - renewed_at >= ENOUGH, "{now} {renewed_at}");
                    }
                }
            }
        }
        // And who goes on looking at a dead holder sees it expire.
        let ours = token(1);
        for _ in 0..2 {
            let sight = LeaseSight::of(&running(), Some(("last", Some(&ours))), at(0)).unwrap();
            watch = Some(LeaseWatch::see(watch.as_ref(), sight, &boot.to_string(), seconds(clock)));
            clock += ENOUGH;
        }
        prop_assert_eq!(watch.unwrap().health(LENGTH, seconds(clock)), LeaseHealth::Expired);
    }
}
