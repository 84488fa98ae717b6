//! The local side of working with a remote: reading commits that are nowhere checked out, making commits as objects
//! only, replaying commits on another one in memory, and bringing branch, index and work tree to a commit.
//!
//! Nothing here reaches a remote; that is `remote`'s. Nothing is stashed, reset or merged in the work tree: what would be
//! in the way is found before a file is touched, and then nothing is written.

mod bring;
mod file_commit;
mod keep;
mod kill;
mod look;
mod place_files;
mod plan;
mod raw;
mod read;
mod replay;
mod settle;

#[cfg(test)]
mod tests;

use kill::kill_point;

pub use bring::Brought;
pub use file_commit::FileCommit;
pub use replay::Replayed;
