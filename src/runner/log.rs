//! The log of a turn: the agent's raw bytes between lines of ours.
//!
//! A view, not a record: it is not fsynced, and one that a crash cut short is written anew from the captured output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::RunnerError;

/// The log of one turn.
#[derive(Debug)]
pub(super) struct TurnLog {
    file: File,
    path: PathBuf,
    at_line_start: bool,
    given_up: bool,
    failure: Option<io::Error>,
}

impl TurnLog {
    const fn over(file: File, path: PathBuf) -> Self {
        Self { file, path, at_line_start: true, given_up: false, failure: None }
    }

    /// Begins a log anew.
    pub(super) fn begin(workspace: &Path, relative: &Path) -> Result<Self, RunnerError> {
        let path = workspace.join(relative);
        let failed = |source| RunnerError::Log { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let file = File::create(&path).map_err(failed)?;
        Ok(Self::over(file, path))
    }

    /// Goes on with a log, or begins it where there is none.
    pub(super) fn resume(workspace: &Path, relative: &Path) -> Result<Self, RunnerError> {
        let path = workspace.join(relative);
        match OpenOptions::new().append(true).open(&path) {
            Ok(file) => Ok(Self::over(file, path)),
            Err(_) => Self::begin(workspace, relative),
        }
    }

    /// A line of ours.
    pub(super) fn line(&mut self, text: &str) {
        let separator = if self.at_line_start { "" } else { "\n" };
        let lines = text.lines().fold(String::new(), |lines, line| lines + "[baton] " + line + "\n");
        self.write(format!("{separator}{lines}").as_bytes());
        self.at_line_start = true;
    }

    /// The agent's bytes, as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.write(bytes);
        if let Some(last) = bytes.last() {
            self.at_line_start = *last == b'\n';
        }
    }

    /// Why the log is incomplete, if it is; said once.
    pub(super) fn take_failure(&mut self) -> Option<String> {
        self.failure.take().map(|error| format!("cannot write {}: {error}", self.path.display()))
    }

    /// A full disk must not end a turn that is paid for: the bytes are in the attempt's capture as well.
    fn write(&mut self, bytes: &[u8]) {
        if !self.given_up
            && let Err(error) = self.file.write_all(bytes)
        {
            self.given_up = true;
            self.failure = Some(error);
        }
    }
}
