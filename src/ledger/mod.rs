//! The local record: turns and their journal, in SQLite, durable before anything is done about it.
//!
//! The ledger and everything beside it lie in the workspace's [`Home`], out of reach of `git clean`. It stores and
//! finds; what a record means, `turn` and `runner` decide.

mod home;
mod isolated;
mod look;
mod schema;
mod store;
#[cfg(test)]
mod testing;

pub use home::{Home, HomeError, Lock, Locked};
pub use isolated::{IsolatedPlace, IsolationRecord, Stage, TreeLock};
pub use store::{Closing, Edge, Entry, Ledger, LedgerError, PhaseRecord, Turn, TurnFilter, TurnOpening};
