//! What a seat does, over every state that it can see.

use std::time::Duration;

use jiff::Timestamp;
use rstest::rstest;

use crate::model::{Actor, Hold, HoldId, HoldKind, Holder, State, Status, Token, TurnFailure};
use crate::turn::sync::{Asked, LeaseHealth, SeatAction, SeatEnd, SeatView, Waiting, decide_seat};
use crate::turn::{Claim, Input, apply};

const GALPH: Actor = Actor::Galph;
const RALPH: Actor = Actor::Ralph;
const LOOP: Asked = Asked::Loop { may_reclaim: false };
const FIRST: Asked = Asked::Loop { may_reclaim: true };
const TICK: Asked = Asked::Tick { retry_failed: false };
const RETRY: Asked = Asked::Tick { retry_failed: true };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn state(expected_actor: Actor, status: Status) -> State {
    State { expected_actor, status, ..State::initial(at(0)) }
}

fn holder() -> Holder {
    Holder { id: "turn".into(), host: "there".into(), pid: 7, since: at(0) }
}

fn running(actor: Actor) -> State {
    State {
        token: Some(Token::from_random(1)),
        holder: Some(holder()),
        ..state(actor, Status::running(actor))
    }
}

fn hold(until: Option<Timestamp>) -> Hold {
    Hold { id: HoldId::from_parts(0, 1), kind: HoldKind::Pause, reason: "lunch".into(), since: at(0), until }
}

fn held(state: State) -> State {
    State { holds: vec![hold(None)], ..state }
}

fn decide(role: Actor, asked: Asked, state: &State) -> SeatAction {
    decide_seat(&SeatView {
        role,
        state: Some(state),
        asked,
        now: at(60),
        lease: LeaseHealth::Unwatched,
        takeover_after_lease: true,
    })
}

fn waits_for(actor: Actor, status: Status) -> SeatAction {
    SeatAction::Wait(Waiting::Turn { actor, status, holder: None })
}

fn failed(actor: Actor) -> SeatAction {
    SeatAction::End(SeatEnd::Failed { actor })
}

fn is_held() -> SeatAction {
    SeatAction::Wait(Waiting::Held(vec![hold(None)]))
}

#[test]
fn only_galph_writes_the_first_state() {
    for asked in [LOOP, FIRST, TICK, RETRY] {
        let look = |role| {
            let lease = LeaseHealth::Unwatched;
            decide_seat(&SeatView {
                role,
                state: None,
                asked,
                now: at(0),
                lease,
                takeover_after_lease: false,
            })
        };
        assert_eq!(look(GALPH), SeatAction::Begin);
        assert_eq!(look(RALPH), SeatAction::Wait(Waiting::NoState));
    }
}

#[rstest]
#[case::at_the_start(GALPH, Status::Idle)]
#[case::a_start_with_ralph(RALPH, Status::Idle)]
#[case::after_galph(RALPH, Status::WaitingRalph)]
#[case::after_ralph(GALPH, Status::Complete)]
#[case::written_by_hand(GALPH, Status::WaitingRalph)]
fn at_rest_whoever_is_expected_claims_and_the_other_waits(#[case] expected: Actor, #[case] status: Status) {
    for asked in [LOOP, FIRST, TICK, RETRY] {
        let state = state(expected, status);
        assert_eq!(decide(expected, asked, &state), SeatAction::Claim);
        assert_eq!(decide(expected.other(), asked, &state), waits_for(expected, status));
    }
}

#[rstest]
#[case(LOOP, failed(RALPH))]
#[case(TICK, failed(RALPH))]
#[case(FIRST, SeatAction::Reclaim)]
#[case(RETRY, SeatAction::Reclaim)]
fn a_failed_turn_is_taken_again_only_where_a_person_asked_for_it(
    #[case] asked: Asked,
    #[case] own: SeatAction,
) {
    let state = state(RALPH, Status::Failed);
    assert_eq!(decide(RALPH, asked, &state), own);
    assert_eq!(decide(GALPH, asked, &state), failed(RALPH), "the other side ends whatever it was asked for");
}

/// Its agent has finished and its work waits on one machine: on any other it would be paid for again.
#[test]
fn a_turn_whose_work_waits_elsewhere_is_taken_again_by_nobody() {
    let failure = |waits| {
        Some(TurnFailure { turn: "turn".into(), host: "there".into(), reason: "refused".into(), waits })
    };
    for asked in [LOOP, FIRST, TICK, RETRY] {
        let refused = State { failure: failure(true), ..state(RALPH, Status::Failed) };
        assert_eq!(decide(RALPH, asked, &refused), failed(RALPH));
        assert_eq!(decide(GALPH, asked, &refused), failed(RALPH));
    }
    let lost = State { failure: failure(false), ..state(RALPH, Status::Failed) };
    assert_eq!(decide(RALPH, FIRST, &lost), SeatAction::Reclaim);
}

#[test]
fn a_hold_keeps_everyone_from_what_they_would_begin() {
    for status in [Status::Idle, Status::WaitingRalph, Status::Complete] {
        for role in Actor::ALL {
            assert_eq!(decide(role, LOOP, &held(state(GALPH, status))), is_held());
        }
    }
    assert_eq!(decide(GALPH, FIRST, &held(state(GALPH, Status::Failed))), is_held());
    assert_eq!(decide(GALPH, LOOP, &held(state(GALPH, Status::Failed))), failed(GALPH));
    assert_eq!(decide(RALPH, LOOP, &held(state(GALPH, Status::Failed))), failed(GALPH));
}

#[test]
fn a_hold_that_has_ended_by_itself_is_none() {
    let ended = State { holds: vec![hold(Some(at(60)))], ..state(GALPH, Status::Idle) };
    assert_eq!(decide(GALPH, LOOP, &ended), SeatAction::Claim);
    let mixed = State { holds: vec![hold(Some(at(60))), hold(None)], ..ended };
    assert_eq!(decide(GALPH, LOOP, &mixed), is_held());
}

#[test]
fn a_running_turn_is_waited_for_in_both_seats_holds_or_not() {
    for state in [running(RALPH), held(running(RALPH))] {
        for asked in [LOOP, FIRST, TICK, RETRY] {
            let holder = Some(holder());
            let theirs = Waiting::Turn { actor: RALPH, status: Status::RunningRalph, holder: holder.clone() };
            assert_eq!(decide(GALPH, asked, &state), SeatAction::Wait(theirs));
            let own = Waiting::RunningElsewhere { actor: RALPH, holder };
            assert_eq!(decide(RALPH, asked, &state), SeatAction::Wait(own));
        }
    }
}

#[test]
fn exit_ends_both_sides_before_anything_else() {
    let states = [
        state(GALPH, Status::Idle),
        state(GALPH, Status::Failed),
        running(GALPH),
        held(state(RALPH, Status::WaitingRalph)),
    ];
    for state in states {
        let asked_to_stop = State { exit: true, exit_reason: "enough".into(), ..state };
        for role in Actor::ALL {
            let action = decide(role, FIRST, &asked_to_stop);
            assert_eq!(action, SeatAction::End(SeatEnd::Exit("enough".into())));
        }
    }
}

fn with_lease(role: Actor, state: &State, lease: LeaseHealth, takeover_after_lease: bool) -> SeatAction {
    decide_seat(&SeatView { role, state: Some(state), asked: LOOP, now: at(60), lease, takeover_after_lease })
}

#[test]
fn a_turn_is_taken_over_only_in_its_own_seat_by_choice_after_the_lease_and_under_no_hold() {
    let state = running(GALPH);
    assert_eq!(with_lease(GALPH, &state, LeaseHealth::Expired, true), SeatAction::Takeover);
    let waits = SeatAction::Wait(Waiting::RunningElsewhere { actor: GALPH, holder: Some(holder()) });
    let left = LeaseHealth::Alive { left: Duration::from_secs(1) };
    assert_eq!(with_lease(GALPH, &state, LeaseHealth::Expired, false), waits);
    assert_eq!(with_lease(GALPH, &state, left, true), waits);
    assert_eq!(with_lease(GALPH, &state, LeaseHealth::Unwatched, true), waits);
    assert_eq!(with_lease(GALPH, &held(state.clone()), LeaseHealth::Expired, true), waits);
    assert!(matches!(with_lease(RALPH, &state, LeaseHealth::Expired, true), SeatAction::Wait(_)));
}

#[test]
fn a_turn_of_the_earlier_implementation_is_never_taken_over_unasked() {
    let peer = State { schema_version: 0, ..state(GALPH, Status::RunningGalph) };
    let waits = SeatAction::Wait(Waiting::RunningElsewhere { actor: GALPH, holder: None });
    assert_eq!(with_lease(GALPH, &peer, LeaseHealth::Expired, true), waits);
}

/// Every decision to act is one that the state machine allows, in every state that can be read.
#[test]
fn what_a_seat_decides_to_do_is_legal_in_every_state() {
    let claim =
        |actor| Claim { actor, token: Token::from_random(9), holder: holder(), lease_expires_at: at(600) };
    let (mut acted, mut waited) = (0, 0);
    for status in Status::ALL {
        for expected in Actor::ALL {
            for token in [None, Some(Token::from_random(1))] {
                for holds in [vec![], vec![hold(None)], vec![hold(Some(at(1)))], vec![hold(Some(at(90)))]] {
                    let state = State { holds, token: token.clone(), ..state(expected, status) };
                    for role in Actor::ALL {
                        for asked in [LOOP, FIRST, TICK, RETRY] {
                            let view = SeatView {
                                role,
                                state: Some(&state),
                                asked,
                                now: at(60),
                                lease: LeaseHealth::Expired,
                                takeover_after_lease: true,
                            };
                            let input = match decide_seat(&view) {
                                SeatAction::Claim => Input::Claim(claim(role)),
                                SeatAction::Reclaim => Input::Reclaim(claim(role)),
                                SeatAction::Takeover => Input::Takeover(claim(role)),
                                SeatAction::Begin => panic!("there is a state"),
                                SeatAction::Wait(_) | SeatAction::End(_) => {
                                    waited += 1;
                                    continue;
                                }
                            };
                            acted += 1;
                            let next = apply(&state, input, at(60)).unwrap();
                            assert_eq!(next.status, Status::running(role));
                        }
                    }
                }
            }
        }
    }
    assert!(acted > 50 && waited > 300, "{acted} {waited}");
}
