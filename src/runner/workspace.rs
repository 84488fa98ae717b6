//! A workspace, opened for turns: its repository, its records, its locks.

use std::path::{Path, PathBuf};

use crate::ambient::Ambient;
use crate::config::Config;
use crate::ledger::{Home, Ledger, Lock};
use crate::model::Actor;
use crate::publish::{RepoPath, Rules};
use crate::repo::Repo;
use crate::state::StateFile;

use super::{RunnerError, settings};

/// Whether turns use the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitUse {
    /// Records beside it, commits in it.
    Use,
    /// No repository is opened, read or written (`--no-git`).
    Avoid,
}

/// What a workspace is opened for.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// Its root, canonical.
    pub root: &'a Path,
    /// Its configuration.
    pub config: &'a Config,
    /// Whether git is used.
    pub git: GitUse,
    /// The only branch that is welcome.
    pub branch: Option<&'a str>,
}

/// A workspace with everything that turns need, and nobody else at work in it.
#[derive(Debug)]
pub struct Workspace {
    /// Its root, canonical.
    pub root: PathBuf,
    /// Where its records lie.
    pub home: Home,
    /// The journal.
    pub ledger: Ledger,
    /// The repository; `None` where git is avoided.
    pub repo: Option<Repo>,
    /// What a turn commits.
    pub rules: Rules,
    /// The turn state.
    pub state: StateFile,
    /// Identifies this machine in the journal.
    pub machine: String,
    /// The only branch that is welcome.
    pub branch: Option<String>,
    _locks: Vec<Lock>,
}

impl Workspace {
    /// Where the records of a workspace lie, without touching anything.
    pub fn home(root: &Path, repo: Option<&Repo>, ambient: &Ambient) -> Result<Home, RunnerError> {
        Ok(match repo {
            Some(repo) => Home::in_git_dir(repo.git_dir()),
            None => Home::in_state_directory(root, ambient)?,
        })
    }

    /// Opens a workspace for turns of these seats: the seats and the work tree are ours. Whether the repository is fit
    /// for a turn is looked at before each claim, so that a turn of an earlier process is never left unwatched.
    pub fn open(opening: Opening<'_>, seats: &[Actor], ambient: &Ambient) -> Result<Self, RunnerError> {
        let Opening { root, config, git, branch } = opening;
        let repo = match git {
            GitUse::Use => Some(Repo::open_configured(root, &config.git, ambient)?),
            GitUse::Avoid => None,
        };
        let home = Self::home(root, repo.as_ref(), ambient)?;
        home.create()?;
        let mut locks = Vec::new();
        for seat in seats {
            locks.push(home.lock_seat(*seat, ambient)?);
        }
        locks.push(Lock::on_work_tree(root)?);
        if let Some(repo) = &repo {
            let logs = repo.exclude_pattern(&config.logs_dir.display().to_string());
            let own = repo.exclude_pattern(".baton");
            repo.exclude(&[own.as_str(), logs.as_str()])?;
        }
        let prefix =
            repo.as_ref().map_or_else(|| RepoPath::from_bytes(Vec::new()), |repo| repo.prefix().clone());
        Ok(Self {
            root: root.to_owned(),
            ledger: Ledger::open(&home.ledger())?,
            home,
            rules: settings::rules(config, prefix, &[])?,
            state: StateFile::new(root, &config.state_file),
            machine: machine_id(ambient),
            repo,
            branch: branch.map(str::to_owned),
            _locks: locks,
        })
    }
}

/// Identifies this machine in the journal: its own identifier where the system has one, else its name.
pub fn machine_id(ambient: &Ambient) -> String {
    std::fs::read_to_string("/etc/machine-id")
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| ambient.host())
}
