//! `baton usage`: what turns of a scripted agent cost, from the ledger, beside the state's account.

use serde_json::Value;

use crate::scratch::{Run, Scratch};
use crate::support::Claude;

fn usage(claude: &Claude, args: &[&str]) -> Run {
    let args = [&["usage"], args].concat();
    let run = claude.scratch.baton(&args);
    assert_eq!(run.code, Some(0), "{run:?}");
    run
}

fn document(claude: &Claude, args: &[&str]) -> Value {
    serde_json::from_str(&usage(claude, &[args, &["--json"]].concat()).stdout).unwrap()
}

/// The report without what differs from run to run: the times.
fn without_times(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    // A run over midnight has a day more.
    for line in text.lines().filter(|line| !line.starts_with("20")) {
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let is_time =
            |cell: &&&str| cell.ends_with(" s") || cell.starts_with("the turns of this machine since 20");
        lines.push(cells.iter().filter(|cell| !is_time(cell)).copied().collect::<Vec<_>>().join(" | "));
    }
    lines.join("\n")
}

#[test]
fn every_turn_is_counted_by_seat_agent_iteration_and_day() {
    let claude = Claude::configured("budget: { run: { turns: 9 }, total: { cost_usd: 5 } }\n");
    claude.script(3, "reports true 529 Overloaded 0.125");
    assert_eq!(claude.run("2").code, Some(4));
    let shown = usage(&claude, &[]);
    insta::assert_snapshot!(without_times(&shown.stdout));
    let iterations = usage(&claude, &["--by", "iteration"]);
    insta::assert_snapshot!(without_times(&iterations.stdout));
    let known = document(&claude, &[]);
    assert_eq!(known["total"]["turns"], 2);
    assert_eq!(known["total"]["given_back"], 1);
    assert_eq!(known["given_back"]["overloaded"], 1);
    assert_eq!(known["by"]["agent"][0]["agent"], "claude");
    assert_eq!(known["by"]["iteration"][1]["cost_usd"], 0.125);
    assert_eq!(known["state"]["total"]["cost_usd"], 0.625);
    assert_eq!(known["state"]["more_than_ledger"], Value::Null);
    assert_eq!(known["budget"]["total_left"]["cost_usd"], 4.375);
    assert_eq!(document(&claude, &["--since", "2100-01-01"])["total"]["turns"], 0);
    let none = usage(&claude, &["--since", "2100-01-01"]);
    assert!(none.stdout.contains("\nNo turn that has ended began on 2100-01-01 or later.\n"), "{none:?}");
}

#[test]
fn unknown_costs_are_not_nothing() {
    let claude = Claude::with_configuration(
        "agent:\n  roles: { galph: claude, ralph: shell }\n  options: { claude: { binary: ../claude/claude } }\n",
    );
    assert_eq!(claude.run("1").code, Some(0));
    let shown = usage(&claude, &["--by", "agent"]).stdout;
    let line = |name: &str| -> Vec<String> {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{shown}"));
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    assert_eq!(line("shell")[3..], ["-", "-", "-", "-"]);
    assert_eq!(line("total")[3..], ["1.0k+", "400+", "200+", "$0.25 of 1 of 2 turns"]);
    assert!(
        shown.contains("Unknown     tokens of 1 of 2 turns: their agents reported none (`+`: at least)\n"),
        "{shown}"
    );
}

#[test]
fn the_states_account_is_told_apart_from_the_ledgers() {
    let claude = Claude::configured("");
    assert_eq!(claude.run("1").code, Some(0));
    let mut state = claude.state();
    state["usage"]["ralph"]["turns"] = 3.into();
    state["usage"]["ralph"]["cost_usd"] = 1.25.into();
    claude.scratch.write("sync/state.json", state.to_string());
    let shown = usage(&claude, &[]).stdout;
    assert!(
        shown.contains(
            "State       4 turn(s), 2.4k tokens, $1.50 in sync/state.json, the account of both machines\n            \
             2 turn(s), $1.00 more than this ledger tells of: another machine's turns, or those of an earlier ledger that was \
             removed\n"
        ),
        "{shown}"
    );
}

#[test]
fn a_loop_may_run_meanwhile_and_nothing_is_written() {
    let claude = Claude::configured("");
    claude.script(2, "baton=$(cat \"$here/baton\"); \"$baton\" usage > \"$here/seen\"; work; reports false null Done. 0.25");
    std::fs::write(claude.folder().join("baton"), env!("CARGO_BIN_EXE_baton")).unwrap();
    assert_eq!(claude.run("1").code, Some(0));
    let seen = std::fs::read_to_string(claude.folder().join("seen")).unwrap();
    assert!(seen.contains("\nUnder way   1 turn has not ended; it is not in the table yet\n"), "{seen}");
    assert!(
        seen.contains(
            "\nState       1 turn(s), 1.2k tokens, $0.25 in sync/state.json, the account of both machines\n"
        ),
        "{seen}"
    );
}

#[test]
fn turns_without_git_are_counted_too() {
    let claude = Claude::configured("");
    let run = claude.scratch.baton(&["run", "--no-git", "--sync-loops", "1"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(document(&claude, &[])["total"]["cost_usd"], 0.5);
}

#[test]
fn a_workspace_without_turns_says_so_and_stays_as_it_is() {
    let scratch = Scratch::new();
    let run = scratch.baton(&["usage"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (
            Some(0),
            "Workspace   /w\nNo turn has ended here yet.\nBudget      none is set (`budget.run`, `budget.total`)\n"
        )
    );
    assert!(!scratch.exists("sync") && !scratch.exists(".git/baton"));
}

#[test]
fn a_day_that_is_none_is_refused() {
    let run = Scratch::new().baton(&["usage", "--since", "yesterday"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("invalid value 'yesterday' for '--since <YYYY-MM-DD>'"), "{run:?}");
}
