//! What commits have newly brought in, each by itself, and the contents themselves: what leaves, leaves with its
//! history.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt as _;

use git2::{DiffOptions, ObjectType, Sort};

use super::content::is_absence;
use super::error::RepoError;
use super::object::{file_mode, object_id, oid};
use super::open::Repo;
use crate::publish::{Blob, FileMode, ObjectId, RepoPath};

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

/// Contents with what they replace, by path.
type Files = BTreeMap<RepoPath, (Blob, Option<ObjectId>)>;

impl Repo {
    /// The commits that HEAD has and `base` has not, oldest first. Changes nothing.
    pub fn introduced_since(&self, base: &ObjectId) -> Result<Vec<Introduced>, RepoError> {
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

    /// The content of a blob. It is held in memory whole: look at its size first.
    pub fn read_blob(&self, id: &ObjectId) -> Result<Vec<u8>, RepoError> {
        let read = || -> Result<Vec<u8>, git2::Error> {
            let objects = self.git.odb()?;
            let object = objects.read(oid(id)?)?;
            if object.kind() != ObjectType::Blob {
                return Err(git2::Error::from_str("it is not a blob"));
            }
            Ok(object.data().to_vec())
        };
        read().map_err(self.failed("read a file of a commit"))
    }

    /// The content of a path in the work tree as it is now: a file's bytes, a symbolic link's target. `None` where there
    /// is neither.
    pub fn open_work_file(&self, path: &RepoPath) -> Result<Option<Box<dyn Read>>, RepoError> {
        let absolute = self.absolute(path);
        let failed = |doing| move |source, path| RepoError::Io { doing, path, source };
        if self.is_beyond_link(path) {
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
    use crate::repo::testing::TestRepo;

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

    #[test]
    fn each_commit_tells_what_it_brought_in_even_if_a_later_one_takes_it_away() {
        let test = TestRepo::with(&[("a", "1")]);
        let base = test.open().head().unwrap().commit;
        test.write("secret", "s");
        test.write("a", "2");
        test.git(&["add", "-A"]);
        test.git(&["commit", "-qm", "in"]);
        test.git(&["rm", "-q", "secret"]);
        test.git(&["commit", "-qm", "out"]);
        let repo = test.open();
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

    #[test]
    fn a_merge_brings_in_only_what_no_parent_has() {
        let test = TestRepo::with(&[("a", "1")]);
        let base = test.open().head().unwrap().commit;
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
        let introduced = test.open().introduced_since(&base).unwrap();
        let merge = told(&introduced).into_iter().find(|(message, _)| message == "merge").unwrap();
        assert_eq!(merge.1, [("evil".to_owned(), true)]);
        assert_eq!(introduced.len(), 3);
    }
}
