//! The lines of the report, and what each kind of trouble comes to.

use rstest::rstest;

use super::attempts::{Orphan, Seen, describe};
use super::finding::{Finding, Level, as_json, in_words};
use super::machine::room;
use super::state::healthy;
use crate::model::{AttemptId, Hold, HoldId, HoldKind, State};
use jiff::Timestamp;
use std::path::Path;

fn findings() -> Vec<Finding> {
    vec![
        Finding::ok("workspace", "/ws"),
        Finding::warn("excludes", "/logs/ is not in .git/info/exclude", "`baton doctor --fix` adds it"),
        Finding::fail("configuration", "two\nlines").remedy("mend it"),
    ]
}

#[test]
fn each_finding_is_a_line_with_its_remedy_and_the_last_line_sums_up() {
    let repairs = ["attempt X: marked as abandoned".to_owned()];
    insta::assert_snapshot!(in_words(&repairs, &findings()), @r"
    fixed attempt X: marked as abandoned
    ok   workspace: /ws
    warn excludes: /logs/ is not in .git/info/exclude
         remedy: `baton doctor --fix` adds it
    fail configuration: two
         lines
         remedy: mend it
    1 thing must be put right before turns can be taken.
    ");
}

#[rstest]
#[case(&[Level::Ok], "Everything is in order.")]
#[case(&[Level::Warn], "Turns can be taken; 1 thing should be looked at.")]
#[case(&[Level::Warn, Level::Warn], "Turns can be taken; 2 things should be looked at.")]
#[case(&[Level::Fail, Level::Warn, Level::Fail], "2 things must be put right before turns can be taken.")]
fn what_it_comes_to(#[case] levels: &[Level], #[case] text: &str) {
    let findings: Vec<Finding> =
        levels.iter().map(|level| Finding { level: *level, ..Finding::ok("x", "y") }).collect();
    assert_eq!(in_words(&[], &findings).lines().last(), Some(text));
}

#[test]
fn the_json_document_has_a_stable_shape() {
    assert_eq!(
        as_json(Path::new("/ws"), &["excludes: done".to_owned()], &findings()),
        concat!(
            r#"{"workspace":"/ws","healthy":false,"fixed":["excludes: done"],"checks":["#,
            r#"{"level":"ok","name":"workspace","what":"/ws","remedy":null},"#,
            r#"{"level":"warn","name":"excludes","what":"/logs/ is not in .git/info/exclude","remedy":"`baton doctor --fix` adds it"},"#,
            r#"{"level":"fail","name":"configuration","what":"two\nlines","remedy":"mend it"}]}"#
        )
    );
}

#[test]
fn an_attempt_without_a_turn_is_told_with_what_it_is() {
    let attempt: AttemptId = "01JD5F3Z8K0000000000000000".parse().unwrap();
    assert_eq!(
        describe(&Orphan { attempt, seen: Seen::Alive(7) }).to_string(),
        "warn attempts: 01JD5F3Z8K0000000000000000 runs and belongs to no open turn (supervisor pid 7)\n     remedy: `baton doctor --fix` ends it"
    );
    assert_eq!(
        describe(&Orphan { attempt, seen: Seen::Vanished }).to_string(),
        "warn attempts: 01JD5F3Z8K0000000000000000 vanished without a result and belongs to no open turn\n     remedy: `baton doctor --fix` ends what it may have left alive"
    );
}

#[rstest]
#[case(10 << 30, Level::Ok, "ok   disk: 10240 MiB free")]
#[case(1 << 29, Level::Warn, "warn disk: 512 MiB free\n     remedy: make room: an agent's output and its work may not fit")]
#[case(
    0,
    Level::Fail,
    "fail disk: 0 MiB free\n     remedy: make room: not even the state and the journal are safe"
)]
fn room_on_the_disk_is_judged(#[case] free: u64, #[case] level: Level, #[case] text: &str) {
    assert_eq!((room(free).level, room(free).to_string()), (level, text.to_owned()));
}

#[test]
fn a_state_that_blocks_is_worth_a_look() {
    let now = Timestamp::UNIX_EPOCH;
    let mut state = State::initial(now);
    assert_eq!(healthy(&state, now).to_string(), "ok   state: iteration 1, galph's turn, status idle");
    state.exit = true;
    state.holds.push(Hold {
        id: HoldId::from_parts(0, 1),
        kind: HoldKind::Pause,
        reason: "r".into(),
        since: now,
        until: None,
    });
    assert_eq!(
        healthy(&state, now).to_string(),
        "warn state: iteration 1, galph's turn, status idle, stopped, held\n     remedy: `baton status` tells what blocks and how to clear it"
    );
}
