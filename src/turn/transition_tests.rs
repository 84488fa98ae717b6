//! Every legal change, every refusal by its words, and the invariants over random sequences.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::model::{Holder, TurnFailure, UsageByActor};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn token(n: u128) -> Token {
    Token::from_random(n)
}

fn claim(actor: Actor, n: u128) -> Claim {
    Claim {
        actor,
        token: token(n),
        holder: Holder { id: "turn".into(), host: "host".into(), pid: 7, since: at(0) },
        lease_expires_at: at(600),
    }
}

fn hold(n: u128, until: Option<Timestamp>) -> Hold {
    Hold { id: HoldId::from_parts(0, n), kind: HoldKind::Pause, reason: "lunch".into(), since: at(0), until }
}

fn spent() -> Usage {
    Usage { turns: 1, wall_seconds: 1.5, input_tokens: 10, output_tokens: 5, ..Usage::default() }
}

fn pass_by(actor: Actor, ours: u128, new: u128) -> Input {
    Input::Stamp(Stamp {
        actor,
        claim_token: token(ours),
        token: token(new),
        outcome: StampOutcome::Pass { commit: Some("abc1234".into()), prompt: None, spent: spent() },
    })
}

fn release_by(actor: Actor, ours: u128, new: u128, prior: Status) -> Input {
    let outcome = StampOutcome::Release {
        prior,
        spent: Usage::default(),
        hold: None,
        interrupted: Some(HoldId::from_parts(0, new)),
    };
    Input::Stamp(Stamp { actor, claim_token: token(ours), token: token(new), outcome })
}

fn fail_by(actor: Actor, ours: u128, new: u128) -> Input {
    let outcome = StampOutcome::Fail { commit: None, spent: spent(), failure: None };
    Input::Stamp(Stamp { actor, claim_token: token(ours), token: token(new), outcome })
}

#[test]
fn an_iteration_goes_galph_then_ralph_and_moves_the_counter_once() {
    let start = State::initial(at(0));
    let galph_runs = apply(&start, Input::Claim(claim(Actor::Galph, 1)), at(1)).unwrap();
    assert_eq!(
        (galph_runs.status, galph_runs.epoch, galph_runs.token.clone()),
        (Status::RunningGalph, 1, Some(token(1)))
    );
    let waiting = apply(&galph_runs, pass_by(Actor::Galph, 1, 2), at(2)).unwrap();
    assert_eq!(
        (waiting.status, waiting.expected_actor, waiting.iteration, waiting.holder.clone()),
        (Status::WaitingRalph, Actor::Ralph, 1, None)
    );
    let ralph_runs = apply(&waiting, Input::Claim(claim(Actor::Ralph, 3)), at(3)).unwrap();
    let complete = apply(&ralph_runs, pass_by(Actor::Ralph, 3, 4), at(4)).unwrap();
    assert_eq!(
        (complete.status, complete.expected_actor, complete.iteration, complete.epoch),
        (Status::Complete, Actor::Galph, 2, 2)
    );
    assert_eq!(complete.galph_commit.as_deref(), Some("abc1234"));
    assert_eq!(complete.usage.total().turns, 2);
}

#[test]
fn ralph_may_start_from_idle_when_he_is_expected() {
    let start = State { expected_actor: Actor::Ralph, ..State::initial(at(0)) };
    let running = apply(&start, Input::Claim(claim(Actor::Ralph, 1)), at(1)).unwrap();
    assert_eq!(running.status, Status::RunningRalph);
}

#[test]
fn a_release_gives_the_status_before_the_claim_back_and_counts_nothing() {
    let start = State { status: Status::Complete, iteration: 5, ..State::initial(at(0)) };
    let running = apply(&start, Input::Claim(claim(Actor::Galph, 1)), at(1)).unwrap();
    let released = apply(&running, release_by(Actor::Galph, 1, 2, Status::Complete), at(2)).unwrap();
    assert_eq!((released.status, released.iteration, released.interruptions), (Status::Complete, 5, 1));
    assert_eq!(released.usage, UsageByActor::default());
    assert_eq!(released.token, Some(token(2)));
}

#[test]
fn what_is_released_by_a_takeover_can_be_claimed_by_an_ordinary_run() {
    let mut state = State::initial(at(0));
    assert_eq!(status_before(Actor::Galph, &state), Status::Idle);
    state.iteration = 2;
    assert_eq!(status_before(Actor::Galph, &state), Status::Complete);
    assert_eq!(status_before(Actor::Ralph, &state), Status::WaitingRalph);
}

#[test]
fn a_turn_that_was_taken_over_and_is_given_back_is_not_left_running() {
    let running = apply(&State::initial(at(0)), Input::Claim(claim(Actor::Galph, 1)), at(1)).unwrap();
    let taken = apply(&running, Input::Takeover(claim(Actor::Galph, 2)), at(2)).unwrap();
    let released = apply(&taken, release_by(Actor::Galph, 2, 3, running.status), at(3)).unwrap();
    assert_eq!((released.status, released.holder), (Status::Idle, None));
}

#[test]
fn what_a_released_turn_used_is_paid_for_and_is_no_turn() {
    let running = apply(&State::initial(at(0)), Input::Claim(claim(Actor::Galph, 1)), at(1)).unwrap();
    let outcome =
        StampOutcome::Release { prior: Status::Idle, spent: spent(), hold: None, interrupted: None };
    let stamp = Stamp { actor: Actor::Galph, claim_token: token(1), token: token(2), outcome };
    let released = apply(&running, Input::Stamp(stamp), at(2)).unwrap();
    assert_eq!(released.usage.galph, Usage { turns: 0, ..spent() });
    assert_eq!(released.usage.ralph, Usage::default());
}

#[test]
fn the_third_interruption_in_a_row_sets_a_hold_and_clearing_it_starts_the_count_anew() {
    let mut state = State::initial(at(0));
    for n in 0..3 {
        assert!(state.holds.is_empty());
        state = apply(&state, Input::Claim(claim(Actor::Galph, n * 2)), at(1)).unwrap();
        state = apply(&state, release_by(Actor::Galph, n * 2, n * 2 + 1, Status::Idle), at(2)).unwrap();
    }
    let refusal = apply(&state, Input::Claim(claim(Actor::Galph, 9)), at(3)).unwrap_err();
    let id = state.holds[0].id;
    assert_eq!(refusal.to_string(), format!("held: no_progress {id}: 3 turns in a row were interrupted"));
    let cleared = apply(&state, Input::ClearHold(id), at(4)).unwrap();
    assert_eq!(cleared.interruptions, 0);
    apply(&cleared, Input::Claim(claim(Actor::Galph, 9)), at(5)).unwrap();
}

#[test]
fn a_hold_with_an_end_stops_standing_and_is_dropped_by_the_next_claim() {
    let held = State { holds: vec![hold(1, Some(at(10)))], ..State::initial(at(0)) };
    assert!(apply(&held, Input::Claim(claim(Actor::Galph, 1)), at(9)).is_err());
    let running = apply(&held, Input::Claim(claim(Actor::Galph, 1)), at(10)).unwrap();
    assert!(running.holds.is_empty());
}

#[test]
fn a_failed_turn_is_taken_again_only_when_asked() {
    let running = apply(&State::initial(at(0)), Input::Claim(claim(Actor::Galph, 1)), at(0)).unwrap();
    let failed = apply(&running, fail_by(Actor::Galph, 1, 2), at(1)).unwrap();
    assert_eq!((failed.status, failed.expected_actor, failed.iteration), (Status::Failed, Actor::Galph, 1));
    let refusal = apply(&failed, Input::Claim(claim(Actor::Galph, 3)), at(2)).unwrap_err();
    assert_eq!(refusal.to_string(), "galph's last turn failed; a new `baton run` takes it again");
    let again = apply(&failed, Input::Reclaim(claim(Actor::Galph, 3)), at(2)).unwrap();
    assert_eq!(again.status, Status::RunningGalph);
}

#[test]
fn a_stamp_under_another_token_is_fenced_off() {
    let running = apply(&State::initial(at(0)), Input::Claim(claim(Actor::Galph, 1)), at(0)).unwrap();
    let taken = apply(&running, Input::Takeover(claim(Actor::Galph, 2)), at(1)).unwrap();
    let refusal = apply(&taken, pass_by(Actor::Galph, 1, 3), at(2)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        format!("galph's turn was taken away: the state carries token {}, ours is {}", token(2), token(1))
    );
}

#[rstest]
#[case(State::initial(at(0)), Input::Claim(claim(Actor::Ralph, 1)), "it is galph's turn, not ralph's")]
#[case(
    State::initial(at(0)),
    Input::Reclaim(claim(Actor::Galph, 1)),
    "only a failed turn can be reclaimed: status is `idle`"
)]
#[case(
    State::initial(at(0)),
    Input::Takeover(claim(Actor::Galph, 1)),
    "galph's turn is not running: status is `idle`"
)]
#[case(
    State { status: Status::RunningGalph, ..State::initial(at(0)) },
    Input::Claim(claim(Actor::Galph, 1)),
    "a turn is running: status is `running-galph`"
)]
#[case(
    State { status: Status::RunningGalph, holder: Some(claim(Actor::Galph, 1).holder), ..State::initial(at(0)) },
    Input::Claim(claim(Actor::Galph, 1)),
    "a turn is running: status is `running-galph`, held by host (pid 7) since 2027-01-15T08:00:00Z"
)]
#[case(
    State { holds: vec![hold(1, None), hold(2, Some(at(60)))], ..State::initial(at(0)) },
    Input::Claim(claim(Actor::Galph, 1)),
    "held: pause 00000000000000000000000001: lunch; pause 00000000000000000000000002: lunch (until 2027-01-15T08:01:00Z)"
)]
#[case(
    State::initial(at(0)),
    Input::ClearHold(HoldId::from_parts(0, 5)),
    "there is no hold `00000000000000000000000005`"
)]
fn what_is_not_legal_is_refused_by_name(#[case] state: State, #[case] input: Input, #[case] text: &str) {
    assert_eq!(apply(&state, input, at(1)).unwrap_err().to_string(), text);
}

#[test]
fn a_stamp_by_hand_never_overrides_a_running_turn_unless_forced() {
    let running = apply(&State::initial(at(0)), Input::Claim(claim(Actor::Galph, 1)), at(0)).unwrap();
    let by_hand = |running| {
        Input::ByHand(ByHand { actor: Actor::Galph, token: token(2), commit: None, failed: None, running })
    };
    assert!(matches!(apply(&running, by_hand(OverRunning::Refuse), at(1)), Err(Refusal::Running { .. })));
    let forced = apply(&running, by_hand(OverRunning::Force), at(1)).unwrap();
    assert_eq!(forced.status, Status::WaitingRalph);
    assert!(matches!(apply(&forced, pass_by(Actor::Galph, 1, 3), at(2)), Err(Refusal::Fenced { .. })));
}

#[test]
fn exit_and_holds_keep_token_epoch_and_holder() {
    let running = apply(&State::initial(at(0)), Input::Claim(claim(Actor::Galph, 1)), at(0)).unwrap();
    let stopping = apply(&running, Input::SetExit("enough".into()), at(1)).unwrap();
    let held = apply(&stopping, Input::SetHold(hold(1, None)), at(1)).unwrap();
    assert_eq!((&held.token, held.epoch, &held.holder), (&running.token, running.epoch, &running.holder));
    let passed = apply(&held, pass_by(Actor::Galph, 1, 2), at(2)).unwrap();
    assert!(passed.exit && passed.holds.len() == 1);
    assert_eq!(decide_blocked(&passed, at(3)), Some(Blocked::Exit { reason: "enough".into() }));
}

#[test]
fn an_agent_may_set_exit_and_nothing_else() {
    let claimed = apply(&State::initial(at(0)), Input::Claim(claim(Actor::Galph, 1)), at(0)).unwrap();
    let tampered = State {
        iteration: 99,
        expected_actor: Actor::Ralph,
        exit: true,
        exit_reason: "done".into(),
        ..claimed.clone()
    };
    let restored = restore_tampered(&claimed, &tampered);
    assert_eq!((restored.iteration, restored.expected_actor), (1, Actor::Galph));
    assert_eq!((restored.exit, restored.exit_reason.as_str()), (true, "done"));
}

fn any_input() -> impl Strategy<Value = Input> {
    let actor = prop_oneof![Just(Actor::Galph), Just(Actor::Ralph)];
    let tokens = (0_u128..4, 0_u128..4);
    (actor, tokens, 0_u8..9).prop_map(|(actor, (ours, new), kind)| match kind {
        0 | 1 => Input::Claim(claim(actor, new)),
        2 => Input::Reclaim(claim(actor, new)),
        3 => Input::Takeover(claim(actor, new)),
        4 | 5 => pass_by(actor, ours, new),
        6 => fail_by(actor, ours, new),
        7 => release_by(actor, ours, new, Status::Idle),
        _ => Input::SetExit("x".into()),
    })
}

proptest! {
    #[test]
    fn whatever_happens_the_state_stays_legal(inputs in prop::collection::vec(any_input(), 0..60)) {
        let mut state = State::initial(at(0));
        for (second, input) in (1..).zip(inputs) {
            let before = state.clone();
            let moves = matches!(&input, Input::Stamp(Stamp { actor: Actor::Ralph, outcome: StampOutcome::Pass { .. }, .. }));
            let claims = matches!(&input, Input::Claim(_) | Input::Reclaim(_) | Input::Takeover(_));
            let Ok(next) = apply(&state, input, at(second)) else { continue };
            prop_assert_eq!(next.iteration, before.iteration + u64::from(moves));
            prop_assert_eq!(next.epoch, before.epoch + u64::from(claims));
            prop_assert_eq!(next.holder.is_some(), next.status.runner().is_some());
            if let Some(actor) = next.status.runner() {
                prop_assert_eq!(actor, next.expected_actor);
            }
            state = next;
        }
    }
}

#[test]
fn the_work_of_a_refused_turn_is_given_up_by_a_takeover_and_by_nothing_else() {
    let failure = |waits| {
        Some(TurnFailure { turn: "turn".into(), host: "there".into(), reason: "refused".into(), waits })
    };
    let failed = State {
        status: Status::Failed,
        expected_actor: Actor::Ralph,
        failure: failure(true),
        ..State::initial(at(0))
    };
    let take = |state: &State, actor| apply(state, Input::Takeover(claim(actor, 7)), at(0));
    let taken = take(&failed, Actor::Ralph).unwrap();
    assert_eq!((taken.status, taken.failure.clone()), (Status::RunningRalph, None));
    assert!(matches!(take(&failed, Actor::Galph), Err(Refusal::NotRunning { .. })), "it is not galph's");
    let ordinary = State { failure: failure(false), ..failed };
    assert!(matches!(take(&ordinary, Actor::Ralph), Err(Refusal::NotRunning { .. })));
}

#[test]
fn a_failure_is_told_until_the_next_claim() {
    let told =
        TurnFailure { turn: "turn".into(), host: "there".into(), reason: "timed out".into(), waits: false };
    let running = apply(&State::initial(at(0)), Input::Claim(claim(Actor::Galph, 7)), at(0)).unwrap();
    let outcome = StampOutcome::Fail { commit: None, spent: spent(), failure: Some(told.clone()) };
    let claim_token = running.token.clone().unwrap();
    let stamp = Stamp { actor: Actor::Galph, claim_token, token: Token::from_random(8), outcome };
    let failed = apply(&running, Input::Stamp(stamp), at(0)).unwrap();
    assert_eq!(failed.failure, Some(told.clone()));
    let held = apply(&failed, Input::SetExit("enough".into()), at(0)).unwrap();
    assert_eq!(held.failure, Some(told), "a change that is no turn leaves it");
    let again = apply(&failed, Input::Reclaim(claim(Actor::Galph, 9)), at(0)).unwrap();
    assert_eq!(again.failure, None);
}
