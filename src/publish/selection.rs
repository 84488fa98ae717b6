//! Which of the changed paths a turn commits, in which category.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::moves::Draft;
use super::path::RepoPath;
use super::record::{Blob, Content, DirtyPath, DirtyRecord, FileMode, Obstacle};
use super::rules::{OwnPlace, Rules};
use crate::model::{Actor, ByteSize};

/// The purpose of a commit, in the order of the commits. A path is offered to them in another order:
/// [`Category::OFFERED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Evidence of what was done.
    Reports,
    /// Fixtures that HEAD already has.
    TrackedOutputs,
    /// Plans, notes, repository hygiene.
    Docs,
    /// Everything else.
    Work,
}

impl Category {
    /// All of them, in the order of their commits.
    pub const ALL: [Self; 4] = [Self::Reports, Self::TrackedOutputs, Self::Docs, Self::Work];
    /// Those that name their paths, the most particular first; `work` takes what is left.
    pub const OFFERED: [Self; 3] = [Self::TrackedOutputs, Self::Reports, Self::Docs];

    /// As it stands in a commit's subject.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reports => "reports evidence",
            Self::TrackedOutputs => "tracked outputs",
            Self::Docs => "doc/meta hygiene",
            Self::Work => "work",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a path differs from HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// HEAD does not have it.
    Added,
    /// Content or mode differ.
    Modified,
    /// The work tree does not have it.
    Deleted,
}

/// One path to commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedPath {
    /// What to store; `None` deletes. The work tree must still hold just this when the commit is made.
    pub content: Option<Blob>,
    /// What HEAD held at the scan.
    pub head: Option<Blob>,
}

impl SelectedPath {
    /// How it differs from HEAD.
    pub fn change(&self) -> Change {
        match (&self.content, &self.head) {
            (None, _) => Change::Deleted,
            (Some(_), None) => Change::Added,
            (Some(_), Some(_)) => Change::Modified,
        }
    }
}

/// The paths of one commit; never empty in a [`Selection`]. A deletion may be that of another category's path, whose
/// new name, or what takes its place, is committed here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Its purpose.
    pub category: Category,
    /// What it changes.
    pub paths: BTreeMap<RepoPath, SelectedPath>,
}

/// Why a changed path stays as it is in the work tree; the turn goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeftReason {
    /// It was dirty before the turn, and has not changed since.
    #[error("it was changed before the turn and not during it")]
    DirtyBefore,
    /// The work tree holds what HEAD holds; only the index differs.
    #[error("it is the same as in HEAD; only the index differs")]
    MatchesHead,
    /// In `.baton/`.
    #[error("it belongs to baton")]
    OwnDirectory,
    /// The state file.
    #[error("it is the state file, which is not committed with the work")]
    StateFile,
    /// In the log directory.
    #[error("it is in the log directory")]
    Logs,
    /// In the tmp directory.
    #[error("it is in the tmp directory")]
    Tmp,
    /// Elsewhere in the repository.
    #[error("it is outside the workspace")]
    OutsideWorkspace,
    /// A submodule entry.
    #[error("it is a submodule")]
    Submodule,
    /// A repository inside the repository.
    #[error("it is a repository of its own")]
    NestedRepository,
    /// A pipe, socket or device.
    #[error("it is neither a file nor a symbolic link")]
    Special,
    /// No permission to read it.
    #[error("it cannot be read")]
    Unreadable,
    /// Unmerged in the index.
    #[error("it has unmerged versions in the index")]
    Conflicted,
    /// A filter would have to run.
    #[error("it needs the git filter `{0}`, which would not be applied")]
    Filter(String),
    /// It may be anybody's: the turn has only made it visible.
    #[error("git ignored it when the turn began")]
    WasIgnored,
    /// Larger than its category allows.
    #[error("its {size} bytes are over the {cap} that `{category}` allows for a file")]
    OverFileCap {
        /// The category that is meant for it.
        category: Category,
        /// Bytes of the file.
        size: u64,
        /// The cap.
        cap: ByteSize,
    },
    /// The category's total is used up.
    #[error("with its {size} bytes the turn's `{category}` would be over {cap}")]
    OverTotalCap {
        /// The category that is meant for it.
        category: Category,
        /// Bytes of the file.
        size: u64,
        /// The cap.
        cap: ByteSize,
    },
    /// `publish.work.exclude` names it.
    #[error("`publish.work.exclude` names it")]
    Excluded,
    /// No enabled category is meant for it in this actor's turn.
    #[error("no category of {0}'s turn is meant for it")]
    NotThisActor(Actor),
    /// It is gone, and what it held is now at a path that is left alone.
    #[error("it was moved to {0}, which is not committed")]
    MovedTo(RepoPath),
    /// It is a directory where HEAD has a file, or the other way round, and that other path is left alone.
    #[error("it takes the place of {0}, whose change is not committed")]
    InPlaceOf(RepoPath),
}

impl LeftReason {
    /// Whether a category, a cap or an exclusion keeps out what the turn has changed.
    pub const fn is_outside_categories(&self) -> bool {
        match self {
            Self::NotThisActor(_)
            | Self::OverFileCap { .. }
            | Self::OverTotalCap { .. }
            | Self::Excluded
            | Self::WasIgnored
            | Self::MovedTo(_)
            | Self::InPlaceOf(_) => true,
            Self::DirtyBefore
            | Self::MatchesHead
            | Self::OwnDirectory
            | Self::StateFile
            | Self::Logs
            | Self::Tmp
            | Self::OutsideWorkspace
            | Self::Submodule
            | Self::NestedRepository
            | Self::Special
            | Self::Unreadable
            | Self::Conflicted
            | Self::Filter(_) => false,
        }
    }

    /// Whether the path is never part of what is verified and published, whatever it holds.
    pub const fn is_aside(&self) -> bool {
        matches!(self, Self::OwnDirectory | Self::StateFile | Self::Logs | Self::Tmp | Self::MatchesHead)
    }
}

/// Why a changed path stops the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedReason {
    /// `publish.protect` names it.
    #[error("`publish.protect` names it")]
    Protected,
    /// It was dirty before the turn and differs now: whose change is whose cannot be told.
    #[error("it had changes before the turn, and was changed again during it")]
    ChangedWhileDirty,
}

/// Where each path of the two records ended; each in exactly one place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// At most one a category, in the order of [`Category::ALL`].
    pub batches: Vec<Batch>,
    /// Stays in the work tree.
    pub left: BTreeMap<RepoPath, LeftReason>,
    /// Where not empty, nothing may be committed: the turn stops and names them.
    pub refused: BTreeMap<RepoPath, RefusedReason>,
}

impl Selection {
    /// Paths that changed during the turn and that nobody commits although their kind would allow it.
    pub fn outside_categories(&self) -> impl Iterator<Item = (&RepoPath, &LeftReason)> {
        self.left.iter().filter(|(_, reason)| reason.is_outside_categories())
    }
}

enum Place {
    Commit(Category),
    Left(LeftReason),
    Refused(RefusedReason),
}

/// Compares the record of the claim with the work tree now.
///
/// `now` must hold every path of `before`, clean ones included (`repo::Repo::dirty_since` sees to it): a path of
/// `before` that is missing from `now` counts as changed, since what it holds is not known.
#[must_use]
pub fn decide_selection(before: &DirtyRecord, now: &DirtyRecord, actor: Actor, rules: &Rules) -> Selection {
    let mut draft = Draft::default();
    let mut totals: BTreeMap<Category, u64> = BTreeMap::new();
    let mut refused = BTreeMap::new();
    for (path, dirty) in now.iter() {
        match decide_path(path, before.get(path), dirty, actor, rules) {
            Place::Commit(category) => {
                let total = totals.entry(category).or_default();
                let sum = total.saturating_add(dirty.size);
                match rules.caps(category).total {
                    Some(cap) if sum > cap.0 => {
                        let reason = LeftReason::OverTotalCap { category, size: dirty.size, cap };
                        draft.left.insert(path.clone(), reason);
                    }
                    _ => {
                        *total = sum;
                        draft.chosen.insert(path.clone(), (category, selected(dirty)));
                    }
                }
            }
            Place::Left(reason) => {
                draft.left.insert(path.clone(), reason);
            }
            Place::Refused(reason) => {
                refused.insert(path.clone(), reason);
            }
        }
    }
    draft.settle(now);
    for (path, _) in before.iter().filter(|(path, _)| now.get(path).is_none()) {
        refused.insert(path.clone(), RefusedReason::ChangedWhileDirty);
    }
    let mut batches: BTreeMap<Category, BTreeMap<RepoPath, SelectedPath>> = BTreeMap::new();
    for (path, (category, selected)) in draft.chosen {
        batches.entry(category).or_default().insert(path, selected);
    }
    let batches = batches.into_iter().map(|(category, paths)| Batch { category, paths }).collect();
    Selection { batches, left: draft.left, refused }
}

fn selected(dirty: &DirtyPath) -> SelectedPath {
    let content = match &dirty.content {
        Content::File(blob) => Some(blob.clone()),
        Content::Deleted
        | Content::Submodule(_)
        | Content::NestedRepository
        | Content::Special
        | Content::Unreadable => None,
    };
    SelectedPath { content, head: dirty.head.clone() }
}

/// Everything but the total caps, which need to know what was taken before.
fn decide_path(
    path: &RepoPath,
    before: Option<&DirtyPath>,
    now: &DirtyPath,
    actor: Actor,
    rules: &Rules,
) -> Place {
    if before.is_some_and(|before| before.content == now.content) {
        return Place::Left(LeftReason::DirtyBefore);
    }
    let Some(path) = path.below(&rules.spec.workspace) else {
        return Place::Left(LeftReason::OutsideWorkspace);
    };
    if let Some(own) = rules.own_place(&path) {
        return Place::Left(match own {
            OwnPlace::Baton => LeftReason::OwnDirectory,
            OwnPlace::State => LeftReason::StateFile,
            OwnPlace::Logs => LeftReason::Logs,
            OwnPlace::Tmp => LeftReason::Tmp,
        });
    }
    // What somebody has committed meanwhile is in HEAD; only where HEAD is as it was, a change has been undone.
    if now.matches_head() && before.is_none_or(|before| before.head != now.head) {
        return Place::Left(LeftReason::MatchesHead);
    }
    if rules.is_protected(&path) {
        return Place::Refused(RefusedReason::Protected);
    }
    let submodule_in_head = now.head.as_ref().is_some_and(|head| head.mode == FileMode::Submodule);
    match &now.content {
        Content::Submodule(_) => return Place::Left(LeftReason::Submodule),
        _ if submodule_in_head => return Place::Left(LeftReason::Submodule),
        Content::NestedRepository => return Place::Left(LeftReason::NestedRepository),
        _ => {}
    }
    if before.is_some() {
        return Place::Refused(RefusedReason::ChangedWhileDirty);
    }
    match (&now.content, &now.obstacle) {
        (Content::Special, _) => Place::Left(LeftReason::Special),
        (Content::Unreadable, _) => Place::Left(LeftReason::Unreadable),
        (_, Some(Obstacle::Conflicted)) => Place::Left(LeftReason::Conflicted),
        (Content::File(_), Some(Obstacle::Filter(name))) => Place::Left(LeftReason::Filter(name.clone())),
        (Content::File(_), Some(Obstacle::WasIgnored)) => Place::Left(LeftReason::WasIgnored),
        _ => decide_category(&path, now, actor, rules),
    }
}

/// The first category that names the path decides, its cap included: a cap that another category undoes would be none.
fn decide_category(path: &RepoPath, now: &DirtyPath, actor: Actor, rules: &Rules) -> Place {
    let is_candidate = |category| category != Category::TrackedOutputs || now.head.is_some();
    let named = Category::OFFERED
        .into_iter()
        .find(|category| is_candidate(*category) && rules.names(*category, path));
    if named.is_none() && !rules.serves_work_of(actor) {
        return Place::Left(LeftReason::NotThisActor(actor));
    }
    if named.is_none() && rules.is_excluded_from_work(path) {
        return Place::Left(LeftReason::Excluded);
    }
    let category = named.unwrap_or(Category::Work);
    match over_file_cap(category, now, rules) {
        None => Place::Commit(category),
        Some(reason) => Place::Left(reason),
    }
}

fn over_file_cap(category: Category, now: &DirtyPath, rules: &Rules) -> Option<LeftReason> {
    let cap = rules.caps(category).file;
    (now.size > cap.0).then_some(LeftReason::OverFileCap { category, size: now.size, cap })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::{ObjectId, RuleSpec};
    use proptest::prelude::*;
    use rstest::rstest;

    fn blob(digit: u8, mode: FileMode) -> Blob {
        let id: ObjectId = format!("{digit:x}").repeat(40).parse().unwrap();
        Blob { id, mode }
    }

    fn file(digit: u8) -> Blob {
        blob(digit, FileMode::Regular)
    }

    fn changed(size: u64) -> DirtyPath {
        DirtyPath { content: Content::File(file(1)), head: Some(file(2)), size, obstacle: None }
    }

    fn added(size: u64) -> DirtyPath {
        DirtyPath { head: None, ..changed(size) }
    }

    fn deleted() -> DirtyPath {
        DirtyPath { content: Content::Deleted, ..changed(0) }
    }

    fn rules() -> Rules {
        let mut spec = RuleSpec::default();
        spec.work.exclude = vec!["vendor/**".into()];
        Rules::compile(spec).unwrap()
    }

    fn place(path: &str, dirty: DirtyPath, actor: Actor) -> String {
        let now: DirtyRecord = [(path.into(), dirty)].into_iter().collect();
        let selection = decide_selection(&DirtyRecord::default(), &now, actor, &rules());
        let committed = selection.batches.iter().map(|batch| batch.category.to_string());
        let left = selection.left.values().map(ToString::to_string);
        let refused = selection.refused.values().map(ToString::to_string);
        let all: Vec<_> = committed.chain(left).chain(refused).collect();
        assert_eq!(all.len(), 1);
        all.concat()
    }

    #[rstest]
    #[case::report("a/plot.png", added(9), "reports evidence")]
    #[case::report_too_large(
        "plot.png",
        added(6 << 20),
        "its 6291456 bytes are over the 5MiB that `reports evidence` allows for a file"
    )]
    #[case::fixture("tests/fixtures/a/x.json", changed(6 << 20), "tracked outputs")]
    #[case::fixture_too_large(
        "tests/fixtures/a/x.npy",
        changed(33 << 20),
        "its 34603008 bytes are over the 32MiB that `tracked outputs` allows for a file"
    )]
    #[case::fixture_that_looks_like_a_report("tests/fixtures/reports/x.json", changed(9), "tracked outputs")]
    #[case::deleted_fixture("tests/fixtures/a/x.json", deleted(), "tracked outputs")]
    #[case::new_fixture("tests/fixtures/a/x.json", added(9), "work")]
    #[case::new_fixture_that_is_never_source("tests/fixtures/a/x.npy", added(9), "reports evidence")]
    #[case::reports_in_a_plan("plans/a/reports/b.md", added(9), "reports evidence")]
    #[case::reports_in_other_letters("Reports/Run.MD", added(9), "reports evidence")]
    #[case::deleted_report("a/reports/run.txt", deleted(), "reports evidence")]
    #[case::report_of_another_kind("reports/a.bin", added(9), "work")]
    #[case::script("src/x.py", changed(9), "work")]
    #[case::readme("README.md", changed(9), "work")]
    #[case::header("include/x.h", added(9), "work")]
    #[case::data("data.json", deleted(), "work")]
    #[case::doc_too_large(
        "input.md",
        changed(2 << 20),
        "its 2097152 bytes are over the 1MiB that `doc/meta hygiene` allows for a file"
    )]
    #[case::report_in_the_log_directory("logs/reports/x.png", added(9), "it is in the log directory")]
    #[case::report_in_the_tmp_directory("tmp/reports/x.png", added(9), "it is in the tmp directory")]
    #[case::empty("src/empty", added(0), "work")]
    #[case::doc("plans/a/b.md", changed(9), "doc/meta hygiene")]
    #[case::deleted_doc("plans/a/b.md", deleted(), "doc/meta hygiene")]
    #[case::source("src/lib.rs", changed(9), "work")]
    #[case::deleted_source("src/lib.rs", deleted(), "work")]
    #[case::excluded("vendor/x/y.c", changed(9), "`publish.work.exclude` names it")]
    #[case::log("logs/main/x.png", added(9), "it is in the log directory")]
    #[case::tmp("tmp/x.png", added(9), "it is in the tmp directory")]
    #[case::own(".baton/inbox/x", added(9), "it belongs to baton")]
    #[case::state(
        "sync/state.json",
        changed(9),
        "it is the state file, which is not committed with the work"
    )]
    #[case::protected("sync/other", added(9), "`publish.protect` names it")]
    #[case::settings("orchestration.yaml", deleted(), "`publish.protect` names it")]
    fn a_path_of_ralphs_turn_goes_to_its_place(
        #[case] path: &str,
        #[case] dirty: DirtyPath,
        #[case] expected: &str,
    ) {
        assert_eq!(place(path, dirty, Actor::Ralph), expected);
    }

    #[rstest]
    #[case(Content::Submodule(None), "it is a submodule")]
    #[case(Content::NestedRepository, "it is a repository of its own")]
    #[case(Content::Special, "it is neither a file nor a symbolic link")]
    #[case(Content::Unreadable, "it cannot be read")]
    fn what_is_not_a_file_is_left_alone(#[case] content: Content, #[case] expected: &str) {
        assert_eq!(place("a", DirtyPath { content, ..added(0) }, Actor::Ralph), expected);
    }

    #[test]
    fn a_removed_submodule_is_left_alone() {
        let head = Some(blob(3, FileMode::Submodule));
        assert_eq!(place("a", DirtyPath { head, ..deleted() }, Actor::Ralph), "it is a submodule");
    }

    #[test]
    fn galph_commits_documents_and_no_work() {
        assert_eq!(place("docs/fix_plan.md", changed(9), Actor::Galph), "doc/meta hygiene");
        assert_eq!(
            place("src/lib.rs", changed(9), Actor::Galph),
            "no category of galph's turn is meant for it"
        );
        let now: DirtyRecord =
            [("src/lib.rs".into(), changed(9)), ("logs/x".into(), added(9))].into_iter().collect();
        let selection = decide_selection(&DirtyRecord::default(), &now, Actor::Galph, &rules());
        let outside: Vec<_> = selection.outside_categories().map(|(path, _)| path.to_string()).collect();
        assert_eq!(outside, ["src/lib.rs"]);
    }

    #[test]
    fn a_total_cap_leaves_out_only_what_does_not_fit() {
        let mib = 1 << 20;
        let sizes = [("a", 10), ("b", 10), ("c", 10), ("d", 10), ("e", 10), ("f", 10), ("g", 10), ("h", 10)];
        let more = [("i", 10), ("j", 9), ("k", 10), ("l", 1)];
        let now: DirtyRecord =
            sizes.into_iter().chain(more).map(|(path, size)| (path.into(), added(size * mib))).collect();
        let selection = decide_selection(&DirtyRecord::default(), &now, Actor::Ralph, &rules());
        let left: Vec<_> = selection.left.iter().map(|(path, reason)| format!("{path}: {reason}")).collect();
        assert_eq!(left, ["k: with its 10485760 bytes the turn's `work` would be over 100MiB"]);
    }

    #[test]
    fn an_earlier_path_that_nobody_looked_at_again_counts_as_changed() {
        let before: DirtyRecord = [("a".into(), changed(9))].into_iter().collect();
        let selection = decide_selection(&before, &DirtyRecord::default(), Actor::Ralph, &rules());
        assert_eq!(
            selection.refused[&"a".into()].to_string(),
            "it had changes before the turn, and was changed again during it"
        );
    }

    fn any_path() -> impl Strategy<Value = RepoPath> {
        let part = prop_oneof![
            Just("logs"),
            Just("tmp"),
            Just(".baton"),
            Just("sync"),
            Just("plans"),
            Just("tests"),
            Just("fixtures"),
            Just("vendor"),
            Just("src"),
            Just("ws"),
        ];
        let name = prop_oneof![
            Just("a.png"),
            Just("b.md"),
            Just("c.json"),
            Just("state.json"),
            Just("lib.rs"),
            Just("orchestration.yaml"),
            Just("input.md"),
            Just("\u{fc}\n"),
        ];
        (proptest::collection::vec(part, 0..3), name).prop_map(|(mut parts, name)| {
            parts.push(name);
            RepoPath::from(parts.join("/").as_str())
        })
    }

    fn any_blob() -> impl Strategy<Value = Blob> {
        let mode = prop_oneof![
            6 => Just(FileMode::Regular), 1 => Just(FileMode::Executable),
            1 => Just(FileMode::Symlink), 1 => Just(FileMode::Submodule),
        ];
        (0_u8..3, mode).prop_map(|(digit, mode)| blob(digit, mode))
    }

    fn any_dirty() -> impl Strategy<Value = DirtyPath> {
        let content = prop_oneof![
            6 => any_blob().prop_map(Content::File),
            3 => Just(Content::Deleted),
            1 => Just(Content::Submodule(None)),
            1 => Just(Content::NestedRepository),
            1 => Just(Content::Special),
            1 => Just(Content::Unreadable),
        ];
        let obstacle = prop_oneof![
            6 => Just(None), 1 => Just(Some(Obstacle::Conflicted)),
            1 => Just(Some(Obstacle::Filter("lfs".into()))),
            1 => Just(Some(Obstacle::WasIgnored)),
        ];
        (content, proptest::option::of(any_blob()), 0_u64..12 << 20, obstacle).prop_map(
            |(content, head, size, obstacle)| {
                // Where there is no file there are no bytes.
                let size = if matches!(content, Content::File(_)) { size } else { 0 };
                DirtyPath { content, head, size, obstacle }
            },
        )
    }

    fn any_record() -> impl Strategy<Value = DirtyRecord> {
        proptest::collection::btree_map(any_path(), any_dirty(), 0..24)
            .prop_map(|paths| paths.into_iter().collect())
    }

    proptest! {
        #[test]
        fn every_path_is_in_exactly_one_place(
            before in any_record(),
            fresh in any_record(),
            kept in proptest::collection::vec(any::<bool>(), 24),
            galph: bool,
            below_root: bool,
        ) {
            let actor = if galph { Actor::Galph } else { Actor::Ralph };
            let workspace: RepoPath = if below_root { "ws".into() } else { RepoPath::default() };
            let rules = Rules::compile(RuleSpec { workspace: workspace.clone(), ..RuleSpec::default() }).unwrap();
            let unchanged = before.iter().zip(kept).filter(|(_, kept)| *kept);
            let mut now = fresh;
            for ((path, dirty), _) in unchanged {
                now.insert(path.clone(), dirty.clone());
            }
            let selection = decide_selection(&before, &now, actor, &rules);

            let mut seen: BTreeMap<&RepoPath, u32> = BTreeMap::new();
            let committed = selection.batches.iter().flat_map(|batch| batch.paths.keys());
            for path in committed.chain(selection.left.keys()).chain(selection.refused.keys()) {
                *seen.entry(path).or_default() += 1;
            }
            prop_assert!(seen.values().all(|count| *count == 1));
            let mut all: Vec<_> = before.iter().chain(now.iter()).map(|(path, _)| path).collect();
            all.sort();
            all.dedup();
            prop_assert_eq!(seen.into_keys().collect::<Vec<_>>(), all);

            let order: Vec<_> = selection.batches.iter().map(|batch| batch.category).collect();
            prop_assert!(order.windows(2).all(|pair| pair[0] < pair[1]));
            for batch in &selection.batches {
                prop_assert!(!batch.paths.is_empty());
                prop_assert!(batch.category != Category::Work || actor == Actor::Ralph);
                let mut total = 0;
                for (path, selected) in &batch.paths {
                    let inside = path.below(&workspace).unwrap();
                    prop_assert!(!rules.is_protected(&inside), "{path} is protected");
                    for own in ["logs", "tmp", ".baton", "sync/state.json"] {
                        prop_assert!(!inside.is_within(&own.into()), "{path} is in {own}");
                    }
                    prop_assert!(before.get(path).is_none(), "{path} was dirty before");
                    let dirty = now.get(path).unwrap();
                    prop_assert!(!dirty.matches_head());
                    prop_assert!(matches!(
                        (&dirty.content, &dirty.obstacle),
                        (Content::File(_), None) | (Content::Deleted, None | Some(Obstacle::Filter(_) | Obstacle::WasIgnored))
                    ));
                    prop_assert!(dirty.size <= rules.caps(batch.category).file.0);
                    total += dirty.size;
                    if batch.category == Category::TrackedOutputs {
                        prop_assert!(selected.head.is_some());
                    }
                }
                prop_assert!(rules.caps(batch.category).total.is_none_or(|cap| total <= cap.0));
            }
        }

        #[test]
        fn a_turn_that_changed_nothing_commits_and_refuses_nothing(record in any_record()) {
            let rules = Rules::compile(RuleSpec::default()).unwrap();
            let selection = decide_selection(&record, &record, Actor::Ralph, &rules);
            prop_assert!(selection.batches.is_empty() && selection.refused.is_empty());
        }
    }
}
