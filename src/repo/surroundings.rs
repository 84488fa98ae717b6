//! What lies around a turn's work and is not the turn's: staged entries, stashes, other branches and tags, and the
//! files by which git is told what to do and what to run.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::backend::{InIndex, Known};
use super::error::RepoError;
use super::open::Repo;
use crate::publish::{Blob, Content, DirtyPath, DirtyRecord, ObjectId, RepoPath};

/// More branches and tags than this are not noted one by one at each claim.
const MAX_REFS: usize = 4096;

const STASH: &str = "refs/stash";

/// One entry of the stash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StashEntry {
    /// Its commit.
    pub id: ObjectId,
    /// Its description.
    pub message: String,
}

/// The configured remotes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteUrls {
    /// `url`: fetched from, and pushed to where there is no `pushurl`.
    pub fetch: Vec<String>,
    /// `pushurl`.
    pub push: Vec<String>,
}

/// What is not a turn's to change, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Surroundings {
    /// The dirty paths whose index entry differs from HEAD; `None`: the index has none.
    pub staged: BTreeMap<RepoPath, Option<Blob>>,
    /// The stash, newest first.
    pub stashes: Vec<StashEntry>,
    /// Full names of branches, tags and notes, without the branch that is checked out and the remote-tracking ones.
    /// Empty where there are more than 4096.
    pub refs: BTreeMap<String, ObjectId>,
    /// Digests of configuration, hooks, attributes and alternates, by their place in the git directory.
    pub settings: BTreeMap<String, ObjectId>,
}

impl Repo {
    /// The surroundings now. `dirty` says which index entries can differ from HEAD; `branch` is the claimed one.
    pub fn surroundings(&self, dirty: &DirtyRecord, branch: Option<&str>) -> Result<Surroundings, RepoError> {
        let references = self.backend.references()?;
        Ok(Surroundings {
            staged: self.staged(dirty)?,
            stashes: self.stashes(&references)?,
            refs: other_refs(references, branch),
            settings: self.settings()?,
        })
    }

    fn staged(&self, dirty: &DirtyRecord) -> Result<BTreeMap<RepoPath, Option<Blob>>, RepoError> {
        let staged = self.index_entries(dirty.iter().map(|(path, _)| path))?;
        Ok(dirty
            .iter()
            .zip(staged)
            .filter(|((_, dirty), staged)| dirty.head != *staged)
            .map(|((path, _), staged)| (path.clone(), staged))
            .collect())
    }

    /// What the index holds at these paths, in their order; of an unmerged path nothing.
    pub fn index_entries<'a>(
        &self,
        paths: impl Iterator<Item = &'a RepoPath>,
    ) -> Result<Vec<Option<Blob>>, RepoError> {
        let staged = self.backend.staged(&paths.collect::<Vec<_>>())?;
        Ok(staged.into_iter().map(InIndex::version).collect())
    }

    /// The URLs of `remote.*.url` and `remote.*.pushurl`, as they are written. What cannot be read is none.
    pub fn remote_urls(&self) -> RemoteUrls {
        let mut urls = RemoteUrls::default();
        for (name, value) in self.backend.remote_settings() {
            let list = if name.ends_with(".pushurl") { &mut urls.push } else { &mut urls.fetch };
            list.push(value);
        }
        urls
    }

    /// What HEAD's tree holds at these paths, in their order.
    pub fn in_head<'a>(
        &self,
        paths: impl Iterator<Item = &'a RepoPath>,
    ) -> Result<Vec<Option<Blob>>, RepoError> {
        let paths: Vec<&RepoPath> = paths.collect();
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        match self.head() {
            Ok(head) => self.backend.versions_at(&head.commit, &paths),
            Err(RepoError::NoCommits { .. }) => Ok(vec![None; paths.len()]),
            Err(error) => Err(error),
        }
    }

    /// The entries of the stash now, newest first.
    pub fn stash(&self) -> Result<Vec<StashEntry>, RepoError> {
        let tip = self.backend.find(&[STASH.to_owned()])?.pop().flatten();
        self.stashes(&tip.map(|tip| (STASH.to_owned(), tip.id)).into_iter().collect())
    }

    fn stashes(&self, references: &BTreeMap<String, ObjectId>) -> Result<Vec<StashEntry>, RepoError> {
        let Some(tip) = references.get(STASH) else { return Ok(Vec::new()) };
        let mut entries = self.backend.stash_log()?;
        if entries.is_empty() {
            entries.push(StashEntry { id: tip.clone(), message: String::new() });
        }
        Ok(entries)
    }

    /// The versions of files that a stash entry holds and its parent does not, its untracked files included.
    pub fn stashed_versions(&self, stash: &ObjectId) -> Result<BTreeMap<RepoPath, Blob>, RepoError> {
        let mut found = self.backend.difference(None, stash)?;
        if let Some(untracked) = self.backend.find(&[format!("{stash}^3^{{commit}}")])?.pop().flatten() {
            found.extend(self.backend.difference(None, &untracked.id)?);
        }
        Ok(found.into_iter().filter_map(|(path, versions)| Some((path, versions.new?))).collect())
    }

    fn settings(&self) -> Result<BTreeMap<String, ObjectId>, RepoError> {
        let mut digests = BTreeMap::new();
        let common = self.common_dir();
        let plain = ["config", "info/attributes", "info/exclude", "info/grafts", "objects/info/alternates"];
        for name in plain {
            self.digest(name.to_owned(), &common.join(name), &mut digests)?;
        }
        self.digest("config.worktree".to_owned(), &self.git_dir().join("config.worktree"), &mut digests)?;
        if let Ok(hooks) = std::fs::read_dir(common.join("hooks")) {
            for hook in hooks.flatten() {
                let name = hook.file_name().to_string_lossy().into_owned();
                let path = hook.path();
                let runs = path.metadata().is_ok_and(|it| it.permissions().mode() & 0o111 != 0);
                if !name.ends_with(".sample") {
                    let runs = if runs { "" } else { " (not executable)" };
                    self.digest(format!("hooks/{name}{runs}"), &path, &mut digests)?;
                }
            }
        }
        Ok(digests)
    }

    /// A file that cannot be read is noted as an empty one: what counts is that it becomes another.
    fn digest(
        &self,
        name: String,
        path: &Path,
        digests: &mut BTreeMap<String, ObjectId>,
    ) -> Result<(), RepoError> {
        if path.symlink_metadata().is_ok() {
            let bytes = std::fs::read(path).unwrap_or_default();
            digests.insert(name, self.backend.hash_bytes(&bytes)?);
        }
        Ok(())
    }

    /// What the work tree holds now at the paths of a record.
    pub fn look_again<'a>(
        &self,
        paths: impl Iterator<Item = (&'a RepoPath, &'a DirtyPath)>,
    ) -> Result<BTreeMap<RepoPath, Content>, RepoError> {
        let (mut found, mut others) = (BTreeMap::new(), Vec::new());
        for (path, was) in paths {
            if was.content == Content::NestedRepository && self.place().absolute(path).is_dir() {
                found.insert(path.clone(), Content::NestedRepository);
                continue;
            }
            let known = was.head.clone().or(match &was.content {
                Content::File(blob) => Some(blob.clone()),
                _ => None,
            });
            others.push((path.clone(), Known { head: known, index: None }));
        }
        for (path, dirty) in self.look_at(others)?.iter() {
            found.insert(path.clone(), dirty.content.clone());
        }
        Ok(found)
    }

    /// Whether `old` is `new` or below it; a commit that is not there any more is not.
    pub fn is_below(&self, old: &ObjectId, new: &ObjectId) -> bool {
        old == new || self.backend.descends(new, old).unwrap_or(false)
    }

    /// The commit of this name, which may be shortened; `None` where there is none.
    pub fn commit_named(&self, name: &str) -> Option<ObjectId> {
        let name = Some(format!("{name}^{{commit}}")).filter(|name| !name.contains('\n'))?;
        Some(self.backend.find(&[name]).ok()?.pop()??.id)
    }

    /// Whether the branch exists.
    pub fn has_branch(&self, branch: &str) -> bool {
        self.commit_named(&format!("refs/heads/{branch}")).is_some()
    }

    /// The paths that differ between the trees of two commits.
    pub fn paths_between(&self, old: &ObjectId, new: &ObjectId) -> Result<Vec<RepoPath>, RepoError> {
        Ok(self.backend.difference(Some(old), new)?.into_keys().collect())
    }

    /// The paths that a commit changes against its first parent; all of them where it has none.
    pub fn paths_of(&self, commit: &ObjectId) -> Result<Vec<RepoPath>, RepoError> {
        Ok(self.backend.difference(None, commit)?.into_keys().collect())
    }
}

/// What is in other hands than the turn's. Remote-tracking references and those of operations in progress are nobody's.
fn other_refs(
    mut references: BTreeMap<String, ObjectId>,
    branch: Option<&str>,
) -> BTreeMap<String, ObjectId> {
    let own = branch.map(|branch| format!("refs/heads/{branch}"));
    let aside =
        ["refs/remotes/", "refs/baton/", super::rescue::PREFIX, STASH, "refs/bisect/", "refs/rewritten/"];
    references.retain(|name, _| {
        own.as_deref() != Some(name.as_str()) && !aside.iter().any(|aside| name.starts_with(aside))
    });
    if references.len() > MAX_REFS { BTreeMap::new() } else { references }
}
