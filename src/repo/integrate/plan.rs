//! What is to be done to the work tree to bring it from one commit to another, and what is in the way.
//!
//! Only the paths that differ are looked at, with their directories. A path is in the way unless it holds the old version
//! or the new one, in the work tree and in the index alike.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::look::{Looking, Mark, Seen};
use crate::publish::{Blob, FileMode, ObjectId, RepoPath};
use crate::repo::backend::{Difference, Staged, Versions};
use crate::repo::error::RepoError;
use crate::repo::open::Repo;
use crate::repo::work_file::Looker;

/// What is to be done, path by path.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is in the way: then nothing may be done.
    pub(super) overlaps: BTreeSet<RepoPath>,
    /// Every path that differs, with both versions.
    pub(super) versions: Difference,
    /// What the index has there.
    pub(super) staged: BTreeMap<RepoPath, Staged>,
    /// Files that go, and how to recognise them.
    pub(super) removals: BTreeMap<RepoPath, Mark>,
    /// Files that come, and what they replace.
    pub(super) writes: BTreeMap<RepoPath, Option<Mark>>,
    /// Files that are gone already; their directories may be left, after a kill.
    pub(super) gone: BTreeSet<RepoPath>,
    /// Directories that go if nothing is in them.
    pub(super) vacated: BTreeSet<RepoPath>,
    /// Empty directories that come.
    pub(super) directories: BTreeSet<RepoPath>,
    /// Paths that the work tree is meant not to have.
    pub(super) skipped: BTreeSet<RepoPath>,
}

/// A file or link that holds something, to be compared with both versions.
struct Held {
    path: RepoPath,
    metadata: Metadata,
}

const fn is_submodule(version: Option<&Blob>) -> bool {
    matches!(version, Some(Blob { mode: FileMode::Submodule, .. }))
}

fn ancestors(path: &RepoPath) -> impl Iterator<Item = RepoPath> {
    let parents = path.as_path().ancestors().skip(1);
    parents.filter(|parent| !parent.as_os_str().is_empty()).map(RepoPath::from_path)
}

impl Plan {
    /// Whether this path is to go, or is no file of the new commit.
    fn is_to_go(&self, path: &RepoPath) -> bool {
        self.versions.get(path).is_some_and(|versions| versions.new.is_none())
    }

    /// The index must have the old version or the new one.
    fn check_staged(&mut self, path: &RepoPath, versions: &Versions) {
        let fits = match self.staged.get(path) {
            None => versions.old.is_none() || versions.new.is_none(),
            Some(Staged { blob: None, .. }) => false,
            Some(Staged { blob, .. }) => *blob == versions.old || *blob == versions.new,
        };
        if !fits {
            self.overlaps.insert(path.clone());
        }
        if versions.new.is_some() {
            let others: Vec<RepoPath> = self.staged_in_the_way(path).cloned().collect();
            self.overlaps.extend(others);
        }
    }

    /// What the index has in the place of a directory of this path, or below it, and would not go: it cannot have a file
    /// and a directory of one name.
    pub(super) fn staged_in_the_way(&self, path: &RepoPath) -> impl Iterator<Item = &RepoPath> {
        let below = [path.as_bytes(), b"/"].concat();
        let above = ancestors(path).filter_map(|parent| Some(self.staged.get_key_value(&parent)?.0));
        let entries = self.staged.range(RepoPath::from_bytes(below.clone())..).map(|(path, _)| path);
        let others = above.chain(entries.take_while(move |path| path.as_bytes().starts_with(&below)));
        others.filter(|other| !self.is_to_go(other))
    }

    /// Whether the index has exactly what was there before.
    pub(super) fn has_old_staged(&self, path: &RepoPath) -> bool {
        self.versions.get(path).is_some_and(|versions| self.is_staged(path, versions.old.as_ref()))
    }

    fn is_staged(&self, path: &RepoPath, version: Option<&Blob>) -> bool {
        match self.staged.get(path) {
            None => version.is_none(),
            Some(staged) => staged.blob.is_some() && staged.blob.as_ref() == version,
        }
    }

    /// Leaves out everything else than these paths, what is in the way, what is staged otherwise than it is to be, and
    /// what could not come because of them.
    pub(super) fn keep_only(&mut self, paths: &[RepoPath]) {
        let paths: BTreeSet<&RepoPath> = paths.iter().collect();
        let stays = |(path, versions): &(&RepoPath, &Versions)| {
            !paths.contains(path)
                || self.overlaps.contains(*path)
                || !self.is_staged(path, versions.new.as_ref())
        };
        let staying = self.versions.iter().filter(stays).map(|(path, _)| path);
        let others: BTreeSet<RepoPath> = staying.chain(&self.overlaps).cloned().collect();
        let above: BTreeSet<RepoPath> = others.iter().flat_map(ancestors).collect();
        let may_come = |path: &RepoPath| {
            !others.contains(path)
                && !above.contains(path)
                && !ancestors(path).any(|parent| others.contains(&parent))
        };
        self.removals.retain(|path, _| !others.contains(path));
        self.gone.retain(|path| !others.contains(path));
        self.writes.retain(|path, _| may_come(path));
        self.vacated.retain(|path| may_come(path));
        self.directories.retain(|path| may_come(path));
    }

    /// What is to be done where the content need not be looked at; else what must be compared.
    fn look(
        &mut self,
        path: &RepoPath,
        versions: &Versions,
        owned: bool,
        looking: &mut Looking<'_>,
    ) -> Result<Option<Held>, RepoError> {
        let (old, new) = (versions.old.as_ref(), versions.new.as_ref());
        let was_file = old.is_some() && !is_submodule(old);
        let seen = looking.at(path)?;
        if matches!(seen, Seen::Nothing) && self.staged.get(path).is_some_and(|staged| staged.skipped) {
            self.skipped.extend(new.map(|_| path.clone()));
            return Ok(None);
        }
        match (seen, new) {
            (Seen::Entry(metadata), _) if owned && !metadata.is_dir() => {
                let mark = Mark::of(&metadata);
                match new {
                    Some(_) => drop(self.writes.insert(path.clone(), Some(mark))),
                    None => drop(self.removals.insert(path.clone(), mark)),
                }
            }
            (Seen::Entry(metadata), _) => {
                let is_comparable = metadata.is_file() || metadata.is_symlink();
                let concerns_files = was_file || !(new.is_none() || is_submodule(new));
                if is_comparable && concerns_files {
                    return Ok(Some(Held { path: path.clone(), metadata: *metadata }));
                }
                if concerns_files {
                    self.overlaps.insert(path.clone());
                }
            }
            (Seen::Directory, None) => {
                if is_submodule(old) && looking.other_below(path, &|_| false)?.is_none() {
                    self.vacated.insert(path.clone());
                }
            }
            (Seen::Directory, Some(_)) if is_submodule(new) => {}
            (Seen::Directory, Some(_)) => {
                let other = looking.other_below(path, &|inner| self.is_to_go(inner))?;
                let in_the_way = other.or_else(|| (was_file && !owned).then(|| path.clone()));
                match in_the_way {
                    Some(other) => drop(self.overlaps.insert(other)),
                    None => self.come(path, new, true),
                }
            }
            (Seen::Nothing, None) => drop(self.gone.insert(path.clone())),
            (Seen::Blocked(_), None) => {}
            (Seen::Blocked(by), Some(_)) => {
                if self.is_to_go(&by) && !is_submodule(self.versions[&by].old.as_ref()) {
                    self.come(path, new, false);
                } else {
                    self.overlaps.insert(by);
                }
            }
            // Somebody has deleted what was to be changed.
            (Seen::Nothing, Some(_)) if was_file && !owned && !is_submodule(new) => {
                self.overlaps.insert(path.clone());
            }
            (Seen::Nothing, Some(_)) => self.come(path, new, false),
        }
        Ok(None)
    }

    fn come(&mut self, path: &RepoPath, new: Option<&Blob>, vacate: bool) {
        self.vacated.extend(vacate.then(|| path.clone()));
        if is_submodule(new) {
            self.directories.insert(path.clone());
        } else {
            self.writes.insert(path.clone(), None);
        }
    }

    /// The file holds the old version: the new one comes in its place.
    fn replace(&mut self, path: &RepoPath, metadata: &Metadata) {
        let mark = Mark::of(metadata);
        let new = self.versions.get(path).and_then(|versions| versions.new.as_ref());
        if new.is_none() || is_submodule(new) {
            self.directories.extend(new.map(|_| path.clone()));
            self.removals.insert(path.clone(), mark);
        } else {
            self.writes.insert(path.clone(), Some(mark));
        }
    }
}

impl Repo {
    pub(super) fn plan_move(
        &self,
        from: &ObjectId,
        to: &ObjectId,
        owned: &[RepoPath],
    ) -> Result<Plan, RepoError> {
        let mut versions = self.backend.difference(Some(from), to)?;
        let same: Vec<&RepoPath> = owned.iter().filter(|path| !versions.contains_key(*path)).collect();
        for (path, version) in same.iter().zip(self.backend.versions_at(to, &same)?) {
            if version.is_some() {
                versions.insert((*path).clone(), Versions { new: version.clone(), old: version });
            }
        }
        let staged = self.backend.staged_around(&versions.keys().collect())?;
        let mut plan = Plan { versions: versions.clone(), staged, ..Plan::default() };
        let mut looking = Looking::new(self.place());
        let mut held = Vec::new();
        for (path, versions) in &versions {
            let is_owned = owned.contains(path);
            if !is_owned {
                plan.check_staged(path, versions);
            }
            held.extend(plan.look(path, versions, is_owned, &mut looking)?);
        }
        let others = self.compare(&mut plan, held)?;
        self.compare_closely(&mut plan, to, others)?;
        Ok(plan)
    }

    /// Files by the object that git would store for them; those that are neither version are left over.
    fn compare(&self, plan: &mut Plan, held: Vec<Held>) -> Result<Vec<Held>, RepoError> {
        let looker = Looker::new(self.backend.as_ref());
        let mut readable = Vec::new();
        for held in held {
            let absolute = self.place().absolute(&held.path);
            if held.metadata.is_file() && std::fs::File::open(absolute).is_err() {
                plan.overlaps.insert(held.path);
            } else {
                readable.push(held);
            }
        }
        let files: Vec<&RepoPath> =
            readable.iter().filter(|held| held.metadata.is_file()).map(|held| &held.path).collect();
        let hashed = self.backend.hash_files(&files)?;
        let mut ids: BTreeMap<RepoPath, Option<ObjectId>> =
            files.into_iter().cloned().zip(hashed.into_iter().map(|hashed| Some(hashed?.id))).collect();
        let mut others = Vec::new();
        for held in readable {
            let id = match ids.remove(&held.path) {
                Some(id) => id,
                None => self.link_id(&held.path)?,
            };
            let versions = &plan.versions[&held.path];
            let is = |version: Option<&Blob>| {
                let Some(version) = version else { return false };
                let mode = if held.metadata.is_symlink() {
                    FileMode::Symlink
                } else {
                    looker.file_mode(&held.metadata, Some(version))
                };
                id.as_ref() == Some(&version.id) && mode == version.mode
            };
            if is(versions.new.as_ref()) {
                continue;
            }
            if is(versions.old.as_ref()) {
                plan.replace(&held.path, &held.metadata);
            } else {
                others.push(held);
            }
        }
        Ok(others)
    }

    fn link_id(&self, path: &RepoPath) -> Result<Option<ObjectId>, RepoError> {
        match std::fs::read_link(self.place().absolute(path)) {
            Ok(target) => self.backend.hash_bytes(target.as_os_str().as_bytes()).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// What git itself takes for unchanged is (a file with line ends that it would not store so), and so is what holds byte
    /// by byte what would come. The rest is in the way.
    fn compare_closely(&self, plan: &mut Plan, to: &ObjectId, others: Vec<Held>) -> Result<(), RepoError> {
        if others.is_empty() {
            return Ok(());
        }
        let has_old = |held: &&Held| {
            let staged = plan.staged.get(&held.path).and_then(|staged| staged.blob.as_ref());
            staged.is_some() && staged == plan.versions[&held.path].old.as_ref()
        };
        let staged: Vec<&RepoPath> = others.iter().filter(has_old).map(|held| &held.path).collect();
        let unmodified = self.backend.unmodified(&staged)?;
        let (same, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|held| unmodified.contains(&held.path));
        for held in same {
            plan.replace(&held.path, &held.metadata);
        }
        let aside = tempfile::tempdir().map_err(|source| RepoError::Io {
            doing: "use",
            path: std::env::temp_dir(),
            source,
        })?;
        let coming = others.iter().map(|held| &held.path);
        let coming = coming
            .filter(|path| plan.versions[*path].new.as_ref().is_some_and(|new| !is_submodule(Some(new))));
        self.export_versions(plan, to, coming, aside.path())?;
        for held in others {
            let (there, here) = (aside.path().join(held.path.as_path()), self.place().absolute(&held.path));
            if !holds_the_same(&there, &here) {
                plan.overlaps.insert(held.path);
            }
        }
        Ok(())
    }

    /// Writes the new versions of these paths into an empty directory, as a checkout of that commit would.
    pub(super) fn export_versions<'a>(
        &self,
        plan: &Plan,
        to: &ObjectId,
        paths: impl Iterator<Item = &'a RepoPath>,
        directory: &Path,
    ) -> Result<(), RepoError> {
        let paths: Vec<&RepoPath> = paths.collect();
        if paths.is_empty() {
            return Ok(());
        }
        let directories = paths.iter().flat_map(|path| path.as_path().ancestors().skip(1));
        let attributes: BTreeSet<RepoPath> =
            directories.map(|directory| RepoPath::from_path(&directory.join(".gitattributes"))).collect();
        let attributes: Vec<&RepoPath> = attributes.iter().collect();
        let versions = self.backend.versions_at(to, &attributes)?;
        let mut files: BTreeMap<&RepoPath, &Blob> = attributes
            .into_iter()
            .zip(&versions)
            .filter_map(|(path, version)| Some((path, version.as_ref()?)))
            .collect();
        files.extend(paths.iter().filter_map(|path| Some((*path, plan.versions.get(path)?.new.as_ref()?))));
        self.backend.export(&files, directory)
    }
}

/// What cannot be read is not the same.
fn holds_the_same(one: &Path, other: &Path) -> bool {
    let kind = |path: &Path| {
        let metadata = path.symlink_metadata().ok()?;
        let executable = std::os::unix::fs::MetadataExt::mode(&metadata) & 0o100;
        Some((metadata.is_file(), metadata.is_symlink(), metadata.len(), executable))
    };
    match (kind(one), kind(other)) {
        (Some(one_kind), Some(other_kind)) if one_kind == other_kind => {}
        _ => return false,
    }
    let content = |path: &Path| match std::fs::read_link(path) {
        Ok(target) => Some(target.as_os_str().as_bytes().to_vec()),
        Err(_) => std::fs::read(path).ok(),
    };
    content(one).is_some_and(|content_of_one| content(other) == Some(content_of_one))
}
