//! What turns cost.

use serde::{Deserialize, Serialize};

/// A sum over turns. Token counts and cost are what agents reported; nothing is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Turns that count (interrupted, limited and overloaded ones do not).
    pub turns: u64,
    /// Seconds that agents ran, with millisecond precision.
    pub wall_seconds: f64,
    /// Input tokens, cached ones included.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Input tokens that were served from a cache.
    pub cached_tokens: u64,
    /// US dollars; `None` while no agent has reported a cost.
    pub cost_usd: Option<f64>,
}

impl Usage {
    /// The sum of two accounts. An unknown cost adds nothing and hides nothing that is known.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            turns: self.turns.saturating_add(other.turns),
            wall_seconds: round_to_millis(self.wall_seconds + other.wall_seconds),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            cost_usd: match (self.cost_usd, other.cost_usd) {
                (None, None) => None,
                (mine, theirs) => Some(mine.unwrap_or(0.0) + theirs.unwrap_or(0.0)),
            },
        }
    }

    /// Tokens of both directions.
    pub const fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

fn round_to_millis(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
