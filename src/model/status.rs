//! The six status words of the state file.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Actor;

/// Where the pair stands. The words are fixed by the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nothing has happened yet.
    Idle,
    /// The supervisor's turn is under way.
    RunningGalph,
    /// The supervisor has passed the baton to the engineer.
    WaitingRalph,
    /// The engineer's turn is under way.
    RunningRalph,
    /// The engineer has passed the baton back; the iteration is finished.
    Complete,
    /// The last turn failed; `expected_actor` says whose it was.
    Failed,
}

impl Status {
    /// Every status, in the order of the protocol page.
    pub const ALL: [Self; 6] = [
        Self::Idle,
        Self::RunningGalph,
        Self::WaitingRalph,
        Self::RunningRalph,
        Self::Complete,
        Self::Failed,
    ];

    /// The word in the state file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::RunningGalph => "running-galph",
            Self::WaitingRalph => "waiting-ralph",
            Self::RunningRalph => "running-ralph",
            Self::Complete => "complete",
            Self::Failed => "failed",
        }
    }

    /// The status of a turn under way in this seat.
    #[must_use]
    pub const fn running(actor: Actor) -> Self {
        match actor {
            Actor::Galph => Self::RunningGalph,
            Actor::Ralph => Self::RunningRalph,
        }
    }

    /// The seat whose turn is under way, if one is.
    pub const fn runner(self) -> Option<Actor> {
        match self {
            Self::RunningGalph => Some(Actor::Galph),
            Self::RunningRalph => Some(Actor::Ralph),
            Self::Idle | Self::WaitingRalph | Self::Complete | Self::Failed => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
