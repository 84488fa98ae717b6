//! One workspace with everything around it in a temporary directory of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;

use super::effects::{Deed, Effects};
use super::process::{Ended, Orchestrator, await_event, processes_with, send};

/// Whether the loop uses git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Git {
    Used,
    /// `--no-git`, in a directory that is a repository all the same, so that what touches it is seen.
    Avoided,
}

/// What a person left uncommitted before the loop: staged, changed, untracked.
const PERSONS_FILES: [(&str, &str); 3] = [
    ("staged.txt", "a person staged this"),
    ("mine.txt", "a person changed this"),
    ("scratch.txt", "a note"),
];

const CONFIGURATION: &str = r#"agent:
  default: fake
  commands:
    fake: { command: [sh, -c, '. "$FAKE_DIR/agent"'], prompt: stdin, output: text }
turn: { grace_period: 300ms }
"#;

const CHECKS: &str = r#"verify:
  - { name: first, run: 'CHECK=first; . "$FAKE_DIR/check"' }
  - { name: second, run: 'CHECK=second; . "$FAKE_DIR/check"' }
"#;

/// A workspace. Dropping it ends whatever still runs in its name.
pub(crate) struct Workspace {
    base: tempfile::TempDir,
    git: Git,
    started: AtomicU32,
    /// The repository as it was before the loop.
    first_commit: String,
    first_git_dir: BTreeMap<PathBuf, Vec<u8>>,
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
        let base = tempfile::tempdir().unwrap();
        for directory in ["home", "fake", "repo/prompts", "repo/docs"] {
            fs::create_dir_all(base.path().join(directory)).unwrap();
        }
        let mut workspace = Self {
            base,
            git,
            started: AtomicU32::new(0),
            first_commit: String::new(),
            first_git_dir: BTreeMap::new(),
        };
        fs::write(workspace.fake().join("agent"), include_str!("agent.sh")).unwrap();
        fs::write(workspace.fake().join("check"), include_str!("check.sh")).unwrap();
        workspace.write("orchestration.yaml", &format!("{CONFIGURATION}{more}"));
        for prompt in ["supervisor", "main", "reviewer", "router"] {
            workspace.write(&format!("prompts/{prompt}.md"), &format!("Do what a {prompt} does.\n"));
        }
        workspace.write(".gitignore", "secrets/\n");
        workspace.write("docs/fix_plan.md", "nothing yet\n");
        workspace.write("mine.txt", "as committed\n");
        workspace.git(&["init", "--quiet", "--initial-branch=main", "--template="]);
        workspace.git(&["config", "user.name", "A Person"]);
        workspace.git(&["config", "user.email", "person@example.org"]);
        workspace.git(&["add", "--all"]);
        workspace.git(&["commit", "--quiet", "--message=first"]);
        for (name, content) in PERSONS_FILES {
            workspace.write(name, content);
        }
        workspace.git(&["add", "staged.txt"]);
        workspace.first_commit = workspace.head();
        workspace.first_git_dir = read_all(&workspace.root().join(".git"));
        workspace
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.base.path().join("repo")
    }

    fn fake(&self) -> PathBuf {
        self.base.path().join("fake")
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root().join(path)).ok()
    }

    /// Leaves a script for the next start of a seat (`galph`, `ralph`, `router`) or of a `verify` command.
    pub(crate) fn script_once(&self, who: &str, script: &str) {
        fs::write(self.fake().join(format!("once.{who}")), script).unwrap();
    }

    /// What a script has put aside in `FAKE_DIR`.
    #[track_caller]
    pub(crate) fn kept(&self, name: &str) -> String {
        fs::read_to_string(self.fake().join(name)).unwrap()
    }

    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let shown = |path: PathBuf| path.display().to_string();
        vec![
            ("PATH", std::env::var("PATH").unwrap()),
            ("HOME", shown(self.base.path().join("home"))),
            ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("LC_ALL", "C".to_owned()),
            ("FAKE_DIR", shown(self.fake())),
        ]
    }

    /// Starts `baton run` with these arguments, `--no-git` added where git is avoided.
    pub(crate) fn start(&self, arguments: &[&str], crash_at: Option<&str>) -> Orchestrator {
        self.start_with(arguments, crash_at.map(|place| ("BATON_CRASH_AT", place)))
    }

    /// Runs any verb of baton to its end.
    pub(crate) fn baton(&self, arguments: &[&str]) -> Ended {
        self.spawn(&[], arguments, None).wait()
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

    /// The directory around the workspace: the repository, HOME, and in `fake` the agent and its notes.
    pub(crate) fn base(&self) -> &Path {
        self.base.path()
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

    /// Starts baton, to kill itself or to be signalled at a place.
    pub(crate) fn spawn<'e>(
        &self,
        wrapper: &[&str],
        arguments: &[&str],
        fault: impl IntoIterator<Item = (&'e str, &'e str)>,
    ) -> Orchestrator {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let stdout = self.base.path().join(format!("stdout.{number}"));
        let stderr = self.base.path().join(format!("stderr.{number}"));
        let words: Vec<&str> = wrapper.iter().copied().chain([env!("CARGO_BIN_EXE_baton")]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(arguments)
            .current_dir(self.root())
            .env_clear()
            .envs(self.environment())
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap());
        command.envs(fault);
        Orchestrator::new(command.spawn().unwrap(), stdout, stderr)
    }

    /// Takes back what was left for the next start.
    pub(crate) fn forget_script(&self, who: &str) {
        let _ = fs::remove_file(self.fake().join(format!("once.{who}")));
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

    pub(crate) fn effects(&self) -> Effects {
        Effects::parse(&fs::read_to_string(self.fake().join("effects")).unwrap_or_default())
    }

    /// Makes `wait_for_release` wait, in every script from now on.
    pub(crate) fn prepare_release(&self) {
        let made = Command::new("mkfifo").arg(self.fake().join("release")).status().unwrap();
        assert!(made.success());
    }

    /// Waits until a script waits, and says whose start that is.
    pub(crate) fn await_waiting(&self, who: &str) -> Deed {
        await_event(&format!("{who} waits"), || {
            let effects = self.effects();
            effects.has(&format!("waits {who} ")).then(|| {
                let mut deeds = effects.starts().into_iter().chain(effects.checks());
                deeds.rfind(|deed| deed.who == who).unwrap()
            })
        })
    }

    /// Lets the one that waits go on.
    pub(crate) fn release(&self) {
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        let open = || File::options().write(true).custom_flags(flags).open(self.fake().join("release")).ok();
        // Until somebody reads, it cannot be opened.
        let mut fifo = await_event("a reader of the fifo", open);
        fifo.write_all(b"go\n").unwrap();
    }

    pub(crate) fn kill(pid: i32) {
        send(pid, Signal::KILL);
    }

    /// The processes that run in this workspace's name, wherever they hang.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        processes_with(&format!("FAKE_DIR={}", self.fake().display()))
    }

    /// Waits until nobody runs here any more.
    pub(crate) fn await_quiet(&self) {
        await_event("the end of all processes", || self.processes().is_empty().then_some(()));
    }

    /// Runs git, apart from every configuration but the repository's.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.root())
            .env_clear()
            .envs(self.environment())
            .env("GIT_OPTIONAL_LOCKS", "0")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// The turn state as plain JSON.
    #[track_caller]
    pub(crate) fn state(&self) -> serde_json::Value {
        serde_json::from_str(&self.read("sync/state.json").expect("there is a state")).unwrap()
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

    /// What a person staged is staged still, and nothing else is.
    #[track_caller]
    pub(crate) fn assert_index_is_the_persons(&self) {
        assert_eq!(self.git(&["diff", "--cached", "--name-status"]), "A\tstaged.txt\n");
        assert_eq!(self.git(&["show", ":staged.txt"]), PERSONS_FILES[0].1);
        let status = self.git(&["status", "--porcelain"]);
        let theirs = |line: &&str| PERSONS_FILES.iter().any(|(name, _)| line.ends_with(name));
        let others: Vec<&str> =
            status.lines().filter(|line| !theirs(line) && !line.ends_with("sync/")).collect();
        assert_eq!(others, Vec::<&str>::new(), "{status}");
    }

    /// What a person left in the work tree is there as they left it.
    #[track_caller]
    pub(crate) fn assert_persons_files(&self) {
        for (name, content) in PERSONS_FILES {
            assert_eq!(self.read(name).as_deref(), Some(content), "{name}");
        }
    }

    #[track_caller]
    pub(crate) fn assert_nobody_runs(&self) {
        assert_eq!(self.processes(), []);
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            send(pid, Signal::KILL);
        }
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
