//! The hooks that a commit of the repository goes through.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::super::error::RepoError;
use super::super::hook::Hook;
use super::open::Installed;
use super::run::{Environment, GitFailure};

/// How many of its last lines an error shows.
const SHOWN_LINES: usize = 8;

impl Installed {
    /// The executable of a hook; `None` where the repository has none. git runs no file that is not executable.
    pub(super) fn hook(&self, hook: Hook) -> Option<PathBuf> {
        let file = self.hooks_dir.join(hook.name());
        let metadata = file.metadata().ok()?;
        (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then_some(file)
    }

    /// Runs a hook where there is one; its failure refuses the commit.
    pub(super) fn run_hook(
        &self,
        hook: Hook,
        arguments: &[&str],
        environment: &Environment,
    ) -> Result<(), RepoError> {
        let Some(file) = self.hook(hook) else { return Ok(()) };
        let call = self.program.call_for_hook(&["hook", "run", "--ignore-missing", hook.name(), "--"]);
        let ended = call.arguments(arguments).envs(environment).run();
        let ended = match ended {
            // Before 2.36 there is no such command.
            Err(failure) if failure.said.contains("is not a git command") => {
                let program = self.program.clone().instead(&file);
                program.call_for_hook(arguments).envs(environment).run()
            }
            ended => ended,
        };
        ended.map(|_| ()).map_err(|failure| refused(hook, &file, &failure))
    }
}

fn refused(hook: Hook, file: &Path, failure: &GitFailure) -> RepoError {
    let lines: Vec<&str> = failure.said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    let said = last.iter().fold(String::new(), |text, line| text + "\n        " + line.trim_end());
    let ended = failure.code.map_or_else(|| "was ended".to_owned(), |code| format!("exit {code}"));
    RepoError::HookRefused { hook, file: file.to_owned(), ended, said }
}
