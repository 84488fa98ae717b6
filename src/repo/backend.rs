//! The seam between the two ways to work with git: what they really do differently, and nothing else.
//!
//! `library` is libgit2, `program` the installed git. What a turn needs is written once above this trait; below it
//! names of objects are text, since the two know different object formats.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use super::commit::CommitOrder;
use super::error::RepoError;
use super::head::Head;
use super::introduced::Introduced;
use super::place::Place;
use super::preflight::{Identity, Operation, Person};
use super::remote::Own;
use super::surroundings::StashEntry;
use crate::publish::{Blob, ObjectId, Obstacle, RepoPath};

/// The versions of a path that git knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Known {
    pub(super) head: Option<Blob>,
    /// Looked up only where HEAD has none.
    pub(super) index: Option<Blob>,
}

/// What the index holds at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InIndex {
    Nothing,
    Version(Blob),
    /// The sides of a conflict that somebody has to settle.
    Unmerged,
}

impl InIndex {
    pub(super) fn version(self) -> Option<Blob> {
        match self {
            Self::Version(version) => Some(version),
            Self::Nothing | Self::Unmerged => None,
        }
    }
}

/// A path that git reports as different from HEAD, in the index or in the work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Changed {
    /// A file, a link, or a submodule; also one that is gone.
    Path {
        known: Known,
        /// The index holds unmerged versions of it.
        conflicted: bool,
    },
    /// A directory that is a repository of its own.
    Nested,
}

/// The name that git would give to a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hashed {
    pub(super) id: ObjectId,
    pub(super) obstacle: Option<Obstacle>,
}

/// What becomes of one path of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TreeChange {
    /// It holds this object; whatever stood in its way (a directory in its place, a file among its parents) goes.
    Put(Blob),
    /// It is not there; a directory of that name stays.
    Remove,
}

pub(super) type Changes = BTreeMap<RepoPath, TreeChange>;

/// A path whose version in the index shall be `new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) new: Option<Blob>,
    pub(super) old: Option<Blob>,
}

/// Paths that differ between two commits.
pub(super) type Difference = BTreeMap<RepoPath, Versions>;

/// A commit and its whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawCommit {
    pub(super) id: ObjectId,
    pub(super) message: String,
}

/// Commits that exist and are on no branch yet.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// One for each plan that changed something: the plan's place in the order, and the commit.
    pub(super) commits: Vec<(usize, ObjectId)>,
    /// Paths that are committed otherwise than they were selected, since a hook staged another version.
    pub(super) restaged: Vec<RepoPath>,
}

/// An object that a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: ObjectId,
    /// Bytes of its content.
    pub(super) size: u64,
}

/// A commit to be stored: the tree of `base`, or an empty one, with these changes, all stored.
#[derive(Debug)]
pub(super) struct Copy<'a> {
    pub(super) base: Option<&'a ObjectId>,
    pub(super) changes: &'a Changes,
    pub(super) parents: &'a [ObjectId],
    pub(super) message: &'a str,
}

/// A commit as git stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredCommit {
    pub(super) id: ObjectId,
    pub(super) content: Vec<u8>,
}

/// A commit to be made of a tree that is stored.
#[derive(Debug)]
pub(super) struct NewCommit<'a> {
    pub(super) tree: &'a ObjectId,
    pub(super) parent: &'a ObjectId,
    pub(super) message: &'a str,
    pub(super) identity: &'a Identity,
}

/// What `theirs` changed against `base`, to be put on `ours`; all of them commits.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    /// None: nothing at all.
    pub(super) base: Option<&'a ObjectId>,
    pub(super) ours: &'a ObjectId,
    pub(super) theirs: &'a ObjectId,
    /// Made to `theirs` before.
    pub(super) held: &'a Changes,
}

/// What came of a merge in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Merged {
    Tree(ObjectId),
    /// In order.
    Conflict(Vec<RepoPath>),
}

/// What the index has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Staged {
    /// None: unmerged versions.
    pub(super) blob: Option<Blob>,
    /// The work tree is meant not to have it (`skip-worktree`).
    pub(super) skipped: bool,
}

/// Paths as git prints them; whole directories end in `/`.
#[derive(Debug, Default)]
pub(super) struct BesideHead {
    pub(super) changed: Vec<String>,
    pub(super) ignored: Vec<String>,
    /// Paths of submodules, checked out or not.
    pub(super) submodules: Vec<String>,
}

/// Whether the work tree is known to hold the versions that the index shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkTree {
    /// It was read just now: file times can be taken from it.
    JustRead,
    /// It may have changed since; only entries that still have the old version are touched.
    Unknown,
}

/// One way to work with git. Each call is a primitive: it looks at the repository as it is then.
pub(super) trait Backend: fmt::Debug + Send {
    fn place(&self) -> &Place;

    /// Handles of one's own to the same repository.
    fn own(&self) -> Result<Own, RepoError>;

    /// HEAD now. An unborn branch is [`RepoError::NoCommits`].
    fn head(&self) -> Result<Head, RepoError>;

    /// The values of these configuration keys, read anew.
    fn settings(&self, keys: &[&str]) -> Result<Vec<Option<String>>, RepoError>;

    /// `core.fileMode`.
    fn trusts_mode_bits(&self) -> bool;

    /// An operation in progress that leaves no file in the git directory.
    fn operation_among_references(&self) -> Result<Option<Operation>, RepoError>;

    /// Whether git would put this person on a commit.
    fn check_person(&self, person: &Person) -> Result<(), RepoError>;

    /// Everything that differs from HEAD, untracked files one by one, nothing that is ignored. Writes nothing.
    fn status(&self) -> Result<BTreeMap<RepoPath, Changed>, RepoError>;

    /// The versions of these paths that git knows, in their order.
    fn known(&self, paths: &[&RepoPath]) -> Result<Vec<Known>, RepoError>;

    /// What the index holds at these paths, in their order.
    fn staged(&self, paths: &[&RepoPath]) -> Result<Vec<InIndex>, RepoError>;

    /// The versions of these paths in a commit, in their order.
    fn versions_at(&self, commit: &ObjectId, paths: &[&RepoPath]) -> Result<Vec<Option<Blob>>, RepoError>;

    /// What these names lead to, in their order; `None` for one that leads nowhere, or to more than one object.
    fn find(&self, names: &[String]) -> Result<Vec<Option<Found>>, RepoError>;

    /// Every reference that names an object itself.
    fn references(&self) -> Result<BTreeMap<String, ObjectId>, RepoError>;

    /// The entries of the stash, newest first; none where it has no log.
    fn stash_log(&self) -> Result<Vec<StashEntry>, RepoError>;

    /// `remote.*.url` and `remote.*.pushurl` with their values. What cannot be read is none.
    fn remote_settings(&self) -> Vec<(String, String)>;

    /// The objects that git would store for these ordinary files, in their order; `None` for one that has vanished.
    /// Stores nothing.
    fn hash_files(&self, paths: &[&RepoPath]) -> Result<Vec<Option<Hashed>>, RepoError>;

    /// The object that git would store for this content as it is.
    fn hash_bytes(&self, content: &[u8]) -> Result<ObjectId, RepoError>;

    /// The commit that is checked out in a submodule.
    fn submodule_commit(&self, path: &RepoPath) -> Option<ObjectId>;

    /// The contents of blobs, in their order; `None` where there is no such blob.
    fn blobs(&self, ids: &[&ObjectId]) -> Result<Vec<Option<Vec<u8>>>, RepoError>;

    /// The commits that `tip` (else HEAD) has and `base` has not, oldest first.
    fn commits_between(&self, base: &ObjectId, tip: Option<&ObjectId>) -> Result<Vec<RawCommit>, RepoError>;

    /// The newest commits that `newest` (else HEAD) has, newest first, so many at most.
    fn recent_commits(&self, newest: Option<&ObjectId>, limit: usize) -> Result<Vec<RawCommit>, RepoError>;

    /// The files of a commit at or below these paths, in order; links and submodules too.
    fn files_below(&self, commit: &ObjectId, below: &[RepoPath]) -> Result<Vec<RepoPath>, RepoError>;

    /// Whether `new` descends from `old`; not where `old` does not exist any more.
    fn descends(&self, new: &ObjectId, old: &ObjectId) -> Result<bool, RepoError>;

    /// Whether two commits have one in common.
    fn related(&self, one: &ObjectId, other: &ObjectId) -> Result<bool, RepoError>;

    /// What the commits that HEAD has and `base` has not have newly brought in, oldest first.
    fn introduced(&self, base: &ObjectId) -> Result<Vec<Introduced>, RepoError>;

    /// The commits that `tip` (else HEAD) has and `base` has not, with the trees and files that came with them.
    fn objects_between(
        &self,
        base: &ObjectId,
        tip: Option<&ObjectId>,
    ) -> Result<BTreeSet<ObjectId>, RepoError>;

    /// What changed from one commit to the other; without `old`, from the first parent of `new`, or from nothing.
    fn difference(&self, old: Option<&ObjectId>, new: &ObjectId) -> Result<Difference, RepoError>;

    /// Offers the versions of `path` along the first parents of `newest` (else HEAD), newest first, until one is
    /// accepted; the newest commit that has it, shortened.
    fn seek_version(
        &self,
        newest: Option<&ObjectId>,
        path: &RepoPath,
        accept: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<Option<String>, RepoError>;

    /// The name of the commit's tree with these changes, whether or not what they name is stored. Stores nothing.
    fn tree_with(&self, commit: &ObjectId, changes: &Changes) -> Result<ObjectId, RepoError>;

    /// Stores ordinary files as git would, durably; their objects, in their order. Each comes with the object that is
    /// expected, so that what exists already is not stored twice.
    fn store_files(&self, files: &[(&RepoPath, &ObjectId)]) -> Result<Vec<ObjectId>, RepoError>;

    /// Stores these contents (of links, their targets) as they are, durably; likewise.
    fn store_contents(&self, contents: &[(Vec<u8>, &ObjectId)]) -> Result<Vec<ObjectId>, RepoError>;

    /// Makes the order's commits on top of each other, durably, where they change anything; `changes`: one for each
    /// plan, all stored. Moves no branch.
    fn make_commits(&self, order: &CommitOrder<'_>, changes: &[Changes]) -> Result<Made, RepoError>;

    /// Stores a commit by nobody, without a time, durably: the same content is the same commit.
    fn store_copy(&self, copy: &Copy<'_>) -> Result<ObjectId, RepoError>;

    /// Lets these references name these objects, whatever they named before.
    fn name_objects(&self, names: &BTreeMap<String, ObjectId>) -> Result<(), RepoError>;

    /// Deletes references; one that is not there is no error.
    fn forget_names(&self, names: &[String]) -> Result<(), RepoError>;

    /// Writes HEAD's files into a work tree that has none yet.
    fn check_out(&self) -> Result<(), RepoError>;

    /// Puts back files that are not there, and an index where there is none; what was changed stays changed.
    fn restore_missing(&self) -> Result<(), RepoError>;

    /// What a work tree holds beside HEAD's files.
    fn beside_head(&self) -> Result<BesideHead, RepoError>;

    /// Moves a branch durably, by compare-and-swap; waits for another git's lock, with a limit.
    fn move_branch(&self, branch: &str, from: &ObjectId, to: &ObjectId, log: &str) -> Result<(), RepoError>;

    /// What the repository wants to be done when commits are on the branch. Its failure changes nothing.
    fn after_commits(&self, order: &CommitOrder<'_>);

    /// Makes this copy of the index hold the new versions of these paths, durably; in git's words why not.
    fn write_index(
        &self,
        copy: &Path,
        due: &BTreeMap<&RepoPath, &Versions>,
        work_tree: WorkTree,
    ) -> Result<(), String>;

    /// The commits that `tip` has and none of `without` has, along first parents, oldest first.
    fn main_line(&self, without: [&ObjectId; 2], tip: &ObjectId) -> Result<Vec<StoredCommit>, RepoError>;

    /// Stores the commit's tree with these changes, durably.
    fn store_tree(&self, commit: &ObjectId, changes: &Changes) -> Result<ObjectId, RepoError>;

    /// Stores a commit at the clock's now, durably, signed where the repository wants it and this way can.
    fn store_commit(&self, commit: &NewCommit<'_>) -> Result<ObjectId, RepoError>;

    /// Stores a commit with this content, durably, signed likewise.
    fn store_replayed(&self, content: &[u8]) -> Result<ObjectId, RepoError>;

    /// Merges in memory, renames followed. What it stores need not be durable.
    fn merge(&self, merge: &Merge<'_>) -> Result<Merged, RepoError>;

    /// What the index has at these paths, below them, and in the place of their directories.
    fn staged_around(&self, paths: &BTreeSet<&RepoPath>) -> Result<BTreeMap<RepoPath, Staged>, RepoError>;

    /// Which of these paths git takes for unchanged since their version came into the index.
    fn unmodified(&self, paths: &[&RepoPath]) -> Result<BTreeSet<RepoPath>, RepoError>;

    /// Writes files below an empty directory, as a checkout would have them (conversions, modes, links); the attributes that
    /// hold are those among them. What a sparse checkout leaves out is left out.
    fn export(&self, files: &BTreeMap<&RepoPath, &Blob>, directory: &Path) -> Result<(), RepoError>;

    /// Marks these entries of this copy of the index as not to be in the work tree; in git's words why not.
    fn skip_in_index(&self, copy: &Path, paths: &BTreeSet<&RepoPath>) -> Result<(), String>;
}

/// What all work trees of a repository share, as far as one more work tree needs it.
pub(super) trait Shared {
    /// Whether this branch has a commit.
    fn has_branch(&self, branch: &str) -> Result<bool, RepoError>;

    /// The keys `filter.*.smudge` and `filter.*.process`.
    fn filter_keys(&self) -> Result<Vec<String>, RepoError>;

    /// The contents of every `.gitattributes` of a branch.
    fn attributes(&self, branch: &str) -> Result<Vec<Vec<u8>>, RepoError>;
}
