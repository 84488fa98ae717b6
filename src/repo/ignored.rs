//! Files that git ignores: those that are published all the same (`publish.reports.force_add`), and those that a turn
//! brings to light.

use std::collections::BTreeSet;
use std::fs;

use super::error::RepoError;
use super::object::oid;
use super::open::Repo;
use super::tree::tree_difference;
use crate::publish::{Content, DirtyPath, DirtyRecord, ForcedReports, ObjectId, Obstacle, RepoPath};

impl Repo {
    /// From now on the scans of the work tree list these files too, ignored or not.
    pub fn include_forced(&mut self, forced: Option<ForcedReports>) {
        self.forced = forced;
    }

    /// Every file that is forced and not in the index. Walks only the directories that the globs can match, never into
    /// another repository or behind a link. What cannot be read is passed over, as git passes over it.
    pub(super) fn forced_files(&self, index: &git2::Index) -> Result<Vec<RepoPath>, RepoError> {
        let mut found = Vec::new();
        let Some(forced) = &self.forced else { return Ok(found) };
        let is_walked = |base: &RepoPath| !self.is_elsewhere(base);
        let mut waiting: Vec<RepoPath> = forced.bases().filter(is_walked).collect();
        while let Some(directory) = waiting.pop() {
            let Ok(entries) = fs::read_dir(self.absolute(&directory)) else { continue };
            for entry in entries {
                let entry = entry.map_err(|source| RepoError::Io {
                    doing: "list",
                    path: self.absolute(&directory),
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
                    && index.get_path(path.as_path(), 0).is_none()
                {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }

    /// Marks the new files of a record that git ignored by the ignore files of `base`: a turn that changes a `.gitignore`
    /// makes files visible that it did not make, such as somebody's keys.
    ///
    /// Does nothing, and costs nothing, where no ignore file has changed since. What is forced is not marked.
    pub fn mark_ignored_at(&self, base: &ObjectId, record: &mut DirtyRecord) -> Result<(), RepoError> {
        let failed = self.failed("compare the ignore files with those of the claim");
        let commit =
            |id: &ObjectId| oid(id).and_then(|id| self.git.find_commit(id)).and_then(|found| found.tree());
        let then = commit(base).map_err(&failed)?;
        let head = commit(&self.head()?.commit).map_err(&failed)?;
        let committed = then.id() != head.id()
            && tree_difference(&self.git, &then, &head).map_err(&failed)?.keys().any(is_ignore_file);
        if !committed && !record.iter().any(|(path, dirty)| is_ignore_file(path) && !dirty.matches_head()) {
            return Ok(());
        }
        let rules = IgnoreRules::of(self, then).map_err(&failed)?;
        let is_new = |dirty: &DirtyPath| dirty.head.is_none() && matches!(dirty.content, Content::File(_));
        let mut ignored = BTreeSet::new();
        for (path, _) in record.iter().filter(|(_, dirty)| is_new(dirty)) {
            let is_forced = self.forced.as_ref().is_some_and(|forced| forced.names(path));
            if !is_forced && rules.ignores(path).map_err(&failed)? {
                ignored.insert(path.clone());
            }
        }
        record.mark(&Obstacle::WasIgnored, |path, _| ignored.contains(path));
        Ok(())
    }

    /// Whether a directory lies behind a link or in another repository.
    fn is_elsewhere(&self, directory: &RepoPath) -> bool {
        let parents = directory.as_path().ancestors().filter(|parent| !parent.as_os_str().is_empty());
        parents.map(|parent| self.root.join(parent)).any(|parent| {
            parent.join(".git").exists()
                || parent.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
        })
    }
}

fn is_ignore_file(path: &RepoPath) -> bool {
    path.as_path().file_name().is_some_and(|name| name == ".gitignore")
}

/// The ignore rules of a commit: libgit2 reads ignore files from a work tree only, so that they get a passing one.
struct IgnoreRules<'repo> {
    tree: git2::Tree<'repo>,
    repo: &'repo Repo,
    passing: git2::Repository,
    directory: tempfile::TempDir,
}

impl<'repo> IgnoreRules<'repo> {
    fn of(repo: &'repo Repo, tree: git2::Tree<'repo>) -> Result<Self, git2::Error> {
        let in_words = |error: std::io::Error| git2::Error::from_str(&error.to_string());
        let directory = tempfile::tempdir().map_err(in_words)?;
        let mut options = git2::RepositoryInitOptions::new();
        let passing = git2::Repository::init_opts(directory.path(), options.external_template(false))?;
        // The rules that are nobody's to commit hold as they are now.
        let exclude = passing.path().join("info/exclude");
        if let (Some(parent), Ok(text)) = (exclude.parent(), fs::read(repo.common_dir().join("info/exclude")))
        {
            fs::create_dir_all(parent).and_then(|()| fs::write(&exclude, text)).map_err(in_words)?;
        }
        let mut config = passing.config()?;
        let theirs = repo.git.config()?;
        if let Ok(file) = theirs.get_path("core.excludesFile")
            && let Some(file) = file.to_str()
        {
            config.set_str("core.excludesFile", file)?;
        }
        if let Ok(ignores_case) = theirs.get_bool("core.ignoreCase") {
            config.set_bool("core.ignoreCase", ignores_case)?;
        }
        Ok(Self { tree, repo, passing, directory })
    }

    fn ignores(&self, path: &RepoPath) -> Result<bool, git2::Error> {
        for parent in path.as_path().ancestors().skip(1) {
            let place = parent.join(".gitignore");
            let here = self.directory.path().join(&place);
            let Ok(entry) = self.tree.get_path(&place) else { continue };
            if here.exists() || entry.kind() != Some(git2::ObjectType::Blob) {
                continue;
            }
            let blob = self.repo.git.find_blob(entry.id())?;
            fs::create_dir_all(self.directory.path().join(parent))
                .and_then(|()| fs::write(&here, blob.content()))
                .map_err(|error| git2::Error::from_str(&error.to_string()))?;
        }
        self.passing.is_path_ignored(path.as_path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Actor;
    use crate::publish::{DirtyRecord, LeftReason, RuleSpec, Rules, decide_selection};
    use crate::repo::testing::{TestRepo, commit, paths};

    fn rules(globs: &[&str]) -> Rules {
        let mut spec = RuleSpec::default();
        spec.reports.force_add = globs.iter().map(|&glob| glob.to_owned()).collect();
        spec.reports.max_file = crate::model::ByteSize(100);
        Rules::compile(spec).unwrap()
    }

    fn open(test: &TestRepo, rules: &Rules) -> Repo {
        let mut repo = test.open();
        repo.include_forced(rules.forced().cloned());
        repo
    }

    fn found(repo: &Repo) -> Vec<String> {
        repo.dirty().unwrap().iter().map(|(path, _)| path.to_string()).collect()
    }

    #[test]
    fn only_ignored_files_that_are_named_are_found() {
        let test = TestRepo::with(&[(".gitignore", "out/\nkeys/\n"), ("a", "1")]);
        for path in ["out/a.json", "out/deep/b.png", "out/c.key", "keys/d.json", "out/logs/e.log"] {
            test.write(path, path);
        }
        assert_eq!(found(&test.open()), Vec::<String>::new());
        let repo = open(&test, &rules(&["out/**"]));
        assert_eq!(found(&repo), ["out/a.json", "out/deep/b.png", "out/logs/e.log"]);
        assert_eq!(found(&open(&test, &rules(&["out/*.json"]))), ["out/a.json"]);
        assert_eq!(found(&open(&test, &rules(&["nowhere/**", "a/**"]))), Vec::<String>::new());
    }

    #[test]
    fn neither_another_repository_nor_what_is_behind_a_link_is_walked() {
        let test = TestRepo::with(&[(".gitignore", "out/\nlink\n")]);
        test.write("out/inner/x.json", "x");
        test.git(&["init", "-q", "out/inner"]);
        test.write("out/kept.json", "k");
        std::os::unix::fs::symlink("out", test.root.join("link")).unwrap();
        std::os::unix::fs::symlink("inner", test.root.join("out/again")).unwrap();
        let repo = open(&test, &rules(&["out/**", "link/**", "out/inner/*.json"]));
        assert_eq!(found(&repo), ["out/kept.json"]);
    }

    #[test]
    fn a_forced_report_is_committed_under_the_caps_and_seen_as_tracked_from_then_on() {
        let test = TestRepo::with(&[(".gitignore", "out/\n")]);
        let rules = rules(&["out/**"]);
        let repo = open(&test, &rules);
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

    #[test]
    fn what_was_ignored_when_the_turn_began_stays_unpublished() {
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
        let repo = open(&test, &rules(&["out/**"]));
        let base = repo.head().unwrap().commit;
        let marked = |repo: &Repo| {
            let mut now = repo.dirty().unwrap();
            repo.mark_ignored_at(&base, &mut now).unwrap();
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
