//! The built-in way: libgit2, the repository kept open.
//!
//! It runs no hook, signs nothing, and knows only git's line-ending conversions. Where git is installed the index is
//! written by it, since libgit2 does so without holding git's lock in between.

mod checkout;
mod commit;
mod content;
mod export;
mod history;
mod index;
mod introduced;
mod look;
mod needs;
mod object;
mod open;
mod references;
mod replay;
mod shared;
mod tree;

pub(super) use object::{object_id, oid};
pub(super) use open::Library;
pub(super) use shared::SharedLibrary;
