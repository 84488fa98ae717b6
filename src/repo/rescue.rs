//! Copies of what a person has not committed, kept by git under names of their own while an agent is at work.
//!
//! Nothing here writes the work tree, the index, a branch or the stash. The names are below `refs/baton-rescue/`, which
//! no push sends and no checkout shows; they go when the turn ends with everything in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::backend::{Changes, Copy, TreeChange};
use super::error::RepoError;
use super::head::Head;
use super::open::Repo;
use super::surroundings::Surroundings;
use crate::model::TurnId;
use crate::publish::{Blob, Content, DirtyRecord, FileMode, ObjectId, RepoPath};

/// How often copies are begun anew because a file changed in the very moment.
const STORE_TRIES: u32 = 20;
pub(super) const PREFIX: &str = "refs/baton-rescue/";

/// A larger file is not copied.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// As much is copied in one turn.
const MAX_TOTAL: u64 = 64 * 1024 * 1024;
/// As many files: each that git does not have yet may cost two fsyncs.
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
        let (files, left_out) = self.store_dirty(dirty)?;
        let staged = self.store_staged(surroundings)?;
        let parent = std::slice::from_ref(&head.commit);
        let commit = |changes: &Changes, message| {
            let copy = Copy { base: Some(&head.commit), changes, parents: parent, message };
            (!changes.is_empty()).then(|| self.backend.store_copy(&copy)).transpose()
        };
        let rescue = Rescue {
            files: commit(&files, "uncommitted files before a turn")?,
            staged: commit(&staged, "staged entries before a turn")?,
            kept: self.store_kept(&head.commit, surroundings)?,
            left_out,
        };
        if rescue.parts().next().is_some() {
            self.place().sync_objects_directory()?;
        }
        Ok(rescue)
    }

    /// Stores what the work tree holds at these paths as a commit on top of `parent`, durably; names nothing yet. `None`:
    /// there was nothing to store. The paths have no copy: too large, too many, or unreadable.
    pub fn store_uncommitted(
        &self,
        parent: &ObjectId,
        dirty: &DirtyRecord,
        message: &str,
    ) -> Result<(Option<ObjectId>, Vec<RepoPath>), RepoError> {
        let (changes, left_out) = self.store_dirty(dirty)?;
        if changes.is_empty() {
            return Ok((None, left_out));
        }
        let parents = std::slice::from_ref(parent);
        let copy = Copy { base: Some(parent), changes: &changes, parents, message };
        let commit = self.backend.store_copy(&copy)?;
        self.place().sync_objects_directory()?;
        Ok((Some(commit), left_out))
    }

    fn store_staged(&self, surroundings: &Surroundings) -> Result<Changes, RepoError> {
        let contents = surroundings.staged.values().flatten();
        let names: Vec<String> = contents.map(|blob| blob.id.to_string()).collect();
        let mut found = self.backend.find(&names)?.into_iter();
        let (mut changes, mut stored) = (Changes::new(), Vec::new());
        for (path, blob) in &surroundings.staged {
            let change = match blob {
                None => TreeChange::Remove,
                // An entry that was only announced (`git add -N`) has no content.
                Some(_) if found.next().flatten().is_none() => continue,
                Some(blob) => {
                    stored.push(blob.id.clone());
                    TreeChange::Put(blob.clone())
                }
            };
            changes.insert(path.clone(), change);
        }
        if !stored.is_empty() {
            self.place().sync_stored(&stored)?;
        }
        Ok(changes)
    }

    /// What the work tree holds at the dirty paths, and those that there is no copy of.
    fn store_dirty(&self, dirty: &DirtyRecord) -> Result<(Changes, Vec<RepoPath>), RepoError> {
        let (mut changes, mut left_out) = (Changes::new(), Vec::new());
        let (mut total, mut wanted) = (0, Vec::new());
        for (path, dirty) in dirty.iter() {
            match &dirty.content {
                Content::Deleted => {
                    changes.insert(path.clone(), TreeChange::Remove);
                }
                Content::File(blob) if dirty.head.as_ref() == Some(blob) => {}
                Content::File(blob) => {
                    let fits =
                        dirty.size <= MAX_FILE && total + dirty.size <= MAX_TOTAL && wanted.len() < MAX_FILES;
                    if fits {
                        total += dirty.size;
                        wanted.push((path, blob));
                    } else {
                        left_out.push(path.clone());
                    }
                }
                Content::Unreadable => left_out.push(path.clone()),
                Content::Submodule(_) | Content::NestedRepository | Content::Special => {}
            }
        }
        self.store_now(&wanted)?;
        // Another version of it may be in the work tree by now; this one may be git's already.
        let unsure: Vec<String> = wanted.iter().map(|(_, blob)| blob.id.to_string()).collect();
        let mut stored = Vec::new();
        for ((path, blob), found) in wanted.into_iter().zip(self.backend.find(&unsure)?) {
            if found.is_some() {
                stored.push(blob.id.clone());
                changes.insert(path.clone(), TreeChange::Put(blob.clone()));
            } else {
                left_out.push(path.clone());
            }
        }
        if !stored.is_empty() {
            self.place().sync_stored(&stored)?;
        }
        left_out.sort();
        Ok((changes, left_out))
    }

    /// Stores what the work tree holds at these paths by now, whatever that is.
    fn store_now(&self, wanted: &[(&RepoPath, &Blob)]) -> Result<(), RepoError> {
        let place = self.place();
        let now = || {
            let (mut files, mut links) = (Vec::new(), Vec::new());
            for (path, blob) in wanted.iter().filter(|(path, _)| !place.is_beyond_link(path)) {
                let absolute = place.absolute(path);
                let Ok(metadata) = absolute.symlink_metadata() else { continue };
                if blob.mode == FileMode::Symlink {
                    let target = std::fs::read_link(&absolute);
                    links.extend(target.map(|target| (target.into_os_string().into_vec(), &blob.id)));
                } else if metadata.is_file() {
                    files.push((*path, &blob.id));
                }
            }
            (files, links)
        };
        let mut tries = 1;
        loop {
            let (files, links) = now();
            match self.backend.store_files(&files) {
                // One that somebody deletes or saves in this very moment fails them all.
                Err(_) if tries < STORE_TRIES && self.other_than(&files)?.is_some() => tries += 1,
                stored => return stored.and_then(|_| self.backend.store_contents(&links)).map(|_| ()),
            }
        }
    }

    /// The same from turn to turn while nobody stashes or moves a branch: then git has it already.
    fn store_kept(
        &self,
        head: &ObjectId,
        surroundings: &Surroundings,
    ) -> Result<Option<ObjectId>, RepoError> {
        let stashes = surroundings.stashes.iter().map(|stash| &stash.id);
        let ids: BTreeSet<&ObjectId> =
            stashes.chain(surroundings.refs.values()).filter(|id| *id != head).collect();
        let names: Vec<String> = ids.into_iter().map(|id| format!("{id}^{{commit}}")).collect();
        let found = self.backend.find(&names)?.into_iter().flatten();
        let parents: BTreeSet<ObjectId> = found.map(|found| found.id).filter(|id| id != head).collect();
        if parents.is_empty() {
            return Ok(None);
        }
        let parents: Vec<ObjectId> = parents.into_iter().collect();
        let message = "stashes, branches and tags before a turn";
        let copy = Copy { base: None, changes: &Changes::new(), parents: &parents, message };
        self.backend.store_copy(&copy).map(Some)
    }

    /// Names the copies, and the claim's commit, so that git keeps them; what is named already stays.
    pub fn keep_rescue(&self, turn: TurnId, head: &Head, rescue: &Rescue) -> Result<(), RepoError> {
        let part = |(part, id): (&str, &ObjectId)| (Rescue::name(turn, part), id.clone());
        let mut names: BTreeMap<String, ObjectId> = rescue.parts().map(part).collect();
        if self.place().has_reftable() {
            names.insert(Rescue::name(turn, "branch"), head.commit.clone());
        } else {
            self.name_commit(turn, &head.commit)?;
        }
        if names.is_empty() { Ok(()) } else { self.backend.name_objects(&names) }
    }

    /// The name itself may be lost with the power: only a rewritten history besides would need it. A name without its
    /// content must not stay, since git calls that a broken repository.
    fn name_commit(&self, turn: TurnId, commit: &ObjectId) -> Result<(), RepoError> {
        let path: PathBuf = self.common_dir().join(Rescue::name(turn, "branch"));
        let write = || {
            if let Some(directory) = path.parent() {
                std::fs::create_dir_all(directory)?;
            }
            // Not beside it: git takes every file below `refs` for a name.
            let mut file = tempfile::Builder::new().prefix("baton-ref").tempfile_in(self.common_dir())?;
            file.write_all(format!("{commit}\n").as_bytes())?;
            file.as_file().sync_data()?;
            file.persist(&path).map(drop).map_err(|error| error.error)
        };
        write().map_err(|source| RepoError::Io { doing: "write", path: path.clone(), source })
    }

    /// Forgets the names of a turn's copies. The objects go when git collects its garbage.
    pub fn drop_rescue(&self, turn: TurnId) -> Result<(), RepoError> {
        let names = ["branch", "files", "staged", "kept"].map(|part| Rescue::name(turn, part));
        if self.forget_alone(&names[0]) { Ok(()) } else { self.backend.forget_names(&names) }
    }

    /// Removes the file of a name where it is the only one of the turn's: that needs neither a lock nor a process.
    fn forget_alone(&self, name: &str) -> bool {
        let file = self.common_dir().join(name);
        let Some(directory) = file.parent() else { return false };
        let is_alone = std::fs::read_dir(directory).is_ok_and(|entries| entries.count() == 1);
        let packed = std::fs::read(self.common_dir().join("packed-refs")).unwrap_or_default();
        let is_packed = packed.windows(PREFIX.len()).any(|text| text == PREFIX.as_bytes());
        let forgotten = is_alone && !is_packed && std::fs::remove_file(&file).is_ok();
        // git removes empty directories too.
        forgotten && std::fs::remove_dir(directory).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::repo::testing::{TestRepo, Way, turn};

    /// With changed, new, deleted and linked files, staged entries, a stash, another branch and a tag.
    fn busy() -> TestRepo {
        let test = TestRepo::with(&[("a", "1"), ("gone", "1"), ("staged", "1"), ("d/b", "1")]);
        test.git(&["branch", "other"]);
        test.write("a", "stashed");
        test.write("untracked", "stashed too");
        test.git(&["stash", "-q", "-u", "-m", "mine"]);
        test.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
        test.git(&["switch", "-q", "other"]);
        test.git(&["commit", "-q", "--allow-empty", "-m", "on the other"]);
        test.git(&["switch", "-q", "main"]);
        test.git(&["tag", "-a", "-m", "t", "v1", "HEAD~1"]);
        test.write("a", "2");
        test.write("new \"file\"\n", "n");
        test.remove("gone");
        std::os::unix::fs::symlink("a", test.root.join("link")).unwrap();
        test.write("staged", "2");
        test.git(&["add", "staged"]);
        test.write("staged", "3");
        test.git(&["rm", "-q", "--cached", "d/b"]);
        test
    }

    fn copies(repo: &Repo) -> (Surroundings, Rescue) {
        let (head, dirty) = (repo.head().unwrap(), repo.dirty().unwrap());
        let surroundings = repo.surroundings(&dirty, head.branch.as_deref()).unwrap();
        let rescue = repo.store_rescue(&head, &dirty, &surroundings).unwrap();
        (surroundings, rescue)
    }

    fn names(test: &TestRepo) -> Vec<String> {
        let listed = test.git(&["for-each-ref", "--format=%(refname)", "refs/baton-rescue"]);
        listed.lines().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect()
    }

    #[rstest]
    fn copies_are_kept_under_names_of_their_own_and_forgotten(
        #[values(Way::Library, Way::Program)] way: Way,
        #[values(false, true)] packed: bool,
    ) {
        let test = busy();
        let before = (test.status(), test.git(&["stash", "list"]));
        let repo = test.open_as(way);
        let (_, rescue) = copies(&repo);
        repo.keep_rescue(turn(), &repo.head().unwrap(), &rescue).unwrap();
        assert_eq!(names(&test), ["branch", "files", "kept", "staged"]);
        let from = |part, path: &str| test.git(&["show", &format!("{}:{path}", Rescue::name(turn(), part))]);
        assert_eq!(from("files", "a"), "2");
        assert_eq!(from("files", "new \"file\"\n"), "n");
        assert_eq!(from("files", "link"), "a");
        assert_eq!(from("files", "staged"), "3");
        assert_eq!(from("staged", "staged"), "2");
        assert_eq!(from("staged", "a"), "1");
        let listed = |part| test.git(&["ls-tree", "-r", "--name-only", &Rescue::name(turn(), part)]);
        assert!(!listed("files").contains("gone"));
        assert!(!listed("staged").contains("d/b"));
        let parents = test.git(&["rev-list", "--no-walk", "--parents", &Rescue::name(turn(), "kept")]);
        for name in ["refs/stash", "other", "v1^{commit}"] {
            assert!(parents.contains(test.git(&["rev-parse", name]).trim()), "{name}");
        }
        if packed {
            test.git(&["pack-refs", "--all"]);
        }
        repo.keep_rescue(turn(), &repo.head().unwrap(), &rescue).unwrap();
        repo.drop_rescue(turn()).unwrap();
        repo.drop_rescue(turn()).unwrap();
        assert_eq!(names(&test), Vec::<String>::new());
        assert_eq!((test.status(), test.git(&["stash", "list"])), before);
        test.assert_sound();
    }

    #[rstest]
    fn a_clean_tree_alone_is_named_by_its_commit(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[("a", "1")]);
        let repo = test.open_as(way);
        let (_, rescue) = copies(&repo);
        assert_eq!(rescue, Rescue::default());
        repo.keep_rescue(turn(), &repo.head().unwrap(), &rescue).unwrap();
        assert_eq!(names(&test), ["branch"]);
        repo.drop_rescue(turn()).unwrap();
        assert_eq!(names(&test), Vec::<String>::new());
        assert!(!test.root.join(".git").join(PREFIX).join(turn().to_string()).exists());
    }

    #[test]
    fn both_ways_see_the_same_surroundings_and_make_the_same_copies() {
        let test = busy();
        let repos = [Way::Library, Way::Program].map(|way| test.open_as(way));
        let [library, program] = repos.each_ref().map(copies);
        assert_eq!(library, program);
        let (surroundings, rescue) = library;
        assert_eq!(surroundings.stashes.len(), 1);
        assert_eq!(surroundings.stashes[0].message, "On main: mine");
        assert_eq!(surroundings.refs.keys().collect::<Vec<_>>(), ["refs/heads/other", "refs/tags/v1"]);
        assert!(rescue.files.is_some() && rescue.staged.is_some() && rescue.kept.is_some());
        let stash = &surroundings.stashes[0].id;
        let versions = repos.each_ref().map(|repo| repo.stashed_versions(stash).unwrap());
        assert_eq!(versions[0], versions[1]);
        assert_eq!(versions[0].keys().map(ToString::to_string).collect::<Vec<_>>(), ["a", "untracked"]);
    }

    #[rstest]
    fn what_git_cannot_be_given_is_left_out_and_named(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[("a", "1")]);
        test.write("a", "2");
        test.write("b", "2");
        let repo = test.open_as(way);
        let dirty = repo.dirty().unwrap();
        // Between the scan and the copy.
        test.remove("a");
        test.write("b", "3");
        let rescue = repo.store_rescue(&repo.head().unwrap(), &dirty, &Surroundings::default()).unwrap();
        assert_eq!(rescue.left_out, ["a".into(), "b".into()]);
        assert_eq!(rescue.files, None);
    }

    #[rstest]
    fn a_table_of_references_keeps_the_names_too(#[values("sha1", "sha256")] objects: &str) {
        let mut test = TestRepo::unborn();
        let format = format!("--object-format={objects}");
        test.git(&["init", "-q", "-b", "main", "--ref-format=reftable", &format, "../tables"]);
        test.root = test.root.with_file_name("tables");
        for (key, value) in [("user.name", "Tester"), ("user.email", "t@example.org")] {
            test.git(&["config", key, value]);
        }
        test.git(&["commit", "-q", "--allow-empty", "-m", "first"]);
        test.write("a", "mine");
        let repo = test.open_as(Way::Program);
        let (_, rescue) = copies(&repo);
        repo.keep_rescue(turn(), &repo.head().unwrap(), &rescue).unwrap();
        assert_eq!(names(&test), ["branch", "files"]);
        assert_eq!(test.git(&["show", &format!("{}:a", Rescue::name(turn(), "files"))]), "mine");
        repo.drop_rescue(turn()).unwrap();
        assert_eq!(names(&test), Vec::<String>::new());
        test.assert_sound();
    }
}
