//! What lies around a turn's work and is not the turn's: staged entries, stashes, other branches and tags, and the
//! files by which git is told what to do and what to run.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid};
use serde::{Deserialize, Serialize};

use super::content::ContentReader;
use super::error::RepoError;
use super::object::{file_mode, object_id, oid};
use super::open::Repo;
use crate::publish::{Blob, Content, DirtyPath, DirtyRecord, ObjectId, RepoPath};

/// More branches and tags than this are not noted one by one at each claim.
const MAX_REFS: usize = 4096;

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
        Ok(Surroundings {
            staged: self.staged(dirty)?,
            stashes: self.stashes()?,
            refs: self.other_refs(branch)?,
            settings: self.settings()?,
        })
    }

    fn staged(&self, dirty: &DirtyRecord) -> Result<BTreeMap<RepoPath, Option<Blob>>, RepoError> {
        let paths: Vec<(&RepoPath, Option<Blob>)> =
            dirty.iter().map(|(path, dirty)| (path, dirty.head.clone())).collect();
        let staged = self.index_entries(paths.iter().map(|(path, _)| *path))?;
        Ok(paths
            .into_iter()
            .zip(staged)
            .filter(|((_, head), staged)| head != staged)
            .map(|((path, _), staged)| (path.clone(), staged))
            .collect())
    }

    /// What the index holds at these paths, in their order; of an unmerged path nothing.
    pub fn index_entries<'a>(
        &self,
        paths: impl Iterator<Item = &'a RepoPath>,
    ) -> Result<Vec<Option<Blob>>, RepoError> {
        let mut paths = paths.peekable();
        if paths.peek().is_none() {
            return Ok(Vec::new());
        }
        let failed = self.failed("read the index");
        let mut index = self.git.index().map_err(&failed)?;
        index.read(false).map_err(&failed)?;
        Ok(paths
            .map(|path| {
                let entry = index.get_path(path.as_path(), 0)?;
                Some(Blob { id: object_id(entry.id), mode: file_mode(entry.mode)? })
            })
            .collect())
    }

    /// The URLs of `remote.*.url` and `remote.*.pushurl`, as they are written. What cannot be read is none.
    pub fn remote_urls(&self) -> RemoteUrls {
        let mut urls = RemoteUrls::default();
        let Ok(entries) = self.git.config().and_then(|mut config| config.snapshot()) else { return urls };
        let Ok(entries) = entries.entries(Some(r"^remote\..*\.(url|pushurl)$")) else { return urls };
        let _ = entries.for_each(|entry| {
            let (Ok(name), Ok(value)) = (entry.name(), entry.value()) else { return };
            let list = if name.ends_with(".pushurl") { &mut urls.push } else { &mut urls.fetch };
            list.push(value.to_owned());
        });
        urls
    }

    /// What HEAD's tree holds at a path.
    pub fn in_head(&self, path: &RepoPath) -> Option<Blob> {
        let tree = self.git.head().and_then(|head| head.peel_to_tree()).ok()?;
        let entry = tree.get_path(path.as_path()).ok()?;
        #[expect(clippy::cast_sign_loss, reason = "a file mode is never negative")]
        let mode = file_mode(entry.filemode_raw() as u32)?;
        Some(Blob { id: object_id(entry.id()), mode })
    }

    /// The stash, newest first.
    pub fn stashes(&self) -> Result<Vec<StashEntry>, RepoError> {
        const NAME: &str = "refs/stash";
        let failed = self.failed("read the stash");
        let tip = match self.git.find_reference(NAME) {
            Ok(reference) => reference.target(),
            Err(error) if error.code() == ErrorCode::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let Some(tip) = tip else { return Ok(Vec::new()) };
        // libgit2 would make an empty log where there is none.
        if !self.common_dir().join("logs").join(NAME).is_file() {
            return Ok(vec![StashEntry { id: object_id(tip), message: String::new() }]);
        }
        let log = self.git.reflog(NAME).map_err(&failed)?;
        Ok(log
            .iter()
            .map(|entry| StashEntry {
                id: object_id(entry.id_new()),
                message: String::from_utf8_lossy(entry.message_bytes().unwrap_or_default()).into_owned(),
            })
            .collect())
    }

    /// The versions of files that a stash entry holds and its parent does not, its untracked files included.
    pub fn stashed_versions(&self, stash: &ObjectId) -> Result<BTreeMap<RepoPath, Blob>, RepoError> {
        let failed = self.failed("read the stash");
        let commit = oid(stash).and_then(|id| self.git.find_commit(id)).map_err(&failed)?;
        let tree = commit.tree().map_err(&failed)?;
        let before = commit.parent(0).and_then(|parent| parent.tree()).ok();
        let untracked = commit.parent(2).and_then(|parent| parent.tree()).ok();
        let mut versions = BTreeMap::new();
        for (old, new) in [(before.as_ref(), Some(&tree)), (None, untracked.as_ref())] {
            let Some(new) = new else { continue };
            let diff = self.git.diff_tree_to_tree(old, Some(new), None).map_err(&failed)?;
            for delta in diff.deltas() {
                let file = delta.new_file();
                if let (Some(path), Some(mode)) = (file.path_bytes(), file_mode(u32::from(file.mode())))
                    && !file.id().is_zero()
                {
                    let blob = Blob { id: object_id(file.id()), mode };
                    versions.insert(RepoPath::from_bytes(path), blob);
                }
            }
        }
        Ok(versions)
    }

    fn other_refs(&self, branch: Option<&str>) -> Result<BTreeMap<String, ObjectId>, RepoError> {
        let failed = self.failed("list the branches and tags");
        let own = branch.map(|branch| format!("refs/heads/{branch}"));
        let aside = ["refs/remotes/", super::rescue::PREFIX, "refs/stash", "refs/bisect/", "refs/rewritten/"];
        let mut refs = BTreeMap::new();
        for reference in self.git.references().map_err(&failed)? {
            // One that is deleted just now is none.
            let Ok(reference) = reference else { continue };
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            if own.as_deref() == Some(name.as_str()) || aside.iter().any(|aside| name.starts_with(aside)) {
                continue;
            }
            if let Some(target) = reference.target() {
                refs.insert(name, object_id(target));
            }
            if refs.len() > MAX_REFS {
                return Ok(BTreeMap::new());
            }
        }
        Ok(refs)
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
            let id = Oid::hash_object(ObjectType::Blob, &bytes).map_err(self.failed("read the settings"))?;
            digests.insert(name, object_id(id));
        }
        Ok(())
    }

    /// What the work tree holds now at the paths of a record.
    pub fn look_again<'a>(
        &self,
        paths: impl Iterator<Item = (&'a RepoPath, &'a DirtyPath)>,
    ) -> Result<BTreeMap<RepoPath, Content>, RepoError> {
        let mut reader = None;
        let mut found = BTreeMap::new();
        for (path, was) in paths {
            let reader = match &mut reader {
                Some(reader) => reader,
                none => none.insert(ContentReader::new(self)?),
            };
            let content = match was.content {
                Content::NestedRepository if self.root().join(path.as_path()).is_dir() => {
                    Content::NestedRepository
                }
                _ => {
                    let known = was.head.clone().or(match &was.content {
                        Content::File(blob) => Some(blob.clone()),
                        _ => None,
                    });
                    reader.read(path, known.as_ref())?.content
                }
            };
            found.insert(path.clone(), content);
        }
        Ok(found)
    }

    /// Whether `old` is `new` or below it; a commit that is not there any more is not.
    pub fn is_below(&self, old: &ObjectId, new: &ObjectId) -> bool {
        let (Ok(old), Ok(new)) = (oid(old), oid(new)) else { return false };
        old == new || self.git.graph_descendant_of(new, old).unwrap_or(false)
    }

    /// The commit of this name, which may be shortened; `None` where there is none.
    pub fn commit_named(&self, name: &str) -> Option<ObjectId> {
        let object = self.git.revparse_single(name).ok()?;
        Some(object_id(object.peel_to_commit().ok()?.id()))
    }

    /// Whether the branch exists.
    pub fn has_branch(&self, branch: &str) -> bool {
        self.git.find_reference(&format!("refs/heads/{branch}")).is_ok()
    }

    /// The paths that differ between the trees of two commits.
    pub fn paths_between(&self, old: &ObjectId, new: &ObjectId) -> Result<Vec<RepoPath>, RepoError> {
        let failed = self.failed("compare commits");
        let tree = |id| oid(id).and_then(|id| self.git.find_commit(id)).and_then(|commit| commit.tree());
        let (old, new) = (tree(old).map_err(&failed)?, tree(new).map_err(&failed)?);
        let difference = super::tree::tree_difference(&self.git, &old, &new).map_err(&failed)?;
        Ok(difference.into_keys().collect())
    }

    /// The paths that a commit changes against its first parent.
    pub fn paths_of(&self, commit: &ObjectId) -> Result<Vec<RepoPath>, RepoError> {
        let failed = self.failed("read a commit");
        let found = oid(commit).and_then(|id| self.git.find_commit(id)).map_err(&failed)?;
        match found.parent_id(0) {
            Ok(parent) => self.paths_between(&object_id(parent), commit),
            Err(_) => Ok(Vec::new()),
        }
    }
}
