//! The installed git.
//!
//! One process a primitive, none kept running. It never reads or writes the user's index for a commit: trees are made
//! in an index of our own.

mod checkout;
mod commit;
mod export;
mod history;
mod hooks;
mod index;
mod installed;
mod introduced;
mod look;
mod open;
mod references;
mod replay;
mod run;
mod scratch;
mod shared;

pub(super) use look::Scan;
pub(super) use open::Installed;
pub(super) use run::{Call, Finished, GitProgram};
pub(super) use shared::SharedProgram;
