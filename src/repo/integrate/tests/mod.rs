//! The local side of working with a remote, over both ways to work with git.

mod bring;
pub(super) mod kill;
mod read;
mod replay;
