//! The process is really killed at every step of bringing the work tree to a commit; then the same call is made again.
#![expect(
    clippy::disallowed_methods,
    reason = "a process of its own is killed, and told by its environment where"
)]

use std::collections::{BTreeMap, BTreeSet};
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
use crate::repo::testing::{TestRepo, Way};

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
    /// On top of it: what the other side has done meanwhile.
    further: String,
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
        test.write("changed.txt", "3\n");
        test.write("dir-to-file", "3\n");
        std::fs::remove_dir_all(test.root.join("new")).unwrap();
        test.write("gone/for/good", "3\n");
        test.write(STATE, "{\"turn\": 2}\n");
        test.git(&["add", "-A"]);
        test.git(&["commit", "-qm", "further"]);
        let further = test.git(&["rev-parse", "HEAD"]).trim().to_owned();
        test.git(&["switch", "-q", "main"]);
        test.write("dirty", "half done\n");
        test.write("staged", "mine\n");
        test.git(&["add", "staged"]);
        test.write("untracked", "mine\n");
        test.write(STATE, "local\n");
        Self { test, from, to, further, backend }
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

    /// Killed at this step; else `None`.
    fn killed(backend: &'static str, at: u32) -> Option<Self> {
        let scene = Self::new(backend);
        let ended = scene.bring(Some(at));
        if ended.success() {
            assert!(at > 20, "only {at} steps");
            return None;
        }
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9), "at {at}");
        Some(scene)
    }

    fn repo(&self) -> Repo {
        self.test.open_as(if self.backend == "cli" { Way::Program } else { Way::Library })
    }

    fn commit(&self) -> String {
        self.test.git(&["rev-parse", "main"]).trim().to_owned()
    }

    /// All files are those of where the branch is.
    #[track_caller]
    fn assert_whole(&self, at: u32) {
        self.assert_nothing_is_lost();
        if self.commit() == self.to {
            return self.assert_done();
        }
        let status = self.test.status().replace(" M sync/state.json\n", "");
        assert_eq!(status, " M dirty\nM  staged\n?? untracked\n", "at {at}");
        self.assert_no_litter();
    }

    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.test.root.join(path)).ok()
    }

    /// Whatever was done, nothing of the person's is touched, and each file is the old one or the new one.
    #[track_caller]
    fn assert_nothing_is_lost(&self) {
        let text = |text: &str| Some(text.to_owned());
        self.assert_persons();
        for (path, old, new) in [
            ("changed.txt", text("1\n"), text("2\r\n")),
            (".gitattributes", text("*.txt text eol=lf\n"), text("*.txt text eol=crlf\n")),
            ("dir-to-file/a", text("1\n"), None),
            ("gone/for/good", text("1\n"), None),
            ("new/dir/c.txt", None, text("2\r\n")),
        ] {
            let now = self.read(path);
            assert!(now == old || now == new, "{path}: {now:?}");
        }
        // Owned: it was overwritten, and has been taken back to what is committed.
        let state = self.read(STATE).unwrap();
        assert!(["local\n", "{}\n", "{\"turn\": 1}\n"].contains(&state.as_str()), "{state}");
    }

    #[track_caller]
    fn assert_persons(&self) {
        for (path, content) in [("dirty", "half done\n"), ("untracked", "mine\n"), ("staged", "mine\n")] {
            assert_eq!(self.read(path).as_deref(), Some(content));
        }
        assert_eq!(self.test.git(&["show", ":staged"]), "mine\n");
        self.test.assert_sound();
    }

    #[track_caller]
    fn assert_done(&self) {
        assert_eq!(self.test.git(&["rev-parse", "main"]).trim(), self.to);
        assert_eq!(self.test.status(), " M dirty\nM  staged\n?? untracked\n");
        assert_eq!(self.read("file-to-dir/b").as_deref(), Some("2\n"));
        assert_eq!(self.read("dir-to-file").as_deref(), Some("2\n"));
        assert!(!self.test.root.join("gone").exists());
        self.assert_no_litter();
    }

    #[track_caller]
    fn assert_no_litter(&self) {
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
        let Some(scene) = Scene::killed(backend, at) else { return };
        scene.assert_nothing_is_lost();
        // Killed once more, on the way to the end.
        let _ = scene.bring(Some(at % 13 + 2));
        scene.assert_nothing_is_lost();
        assert!(scene.bring(None).success(), "at {at}");
        scene.assert_nothing_is_lost();
        scene.assert_done();
    }
}

#[rstest]
fn killed_at_any_step_the_next_look_leaves_no_half(#[values("git2", "cli")] backend: &'static str) {
    let mut stood = BTreeSet::new();
    for at in 1.. {
        let Some(scene) = Scene::killed(backend, at) else { break };
        scene.repo().preflight(None).unwrap();
        scene.assert_whole(at);
        stood.insert(scene.commit() == scene.to);
    }
    assert_eq!(stood, BTreeSet::from([false, true]));
}

#[rstest]
fn killed_at_any_step_the_branch_is_brought_to_what_came_meanwhile(
    #[values("git2", "cli")] backend: &'static str,
) {
    for at in 1.. {
        let Some(scene) = Scene::killed(backend, at) else { return };
        let repo = scene.repo();
        let further = scene.further.parse().unwrap();
        let brought = repo.bring_to(&repo.head().unwrap(), &further, &[STATE.into()], "log").unwrap();
        assert_eq!(brought, Brought::Done, "at {at}");
        assert_eq!(scene.commit(), scene.further);
        assert_eq!(scene.test.status(), " M dirty\nM  staged\n?? untracked\n", "at {at}");
        assert_eq!(scene.read("changed.txt").as_deref(), Some("3\r\n"));
        assert!(!scene.test.root.join("new").exists());
        scene.assert_no_litter();
    }
}

#[rstest]
fn killed_at_any_step_what_a_person_does_next_stays(#[values("git2", "cli")] backend: &'static str) {
    for at in 1.. {
        let Some(scene) = Scene::killed(backend, at) else { return };
        // As git says.
        let _ = std::fs::remove_file(scene.test.root.join(".git/index.lock"));
        std::fs::remove_dir_all(scene.test.root.join("dir-to-file")).unwrap_or_default();
        for (path, text) in [("changed.txt", "mine\n"), ("new/dir/other", "mine\n"), ("both", "mine\n")] {
            scene.test.write(path, text);
        }
        scene.test.git(&["add", "both"]);
        scene.repo().preflight(None).unwrap();
        for path in ["changed.txt", "new/dir/other", "both"] {
            assert_eq!(scene.read(path).as_deref(), Some("mine\n"), "{path}, at {at}");
        }
        scene.assert_persons();
        let status = scene.test.status();
        let others: Vec<&str> =
            status.lines().filter(|line| !line.ends_with(STATE) && !line.contains("dir-to-file")).collect();
        let expected = ["A  both", " M changed.txt", " M dirty", "M  staged", "?? new/", "?? untracked"];
        let below =
            ["A  both", " M changed.txt", " M dirty", "M  staged", "?? new/dir/other", "?? untracked"];
        assert!(others == expected || others == below, "at {at}: {status}");
        scene.assert_no_litter();
    }
}

#[rstest]
fn killed_at_any_step_a_commit_of_a_persons_ends_the_matter(#[values("git2", "cli")] backend: &'static str) {
    for at in 1.. {
        let Some(scene) = Scene::killed(backend, at) else { return };
        let _ = std::fs::remove_file(scene.test.root.join(".git/index.lock"));
        scene.test.git(&["commit", "-qm", "mine"]);
        let (commit, status) = (scene.commit(), scene.test.status());
        scene.repo().preflight(None).unwrap();
        assert_eq!((scene.commit(), scene.test.status()), (commit, status), "at {at}");
        scene.assert_no_litter();
    }
}
