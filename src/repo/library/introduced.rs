//! What commits have newly brought in.

use std::collections::{BTreeMap, BTreeSet};

use git2::{DiffOptions, ObjectType, Oid, Repository, Sort, Tree};

use super::super::error::RepoError;
use super::super::introduced::{Introduced, IntroducedFile};
use super::object::{file_mode, object_id, oid};
use super::open::Library;
use crate::publish::{Blob, FileMode, ObjectId, RepoPath};

/// Contents with what they replace, by path.
type Files = BTreeMap<RepoPath, (Blob, Option<ObjectId>)>;

impl Library {
    pub(super) fn list_introduced(&self, base: &ObjectId) -> Result<Vec<Introduced>, RepoError> {
        self.walk_introduced(base).map_err(self.failed("read the commits of the turn"))
    }

    fn walk_introduced(&self, base: &ObjectId) -> Result<Vec<Introduced>, git2::Error> {
        let mut walk = self.git.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
        walk.push_head()?;
        walk.hide(oid(base)?)?;
        let objects = self.git.odb()?;
        let mut found = Vec::new();
        for id in walk {
            let commit = self.git.find_commit(id?)?;
            let mut files = Vec::new();
            for (path, (blob, before)) in self.files_of(&commit)? {
                let (size, _) = objects.read_header(oid(&blob.id)?)?;
                files.push(IntroducedFile { path, blob, size: size as u64, before });
            }
            let short = commit.as_object().short_id()?;
            found.push(Introduced {
                commit: String::from_utf8_lossy(&short).into_owned(),
                message: commit.message_raw_bytes().to_vec(),
                files,
            });
        }
        Ok(found)
    }

    /// What differs from every parent; a merge's other files came with its parents.
    fn files_of(&self, commit: &git2::Commit<'_>) -> Result<Files, git2::Error> {
        let tree = commit.tree()?;
        let parents: Vec<Option<git2::Tree<'_>>> = if commit.parent_count() == 0 {
            vec![None]
        } else {
            commit.parents().map(|parent| parent.tree().map(Some)).collect::<Result<_, _>>()?
        };
        let mut files: Option<Files> = None;
        for parent in &parents {
            let mut options = DiffOptions::new();
            options.include_typechange(true).skip_binary_check(true);
            let diff = self.git.diff_tree_to_tree(parent.as_ref(), Some(&tree), Some(&mut options))?;
            let mut of_parent = BTreeMap::new();
            for delta in diff.deltas() {
                let file = delta.new_file();
                let mode = file_mode(u32::from(file.mode()));
                let (Some(path), Some(mode)) = (file.path_bytes(), mode) else { continue };
                if file.id().is_zero() || mode == FileMode::Submodule {
                    continue;
                }
                let blob = Blob { id: object_id(file.id()), mode };
                let old = delta.old_file().id();
                of_parent
                    .insert(RepoPath::from_bytes(path), (blob, (!old.is_zero()).then(|| object_id(old))));
            }
            files = Some(match files {
                None => of_parent,
                Some(mut files) => {
                    files.retain(|path, (_, before)| {
                        let other = of_parent.get(path);
                        if let Some((_, Some(other))) = other {
                            before.get_or_insert_with(|| other.clone());
                        }
                        other.is_some()
                    });
                    files
                }
            });
        }
        Ok(files.unwrap_or_default())
    }

    /// `tip`: HEAD where it is not given.
    pub(super) fn list_objects(
        &self,
        base: &ObjectId,
        tip: Option<&ObjectId>,
    ) -> Result<BTreeSet<ObjectId>, RepoError> {
        let list = || {
            let tip = match tip {
                None => self.git.refname_to_id("HEAD")?,
                Some(tip) => oid(tip)?,
            };
            let objects = objects_since(&self.git, oid(base)?, tip, usize::MAX)?.unwrap_or_default();
            Ok(objects.into_iter().map(object_id).collect())
        };
        list().map_err(self.failed("read the new commits"))
    }
}

/// The commits, trees and files that `tip` has and `base` has not; more than these where a merge brings some along. `None`: they
/// are so many or more.
pub(in super::super) fn objects_since(
    git: &Repository,
    base: Oid,
    tip: Oid,
    many: usize,
) -> Result<Option<BTreeSet<Oid>>, git2::Error> {
    let mut walk = git.revwalk()?;
    walk.push(tip)?;
    walk.hide(base)?;
    let mut objects = BTreeSet::new();
    for id in walk {
        if objects.len() >= many {
            return Ok(None);
        }
        let commit = git.find_commit(id?)?;
        let parent = commit.parent(0).and_then(|parent| parent.tree()).ok();
        objects.insert(commit.id());
        new_objects(git, &commit.tree()?, parent.as_ref(), &mut objects)?;
    }
    Ok((objects.len() < many).then_some(objects))
}

fn new_objects(
    git: &Repository,
    tree: &Tree<'_>,
    parent: Option<&Tree<'_>>,
    objects: &mut BTreeSet<Oid>,
) -> Result<(), git2::Error> {
    if parent.is_some_and(|parent| parent.id() == tree.id()) || !objects.insert(tree.id()) {
        return Ok(());
    }
    for entry in tree {
        let before = parent.and_then(|parent| parent.get_name_bytes(entry.name_bytes()));
        if before.as_ref().is_some_and(|before| before.id() == entry.id()) {
            continue;
        }
        match entry.kind() {
            Some(ObjectType::Tree) => {
                let below = git.find_tree(entry.id())?;
                let before = before.and_then(|before| git.find_tree(before.id()).ok());
                new_objects(git, &below, before.as_ref(), objects)?;
            }
            Some(ObjectType::Blob) => {
                objects.insert(entry.id());
            }
            // A submodule's commit is in another repository.
            _ => {}
        }
    }
    Ok(())
}
