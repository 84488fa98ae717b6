//! Removes a work tree that holds nothing that is nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

use crate::ambient::Ambient;
use crate::ledger::{IsolatedPlace, IsolationRecord, Ledger, Lock, Stage};
use crate::model::Actor;
use crate::repo::{Directory, Link, LinkedTree, TreeSeen, WorkTrees};

use super::error::IsolationError;
use super::prepare::linked_tree;
use crate::runner::crash::crash_before_turns;

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
/// What baton itself wrote there does not count: the state has its copy, and the logs are moved to the records.
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
pub(in crate::runner) fn return_logs(place: &IsolatedPlace, logs: &Path) -> Result<(), IsolationError> {
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
