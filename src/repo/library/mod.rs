//! The built-in way: libgit2, the repository kept open.
//!
//! It runs no hook, signs nothing, and knows only git's line-ending conversions. Where git is installed, it writes an
//! index that is out of the ordinary, and tells what has changed among very many files.

mod attributes;
mod branch;
mod cache_tree;
mod checkout;
mod commit;
mod content;
mod export;
mod history;
mod index;
mod index_file;
mod introduced;
mod light;
mod look;
mod needs;
mod object;
mod open;
mod references;
mod reflog;
mod replay;
mod resolve_undo;
mod shared;
mod splice;
mod staged;
mod suspects;
mod tree;

pub(super) use introduced::objects_since;
pub(super) use light::name_lightly;
pub(super) use object::{object_id, oid};
pub(super) use open::{Library, Scans, configuration};
pub(super) use shared::SharedLibrary;
