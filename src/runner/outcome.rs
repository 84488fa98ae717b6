//! What a mode learns of a turn.

use std::time::Duration;

use crate::attempt::InterruptSignal;
use crate::model::{Actor, OutcomeClass, TurnId, Usage, Verdict};

use super::journal::{Cause, Completion};

/// The mode in which both seats pass the baton to each other, as the journal names it.
pub const COMBINED: &str = "combined";
/// The mode in which this machine plays one seat and another one the other.
pub const ROLE: &str = "role";
/// The mode in which one seat's prompt runs by itself.
pub const SOLO: &str = "solo";

/// The command that goes on with a seat's turn, begun in this mode.
pub fn run_command(mode: &str, actor: Actor) -> String {
    match mode {
        ROLE | SOLO => format!("baton run --mode {mode} --role {actor}"),
        _ => "baton run".to_owned(),
    }
}

/// A turn that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnOutcome {
    /// The turn.
    pub turn: TurnId,
    /// Whose it was.
    pub actor: Actor,
    /// The mode in which it was begun, by this process or an earlier one.
    pub mode: String,
    /// The iteration; in solo mode the count of the run.
    pub iteration: u64,
    /// The prompt, if one was selected.
    pub prompt: Option<String>,
    /// The agent, if one was asked.
    pub agent: Option<String>,
    /// How it ended.
    pub end: TurnEnd,
    /// What it cost.
    pub usage: Usage,
    /// How long the agent ran.
    pub wall: Duration,
    /// The commits it made, as `short subject`.
    pub commits: Vec<String>,
    /// What became of a promise of completion, where galph made one.
    pub completion: Option<Completion>,
    /// Why the loop must stop, where turns go round in circles.
    pub stalemate: Option<String>,
    /// The summary, relative to the workspace.
    pub summary: Option<String>,
}

impl TurnOutcome {
    /// Whether the turn passed the baton on.
    pub fn passed(&self) -> bool {
        matches!(&self.end, TurnEnd::Closed { class, .. } if class.verdict() == Verdict::Pass)
    }
}

/// How a turn ended for this process.
#[derive(Debug, Clone, PartialEq)]
pub enum TurnEnd {
    /// It is over.
    Closed {
        /// Its class.
        class: OutcomeClass,
        /// Why, in words; empty for a plain success.
        detail: String,
        /// Where the class comes from.
        cause: Cause,
    },
    /// Its claim never happened: nothing was done, and the turn can be taken.
    Void,
    /// A signal stopped this process after the agent had finished; the journal waits, and the next start goes on.
    Suspended {
        /// The signal.
        signal: InterruptSignal,
    },
}
