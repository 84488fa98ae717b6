//! A workspace for one test: a real repository, a private HOME, the real binary, no environment of anybody's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The agent that most tests use: it adds a line to a file of the work and one to a document.
pub(crate) const WORKING_PROMPT: &str =
    "Work.\n\n```sh\necho \"$BATON_ACTOR $BATON_ITERATION\" >> notes.txt\n```\n";

/// A directory with a workspace in it, removed when dropped.
pub(crate) struct Scratch {
    _directory: tempfile::TempDir,
    base: PathBuf,
}

/// What a run of the binary left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scratch {
    /// An empty directory called `w`, no repository.
    pub(crate) fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        for name in ["w", "home"] {
            fs::create_dir(base.join(name)).unwrap();
        }
        Self { _directory: directory, base }
    }

    /// A repository on `main` with an identity, both seats' prompts for the shell agent, and one commit.
    pub(crate) fn new() -> Self {
        Self::with_format(&[])
    }

    /// The same with options of `git init`.
    pub(crate) fn with_format(options: &[&str]) -> Self {
        let scratch = Self::empty();
        scratch.git(&[&["init", "--quiet", "--initial-branch=main"], options, &["."]].concat());
        scratch.git(&["config", "user.name", "Somebody"]);
        scratch.git(&["config", "user.email", "somebody@example.invalid"]);
        scratch.write("orchestration.yaml", "agent: { default: shell }\n");
        scratch.write("prompts/supervisor.md", "Plan.\n\n```sh\ntrue\n```\n");
        scratch.write("prompts/main.md", WORKING_PROMPT);
        scratch.git(&["add", "--all"]);
        scratch.git(&["commit", "--quiet", "--message=base"]);
        scratch
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.base.join("w")
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn write_program(&self, name: &str, content: &str, mode: u32) {
        self.write(name, content);
        fs::set_permissions(self.root().join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.root().join(name)).unwrap()
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.root().join(name).exists()
    }

    /// The git of the system, in the workspace; it must succeed.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = self.command(Path::new("git")).args(args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The binary under test, in the workspace.
    pub(crate) fn baton(&self, args: &[&str]) -> Run {
        self.run(self.baton_command().args(args))
    }

    /// The same by a command of one's own.
    pub(crate) fn run(&self, command: &mut Command) -> Run {
        let output = command.output().unwrap();
        let text =
            |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(self.root().to_str().unwrap(), "/w");
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub(crate) fn baton_command(&self) -> Command {
        self.command(Path::new(env!("CARGO_BIN_EXE_baton")))
    }

    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.base.join("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }
}

impl Run {
    /// What the person reads at the end: from the first `error:` line on.
    pub(crate) fn error(&self) -> &str {
        let start = self.stderr.find("error: ").unwrap_or(self.stderr.len());
        self.stderr[start..].trim_end()
    }
}
