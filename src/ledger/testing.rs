//! Turns as the tests of this room write them.

use jiff::Timestamp;

use super::{Closing, Edge, Entry, Ledger, PhaseRecord, TurnOpening};
use crate::model::{Actor, TurnId};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn opening(n: u128, actor: Actor) -> TurnOpening {
    TurnOpening {
        id: TurnId::from_parts(1, n),
        actor,
        mode: "combined".into(),
        iteration: 3,
        machine: "m".into(),
        boot_id: "b".into(),
        at: at(0),
    }
}

pub(super) fn phase(n: u128, phase: &str, edge: Edge) -> Entry {
    Entry::Phase(PhaseRecord {
        turn: TurnId::from_parts(1, n),
        phase: phase.into(),
        edge,
        at: at(1),
        data: serde_json::json!({"n": 1}),
    })
}

pub(super) fn closing(n: u128) -> Closing {
    Closing {
        turn: TurnId::from_parts(1, n),
        at: at(2),
        class: "ok".into(),
        detail: String::new(),
        prompt: Some("main.md".into()),
        agent: Some("shell".into()),
        wall_seconds: Some(1.25),
        tree_before: None,
        tree_after: Some("tree".into()),
        stalemate: false,
        log_path: None,
        summary_path: None,
        record: serde_json::json!({"leftover": {}}),
    }
}

pub(super) fn ledger() -> (tempfile::TempDir, Ledger) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&directory.path().join("ledger.db")).unwrap();
    (directory, ledger)
}
