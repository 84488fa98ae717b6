//! Budgets are arithmetic: what was spent against what is allowed.

use std::fmt;
use std::time::Duration;

use crate::model::{Span, Usage};

/// What may be spent; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Allowance {
    /// Turns.
    pub turns: Option<u64>,
    /// Wall time.
    pub wall: Option<Duration>,
    /// Tokens of both directions.
    pub tokens: Option<u64>,
    /// US dollars.
    pub cost_usd: Option<f64>,
}

/// What was spent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    /// What the agents reported.
    pub usage: Usage,
    /// Wall time: of this run, or of all turns.
    pub wall: Duration,
}

/// A budget that is used up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Exceeded {
    /// Turns.
    Turns {
        /// Spent.
        spent: u64,
        /// Allowed.
        allowed: u64,
    },
    /// Wall time.
    Wall {
        /// Spent.
        spent: Duration,
        /// Allowed.
        allowed: Duration,
    },
    /// Tokens.
    Tokens {
        /// Spent.
        spent: u64,
        /// Allowed.
        allowed: u64,
    },
    /// US dollars.
    Cost {
        /// Spent.
        spent: f64,
        /// Allowed.
        allowed: f64,
    },
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turns { spent, allowed } => write!(f, "{spent} of {allowed} turns are used"),
            Self::Wall { spent, allowed } => {
                write!(f, "{} of {} wall time is used", Span(whole_seconds(*spent)), Span(*allowed))
            }
            Self::Tokens { spent, allowed } => write!(f, "{spent} of {allowed} tokens are used"),
            Self::Cost { spent, allowed } => write!(f, "{spent:.2} of {allowed:.2} US dollars are used"),
        }
    }
}

const fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

/// The first budget that leaves no room for another turn.
pub fn decide_budget(allowed: &Allowance, spent: &Spent) -> Option<Exceeded> {
    let turns = allowed.turns.filter(|allowed| spent.usage.turns >= *allowed);
    let wall = allowed.wall.filter(|allowed| spent.wall >= *allowed);
    let tokens = allowed.tokens.filter(|allowed| spent.usage.tokens() >= *allowed);
    let cost = allowed.cost_usd.zip(spent.usage.cost_usd).filter(|(allowed, spent)| spent >= allowed);
    turns
        .map(|allowed| Exceeded::Turns { spent: spent.usage.turns, allowed })
        .or_else(|| wall.map(|allowed| Exceeded::Wall { spent: spent.wall, allowed }))
        .or_else(|| tokens.map(|allowed| Exceeded::Tokens { spent: spent.usage.tokens(), allowed }))
        .or_else(|| cost.map(|(allowed, spent)| Exceeded::Cost { spent, allowed }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn spent(turns: u64, wall: u64, tokens: u64, cost_usd: Option<f64>) -> Spent {
        let usage = Usage { turns, input_tokens: tokens, cost_usd, ..Usage::default() };
        Spent { usage, wall: Duration::from_secs(wall) }
    }

    #[rstest]
    #[case(spent(2, 0, 0, None), None)]
    #[case(spent(3, 0, 0, None), Some("3 of 3 turns are used"))]
    #[case(spent(0, 7200, 0, None), Some("2h of 1h wall time is used"))]
    #[case(spent(0, 0, 1500, None), Some("1500 of 1000 tokens are used"))]
    #[case(spent(0, 0, 0, Some(2.5)), Some("2.50 of 2.00 US dollars are used"))]
    #[case(spent(0, 0, 0, Some(1.99)), None)]
    fn a_budget_ends_when_it_is_used_up(#[case] spent: Spent, #[case] expected: Option<&str>) {
        let allowed = Allowance {
            turns: Some(3),
            wall: Some(Duration::from_hours(1)),
            tokens: Some(1000),
            cost_usd: Some(2.0),
        };
        assert_eq!(decide_budget(&allowed, &spent).map(|e| e.to_string()).as_deref(), expected);
    }

    #[test]
    fn without_a_budget_nothing_ends() {
        assert_eq!(decide_budget(&Allowance::default(), &spent(9999, 9999, 9999, Some(9999.0))), None);
    }
}
