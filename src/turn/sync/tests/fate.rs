//! What became of a push, case by case.

use rstest::rstest;

use crate::model::Token;
use crate::turn::sync::{
    Answer, ClaimFate, PublishFate, RefusalFate, Tip, decide_claim, decide_publish, decide_refusal,
};

/// The token at the tip.
#[derive(Debug, Clone, Copy)]
enum At {
    Claim,
    Stamp,
    Refusal,
    Another,
    None,
}

const CLAIM: u128 = 1;
const STAMP: u128 = 2;
const REFUSAL: u128 = 4;

impl At {
    fn token(self) -> Option<Token> {
        match self {
            Self::Claim => Some(Token::from_random(CLAIM)),
            Self::Stamp => Some(Token::from_random(STAMP)),
            Self::Refusal => Some(Token::from_random(REFUSAL)),
            Self::Another => Some(Token::from_random(3)),
            Self::None => None,
        }
    }
}

const NOT_ACCEPTED: [Answer; 2] = [Answer::Refused, Answer::Unknown];

#[test]
fn an_accepted_push_needs_no_look_and_every_other_answer_does() {
    let (claim, stamp) = (Token::from_random(CLAIM), Token::from_random(STAMP));
    assert_eq!(decide_claim(Answer::Accepted, None, &claim), ClaimFate::Won);
    assert_eq!(decide_publish(Answer::Accepted, None, &[&claim], &stamp), PublishFate::Published);
    for answer in NOT_ACCEPTED {
        assert_eq!(decide_claim(answer, None, &claim), ClaimFate::Look);
        assert_eq!(decide_publish(answer, None, &[&claim], &stamp), PublishFate::Look);
    }
}

#[rstest]
#[case::it_arrived(true, false, At::Claim, ClaimFate::Won)]
#[case::it_arrived_and_a_person_worked_on_top(true, false, At::Claim, ClaimFate::Won)]
#[case::it_arrived_in_a_history_that_was_rewritten_since(false, false, At::Claim, ClaimFate::Won)]
#[case::it_arrived_and_was_taken_over(true, false, At::Another, ClaimFate::Lost)]
#[case::it_arrived_and_the_earlier_implementation_took_the_turn(true, false, At::None, ClaimFate::Lost)]
#[case::it_has_not_arrived(false, true, At::Another, ClaimFate::PushAgain)]
#[case::it_has_not_arrived_on_a_state_without_a_token(false, true, At::None, ClaimFate::PushAgain)]
#[case::somebody_else_was_first(false, false, At::Another, ClaimFate::Lost)]
#[case::the_earlier_implementation_was_first(false, false, At::None, ClaimFate::Lost)]
fn a_claim_that_was_not_accepted(
    #[case] contains_ours: bool,
    #[case] is_expected: bool,
    #[case] at: At,
    #[case] expected: ClaimFate,
) {
    let token = at.token();
    let tip = Tip { contains_ours, is_expected, token: token.as_ref() };
    for answer in NOT_ACCEPTED {
        assert_eq!(decide_claim(answer, Some(&tip), &Token::from_random(CLAIM)), expected);
    }
}

#[rstest]
#[case::it_arrived(true, false, At::Stamp, PublishFate::Published)]
#[case::it_arrived_and_the_other_side_went_on(true, false, At::Another, PublishFate::Published)]
#[case::it_arrived_in_a_history_that_was_rewritten_since(false, false, At::Stamp, PublishFate::Published)]
#[case::it_has_not_arrived(false, true, At::Claim, PublishFate::PushAgain)]
#[case::a_person_pushed_or_set_a_hold(false, false, At::Claim, PublishFate::Rebuild)]
#[case::it_is_known_to_be_refused(false, true, At::Refusal, PublishFate::PushAgain)]
#[case::the_word_of_a_refusal_came_late(false, false, At::Refusal, PublishFate::Rebuild)]
#[case::the_turn_was_taken_over(false, false, At::Another, PublishFate::Fenced)]
#[case::the_earlier_implementation_took_the_turn(false, false, At::None, PublishFate::Fenced)]
#[case::it_was_taken_over_before_the_push_was_built(false, true, At::Another, PublishFate::Fenced)]
fn a_publication_that_was_not_accepted(
    #[case] contains_ours: bool,
    #[case] is_expected: bool,
    #[case] at: At,
    #[case] expected: PublishFate,
) {
    let token = at.token();
    let tip = Tip { contains_ours, is_expected, token: token.as_ref() };
    let [claim, stamp, refusal] = [CLAIM, STAMP, REFUSAL].map(Token::from_random);
    for answer in NOT_ACCEPTED {
        assert_eq!(decide_publish(answer, Some(&tip), &[&claim, &refusal], &stamp), expected);
    }
}

#[rstest]
#[case::nobody_knows_yet(false, At::Claim, RefusalFate::Tell)]
#[case::it_is_known(false, At::Refusal, RefusalFate::Stands)]
#[case::the_work_had_arrived(true, At::Stamp, RefusalFate::Published)]
#[case::the_work_had_arrived_in_a_history_that_was_rewritten_since(false, At::Stamp, RefusalFate::Published)]
#[case::the_work_had_arrived_and_the_other_side_went_on(true, At::Another, RefusalFate::Published)]
#[case::the_work_had_arrived_and_the_earlier_implementation_went_on(true, At::None, RefusalFate::Published)]
#[case::the_turn_was_taken_over(false, At::Another, RefusalFate::Fenced)]
#[case::the_earlier_implementation_took_the_turn(false, At::None, RefusalFate::Fenced)]
fn work_that_must_not_leave(#[case] contains_ours: bool, #[case] at: At, #[case] expected: RefusalFate) {
    let token = at.token();
    let tip = Tip { contains_ours, is_expected: false, token: token.as_ref() };
    let [claim, stamp, refusal] = [CLAIM, STAMP, REFUSAL].map(Token::from_random);
    assert_eq!(decide_refusal(&tip, &claim, Some(&refusal), Some(&stamp)), expected);
}
