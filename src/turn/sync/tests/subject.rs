//! The words of the commits that change the state, to the letter.

use proptest::prelude::*;
use rstest::rstest;

use crate::model::{Actor, HoldKind, TurnId};
use crate::turn::sync::{SyncEvent, sync_message, sync_subject};

const GALPH: Actor = Actor::Galph;
const RALPH: Actor = Actor::Ralph;

fn sha() -> String {
    "abc1234".to_owned()
}

#[rstest]
#[case(SyncEvent::Init, "[SYNC init] actor=galph status=idle")]
#[case(SyncEvent::Claimed { iteration: 3, actor: GALPH }, "[SYNC i=3] actor=galph status=running")]
#[case(SyncEvent::Claimed { iteration: 3, actor: RALPH }, "[SYNC i=3] actor=ralph status=running")]
#[case(
    SyncEvent::Passed { iteration: 3, actor: GALPH, commit: Some(sha()) },
    "[SYNC i=3] actor=galph → next=ralph status=ok galph_commit=abc1234"
)]
#[case(
    SyncEvent::Passed { iteration: 4, actor: RALPH, commit: Some(sha()) },
    "[SYNC i=4] actor=ralph → next=galph status=ok ralph_commit=abc1234"
)]
#[case(
    SyncEvent::Failed { iteration: 3, actor: GALPH, commit: Some(sha()) },
    "[SYNC i=3] actor=galph status=fail galph_commit=abc1234"
)]
#[case(
    SyncEvent::Failed { iteration: 3, actor: RALPH, commit: Some(sha()) },
    "[SYNC i=3] actor=ralph status=fail ralph_commit=abc1234"
)]
#[case(SyncEvent::Failed { iteration: 3, actor: RALPH, commit: None }, "[SYNC i=3] actor=ralph status=fail")]
#[case(SyncEvent::TakenOver { iteration: 3, actor: RALPH }, "[SYNC i=3] actor=ralph status=running reason=takeover")]
#[case(SyncEvent::Released { iteration: 3, actor: RALPH }, "[SYNC i=3] actor=ralph status=released")]
#[case(SyncEvent::HoldSet { iteration: 3, kind: HoldKind::NoProgress }, "[SYNC i=3] hold=no_progress set")]
#[case(SyncEvent::HoldCleared { iteration: 3, kind: HoldKind::Limit }, "[SYNC i=3] hold=limit cleared")]
#[case(SyncEvent::ExitSet { iteration: 3 }, "[SYNC i=3] exit=set")]
#[case(SyncEvent::ExitCleared { iteration: 3 }, "[SYNC i=3] exit=cleared")]
fn each_change_has_its_words_and_is_read_back_from_them(#[case] event: SyncEvent, #[case] subject: &str) {
    assert_eq!(sync_subject(&event), subject);
    assert_eq!(SyncEvent::parse(subject), Some(event));
}

#[test]
fn a_message_names_its_turn_and_spares_the_build_service_where_no_work_goes_along() {
    let turn = TurnId::from_parts(0, 7);
    let claimed = SyncEvent::Claimed { iteration: 3, actor: GALPH };
    assert_eq!(
        sync_message(&claimed, Some(turn)),
        "[SYNC i=3] actor=galph status=running\n\n[skip ci]\n\nBaton-Turn: 00000000000000000000000007\n"
    );
    assert_eq!(
        sync_message(&SyncEvent::ExitSet { iteration: 3 }, None),
        "[SYNC i=3] exit=set\n\n[skip ci]\n"
    );
    let passed = SyncEvent::Passed { iteration: 3, actor: GALPH, commit: Some(sha()) };
    assert_eq!(
        sync_message(&passed, Some(turn)),
        "[SYNC i=3] actor=galph → next=ralph status=ok galph_commit=abc1234\n\n\
         Baton-Turn: 00000000000000000000000007\n"
    );
}

#[rstest]
#[case("RALPH AUTO (prompt=main.md) (iter=00017): work")]
#[case("")]
#[case("[SYNC")]
#[case("[SYNC ]")]
#[case("[SYNC i=] actor=galph status=running")]
#[case("[SYNC i=-1] actor=galph status=running")]
#[case("[SYNC i=3] actor=somebody status=running")]
#[case("[SYNC i=3] status=running")]
#[case("[SYNC i=3] actor=galph status=thinking")]
#[case("[SYNC i=3] actor=galph → next=galph status=ok")]
#[case("[SYNC i=3] hold=lunch set")]
#[case("[SYNC i=3] hold=pause")]
#[case("[SYNC i=3] exit=maybe")]
#[case("[SYNC init] actor=galph status=running")]
#[case("Revert \"[SYNC i=3] actor=galph status=running\"")]
fn other_subjects_are_none_of_ours(#[case] subject: &str) {
    assert_eq!(SyncEvent::parse(subject), None);
}

#[test]
fn words_that_came_later_and_a_plain_arrow_are_passed_over() {
    let passed = SyncEvent::Passed { iteration: 3, actor: GALPH, commit: Some(sha()) };
    let later = "[SYNC i=3] actor=galph -> next=ralph status=ok galph_commit=abc1234 mood=good";
    assert_eq!(SyncEvent::parse(later), Some(passed));
}

proptest! {
    #[test]
    fn nothing_that_anybody_may_write_is_too_much(subject in ".*") {
        let _ = SyncEvent::parse(&subject);
        let _ = SyncEvent::parse(&format!("[SYNC {subject}"));
        let _ = SyncEvent::parse(&format!("[SYNC i=3] actor=galph {subject}"));
    }
}
