//! Files that git ignores and that are published all the same (`publish.reports.force_add`).

use std::fs;

use super::error::RepoError;
use super::open::Repo;
use crate::publish::{ForcedReports, RepoPath};

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

    /// Whether a directory lies behind a link or in another repository.
    fn is_elsewhere(&self, directory: &RepoPath) -> bool {
        let parents = directory.as_path().ancestors().filter(|parent| !parent.as_os_str().is_empty());
        parents.map(|parent| self.root.join(parent)).any(|parent| {
            parent.join(".git").exists() || parent.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
        })
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
        assert_eq!(test.git(&["show", "--format=%s", "--name-only", "HEAD"]),
            "RALPH AUTO (prompt=main.md) (iter=00003): reports evidence\n\nout/a.json\n");
        assert_eq!(test.status(), "");
        test.write("out/a.json", "2");
        assert_eq!(paths(&select()), ["out/a.json"]);
        test.remove("out/a.json");
        assert_eq!(paths(&select()), ["out/a.json"]);
        test.assert_sound();
    }
}
