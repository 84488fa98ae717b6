//! The handle, with git's own configuration and durable writes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use git2::{Config, ConfigLevel, Repository, RepositoryOpenFlags};

use super::super::error::{RepoError, opening_failed};
use super::super::place::Place;
use super::super::program::GitProgram;
use super::index_file::AttributesFiles;
use super::suspects::Names;
use crate::ambient::Ambient;

/// libgit2's handle of a repository.
pub(in super::super) struct Library {
    pub(in super::super) git: Repository,
    pub(in super::super) place: Place,
    /// Writes an index that is out of the ordinary.
    pub(super) program: Option<GitProgram>,
    pub(super) scans: Scans,
    /// The commit that was HEAD last, and its short name.
    pub(super) short: RefCell<Option<(git2::Oid, String)>>,
    /// The attributes files that the index had when libgit2 last read it; `None`: nobody has looked.
    pub(super) attributes: RefCell<Option<AttributesFiles>>,
    /// What looks at a large work tree have found, for the next one.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "git looks there"))]
    pub(super) names: RefCell<Names>,
}

/// Who looks at all files of a large work tree. libgit2 takes longer than the installed git, which tells what has become of
/// the files that are not provably unchanged; but it runs filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Scans {
    /// libgit2, however large.
    Own,
    /// The installed git, where there is one and the index has so many bytes.
    LargeByProgram(u64),
}

impl Scans {
    /// From about 10,000 files on, where nothing else needs the installed git.
    pub(in super::super) const LARGE: Self = Self::LargeByProgram(1 << 20);
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Library {
    /// Opens the repository that holds `workspace`, a canonical path.
    pub(in super::super) fn open(workspace: &Path, ambient: &Ambient) -> Result<Self, RepoError> {
        let no_ceiling: [&OsStr; 0] = [];
        let git = Repository::open_ext(workspace, RepositoryOpenFlags::empty(), no_ceiling)
            .map_err(|source| opening_failed(workspace, source))?;
        let Some(root) = git.workdir().map(Path::to_owned) else {
            return Err(RepoError::Bare { git_dir: git.path().to_owned() });
        };
        let place = Place::new(workspace, &root, git.path().to_owned(), git.commondir().to_owned(), ambient)?;
        let durable = durable_settings()?;
        configure(&git, ambient.env(), durable.path())
            .map_err(|source| RepoError::Unopenable { workspace: workspace.to_owned(), source })?;
        Ok(Self {
            git,
            place,
            program: None,
            scans: Scans::Own,
            short: RefCell::default(),
            attributes: RefCell::default(),
            names: RefCell::default(),
        })
    }

    /// Leaves what libgit2 cannot do to this program.
    pub(in super::super) fn with_program(self, program: Option<GitProgram>) -> Self {
        Self { program, ..self }
    }

    /// Leaves such scans to that program.
    pub(in super::super) fn with_scans(self, scans: Scans) -> Self {
        Self { scans, ..self }
    }

    pub(in super::super) fn failed(&self, doing: &'static str) -> impl Fn(git2::Error) -> RepoError + '_ {
        move |source| RepoError::Git { doing, place: self.place.root.clone(), source }
    }
}
/// Gives the handle the configuration that git itself would read, and makes its writes durable.
fn configure(
    git: &Repository,
    env: &BTreeMap<OsString, OsString>,
    durable: &Path,
) -> Result<(), git2::Error> {
    let config = configuration(git, env)?;
    make_durable(git, durable)?;
    git.set_config(&config)
}

/// The configuration of a repository, as git would read it in this environment.
pub(in super::super) fn configuration(
    git: &Repository,
    env: &BTreeMap<OsString, OsString>,
) -> Result<Config, git2::Error> {
    let overridden = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"]
        .iter()
        .any(|name| env.contains_key(OsStr::new(name)));
    if overridden { config_of_environment(git, env) } else { git.config() }
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
fn make_durable(git: &Repository, durable: &Path) -> Result<(), git2::Error> {
    let mut config = Config::new()?;
    let local = git.commondir().join("config");
    if local.is_file() {
        config.add_file(&local, ConfigLevel::Local, false)?;
    }
    config.add_file(durable, ConfigLevel::App, false)?;
    git.set_config(&config)?;
    git.odb()?;
    git.refdb()?;
    Ok(())
}

/// That configuration, for as long as this is held.
fn durable_settings() -> Result<tempfile::NamedTempFile, RepoError> {
    let directory = std::env::temp_dir();
    let mut file = tempfile::Builder::new()
        .prefix("baton-git-config-")
        .tempfile_in(&directory)
        .map_err(|source| RepoError::Io { doing: "make a temporary file in", path: directory, source })?;
    match std::io::Write::write_all(&mut file, b"[core]\n\tfsyncObjectFiles = true\n") {
        Ok(()) => Ok(file),
        Err(source) => {
            Err(RepoError::Io { doing: "write the temporary file", path: file.path().to_owned(), source })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::TestRepo;

    #[test]
    fn what_is_set_for_durability_stays_out_of_the_users_configuration() {
        let test = TestRepo::with(&[]);
        let was = std::fs::read(test.root.join(".git/config")).unwrap();
        let library = super::Library::open(&test.root, &test.ambient()).unwrap();
        assert!(library.git.config().unwrap().get_bool("core.fsyncobjectfiles").is_err());
        assert_eq!(std::fs::read(test.root.join(".git/config")).unwrap(), was);
    }
}
