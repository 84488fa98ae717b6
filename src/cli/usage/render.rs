//! `baton usage` as people read it.

use std::fmt::Write as _;

use serde::Serialize;

use super::account::{Account, Accounts, Difference};
use super::{By, Facts};
use crate::cli::run::in_thousands;
use crate::cli::words::{moment, one_line, worked};
use crate::config::Budget;
use crate::model::{Actor, Span, Usage, UsageByActor};

/// As many days as the short report shows.
const LAST_DAYS: usize = 7;
/// The width of the left column below the table.
const COLUMN: usize = 12;

impl By {
    /// The word on the command line and in JSON.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Agent => "agent",
            Self::Iteration => "iteration",
            Self::Day => "day",
        }
    }
}

/// The whole report, without a final newline.
pub(super) fn render(facts: &Facts, by: Option<By>) -> String {
    let mut text = format!("{:<COLUMN$}{}\n", "Workspace", facts.workspace);
    let accounts = &facts.accounts;
    match (accounts.first, facts.since) {
        (None, None) => text.push_str("No turn has ended here yet.\n"),
        (None, Some(since)) => {
            let _ = writeln!(text, "No turn that has ended began on {since} or later.");
        }
        (Some(_), _) => text.push_str(&table(accounts, by)),
    }
    let mut row = |name: &str, lines: Vec<String>| {
        let mut name = name;
        for line in lines {
            let _ = writeln!(text, "{name:<COLUMN$}{line}");
            name = "";
        }
    };
    row("Given back", given_back(accounts));
    row("Unknown", unknown(&accounts.total));
    row("Under way", under_way(facts.open_turns));
    row("Ledger", ledger_lines(facts));
    row("State", facts.state.as_ref().map(|state| state_lines(facts, state)).unwrap_or_default());
    row("Budget", budget_lines(facts));
    text.truncate(text.trim_end().len());
    text
}

fn table(accounts: &Accounts, by: Option<By>) -> String {
    let seats =
        || Actor::ALL.iter().filter_map(|seat| accounts.by_actor.get(seat).map(|a| (seat.to_string(), *a)));
    let agents = || accounts.by_agent.iter().map(|(name, a)| (agent(name.as_deref()), *a));
    let days = || accounts.by_day.iter().map(|(day, a)| (day.to_string(), *a));
    let total = ("total".to_owned(), accounts.total);
    let mut rows: Vec<(String, Account)> = Vec::new();
    match by {
        None => {
            rows.push(total);
            rows.extend(seats());
            rows.extend(agents());
            rows.extend(days().skip(accounts.by_day.len().saturating_sub(LAST_DAYS)));
        }
        Some(by) => {
            match by {
                By::Actor => rows.extend(seats()),
                By::Agent => rows.extend(agents()),
                By::Iteration => {
                    rows.extend(accounts.by_iteration.iter().map(|(number, a)| {
                        (number.map_or_else(|| "solo".to_owned(), |number| number.to_string()), *a)
                    }));
                }
                By::Day => rows.extend(days()),
            }
            rows.push(total);
        }
    }
    let head = ["", "turns", "wall", "input", "cached", "output", "cost"].map(str::to_owned);
    let cells: Vec<[String; 7]> =
        std::iter::once(head).chain(rows.into_iter().map(|(name, account)| cells(name, &account))).collect();
    in_columns(&cells)
}

fn agent(name: Option<&str>) -> String {
    // A turn that failed before it had an agent.
    name.map_or_else(|| "(no agent)".to_owned(), one_line)
}

fn cells(name: String, account: &Account) -> [String; 7] {
    let usage = &account.usage;
    let given_back =
        if account.given_back == 0 { String::new() } else { format!(" +{}", account.given_back) };
    [
        name,
        format!("{}{given_back}", usage.turns),
        worked(usage.wall_seconds),
        tokens(account, usage.input_tokens),
        tokens(account, usage.cached_tokens),
        tokens(account, usage.output_tokens),
        cost(account),
    ]
}

/// A sum of tokens; `-` where nobody told, with a `+` where not all did.
fn tokens(account: &Account, count: u64) -> String {
    match account.with_tokens {
        0 => "-".to_owned(),
        known if known < account.ran => format!("{}+", in_thousands(count)),
        _ => in_thousands(count),
    }
}

/// A sum of costs; `-` where nobody told, with the number of turns that did where not all did.
fn cost(account: &Account) -> String {
    match account.usage.cost_usd {
        None => "-".to_owned(),
        Some(cost) if account.with_cost < account.ran => {
            format!("{} of {} of {} turns", dollars(cost), account.with_cost, account.ran)
        }
        Some(cost) => dollars(cost),
    }
}

/// US dollars; what is less than ten cents with more digits, so that it does not look like nothing.
fn dollars(cost: f64) -> String {
    if cost > 0.0 && cost < 0.1 { format!("${cost:.4}") } else { format!("${cost:.2}") }
}

/// The first and the last column to the left, numbers to the right.
fn in_columns(rows: &[[String; 7]]) -> String {
    let mut widths = [0; 7];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(index, (cell, width))| match index {
                0 => format!("{cell:<width$}", width = width.max(COLUMN - 2)),
                6 => cell.clone(),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

fn given_back(accounts: &Accounts) -> Vec<String> {
    if accounts.given_back.is_empty() {
        return Vec::new();
    }
    let classes: Vec<String> =
        accounts.given_back.iter().map(|(class, count)| format!("{count} {}", one_line(class))).collect();
    vec![format!("{} (`+` in `turns`): no turns; what was used is in the sums", classes.join(", "))]
}

fn unknown(total: &Account) -> Vec<String> {
    let mut lines = Vec::new();
    if total.with_tokens < total.ran {
        lines.push(format!(
            "tokens of {} of {} turns: their agents reported none (`+`: at least)",
            total.ran - total.with_tokens,
            total.ran
        ));
    }
    if total.with_cost < total.ran {
        lines.push(format!(
            "cost of {} of {} turns: their agents reported none",
            total.ran - total.with_cost,
            total.ran
        ));
    }
    lines
}

fn under_way(open_turns: usize) -> Vec<String> {
    match open_turns {
        0 => Vec::new(),
        1 => vec!["1 turn has not ended; it is not in the table yet".to_owned()],
        more => vec![format!("{more} turns have not ended; they are not in the table yet")],
    }
}

fn ledger_lines(facts: &Facts) -> Vec<String> {
    facts
        .accounts
        .first
        .map(|first| format!("the turns of this machine since {}; days in UTC", moment(first)))
        .into_iter()
        .collect()
}

fn state_lines(facts: &Facts, state: &UsageByActor) -> Vec<String> {
    let there = facts.shared.as_ref().map_or_else(String::new, |shared| {
        let last = if shared.online { "" } else { " as seen last" };
        format!(" on `{}` of `{}`{last}", shared.branch, shared.remote)
    });
    let total = counted(&state.total());
    let mut lines = vec![format!("{total} in {}{there}, the account of both machines", facts.state_file)];
    if facts.shared.is_some() {
        lines.push(format!("galph {}", counted(&state.galph)));
        lines.push(format!("ralph {}", counted(&state.ralph)));
    }
    match &facts.difference {
        None => {}
        Some(difference) if difference.is_more() => {
            let under_way = if facts.open_turns > 0 { ", or the turn under way" } else { "" };
            lines.push(format!(
                "{} more than this ledger tells of: another machine's turns, or those of an earlier ledger that was \
                 removed{under_way}",
                amount(difference)
            ));
        }
        Some(difference) => lines.push(format!(
            "{} less than this ledger tells of: the state was begun anew, or changed by hand",
            amount(difference)
        )),
    }
    lines
}

fn counted(usage: &Usage) -> String {
    let cost = usage.cost_usd.map_or_else(|| "cost -".to_owned(), dollars);
    format!("{} turn(s), {} tokens, {cost}", usage.turns, in_thousands(usage.tokens()))
}

fn amount(difference: &Difference) -> String {
    let tokens = u64::try_from(difference.tokens.unsigned_abs()).unwrap_or(u64::MAX);
    let parts = [
        (difference.turns != 0).then(|| format!("{} turn(s)", difference.turns.unsigned_abs())),
        (tokens != 0).then(|| format!("{} tokens", in_thousands(tokens))),
        (difference.cost_usd != 0.0).then(|| dollars(difference.cost_usd.abs())),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What a budget still allows; `null` where it sets no cap or the spending is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct RoomLeft {
    turns: Option<u64>,
    wall_seconds: Option<f64>,
    tokens: Option<u64>,
    cost_usd: Option<f64>,
}

/// What is left of a budget.
pub(super) fn room_left(budget: &Budget, used: &Usage) -> RoomLeft {
    let has_spent = used.turns > 0 || used.tokens() > 0 || used.wall_seconds > 0.0;
    let spent_cost = used.cost_usd.or((!has_spent).then_some(0.0));
    RoomLeft {
        turns: budget.turns.map(|cap| cap.saturating_sub(used.turns)),
        wall_seconds: budget.wall.map(|cap| (cap.0.as_secs_f64() - used.wall_seconds).max(0.0)),
        tokens: budget.tokens.map(|cap| cap.saturating_sub(used.tokens())),
        cost_usd: budget.cost_usd.zip(spent_cost).map(|(cap, spent)| (cap - spent).max(0.0)),
    }
}

fn budget_lines(facts: &Facts) -> Vec<String> {
    let caps = |budget: &Budget| {
        let caps = [
            budget.turns.map(|cap| format!("{cap} turns")),
            budget.wall.map(|cap: Span| format!("{cap} wall")),
            budget.tokens.map(|cap| format!("{} tokens", in_thousands(cap))),
            budget.cost_usd.map(dollars),
        ];
        caps.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    let (run, total) = (&facts.budgets.run, &facts.budgets.total);
    let mut lines = Vec::new();
    if caps(run).is_empty() && caps(total).is_empty() {
        return vec!["none is set (`budget.run`, `budget.total`)".to_owned()];
    }
    if !caps(run).is_empty() {
        lines.push(format!("run: {} for each `baton run`", caps(run)));
    }
    if !caps(total).is_empty() {
        let used = facts.state.as_ref().map(UsageByActor::total).unwrap_or_default();
        let left = room_left(total, &used);
        let parts = [
            left.turns.map(|left| format!("{left} turns")),
            left.wall_seconds.map(|left| format!("{} wall", worked(left))),
            left.tokens.map(|left| format!("{} tokens", in_thousands(left))),
            total.cost_usd.map(|_| left.cost_usd.map_or_else(|| "cost unknown".to_owned(), dollars)),
        ];
        let left = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        lines.push(format!("total: {}; left: {left}", caps(total)));
    }
    lines
}
