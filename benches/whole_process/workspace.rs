//! A workspace of its own for each section, the agent that does next to nothing, and baton in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Reads its prompt, says a line and ends: the least that an agent does. `edit` changes a file as well, `flood N`
/// writes N megabytes.
const AGENT: &str = r#"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char buffer[65536];

static int say(int out, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = write(out, bytes, count);
        if (written <= 0) return 1;
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

int main(int argc, char **argv) {
    while (read(0, buffer, sizeof buffer) > 0) {}
    if (argc == 3 && strcmp(argv[1], "flood") == 0) {
        memset(buffer, 'x', sizeof buffer);
        for (size_t at = 79; at < sizeof buffer; at += 80) buffer[at] = '\n';
        for (long left = atol(argv[2]) * 16; left > 0; left--) {
            if (say(1, buffer, sizeof buffer)) return 1;
        }
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "edit") == 0) {
        const char *actor = getenv("BATON_ACTOR");
        const char *path = actor && strcmp(actor, "galph") == 0 ? "docs/fix_plan.md" : "work.txt";
        int file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0644);
        if (file < 0 || say(file, "another line\n", 13)) return 1;
    }
    return say(1, "done\n", 5);
}
"#;

/// The same for systems without a C compiler; `flood` is left out.
const AGENT_SCRIPT: &str =
    "#!/bin/sh\nread -r line\n[ \"$1\" = edit ] && echo another line >> work.txt\necho done\n";

/// A workspace with a built agent.
pub(crate) struct Workspace {
    directory: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) agent: PathBuf,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        let directory = crate::scratch();
        let base = directory.path().canonicalize().unwrap();
        let root = base.join("workspace");
        for folder in ["workspace/prompts", "workspace/docs", "home"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
        let agent = build_agent(&base);
        let shown = agent.display();
        let config = format!(
            "agent:\n  default: stub\n  commands:\n    stub: {{ command: ['{shown}'] }}\n    \
             edit: {{ command: ['{shown}', edit] }}\n    flood: {{ command: ['{shown}', flood, '500'] }}\n"
        );
        fs::write(root.join("orchestration.yaml"), config).unwrap();
        for prompt in ["main.md", "supervisor.md", "reviewer.md"] {
            fs::write(root.join("prompts").join(prompt), "Do the next thing.\n").unwrap();
        }
        Self { directory, root, agent }
    }

    /// The same as a git repository with everything committed.
    pub(crate) fn with_git() -> Self {
        let workspace = Self::new();
        workspace.git(&["init", "--quiet", "--initial-branch=main"]);
        workspace.git(&["add", "--all"]);
        workspace.git(&["commit", "--quiet", "--message=begin"]);
        workspace
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// A program in the workspace, with an environment that is the same everywhere.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env_clear();
        command.env("HOME", self.home());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "bench")
                .env(format!("GIT_{who}_EMAIL"), "bench@localhost");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn baton(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_baton"));
        command.args(arguments);
        command
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let mut command = self.command("git");
        command.args(arguments);
        succeed(command);
    }

    /// Runs so many iterations of both seats.
    pub(crate) fn run_loops(&self, loops: u32, more: &[&str]) {
        let count = loops.to_string();
        let mut command = self.baton(&["run", "--quiet", "--sync-loops", &count]);
        command.args(more);
        succeed(command);
    }

    /// The agent alone, with its prompt as standard input: the floor of a turn.
    pub(crate) fn run_agent_alone(&self, arguments: &[&str]) {
        let mut command = self.command(&self.agent);
        command.args(arguments).stdin(File::open(self.root.join("prompts/main.md")).unwrap());
        command.stderr(Stdio::null());
        assert!(command.status().unwrap().success());
    }
}

/// Runs a command that has to succeed.
pub(crate) fn succeed(mut command: Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
}

fn build_agent(base: &Path) -> PathBuf {
    let (source, program) = (base.join("agent.c"), base.join("agent"));
    fs::write(&source, AGENT).unwrap();
    let built = Command::new("cc").arg("-O2").arg("-o").arg(&program).arg(&source).status();
    if !built.is_ok_and(|status| status.success()) {
        println!("(no C compiler: the agent is a shell script)");
        fs::write(&program, AGENT_SCRIPT).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&program, mode).unwrap();
    }
    program
}
