//! Machines that share a bare repository: each with a clone, a HOME and a scripted agent of its own, and a file that all
//! agents write their notes into.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use rustix::process::Signal;

use super::account::Account;
use super::faulty::FaultyServer;
use super::history::History;
use super::machine::Machine;
use super::notes::Notes;
use super::process::{Ended, Orchestrator, await_event};
use super::web::WebServer;
use super::workspace::made_files;

/// How the machines reach the bare repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// A path.
    Path,
    /// `file://`.
    File,
    /// `git://` on loopback.
    Daemon,
    /// `http://` on loopback.
    Http,
}

/// A short look at the other side, so that tests wait for nothing.
pub(crate) const SYNC: &str = "sync: { poll_interval: 50ms }\n";

/// The machines and what they share. The first two are the pair itself, the others race with them.
pub(crate) struct Pair {
    machines: Vec<Machine>,
    server: Option<FaultyServer>,
    web: Option<WebServer>,
    scheme: Scheme,
    base: PathBuf,
    /// The branch of the turns.
    branch: &'static str,
    /// Where the machines find their programs, where git is not to be among them.
    tools: Option<PathBuf>,
    /// The tip that was looked at last, and the state there.
    last: Mutex<(String, Option<serde_json::Value>)>,
    /// Removed after everything in it has ended.
    _directory: tempfile::TempDir,
}

impl Pair {
    /// Two machines, with the built-in configuration but for a quick look.
    pub(crate) fn new(scheme: Scheme) -> Self {
        Self::configured(scheme, 2, SYNC)
    }

    /// So many machines with more lines of `orchestration.yaml`, those of `sync` among them.
    pub(crate) fn configured(scheme: Scheme, machines: usize, more: &str) -> Self {
        Self::make(scheme, machines, more, true)
    }

    /// Two machines whose turns run on the branch `loop`, in a work tree of their own, beside a person on `main`.
    pub(crate) fn isolated(scheme: Scheme) -> Self {
        let mut pair = Self::new(scheme);
        pair.git(&["branch", "loop", "main"]);
        for machine in &pair.machines {
            machine.git(&["fetch", "--quiet", "origin"]);
            machine.git(&["branch", "--quiet", "loop", "origin/loop"]);
        }
        pair.branch = "loop";
        pair
    }

    /// The same, with no git on the machines.
    pub(crate) fn without_git(scheme: Scheme, machines: usize, more: &str) -> Self {
        Self::make(scheme, machines, more, false)
    }

    fn make(scheme: Scheme, machines: usize, more: &str, has_git: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        fs::create_dir(base.join("pair")).unwrap();
        let mut pair = Self {
            machines: Vec::new(),
            server: None,
            web: None,
            scheme,
            branch: "main",
            tools: (!has_git).then(|| tools_without_git(&base)),
            base,
            last: Mutex::default(),
            _directory: directory,
        };
        // The first commit is made on a machine that plays no part.
        let founder = pair.new_machine("founder");
        founder.write_workspace(more);
        founder.make_repository();
        founder.git(&[
            "clone",
            "--quiet",
            "--bare",
            "--template=",
            ".",
            &pair.remote().display().to_string(),
        ]);
        // What a server's disk does in a loss of power is not what is tested.
        pair.git(&["config", "core.fsync", "none"]);
        match scheme {
            Scheme::Daemon => pair.server = Some(FaultyServer::new(&pair.base)),
            Scheme::Http => pair.web = Some(WebServer::new(&pair.base)),
            // The upkeep of the bare repository would be a process of the machine that pushed.
            Scheme::Path | Scheme::File => drop(pair.git(&["config", "receive.autoGC", "false"])),
        }
        for number in 1..=machines {
            let machine = pair.clone_machine(&format!("m{number}"));
            machine.leave_persons_files();
            pair.machines.push(machine);
        }
        pair
    }

    /// Another clone, in which nothing is uncommitted.
    pub(crate) fn clone_machine(&self, name: &str) -> Machine {
        let machine = self.new_machine(name);
        fs::create_dir_all(machine.root()).unwrap();
        machine.git(&["clone", "--quiet", "--template=", &self.url(), "."]);
        machine.git(&["config", "user.name", &format!("Machine {name}")]);
        machine.git(&["config", "user.email", &format!("{name}@example.org")]);
        machine
    }

    fn new_machine(&self, name: &str) -> Machine {
        let mut environment = vec![
            ("PAIR_DIR", self.base.join("pair").display().to_string()),
            ("PAIR_MACHINE", name.to_owned()),
        ];
        environment.extend(self.tools.as_ref().map(|tools| ("PATH", tools.display().to_string())));
        Machine::new(&self.base.join(name), environment)
    }

    /// The directory around everything that the pair has.
    #[cfg(feature = "faults")]
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    /// The bare repository.
    pub(crate) fn remote(&self) -> PathBuf {
        self.base.join("origin.git")
    }

    /// Its address for the machines.
    pub(crate) fn url(&self) -> String {
        match (&self.server, &self.web) {
            (Some(server), _) => server.url("origin.git"),
            (_, Some(web)) => web.url("origin.git"),
            (None, None) if self.scheme == Scheme::File => format!("file://{}", self.remote().display()),
            (None, None) => self.remote().display().to_string(),
        }
    }

    /// The server of `git://`.
    #[track_caller]
    pub(crate) fn server(&self) -> &FaultyServer {
        self.server.as_ref().expect("the machines reach the repository through a server")
    }

    /// The server of `http://`.
    pub(crate) const fn web(&self) -> Option<&WebServer> {
        self.web.as_ref()
    }

    pub(crate) fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// The machine on which galph's seat is played, where each has one.
    pub(crate) fn galph(&self) -> &Machine {
        &self.machines[0]
    }

    /// The machine of ralph's seat.
    pub(crate) fn ralph(&self) -> &Machine {
        &self.machines[1]
    }

    /// The machine of this seat.
    pub(crate) fn seat(&self, role: &str) -> &Machine {
        if role == "galph" { self.galph() } else { self.ralph() }
    }

    /// Asserts all that holds however the turns went: the history breaks no rule, it fits what the agents have noted, and
    /// the machines are whole.
    #[track_caller]
    pub(crate) fn assert_sound(&self) -> Account {
        self.assert_machines_are_whole();
        self.history().account_with(&self.notes())
    }

    /// Asserts that the pair has done so many iterations, without a turn that did not pass, and each agent started once.
    #[track_caller]
    pub(crate) fn assert_undisturbed(&self, iterations: u64) -> Account {
        let account = self.assert_sound();
        account.assert_iterations(iterations);
        assert_eq!(account.turns.len() as u64, 2 * iterations, "{account:#?}");
        assert_eq!(self.notes().starts.len() as u64, 2 * iterations);
        for (path, content) in made_files(iterations) {
            assert_eq!(self.git(&["show", &format!("{}:{path}", self.branch)]), content, "{path}");
        }
        account
    }

    /// Starts a role on its machine, to finish so many iterations; it kills itself at a place where one is given.
    pub(crate) fn start(&self, role: &str, iterations: u64, crash_at: Option<&str>) -> Orchestrator {
        let fault = crash_at.map(|place| ("BATON_CRASH_AT", place));
        let mut arguments = vec![format!("--sync-loops={iterations}")];
        if self.branch != "main" {
            arguments.extend(["--isolation=worktree".to_owned(), format!("--branch={}", self.branch)]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        start_role(self.seat(role), role, &arguments, fault)
    }

    /// Runs both roles to their ends, galph's first.
    pub(crate) fn run(&self, iterations: u64) -> [Ended; 2] {
        wait_for_both(["galph", "ralph"].map(|role| self.start(role, iterations, None)))
    }

    /// Runs git in the bare repository.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git_in(&self.remote(), arguments)
    }

    /// The state at the tip of the branch as plain JSON, where there is one.
    pub(crate) fn state(&self) -> Option<serde_json::Value> {
        // It is asked for all the time, and a start of git costs more than a look at the ref's file.
        let tip = fs::read_to_string(self.remote().join("refs/heads").join(self.branch)).ok()?;
        let mut last = self.last.lock().unwrap();
        if last.0 != tip {
            *last = (tip, self.read_state());
        }
        last.1.clone()
    }

    fn read_state(&self) -> Option<serde_json::Value> {
        let file = format!("{}:sync/state.json", self.branch);
        let shown = Command::new("git").args(["show", &file]).current_dir(self.remote()).output();
        serde_json::from_slice(&shown.unwrap().stdout).ok()
    }

    /// How many turns of this seat have passed, as the state tells it.
    pub(crate) fn passed(&self, role: &str) -> u64 {
        let Some(state) = self.state() else { return 0 };
        let whole = state["iteration"].as_u64().unwrap() - 1;
        let is_ralphs = state["expected_actor"] == "ralph";
        whole + u64::from(role == "galph" && is_ralphs)
    }

    /// Waits until the state at the tip has this status.
    pub(crate) fn await_status(&self, status: &str) -> serde_json::Value {
        await_event(&format!("the status {status} on the remote"), || {
            self.state().filter(|state| state["status"] == status)
        })
    }

    pub(crate) fn tip(&self) -> String {
        self.git(&["rev-parse", self.branch]).trim().to_owned()
    }

    /// Gives the bare repository a hook.
    pub(crate) fn write_hook(&self, name: &str, script: &str) {
        let hooks = self.remote().join("hooks");
        fs::create_dir_all(&hooks).unwrap();
        // Renamed into place: git may be about to run it.
        let draft = hooks.join("draft");
        fs::write(&draft, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(draft, hooks.join(name)).unwrap();
    }

    /// Takes a hook away again.
    pub(crate) fn remove_hook(&self, name: &str) {
        fs::remove_file(self.remote().join("hooks").join(name)).unwrap();
    }

    /// Cuts every machine off the remote.
    pub(crate) fn cut(&self) {
        match &self.server {
            Some(server) => server.cut(),
            None => fs::rename(self.remote(), self.base.join("away.git")).unwrap(),
        }
    }

    /// Undoes `cut`.
    pub(crate) fn heal(&self) {
        match &self.server {
            Some(server) => server.heal(),
            None => fs::rename(self.base.join("away.git"), self.remote()).unwrap(),
        }
    }

    /// What all agents of the pair have noted.
    pub(crate) fn notes(&self) -> Notes {
        Notes::parse(&fs::read_to_string(self.base.join("pair/effects")).unwrap_or_default())
    }

    /// The branch as it is on the remote.
    pub(crate) fn history(&self) -> History {
        History::read(&self.remote(), self.branch)
    }

    /// Asserts that nobody of the pair runs and that nothing of a person's was touched on any machine.
    #[track_caller]
    pub(crate) fn assert_machines_are_whole(&self) {
        for machine in &self.machines {
            machine.assert_nobody_runs();
            machine.assert_persons_files();
            machine.assert_index_is_the_persons();
            machine.git(&["fsck", "--strict", "--no-progress"]);
        }
    }
}

/// A directory with what the scripted agent runs, and nothing else.
fn tools_without_git(base: &Path) -> PathBuf {
    let tools = base.join("bin");
    fs::create_dir(&tools).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for tool in ["sh", "mkdir", "mv", "rm", "cat", "flock"] {
        let found = std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|file| file.is_file());
        std::os::unix::fs::symlink(found.unwrap_or_else(|| panic!("no {tool}")), tools.join(tool)).unwrap();
    }
    tools
}

/// Waits for the ends of two sides. Where one ends badly, the other is not waited for in vain.
pub(crate) fn wait_for_both(mut running: [Orchestrator; 2]) -> [Ended; 2] {
    let first = await_event("the end of one side", || running.iter_mut().position(Orchestrator::has_ended));
    if running[first].has_failed() {
        running[1 - first].signal(Signal::TERM);
    }
    running.map(Orchestrator::wait)
}

/// Starts a role on any machine.
pub(crate) fn start_role<'e>(
    machine: &Machine,
    role: &str,
    arguments: &[&str],
    fault: impl IntoIterator<Item = (&'e str, &'e str)>,
) -> Orchestrator {
    let role = format!("--role={role}");
    let words = ["run", "--mode=role", &role];
    machine.spawn(&[], &[&words, arguments].concat(), fault)
}

#[track_caller]
pub(super) fn git_in(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}
