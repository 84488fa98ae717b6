//! The work tree against HEAD.

use std::collections::BTreeSet;

use super::backend::{Changed, Hashed, Known};
use super::error::RepoError;
use super::open::Repo;
use super::work_file::{Look, Looker};
use crate::publish::{Blob, Content, DirtyPath, DirtyRecord, Obstacle, RepoPath};

impl Repo {
    /// Everything that differs from HEAD, in the work tree or in the index, untracked files one by one; of what is
    /// ignored, only what [`Repo::include_forced`] names. Reads only: neither the index nor the object database is
    /// written.
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
        let mut seen = Vec::new();
        let mut conflicts = BTreeSet::new();
        let status = self.backend.status()?;
        let forced = self.forced_files(&status)?;
        let unreported: Vec<&RepoPath> = before
            .iter()
            .filter(|(path, was)| {
                !status.contains_key(path)
                    && !forced.contains(path)
                    && was.content != Content::NestedRepository
            })
            .map(|(path, _)| path)
            .collect();
        let known = self.backend.known(&unreported)?;
        for (path, known) in unreported.into_iter().zip(known) {
            seen.push((path.clone(), known));
        }
        for path in forced {
            seen.push((path, Known::default()));
        }
        let mut nested = Vec::new();
        for (path, changed) in status {
            match changed {
                Changed::Path { known, conflicted } => {
                    conflicts.extend(conflicted.then(|| path.clone()));
                    seen.push((path, known));
                }
                Changed::Nested => nested.push(path),
            }
        }
        let mut record = self.look_at(seen)?;
        for path in conflicts {
            if let Some(dirty) = record.get(&path).cloned() {
                record.insert(path, DirtyPath { obstacle: Some(Obstacle::Conflicted), ..dirty });
            }
        }
        // A nested repository that was there before and is not reported any more is gone.
        let without = |content| DirtyPath { content, head: None, size: 0, obstacle: None };
        for (path, was) in before.iter() {
            if was.content == Content::NestedRepository && record.get(path).is_none() {
                record.insert(path.clone(), without(Content::Deleted));
            }
        }
        for path in nested {
            record.insert(path, without(Content::NestedRepository));
        }
        Ok(record)
    }

    /// What the work tree holds at these paths, of which git knows these versions.
    pub(super) fn look_at(&self, paths: Vec<(RepoPath, Known)>) -> Result<DirtyRecord, RepoError> {
        let looker = Looker::new(self.backend.as_ref());
        let mut record = DirtyRecord::default();
        let mut files = Vec::new();
        for (path, known) in paths {
            match looker.look_at(&path, known.head.as_ref().or(known.index.as_ref()))? {
                Look::File { mode, size } => files.push((path, known.head, mode, size)),
                Look::Settled { content, size } => {
                    record.insert(path, DirtyPath { content, head: known.head, size, obstacle: None });
                }
            }
        }
        let names: Vec<&RepoPath> = files.iter().map(|(path, ..)| path).collect();
        let hashed = self.backend.hash_files(&names)?;
        for ((path, head, mode, size), hashed) in files.into_iter().zip(hashed) {
            let dirty = match hashed {
                Some(Hashed { id, obstacle }) => {
                    DirtyPath { content: Content::File(Blob { id, mode }), head, size, obstacle }
                }
                None => DirtyPath { content: Content::Deleted, head, size: 0, obstacle: None },
            };
            record.insert(path, dirty);
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt};
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::repo::testing::{TestRepo, Way};

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

    #[rstest]
    fn everything_that_differs_is_found_and_nothing_that_is_ignored(
        #[values(Way::Library, Way::LargeLibrary, Way::Program)] way: Way,
    ) {
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
        let record = test.open_as(way).dirty().unwrap();
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

    #[rstest]
    fn paths_of_the_earlier_record_are_looked_at_even_if_they_are_clean_now(
        #[values(Way::Library, Way::LargeLibrary, Way::Program)] way: Way,
    ) {
        let test = TestRepo::with(&[("a", "1"), ("b", "1")]);
        test.write("a", "2");
        test.write("new", "n");
        let repo = test.open_as(way);
        let before = repo.dirty().unwrap();
        test.git(&["commit", "-qam", "the agent's own"]);
        test.remove("new");
        let now = repo.dirty_since(&before).unwrap();
        expect(&now, &[("a", "clean"), ("new", "deleted")]);
        assert_eq!(now.get(&"a".into()).unwrap().content, before.get(&"a".into()).unwrap().content);
    }

    #[rstest]
    fn submodules_and_nested_repositories_are_told_from_files(
        #[values(Way::Library, Way::LargeLibrary, Way::Program)] way: Way,
    ) {
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
        let repo = test.open_as(way);
        let record = repo.dirty().unwrap();
        expect(&record, &[("nested", "nested"), ("sub", "submodule")]);
        let tip = String::from_utf8(test.run_in(&sub, &["rev-parse", "HEAD"]).stdout).unwrap();
        let tip = tip.trim().parse().unwrap();
        assert_eq!(record.get(&"sub".into()).unwrap().content, Content::Submodule(Some(tip)));
        assert_eq!(repo.dirty_since(&record).unwrap(), record);
    }

    /// A compiler's or an editor's temporary files, and a person who deletes.
    #[rstest]
    fn files_that_come_and_go_while_it_looks_disturb_no_look(
        #[values(Way::Library, Way::LargeLibrary, Way::LibraryAlone, Way::Program)] way: Way,
    ) {
        let names: Vec<String> = (0..30).map(|number| format!("file-{number}")).collect();
        let test = TestRepo::with(&names.iter().map(|name| (name.as_str(), "1")).collect::<Vec<_>>());
        test.write("changed", "1");
        let repo = test.open_as(way);
        let looked = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !looked.load(std::sync::atomic::Ordering::Relaxed) {
                    for name in &names {
                        test.remove(name);
                        test.write(name, "2");
                    }
                }
            });
            let looks: Vec<_> = (0..40).map(|_| repo.dirty()).collect();
            looked.store(true, std::sync::atomic::Ordering::Relaxed);
            for look in looks {
                assert!(look.unwrap().get(&"changed".into()).is_some());
            }
        });
    }

    #[rstest]
    fn a_socket_in_the_place_of_a_file_is_never_opened(
        #[values(Way::Library, Way::LargeLibrary, Way::Program)] way: Way,
    ) {
        let test = TestRepo::with(&[("a", "1")]);
        test.remove("a");
        let _listener = UnixListener::bind(test.root.join("a")).unwrap();
        assert!(test.root.join("a").symlink_metadata().unwrap().file_type().is_socket());
        expect(&test.open_as(way).dirty().unwrap(), &[("a", "special")]);
    }

    #[rstest]
    fn files_behind_a_link_are_not_the_repositorys(
        #[values(Way::Library, Way::LargeLibrary, Way::Program)] way: Way,
    ) {
        let test = TestRepo::with(&[("dir/a", "1")]);
        test.write("elsewhere/a", "1");
        std::fs::remove_dir_all(test.root.join("dir")).unwrap();
        std::os::unix::fs::symlink("elsewhere", test.root.join("dir")).unwrap();
        expect(
            &test.open_as(way).dirty().unwrap(),
            &[("dir", "added"), ("dir/a", "deleted"), ("elsewhere/a", "added")],
        );
    }

    #[rstest]
    fn what_a_sparse_checkout_leaves_out_is_not_deleted(
        #[values(Way::Library, Way::LargeLibrary, Way::Program)] way: Way,
    ) {
        let test = TestRepo::with(&[("in/a", "1"), ("out/b", "1")]);
        test.git(&["sparse-checkout", "set", "in"]);
        assert!(!test.root.join("out").exists());
        assert!(test.open_as(way).dirty().unwrap().is_empty());
    }

    #[rstest]
    fn an_unmerged_path_is_marked(#[values(Way::Library, Way::LargeLibrary, Way::Program)] way: Way) {
        let test = TestRepo::with(&[("a", "1\n")]);
        test.git(&["switch", "-q", "-c", "side"]);
        test.write("a", "2\n");
        test.git(&["commit", "-qam", "side"]);
        test.git(&["switch", "-q", "main"]);
        test.write("a", "3\n");
        test.git(&["commit", "-qam", "main"]);
        assert!(!test.run(&["merge", "side"]).status.success());
        let record = test.open_as(way).dirty().unwrap();
        assert_eq!(record.get(&"a".into()).unwrap().obstacle, Some(Obstacle::Conflicted));
    }
}
