//! What a peer of nine fields drops, and what of it is put back.

use jiff::Timestamp;

use crate::model::{Hold, HoldId, HoldKind, State, Status, Token, Usage, UsageByActor};
use crate::turn::sync::{Remembered, restore_forgotten};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn hold(n: u128) -> Hold {
    Hold {
        id: HoldId::from_parts(0, n),
        kind: HoldKind::Pause,
        reason: "lunch".into(),
        since: at(0),
        until: None,
    }
}

fn usage(turns: u64, tokens: u64, cost_usd: Option<f64>) -> Usage {
    Usage { turns, input_tokens: tokens, cost_usd, ..Usage::default() }
}

fn ours() -> State {
    State {
        epoch: 7,
        token: Some(Token::from_random(1)),
        holds: vec![hold(1)],
        interruptions: 2,
        usage: UsageByActor { galph: usage(4, 100, Some(1.5)), ralph: usage(3, 50, None) },
        ..State::initial(at(0))
    }
}

/// As the earlier implementation writes it.
fn peers() -> State {
    State { schema_version: 0, status: Status::WaitingRalph, iteration: 4, ..State::initial(at(9)) }
}

#[test]
fn what_a_peer_dropped_is_put_back_and_what_it_said_stands() {
    let restored = restore_forgotten(&peers(), &Remembered::of(&ours()));
    let expected = State { epoch: 7, holds: vec![hold(1)], interruptions: 2, usage: ours().usage, ..peers() };
    assert_eq!(restored, expected);
    assert_eq!(restored.token, None, "the peer has taken the turn from whoever had it");
    assert_eq!(restore_forgotten(&restored, &Remembered::of(&ours())), restored, "once is enough");
}

#[test]
fn a_state_with_all_its_fields_is_as_it_says() {
    let newer = State { epoch: 1, schema_version: 1, ..peers() };
    assert_eq!(restore_forgotten(&newer, &Remembered::of(&ours())), newer);
    assert_eq!(restore_forgotten(&peers(), &Remembered::default()), peers());
}

#[test]
fn counters_are_taken_from_wherever_they_have_grown_most() {
    let elsewhere = UsageByActor { galph: usage(5, 90, Some(1.0)), ralph: usage(1, 60, Some(0.5)) };
    let remembered = Remembered::of(&ours()).at_least(9, elsewhere);
    assert_eq!(remembered.epoch, 9);
    assert_eq!(remembered.usage.galph, usage(5, 100, Some(1.5)));
    assert_eq!(remembered.usage.ralph, usage(3, 60, Some(0.5)));
    assert_eq!(Remembered::of(&ours()).at_least(2, UsageByActor::default()), Remembered::of(&ours()));
}
