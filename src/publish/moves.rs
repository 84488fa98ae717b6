//! Paths that hang together: the two ends of a rename, and what takes the place of what.
//!
//! Each category is a commit of its own, so that two paths of one move may end in two commits, or one of them in none.
//! What is here sees to it that no commit on the way loses a file and that none changes a path that it does not list.

use std::collections::{BTreeMap, BTreeSet};

use super::path::RepoPath;
use super::record::{Blob, Content, DirtyRecord, FileMode, ObjectId};
use super::selection::{Category, LeftReason, SelectedPath};

/// The empty file, in both of git's object formats: too common to say anything about a move.
const EMPTY: [&str; 2] = [
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
];

/// What makes two versions the same file at two paths: the content, and whether it is a link. The executable bit may
/// change on the way.
type Identity<'a> = (&'a ObjectId, bool);

fn identity(blob: &Blob) -> Option<Identity<'_>> {
    let is_named = !EMPTY.contains(&blob.id.as_str()) && blob.mode != FileMode::Submodule;
    is_named.then_some((&blob.id, blob.mode == FileMode::Symlink))
}

/// New path to old path, each used once, in byte order; empty files are not worth the name.
pub(super) fn pair_renames(
    paths: &BTreeMap<RepoPath, SelectedPath>,
) -> BTreeMap<&RepoPath, &RepoPath> {
    let mut gone: BTreeMap<Identity<'_>, Vec<&RepoPath>> = BTreeMap::new();
    for (path, selected) in paths.iter().rev() {
        if let Some(identity) = deleted(selected) {
            gone.entry(identity).or_default().push(path);
        }
    }
    let mut renames = BTreeMap::new();
    for (path, selected) in paths.iter().filter(|(_, selected)| selected.head.is_none()) {
        if let Some(old) = stored(selected).and_then(|identity| gone.get_mut(&identity)).and_then(Vec::pop) {
            renames.insert(path, old);
        }
    }
    renames
}

fn deleted(selected: &SelectedPath) -> Option<Identity<'_>> {
    match (&selected.content, &selected.head) {
        (None, Some(head)) => identity(head),
        _ => None,
    }
}

fn stored(selected: &SelectedPath) -> Option<Identity<'_>> {
    selected.content.as_ref().and_then(identity)
}

/// A selection on its way: every path of the work tree now, in one of the two.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) chosen: BTreeMap<RepoPath, (Category, SelectedPath)>,
    pub(super) left: BTreeMap<RepoPath, LeftReason>,
}

impl Draft {
    /// Leaves out what cannot be committed without changing a path that is left alone, then puts deletions into the
    /// commits where they belong.
    pub(super) fn settle(&mut self, now: &DirtyRecord) {
        while self.leave_blocked(now) || self.leave_moved(now) {}
        self.join_deletions();
    }

    /// A new path whose tree entry would displace one of HEAD that is not ours to delete.
    fn leave_blocked(&mut self, now: &DirtyRecord) -> bool {
        let kept: BTreeSet<&RepoPath> = now
            .iter()
            .filter(|(path, dirty)| dirty.head.is_some() && !self.chosen.contains_key(path))
            .map(|(path, _)| path)
            .collect();
        let blocked: Vec<(RepoPath, RepoPath)> = self
            .chosen
            .iter()
            .filter(|(_, (_, selected))| selected.content.is_some() && selected.head.is_none())
            .filter_map(|(path, _)| Some((path.clone(), in_the_way(path, &kept)?.clone())))
            .collect();
        let any = !blocked.is_empty();
        for (path, other) in blocked {
            self.leave(path, LeftReason::InPlaceOf(other));
        }
        any
    }

    /// A deletion whose file lives on at a path that is left alone: committed, it would lose the file for everyone else.
    fn leave_moved(&mut self, now: &DirtyRecord) -> bool {
        let kept: BTreeSet<Identity<'_>> =
            self.chosen.values().filter_map(|(_, selected)| stored(selected)).collect();
        let mut homeless: BTreeMap<Identity<'_>, &RepoPath> = BTreeMap::new();
        for (path, _) in self.left.iter().filter(|(_, reason)| reason.is_outside_categories()) {
            let Some(dirty) = now.get(path).filter(|dirty| dirty.head.is_none()) else { continue };
            let Content::File(blob) = &dirty.content else { continue };
            if let Some(identity) = identity(blob).filter(|identity| !kept.contains(identity)) {
                homeless.entry(identity).or_insert(path);
            }
        }
        let moved: Vec<(RepoPath, RepoPath)> = self
            .chosen
            .iter()
            .filter_map(|(path, (_, selected))| Some((path.clone(), (*homeless.get(&deleted(selected)?)?).clone())))
            .collect();
        let any = !moved.is_empty();
        for (path, to) in moved {
            self.leave(path, LeftReason::MovedTo(to));
        }
        any
    }

    fn leave(&mut self, path: RepoPath, reason: LeftReason) {
        self.chosen.remove(&path);
        self.left.insert(path, reason);
    }

    /// A deletion goes into the commit of what takes its place, else into that of its new name.
    fn join_deletions(&mut self) {
        let added: BTreeMap<&RepoPath, Category> = self
            .chosen
            .iter()
            .filter(|(_, (_, selected))| selected.content.is_some() && selected.head.is_none())
            .map(|(path, (category, _))| (path, *category))
            .collect();
        let names: BTreeSet<&RepoPath> = added.keys().copied().collect();
        let mut homes = Homes::of(&self.chosen);
        // Those that can stay where they are take their new names first.
        let (mut joined, mut open) = (Vec::new(), Vec::new());
        for (path, (category, selected)) in &self.chosen {
            if selected.content.is_some() {
                continue;
            }
            let places = all_in_the_way(path, &names);
            if let Some(first) = places.filter_map(|place| added.get(place).copied()).min() {
                joined.push((path.clone(), first));
            } else if let Some(identity) = deleted(selected)
                && !homes.take(identity, *category)
            {
                open.push((path, *category, identity));
            }
        }
        for (path, category, identity) in open {
            if let Some(home) = homes.take_any(identity, category) {
                joined.push((path.clone(), home));
            }
        }
        for (path, category) in joined {
            if let Some((place, _)) = self.chosen.get_mut(&path) {
                *place = category;
            }
        }
    }
}

/// Where each content is committed: one entry a path that stores it.
struct Homes<'a> {
    free: BTreeMap<Identity<'a>, Vec<Category>>,
    first: BTreeMap<Identity<'a>, Category>,
}

impl<'a> Homes<'a> {
    fn of(chosen: &'a BTreeMap<RepoPath, (Category, SelectedPath)>) -> Self {
        let mut homes = Self { free: BTreeMap::new(), first: BTreeMap::new() };
        // New paths before changed ones: a file that was moved over another is the rarer case.
        for is_new in [true, false] {
            for (category, selected) in chosen.values().filter(|(_, selected)| selected.head.is_none() == is_new) {
                if let Some(identity) = stored(selected) {
                    homes.free.entry(identity).or_default().push(*category);
                    let first = homes.first.entry(identity).or_insert(*category);
                    *first = (*first).min(*category);
                }
            }
        }
        homes
    }

    fn take(&mut self, identity: Identity<'a>, category: Category) -> bool {
        let free = self.free.entry(identity).or_default();
        let at = free.iter().position(|home| *home == category);
        at.map(|at| free.remove(at)).is_some()
    }

    /// The category of a new name; where all are taken, one that does not lose the content on the way.
    fn take_any(&mut self, identity: Identity<'a>, category: Category) -> Option<Category> {
        let first = *self.first.get(&identity)?;
        match self.free.get_mut(&identity).filter(|free| !free.is_empty()) {
            Some(free) => Some(free.remove(0)),
            None => Some(category.max(first)),
        }
    }
}

/// A path of `others` that cannot be in one tree with `path`: one of its parents, or something below it.
fn in_the_way<'a>(path: &RepoPath, others: &BTreeSet<&'a RepoPath>) -> Option<&'a RepoPath> {
    all_in_the_way(path, others).next()
}

fn all_in_the_way<'a, 'b>(
    path: &'b RepoPath,
    others: &'b BTreeSet<&'a RepoPath>,
) -> impl Iterator<Item = &'a RepoPath> + 'b {
    let parents = path.as_bytes().iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let parents =
        parents.filter_map(|(end, _)| others.get(&RepoPath::from_bytes(&path.as_bytes()[..end])).copied());
    let mut below = path.as_bytes().to_vec();
    below.push(b'/');
    let below = RepoPath::from_bytes(below);
    let first = others.range::<RepoPath, _>(&below..).copied();
    parents.chain(first.take_while(move |other| other.as_bytes().starts_with(below.as_bytes())))
}
