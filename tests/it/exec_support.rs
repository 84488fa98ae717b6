//! Attempts in a temporary directory, run by the real binary.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests measure and may panic")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use baton::ambient::Ambient;
use baton::exec::{AttemptDir, ExitRecord, Follower, Prepared, Progress, Running, Spec, Stream, submit};
use baton::model::AttemptId;

/// No event of a test takes this long unless something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program under test, which is also the supervisor.
pub(crate) fn baton() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_baton"))
}

/// One attempt and its surroundings.
pub(crate) struct Scene {
    pub(crate) home: tempfile::TempDir,
    pub(crate) dir: AttemptDir,
    pub(crate) attempt: AttemptId,
    pub(crate) ambient: Ambient,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = AttemptDir::new(home.path().join("attempt"));
        std::fs::create_dir(dir.path()).unwrap();
        let ambient = Ambient::real();
        let attempt = ambient.new_attempt_id();
        Self { home, dir, attempt, ambient }
    }

    /// A specification that runs a shell script in the scene's home.
    pub(crate) fn script(&self, script: &str) -> Spec {
        self.command(&["/bin/sh", "-c", script])
    }

    pub(crate) fn command(&self, argv: &[&str]) -> Spec {
        let mut spec =
            Spec::new(self.attempt, argv.iter().map(OsString::from).collect(), self.home.path().to_owned());
        spec.env = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
        spec.grace = Duration::from_secs(20);
        spec
    }

    pub(crate) fn submit(&self, spec: Spec) -> Prepared {
        submit(&self.dir, spec, baton(), &self.ambient).unwrap()
    }

    pub(crate) fn start(&self, spec: Spec) -> Running {
        self.submit(spec).go().unwrap()
    }

    pub(crate) fn run(&self, spec: Spec) -> ExitRecord {
        self.start(spec).collect().unwrap()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn stdout(&self) -> Vec<u8> {
        std::fs::read(self.dir.stdout_path()).unwrap()
    }

    pub(crate) fn stderr(&self) -> Vec<u8> {
        std::fs::read(self.dir.stderr_path()).unwrap()
    }
}

/// Follows standard output until it holds this text.
pub(crate) fn await_output(running: &mut Running, text: &str) {
    let mut follower = Follower::new(running.dir(), 0, 0);
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    let begun = Instant::now();
    loop {
        let count = follower.read(Stream::Stdout, &mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..count]);
        if String::from_utf8_lossy(&seen).contains(text) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "no `{text}` in {:?}", String::from_utf8_lossy(&seen));
        if count == 0 {
            let progress = running.wait(Some(Duration::from_secs(5)), None).unwrap();
            assert_ne!(progress, Progress::Ended, "ended without `{text}`");
        }
    }
}

/// Whether a process is there and is more than a corpse.
pub(crate) fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

/// The process ids that a script wrote into a file, one a line.
pub(crate) fn pids_in(file: &Path) -> Vec<i32> {
    std::fs::read_to_string(file).unwrap().lines().map(|line| line.trim().parse().unwrap()).collect()
}

/// Waits for a condition that no event announces.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "still not: {what}");
        std::thread::yield_now();
    }
}

/// The process ids of living carriers of an attempt's marker.
pub(crate) fn carriers(attempt: AttemptId) -> Vec<i32> {
    let wanted = attempt.to_string();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            is_alive(*pid)
                && std::fs::read(format!("/proc/{pid}/environ"))
                    .is_ok_and(|environ| String::from_utf8_lossy(&environ).contains(&wanted))
        })
        .collect()
}
