//! What commits have newly brought in, each by itself, and the contents themselves: what leaves, leaves with its
//! history.

use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt as _;

use super::error::RepoError;
use super::open::Repo;
use super::place::is_absence;
use crate::publish::{Blob, ObjectId, RepoPath};

/// A commit with what it introduced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduced {
    /// The commit, shortened.
    pub commit: String,
    /// Its message, as bytes.
    pub message: Vec<u8>,
    /// Files whose content none of its parents has at that path.
    pub files: Vec<IntroducedFile>,
}

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IntroducedFile {
    /// Where.
    pub path: RepoPath,
    /// What.
    pub blob: Blob,
    /// Bytes of its content.
    pub size: u64,
    /// What a parent has at that path.
    pub before: Option<ObjectId>,
}

impl Repo {
    /// The commits that HEAD has and `base` has not, oldest first. Changes nothing.
    pub fn introduced_since(&self, base: &ObjectId) -> Result<Vec<Introduced>, RepoError> {
        self.backend.introduced(base)
    }

    /// The content of a blob. It is held in memory whole: look at its size first.
    pub fn read_blob(&self, id: &ObjectId) -> Result<Vec<u8>, RepoError> {
        let found = self.backend.blobs(&[id])?.pop().flatten();
        found.ok_or_else(|| RepoError::Program {
            doing: "read a file of a commit",
            place: self.root().to_owned(),
            said: format!("there is no file {id}"),
        })
    }

    /// The content of a path in the work tree as it is now: a file's bytes, a symbolic link's target. `None` where there
    /// is neither.
    pub fn open_work_file(&self, path: &RepoPath) -> Result<Option<Box<dyn Read>>, RepoError> {
        let place = self.place();
        let absolute = place.absolute(path);
        let failed = |doing| move |source, path| RepoError::Io { doing, path, source };
        if place.is_beyond_link(path) {
            return Ok(None);
        }
        let metadata = match absolute.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if is_absence(&error) => return Ok(None),
            Err(source) => return Err(failed("look at")(source, absolute)),
        };
        if metadata.is_symlink() {
            return match std::fs::read_link(&absolute) {
                Ok(target) => Ok(Some(Box::new(Cursor::new(target.as_os_str().as_bytes().to_vec())))),
                Err(source) => Err(failed("read the link")(source, absolute)),
            };
        }
        if !metadata.is_file() {
            return Ok(None);
        }
        match File::open(&absolute) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("open")(source, absolute)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::{TestRepo, Way};
    use rstest::rstest;

    fn told(introduced: &[Introduced]) -> Vec<(String, Vec<(String, bool)>)> {
        introduced
            .iter()
            .map(|commit| {
                let files =
                    commit.files.iter().map(|file| (file.path.to_string(), file.before.is_none())).collect();
                (String::from_utf8_lossy(&commit.message).trim().to_owned(), files)
            })
            .collect()
    }

    #[rstest]
    fn each_commit_tells_what_it_brought_in_even_if_a_later_one_takes_it_away(
        #[values(Way::Library, Way::Program)] way: Way,
    ) {
        let test = TestRepo::with(&[("a", "1")]);
        let base = test.open_as(way).head().unwrap().commit;
        test.write("secret", "s");
        test.write("a", "2");
        test.git(&["add", "-A"]);
        test.git(&["commit", "-qm", "in"]);
        test.git(&["rm", "-q", "secret"]);
        test.git(&["commit", "-qm", "out"]);
        let repo = test.open_as(way);
        let introduced = repo.introduced_since(&base).unwrap();
        assert_eq!(
            told(&introduced),
            [
                ("in".to_owned(), vec![("a".to_owned(), false), ("secret".to_owned(), true)]),
                ("out".to_owned(), vec![]),
            ]
        );
        assert_eq!(repo.read_blob(&introduced[0].files[1].blob.id).unwrap(), b"s");
        assert_eq!(introduced[0].files[1].size, 1);
        assert_eq!(repo.introduced_since(&repo.head().unwrap().commit).unwrap(), []);
    }

    #[rstest]
    fn a_merge_brings_in_only_what_no_parent_has(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[("a", "1")]);
        let base = test.open_as(way).head().unwrap().commit;
        test.git(&["switch", "-q", "-c", "side"]);
        test.write("side", "s");
        test.git(&["add", "-A"]);
        test.git(&["commit", "-qm", "side"]);
        test.git(&["switch", "-q", "main"]);
        test.write("a", "2");
        test.git(&["commit", "-qam", "main"]);
        test.git(&["merge", "-q", "--no-commit", "side"]);
        test.write("evil", "e");
        test.git(&["add", "-A"]);
        test.git(&["commit", "-qm", "merge"]);
        let introduced = test.open_as(way).introduced_since(&base).unwrap();
        let merge = told(&introduced).into_iter().find(|(message, _)| message == "merge").unwrap();
        assert_eq!(merge.1, [("evil".to_owned(), true)]);
        assert_eq!(introduced.len(), 3);
    }
}
