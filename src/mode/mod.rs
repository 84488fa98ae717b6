//! Thin drivers over the runner: they decide whose turn it is and whether to go on, and nothing else.

mod combined;
mod pace;
mod report;
mod solo;

pub use combined::{CombinedOptions, run_combined};
pub use report::{LoopEnd, LoopReport};
pub use solo::{SoloOptions, run_solo};
