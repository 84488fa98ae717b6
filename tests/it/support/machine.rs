//! One machine: a HOME, a repository, a scripted agent with its notes outside the repository, and the processes that run
//! in its name.

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

/// What a person left uncommitted before the loop: staged, changed, untracked.
const PERSONS_FILES: [(&str, &str); 3] = [
    ("staged.txt", "a person staged this"),
    ("mine.txt", "a person changed this"),
    ("scratch.txt", "a note"),
];

/// The configuration under which both seats run the scripted agent.
pub(super) const CONFIGURATION: &str = r#"agent:
  default: fake
  commands:
    fake: { command: [sh, -c, '. "$FAKE_DIR/agent"'], prompt: stdin, output: text }
turn: { grace_period: 300ms }
"#;

/// A machine, in a directory of its own. Dropping it ends whatever still runs in its name.
pub(crate) struct Machine {
    base: PathBuf,
    started: AtomicU32,
    /// Further variables of every process here.
    environment: Vec<(&'static str, String)>,
}

impl Machine {
    /// A machine without a repository yet.
    pub(super) fn new(base: &Path, environment: Vec<(&'static str, String)>) -> Self {
        for directory in ["home", "fake"] {
            fs::create_dir_all(base.join(directory)).unwrap();
        }
        let machine = Self { base: base.to_owned(), started: AtomicU32::new(0), environment };
        fs::write(machine.fake().join("agent"), include_str!("agent.sh")).unwrap();
        fs::write(machine.fake().join("check"), include_str!("check.sh")).unwrap();
        machine
    }

    /// The repository.
    pub(crate) fn root(&self) -> PathBuf {
        self.base.join("repo")
    }

    /// The directory around it: the repository, HOME, and in `fake` the agent and its notes.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    fn fake(&self) -> PathBuf {
        self.base.join("fake")
    }

    /// Makes the prompts and the configuration, with more lines of `orchestration.yaml`, in an empty directory.
    pub(super) fn write_workspace(&self, more: &str) {
        self.write("orchestration.yaml", &format!("{CONFIGURATION}{more}"));
        for prompt in ["supervisor", "main", "reviewer", "router"] {
            self.write(&format!("prompts/{prompt}.md"), &format!("Do what a {prompt} does.\n"));
        }
        self.write(".gitignore", "secrets/\n");
        self.write("docs/fix_plan.md", "nothing yet\n");
        self.write("mine.txt", "as committed\n");
    }

    /// Makes a repository with one commit of what is there.
    pub(super) fn make_repository(&self) {
        self.git(&["init", "--quiet", "--initial-branch=main", "--template="]);
        self.git(&["config", "user.name", "A Person"]);
        self.git(&["config", "user.email", "person@example.org"]);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=first"]);
    }

    /// Makes the uncommitted changes of a person.
    pub(super) fn leave_persons_files(&self) {
        for (name, content) in PERSONS_FILES {
            self.write(name, content);
        }
        self.git(&["add", "staged.txt"]);
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

    /// Takes back what was left for the next start.
    pub(crate) fn forget_script(&self, who: &str) {
        let _ = fs::remove_file(self.fake().join(format!("once.{who}")));
    }

    /// What a script has put aside in `FAKE_DIR`.
    #[track_caller]
    pub(crate) fn kept(&self, name: &str) -> String {
        fs::read_to_string(self.fake().join(name)).unwrap()
    }

    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let shown = |path: PathBuf| path.display().to_string();
        let mut environment = vec![
            ("PATH", std::env::var("PATH").unwrap()),
            ("HOME", shown(self.base.join("home"))),
            ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("LC_ALL", "C".to_owned()),
            ("FAKE_DIR", shown(self.fake())),
        ];
        environment.extend(self.environment.iter().cloned());
        environment
    }

    /// Runs any verb of baton to its end.
    pub(crate) fn baton(&self, arguments: &[&str]) -> Ended {
        self.spawn(&[], arguments, None).wait()
    }

    /// Starts baton, to kill itself or to be signalled at a place, as the last words of another command (none: by itself).
    pub(crate) fn spawn<'e>(
        &self,
        wrapper: &[&str],
        arguments: &[&str],
        fault: impl IntoIterator<Item = (&'e str, &'e str)>,
    ) -> Orchestrator {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let stdout = self.base.join(format!("stdout.{number}"));
        let stderr = self.base.join(format!("stderr.{number}"));
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

    /// Claims that this machine has made and that nobody took, by why, as its ledger tells it; and how many were taken.
    pub(crate) fn claims(&self) -> (usize, BTreeMap<String, usize>) {
        let ledger = rusqlite::Connection::open(self.root().join(".git/baton/ledger.db")).unwrap();
        let mut rows = ledger.prepare("SELECT class, detail FROM turns").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let (mut taken, mut lost) = (0, BTreeMap::new());
        for row in rows {
            let (class, detail): (Option<String>, Option<String>) = row.unwrap();
            if class.as_deref() == Some("void") {
                *lost.entry(detail.unwrap_or_default()).or_default() += 1;
            } else {
                taken += 1;
            }
        }
        (taken, lost)
    }

    pub(crate) fn kill(pid: i32) {
        send(pid, Signal::KILL);
    }

    /// The processes that run in this machine's name, wherever they hang.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        processes_with(&format!("FAKE_DIR={}", self.fake().display()))
    }

    /// Waits until nobody runs here any more.
    pub(crate) fn await_quiet(&self) {
        await_event("the end of all processes", || self.processes().is_empty().then_some(()));
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

    /// Runs git, apart from every configuration but the repository's.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.try_git(arguments).unwrap_or_else(|said| panic!("git {arguments:?}: {said}"))
    }

    /// The same where it may fail: what it said then.
    pub(crate) fn try_git(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.root())
            .env_clear()
            .envs(self.environment())
            // The program under test may have no git, the test has one.
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// The turn state in the work tree as plain JSON.
    #[track_caller]
    pub(crate) fn state(&self) -> serde_json::Value {
        serde_json::from_str(&self.read("sync/state.json").expect("there is a state")).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            send(pid, Signal::KILL);
        }
    }
}
