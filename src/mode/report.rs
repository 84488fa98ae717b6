//! How a loop ended, and what it did.

use std::time::Duration;

use crate::attempt::InterruptSignal;
use crate::model::{Actor, Hold, OutcomeClass, TurnFailure};
use crate::runner::{Cause, TurnOutcome};
use crate::turn::Exceeded;

/// Why a loop is over.
#[derive(Debug, Clone, PartialEq)]
pub enum LoopEnd {
    /// All iterations that were asked for are done.
    Finished,
    /// Galph's promise of completion stands, with this evidence.
    Completed(String),
    /// The state asks both sides to stop.
    Exit(String),
    /// Holds stand that a person must clear, or that last longer than we wait.
    Held(Vec<Hold>),
    /// Turns go round in circles, in a mode without holds.
    Stalemate(String),
    /// A budget is used up.
    BudgetSpent(Exceeded),
    /// A turn failed.
    TurnFailed {
        /// Its class.
        class: OutcomeClass,
        /// Why.
        detail: String,
        /// Where the class comes from.
        cause: Cause,
        /// The agent, if one was asked.
        agent: Option<String>,
    },
    /// The other side's turn failed.
    OtherFailed {
        /// Whose it was.
        actor: Actor,
        /// In which iteration.
        iteration: u64,
        /// What its machine says of it.
        failure: Option<TurnFailure>,
    },
    /// This seat's own last turn failed, and nobody asked to take it again.
    LastFailed {
        /// The seat.
        actor: Actor,
        /// In which iteration.
        iteration: u64,
        /// What its machine says of it.
        failure: Option<TurnFailure>,
    },
    /// A signal stopped this process.
    Interrupted(InterruptSignal),
    /// Somebody stopped the attempt, not us.
    AttemptStopped(String),
}

/// A loop that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct LoopReport {
    /// Why it is over.
    pub end: LoopEnd,
    /// The turns that this process took or went on with, in order.
    pub turns: Vec<TurnOutcome>,
    /// Iterations that were finished.
    pub iterations: u64,
    /// How long it waited for holds to end.
    pub waited: Duration,
}
