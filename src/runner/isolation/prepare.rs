//! Makes and mends the work tree, so that each kill on the way is made good by the next start.

use std::path::Path;

use crate::ambient::Ambient;
use crate::ledger::{HomeError, IsolatedPlace, IsolationRecord, Locked, Stage};
use crate::model::Actor;
use crate::repo::{Directory, EntrySeen, Link, LinkedTree, TreeSeen, WorkTrees};

use super::error::IsolationError;
use crate::runner::crash::crash_before_turns;

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
        (
            Some(stage @ (Stage::Mending | Stage::Made | Stage::Ready | Stage::Removed)),
            Directory::Present,
        ) => Some(match (&seen.entry, seen.link) {
            (EntrySeen::Missing, _) => Care::Readopt,
            (_, Link::Missing) => Care::Refill,
            _ if stage == Stage::Mending => Care::Refill,
            (EntrySeen::Present(Link::Right) | EntrySeen::Locked { .. }, Link::Right) => Care::Reuse,
            (_, Link::Right | Link::Wrong) => Care::Relink,
        }),
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

pub(super) fn linked_tree(
    place: &IsolatedPlace,
    branch: &str,
    record: Option<&IsolationRecord>,
    trees: &WorkTrees,
) -> LinkedTree {
    let tree = |entry| LinkedTree {
        common: place.common().to_owned(),
        path: place.tree(),
        branch: branch.to_owned(),
        entry,
    };
    // After a move of the repository no entry points here; the record still names ours. After `git worktree move` that
    // one is a person's.
    let known = trees.entry_of(&place.tree()).map(tree).or_else(|| {
        let recorded = tree(record?.entry.clone());
        recorded.moved_to().is_none().then_some(recorded)
    });
    known.unwrap_or_else(|| tree(trees.free_entry(&place.entry_name())))
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
pub fn refuse_gone(place: &IsolatedPlace) -> Result<(), IsolationError> {
    let trees = WorkTrees::open(place.common())?;
    let record = place.record()?;
    let branch = record.as_ref().map_or("", |record| record.branch.as_str());
    let tree = linked_tree(place, branch, record.as_ref(), &trees);
    if tree.is_linked() { Ok(()) } else { Err(IsolationError::TreeGone { path: tree.path }) }
}

/// Refuses a turn while somebody else has the branch, as with `git switch --ignore-other-worktrees`.
pub(in crate::runner) fn refuse_shared_branch(place: &IsolatedPlace) -> Result<(), IsolationError> {
    let Some(record) = place.record()? else { return Ok(()) };
    let trees = WorkTrees::open(place.common())?;
    match trees.other_holder(&linked_tree(place, &record.branch, Some(&record), &trees)) {
        Some(at) => Err(IsolationError::CheckedOut { branch: record.branch, at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const LOCKED: fn() -> EntrySeen = || EntrySeen::Locked { reason: "a person's".to_owned() };
    const WHOLE: fn() -> EntrySeen = || EntrySeen::Present(Link::Right);

    #[rstest]
    // Half-made: nobody has worked there, whatever it looks like.
    #[case(Some(Stage::Making), Directory::Present, WHOLE(), Link::Right, Some(Care::Make))]
    #[case(None, Directory::Absent, EntrySeen::Missing, Link::Missing, Some(Care::Make))]
    #[case(Some(Stage::Ready), Directory::Absent, WHOLE(), Link::Missing, Some(Care::Make))]
    #[case(Some(Stage::Ready), Directory::Present, WHOLE(), Link::Right, Some(Care::Reuse))]
    #[case(Some(Stage::Made), Directory::Present, LOCKED(), Link::Right, Some(Care::Reuse))]
    #[case(Some(Stage::Ready), Directory::Present, WHOLE(), Link::Wrong, Some(Care::Relink))]
    #[case(
        Some(Stage::Ready),
        Directory::Present,
        EntrySeen::Present(Link::Wrong),
        Link::Right,
        Some(Care::Relink)
    )]
    #[case(Some(Stage::Ready), Directory::Present, WHOLE(), Link::Missing, Some(Care::Refill))]
    #[case(Some(Stage::Mending), Directory::Present, WHOLE(), Link::Right, Some(Care::Refill))]
    #[case(Some(Stage::Mending), Directory::Present, EntrySeen::Missing, Link::Right, Some(Care::Readopt))]
    #[case(Some(Stage::Ready), Directory::Present, EntrySeen::Missing, Link::Wrong, Some(Care::Readopt))]
    // Not ours: taken where git knows it, else left alone.
    #[case(None, Directory::Present, WHOLE(), Link::Right, Some(Care::Reuse))]
    #[case(None, Directory::Present, EntrySeen::Missing, Link::Missing, None)]
    #[case(None, Directory::Present, WHOLE(), Link::Wrong, None)]
    fn care_follows_what_is_there(
        #[case] stage: Option<Stage>,
        #[case] directory: Directory,
        #[case] entry: EntrySeen,
        #[case] link: Link,
        #[case] care: Option<Care>,
    ) {
        assert_eq!(decide_care(stage, &TreeSeen { directory, link, entry }), care);
    }
}
