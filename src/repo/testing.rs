//! Real repositories in temporary directories, with no configuration but their own.
#![expect(clippy::disallowed_methods, reason = "tests check the results with the system's git")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::backend::Backend;
use super::choice::Choice;
use super::commit::{CommitOrder, CommitPlan, Committed};
use super::error::RepoError;
use super::library::{Library, Scans};
use super::open::{Repo, TIME_LIMIT};
use super::program::{GitProgram, Installed};
use crate::ambient::Ambient;
use crate::model::{Actor, TurnId};
use crate::publish::{
    CommitContext, DirtyRecord, RepoPath, RuleSpec, Rules, Selection, commit_message, decide_selection,
};

/// The ways to work with git that one suite runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// libgit2, and the installed git for an index that is out of the ordinary.
    Library,
    /// libgit2, and the installed git looks at all files, as it does where they are very many.
    LargeLibrary,
    /// libgit2 on a machine without git.
    LibraryAlone,
    /// The installed git.
    Program,
}

pub(super) struct TestRepo {
    pub(super) root: PathBuf,
    env: BTreeMap<OsString, OsString>,
    _directory: tempfile::TempDir,
}

pub(super) fn turn() -> TurnId {
    "01JD5F3Z8K0000000000000000".parse().unwrap()
}

/// Only `docs` and `work`, so that a test's files go where their names say.
pub(super) fn rules() -> Rules {
    let mut spec = RuleSpec::default();
    spec.reports.enabled = false;
    spec.tracked_outputs.enabled = false;
    Rules::compile(spec).unwrap()
}

impl TestRepo {
    /// With an identity and no commit.
    pub(super) fn unborn() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = std::fs::canonicalize(directory.path()).unwrap();
        let home = base.join("home");
        let root = base.join("repo");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::create_dir_all(&root).unwrap();
        let mut env = BTreeMap::new();
        for (name, value) in [("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")] {
            env.insert(name.into(), value.into());
        }
        env.insert("HOME".into(), home.into());
        env.insert("PATH".into(), std::env::var_os("PATH").unwrap());
        let repo = Self { root, env, _directory: directory };
        repo.git(&["init", "-q", "-b", "main"]);
        repo.git(&["config", "user.name", "Tester"]);
        repo.git(&["config", "user.email", "tester@example.org"]);
        repo
    }

    /// With one commit of these files.
    pub(super) fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self::unborn();
        for (path, text) in files {
            repo.write(path, text);
        }
        repo.git(&["add", "-A"]);
        repo.git(&["commit", "-q", "--allow-empty", "-m", "first"]);
        repo
    }

    pub(super) fn set_env(&mut self, name: &str, value: &str) {
        self.env.insert(name.into(), value.into());
    }

    pub(super) fn ambient(&self) -> Ambient {
        Ambient::fixed("2026-01-02T03:04:05Z".parse().unwrap(), self.env.clone())
    }

    /// As `auto` would where nothing needs the installed git.
    pub(super) fn open(&self) -> Repo {
        self.open_as(Way::Library)
    }

    pub(super) fn open_as(&self, way: Way) -> Repo {
        self.try_open_as(way, &self.root).unwrap()
    }

    pub(super) fn open_patient(&self, way: Way) -> Repo {
        self.open_in(way, &self.root, Duration::from_secs(20)).unwrap()
    }

    pub(super) fn try_open(&self, workspace: &Path) -> Result<Repo, RepoError> {
        self.try_open_as(Way::Library, workspace)
    }

    pub(super) fn try_open_as(&self, way: Way, workspace: &Path) -> Result<Repo, RepoError> {
        self.open_in(way, workspace, Duration::from_millis(20))
    }

    fn open_in(&self, way: Way, workspace: &Path, lock_patience: Duration) -> Result<Repo, RepoError> {
        let ambient = self.ambient();
        if way == Way::Program {
            let program = GitProgram::find(workspace, Duration::from_mins(1), &ambient).unwrap();
            let mut installed = Installed::open(workspace, program, &ambient)?;
            installed.place.lock_patience = lock_patience;
            let backend = Box::new(installed);
            return Ok(Repo { backend, choice: Choice::Library, forced: None, time_limit: TIME_LIMIT });
        }
        let mut library = Library::open(workspace, &ambient)?;
        library.place.lock_patience = lock_patience;
        let program = GitProgram::find(&library.place.root, Duration::from_mins(1), &ambient);
        let backend: Box<dyn Backend> = match way {
            Way::Library => Box::new(library.with_program(program)),
            Way::LargeLibrary => Box::new(library.with_program(program).with_scans(Scans::LargeByProgram(0))),
            Way::LibraryAlone => Box::new(library),
            Way::Program => unreachable!("opened above"),
        };
        Ok(Repo { backend, choice: Choice::Library, forced: None, time_limit: TIME_LIMIT })
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(super) fn remove(&self, path: &str) {
        std::fs::remove_file(self.root.join(path)).unwrap();
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        self.run_in(&self.root, arguments)
    }

    pub(super) fn run_in(&self, directory: &Path, arguments: &[&str]) -> Output {
        self.command(directory, arguments).output().unwrap()
    }

    fn command(&self, directory: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(directory).env_clear().envs(&self.env);
        command
    }

    /// What git prints; it must succeed.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The sides of a conflict, as a merge leaves them.
    pub(super) fn put_conflict(&self, path: &str, blob: &str) {
        self.git(&["rm", "--quiet", "--cached", "--ignore-unmatch", path]);
        let [one, two, three] = [1, 2, 3].map(|side| format!("100644 {blob} {side}\t{path}\n"));
        let sides = one + &two + &three;
        self.git_with(&["update-index", "--index-info"], sides.as_bytes());
    }

    /// What git prints that reads this; it must succeed.
    pub(super) fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, input).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let output = self.command(&self.root, arguments).stdin(file).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(super) fn status(&self) -> String {
        self.git(&["status", "--porcelain"])
    }

    /// Object by object, and links between them.
    pub(super) fn assert_sound(&self) {
        let output = self.run(&["fsck", "--strict", "--full"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !text.contains("error"), "{text}");
    }

    /// Adds one after the other, at least so many and until there are `enough`; names those that were added.
    pub(super) fn spawn_adds(
        &self,
        names: &[String],
        least: usize,
        enough: &Arc<AtomicBool>,
    ) -> std::thread::JoinHandle<Vec<String>> {
        let (root, env, names) = (self.root.clone(), self.env.clone(), names.to_vec());
        let enough = Arc::clone(enough);
        std::thread::spawn(move || {
            let add = |name: &String| {
                let command = Command::new("git")
                    .args(["add", "--"])
                    .arg(name)
                    .current_dir(&root)
                    .env_clear()
                    .envs(&env)
                    .output();
                command.unwrap().status.success()
            };
            let mut added = Vec::new();
            let mut names = names.into_iter();
            while added.len() < least || !enough.load(Ordering::Relaxed) {
                let Some(name) = names.next() else { break };
                added.extend(Some(name).filter(&add));
            }
            added
        })
    }
}

/// One turn's publishing, as the runner does it.
pub(super) fn publish(repo: &Repo, before: &DirtyRecord) -> (Selection, Committed) {
    let (selection, committed) = try_publish(repo, before);
    (selection, committed.unwrap())
}

pub(super) fn try_publish(repo: &Repo, before: &DirtyRecord) -> (Selection, Result<Committed, RepoError>) {
    let selection = select(repo, before);
    let committed = commit(repo, &selection);
    (selection, committed)
}

pub(super) fn select(repo: &Repo, before: &DirtyRecord) -> Selection {
    let mut spec = RuleSpec { workspace: repo.prefix().clone(), ..RuleSpec::default() };
    spec.reports.enabled = false;
    spec.tracked_outputs.enabled = false;
    let rules = Rules::compile(spec).unwrap();
    let now = repo.dirty_since(before).unwrap();
    decide_selection(before, &now, Actor::Ralph, &rules)
}

pub(super) fn plans(selection: &Selection) -> Vec<CommitPlan> {
    let context = CommitContext { actor: Actor::Ralph, prompt: "main.md", iteration: 3, turn: turn() };
    let plan = |batch: &crate::publish::Batch| CommitPlan {
        batch: batch.clone(),
        message: commit_message(context, batch.category, &batch.paths),
    };
    selection.batches.iter().map(plan).collect()
}

pub(super) fn commit(repo: &Repo, selection: &Selection) -> Result<Committed, RepoError> {
    let head = repo.head()?;
    let identity = repo.identity()?;
    repo.commit(CommitOrder { head: &head, plans: &plans(selection), identity: &identity })
}

pub(super) fn paths(selection: &Selection) -> Vec<String> {
    let paths = selection.batches.iter().flat_map(|batch| batch.paths.keys());
    paths.map(RepoPath::to_string).collect()
}
