//! Where the isolated loop of a branch lies: its work tree and, beside it, its records.
//!
//! Both are below the shared git directory and named after the branch: `baton/worktrees/NAME` is the work tree,
//! `baton/isolated/NAME` the records, which outlive it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Home, HomeError};

/// File names are at most 255 bytes everywhere; git adds some of its own.
const LONGEST_NAME: usize = 100;

/// The place of one branch's isolated loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsolatedPlace {
    common: PathBuf,
    name: String,
}

/// How far the work tree has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is being made: whatever of it is there holds nothing of anybody's.
    Making,
    /// Files that are missing are being put back; what is there stays as it is.
    Mending,
    /// It is there, and the state of earlier turns is not in it yet.
    Made,
    /// Turns may be taken.
    Ready,
    /// It was removed; its records wait for a new one.
    Removed,
}

/// What is known of an isolated loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolationRecord {
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// The name of git's entry below `worktrees/`.
    pub entry: String,
    /// How far it has come.
    pub stage: Stage,
}

impl IsolatedPlace {
    /// The place for a branch of the repository whose shared git directory is `common`.
    pub fn of_branch(common: &Path, branch: &str) -> Self {
        Self { common: common.to_owned(), name: name_of(branch) }
    }

    /// The place whose work tree this is, told by the path alone: also where the tree's link to git is broken.
    pub fn of_tree(tree: &Path) -> Option<Self> {
        let folder = tree.parent()?;
        let baton = folder.parent()?;
        let common = baton.parent()?;
        let is_named = |path: &Path, name: &str| path.file_name().is_some_and(|found| found == name);
        let ours = is_named(folder, "worktrees")
            && is_named(baton, "baton")
            && common.join("HEAD").is_file()
            && common.join("objects").is_dir();
        let name = tree.file_name()?.to_str()?.to_owned();
        ours.then(|| Self { common: common.to_owned(), name })
    }

    /// The place in whose work tree `path` lies.
    pub fn around(path: &Path) -> Option<Self> {
        path.ancestors().find_map(Self::of_tree)
    }

    /// All isolated loops that left records in this repository, by branch.
    pub fn all(common: &Path) -> Vec<(Self, IsolationRecord)> {
        let entries = fs::read_dir(common.join("baton/isolated")).into_iter().flatten();
        let mut found: Vec<_> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .map(|name| Self { common: common.to_owned(), name })
            .filter_map(|place| place.record().ok().flatten().map(|record| (place, record)))
            .collect();
        found.sort_by(|(_, a), (_, b)| a.branch.cmp(&b.branch));
        found
    }

    /// The shared git directory.
    pub fn common(&self) -> &Path {
        &self.common
    }

    /// The work tree.
    pub fn tree(&self) -> PathBuf {
        self.common.join("baton/worktrees").join(&self.name)
    }

    /// The name that git's entry is given where it is free.
    pub fn entry_name(&self) -> String {
        format!("baton-{}", self.name)
    }

    /// The records.
    pub fn home(&self) -> Home {
        Home::at(self.common.join("baton/isolated").join(&self.name))
    }

    /// A second copy of the state, for a work tree that is made anew.
    pub fn state_copy(&self) -> PathBuf {
        self.home().root().join("state.json")
    }

    /// Where the logs of a removed work tree wait for the next one.
    pub fn kept_logs(&self) -> PathBuf {
        self.home().root().join("logs")
    }

    fn record_path(&self) -> PathBuf {
        self.home().root().join("isolation.json")
    }

    /// What is known; `None` where nothing was ever run here.
    pub fn record(&self) -> Result<Option<IsolationRecord>, HomeError> {
        let path = self.record_path();
        let unusable = |source| HomeError::Unusable { path: path.clone(), source };
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| unusable(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unusable(error)),
        }
    }

    /// Replaces what is known, durably.
    pub fn write_record(&self, record: &IsolationRecord) -> Result<(), HomeError> {
        let path = self.record_path();
        let write = || {
            let temporary = path.with_extension("tmp");
            let mut file = File::create(&temporary)?;
            file.write_all(&serde_json::to_vec(record)?)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(self.home().root())?.sync_all()
        };
        write().map_err(|source| HomeError::Unusable { path: path.clone(), source })
    }

    /// Waits for whoever makes, repairs or removes the work tree, and keeps others from it meanwhile.
    pub fn lock(&self) -> Result<TreeLock, HomeError> {
        self.home().create()?;
        let path = self.home().root().join("tree.lock");
        let take = || {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            file.lock()?;
            Ok(TreeLock { _file: file })
        };
        take().map_err(|source| HomeError::Unusable { path: path.clone(), source })
    }
}

/// The care of one work tree, while this value or the process lives.
#[derive(Debug)]
pub struct TreeLock {
    _file: File,
}

/// A branch as a file name. What is not plain becomes `-`, and a digest then keeps two branches apart.
fn name_of(branch: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let plain: String =
        branch.chars().map(|character| if is_plain(character) { character } else { '-' }).collect();
    let short: String = plain.chars().take(LONGEST_NAME).collect();
    // A name that is hidden or looks like an option is nobody's friend.
    if short == branch && !short.starts_with(['.', '-']) {
        return short;
    }
    let digest = Sha256::digest(branch.as_bytes());
    let digest = digest.iter().take(4).fold(0_u32, |name, byte| name << 8 | u32::from(*byte));
    format!("{}-{digest:08x}", short.trim_start_matches(['.', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("loop", "loop")]
    #[case("v1.2_x", "v1.2_x")]
    #[case("feature/x", "feature-x-")]
    #[case("-odd", "odd-")]
    #[case("ü", "-")]
    fn a_branch_gets_a_plain_name(#[case] branch: &str, #[case] beginning: &str) {
        let name = name_of(branch);
        let digits = if name == branch { 0 } else { 8 };
        assert!(name.starts_with(beginning), "{name}");
        assert!(name.len() == beginning.len() + digits || beginning == "-", "{name}");
    }

    #[test]
    fn two_branches_never_share_a_name_and_long_ones_are_cut() {
        assert_ne!(name_of("a/b"), name_of("a-b"));
        assert_ne!(name_of(&"x".repeat(200)), name_of(&"x".repeat(201)));
        assert!(name_of(&"x".repeat(200)).len() < 120);
    }

    #[test]
    fn a_place_is_found_again_from_its_tree_and_from_below() {
        let directory = tempfile::tempdir().unwrap();
        let common = directory.path().join("repo/.git");
        fs::create_dir_all(common.join("objects")).unwrap();
        fs::write(common.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let place = IsolatedPlace::of_branch(&common, "feature/x");
        assert_eq!(IsolatedPlace::of_tree(&place.tree()), Some(place.clone()));
        assert_eq!(IsolatedPlace::around(&place.tree().join("sub/deep")), Some(place.clone()));
        assert_eq!(IsolatedPlace::around(&directory.path().join("repo/sub")), None);
        assert_eq!(IsolatedPlace::of_tree(Path::new("/x/baton/worktrees/y")), None);

        assert_eq!(place.record().unwrap(), None);
        assert_eq!(IsolatedPlace::all(&common), []);
        place.home().create().unwrap();
        let record =
            IsolationRecord { branch: "feature/x".into(), entry: place.entry_name(), stage: Stage::Making };
        place.write_record(&record).unwrap();
        assert_eq!(place.record().unwrap(), Some(record.clone()));
        assert_eq!(IsolatedPlace::all(&common), [(place, record)]);
    }
}
