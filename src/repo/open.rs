//! The repository, kept open.

use std::path::Path;
use std::time::Duration;

use super::backend::Backend;
use super::choice::{self, Choice};
use super::error::RepoError;
use super::place::Place;
use crate::ambient::Ambient;
use crate::config::{GitBackend, GitConfig};
use crate::publish::{ForcedReports, ObjectId, RepoPath};

/// A repository with a work tree, opened once for the life of the process.
///
/// Everything that it writes is fsynced before it is relied upon: git does not do so by default.
pub struct Repo {
    pub(super) backend: Box<dyn Backend>,
    pub(super) choice: Choice,
    /// Ignored files that the scans list.
    pub(super) forced: Option<ForcedReports>,
    /// `git.timeout`.
    pub(super) time_limit: Duration,
}

/// How long one process of the installed git may take, where nothing is configured.
pub(super) const TIME_LIMIT: Duration = Duration::from_mins(1);

impl std::fmt::Debug for Repo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = self.place();
        f.debug_struct("Repo")
            .field("root", &place.root)
            .field("prefix", &place.prefix)
            .finish_non_exhaustive()
    }
}

impl Repo {
    /// As [`Repo::open_configured`], in the way that the repository needs.
    pub fn open(workspace: &Path, ambient: &Ambient) -> Result<Self, RepoError> {
        Self::open_as(workspace, GitBackend::Auto, TIME_LIMIT, ambient)
    }

    /// Opens the repository that holds `workspace`, which may be below its root, or in a linked work tree. Which git works
    /// with it is decided now, once.
    ///
    /// `ambient` gives the environment (git's own `GIT_CONFIG_*`, `GIT_AUTHOR_*`, `GIT_COMMITTER_*`, `PATH`) and
    /// the clock of commits. `GIT_DIR` and its like are ignored: the workspace alone says which repository.
    pub fn open_configured(workspace: &Path, git: &GitConfig, ambient: &Ambient) -> Result<Self, RepoError> {
        Self::open_as(workspace, git.backend, git.timeout.0, ambient)
    }

    fn open_as(
        workspace: &Path,
        asked: GitBackend,
        time_limit: Duration,
        ambient: &Ambient,
    ) -> Result<Self, RepoError> {
        let workspace = std::fs::canonicalize(workspace).map_err(|source| RepoError::Io {
            doing: "open",
            path: workspace.to_owned(),
            source,
        })?;
        let (backend, choice) = choice::open(&workspace, asked, time_limit, ambient)?;
        Ok(Self { backend, choice, forced: None, time_limit })
    }

    /// Which git works with this repository, and why.
    pub const fn choice(&self) -> &Choice {
        &self.choice
    }

    pub(super) fn place(&self) -> &Place {
        self.backend.place()
    }

    /// The directory of this work tree's HEAD and index (`.git`, or below `.git/worktrees/`).
    pub fn git_dir(&self) -> &Path {
        &self.place().git_dir
    }

    /// The directory of objects, branches and `info/exclude`, shared by all work trees.
    pub fn common_dir(&self) -> &Path {
        &self.place().common_dir
    }

    /// The root of the work tree.
    pub fn root(&self) -> &Path {
        &self.place().root
    }

    /// The workspace, at the root or below it.
    pub fn workspace(&self) -> &Path {
        &self.place().workspace
    }

    /// The workspace inside the repository; empty where it is the root.
    pub fn prefix(&self) -> &RepoPath {
        &self.place().prefix
    }

    /// The contents of blobs, in their order; `None` where there is no such blob.
    pub fn blobs(&self, ids: &[&ObjectId]) -> Result<Vec<Option<Vec<u8>>>, RepoError> {
        self.backend.blobs(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::DirtyRecord;
    use crate::repo::testing::{TestRepo, Way, publish};
    use rstest::rstest;

    #[rstest]
    fn a_directory_without_a_repository_is_refused(#[values(Way::Library, Way::Program)] way: Way) {
        let directory = tempfile::tempdir().unwrap();
        let place = std::fs::canonicalize(directory.path()).unwrap();
        let error = TestRepo::unborn().try_open_as(way, &place).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` is not inside a git repository; make one with `git init` and a first commit, or use `--no-git`",
                place.display()
            )
        );
    }

    #[rstest]
    fn a_directory_below_a_git_directory_is_in_no_work_tree(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[]);
        let place = test.root.join(".git/objects");
        assert!(matches!(test.try_open_as(way, &place), Err(RepoError::NotARepository { .. })));
    }

    #[rstest]
    #[case::library(Way::Library, "/")]
    #[case::program(Way::Program, "")]
    fn a_bare_repository_is_refused(#[case] way: Way, #[case] slash: &str) {
        let test = TestRepo::unborn();
        test.git(&["init", "-q", "--bare", "../bare.git"]);
        let place = test.root.with_file_name("bare.git");
        assert_eq!(
            test.try_open_as(way, &place).unwrap_err().to_string(),
            format!(
                "`{}{slash}` is a bare repository, without a work tree; use a clone of it",
                place.display()
            )
        );
    }

    #[test]
    fn formats_that_cannot_be_read_are_named_with_a_remedy() {
        for (format, text) in [
            (
                "--ref-format=reftable",
                "stores its references as a reftable, which the built-in git cannot read; set `git.backend: cli`, or convert it with `git refs migrate --ref-format=files`",
            ),
            (
                "--object-format=sha256",
                "uses SHA-256 object names, which the built-in git cannot read; set `git.backend: cli`, or use a repository with SHA-1 object names (`git init --object-format=sha1`)",
            ),
        ] {
            let test = TestRepo::unborn();
            test.git(&["init", "-q", format, "../odd"]);
            let place = test.root.with_file_name("odd");
            assert_eq!(
                test.try_open(&place).unwrap_err().to_string(),
                format!("the repository of `{}` {text}", place.display())
            );
        }
    }

    #[test]
    fn an_unknown_extension_and_a_broken_repository_are_refused() {
        let test = TestRepo::with(&[]);
        test.git(&["config", "core.repositoryFormatVersion", "1"]);
        test.git(&["config", "extensions.fromTheFuture", "yes"]);
        assert_eq!(
            test.try_open(&test.root).unwrap_err().to_string(),
            format!(
                "the repository of `{}` uses an extension of the repository format, which the built-in git cannot read; set `git.backend: cli`, or do without it: `git config --get-regexp '^extensions'` lists them",
                test.root.display()
            )
        );
        test.write(".git/config", "[core\n");
        assert_eq!(
            test.try_open(&test.root).unwrap_err().to_string(),
            format!(
                "the repository of `{}` cannot be opened; `git status` and `git fsck` there say more",
                test.root.display()
            )
        );
    }

    #[rstest]
    fn the_place_alone_says_which_repository_even_with_a_line_break_in_its_path(
        #[values(Way::Library, Way::Program)] way: Way,
    ) {
        let mut test = TestRepo::with(&[("a", "1")]);
        let root = test.root.with_file_name("two\nlines");
        std::fs::rename(&test.root, &root).unwrap();
        test.root = root;
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
            test.set_env(name, "/nowhere");
        }
        test.write("new", "n");
        let repo = test.open_as(way);
        assert_eq!(repo.root(), test.root);
        assert_eq!(repo.git_dir().join("x"), test.root.join(".git/x"));
        assert_eq!(repo.common_dir().join("x"), test.root.join(".git/x"));
        let (_, committed) = publish(&repo, &DirtyRecord::default());
        assert_eq!(committed.commits.len(), 1);
        assert!(repo.dirty().unwrap().is_empty());
    }

    #[test]
    fn what_the_installed_git_says_is_in_the_error() {
        let test = TestRepo::with(&[("a", "1")]);
        test.write(".git/index", "xxxx: no index at all, and long enough to be one");
        assert_eq!(
            test.open_as(Way::Program).dirty().unwrap_err().to_string(),
            format!(
                "git failed to compare the work tree with HEAD in `{}`: error: bad signature 0x78787878\nfatal: index file corrupt",
                test.root.display()
            )
        );
    }

    #[test]
    fn a_repository_of_another_user_has_its_own_message() {
        let error = git2::Error::new(git2::ErrorCode::Owner, git2::ErrorClass::Config, "not owned");
        assert_eq!(
            crate::repo::error::opening_failed(Path::new("/there"), error).to_string(),
            "the repository of `/there` belongs to another user, so git does not trust it; if you do, run `git config --global --add safe.directory '/there'`"
        );
    }

    #[test]
    fn a_split_index_is_named_with_a_remedy() {
        let test = TestRepo::with(&[("a", "1")]);
        test.git(&["update-index", "--split-index"]);
        assert_eq!(
            test.open().dirty().unwrap_err().to_string(),
            format!(
                "the repository of `{}` has a split index, which the built-in git cannot read; set `git.backend: cli`, or turn it off with `git update-index --no-split-index`",
                test.root.display()
            )
        );
    }
}
