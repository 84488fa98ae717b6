//! Files that git ignores: those that are published all the same (`publish.reports.force_add`), and those that a turn
//! brings to light.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::backend::{Changed, InIndex};
use super::error::RepoError;
use super::open::Repo;
use crate::publish::{
    Content, DirtyPath, DirtyRecord, FileMode, ForcedReports, ObjectId, Obstacle, RepoPath,
};

const IGNORE_FILE: &str = ".gitignore";

impl Repo {
    /// From now on the scans of the work tree list these files too, ignored or not.
    pub fn include_forced(&mut self, forced: Option<ForcedReports>) {
        self.forced = forced;
    }

    /// Every file that is forced and not in the index. Walks only the directories that the globs can match, never into
    /// another repository or behind a link. What cannot be read is passed over, as git passes over it.
    ///
    /// `status`: what the scan has found anyway.
    pub(super) fn forced_files(
        &self,
        status: &BTreeMap<RepoPath, Changed>,
    ) -> Result<BTreeSet<RepoPath>, RepoError> {
        let mut found = Vec::new();
        let Some(forced) = &self.forced else { return Ok(BTreeSet::new()) };
        let place = self.place();
        let is_walked = |base: &RepoPath| !self.is_elsewhere(base);
        let mut waiting: Vec<RepoPath> = forced.bases().filter(is_walked).collect();
        while let Some(directory) = waiting.pop() {
            let Ok(entries) = fs::read_dir(place.absolute(&directory)) else { continue };
            for entry in entries {
                let entry = entry.map_err(|source| RepoError::Io {
                    doing: "list",
                    path: place.absolute(&directory),
                    source,
                })?;
                let path = directory.join(&RepoPath::from_path(entry.file_name().as_ref()));
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    let is_git = entry.file_name() == ".git" || entry.path().join(".git").exists();
                    if !is_git && !forced.excludes_directory(&path) {
                        waiting.push(path);
                    }
                } else if (kind.is_file() || kind.is_symlink())
                    && forced.names(&path)
                    && !status.contains_key(&path)
                {
                    found.push(path);
                }
            }
        }
        let paths: Vec<&RepoPath> = found.iter().collect();
        let staged = self.backend.staged(&paths)?;
        Ok(found
            .into_iter()
            .zip(staged)
            .filter(|(_, staged)| *staged == InIndex::Nothing)
            .map(|it| it.0)
            .collect())
    }

    /// Marks the new files of a record that git ignored by the ignore files of `base`: a turn that changes a `.gitignore`
    /// makes files visible that it did not make, such as somebody's keys.
    ///
    /// Does nothing, and costs nothing, where no ignore file has changed since. What is forced is not marked.
    pub fn mark_ignored_at(
        &self,
        base: &ObjectId,
        head: &ObjectId,
        record: &mut DirtyRecord,
    ) -> Result<(), RepoError> {
        let committed = head != base && self.paths_between(base, head)?.iter().any(is_ignore_file);
        if !committed && !record.iter().any(|(path, dirty)| is_ignore_file(path) && !dirty.matches_head()) {
            return Ok(());
        }
        let is_new = |dirty: &DirtyPath| dirty.head.is_none() && matches!(dirty.content, Content::File(_));
        let is_forced = |path: &RepoPath| self.forced.as_ref().is_some_and(|forced| forced.names(path));
        let new = record.iter().filter(|(path, dirty)| is_new(dirty) && !is_forced(path));
        let new: Vec<&RepoPath> = new.map(|(path, _)| path).collect();
        let ignored = self.ignored_at(base, &new)?;
        record.mark(&Obstacle::WasIgnored, |path, _| ignored.contains(path));
        Ok(())
    }

    /// Which of these paths the ignore files of a commit ignore.
    fn ignored_at(&self, base: &ObjectId, paths: &[&RepoPath]) -> Result<BTreeSet<RepoPath>, RepoError> {
        let places: BTreeSet<RepoPath> = paths
            .iter()
            .flat_map(|path| path.as_path().ancestors().skip(1))
            .map(|parent| RepoPath::from_path(&parent.join(IGNORE_FILE)))
            .collect();
        let places: Vec<&RepoPath> = places.iter().collect();
        let versions = self.backend.versions_at(base, &places)?;
        let files: Vec<(&RepoPath, &ObjectId)> = places
            .into_iter()
            .zip(&versions)
            .filter_map(|(place, version)| Some((place, version.as_ref()?)))
            .filter(|(_, blob)| matches!(blob.mode, FileMode::Regular | FileMode::Executable))
            .map(|(place, blob)| (place, &blob.id))
            .collect();
        let ids: Vec<&ObjectId> = files.iter().map(|(_, id)| *id).collect();
        let contents = self.backend.blobs(&ids)?;
        let files = files.iter().zip(contents).filter_map(|((place, _), text)| Some((*place, text?)));
        let settings = self.backend.settings(&["core.excludesfile", "core.ignorecase"])?;
        let failed = |source| RepoError::Git {
            doing: "compare the ignore files with those of the claim",
            place: self.root().to_owned(),
            source,
        };
        let rules = IgnoreRules::new(files, &self.common_dir().join("info/exclude"), &settings);
        let rules = rules.map_err(failed)?;
        let mut ignored = BTreeSet::new();
        for path in paths {
            if rules.passing.is_path_ignored(path.as_path()).map_err(failed)? {
                ignored.insert((*path).clone());
            }
        }
        Ok(ignored)
    }

    /// Whether a directory lies behind a link or in another repository.
    fn is_elsewhere(&self, directory: &RepoPath) -> bool {
        let parents = directory.as_path().ancestors().filter(|parent| !parent.as_os_str().is_empty());
        parents.map(|parent| self.root().join(parent)).any(|parent| {
            parent.join(".git").exists()
                || parent.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
        })
    }
}

fn is_ignore_file(path: &RepoPath) -> bool {
    path.as_path().file_name().is_some_and(|name| name == IGNORE_FILE)
}

/// The ignore rules of a commit: ignore files are read from a work tree only, so that they get a passing one.
struct IgnoreRules {
    passing: git2::Repository,
    _directory: tempfile::TempDir,
}

impl IgnoreRules {
    /// `settings`: `core.excludesFile` and `core.ignoreCase`.
    fn new<'a>(
        files: impl Iterator<Item = (&'a RepoPath, Vec<u8>)>,
        exclude: &Path,
        settings: &[Option<String>],
    ) -> Result<Self, git2::Error> {
        let in_words = |error: std::io::Error| git2::Error::from_str(&error.to_string());
        let directory = tempfile::tempdir().map_err(in_words)?;
        let mut options = git2::RepositoryInitOptions::new();
        let passing = git2::Repository::init_opts(directory.path(), options.external_template(false))?;
        let write = |path: &Path, text: &[u8]| {
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text))
        };
        for (place, text) in files {
            write(&directory.path().join(place.as_path()), &text).map_err(in_words)?;
        }
        // The rules that are nobody's to commit hold as they are now.
        if let Ok(text) = fs::read(exclude) {
            write(&passing.path().join("info/exclude"), &text).map_err(in_words)?;
        }
        let mut config = passing.config()?;
        for (key, value) in ["core.excludesFile", "core.ignoreCase"].iter().zip(settings) {
            if let Some(value) = value {
                config.set_str(key, value)?;
            }
        }
        Ok(Self { passing, _directory: directory })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Actor;
    use crate::publish::{DirtyRecord, LeftReason, RuleSpec, Rules, decide_selection};
    use crate::repo::testing::{TestRepo, Way, commit, paths};
    use rstest::rstest;

    fn rules(globs: &[&str]) -> Rules {
        let mut spec = RuleSpec::default();
        spec.reports.force_add = globs.iter().map(|&glob| glob.to_owned()).collect();
        spec.reports.max_file = crate::model::ByteSize(100);
        Rules::compile(spec).unwrap()
    }

    fn open(way: Way, test: &TestRepo, rules: &Rules) -> Repo {
        let mut repo = test.open_as(way);
        repo.include_forced(rules.forced().cloned());
        repo
    }

    fn found(repo: &Repo) -> Vec<String> {
        repo.dirty().unwrap().iter().map(|(path, _)| path.to_string()).collect()
    }

    #[rstest]
    fn only_ignored_files_that_are_named_are_found(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[(".gitignore", "out/\nkeys/\n"), ("a", "1")]);
        for path in ["out/a.json", "out/deep/b.png", "out/c.key", "keys/d.json", "out/logs/e.log"] {
            test.write(path, path);
        }
        assert_eq!(found(&test.open_as(way)), Vec::<String>::new());
        let repo = open(way, &test, &rules(&["out/**"]));
        assert_eq!(found(&repo), ["out/a.json", "out/deep/b.png", "out/logs/e.log"]);
        assert_eq!(found(&open(way, &test, &rules(&["out/*.json"]))), ["out/a.json"]);
        assert_eq!(found(&open(way, &test, &rules(&["nowhere/**", "a/**"]))), Vec::<String>::new());
    }

    #[rstest]
    fn neither_another_repository_nor_what_is_behind_a_link_is_walked(
        #[values(Way::Library, Way::Program)] way: Way,
    ) {
        let test = TestRepo::with(&[(".gitignore", "out/\nlink\n")]);
        test.write("out/inner/x.json", "x");
        test.git(&["init", "-q", "out/inner"]);
        test.write("out/kept.json", "k");
        std::os::unix::fs::symlink("out", test.root.join("link")).unwrap();
        std::os::unix::fs::symlink("inner", test.root.join("out/again")).unwrap();
        let repo = open(way, &test, &rules(&["out/**", "link/**", "out/inner/*.json"]));
        assert_eq!(found(&repo), ["out/kept.json"]);
    }

    #[rstest]
    fn a_forced_report_is_committed_under_the_caps_and_seen_as_tracked_from_then_on(
        #[values(Way::Library, Way::Program)] way: Way,
    ) {
        let test = TestRepo::with(&[(".gitignore", "out/\n")]);
        let rules = rules(&["out/**"]);
        let repo = open(way, &test, &rules);
        test.write("out/a.json", "1");
        test.write("out/large.json", &"x".repeat(101));
        let select = || {
            let now = repo.dirty_since(&DirtyRecord::default()).unwrap();
            decide_selection(&DirtyRecord::default(), &now, Actor::Galph, &rules)
        };
        let selection = select();
        assert_eq!(paths(&selection), ["out/a.json"]);
        assert!(matches!(selection.left[&"out/large.json".into()], LeftReason::OverFileCap { .. }));
        let _ = commit(&repo, &selection).unwrap();
        assert_eq!(
            test.git(&["show", "--format=%s", "--name-only", "HEAD"]),
            "RALPH AUTO (prompt=main.md) (iter=00003): reports evidence\n\nout/a.json\n"
        );
        assert_eq!(test.status(), "");
        test.write("out/a.json", "2");
        assert_eq!(paths(&select()), ["out/a.json"]);
        test.remove("out/a.json");
        assert_eq!(paths(&select()), ["out/a.json"]);
        test.assert_sound();
    }

    #[rstest]
    fn what_was_ignored_when_the_turn_began_stays_unpublished(
        #[values(Way::Library, Way::Program)] way: Way,
    ) {
        let test = TestRepo::with(&[
            (".gitignore", "*.key\nkeys/\n!shown.key\n"),
            ("deep/.gitignore", "local\n"),
            ("deep/x", "x"),
        ]);
        for path in ["a.key", "keys/b", "deep/local", "out/c.json"] {
            test.write(path, path);
        }
        std::fs::write(test.root.join(".git/info/exclude"), "by-exclude\nout/\n").unwrap();
        test.write("by-exclude", "e");
        let repo = open(way, &test, &rules(&["out/**"]));
        let base = repo.head().unwrap().commit;
        let marked = |repo: &Repo| {
            let mut now = repo.dirty().unwrap();
            repo.mark_ignored_at(&base, &repo.head().unwrap().commit, &mut now).unwrap();
            let kept = now.iter().filter(|(_, dirty)| dirty.obstacle == Some(Obstacle::WasIgnored));
            kept.map(|(path, _)| path.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(marked(&repo), Vec::<String>::new());
        test.write(".gitignore", "nothing\n");
        test.remove("deep/.gitignore");
        for path in ["new", "shown.key", "deep/new"] {
            test.write(path, path);
        }
        assert_eq!(found(&repo).len(), 9);
        assert_eq!(marked(&repo), ["a.key", "deep/local", "keys/b"]);
        // The agent commits the change itself.
        test.git(&["commit", "-qam", "the agent's own"]);
        assert_eq!(marked(&repo), ["a.key", "deep/local", "keys/b"]);
    }
}
