//! Linked work trees. No entry of git's but our own is ever written.

mod linked;
mod overview;

pub use linked::{Contents, Directory, EntrySeen, Link, LinkedTree, TreeSeen};
pub use overview::WorkTrees;
