//! The one place that starts the system's git: the refresh of the index, which libgit2 does without git's lock.

use std::ffi::OsString;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use crate::ambient::Ambient;

/// A git that takes longer is ended: an index refresh of a large repository takes well under a second.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// The first executable `git` on the search path.
pub(super) fn find_git(ambient: &Ambient) -> Option<PathBuf> {
    let path = ambient.env().get(std::ffi::OsStr::new("PATH"))?;
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join("git"))
        .find(|file| file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0))
}

/// What it said on its standard error, where it did not succeed.
pub(super) struct GitFailure {
    pub(super) text: String,
}

/// Runs git in `root`, on the index `index`, with `input` on its standard input. Variables that would point it elsewhere are removed,
/// and neither a hook nor a program that the repository's configuration names for watching files runs.
pub(super) fn run_git(
    git: &Path,
    root: &Path,
    index: &Path,
    ambient: &Ambient,
    arguments: &[&str],
    input: &[u8],
) -> Result<(), GitFailure> {
    let failure = |error: std::io::Error| GitFailure { text: error.to_string() };
    let mut stdin = tempfile::tempfile().map_err(failure)?;
    stdin.write_all(input).and_then(|()| stdin.rewind()).map_err(failure)?;
    let mut stderr = tempfile::tempfile().map_err(failure)?;
    let status =
        start_and_wait(git, root, index, ambient, arguments, stdin, stderr.try_clone().map_err(failure)?)
            .map_err(failure)?;
    match status {
        Some(status) if status.success() => Ok(()),
        ended => {
            let mut text = String::new();
            let mut bytes = Vec::new();
            let read = stderr.rewind().and_then(|()| stderr.take(4096).read_to_end(&mut bytes));
            if read.is_ok() {
                text.push_str(String::from_utf8_lossy(&bytes).trim());
            }
            match ended {
                None => text = format!("no answer from git within {} s {text}", TIME_LIMIT.as_secs()),
                Some(status) if text.is_empty() => text = status.to_string(),
                Some(_) => {}
            }
            Err(GitFailure { text })
        }
    }
}

/// `None`: it was ended at the time limit.
fn start_and_wait(
    git: &Path,
    root: &Path,
    index: &Path,
    ambient: &Ambient,
    arguments: &[&str],
    stdin: std::fs::File,
    stderr: std::fs::File,
) -> std::io::Result<Option<ExitStatus>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the refresh of the index needs git's own locking; see above"
    )]
    let mut command = std::process::Command::new(git);
    let mut child = command
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
        .args(arguments)
        .current_dir(root)
        .env_clear()
        .envs(environment(ambient))
        .env("GIT_INDEX_FILE", index)
        .process_group(0)
        .stdin(stdin)
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()?;
    let running = ambient.stopwatch();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let elapsed = running.elapsed();
        if elapsed > TIME_LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        let early = elapsed < Duration::from_millis(20);
        std::thread::sleep(if early { Duration::from_micros(100) } else { Duration::from_millis(5) });
    }
}

fn environment(ambient: &Ambient) -> impl Iterator<Item = (OsString, OsString)> {
    let points_elsewhere = |name: &str| name.starts_with("GIT_") && !name.starts_with("GIT_CONFIG");
    ambient
        .env()
        .iter()
        .filter(move |(name, _)| !name.to_str().is_some_and(points_elsewhere))
        .map(|(name, value)| (name.clone(), value.clone()))
        .chain(
            [("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0")].map(|(name, value)| (name.into(), value.into())),
        )
}
