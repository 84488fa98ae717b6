//! The work tree against HEAD.

use git2::{ErrorClass, Status, StatusOptions, Statuses};

use super::content::ContentReader;
use super::error::{RepoError, Unsupported};
use super::object::{file_mode, object_id};
use super::open::Repo;
use crate::publish::{Blob, Content, DirtyPath, DirtyRecord, FileMode, Obstacle, RepoPath};

const SCAN_TRIES: u32 = 5;

impl Repo {
    /// Everything that differs from HEAD, in the work tree or in the index, untracked files one by one; of what is
    /// ignored, only what [`Repo::include_forced`] names. Reads only: neither the index nor the object database is written.
    ///
    /// One status scan, and the hashing of what it found.
    pub fn dirty(&self) -> Result<DirtyRecord, RepoError> {
        self.scan(&DirtyRecord::default())
    }

    /// As [`Repo::dirty`], with every path of `before` in any case, also those that are clean now.
    pub fn dirty_since(&self, before: &DirtyRecord) -> Result<DirtyRecord, RepoError> {
        self.scan(before)
    }

    fn scan(&self, before: &DirtyRecord) -> Result<DirtyRecord, RepoError> {
        let statuses = self.statuses()?;
        let mut scan = Scan::new(self)?;
        let mut record = DirtyRecord::default();
        for entry in statuses.iter() {
            let bytes = entry.path_bytes();
            let status = entry.status();
            if status.is_ignored() || status == Status::CURRENT {
                continue;
            }
            let (path, is_directory) = match bytes.strip_suffix(b"/") {
                Some(path) => (RepoPath::from_bytes(path), true),
                None => (RepoPath::from_bytes(bytes), false),
            };
            if is_directory {
                let content = Content::NestedRepository;
                record.insert(path, DirtyPath { content, head: None, size: 0, obstacle: None });
            } else if let Some(dirty) = scan.look_at(&path, status)? {
                record.insert(path, dirty);
            }
        }
        for path in self.forced_files(&scan.index)? {
            if record.get(&path).is_some() {
                continue;
            }
            if let Some(dirty) = scan.look_at(&path, Status::WT_NEW)? {
                record.insert(path, dirty);
            }
        }
        for (path, was) in before.iter() {
            if record.get(path).is_some() {
                continue;
            }
            // A nested repository that is still there is in the record already.
            let dirty = match was.content {
                Content::NestedRepository => {
                    DirtyPath { content: Content::Deleted, head: None, size: 0, obstacle: None }
                }
                _ => scan.dirty_path(path, None)?,
            };
            record.insert(path.clone(), dirty);
        }
        Ok(record)
    }

    /// libgit2 may meet an index that another git replaces just then, and take it for a broken one.
    fn statuses(&self) -> Result<Statuses<'_>, RepoError> {
        let mut options = StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(false);
        let mut tries = 1;
        loop {
            match self.git.statuses(Some(&mut options)) {
                Ok(statuses) => return Ok(statuses),
                Err(error) if error.class() == ErrorClass::Index && tries < SCAN_TRIES => tries += 1,
                Err(error) => return Err(self.scan_failed(error)),
            }
        }
    }

    fn scan_failed(&self, error: git2::Error) -> RepoError {
        let feature = if error.message().contains("'sdir'") {
            Unsupported::SparseIndex
        } else if error.message().contains("'link'") {
            Unsupported::SplitIndex
        } else {
            return self.failed("compare the work tree with HEAD")(error);
        };
        RepoError::Unsupported { workspace: self.workspace().to_owned(), feature }
    }
}

struct Scan<'repo> {
    repo: &'repo Repo,
    reader: ContentReader<'repo>,
    head: Option<git2::Tree<'repo>>,
    index: git2::Index,
}

impl<'repo> Scan<'repo> {
    fn new(repo: &'repo Repo) -> Result<Self, RepoError> {
        let head = repo.git.head().and_then(|head| head.peel_to_tree()).ok();
        let index = repo.git.index().map_err(|error| repo.scan_failed(error))?;
        Ok(Self { repo, reader: ContentReader::new(repo)?, head, index })
    }

    fn look_at(&mut self, path: &RepoPath, status: Status) -> Result<Option<DirtyPath>, RepoError> {
        if status == Status::WT_DELETED && self.is_meant_to_be_absent(path) {
            return Ok(None);
        }
        if status == Status::WT_NEW {
            let work = self.reader.read(path, None)?;
            return Ok(Some(DirtyPath {
                content: work.content,
                head: None,
                size: work.size,
                obstacle: work.obstacle,
            }));
        }
        let conflict = status.is_conflicted().then_some(Obstacle::Conflicted);
        self.dirty_path(path, conflict).map(Some)
    }

    fn dirty_path(&mut self, path: &RepoPath, conflict: Option<Obstacle>) -> Result<DirtyPath, RepoError> {
        let head = self.in_head(path)?;
        let known = match &head {
            Some(blob) => Some(blob.clone()),
            None => self.in_index(path),
        };
        let work = self.reader.read(path, known.as_ref())?;
        Ok(DirtyPath { content: work.content, head, size: work.size, obstacle: conflict.or(work.obstacle) })
    }

    /// Left out by a sparse checkout, or declared as unchanged: its absence is no deletion.
    fn is_meant_to_be_absent(&self, path: &RepoPath) -> bool {
        self.index.get_path(path.as_path(), 0).is_some_and(|entry| {
            let extended = git2::IndexEntryExtendedFlag::from_bits_truncate(entry.flags_extended);
            extended.is_skip_worktree() || git2::IndexEntryFlag::from_bits_truncate(entry.flags).is_valid()
        })
    }

    fn in_head(&self, path: &RepoPath) -> Result<Option<Blob>, RepoError> {
        let Some(tree) = &self.head else { return Ok(None) };
        let entry = match tree.get_path(path.as_path()) {
            Ok(entry) => entry,
            Err(error) if super::preflight::is_missing(&error) => return Ok(None),
            // One of its parents is a file in HEAD.
            Err(error) if error.class() == git2::ErrorClass::Tree => return Ok(None),
            Err(error) => return Err(self.repo.failed("read HEAD's tree")(error)),
        };
        #[expect(clippy::cast_sign_loss, reason = "a file mode is never negative")]
        let mode = file_mode(entry.filemode_raw() as u32);
        Ok(mode.map(|mode| Blob { id: object_id(entry.id()), mode }))
    }

    fn in_index(&self, path: &RepoPath) -> Option<Blob> {
        let entry = self.index.get_path(path.as_path(), 0)?;
        let mode: FileMode = file_mode(entry.mode)?;
        Some(Blob { id: object_id(entry.id), mode })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt};
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::repo::testing::TestRepo;

    fn summary(record: &DirtyRecord) -> Vec<(String, String)> {
        let kind = |dirty: &DirtyPath| match (&dirty.content, &dirty.head) {
            (Content::File(_), None) => "added",
            (Content::File(_), Some(_)) if dirty.matches_head() => "clean",
            (Content::File(_), Some(_)) => "modified",
            (Content::Deleted, _) => "deleted",
            (Content::Submodule(_), _) => "submodule",
            (Content::NestedRepository, _) => "nested",
            (Content::Special, _) => "special",
            (Content::Unreadable, _) => "unreadable",
        };
        record.iter().map(|(path, dirty)| (path.to_string(), kind(dirty).to_owned())).collect()
    }

    fn expect(record: &DirtyRecord, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect();
        assert_eq!(summary(record), expected);
    }

    #[test]
    fn everything_that_differs_is_found_and_nothing_that_is_ignored() {
        let test = TestRepo::with(&[
            (".gitignore", "*.o\n"),
            ("changed", "1"),
            ("gone", "1"),
            ("run", "1"),
            ("same", "1"),
            ("staged-away", "1"),
            ("staged-back", "1"),
        ]);
        test.write("changed", "2");
        test.remove("gone");
        std::fs::set_permissions(test.root.join("run"), PermissionsExt::from_mode(0o755)).unwrap();
        test.write("new/deep/file", "n");
        test.write("x.o", "o");
        test.git(&["rm", "-q", "--cached", "staged-away"]);
        test.write("staged-back", "2");
        test.git(&["add", "staged-back"]);
        test.write("staged-back", "1");
        let index = std::fs::read(test.root.join(".git/index")).unwrap();
        let record = test.open().dirty().unwrap();
        expect(
            &record,
            &[
                ("changed", "modified"),
                ("gone", "deleted"),
                ("new/deep/file", "added"),
                ("run", "modified"),
                ("staged-away", "clean"),
                ("staged-back", "clean"),
            ],
        );
        let changed = record.get(&"changed".into()).unwrap();
        let Content::File(blob) = &changed.content else { panic!("no file") };
        assert_eq!(blob.id.as_str(), test.git(&["hash-object", "changed"]).trim());
        assert_eq!(changed.size, 1);
        assert_eq!(std::fs::read(test.root.join(".git/index")).unwrap(), index);
    }

    #[test]
    fn paths_of_the_earlier_record_are_looked_at_even_if_they_are_clean_now() {
        let test = TestRepo::with(&[("a", "1"), ("b", "1")]);
        test.write("a", "2");
        test.write("new", "n");
        let repo = test.open();
        let before = repo.dirty().unwrap();
        test.git(&["commit", "-qam", "the agent's own"]);
        test.remove("new");
        let now = repo.dirty_since(&before).unwrap();
        expect(&now, &[("a", "clean"), ("new", "deleted")]);
        assert_eq!(now.get(&"a".into()).unwrap().content, before.get(&"a".into()).unwrap().content);
    }

    #[test]
    fn submodules_and_nested_repositories_are_told_from_files() {
        let inner = TestRepo::with(&[("i", "1")]);
        let test = TestRepo::with(&[("a", "1")]);
        let url = inner.root.to_str().unwrap();
        test.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "sub"]);
        test.git(&["commit", "-qm", "with a submodule"]);
        let sub = test.root.join("sub");
        test.run_in(
            &sub,
            &["-c", "user.name=T", "-c", "user.email=t@x", "commit", "-q", "--allow-empty", "-m", "x"],
        );
        test.git(&["init", "-q", "nested"]);
        test.write("nested/file", "n");
        let repo = test.open();
        let record = repo.dirty().unwrap();
        expect(&record, &[("nested", "nested"), ("sub", "submodule")]);
        let tip = String::from_utf8(test.run_in(&sub, &["rev-parse", "HEAD"]).stdout).unwrap();
        let tip = tip.trim().parse().unwrap();
        assert_eq!(record.get(&"sub".into()).unwrap().content, Content::Submodule(Some(tip)));
        assert_eq!(repo.dirty_since(&record).unwrap(), record);
    }

    #[test]
    fn a_socket_in_the_place_of_a_file_is_never_opened() {
        let test = TestRepo::with(&[("a", "1")]);
        test.remove("a");
        let _listener = UnixListener::bind(test.root.join("a")).unwrap();
        assert!(test.root.join("a").symlink_metadata().unwrap().file_type().is_socket());
        expect(&test.open().dirty().unwrap(), &[("a", "special")]);
    }

    #[test]
    fn files_behind_a_link_are_not_the_repositorys() {
        let test = TestRepo::with(&[("dir/a", "1")]);
        test.write("elsewhere/a", "1");
        std::fs::remove_dir_all(test.root.join("dir")).unwrap();
        std::os::unix::fs::symlink("elsewhere", test.root.join("dir")).unwrap();
        expect(
            &test.open().dirty().unwrap(),
            &[("dir", "added"), ("dir/a", "deleted"), ("elsewhere/a", "added")],
        );
    }

    #[test]
    fn what_a_sparse_checkout_leaves_out_is_not_deleted() {
        let test = TestRepo::with(&[("in/a", "1"), ("out/b", "1")]);
        test.git(&["sparse-checkout", "set", "in"]);
        assert!(!test.root.join("out").exists());
        assert!(test.open().dirty().unwrap().is_empty());
    }

    #[test]
    fn an_unmerged_path_is_marked() {
        let test = TestRepo::with(&[("a", "1\n")]);
        test.git(&["switch", "-q", "-c", "side"]);
        test.write("a", "2\n");
        test.git(&["commit", "-qam", "side"]);
        test.git(&["switch", "-q", "main"]);
        test.write("a", "3\n");
        test.git(&["commit", "-qam", "main"]);
        assert!(!test.run(&["merge", "side"]).status.success());
        let record = test.open().dirty().unwrap();
        assert_eq!(record.get(&"a".into()).unwrap().obstacle, Some(Obstacle::Conflicted));
    }
}
