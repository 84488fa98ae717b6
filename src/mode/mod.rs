//! Thin drivers over the runner: they decide whose turn it is and whether to go on, and nothing else.

mod combined;
mod pace;
mod report;
mod role;
mod solo;
mod tick;
mod ticks;
mod waiting;

pub use combined::{CombinedOptions, run_combined};
pub use report::{LoopEnd, LoopReport};
pub use role::{Narration, RoleOptions, run_role};
pub use solo::{SoloOptions, run_solo};
pub use tick::{FailedTurn, Idle, TickEnd, TickOptions, TickReport, run_tick};
pub use ticks::{TickFile, TickRecord, Ticked};
pub use waiting::in_words;
