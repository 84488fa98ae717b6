//! Earlier versions of a file, along first parents.

use super::commit::Commit;
use super::error::RepoError;
use super::open::Repo;
use crate::publish::{ObjectId, RepoPath};

/// What was found in a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastVersion<T> {
    /// The commit that has it, shortened.
    pub commit: String,
    /// What `accept` made of its content.
    pub found: T,
}

impl Repo {
    /// The newest committed version of `path` that `accept` takes, along HEAD's first parents; `None` where there is
    /// none, and in a repository without commits. Changes nothing.
    pub fn newest_version<T>(
        &self,
        path: &RepoPath,
        accept: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Option<PastVersion<T>>, RepoError> {
        match self.seek_from(None, path, accept) {
            Err(RepoError::NoCommits { .. }) => Ok(None),
            found => found,
        }
    }

    /// As [`Repo::newest_version`], from this commit on instead of HEAD.
    pub fn newest_version_from<T>(
        &self,
        commit: &ObjectId,
        path: &RepoPath,
        accept: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Option<PastVersion<T>>, RepoError> {
        self.seek_from(Some(commit), path, accept)
    }

    /// The newest commits that `newest` (else HEAD) has, newest first, so many at most.
    pub fn recent_commits(&self, newest: Option<&ObjectId>, limit: usize) -> Result<Vec<Commit>, RepoError> {
        let commits = self.backend.recent_commits(newest, limit)?;
        Ok(commits.into_iter().map(Commit::from).collect())
    }

    /// The files of a commit at or below these paths, in order.
    pub fn files_below(&self, commit: &ObjectId, below: &[RepoPath]) -> Result<Vec<RepoPath>, RepoError> {
        if below.is_empty() {
            return Ok(Vec::new());
        }
        self.backend.files_below(commit, below)
    }

    fn seek_from<T>(
        &self,
        newest: Option<&ObjectId>,
        path: &RepoPath,
        mut accept: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Option<PastVersion<T>>, RepoError> {
        let mut accepted = None;
        let commit = self.backend.seek_version(newest, path, &mut |content| {
            accepted = accept(content);
            accepted.is_some()
        })?;
        Ok(commit.zip(accepted).map(|(commit, found)| PastVersion { commit, found }))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::publish::{ObjectId, RepoPath};
    use crate::repo::testing::{TestRepo, Way};

    #[rstest]
    fn the_newest_version_that_is_accepted_is_found_with_its_commit(
        #[values(Way::Library, Way::Program)] way: Way,
    ) {
        let test = TestRepo::with(&[("sync/state.json", "one")]);
        let path = RepoPath::from_bytes("sync/state.json");
        for text in ["two", "two", "broken"] {
            test.write("sync/state.json", text);
            test.git(&["add", "-A"]);
            test.git(&["commit", "-q", "--allow-empty", "-m", text]);
        }
        let repo = test.open_as(way);
        let valid = |bytes: &[u8]| (bytes != b"broken").then(|| String::from_utf8(bytes.to_vec()).unwrap());
        let found = repo.newest_version(&path, valid).unwrap().unwrap();
        assert_eq!(found.found, "two");
        assert_eq!(found.commit, test.git(&["rev-parse", "--short", "HEAD~1"]).trim());
        assert_eq!(repo.newest_version(&path, |_| None::<()>).unwrap(), None);
        assert_eq!(repo.newest_version(&RepoPath::from_bytes("no/such"), |_| Some(())).unwrap(), None);
        let first = repo.commit_named("HEAD~3").unwrap();
        let older = repo.newest_version_from(&first, &path, valid).unwrap().unwrap();
        assert_eq!(
            (older.found.as_str(), older.commit),
            ("one", test.git(&["rev-parse", "--short", "HEAD~3"]).trim().to_owned())
        );
    }

    #[rstest]
    fn commits_and_the_files_of_one_are_listed(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[
            ("docs/a.md", "a"),
            ("docs/deep/b *.md", "b"),
            ("docs.txt", "x"),
            ("src/c", "c"),
        ]);
        test.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
        let repo = test.open_as(way);
        let head = repo.head().unwrap().commit;
        let subjects = |newest: Option<&ObjectId>, limit| -> Vec<String> {
            let commits = repo.recent_commits(newest, limit).unwrap();
            commits.into_iter().map(|commit| commit.subject).collect()
        };
        assert_eq!(subjects(None, 1), ["second"]);
        assert_eq!(subjects(None, 9).len(), 2);
        let first = repo.commit_named("HEAD~1").unwrap();
        assert_eq!(subjects(Some(&first), 9).len(), 1);
        let below = |paths: &[&str]| -> Vec<String> {
            let paths: Vec<RepoPath> = paths.iter().map(|path| RepoPath::from_bytes(*path)).collect();
            repo.files_below(&head, &paths).unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(below(&["docs", "none", "src/c"]), ["docs/a.md", "docs/deep/b *.md", "src/c"]);
        assert_eq!(below(&["docs/*"]), [""; 0]);
        assert_eq!(below(&[]), [""; 0]);
    }

    #[rstest]
    fn a_repository_without_commits_has_no_versions(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::unborn();
        let repo = test.open_as(way);
        assert_eq!(repo.newest_version(&RepoPath::from_bytes("a"), |_| Some(())).unwrap(), None);
    }
}
