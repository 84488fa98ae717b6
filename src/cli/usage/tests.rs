//! The report, for every kind of knowledge and ignorance.

use super::account::{Accounts, ClosedTurn, compare};
use super::json::as_json;
use super::render::{render, room_left};
use super::{By, Facts};
use crate::config::{Budget, Budgets};
use crate::model::{Actor, Span, Usage, UsageByActor};
use rstest::rstest;

fn turn(actor: Actor, agent: &str, iteration: u64, at: &str, class: &str, usage: Usage) -> ClosedTurn {
    let turns = u64::from(class == "ok");
    ClosedTurn {
        actor,
        agent: Some(agent.into()),
        iteration: Some(iteration),
        at: at.parse().unwrap(),
        class: class.into(),
        usage: Usage { turns, ..usage },
    }
}

fn used(input: u64, cached: u64, output: u64, cost_usd: Option<f64>) -> Usage {
    Usage {
        turns: 1,
        wall_seconds: 90.0,
        input_tokens: input,
        output_tokens: output,
        cached_tokens: cached,
        cost_usd,
    }
}

fn facts(turns: &[ClosedTurn], state: Option<UsageByActor>) -> Facts {
    let mut accounts = Accounts::default();
    for turn in turns {
        accounts.add(turn);
    }
    let none = Budgets { run: Budget::default(), total: Budget::default() };
    Facts {
        workspace: "/ws".into(),
        since: None,
        difference: state.as_ref().and_then(|state| compare(state, &accounts.for_state)),
        accounts,
        open_turns: 0,
        state_file: "sync/state.json".into(),
        shared: None,
        state,
        budgets: none,
    }
}

fn night() -> Vec<ClosedTurn> {
    let (late, early) = ("2026-11-20T23:00:00Z", "2026-11-21T01:00:00Z");
    vec![
        turn(Actor::Galph, "claude", 1, late, "ok", used(12_000, 9_000, 800, Some(1.0))),
        turn(Actor::Ralph, "aider", 1, late, "ok", used(0, 0, 0, None)),
        turn(Actor::Galph, "claude", 2, early, "limited", used(1_500, 0, 10, Some(0.02))),
    ]
}

#[test]
fn one_screen_has_the_total_both_seats_the_agents_and_the_last_days() {
    let turns = night();
    let mut facts = facts(&turns, None);
    facts.state = Some(facts.accounts.for_state);
    insta::assert_snapshot!(render(&facts, None));
}

#[test]
fn one_table_is_shown_whole() {
    insta::assert_snapshot!(render(&facts(&night(), None), Some(By::Iteration)));
}

#[test]
fn the_state_may_tell_of_more_or_of_less_than_this_ledger() {
    let (one, two) = (used(1_000, 0, 0, Some(0.5)), used(3_000, 0, 0, Some(2.0)));
    let galph = [turn(Actor::Galph, "claude", 1, "2026-11-21T00:00:00Z", "ok", one)];
    let line = |state: Usage, open_turns: usize| {
        let state = UsageByActor { galph: state, ralph: Usage::default() };
        let text = render(&Facts { open_turns, ..facts(&galph, Some(state)) }, None);
        text.lines().skip_while(|line| !line.starts_with("State ")).nth(1).unwrap().trim().to_owned()
    };
    assert_eq!(
        line(two, 0),
        "2.0k tokens, $1.50 more than this ledger tells of: another machine's turns, or those of an earlier ledger that was removed"
    );
    assert_eq!(
        line(two, 1),
        "2.0k tokens, $1.50 more than this ledger tells of: another machine's turns, or those of an earlier ledger that was \
         removed, or the turn under way"
    );
    assert_eq!(
        line(Usage::default(), 0),
        "1 turn(s), 1.0k tokens, $0.50 less than this ledger tells of: the state was begun anew, or changed by hand"
    );
    assert_eq!(line(one, 0), "Budget      none is set (`budget.run`, `budget.total`)");
}

#[rstest]
#[case::nothing_spent(
    Usage::default(),
    "total: 10 turns, 1h wall, 1.0M tokens, $5.00; left: 10 turns, 1 h wall, 1.0M tokens, $5.00"
)]
#[case::some(
    used(400_000, 0, 100_000, Some(1.25)),
    "total: 10 turns, 1h wall, 1.0M tokens, $5.00; left: 9 turns, 58 min 30 s wall, 500.0k tokens, $3.75"
)]
#[case::unknown_cost(
    used(400_000, 0, 100_000, None),
    "total: 10 turns, 1h wall, 1.0M tokens, $5.00; left: 9 turns, 58 min 30 s wall, 500.0k tokens, cost unknown"
)]
#[case::overspent(
    Usage { turns: 12, wall_seconds: 9999.0, ..used(2_000_000, 0, 0, Some(7.0)) },
    "total: 10 turns, 1h wall, 1.0M tokens, $5.00; left: 0 turns, 0.0 s wall, 0 tokens, $0.00"
)]
fn caps_are_shown_with_what_is_left(#[case] spent: Usage, #[case] line: &str) {
    let total = Budget {
        turns: Some(10),
        wall: Some(Span::from_secs(3600)),
        tokens: Some(1_000_000),
        cost_usd: Some(5.0),
    };
    let run = Budget { cost_usd: Some(0.5), ..Budget::default() };
    let state = UsageByActor { galph: spent, ralph: Usage::default() };
    let text = render(&Facts { budgets: Budgets { run, total }, ..facts(&[], Some(state)) }, None);
    assert!(
        text.ends_with(&format!("Budget      run: $0.50 for each `baton run`\n            {line}")),
        "{text}"
    );
}

#[test]
fn an_empty_ledger_says_so() {
    assert_eq!(
        render(&facts(&[], None), None),
        "Workspace   /ws\nNo turn has ended here yet.\nBudget      none is set (`budget.run`, `budget.total`)"
    );
    let since = Facts { since: Some("2026-11-21".parse().unwrap()), ..facts(&[], None) };
    assert!(render(&since, None).contains("\nNo turn that has ended began on 2026-11-21 or later.\n"));
}

#[test]
fn the_json_document_has_a_stable_shape() {
    let turns = night();
    let mut facts = facts(&turns, None);
    facts.state = Some(facts.accounts.for_state);
    let pretty = |by| {
        let document: serde_json::Value = serde_json::from_str(&as_json(&facts, by)).unwrap();
        serde_json::to_string_pretty(&document).unwrap()
    };
    insta::assert_snapshot!(pretty(Some(By::Agent)));
    assert!(pretty(None).contains("\"day\": \"2026-11-21\""));
    assert_eq!(
        serde_json::to_value(room_left(&Budget::default(), &Usage::default())).unwrap()["turns"],
        serde_json::Value::Null
    );
}
