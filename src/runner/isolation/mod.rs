//! The work tree of an isolated loop: made, mended and removed. See `docs/isolation.md`.

mod error;
mod prepare;
mod remove;

pub use error::IsolationError;
pub(super) use prepare::refuse_shared_branch;
pub use prepare::{Care, IsolatedTree, decide_care, prepare_tree, refuse_gone};
pub(super) use remove::return_logs;
pub use remove::{IgnoredFiles, OwnFiles, remove_tree};
