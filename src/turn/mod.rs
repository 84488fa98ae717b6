//! The turn machine: which changes of the state are legal, which phase of a turn comes next, when to stop.
//!
//! Pure: no I/O, no clock, no randomness; every function takes what it needs and returns a decision.
//! `state` reads and writes the file, `ledger` keeps the journal, `runner` carries the decisions out.

mod budget;
mod completion;
mod input;
mod phase;
mod progress;
pub mod sync;
mod transition;

pub use budget::{Allowance, Exceeded, Spent, decide_budget};
pub use completion::{Evidence, RefusedPromise, count_unticked, decide_completion};
pub use input::{Blocked, ByHand, Claim, Failed, Input, OverRunning, Refusal, Stamp, StampOutcome};
pub use phase::{Facts, Features, Next, Phase, decide_next};
pub use progress::{Stalemate, decide_no_progress};
pub use transition::{apply, decide_blocked, restore_tampered, status_before};
