//! Copies of what a person has not committed, kept by git under names of their own while an agent is at work.
//!
//! Nothing here writes the work tree, the index, a branch or the stash. The names are below `refs/baton-rescue/`, which
//! no push sends and no checkout shows; they go when the turn ends with everything in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use git2::{ErrorCode, Oid};
use serde::{Deserialize, Serialize};

use super::content::ContentReader;
use super::error::RepoError;
use super::head::Head;
use super::object::{object_id, oid, sync_loose_object};
use super::open::Repo;
use super::surroundings::Surroundings;
use super::tree::{TreeChange, edit_tree, write_to};
use crate::model::TurnId;
use crate::publish::{Content, DirtyRecord, ObjectId, RepoPath};

pub(super) const PREFIX: &str = "refs/baton-rescue/";

/// A larger file is not copied.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// As much is copied in one turn.
const MAX_TOTAL: u64 = 64 * 1024 * 1024;
/// As many files: each that git does not have yet costs an fsync.
const MAX_FILES: usize = 1000;

/// The copies of one turn, stored and not yet named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rescue {
    /// A commit of HEAD's tree with the dirty paths as the work tree held them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<ObjectId>,
    /// A commit of HEAD's tree with the staged entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staged: Option<ObjectId>,
    /// A commit whose parents are the stash entries and the other branches and tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<ObjectId>,
    /// Dirty paths without a copy: too large, too many, or unreadable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<RepoPath>,
}

impl Rescue {
    /// The name of a turn's copy, for commands: `branch`, `files`, `staged` or `kept`.
    pub fn name(turn: TurnId, part: &str) -> String {
        format!("{PREFIX}{turn}/{part}")
    }

    fn parts(&self) -> impl Iterator<Item = (&'static str, &ObjectId)> {
        [("files", &self.files), ("staged", &self.staged), ("kept", &self.kept)]
            .into_iter()
            .filter_map(|(part, id)| Some((part, id.as_ref()?)))
    }
}

impl Repo {
    /// Stores copies of the dirty paths and staged entries, durably; names nothing yet. Nothing is stored where the
    /// tree is clean and there is neither a stash nor another branch.
    pub fn store_rescue(
        &self,
        head: &Head,
        dirty: &DirtyRecord,
        surroundings: &Surroundings,
    ) -> Result<Rescue, RepoError> {
        let failed = self.failed("store copies of uncommitted changes");
        let parent = oid(&head.commit).map_err(&failed)?;
        let (files, left_out) = self.store_dirty(dirty)?;
        let mut staged = BTreeMap::new();
        for (path, blob) in &surroundings.staged {
            let change = match blob {
                None => TreeChange::Remove,
                Some(blob) => {
                    let id = oid(&blob.id).map_err(&failed)?;
                    // An entry that was only announced (`git add -N`) has no content.
                    if !self.git.odb().map_err(&failed)?.exists(id) {
                        continue;
                    }
                    self.sync(id)?;
                    TreeChange::Put { id, mode: blob.mode }
                }
            };
            staged.insert(path.clone(), change);
        }
        let commit = |changes: &BTreeMap<RepoPath, TreeChange>, what| {
            (!changes.is_empty()).then(|| self.rescue_commit(&[parent], changes, what)).transpose()
        };
        let rescue = Rescue {
            files: commit(&files, "uncommitted files before a turn")?,
            staged: commit(&staged, "staged entries before a turn")?,
            kept: self.store_kept(parent, surroundings)?,
            left_out,
        };
        if rescue.parts().next().is_some() {
            let objects = self.common_dir().join("objects");
            File::open(&objects)
                .and_then(|directory| directory.sync_all())
                .map_err(|source| RepoError::Io { doing: "sync", path: objects, source })?;
        }
        Ok(rescue)
    }

    fn store_dirty(
        &self,
        dirty: &DirtyRecord,
    ) -> Result<(BTreeMap<RepoPath, TreeChange>, Vec<RepoPath>), RepoError> {
        let (mut changes, mut left_out) = (BTreeMap::new(), Vec::new());
        if dirty.is_empty() {
            return Ok((changes, left_out));
        }
        let failed = self.failed("store copies of uncommitted changes");
        let odb = self.git.odb().map_err(&failed)?;
        let mut reader = ContentReader::new(self)?;
        let (mut total, mut count) = (0, 0);
        for (path, dirty) in dirty.iter() {
            match &dirty.content {
                Content::Deleted => {
                    changes.insert(path.clone(), TreeChange::Remove);
                }
                Content::File(blob) if dirty.head.as_ref() == Some(blob) => {}
                Content::File(blob) => {
                    let wanted = oid(&blob.id).map_err(&failed)?;
                    let fits = dirty.size <= MAX_FILE && total + dirty.size <= MAX_TOTAL && count < MAX_FILES;
                    let stored = if fits { reader.store(path, blob, dirty.head.as_ref())? } else { None };
                    // Another version of it may be in the work tree by now; this one may be git's already.
                    match stored.or_else(|| odb.exists(wanted).then_some(wanted)) {
                        Some(id) => {
                            changes.insert(path.clone(), TreeChange::Put { id, mode: blob.mode });
                            total += dirty.size;
                            count += 1;
                        }
                        None => left_out.push(path.clone()),
                    }
                }
                Content::Unreadable => left_out.push(path.clone()),
                Content::Submodule(_) | Content::NestedRepository | Content::Special => {}
            }
        }
        Ok((changes, left_out))
    }

    /// The same from turn to turn while nobody stashes or moves a branch: then git has it already.
    fn store_kept(&self, head: Oid, surroundings: &Surroundings) -> Result<Option<ObjectId>, RepoError> {
        let failed = self.failed("keep stashes and branches");
        let stashes = surroundings.stashes.iter().map(|stash| &stash.id);
        let mut parents = BTreeSet::new();
        for id in stashes.chain(surroundings.refs.values()) {
            let object = oid(id).and_then(|id| self.git.find_object(id, None));
            if let Ok(commit) = object.and_then(|object| object.peel_to_commit())
                && commit.id() != head
            {
                parents.insert(commit.id());
            }
        }
        if parents.is_empty() {
            return Ok(None);
        }
        let empty = write_to(&self.git)(&[]).map_err(&failed)?;
        let parents: Vec<Oid> = parents.into_iter().collect();
        self.write_commit(empty, &parents, "stashes, branches and tags before a turn").map(Some)
    }

    fn rescue_commit(
        &self,
        parents: &[Oid],
        changes: &BTreeMap<RepoPath, TreeChange>,
        message: &str,
    ) -> Result<ObjectId, RepoError> {
        let failed = self.failed("store copies of uncommitted changes");
        let base = parents.first().copied().unwrap_or(Oid::ZERO_SHA1);
        let base = self.git.find_commit(base).and_then(|commit| commit.tree()).map_err(&failed)?;
        let tree = edit_tree(&self.git, &base, changes, &write_to(&self.git)).map_err(&failed)?;
        self.write_commit(tree, parents, message)
    }

    /// Without a time, so that the same content is the same commit.
    fn write_commit(&self, tree: Oid, parents: &[Oid], message: &str) -> Result<ObjectId, RepoError> {
        let failed = self.failed("store copies of uncommitted changes");
        let write = || {
            let who = git2::Signature::new("baton", "baton@localhost", &git2::Time::new(0, 0))?;
            let tree = self.git.find_tree(tree)?;
            let parents: Vec<_> =
                parents.iter().map(|id| self.git.find_commit(*id)).collect::<Result<_, _>>()?;
            let parents: Vec<_> = parents.iter().collect();
            self.git.commit(None, &who, &who, message, &tree, &parents)
        };
        write().map(object_id).map_err(failed)
    }

    fn sync(&self, id: Oid) -> Result<(), RepoError> {
        let objects = self.common_dir().join("objects");
        sync_loose_object(&objects, id).map_err(|source| RepoError::Io {
            doing: "sync",
            path: objects,
            source,
        })
    }

    /// Names the copies, and the claim's commit, so that git keeps them; what is named already stays.
    pub fn keep_rescue(&self, turn: TurnId, head: &Head, rescue: &Rescue) -> Result<(), RepoError> {
        let failed = self.failed("name the copies of uncommitted changes");
        self.name_commit(turn, &head.commit)?;
        for (part, id) in rescue.parts() {
            let name = Rescue::name(turn, part);
            let id = oid(id).map_err(&failed)?;
            self.git.reference(&name, id, true, "baton: before a turn").map_err(&failed)?;
        }
        Ok(())
    }

    /// Without fsync: only a rewritten history together with a loss of power would need it.
    fn name_commit(&self, turn: TurnId, commit: &ObjectId) -> Result<(), RepoError> {
        let path: PathBuf = self.common_dir().join(Rescue::name(turn, "branch"));
        let write = || {
            if let Some(directory) = path.parent() {
                std::fs::create_dir_all(directory)?;
            }
            File::create(&path)?.write_all(format!("{commit}\n").as_bytes())
        };
        write().map_err(|source| RepoError::Io { doing: "write", path: path.clone(), source })
    }

    /// Forgets the names of a turn's copies. The objects go when git collects its garbage.
    pub fn drop_rescue(&self, turn: TurnId) -> Result<(), RepoError> {
        let failed = self.failed("forget the copies of uncommitted changes");
        for part in ["branch", "files", "staged", "kept"] {
            match self.git.find_reference(&Rescue::name(turn, part)).and_then(|mut it| it.delete()) {
                Ok(()) => {}
                Err(error) if error.code() == ErrorCode::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }
}
