//! Supervised processes that outlive us: start, follow, adopt, terminate.
//!
//! An attempt runs under a small supervisor process of its own, so that a crash of the orchestrator neither loses
//! nor repeats it. [`submit`] boots the supervisor, [`Prepared::go`] lets it start the agent, [`Running`] follows
//! it, [`observe()`] says what became of one, [`adopt`] follows one that somebody else started, and [`abandon`]
//! cleans up after one whose supervisor is gone. [`supervise`] is the other side: the body of that process.
//!
//! This module never interprets output, never decides whether an agent succeeded, and never starts an agent
//! twice. `agent` makes the command line and reads the reply; `attempt` brings both together.

mod attempt_dir;
mod companion;
mod error;
mod exit_record;
mod follower;
mod limits;
mod observe;
mod os;
mod portable_bytes;
mod prepared;
mod process_table;
mod program;
mod running;
mod spec;
mod supervisor;
mod sweep;

pub use crate::model::Stream;
pub use attempt_dir::AttemptDir;
pub use companion::{Companion, Spoken};
pub use error::ExecError;
pub use exit_record::{Ended, ExitRecord, How, SpawnFailure, SpawnFailureKind, SweptProcess};
pub use follower::Follower;
pub use observe::{Observation, SweepReport, abandon, observe};
pub use prepared::{Prepared, submit};
pub use running::{Progress, Running, Urgency, adopt};
pub use spec::{Spec, StdinSource, StopSignal};
pub use supervisor::supervise;

/// The hidden verb under which the binary becomes a supervisor: `baton __supervise DIR`.
pub const SUPERVISE_VERB: &str = "__supervise";

/// The environment variable that marks every process of an attempt; nested attempts are separated by `:`.
pub const ATTEMPT_MARKER: &str = "BATON_ATTEMPT";
