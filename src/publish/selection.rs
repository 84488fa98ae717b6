//! Which of the changed paths a turn commits, in which category.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::path::RepoPath;
use super::record::{Blob, Content, DirtyPath, DirtyRecord, FileMode, Obstacle};
use super::rules::{OwnPlace, Rules};
use crate::model::{Actor, ByteSize};

/// The purpose of a commit, in the order in which a path is offered to them.
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
    /// All of them, in order of precedence.
    pub const ALL: [Self; 4] = [Self::Reports, Self::TrackedOutputs, Self::Docs, Self::Work];

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

/// The paths of one commit; never empty in a [`Selection`].
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
    /// Paths that changed during the turn and that nobody commits although their kind would allow it: no
    /// category of this actor is meant for them, or a cap or an exclusion keeps them out.
    pub fn outside_categories(&self) -> impl Iterator<Item = (&RepoPath, &LeftReason)> {
        self.left.iter().filter(|(_, reason)| {
            matches!(
                reason,
                LeftReason::NotThisActor(_)
                    | LeftReason::OverFileCap { .. }
                    | LeftReason::OverTotalCap { .. }
                    | LeftReason::Excluded
            )
        })
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
    let mut batches: BTreeMap<Category, BTreeMap<RepoPath, SelectedPath>> = BTreeMap::new();
    let mut totals: BTreeMap<Category, u64> = BTreeMap::new();
    let mut selection = Selection::default();
    for (path, dirty) in now.iter() {
        let place = match decide_path(path, before.get(path), dirty, actor, rules) {
            Place::Commit(category) => {
                let total = totals.entry(category).or_default();
                let sum = total.saturating_add(dirty.size);
                match rules.caps(category).total {
                    Some(cap) if sum > cap.0 => {
                        Place::Left(LeftReason::OverTotalCap { category, size: dirty.size, cap })
                    }
                    _ => {
                        *total = sum;
                        Place::Commit(category)
                    }
                }
            }
            other => other,
        };
        match place {
            Place::Commit(category) => {
                let content = match &dirty.content {
                    Content::File(blob) => Some(blob.clone()),
                    _ => None,
                };
                let selected = SelectedPath { content, head: dirty.head.clone() };
                batches.entry(category).or_default().insert(path.clone(), selected);
            }
            Place::Left(reason) => {
                selection.left.insert(path.clone(), reason);
            }
            Place::Refused(reason) => {
                selection.refused.insert(path.clone(), reason);
            }
        }
    }
    for (path, _) in before.iter().filter(|(path, _)| now.get(path).is_none()) {
        selection.refused.insert(path.clone(), RefusedReason::ChangedWhileDirty);
    }
    selection.batches = batches.into_iter().map(|(category, paths)| Batch { category, paths }).collect();
    selection
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
    if before.is_none() && now.matches_head() {
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
        _ => decide_category(&path, now, actor, rules),
    }
}

/// The first category that names the path and whose cap it meets; a path that a more particular category names
/// but finds too large is not swept up by `work`.
fn decide_category(path: &RepoPath, now: &DirtyPath, actor: Actor, rules: &Rules) -> Place {
    let mut too_large = None;
    for category in [Category::Reports, Category::TrackedOutputs, Category::Docs] {
        let is_candidate = category != Category::TrackedOutputs || now.head.is_some();
        if !is_candidate || !rules.names(category, path) {
            continue;
        }
        match over_file_cap(category, now, rules) {
            None => return Place::Commit(category),
            Some(reason) => too_large = too_large.or(Some(reason)),
        }
    }
    if let Some(reason) = too_large {
        return Place::Left(reason);
    }
    if !rules.serves_work_of(actor) {
        return Place::Left(LeftReason::NotThisActor(actor));
    }
    if rules.is_excluded_from_work(path) {
        return Place::Left(LeftReason::Excluded);
    }
    match over_file_cap(Category::Work, now, rules) {
        None => Place::Commit(Category::Work),
        Some(reason) => Place::Left(reason),
    }
}

fn over_file_cap(category: Category, now: &DirtyPath, rules: &Rules) -> Option<LeftReason> {
    let cap = rules.caps(category).file;
    (now.size > cap.0).then_some(LeftReason::OverFileCap { category, size: now.size, cap })
}
