//! A workspace, opened for turns: its repository, its records, its locks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::ambient::Ambient;
use crate::attempt::Interrupts;
use crate::config::Config;
use crate::ledger::{Home, HomeError, IsolatedPlace, IsolationRecord, Ledger, Lock, Stage};
use crate::model::{Actor, State};
use crate::publish::{RepoPath, Rules};
use crate::repo::Repo;
use crate::state::StateFile;

use super::isolation::{refuse_gone, refuse_shared_branch, return_logs};
use super::look::newest_journalled;
use super::{RunnerError, settings};

const TREE_PAUSE: Duration = Duration::from_millis(10);

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
    /// For how long the work tree is ours.
    pub tree: TreeUse,
}

/// For how long a process has the work tree for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeUse {
    /// For its life.
    Always,
    /// For each turn: between turns the other seat of the same clone may have it.
    EachTurn,
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
    /// The place of an isolated loop; `None` in a person's own tree.
    pub isolated: Option<IsolatedPlace>,
    _locks: Vec<Lock>,
    tree: Option<Lock>,
}

impl Workspace {
    /// Where the records of a workspace lie, without touching anything.
    pub fn home(root: &Path, repo: Option<&Repo>, ambient: &Ambient) -> Result<Home, RunnerError> {
        Ok(match repo {
            Some(repo) => Home::of_work_tree(repo.git_dir(), repo.root()),
            None => Home::in_state_directory(root, ambient)?,
        })
    }

    /// Opens a workspace for turns of these seats: the seats and the work tree are ours. Whether the repository is fit
    /// for a turn is looked at before each claim, so that a turn of an earlier process is never left unwatched.
    pub fn open(opening: Opening<'_>, seats: &[Actor], ambient: &Ambient) -> Result<Self, RunnerError> {
        let Opening { root, config, git, branch, tree } = opening;
        let mut repo = match git {
            GitUse::Use => Some(Repo::open_configured(root, &config.git, ambient)?),
            GitUse::Avoid => None,
        };
        let home = Self::home(root, repo.as_ref(), ambient)?;
        let isolated = repo.as_ref().and_then(|repo| IsolatedPlace::of_tree(repo.root()));
        home.create()?;
        let mut locks = Vec::new();
        for seat in seats {
            locks.push(home.lock_seat(*seat, ambient)?);
        }
        let tree = match tree {
            TreeUse::Always => Some(Lock::on_work_tree(root)?),
            TreeUse::EachTurn => None,
        };
        if let Some(repo) = &repo {
            let logs = repo.exclude_pattern(&config.logs_dir.display().to_string());
            let own = repo.exclude_pattern(".baton");
            repo.exclude(&[own.as_str(), logs.as_str()])?;
        }
        let prefix =
            repo.as_ref().map_or_else(|| RepoPath::from_bytes(Vec::new()), |repo| repo.prefix().clone());
        let rules = settings::rules(config, prefix, &[])?;
        if let Some(repo) = &mut repo {
            repo.include_forced(rules.forced().cloned());
        }
        let copy = isolated.as_ref().map(IsolatedPlace::state_copy);
        let state = StateFile::new(root, &config.state_file).with_copy(copy);
        let ledger = Ledger::open(&home.ledger())?;
        if let Some(place) = &isolated {
            welcome(place, &state, &ledger, &root.join(&config.logs_dir), ambient)?;
        }
        Ok(Self {
            root: root.to_owned(),
            ledger,
            home,
            rules,
            state,
            isolated,
            machine: machine_id(ambient),
            repo,
            branch: branch.map(str::to_owned),
            _locks: locks,
            tree,
        })
    }

    /// Has the work tree for itself until it is released; waits so long for the other seat of this clone, or for a
    /// signal.
    pub(super) fn take_tree(
        &mut self,
        patience: Duration,
        ambient: &Ambient,
        interrupts: &Interrupts,
    ) -> Result<(), RunnerError> {
        let waiting = ambient.stopwatch();
        loop {
            match Lock::on_work_tree(&self.root) {
                Ok(lock) => {
                    self.tree = Some(lock);
                    return Ok(());
                }
                Err(HomeError::Busy { .. })
                    if interrupts.pending().is_none() && waiting.elapsed() < patience =>
                {
                    std::thread::sleep(TREE_PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn release_tree(&mut self) {
        self.tree = None;
    }

    /// Refuses to look at a tree that is no longer linked: everything in it would count as deleted.
    pub(super) fn refuse_gone(&self) -> Result<(), RunnerError> {
        Ok(self.isolated.as_ref().map_or(Ok(()), refuse_gone)?)
    }

    /// The same, and refuses a branch that somebody else has too.
    pub(super) fn refuse_disturbed(&self) -> Result<(), RunnerError> {
        self.refuse_gone()?;
        Ok(self.isolated.as_ref().map_or(Ok(()), refuse_shared_branch)?)
    }
}

/// Brings what earlier turns left into a work tree that was made or mended: the newest state that is known, the logs. So
/// nobody begins at iteration 1 because a directory was deleted.
fn welcome(
    place: &IsolatedPlace,
    state: &StateFile,
    ledger: &Ledger,
    logs: &Path,
    ambient: &Ambient,
) -> Result<(), RunnerError> {
    let Some(record) = place.record()?.filter(|record| record.stage == Stage::Made) else { return Ok(()) };
    let journalled = newest_journalled(ledger, ambient).map(|found| found.state);
    // The copy has every change by hand; the journal is asked where there is no copy.
    if let Some(known) = state.read_copy().or(journalled) {
        let age = |state: &State| (state.epoch, state.last_update);
        state.update(|found| -> Result<State, RunnerError> {
            Ok(found.filter(|found| age(found) > age(&known)).unwrap_or(known))
        })?;
    }
    return_logs(place, logs)?;
    place.write_record(&IsolationRecord { stage: Stage::Ready, ..record })?;
    Ok(())
}

/// Identifies this machine in the journal: its own identifier where the system has one, else its name.
pub fn machine_id(ambient: &Ambient) -> String {
    std::fs::read_to_string("/etc/machine-id")
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| ambient.host())
}
