//! One workspace with everything around it in a temporary directory of its own.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::machine::Machine;
use super::process::{Ended, Orchestrator};

/// Whether the loop uses git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Git {
    Used,
    /// `--no-git`, in a directory that is a repository all the same, so that what touches it is seen.
    Avoided,
}

/// Two scripted `verify` commands.
pub(crate) const CHECKS: &str = r#"verify:
  - { name: first, run: 'CHECK=first; . "$FAKE_DIR/check"' }
  - { name: second, run: 'CHECK=second; . "$FAKE_DIR/check"' }
"#;

/// A workspace on a machine of its own.
pub(crate) struct Workspace {
    machine: Machine,
    git: Git,
    /// The repository as it was before the loop.
    first_commit: String,
    first_git_dir: BTreeMap<PathBuf, Vec<u8>>,
    /// Removed after everything in it has ended.
    _directory: tempfile::TempDir,
}

impl Deref for Workspace {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}

impl Workspace {
    /// A workspace with the built-in configuration, the scripted agent, and a person's uncommitted changes.
    pub(crate) fn new(git: Git) -> Self {
        Self::configured(git, "")
    }

    /// The same with two `verify` commands.
    pub(crate) fn with_checks(git: Git) -> Self {
        Self::configured(git, CHECKS)
    }

    /// The same with more lines of `orchestration.yaml`.
    pub(crate) fn configured(git: Git, more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut workspace = Self {
            machine: Machine::new(directory.path(), Vec::new()),
            git,
            first_commit: String::new(),
            first_git_dir: BTreeMap::new(),
            _directory: directory,
        };
        workspace.write_workspace(more);
        workspace.make_repository();
        workspace.leave_persons_files();
        workspace.first_commit = workspace.head();
        workspace.first_git_dir = read_all(&workspace.root().join(".git"));
        workspace
    }

    /// Starts `baton run` with these arguments, `--no-git` added where git is avoided.
    pub(crate) fn start(&self, arguments: &[&str], crash_at: Option<&str>) -> Orchestrator {
        self.start_with(arguments, crash_at.map(|place| ("BATON_CRASH_AT", place)))
    }

    /// Runs it to its end with more environment.
    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        self.start_with(arguments, environment.iter().copied()).wait()
    }

    fn start_with<'e>(
        &self,
        arguments: &[&str],
        fault: impl IntoIterator<Item = (&'e str, &'e str)>,
    ) -> Orchestrator {
        self.start_under(&[], arguments, fault)
    }

    /// Starts `baton run` with more variables, as the last words of another command (none: by itself).
    pub(crate) fn start_under<'e>(
        &self,
        wrapper: &[&str],
        arguments: &[&str],
        fault: impl IntoIterator<Item = (&'e str, &'e str)>,
    ) -> Orchestrator {
        let mut all = vec!["run"];
        all.extend(arguments);
        if self.git == Git::Avoided {
            all.push("--no-git");
        }
        self.spawn(wrapper, &all, fault)
    }

    /// Runs `baton run`; it is sent a signal when it comes by a place: `HUP@running:go`.
    pub(crate) fn run_signalled(&self, arguments: &[&str], place: &str) -> Ended {
        self.start_with(arguments, Some(("BATON_SIGNAL_AT", place))).wait()
    }

    /// Runs `baton run` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments, None).wait()
    }

    /// Runs it until it kills itself at this place.
    #[track_caller]
    pub(crate) fn crash(&self, arguments: &[&str], place: &str) -> Ended {
        self.start(arguments, Some(place)).wait().assert_killed()
    }

    /// Whether ralph's turn was the last, and has ended well.
    pub(crate) fn state_is_complete(&self) -> bool {
        self.read("sync/state.json").is_some_and(|text| text.contains("\"status\": \"complete\""))
    }

    /// Asserts a state at rest after so many whole iterations.
    #[track_caller]
    pub(crate) fn assert_iterations(&self, done: u64) {
        let state = self.state();
        let seen = (&state["iteration"], &state["expected_actor"], &state["status"], &state["holder"]);
        let null = serde_json::Value::Null;
        assert_eq!(seen, (&(done + 1).into(), &"galph".into(), &"complete".into(), &null), "{state:#}");
        assert_eq!(state["holds"], serde_json::json!([]));
    }

    /// Asserts all that holds after any fault: the result is that of an undisturbed run of so many iterations, nothing
    /// of anybody's is lost, every change is committed once, nobody is left running.
    #[track_caller]
    pub(crate) fn assert_whole(&self, iterations: u64) {
        self.assert_iterations(iterations);
        self.assert_nobody_runs();
        self.assert_persons_files();
        let made = made_files(iterations);
        for (name, content) in &made {
            assert_eq!(self.read(name).as_ref(), Some(content), "{name}");
        }
        match self.git {
            Git::Used => self.assert_committed(iterations, &made),
            Git::Avoided => {
                assert_eq!(
                    read_all(&self.root().join(".git")),
                    self.first_git_dir,
                    "the repository was touched"
                );
            }
        }
    }

    #[track_caller]
    fn assert_committed(&self, iterations: u64, made: &BTreeMap<String, String>) {
        let listed = self.git(&["ls-tree", "-r", "--name-only", "HEAD"]);
        let unknown: Vec<&str> = listed
            .lines()
            .filter(|name| !made.contains_key(*name) && !is_of_the_first_commit(name))
            .collect();
        assert_eq!(unknown, Vec::<&str>::new(), "committed, and nobody knows why");
        // One commit a turn on top of the first, and each change in one of them.
        let log = self.git(&["log", "--format=commit %H", "--name-only"]);
        let commits: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix("commit ")).collect();
        assert_eq!(commits.len() as u64, 1 + 2 * iterations, "{log}");
        assert_eq!(commits.last(), Some(&self.first_commit.as_str()));
        for iteration in 1..=iterations {
            for path in [format!("plans/plan-{iteration}.md"), format!("src/made-{iteration}.rs")] {
                assert_eq!(log.lines().filter(|line| *line == path).count(), 1, "{path}:\n{log}");
            }
        }
        // That the content is committed too, a clean status of these paths says.
        self.assert_index_is_the_persons();
        self.git(&["fsck", "--strict", "--no-progress"]);
    }
}

/// The files of an undisturbed run.
pub(crate) fn made_files(iterations: u64) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for iteration in 1..=iterations {
        files.insert(format!("plans/plan-{iteration}.md"), format!("plan of iteration {iteration}\n"));
        files.insert(format!("src/made-{iteration}.rs"), format!("made in iteration {iteration}\n"));
        files.insert("docs/fix_plan.md".to_owned(), format!("iteration {iteration}\n"));
        files.insert("src/counter.rs".to_owned(), format!("{iteration}\n"));
    }
    files
}

fn is_of_the_first_commit(name: &str) -> bool {
    name.starts_with("prompts/") || ["orchestration.yaml", ".gitignore", "mine.txt"].contains(&name)
}

pub(crate) fn read_all(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(read_all(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}
