//! Pure selection of what a turn commits, and why the rest is left alone.
//!
//! `repo` scans the work tree into a [`DirtyRecord`], at the claim and again after the agent;
//! [`decide_selection`] compares the two and puts every path into exactly one place: committed in one
//! [`Category`], left alone with a [`LeftReason`], or refused with a [`RefusedReason`]. `repo` then commits the
//! [`Selection`], with the words of [`commit_message`].
//!
//! Moves, and files in the place of directories, are kept together, so that no commit on the way loses a file.
//! [`ForcedReports`] says which ignored files `repo` lists all the same.
//!
//! It never reads a file, a clock or a repository. [`secret`] recognises secrets in the bytes that it is given; the
//! `runner` gives it all that a turn would commit, before anything is committed.

mod forced;
mod message;
mod moves;
mod path;
mod record;
mod rules;
pub mod secret;
mod selection;

pub use forced::ForcedReports;
pub use message::{CommitContext, commit_message, commit_subject, list_files, turn_of_message};
pub use path::{ParseRepoPathError, RepoPath};
pub use record::{Blob, Content, DirtyPath, DirtyRecord, FileMode, ObjectId, Obstacle, ParseObjectIdError};
pub use rules::{DocsSpec, ReportsSpec, RuleError, RuleSpec, Rules, TrackedOutputsSpec, WorkSpec};
pub use selection::{
    Batch, Category, Change, LeftReason, RefusedReason, SelectedPath, Selection, decide_selection,
};
