//! A peer of the earlier implementation writes nine fields and drops all others. What it dropped is put back here.

use serde::{Deserialize, Serialize};

use crate::model::{Hold, State, Usage, UsageByActor};

/// What the newest state that had all its fields said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// The fencing counter.
    pub epoch: u64,
    /// Spend.
    pub usage: UsageByActor,
    /// Holds, ended ones included.
    pub holds: Vec<Hold>,
    /// Turns in a row that were interrupted.
    pub interruptions: u32,
}

impl Remembered {
    /// What this state says.
    #[must_use]
    pub fn of(state: &State) -> Self {
        Self {
            epoch: state.epoch,
            usage: state.usage,
            holds: state.holds.clone(),
            interruptions: state.interruptions,
        }
    }

    /// This, with counters no lower than these: what only grows is taken from wherever it has grown most.
    #[must_use]
    pub fn at_least(self, epoch: u64, usage: UsageByActor) -> Self {
        let usage = UsageByActor {
            galph: larger(self.usage.galph, usage.galph),
            ralph: larger(self.usage.ralph, usage.ralph),
        };
        Self { epoch: self.epoch.max(epoch), usage, ..self }
    }
}

/// The state with what a peer of nine fields dropped: to be done before anything is decided or applied. `remembered` is
/// what the newest state in the history with all its fields said, and the ledger's counters where they are higher.
/// Every other state is as it was. The token stays away: the peer has taken the turn from whoever had it.
#[must_use]
pub fn restore_forgotten(found: &State, remembered: &Remembered) -> State {
    if found.schema_version != 0 {
        return found.clone();
    }
    let kept = remembered.clone().at_least(found.epoch, found.usage);
    let mut holds = found.holds.clone();
    holds.extend(kept.holds.into_iter().filter(|kept| !found.holds.iter().any(|hold| hold.id == kept.id)));
    State {
        epoch: kept.epoch,
        usage: kept.usage,
        holds,
        interruptions: found.interruptions.max(kept.interruptions),
        ..found.clone()
    }
}

fn larger(one: Usage, other: Usage) -> Usage {
    Usage {
        turns: one.turns.max(other.turns),
        wall_seconds: one.wall_seconds.max(other.wall_seconds),
        input_tokens: one.input_tokens.max(other.input_tokens),
        output_tokens: one.output_tokens.max(other.output_tokens),
        cached_tokens: one.cached_tokens.max(other.cached_tokens),
        cost_usd: match (one.cost_usd, other.cost_usd) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        },
    }
}
