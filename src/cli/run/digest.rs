//! A run on one screen: the turns in a table, and what they came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::live::in_thousands;
use crate::mode::LoopReport;
use crate::model::{Actor, Span, Usage};
use crate::runner::{TurnEnd, TurnOutcome};

/// As many turns as have room on a screen beside the totals. Of more, those that did not pass are shown first.
const SHOWN_TURNS: usize = 16;

/// A row a turn; of a long run the turns that need a look, and the last ones.
pub(super) fn render_turns(turns: &[TurnOutcome]) -> String {
    let shown = chosen(turns);
    let header =
        ["iter", "seat", "prompt", "agent", "outcome", "time", "tokens", "commits"].map(str::to_owned);
    let mut rows = vec![header];
    rows.extend(shown.iter().map(|index| row(&turns[*index])));
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let newline = if index == 0 { "" } else { "\n" };
        let _ = write!(text, "{newline}{}", cells.join("  ").trim_end());
    }
    let hidden = turns.len() - shown.len();
    if hidden > 0 {
        let _ =
            write!(text, "\n(and {hidden} more that passed; `baton logs --source summaries` has them all)");
    }
    text
}

/// Which turns are shown, in order.
fn chosen(turns: &[TurnOutcome]) -> Vec<usize> {
    if turns.len() <= SHOWN_TURNS {
        return (0..turns.len()).collect();
    }
    let is_odd = |index: &usize| !matches!(outcome(&turns[*index]).as_str(), "ok" | "no_change");
    // Newest first, and those that did not pass before the others.
    let odd: Vec<usize> = (0..turns.len()).rev().filter(is_odd).collect();
    let even = (0..turns.len()).rev().filter(|index| !is_odd(index));
    let mut shown: Vec<usize> = odd.iter().copied().chain(even).take(SHOWN_TURNS).collect();
    shown.sort_unstable();
    shown
}

fn row(turn: &TurnOutcome) -> [String; 8] {
    let missing = || "-".to_owned();
    let tokens = turn.usage.tokens();
    [
        turn.iteration.to_string(),
        turn.actor.to_string(),
        turn.prompt.clone().unwrap_or_else(missing),
        turn.agent.clone().unwrap_or_else(missing),
        outcome(turn),
        time(turn.wall),
        if tokens == 0 { missing() } else { in_thousands(tokens) },
        turn.commits.len().to_string(),
    ]
}

fn outcome(turn: &TurnOutcome) -> String {
    match &turn.end {
        TurnEnd::Closed { class, .. } => class.to_string(),
        TurnEnd::Void => "void".to_owned(),
        TurnEnd::Suspended { .. } => "suspended".to_owned(),
    }
}

fn time(wall: Duration) -> String {
    let seconds = wall.as_secs();
    if seconds < 60 { format!("{:.1}s", wall.as_secs_f64()) } else { Span::from_secs(seconds).to_string() }
}

/// What the turns came to: how they ended, what they cost, how long was waited.
pub(super) fn render_totals(report: &LoopReport) -> String {
    let turns = &report.turns;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for turn in turns {
        *counts.entry(outcome(turn)).or_default() += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|(_, mine), (_, other)| other.cmp(mine));
    let counts: Vec<String> = counts.into_iter().map(|(class, count)| format!("{count} {class}")).collect();
    let commits: usize = turns.iter().map(|turn| turn.commits.len()).sum();
    let wall: Duration = turns.iter().map(|turn| turn.wall).sum();
    let mut text = format!(
        "{} turn(s) ({}), {commits} commit(s), agents ran {}",
        turns.len(),
        counts.join(", "),
        time(wall)
    );
    if !report.waited.is_zero() {
        let _ = write!(text, ", waited {}", time(report.waited));
    }
    let of = |actor: Option<Actor>| {
        turns
            .iter()
            .filter(|turn| actor.is_none_or(|actor| turn.actor == actor))
            .fold(Usage::default(), |sum, turn| sum.plus(turn.usage))
    };
    let total = of(None);
    if total.tokens() > 0 || total.cost_usd.is_some() {
        let (galph, ralph) = (of(Some(Actor::Galph)), of(Some(Actor::Ralph)));
        let _ = write!(text, "\nspent {} (galph {}, ralph {})", spend(&total), spend(&galph), spend(&ralph));
    }
    text
}

fn spend(usage: &Usage) -> String {
    let tokens = format!("{} tokens", in_thousands(usage.tokens()));
    usage.cost_usd.map_or(tokens.clone(), |cost| format!("{tokens}, ${cost:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::LoopEnd;
    use crate::model::{OutcomeClass, TurnId};
    use crate::runner::Cause;

    fn turn(iteration: u64, class: OutcomeClass) -> TurnOutcome {
        TurnOutcome {
            turn: TurnId::from_parts(0, u128::from(iteration)),
            actor: if iteration.is_multiple_of(2) { Actor::Ralph } else { Actor::Galph },
            mode: crate::runner::COMBINED.to_owned(),
            iteration,
            prompt: Some("main.md".to_owned()),
            agent: Some("claude".to_owned()),
            end: TurnEnd::Closed { class, detail: String::new(), cause: Cause::Agent },
            usage: Usage {
                input_tokens: 1_000,
                output_tokens: 200,
                cost_usd: Some(0.25),
                ..Usage::default()
            },
            wall: Duration::from_secs(30),
            commits: vec!["abc work".to_owned()],
            completion: None,
            stalemate: None,
            summary: None,
        }
    }

    #[test]
    fn a_short_run_is_shown_whole() {
        let turns = [turn(1, OutcomeClass::Ok), turn(2, OutcomeClass::NoChange)];
        assert_eq!(
            render_turns(&turns),
            "iter  seat   prompt   agent   outcome    time   tokens  commits\n\
             1     galph  main.md  claude  ok         30.0s  1.2k    1\n\
             2     ralph  main.md  claude  no_change  30.0s  1.2k    1"
        );
    }

    #[test]
    fn of_a_long_run_what_did_not_pass_is_never_hidden() {
        let mut turns: Vec<TurnOutcome> = (1..=60).map(|n| turn(n, OutcomeClass::Ok)).collect();
        turns[3] = turn(4, OutcomeClass::Stalled);
        turns[9] = turn(10, OutcomeClass::Limited { until: None });
        let text = render_turns(&turns);
        assert_eq!(text.lines().count(), SHOWN_TURNS + 2);
        assert!(text.contains("stalled") && text.contains("limited") && text.contains("\n60 "));
        assert!(text.ends_with("(and 44 more that passed; `baton logs --source summaries` has them all)"));
    }

    #[test]
    fn the_totals_say_how_turns_ended_and_what_they_cost() {
        let turns =
            vec![turn(1, OutcomeClass::Ok), turn(2, OutcomeClass::Ok), turn(3, OutcomeClass::Overloaded)];
        let report =
            LoopReport { end: LoopEnd::Finished, turns, iterations: 1, waited: Duration::from_mins(10) };
        assert_eq!(
            render_totals(&report),
            "3 turn(s) (2 ok, 1 overloaded), 3 commit(s), agents ran 90s, waited 10m\n\
             spent 3.6k tokens, $0.75 (galph 2.4k tokens, $0.50, ralph 1.2k tokens, $0.25)"
        );
    }
}
