//! What to run: everything the supervisor needs to know, in a versioned file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::portable_bytes;
use crate::model::AttemptId;

/// The version of `spec.json` that this build writes and reads.
pub(super) const SPEC_VERSION: u32 = 1;

/// One process to run under supervision. Relative paths are refused by `submit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Version of the format; [`Spec::new`] sets it.
    pub version: u32,
    /// The attempt that this is.
    pub attempt: AttemptId,
    /// Program and arguments; a program without a `/` is looked up in the `PATH` of `env`.
    #[serde(with = "portable_bytes::list")]
    pub argv: Vec<OsString>,
    /// Working directory, absolute.
    #[serde(with = "portable_bytes::path")]
    pub cwd: PathBuf,
    /// The whole environment; nothing else is inherited. It travels as the supervisor's own environment and is
    /// never written to disk, since it holds credentials. Leave [`ATTEMPT_MARKER`](super::ATTEMPT_MARKER) as it
    /// was inherited: this attempt's id is added to it.
    #[serde(skip)]
    pub env: Vec<(OsString, OsString)>,
    /// Where standard input comes from.
    pub stdin: StdinSource,
    /// The longest it may run.
    pub wall_limit: Option<Duration>,
    /// The longest it may go without output and without use of the processor by any process of its tree.
    pub idle_limit: Option<Duration>,
    /// Time between the asked signal and SIGKILL.
    pub grace: Duration,
    /// Bytes of standard output and standard error together that are kept; the rest is dropped and counted.
    pub max_output: u64,
    /// Whether what it wrote below `cwd` must outlast a loss of power before its end is recorded.
    #[serde(default)]
    pub keeps_work: bool,
    /// The signal that asks it to stop.
    pub stop_signal: StopSignal,
    /// The boot of the machine in which it was submitted; `submit` sets it.
    pub boot_id: String,
}

impl Spec {
    /// A process with an empty environment, no input, no limits but 1 GiB of output, 10 s of grace and SIGTERM.
    #[must_use]
    pub fn new(attempt: AttemptId, argv: Vec<OsString>, cwd: PathBuf) -> Self {
        Self {
            version: SPEC_VERSION,
            attempt,
            argv,
            cwd,
            env: Vec::new(),
            stdin: StdinSource::Null,
            wall_limit: None,
            idle_limit: None,
            grace: Duration::from_secs(10),
            max_output: 1 << 30,
            keeps_work: false,
            stop_signal: StopSignal::Terminate,
            boot_id: String::new(),
        }
    }
}

/// Where standard input comes from: never an idle pipe, on which agents wait for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdinSource {
    /// `/dev/null`.
    Null,
    /// A file, absolute.
    File(#[serde(with = "portable_bytes::path")] PathBuf),
}

/// The signal that asks an agent to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopSignal {
    /// SIGTERM.
    Terminate,
    /// SIGINT: some agents save their session on it.
    Interrupt,
}
