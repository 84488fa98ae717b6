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
pub(super) fn pair_renames(paths: &BTreeMap<RepoPath, SelectedPath>) -> BTreeMap<&RepoPath, &RepoPath> {
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
            .filter_map(|(path, (_, selected))| {
                Some((path.clone(), (*homeless.get(&deleted(selected)?)?).clone()))
            })
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
            for (category, selected) in
                chosen.values().filter(|(_, selected)| selected.head.is_none() == is_new)
            {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Actor;
    use crate::publish::{Batch, DirtyPath, RuleSpec, Rules, Selection, decide_selection};
    use proptest::prelude::*;
    use rstest::rstest;

    type Tree = BTreeMap<RepoPath, Blob>;

    fn blob(digit: u8) -> Blob {
        Blob { id: format!("{digit:x}").repeat(40).parse().unwrap(), mode: FileMode::Regular }
    }

    /// `path=digit`, separated by blanks.
    fn tree(text: &str) -> Tree {
        text.split_whitespace()
            .map(|entry| {
                let (path, digit) = entry.split_once('=').unwrap();
                (path.into(), blob(digit.parse().unwrap()))
            })
            .collect()
    }

    /// What a scan finds; a content counts as many MiB as its digit.
    fn record(head: &Tree, work: &Tree, earlier: &DirtyRecord) -> DirtyRecord {
        let paths: BTreeSet<&RepoPath> =
            head.keys().chain(work.keys()).chain(earlier.iter().map(|(path, _)| path)).collect();
        paths
            .into_iter()
            .filter(|path| head.get(*path) != work.get(*path) || earlier.get(path).is_some())
            .map(|path| {
                let content = work.get(path).cloned().map_or(Content::Deleted, Content::File);
                let size = work.get(path).map_or(0, |blob| blob.id.prefix(1).parse::<u64>().unwrap() << 20);
                (path.clone(), DirtyPath { content, head: head.get(path).cloned(), size, obstacle: None })
            })
            .collect()
    }

    fn rules() -> Rules {
        let mut spec = RuleSpec::default();
        spec.work.exclude = vec!["vendor/**".into()];
        Rules::compile(spec).unwrap()
    }

    fn select(head: &Tree, work: &Tree, actor: Actor) -> Selection {
        let nothing = DirtyRecord::default();
        decide_selection(&nothing, &record(head, work, &nothing), actor, &rules())
    }

    fn words(selection: &Selection) -> Vec<String> {
        let batches = selection.batches.iter().map(|Batch { category, paths }| {
            format!("{category}: {}", crate::publish::list_files(paths).join(", "))
        });
        batches.chain(selection.left.iter().map(|(path, reason)| format!("{path}: {reason}"))).collect()
    }

    #[rstest]
    #[case::within("a=1", "b=1", &["work: R a -> b"])]
    #[case::to_a_report("a.md=1", "reports/a.md=1", &["reports evidence: R a.md -> reports/a.md"])]
    #[case::from_a_report("reports/a.md=1", "a.md=1", &["work: R reports/a.md -> a.md"])]
    #[case::from_a_document("input.md=1", "old.md=1", &["work: R input.md -> old.md"])]
    #[case::within_comes_first(
        "input.md=1 a.md=1",
        "plans/b.md=1 z.md=1",
        &["doc/meta hygiene: R input.md -> plans/b.md", "work: R a.md -> z.md"]
    )]
    #[case::over_another_file(
        "reports/a.md=1 b.md=2",
        "b.md=1",
        &["work: M b.md, D reports/a.md"]
    )]
    #[case::more_gone_than_come(
        "input.md=1 plans/a.md=1",
        "reports/x.md=1",
        &["reports evidence: R input.md -> reports/x.md", "doc/meta hygiene: D plans/a.md"]
    )]
    #[case::more_gone_than_come_the_other_way(
        "reports/a.md=1 reports/b.md=1",
        "x.md=1",
        &["work: D reports/b.md, R reports/a.md -> x.md"]
    )]
    #[case::a_file_becomes_a_directory(
        "a=2",
        "a/reports/x.md=1",
        &["reports evidence: D a, A a/reports/x.md"]
    )]
    #[case::a_directory_becomes_a_file(
        "plans/a/b.md=2 plans/a/c=3",
        "plans/a=1",
        &["work: A plans/a, D plans/a/b.md, D plans/a/c"]
    )]
    #[case::to_where_nothing_is_committed(
        "input.md=1",
        "vendor/input.md=1",
        &[
            "input.md: it was moved to vendor/input.md, which is not committed",
            "vendor/input.md: `publish.work.exclude` names it",
        ]
    )]
    #[case::too_large_for_its_new_place(
        "a.md=6",
        "reports/a.md=6",
        &[
            "a.md: it was moved to reports/a.md, which is not committed",
            "reports/a.md: its 6291456 bytes are over the 5MiB that `reports evidence` allows for a file",
        ]
    )]
    #[case::copied_to_where_it_is_committed_too(
        "input.md=1",
        "vendor/input.md=1 plans/input.md=1",
        &["doc/meta hygiene: R input.md -> plans/input.md", "vendor/input.md: `publish.work.exclude` names it"]
    )]
    #[case::in_the_place_of_what_stays(
        "vendor/x=1",
        "vendor/x/reports/y.md=2",
        &[
            "vendor/x: `publish.work.exclude` names it",
            "vendor/x/reports/y.md: it takes the place of vendor/x, whose change is not committed",
        ]
    )]
    #[case::one_thing_leads_to_another(
        "a=6",
        "a/reports/big.md=6 a/new=1",
        &[
            "a: it was moved to a/reports/big.md, which is not committed",
            "a/new: it takes the place of a, whose change is not committed",
            "a/reports/big.md: its 6291456 bytes are over the 5MiB that `reports evidence` allows for a file",
        ]
    )]
    #[case::only_letters_differ("readme.md=1", "README.md=1", &["work: R readme.md -> README.md"])]
    fn what_hangs_together_stays_together(#[case] head: &str, #[case] work: &str, #[case] expected: &[&str]) {
        assert_eq!(words(&select(&tree(head), &tree(work), Actor::Ralph)), expected);
    }

    #[test]
    fn galph_does_not_lose_a_document_that_it_moved_among_the_sources() {
        assert_eq!(
            words(&select(&tree("input.md=1"), &tree("src/input.md=1"), Actor::Galph)),
            [
                "input.md: it was moved to src/input.md, which is not committed",
                "src/input.md: no category of galph's turn is meant for it",
            ]
        );
    }

    #[test]
    fn a_new_mode_is_no_new_file_and_a_link_is_not_what_it_says() {
        let mut paths: BTreeMap<RepoPath, SelectedPath> = BTreeMap::new();
        let run = Blob { mode: FileMode::Executable, ..blob(1) };
        let link = Blob { mode: FileMode::Symlink, ..blob(2) };
        let empty = Blob { id: EMPTY[0].parse().unwrap(), mode: FileMode::Regular };
        for (path, content, head) in [
            ("a", None, Some(blob(1))),
            ("a.sh", Some(run), None),
            ("b", None, Some(link)),
            ("c", Some(blob(2)), None),
            ("d", None, Some(empty.clone())),
            ("e", Some(empty), None),
        ] {
            paths.insert(path.into(), SelectedPath { content, head });
        }
        let renames: Vec<_> =
            pair_renames(&paths).into_iter().map(|(new, old)| format!("{old} -> {new}")).collect();
        assert_eq!(renames, ["a -> a.sh"]);
    }

    const PATHS: [&str; 20] = [
        "a",
        "a/input",
        "a/reports/x.md",
        "a/reports/x.md/y",
        "b",
        "data/reports/b.md",
        "docs",
        "docs/fix_plan.md",
        "input.md",
        "input.md/x",
        "logs/l.png",
        "plans/p.md",
        "plans/q.md",
        "reports",
        "reports/c.md",
        "tests/fixtures/t.json",
        "tests/fixtures",
        "tmp/t",
        "vendor",
        "vendor/v",
    ];

    fn any_tree() -> impl Strategy<Value = Tree> {
        proptest::collection::vec((0..PATHS.len(), 0_u8..8), 0..14).prop_map(|entries| {
            let mut tree = Tree::new();
            for (at, digit) in entries {
                let path: RepoPath = PATHS[at].into();
                let names: BTreeSet<&RepoPath> = tree.keys().collect();
                if in_the_way(&path, &names).is_none() {
                    tree.insert(path, blob(digit));
                }
            }
            tree
        })
    }

    /// Puts one commit on top, as git would: what stands in the way goes. Says what differs from before.
    fn apply(tree: &mut Tree, batch: &Batch) -> BTreeSet<RepoPath> {
        let before = tree.clone();
        for (path, selected) in &batch.paths {
            if let Some(content) = &selected.content {
                let names: Vec<RepoPath> = all_in_the_way(path, &tree.keys().collect()).cloned().collect();
                for name in names {
                    tree.remove(&name);
                }
                tree.insert(path.clone(), content.clone());
            }
        }
        for path in
            batch.paths.iter().filter(|(_, selected)| selected.content.is_none()).map(|(path, _)| path)
        {
            tree.remove(path);
        }
        let all: BTreeSet<&RepoPath> = before.keys().chain(tree.keys()).collect();
        all.into_iter().filter(|path| before.get(path) != tree.get(path)).cloned().collect()
    }

    proptest! {
        #[test]
        fn every_commit_on_the_way_is_sane(head in any_tree(), then in any_tree(), work in any_tree(), galph: bool) {
            let actor = if galph { Actor::Galph } else { Actor::Ralph };
            // Some of the work tree was so before the turn.
            let before = record(&head, &then, &DirtyRecord::default());
            let mut work = work;
            for (path, _) in before.iter() {
                let names: BTreeSet<&RepoPath> = work.keys().collect();
                if then.contains_key(path) && in_the_way(path, &names).is_none() {
                    work.insert(path.clone(), then[path].clone());
                }
            }
            let now = record(&head, &work, &before);
            let selection = decide_selection(&before, &now, actor, &rules());
            let chosen: BTreeMap<&RepoPath, &SelectedPath> =
                selection.batches.iter().flat_map(|batch| batch.paths.iter()).collect();
            let stored: BTreeSet<&ObjectId> =
                chosen.values().filter_map(|selected| selected.content.as_ref()).map(|blob| &blob.id).collect();

            let mut tree = head.clone();
            for batch in &selection.batches {
                let changed = apply(&mut tree, batch);
                let listed: BTreeSet<RepoPath> = batch.paths.keys().cloned().collect();
                prop_assert_eq!(changed, listed, "a commit changes what it lists");
                for (path, selected) in batch.paths.iter().filter(|(_, selected)| selected.content.is_none()) {
                    let gone = selected.head.as_ref().unwrap();
                    let gives_way = all_in_the_way(path, &batch.paths.keys().collect())
                        .any(|other| batch.paths[other].content.is_some());
                    if stored.contains(&gone.id) && !gives_way {
                        prop_assert!(tree.values().any(|blob| blob.id == gone.id), "{path} is lost on the way");
                    }
                }
            }
            for (path, selected) in &chosen {
                prop_assert!(before.get(path).is_none(), "{path} was dirty before");
                prop_assert_eq!(tree.get(*path), selected.content.as_ref());
            }
            for (path, _) in now.iter().filter(|(path, _)| !chosen.contains_key(path)) {
                prop_assert_eq!(tree.get(path), head.get(path), "{} is left alone", path);
            }
            for (path, reason) in &selection.left {
                match reason {
                    LeftReason::MovedTo(to) => {
                        prop_assert_eq!(head.get(path), work.get(to));
                        prop_assert!(!chosen.contains_key(to) && !stored.contains(&head[path].id));
                    }
                    LeftReason::InPlaceOf(other) => {
                        prop_assert!(head.contains_key(other) && !chosen.contains_key(other));
                    }
                    _ => {}
                }
            }
        }
    }
}
