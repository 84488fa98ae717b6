//! Pure selection of what a turn commits, and why the rest is left alone.
//!
//! `repo` scans the work tree into a [`DirtyRecord`], at the claim and again after the agent;
//! [`decide_selection`] compares the two and puts every path into exactly one place: committed in one
//! [`Category`], left alone with a [`LeftReason`], or refused with a [`RefusedReason`]. `repo` then commits the
//! [`Selection`], with the words of [`commit_message`].
//!
//! It never reads a file, a clock or a repository, and it never looks inside a file: the secret scan will be
//! its own module here, taking a [`Selection`] and the blobs that it names and moving paths to `refused` before
//! anything is committed. Until it exists nothing claims that contents were looked at.

mod message;
mod path;
mod record;
mod rules;
mod selection;

pub use message::{CommitContext, commit_message, turn_of_message, with_turn};
pub use path::{ParseRepoPathError, RepoPath};
pub use record::{Blob, Content, DirtyPath, DirtyRecord, FileMode, ObjectId, Obstacle, ParseObjectIdError};
pub use rules::{DocsSpec, ReportsSpec, RuleError, RuleSpec, Rules, TrackedOutputsSpec, WorkSpec};
pub use selection::{
    Batch, Category, Change, LeftReason, RefusedReason, SelectedPath, Selection, decide_selection,
};
