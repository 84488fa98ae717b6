//! What of a work tree differs from HEAD, as data that fits into a journal.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::path::RepoPath;

/// The name of a git object: 40 (or, for SHA-256, 64) lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(String);

/// The text is not an object name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a git object name: expected 40 or 64 lower-case hexadecimal digits")]
pub struct ParseObjectIdError(pub String);

impl ObjectId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first digits, for display; `repo` knows the length that is unambiguous.
    pub fn prefix(&self, digits: usize) -> &str {
        self.0.get(..digits).unwrap_or(&self.0)
    }
}

impl FromStr for ObjectId {
    type Err = ParseObjectIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits && matches!(text.len(), 40 | 64) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseObjectIdError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for ObjectId {
    type Error = ParseObjectIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kinds of tree entry that git knows, besides trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FileMode {
    /// An ordinary file.
    #[serde(rename = "100644")]
    Regular,
    /// A file that may be executed.
    #[serde(rename = "100755")]
    Executable,
    /// A symbolic link; its content is its target.
    #[serde(rename = "120000")]
    Symlink,
    /// The commit of another repository.
    #[serde(rename = "160000")]
    Submodule,
}

impl FileMode {
    /// As git writes it in a tree: six octal digits.
    pub const fn as_octal(self) -> &'static str {
        match self {
            Self::Regular => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
            Self::Submodule => "160000",
        }
    }
}

/// One version of a path: content and mode.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Blob {
    /// The object that git would store for it, line-ending conversion included.
    pub id: ObjectId,
    /// Its mode.
    pub mode: FileMode,
}

/// What the work tree holds at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A file or a symbolic link.
    File(Blob),
    /// Nothing (or a directory, whose files are paths of their own).
    Deleted,
    /// A submodule, at this commit where it is checked out.
    Submodule(Option<ObjectId>),
    /// A directory that is a repository of its own and not a submodule; git does not look inside.
    NestedRepository,
    /// A pipe, a socket or a device.
    Special,
    /// A file that may not be read.
    Unreadable,
}

/// Why a path cannot be committed faithfully, though its content is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The index holds unmerged versions of it.
    Conflicted,
    /// It has this value of `filter` or `working-tree-encoding` (such as `lfs`), which libgit2 does not apply:
    /// what would be stored is not what git would store.
    Filter(String),
    /// git ignored it when the turn began, and only a changed ignore file shows it now.
    WasIgnored,
}

/// One path that differs from HEAD in the work tree or in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirtyPath {
    /// In the work tree.
    pub content: Content,
    /// In HEAD; `None` where HEAD does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Blob>,
    /// Bytes of the file in the work tree; 0 where there is none.
    #[serde(default)]
    pub size: u64,
    /// What forbids to commit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
}

impl DirtyPath {
    /// Whether the work tree holds just what HEAD holds (the index may still differ).
    pub fn matches_head(&self) -> bool {
        match (&self.content, &self.head) {
            (Content::File(now), Some(head)) => now == head,
            (Content::Deleted, None) => true,
            (Content::Submodule(Some(now)), Some(head)) => {
                head.mode == FileMode::Submodule && *now == head.id
            }
            _ => false,
        }
    }
}

/// Every path that differed from HEAD at one moment; ignored files are not in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DirtyRecord {
    paths: BTreeMap<RepoPath, DirtyPath>,
}

impl DirtyRecord {
    /// Notes a path, replacing what was noted for it.
    pub fn insert(&mut self, path: RepoPath, dirty: DirtyPath) {
        self.paths.insert(path, dirty);
    }

    /// Marks each path for which this holds, and that nothing else keeps from being committed.
    pub fn mark(&mut self, obstacle: &Obstacle, mut is_marked: impl FnMut(&RepoPath, &DirtyPath) -> bool) {
        for (path, dirty) in &mut self.paths {
            if dirty.obstacle.is_none() && is_marked(path, dirty) {
                dirty.obstacle = Some(obstacle.clone());
            }
        }
    }

    /// Keeps only the paths for which this holds.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&RepoPath, &DirtyPath) -> bool) {
        self.paths.retain(|path, dirty| is_kept(path, dirty));
    }

    /// What is noted for a path.
    pub fn get(&self, path: &RepoPath) -> Option<&DirtyPath> {
        self.paths.get(path)
    }

    /// All paths in byte order.
    pub fn iter(&self) -> impl Iterator<Item = (&RepoPath, &DirtyPath)> {
        self.paths.iter()
    }

    /// The number of paths.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

impl FromIterator<(RepoPath, DirtyPath)> for DirtyRecord {
    fn from_iter<I: IntoIterator<Item = (RepoPath, DirtyPath)>>(paths: I) -> Self {
        Self { paths: paths.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_journal() {
        let id: ObjectId = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391".parse().unwrap();
        let blob = Blob { id: id.clone(), mode: FileMode::Executable };
        let plain = |content| DirtyPath { content, head: None, size: 0, obstacle: None };
        let record: DirtyRecord = [
            (RepoPath::from_bytes(*b"\xfe\n"), plain(Content::File(blob.clone()))),
            ("b".into(), DirtyPath { head: Some(blob), ..plain(Content::Deleted) }),
            ("c".into(), plain(Content::Submodule(Some(id)))),
            ("d".into(), plain(Content::NestedRepository)),
            (
                "e".into(),
                DirtyPath { obstacle: Some(Obstacle::Filter("lfs".into())), ..plain(Content::Special) },
            ),
            ("f".into(), DirtyPath { obstacle: Some(Obstacle::Conflicted), ..plain(Content::Unreadable) }),
        ]
        .into_iter()
        .collect();
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<DirtyRecord>(&json).unwrap(), record);
    }

    #[test]
    fn a_text_that_is_no_object_name_is_refused() {
        let error = "E69DE2".parse::<ObjectId>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`E69DE2` is not a git object name: expected 40 or 64 lower-case hexadecimal digits"
        );
    }
}
