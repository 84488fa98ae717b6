//! A workspace, a server and one CLI; what `baton run` made of it, and what was left alive.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::clis::Cli;
use super::server::{Behaviour, ModelServer};

/// No turn of this suite takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_mins(3);
const LOOK: Duration = Duration::from_millis(20);

/// Where one CLI works.
pub(crate) struct Bench {
    base: tempfile::TempDir,
    pub(crate) server: ModelServer,
    cli: Cli,
    environment: Vec<(&'static str, String)>,
    started: AtomicU32,
}

/// A `baton run` that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) said: String,
    pub(crate) wall: Duration,
}

/// A `baton run` that goes on.
pub(crate) struct Started {
    child: Child,
    said: PathBuf,
    since: Instant,
}

impl Bench {
    /// A repository with one prompt that asks for a file, and `more` lines of `orchestration.yaml`.
    pub(crate) fn new(cli: Cli, behaviour: Behaviour, more: &str) -> Self {
        let bench = Self::unpointed(cli, more);
        let base = bench.server.base(behaviour);
        bench.pointed_at(&base)
    }

    /// The same, at an address whose behaviour the test changes on the way.
    pub(crate) fn scripted(cli: Cli, more: &str) -> Self {
        let bench = Self::unpointed(cli, more);
        let base = bench.server.scripted_base();
        bench.pointed_at(&base)
    }

    fn unpointed(cli: Cli, more: &str) -> Self {
        let base = tempfile::tempdir().unwrap();
        let bench = Self {
            base,
            server: ModelServer::start(),
            cli,
            environment: Vec::new(),
            started: AtomicU32::new(0),
        };
        for directory in [bench.root().join("prompts"), bench.home()] {
            fs::create_dir_all(directory).unwrap();
        }
        let program = serde_json::to_string(&cli.program()).unwrap();
        let arguments = serde_json::to_string(&cli.all_arguments()).unwrap();
        bench.write(
            "orchestration.yaml",
            &format!(
                "agent:\n  default: {name}\n  options:\n    {name}: {{ binary: {program}, args: {arguments}, permission: {permission} }}\n{more}",
                name = cli.name,
                permission = cli.permission,
            ),
        );
        for (prompt, file) in
            [("main", "src/made.txt"), ("supervisor", "plans/made.md"), ("reviewer", "plans/r.md")]
        {
            let file = if cli.wants_absolute_paths { bench.root().join(file) } else { file.into() };
            let text = format!("Please write a file, just this: FILE={}\n", file.display());
            bench.write(&format!("prompts/{prompt}.md"), &text);
        }
        for directory in ["src", "plans"] {
            bench.write(&format!("{directory}/here.md"), "Here.\n");
        }
        for arguments in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["config", "user.name", "A Person"],
            &["config", "user.email", "person@example.org"],
            &["add", "--all"],
            &["commit", "--quiet", "--message=first"],
        ] {
            bench.git(arguments);
        }
        bench
    }

    fn pointed_at(mut self, base: &str) -> Self {
        self.environment = self.cli.point_at(&self.home(), base);
        self
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.base.path().join("repo")
    }

    fn home(&self) -> PathBuf {
        self.base.path().join("home")
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Makes a prompt ask for another file; its name may hold variables.
    pub(crate) fn ask_for(&self, prompt: &str, file: &Path) {
        let text =
            format!("---\ntemplate: true\n---\nPlease write a file, just this: FILE={}\n", file.display());
        self.write(&format!("prompts/{prompt}.md"), &text);
        self.git(&["commit", "--quiet", "--all", "--message=another prompt"]);
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.root());
        self.surround(&mut command);
        let ran = command.output().unwrap();
        assert!(ran.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    }

    /// Nothing of the person who runs the tests: no credentials, no configuration, a home of its own.
    fn surround(&self, command: &mut Command) {
        let path = |path: PathBuf| path.display().to_string();
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", path(self.home()))
            .env("TMPDIR", path(self.base.path().to_owned()))
            .env("LANG", "C.UTF-8")
            .env("TERM", "dumb")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// `baton` with these arguments, to its end.
    pub(crate) fn baton(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    /// Starts `baton` with these arguments.
    pub(crate) fn start(&self, arguments: &[&str]) -> Started {
        // One each: a person may start others meanwhile.
        let said = self.base.path().join(format!("said.{}", self.started.fetch_add(1, Ordering::Relaxed)));
        let output = fs::File::create(&said).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.args(arguments).current_dir(self.root());
        self.surround(&mut command);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        Started { child: command.spawn().unwrap(), said, since: Instant::now() }
    }

    /// `baton status --json`.
    pub(crate) fn status(&self) -> Value {
        let ended = self.baton(&["status", "--json"]);
        serde_json::from_str(ended.said.trim()).unwrap_or_else(|error| panic!("{error}: {}", ended.said))
    }

    /// The turn state; null where there is none yet.
    pub(crate) fn state(&self) -> Value {
        let text = fs::read_to_string(self.root().join("sync/state.json"));
        text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    /// The newest turn that has ended.
    pub(crate) fn last_turn(&self) -> Value {
        self.status()["last_turns"][0].clone()
    }

    /// Processes that have this place in their environment, their arguments or as their directory: everything that an
    /// attempt could have left behind.
    pub(crate) fn left_alive(&self) -> Vec<String> {
        self.processes().into_iter().map(|(_, line)| line).collect()
    }

    fn processes(&self) -> Vec<(i32, String)> {
        let place = self.base.path().to_str().unwrap();
        let mut alive = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let path = entry.path();
            let Ok(pid) = path.file_name().unwrap().to_str().unwrap().parse() else { continue };
            let holds = |name: &str| {
                fs::read(path.join(name)).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(place))
            };
            let works_there = fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(place));
            if holds("environ") || holds("cmdline") || works_there {
                let command = fs::read(path.join("cmdline")).unwrap_or_default();
                alive.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
            }
        }
        alive
    }

    /// How often a conversation was begun.
    pub(crate) fn beginnings(&self) -> usize {
        self.server.seen().iter().filter(|seen| !seen.was_called).count()
    }

    /// Ends the tool that would run for five minutes, as if it had finished.
    pub(crate) fn end_long_tool(&self) {
        for (pid, line) in self.processes() {
            if line.starts_with("sleep 300") {
                let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM);
            }
        }
    }

    /// Waits until an agent's tool runs.
    pub(crate) fn await_long_tool(&self) {
        await_event("the long tool", || {
            self.left_alive().iter().any(|line| line.starts_with("sleep 300")).then_some(())
        });
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.left_alive().is_empty(), "alive: {:?}", self.left_alive());
    }
}

impl Started {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until it has said this.
    pub(crate) fn await_words(&self, words: &str) {
        await_event(words, || read(&self.said).contains(words).then_some(()));
    }

    /// Whether it has ended; looks after a moment.
    pub(crate) fn has_ended(&mut self) -> bool {
        std::thread::sleep(LOOK);
        assert!(self.since.elapsed() < 2 * PATIENCE, "baton does not end; it said:\n{}", read(&self.said));
        self.child.try_wait().unwrap().is_some()
    }

    /// Its end, awaited with a bound.
    pub(crate) fn wait(mut self) -> Ended {
        let status = loop {
            // One that has ended is told of again.
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.since.elapsed() > PATIENCE {
                let _ = self.child.kill();
                panic!("baton does not end; it said:\n{}", read(&self.said));
            }
            std::thread::sleep(LOOK);
        };
        Ended {
            code: status.code(),
            signal: status.signal(),
            said: read(&self.said),
            wall: self.since.elapsed(),
        }
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

/// Looks until there is something to see.
pub(crate) fn await_event<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(since.elapsed() < PATIENCE, "this never came: {what}");
        std::thread::sleep(LOOK);
    }
}
