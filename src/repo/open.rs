//! The repository, kept open.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{Config, ConfigLevel, Repository, RepositoryOpenFlags};

use super::error::{RepoError, opening_failed};
use super::index::{IndexBackend, LOCK_PATIENCE};
use crate::ambient::Ambient;
use crate::publish::{ForcedReports, RepoPath};

/// A repository with a work tree, opened once for the life of the process.
///
/// Everything that it writes is fsynced before it is relied upon: git does not do so by default.
pub struct Repo {
    pub(super) git: Repository,
    pub(super) root: PathBuf,
    pub(super) ambient: Ambient,
    pub(super) index_backend: IndexBackend,
    /// How long a lock that another git holds is waited for.
    pub(super) lock_patience: Duration,
    /// Ignored files that the scans list.
    pub(super) forced: Option<ForcedReports>,
    workspace: PathBuf,
    prefix: RepoPath,
}

impl std::fmt::Debug for Repo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repo").field("root", &self.root).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Repo {
    /// Opens the repository that holds `workspace`, which may be below its root, or in a linked work tree.
    ///
    /// `ambient` gives the environment (git's own `GIT_CONFIG_*`, `GIT_AUTHOR_*`, `GIT_COMMITTER_*`, `PATH`) and
    /// the clock of commits. `GIT_DIR` and its like are ignored: the workspace alone says which repository.
    pub fn open(workspace: &Path, ambient: &Ambient) -> Result<Self, RepoError> {
        let io = |source| RepoError::Io { doing: "open", path: workspace.to_owned(), source };
        let workspace = std::fs::canonicalize(workspace).map_err(io)?;
        let no_ceiling: [&OsStr; 0] = [];
        let git = Repository::open_ext(&workspace, RepositoryOpenFlags::empty(), no_ceiling)
            .map_err(|source| opening_failed(&workspace, source))?;
        let Some(root) = git.workdir().map(Path::to_owned) else {
            return Err(RepoError::Bare { git_dir: git.path().to_owned() });
        };
        let root = std::fs::canonicalize(&root).map_err(|source| RepoError::Io {
            doing: "open",
            path: root,
            source,
        })?;
        let Ok(inside) = workspace.strip_prefix(&root) else {
            return Err(RepoError::NotARepository { workspace });
        };
        // Below a git directory there is no work tree but a linked one, whose root lies there too.
        let common = git.commondir().canonicalize().map_err(io)?;
        if workspace.starts_with(&common) && !root.starts_with(&common) {
            return Err(RepoError::NotARepository { workspace });
        }
        let prefix = RepoPath::from_path(inside);
        configure(&git, ambient.env())
            .map_err(|source| RepoError::Unopenable { workspace: workspace.clone(), source })?;
        let index_backend = IndexBackend::find(ambient);
        Ok(Self {
            git,
            root,
            ambient: ambient.clone(),
            index_backend,
            lock_patience: LOCK_PATIENCE,
            forced: None,
            workspace,
            prefix,
        })
    }

    /// Refreshes the index by this means instead of the one that was found.
    #[must_use]
    pub fn with_index_backend(mut self, backend: IndexBackend) -> Self {
        self.index_backend = backend;
        self
    }

    /// The directory of this work tree's HEAD and index (`.git`, or below `.git/worktrees/`).
    pub fn git_dir(&self) -> &Path {
        self.git.path()
    }

    /// The directory of objects, branches and `info/exclude`, shared by all work trees.
    pub fn common_dir(&self) -> &Path {
        self.git.commondir()
    }

    /// The root of the work tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The workspace, at the root or below it.
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// The workspace inside the repository; empty where it is the root.
    pub fn prefix(&self) -> &RepoPath {
        &self.prefix
    }

    pub(super) fn failed(&self, doing: &'static str) -> impl Fn(git2::Error) -> RepoError + '_ {
        move |source| RepoError::Git { doing, place: self.root.clone(), source }
    }

    /// Where a path lies in the file system.
    pub(super) fn absolute(&self, path: &RepoPath) -> PathBuf {
        self.root.join(path.as_path())
    }
}

/// Gives the handle the configuration that git itself would read, and makes its writes durable.
fn configure(git: &Repository, env: &BTreeMap<OsString, OsString>) -> Result<(), git2::Error> {
    let overridden = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"]
        .iter()
        .any(|name| env.contains_key(OsStr::new(name)));
    let config = if overridden { config_of_environment(git, env)? } else { git.config()? };
    make_durable(git)?;
    git.set_config(&config)
}

/// libgit2 does not know git's variables for other configuration files. `includeIf` conditions on the git
/// directory hold nowhere in a configuration made this way, so it is made only where the variables are set.
fn config_of_environment(
    git: &Repository,
    env: &BTreeMap<OsString, OsString>,
) -> Result<Config, git2::Error> {
    let variable = |name: &str| env.get(OsStr::new(name)).map(PathBuf::from);
    let is_on = |value: &PathBuf| !matches!(value.to_str(), Some("" | "0" | "false" | "no" | "off"));
    let mut config = Config::new()?;
    let mut add = |path: Option<PathBuf>, level| match path {
        Some(path) if path.is_file() => config.add_file(&path, level, false),
        _ => Ok(()),
    };
    if !variable("GIT_CONFIG_NOSYSTEM").as_ref().is_some_and(is_on) {
        add(variable("GIT_CONFIG_SYSTEM").or_else(|| Config::find_system().ok()), ConfigLevel::System)?;
    }
    if let Some(global) = variable("GIT_CONFIG_GLOBAL") {
        add(Some(global), ConfigLevel::Global)?;
    } else {
        let home = variable("HOME");
        let xdg = variable("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
        add(xdg.map(|xdg| xdg.join("git/config")), ConfigLevel::XDG)?;
        add(home.map(|home| home.join(".gitconfig")), ConfigLevel::Global)?;
    }
    add(Some(git.commondir().join("config")), ConfigLevel::Local)?;
    add(Some(git.path().join("config.worktree")), ConfigLevel::Worktree)?;
    Ok(config)
}

/// libgit2 reads `core.fsyncObjectFiles` once, when it opens the object and the reference database; the global
/// switch for it is not reachable without `unsafe`. So both are opened under a passing configuration that has it.
fn make_durable(git: &Repository) -> Result<(), git2::Error> {
    let io = |error: std::io::Error| git2::Error::from_str(&error.to_string());
    let mut passing = tempfile::NamedTempFile::new().map_err(io)?;
    std::io::Write::write_all(&mut passing, b"[core]\n\tfsyncObjectFiles = true\n").map_err(io)?;
    let mut config = Config::new()?;
    let local = git.commondir().join("config");
    if local.is_file() {
        config.add_file(&local, ConfigLevel::Local, false)?;
    }
    config.add_file(passing.path(), ConfigLevel::App, false)?;
    git.set_config(&config)?;
    git.odb()?;
    git.refdb()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::TestRepo;

    #[test]
    fn a_directory_without_a_repository_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let place = std::fs::canonicalize(directory.path()).unwrap();
        let error = TestRepo::unborn().try_open(&place).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` is not inside a git repository; make one with `git init` and a first commit, or use `--no-git`",
                place.display()
            )
        );
    }

    #[test]
    fn a_directory_below_a_git_directory_is_in_no_work_tree() {
        let test = TestRepo::with(&[]);
        let place = test.root.join(".git/objects");
        assert!(matches!(test.try_open(&place), Err(RepoError::NotARepository { .. })));
    }

    #[test]
    fn a_bare_repository_is_refused() {
        let test = TestRepo::unborn();
        test.git(&["init", "-q", "--bare", "../bare.git"]);
        let place = test.root.with_file_name("bare.git");
        assert_eq!(
            test.try_open(&place).unwrap_err().to_string(),
            format!("`{}/` is a bare repository, without a work tree; use a clone of it", place.display())
        );
    }

    #[test]
    fn formats_that_cannot_be_read_are_named_with_a_remedy() {
        for (format, text) in [
            (
                "--ref-format=reftable",
                "stores its references as a reftable, which the built-in git cannot read; convert it with `git refs migrate --ref-format=files`",
            ),
            (
                "--object-format=sha256",
                "uses SHA-256 object names, which the built-in git cannot read; use a repository with SHA-1 object names (`git init --object-format=sha1`)",
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
                "the repository of `{}` uses an extension of the repository format, which the built-in git cannot read; see `git config --get-regexp '^extensions'`",
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

    #[test]
    fn a_repository_of_another_user_has_its_own_message() {
        let error = git2::Error::new(git2::ErrorCode::Owner, git2::ErrorClass::Config, "not owned");
        assert_eq!(
            opening_failed(Path::new("/there"), error).to_string(),
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
                "the repository of `{}` has a split index, which the built-in git cannot read; turn it off with `git update-index --no-split-index`",
                test.root.display()
            )
        );
    }

    #[test]
    fn what_is_set_for_durability_stays_out_of_the_users_configuration() {
        let test = TestRepo::with(&[]);
        let was = std::fs::read(test.root.join(".git/config")).unwrap();
        let repo = test.open();
        assert!(repo.git.config().unwrap().get_bool("core.fsyncobjectfiles").is_err());
        assert_eq!(std::fs::read(test.root.join(".git/config")).unwrap(), was);
    }
}
