//! The work tree of an isolated loop: made, mended and removed. See `docs/isolation.md`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::ambient::Ambient;
use crate::ledger::{HomeError, IsolatedPlace, IsolationRecord, Ledger, LedgerError, Lock, Locked, Stage};
use crate::model::Actor;
use crate::repo::{Directory, EntrySeen, Link, LinkedTree, RepoError, TreeSeen, WorkTrees};

use super::crash::crash_before_turns;

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
    #[error("files of the branch `{branch}` go through the filter `{filter}`, which the built-in git does not run")]
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

/// What a work tree needs before turns can be taken in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// It is as it should be.
    Reuse,
    /// It is made; what may be there of it is nobody's.
    Make,
    /// The pointers between it and git are written anew.
    Relink,
    /// The pointers are written anew, and files that are missing are put back.
    Refill,
    /// Git has forgotten it: it gets a new entry, and files that are missing are put back.
    Readopt,
}

/// A work tree that turns may be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsolatedTree {
    /// Its place.
    pub place: IsolatedPlace,
    /// What had to be done for it.
    pub care: Care,
}

/// Decides what a work tree needs. `None`: it is not for us to touch.
pub fn decide_care(stage: Option<Stage>, seen: &TreeSeen) -> Option<Care> {
    match (stage, seen.directory) {
        (Some(Stage::Making), _) | (_, Directory::Absent) => Some(Care::Make),
        (Some(stage @ (Stage::Mending | Stage::Made | Stage::Ready | Stage::Removed)), Directory::Present) => {
            Some(match (&seen.entry, seen.link) {
                (EntrySeen::Missing, _) => Care::Readopt,
                (_, Link::Missing) => Care::Refill,
                _ if stage == Stage::Mending => Care::Refill,
                (EntrySeen::Present(Link::Right) | EntrySeen::Locked { .. }, Link::Right) => Care::Reuse,
                (_, Link::Right | Link::Wrong) => Care::Relink,
            })
        }
        // A person's own `git worktree add` at this place is as good as ours.
        (None, Directory::Present) => {
            let linked = seen.link == Link::Right && seen.entry != EntrySeen::Missing;
            linked.then_some(Care::Reuse)
        }
    }
}

/// Sees to it that the branch has its work tree, whatever became of an earlier one.
pub fn prepare_tree(common: &Path, branch: &str, ambient: &Ambient) -> Result<IsolatedTree, IsolationError> {
    let place = IsolatedPlace::of_branch(common, branch);
    let trees = WorkTrees::open(common)?;
    if !trees.has_branch(branch)? {
        return Err(IsolationError::NoBranch { branch: branch.to_owned() });
    }
    if let Some(at) = trees.other_holder(&linked_tree(&place, branch, place.record()?.as_ref(), &trees)) {
        return Err(IsolationError::CheckedOut { branch: branch.to_owned(), at });
    }
    let _lock = place.lock()?;
    let record = place.record()?;
    let tree = linked_tree(&place, branch, record.as_ref(), &trees);
    let seen = tree.look();
    let Some(care) = decide_care(record.as_ref().map(|record| record.stage), &seen) else {
        return Err(IsolationError::InTheWay { path: tree.path });
    };
    let write = |stage| {
        let (branch, entry) = (branch.to_owned(), tree.entry.clone());
        place.write_record(&IsolationRecord { branch, entry, stage })
    };
    if care != Care::Reuse {
        refuse_seats_taken(&place)?;
    }
    let at = |point: &str| crash_before_turns(ambient, point);
    match care {
        Care::Reuse => {
            if record.is_none_or(|record| record.stage == Stage::Removed) {
                write(Stage::Made)?;
            }
        }
        Care::Make => {
            refuse_unmakable(&trees, &tree, seen)?;
            write(Stage::Making)?;
            at("tree:begin");
            tree.remove_files()?;
            tree.register()?;
            at("tree:registered");
            tree.join()?;
            at("tree:joined");
            tree.check_out(ambient)?;
            at("tree:files");
            write(Stage::Made)?;
            at("tree:done");
        }
        Care::Relink => {
            tree.join()?;
            tree.open(ambient)?;
        }
        Care::Refill | Care::Readopt => {
            write(Stage::Mending)?;
            at("tree:begin");
            if care == Care::Readopt {
                tree.register()?;
                at("tree:registered");
            }
            tree.join()?;
            at("tree:joined");
            tree.restore_missing(ambient)?;
            at("tree:files");
            write(Stage::Made)?;
            at("tree:done");
        }
    }
    Ok(IsolatedTree { place, care })
}

fn linked_tree(
    place: &IsolatedPlace,
    branch: &str,
    record: Option<&IsolationRecord>,
    trees: &WorkTrees,
) -> LinkedTree {
    let path = place.tree();
    // After a move of the repository no entry points here; the record still names ours.
    let known = trees.entry_of(&path).or_else(|| record.map(|record| record.entry.clone()));
    LinkedTree {
        common: place.common().to_owned(),
        entry: known.unwrap_or_else(|| trees.free_entry(&place.entry_name())),
        branch: branch.to_owned(),
        path,
    }
}

fn refuse_unmakable(trees: &WorkTrees, tree: &LinkedTree, seen: TreeSeen) -> Result<(), IsolationError> {
    if let EntrySeen::Locked { reason } = seen.entry {
        return Err(IsolationError::EntryLocked { path: tree.path.clone(), reason });
    }
    if let Some(filter) = trees.filter_of(&tree.branch)? {
        let (branch, path) = (tree.branch.clone(), tree.path.clone());
        return Err(IsolationError::Filter { branch, filter, path });
    }
    Ok(())
}

/// While somebody takes turns in it, nobody mends it.
fn refuse_seats_taken(place: &IsolatedPlace) -> Result<(), HomeError> {
    let home = place.home();
    for seat in Actor::ALL {
        if home.seat_is_taken(seat) == Locked::Yes {
            return Err(HomeError::Busy { path: place.tree(), owner: home.seat_owner(seat) });
        }
    }
    Ok(())
}

/// Refuses to go on where the tree is not linked any more: everything in it would count as deleted.
pub(super) fn refuse_gone(place: &IsolatedPlace) -> Result<(), IsolationError> {
    let trees = WorkTrees::open(place.common())?;
    let record = place.record()?;
    let branch = record.as_ref().map_or("", |record| record.branch.as_str());
    let tree = linked_tree(place, branch, record.as_ref(), &trees);
    if tree.is_linked() { Ok(()) } else { Err(IsolationError::TreeGone { path: tree.path }) }
}

/// Refuses a turn while somebody else has the branch, as with `git switch --ignore-other-worktrees`.
pub(super) fn refuse_shared_branch(place: &IsolatedPlace) -> Result<(), IsolationError> {
    let Some(record) = place.record()? else { return Ok(()) };
    let trees = WorkTrees::open(place.common())?;
    match trees.other_holder(&linked_tree(place, &record.branch, Some(&record), &trees)) {
        Some(at) => Err(IsolationError::CheckedOut { branch: record.branch, at }),
        None => Ok(()),
    }
}

/// What may go with a work tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredFiles {
    /// They keep it from being removed.
    Keep,
    /// They are removed with it.
    Discard,
}

/// Removes the work tree of a branch's loop, if it holds nothing that is nowhere else. Records, state and logs stay.
///
/// `own`: what baton itself writes, relative to the tree: the state file's directory of uncommitted state, and the logs,
/// which are moved to the records.
pub fn remove_tree(
    place: &IsolatedPlace,
    own: &OwnFiles,
    ignored: IgnoredFiles,
    ambient: &Ambient,
) -> Result<(), IsolationError> {
    let _lock = place.lock()?;
    let home = place.home();
    let mut locks = Vec::new();
    for seat in Actor::ALL {
        locks.push(home.lock_seat(seat, ambient)?);
    }
    let Some(record) = place.record()? else {
        return Err(IsolationError::NoLoop { branch: String::new() });
    };
    if let Some(ledger) = Ledger::open_read_only(&home.ledger())?
        && let Some(open) = ledger.open_turns()?.into_iter().next()
    {
        return Err(IsolationError::OpenTurn {
            actor: open.opening.actor,
            iteration: open.opening.iteration,
        });
    }
    let trees = WorkTrees::open(place.common())?;
    let tree = linked_tree(place, &record.branch, Some(&record), &trees);
    let seen = tree.look();
    if seen.directory == Directory::Present && record.stage != Stage::Making {
        locks.push(Lock::on_work_tree(&tree.path)?);
        refuse_losses(&tree, own, ignored, &seen, ambient)?;
        keep_logs(place, &tree.path.join(&own.logs_dir))?;
    }
    crash_before_turns(ambient, "tree:unused");
    // From here on what is left of it is of no interest to anybody, and the next start removes it.
    place.write_record(&IsolationRecord { stage: Stage::Making, ..record.clone() })?;
    crash_before_turns(ambient, "tree:removing");
    tree.remove_files()?;
    crash_before_turns(ambient, "tree:removed");
    tree.unregister()?;
    place.write_record(&IsolationRecord { stage: Stage::Removed, ..record })?;
    Ok(())
}

/// What baton writes into a work tree, relative to its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFiles {
    /// The state file.
    pub state_file: PathBuf,
    /// The logs.
    pub logs_dir: PathBuf,
}

fn refuse_losses(
    tree: &LinkedTree,
    own: &OwnFiles,
    ignored: IgnoredFiles,
    seen: &TreeSeen,
    ambient: &Ambient,
) -> Result<(), IsolationError> {
    if seen.link != Link::Right {
        return Err(IsolationError::TreeGone { path: tree.path.clone() });
    }
    let contents = tree.contents_beside_branch(ambient)?;
    let is_own = |path: &String| {
        let path = Path::new(path.trim_end_matches('/'));
        path.starts_with(&own.logs_dir) || path == own.state_file || is_side_file(path, &own.state_file)
    };
    let others = |paths: Vec<String>| paths.into_iter().filter(|path| !is_own(path)).collect::<Vec<_>>();
    let path = || tree.path.clone();
    let nested = contents.nested;
    if !nested.is_empty() {
        return Err(IsolationError::Nested { path: path(), paths: nested });
    }
    let uncommitted = others(contents.uncommitted);
    if !uncommitted.is_empty() {
        return Err(IsolationError::Uncommitted { path: path(), paths: uncommitted });
    }
    let left = others(contents.ignored);
    if ignored == IgnoredFiles::Keep && !left.is_empty() {
        return Err(IsolationError::Ignored { path: path(), paths: left });
    }
    Ok(())
}

/// `state.json.tmp` beside `state.json`.
fn is_side_file(path: &Path, state_file: &Path) -> bool {
    path.parent() == state_file.parent() && path.with_extension("") == *state_file
}

/// Moves the logs to the records; those of several trees lie beside each other.
fn keep_logs(place: &IsolatedPlace, logs: &Path) -> Result<(), IsolationError> {
    if logs.is_dir() { move_into(logs, &place.kept_logs()) } else { Ok(()) }
}

/// Moves kept logs into a tree that was made anew.
pub(super) fn return_logs(place: &IsolatedPlace, logs: &Path) -> Result<(), IsolationError> {
    let kept = place.kept_logs();
    if kept.is_dir() { move_into(&kept, logs) } else { Ok(()) }
}

/// Each file that is not there yet; a crash between two leaves the rest for the next time.
fn move_into(from: &Path, to: &Path) -> Result<(), IsolationError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| IsolationError::Move { path, source }
    };
    fs::create_dir_all(to).map_err(failed(to))?;
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() && target.is_dir() {
            move_into(&entry.path(), &target)?;
        } else if target.symlink_metadata().is_err() {
            fs::rename(entry.path(), &target).map_err(failed(&entry.path()))?;
        }
    }
    // Gone, unless a file of the same name had to stay.
    let _ = fs::remove_dir(from);
    Ok(())
}
