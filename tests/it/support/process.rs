//! The program under test as a process: started, signalled, awaited with a bound.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Nothing in a test takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(2);

/// Looks again and again until there is something to see; `what` names it when it never comes.
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

/// A running `baton`.
pub(crate) struct Orchestrator {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// A `baton` that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Orchestrator {
    pub(super) fn new(child: Child, stdout: PathBuf, stderr: PathBuf) -> Self {
        Self { child, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// What it has said so far.
    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Its end, awaited with a bound.
    pub(crate) fn wait(self) -> Ended {
        self.wait_within(PATIENCE)
    }

    /// Its end, awaited for so long.
    pub(crate) fn wait_within(mut self, patience: Duration) -> Ended {
        let stderr = self.stderr.clone();
        let since = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if since.elapsed() > patience {
                let _ = self.child.kill();
                panic!("baton does not end; it said:\n{}", read(&stderr));
            }
            std::thread::sleep(LOOK);
        };
        Ended {
            code: status.code(),
            signal: status.signal(),
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
        }
    }
}

impl Ended {
    /// Asserts the exit code, and shows what was said where it is another one.
    #[track_caller]
    pub(crate) fn assert_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "signal {:?}; it said:\n{}{}",
            self.signal,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Asserts that it was ended by SIGKILL: the crash happened.
    #[track_caller]
    pub(crate) fn assert_killed(self) -> Self {
        assert_eq!(self.signal, Some(9), "exit {:?}; it said:\n{}{}", self.code, self.stdout, self.stderr);
        self
    }

    /// Asserts that standard error says this.
    #[track_caller]
    pub(crate) fn assert_says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        self
    }
}

pub(super) fn send(pid: i32, signal: Signal) {
    // That it has ended meanwhile is as good.
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// The processes that carry this variable in their environment; the dead have none.
pub(super) fn processes_with(pair: &str) -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // A process may end while it is looked at, and others' are not readable.
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|one| one == pair.as_bytes()) {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    found
}
