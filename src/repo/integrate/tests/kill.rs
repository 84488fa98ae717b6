//! The process is really killed at every step of bringing the work tree to a commit; then the same call is made again.
#![expect(
    clippy::disallowed_methods,
    reason = "a process of its own is killed, and told by its environment where"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rstest::rstest;

use crate::ambient::Ambient;
use crate::config::{GitBackend, GitConfig};
use crate::model::Span;
use crate::repo::Brought;
use crate::repo::head::Head;
use crate::repo::open::Repo;
use crate::repo::testing::TestRepo;

const KILL_AT: &str = "BATON_TEST_KILL_AT";
const ROOT: &str = "BATON_TEST_ROOT";
const BACKEND: &str = "BATON_TEST_BACKEND";
const FROM: &str = "BATON_TEST_FROM";
const TO: &str = "BATON_TEST_TO";
const STATE: &str = "sync/state.json";

pub(in super::super) fn kill_point() {
    static PASSED: AtomicU32 = AtomicU32::new(1);
    let Some(at) = std::env::var(KILL_AT).ok().and_then(|text| text.parse::<u32>().ok()) else { return };
    if PASSED.fetch_add(1, Ordering::Relaxed) == at {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Does nothing but in the process that the other test starts.
#[test]
fn the_killed_process() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let env = ["PATH", "HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"];
    let env: BTreeMap<_, _> = env.iter().map(|name| ((*name).into(), variable(name).into())).collect();
    let ambient = Ambient::fixed("2026-01-02T03:04:05Z".parse().unwrap(), env);
    let backend = if variable(BACKEND) == "cli" { GitBackend::Cli } else { GitBackend::Git2 };
    let git = GitConfig { backend, remote: "origin".to_owned(), timeout: Span(Duration::from_mins(1)) };
    let repo = Repo::open_configured(Path::new(&root), &git, &ambient).unwrap();
    let from: Head = serde_json::from_str(&variable(FROM)).unwrap();
    let brought = repo.bring_to(&from, &variable(TO).parse().unwrap(), &[STATE.into()], "log").unwrap();
    assert_eq!(brought, Brought::Done);
}

struct Scene {
    test: TestRepo,
    from: String,
    to: String,
    backend: &'static str,
}

impl Scene {
    fn new(backend: &'static str) -> Self {
        let test = TestRepo::with(&[
            (".gitattributes", "*.txt text eol=lf\n"),
            ("changed.txt", "1\n"),
            ("dir-to-file/a", "1\n"),
            ("dirty", "1\n"),
            ("file-to-dir", "1\n"),
            ("gone/for/good", "1\n"),
            ("staged", "1\n"),
            (STATE, "{}\n"),
        ]);
        let from = serde_json::to_string(&test.open().head().unwrap()).unwrap();
        test.git(&["switch", "-q", "-c", "next"]);
        test.write(".gitattributes", "*.txt text eol=crlf\n");
        test.write("changed.txt", "2\n");
        std::fs::remove_dir_all(test.root.join("dir-to-file")).unwrap();
        test.write("dir-to-file", "2\n");
        test.remove("file-to-dir");
        test.write("file-to-dir/b", "2\n");
        test.remove("gone/for/good");
        test.write("new/dir/c.txt", "2\n");
        test.write(STATE, "{\"turn\": 1}\n");
        test.git(&["add", "-A"]);
        test.git(&["commit", "-qm", "next"]);
        let to = test.git(&["rev-parse", "HEAD"]).trim().to_owned();
        test.git(&["switch", "-q", "main"]);
        test.write("dirty", "half done\n");
        test.write("staged", "mine\n");
        test.git(&["add", "staged"]);
        test.write("untracked", "mine\n");
        test.write(STATE, "local\n");
        Self { test, from, to, backend }
    }

    fn bring(&self, kill_at: Option<u32>) -> ExitStatus {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "repo::integrate::tests::kill::the_killed_process", "--test-threads=1"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.test.root.with_file_name("home"))
            .env("TMPDIR", self.test.root.with_file_name("home"))
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .env(ROOT, &self.test.root)
            .envs([(BACKEND, self.backend), (FROM, self.from.as_str()), (TO, self.to.as_str())]);
        if let Some(at) = kill_at {
            command.env(KILL_AT, at.to_string());
        }
        command.output().unwrap().status
    }

    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.test.root.join(path)).ok()
    }

    /// Whatever was done, nothing of the person's is touched, and each file is the old one or the new one.
    #[track_caller]
    fn assert_nothing_is_lost(&self) {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(self.read("dirty"), text("half done\n"));
        assert_eq!(self.read("untracked"), text("mine\n"));
        assert_eq!(self.read("staged"), text("mine\n"));
        assert_eq!(self.test.git(&["show", ":staged"]), "mine\n");
        for (path, old, new) in [
            ("changed.txt", text("1\n"), text("2\r\n")),
            (".gitattributes", text("*.txt text eol=lf\n"), text("*.txt text eol=crlf\n")),
            ("dir-to-file/a", text("1\n"), None),
            ("gone/for/good", text("1\n"), None),
            ("new/dir/c.txt", None, text("2\r\n")),
            (STATE, text("local\n"), text("{\"turn\": 1}\n")),
        ] {
            let now = self.read(path);
            assert!(now == old || now == new, "{path}: {now:?}");
        }
        self.test.assert_sound();
    }

    #[track_caller]
    fn assert_done(&self) {
        assert_eq!(self.test.git(&["rev-parse", "main"]).trim(), self.to);
        assert_eq!(self.test.status(), " M dirty\nM  staged\n?? untracked\n");
        assert_eq!(self.read("file-to-dir/b").as_deref(), Some("2\n"));
        assert_eq!(self.read("dir-to-file").as_deref(), Some("2\n"));
        assert!(!self.test.root.join("gone").exists());
        let names = std::fs::read_dir(self.test.root.join(".git")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> =
            names.filter(|name| name.starts_with("baton") || name == "index.lock").collect();
        assert_eq!(left, [""; 0]);
    }
}

#[rstest]
fn killed_at_any_step_the_same_call_does_the_rest_and_nothing_is_lost(
    #[values("git2", "cli")] backend: &'static str,
) {
    for at in 1.. {
        let scene = Scene::new(backend);
        let ended = scene.bring(Some(at));
        scene.assert_nothing_is_lost();
        if ended.success() {
            assert!(at > 15, "only {at} steps");
            scene.assert_done();
            return;
        }
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9), "at {at}");
        assert!(scene.bring(None).success(), "at {at}");
        scene.assert_nothing_is_lost();
        scene.assert_done();
    }
}
