//! How long a person waits for a verb that only looks: `baton --version`, and `baton status` over a thousand turns.

use std::path::PathBuf;

use baton::ambient::Ambient;
use baton::ledger::{Closing, Edge, Entry, Home, Ledger, PhaseRecord, TurnOpening};
use baton::model::{Actor, TurnId};

use crate::measure::{Cost, cost, middle};
use crate::table;
use crate::workspace::{Workspace, succeed};

const ROUNDS: usize = 9;
const RUNS: u32 = 20;
const RECORDED: u64 = 1000;

pub(crate) fn run() {
    let workspace = Workspace::with_git();
    workspace.run_loops(1, &[]);
    record_turns(&workspace);
    let has_status = workspace.baton(&["status"]).output().unwrap().status.success();
    let nothing = find_true();
    let mut found: [Vec<Cost>; 4] = Default::default();
    for _ in 0..ROUNDS {
        found[0].push(repeated(|| succeed(workspace.command(&nothing))));
        found[1].push(repeated(|| succeed(workspace.baton(&["--version"]))));
        found[2].push(repeated(|| start_supervisor(&workspace)));
        if has_status {
            found[3].push(repeated(|| succeed(workspace.baton(&["status"]))));
        }
    }
    let [floor, version, supervisor, status] = found.map(|costs| middle(&costs));
    table::heading("Starting up");
    table::begin_costs();
    table::row("`true`", floor, None);
    table::row("`baton --version`", version, Some(floor));
    table::row("a supervisor that finds no attempt", supervisor, Some(floor));
    if has_status {
        table::row("`baton status`, 1000 recorded turns", status, Some(floor));
    }
}

/// By its path: a search for it would be counted to the floor.
fn find_true() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join("true")).find(|file| file.is_file()).unwrap()
}

/// Every attempt pays for the start of a supervisor; without an attempt that is all it does.
fn start_supervisor(workspace: &Workspace) {
    let mut command = workspace.baton(&["__supervise"]);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
}

fn repeated(work: impl Fn()) -> Cost {
    cost(|| (0..RUNS).for_each(|_| work())).each(f64::from(RUNS))
}

/// Writes the history of a workspace that has been in use for long.
fn record_turns(workspace: &Workspace) {
    let ambient = Ambient::real();
    let home = Home::in_git_dir(&workspace.root.join(".git"));
    let mut ledger = Ledger::open(&home.ledger()).unwrap();
    let mut entries = Vec::new();
    for number in 0..RECORDED {
        let id = TurnId::from_parts(1_700_000_000_000 + number, u128::from(number));
        let at = ambient.now();
        entries.push(Entry::Open(TurnOpening {
            id,
            actor: if number % 2 == 0 { Actor::Galph } else { Actor::Ralph },
            mode: "combined".to_owned(),
            iteration: number / 2 + 1,
            machine: "bench".to_owned(),
            boot_id: "boot".to_owned(),
            at,
        }));
        for phase in ["claimed", "selected", "running", "committed", "stamped"] {
            for edge in [Edge::Begin, Edge::Done] {
                let data = serde_json::json!({ "record": phase, "detail": "x".repeat(600) });
                entries.push(Entry::Phase(PhaseRecord { turn: id, phase: phase.to_owned(), edge, at, data }));
            }
        }
        entries.push(Entry::Close(Box::new(Closing {
            turn: id,
            at,
            class: "ok".to_owned(),
            detail: String::new(),
            prompt: Some("main.md".to_owned()),
            agent: Some("stub".to_owned()),
            wall_seconds: Some(60.0),
            tree_before: None,
            tree_after: None,
            stalemate: false,
            log_path: None,
            summary_path: None,
            record: serde_json::json!({ "reply": "x".repeat(2000) }),
        })));
    }
    ledger.write(&entries).unwrap();
}
