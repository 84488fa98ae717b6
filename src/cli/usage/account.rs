//! Sums over closed turns. Pure: turns go in one by one, accounts come out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::model::{Actor, Usage, UsageByActor};

/// A closed turn, as far as spending goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClosedTurn {
    pub(super) actor: Actor,
    pub(super) agent: Option<String>,
    /// `None` for a turn of solo mode.
    pub(super) iteration: Option<u64>,
    /// When it began.
    pub(super) at: Timestamp,
    pub(super) class: String,
    /// `turns` is 0 where it was given back.
    pub(super) usage: Usage,
}

/// What some turns used, and how much of it is known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(super) struct Account {
    #[serde(flatten)]
    pub(super) usage: Usage,
    /// Turns that were given back; what they used is in the sums.
    pub(super) given_back: u64,
    /// Turns, given back or not, in which an agent ran.
    pub(super) ran: u64,
    /// Those of `ran` that reported tokens.
    pub(super) with_tokens: u64,
    /// Those of `ran` that reported a cost.
    pub(super) with_cost: u64,
}

impl Account {
    fn add(&mut self, turn: &ClosedTurn) {
        let used = turn.usage;
        let has_cost = used.cost_usd.is_some();
        let has_tokens = used.tokens() > 0 || has_cost;
        self.usage = self.usage.plus(used);
        self.given_back += u64::from(used.turns == 0);
        self.ran += u64::from(used.wall_seconds > 0.0 || has_tokens);
        self.with_tokens += u64::from(has_tokens);
        self.with_cost += u64::from(has_cost);
    }
}

/// All accounts.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Accounts {
    pub(super) total: Account,
    pub(super) by_actor: BTreeMap<Actor, Account>,
    pub(super) by_agent: BTreeMap<Option<String>, Account>,
    pub(super) by_iteration: BTreeMap<Option<u64>, Account>,
    /// By the day on which a turn began, in UTC.
    pub(super) by_day: BTreeMap<Date, Account>,
    /// How many were given back, by class.
    pub(super) given_back: BTreeMap<String, u64>,
    /// What the state should have from these turns: those of solo mode it never sees.
    pub(super) for_state: UsageByActor,
    /// When the first of them began.
    pub(super) first: Option<Timestamp>,
}

impl Accounts {
    pub(super) fn add(&mut self, turn: &ClosedTurn) {
        self.total.add(turn);
        self.by_actor.entry(turn.actor).or_default().add(turn);
        self.by_agent.entry(turn.agent.clone()).or_default().add(turn);
        self.by_iteration.entry(turn.iteration).or_default().add(turn);
        self.by_day.entry(turn.at.to_zoned(TimeZone::UTC).date()).or_default().add(turn);
        if turn.usage.turns == 0 {
            *self.given_back.entry(turn.class.clone()).or_default() += 1;
        }
        // A turn that was taken away stamps nothing.
        if turn.iteration.is_some() && turn.class != "fenced" {
            let account = self.for_state.of_mut(turn.actor);
            *account = account.plus(turn.usage);
        }
        self.first = Some(self.first.map_or(turn.at, |first| first.min(turn.at)));
    }
}

/// How the state's total differs from what this ledger gave it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Difference {
    pub(super) turns: i128,
    pub(super) tokens: i128,
    pub(super) cost_usd: f64,
}

impl Difference {
    /// Whether the state has something that the ledger has not.
    pub(super) fn is_more(&self) -> bool {
        self.turns > 0 || self.tokens > 0 || self.cost_usd > 0.0
    }
}

/// Compares the state's total with this ledger's turns; `None` where they agree.
pub(super) fn compare(state: &UsageByActor, ledger: &UsageByActor) -> Option<Difference> {
    /// Sums of fractions in another order differ in their last digits.
    const ROUNDING: f64 = 1e-6;
    let (state, ledger) = (state.total(), ledger.total());
    let cost = state.cost_usd.unwrap_or_default() - ledger.cost_usd.unwrap_or_default();
    let difference = Difference {
        turns: i128::from(state.turns) - i128::from(ledger.turns),
        tokens: i128::from(state.tokens()) - i128::from(ledger.tokens()),
        cost_usd: if cost.abs() < ROUNDING { 0.0 } else { cost },
    };
    let agrees = difference.turns == 0 && difference.tokens == 0 && difference.cost_usd == 0.0;
    (!agrees).then_some(difference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn turn(actor: Actor, agent: &str, at: &str, class: &str, cost_usd: Option<f64>) -> ClosedTurn {
        let usage = Usage {
            turns: u64::from(matches!(class, "ok" | "failed")),
            wall_seconds: 30.0,
            input_tokens: 100,
            output_tokens: 10,
            cached_tokens: 40,
            cost_usd,
        };
        ClosedTurn {
            actor,
            agent: Some(agent.into()),
            iteration: Some(1),
            at: at.parse().unwrap(),
            class: class.into(),
            usage,
        }
    }

    fn accounts(turns: &[ClosedTurn]) -> Accounts {
        let mut accounts = Accounts::default();
        for turn in turns {
            accounts.add(turn);
        }
        accounts
    }

    #[test]
    fn turns_are_summed_by_seat_agent_iteration_and_day_in_utc() {
        let turns = [
            turn(Actor::Galph, "claude", "2026-11-20T23:59:59Z", "ok", Some(0.5)),
            turn(Actor::Ralph, "codex", "2026-11-21T00:30:00+01:00", "failed", None),
            ClosedTurn {
                iteration: Some(2),
                ..turn(Actor::Galph, "claude", "2026-11-21T00:00:00Z", "ok", Some(0.25))
            },
        ];
        let sums = accounts(&turns);
        assert_eq!((sums.total.usage.turns, sums.total.usage.cost_usd), (3, Some(0.75)));
        assert_eq!((sums.total.ran, sums.total.with_cost, sums.total.with_tokens), (3, 2, 3));
        assert_eq!(sums.by_actor[&Actor::Galph].usage.turns, 2);
        assert_eq!(sums.by_agent[&Some("codex".to_owned())].usage.cost_usd, None);
        assert_eq!(sums.by_iteration[&Some(2)].usage.input_tokens, 100);
        let days: Vec<(String, u64)> =
            sums.by_day.iter().map(|(day, account)| (day.to_string(), account.usage.turns)).collect();
        assert_eq!(days, [("2026-11-20".to_owned(), 2), ("2026-11-21".to_owned(), 1)]);
        assert_eq!(sums.first, Some("2026-11-20T23:30:00Z".parse().unwrap()));
    }

    #[rstest]
    #[case("limited")]
    #[case("overloaded")]
    #[case("interrupted")]
    fn a_turn_that_was_given_back_is_none_and_what_it_used_is_summed(#[case] class: &str) {
        let turns = [
            turn(Actor::Ralph, "claude", "2026-11-21T00:00:00Z", "ok", Some(0.5)),
            turn(Actor::Ralph, "claude", "2026-11-21T00:01:00Z", class, Some(0.125)),
        ];
        let sums = accounts(&turns);
        assert_eq!((sums.total.usage.turns, sums.total.given_back, sums.total.ran), (1, 1, 2));
        assert_eq!((sums.total.usage.tokens(), sums.total.usage.cost_usd), (220, Some(0.625)));
        assert_eq!(sums.given_back, BTreeMap::from([(class.to_owned(), 1)]));
        assert_eq!(sums.for_state.ralph.cost_usd, Some(0.625));
    }

    #[test]
    fn the_state_sees_no_solo_turn_and_none_that_was_taken_away() {
        let turns = [
            ClosedTurn { iteration: None, ..turn(Actor::Galph, "a", "2026-11-21T00:00:00Z", "ok", None) },
            turn(Actor::Galph, "a", "2026-11-21T00:00:00Z", "fenced", None),
        ];
        let sums = accounts(&turns);
        assert_eq!(sums.total.ran, 2);
        assert_eq!(sums.for_state, UsageByActor::default());
    }

    #[test]
    fn a_turn_in_which_no_agent_ran_hides_no_cost() {
        let mut idle = turn(Actor::Galph, "a", "2026-11-21T00:00:00Z", "interrupted", None);
        idle.usage = Usage::default();
        let sums = accounts(&[idle, turn(Actor::Galph, "a", "2026-11-21T00:00:00Z", "ok", Some(1.0))]);
        assert_eq!((sums.total.ran, sums.total.with_cost), (1, 1));
    }

    fn by_actor(turns: u64, tokens: u64, cost_usd: Option<f64>) -> UsageByActor {
        let galph = Usage { turns, output_tokens: tokens, cost_usd, ..Usage::default() };
        UsageByActor { galph, ralph: Usage::default() }
    }

    #[rstest]
    #[case::equal((3, 10, Some(0.3)), (3, 10, Some(0.1 + 0.2)), None)]
    #[case::another_machine((5, 30, Some(1.5)), (3, 10, None), Some((2, 20, 1.5, true)))]
    #[case::state_begun_anew((1, 10, None), (3, 30, None), Some((-2, -20, 0.0, false)))]
    fn the_state_is_compared_with_the_ledger(
        #[case] state: (u64, u64, Option<f64>),
        #[case] ledger: (u64, u64, Option<f64>),
        #[case] expected: Option<(i128, i128, f64, bool)>,
    ) {
        let of = |(turns, tokens, cost): (u64, u64, Option<f64>)| by_actor(turns, tokens, cost);
        let difference = compare(&of(state), &of(ledger));
        assert_eq!(difference.map(|d| (d.turns, d.tokens, d.cost_usd, d.is_more())), expected);
    }
}
