//! What can go wrong around an attempt, other than the attempt itself failing.

use std::io;
use std::path::PathBuf;

/// A failure to start, follow or clean up an attempt. How the attempt itself ended is data, in `ExitRecord`.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// A file of the attempt could not be read or written.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was tried, as a verb: `read`, `write`, `lock`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file of the attempt holds something else than it should.
    #[error("`{}` is not a {what} that this version reads", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// The first thing that is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A file of the attempt was written by another version.
    #[error("`{}` has version {found}; this build reads version {expected}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in it.
        found: u32,
        /// The version that is read.
        expected: u32,
    },
    /// The specification cannot be run.
    #[error("cannot submit the attempt: {0}")]
    BadSpec(&'static str),
    /// An attempt directory is used once.
    #[error("`{}` already holds an attempt; each attempt needs a directory of its own", .0.display())]
    AlreadySubmitted(PathBuf),
    /// The supervisor could not be started.
    #[error("cannot start the attempt's supervisor `{}`", program.display())]
    NoSupervisor {
        /// The program.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The supervisor ended before it was ready; the agent was not started.
    #[error("the attempt's supervisor ended before it was ready (the agent was not started): {detail}")]
    SupervisorFailed {
        /// What it wrote before its end.
        detail: String,
    },
    /// The supervisor did not become ready in time; it was stopped, and the agent was not started.
    #[error("the attempt's supervisor was not ready after {seconds} s (the agent was not started)")]
    SupervisorSlow {
        /// How long was waited.
        seconds: u64,
    },
    /// A system call about a process failed.
    #[error("cannot {action} process {pid}")]
    Process {
        /// What was tried, as a verb.
        action: &'static str,
        /// The process.
        pid: i32,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The attempt cannot be abandoned while its supervisor lives.
    #[error("the attempt in `{}` is still supervised by process {pid}", dir.display())]
    StillAlive {
        /// The attempt.
        dir: PathBuf,
        /// Its supervisor.
        pid: i32,
    },
    /// The attempt cannot be abandoned: it has a result.
    #[error("the attempt in `{}` has ended and has a result", .0.display())]
    AlreadyFinished(PathBuf),
    /// The supervisor is gone and left no result; `abandon` cleans up.
    #[error("the supervisor of the attempt in `{}` vanished without a result", dir.display())]
    Vanished {
        /// The attempt.
        dir: PathBuf,
        /// Whether the agent may have been started.
        started: bool,
    },
}

impl ExecError {
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn gone() -> io::Error {
        io::ErrorKind::NotFound.into()
    }

    #[rstest]
    #[case(ExecError::file("read", "/a/lock")(gone()), "cannot read `/a/lock`")]
    #[case(
        ExecError::Version { path: "/a/exit.json".into(), found: 2, expected: 1 },
        "`/a/exit.json` has version 2; this build reads version 1"
    )]
    #[case(
        ExecError::Format {
            path: "/a/spec.json".into(),
            what: "specification",
            source: serde_json::from_str::<u8>("x").unwrap_err(),
        },
        "`/a/spec.json` is not a specification that this version reads"
    )]
    #[case(
        ExecError::SupervisorSlow { seconds: 60 },
        "the attempt's supervisor was not ready after 60 s (the agent was not started)"
    )]
    #[case(ExecError::Process { action: "stop", pid: 7, source: gone() }, "cannot stop process 7")]
    #[case(
        ExecError::Vanished { dir: "/a".into(), started: true },
        "the supervisor of the attempt in `/a` vanished without a result"
    )]
    fn errors_name_the_place(#[case] error: ExecError, #[case] text: &str) {
        assert_eq!(error.to_string(), text);
    }
}
