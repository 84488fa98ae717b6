//! The installed git.
//!
//! One process a primitive, none kept running. It never reads or writes the user's index for a commit: trees are made
//! in an index of our own.

mod index;
mod run;

pub(super) use run::{GitFailure, GitProgram};
