//! Why an isolated loop cannot have its work tree, or cannot lose it.

use std::path::PathBuf;

use crate::ledger::{HomeError, LedgerError};
use crate::model::Actor;
use crate::repo::RepoError;

/// How many paths a message names.
const NAMED_PATHS: usize = 10;

/// An isolated loop cannot have its work tree, or cannot lose it.
#[derive(Debug, thiserror::Error)]
pub enum IsolationError {
    /// No such branch.
    #[error("there is no branch `{branch}` for the turns to run on")]
    NoBranch {
        /// The branch.
        branch: String,
    },
    /// Somebody else has the branch.
    #[error(
        "the branch `{branch}` is checked out at `{}`, and git has a branch in one work tree at a time",
        at.display()
    )]
    CheckedOut {
        /// The branch.
        branch: String,
        /// Where.
        at: PathBuf,
    },
    /// Something lies where the work tree belongs.
    #[error("`{}` is in the way: the turns' work tree belongs there, and git knows of none", path.display())]
    InTheWay {
        /// What lies there.
        path: PathBuf,
    },
    /// A person has locked git's entry of a work tree that is not there.
    #[error("the turns' work tree `{}` is gone, and its entry in git is locked{}", path.display(), because(.reason))]
    EntryLocked {
        /// The work tree.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Files of the branch need a program.
    #[error(
        "files of the branch `{branch}` go through the filter `{filter}`, which the built-in git does not run"
    )]
    Filter {
        /// The branch.
        branch: String,
        /// The filter's name.
        filter: String,
        /// Where the tree belongs.
        path: PathBuf,
    },
    /// The tree vanished while a turn ran in it.
    #[error("the turns' work tree `{}` is gone, or no longer linked to its repository", path.display())]
    TreeGone {
        /// The work tree.
        path: PathBuf,
    },
    /// Nothing is known of a loop on this branch.
    #[error("there is no isolated loop on `{branch}`")]
    NoLoop {
        /// The branch.
        branch: String,
    },
    /// A turn has not ended.
    #[error("{actor}'s turn of iteration {iteration} has not ended")]
    OpenTurn {
        /// Whose.
        actor: Actor,
        /// Its iteration.
        iteration: u64,
    },
    /// It holds what is nowhere else.
    #[error("`{}` holds what is not committed: {}", path.display(), named(.paths))]
    Uncommitted {
        /// The work tree.
        path: PathBuf,
        /// What.
        paths: Vec<String>,
    },
    /// It holds ignored files.
    #[error("`{}` holds ignored files: {}", path.display(), named(.paths))]
    Ignored {
        /// The work tree.
        path: PathBuf,
        /// What.
        paths: Vec<String>,
    },
    /// It holds repositories of their own.
    #[error("`{}` holds a repository of its own: {}", path.display(), named(.paths))]
    Nested {
        /// The work tree.
        path: PathBuf,
        /// Submodules that have been checked out, nested repositories.
        paths: Vec<String>,
    },
    /// The repository.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The records.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The file system.
    #[error("failed to move `{}`", path.display())]
    Move {
        /// What.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

fn named(paths: &[String]) -> String {
    let shown = paths[..paths.len().min(NAMED_PATHS)].join(", ");
    match paths.len().saturating_sub(NAMED_PATHS) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
