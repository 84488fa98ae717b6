//! `run_turn`: the one path that all modes share, and its journal.
//!
//! A turn is a row of phases. Before each phase's effect its `begin` is durable in the journal, after it its `done`;
//! `turn::decide_next` says from these alone what comes next, in a running turn and after a crash alike. The modes only
//! decide whose turn it is and whether to go on; printing is the command line's.

mod agent_actions;
mod check;
mod claim;
mod close;
mod commit;
mod crash;
mod environment;
mod error;
mod isolation;
mod journal;
mod lease;
mod log;
mod look;
mod masking;
mod naming;
mod notes;
mod observer;
mod outcome;
mod preview;
mod prompt;
mod rescue;
mod run;
mod scanner;
mod secrets;
mod select;
mod session;
pub mod settings;
mod stamp;
mod state_here;
mod summary;
mod sync;
mod turn;
mod turn_record;
mod verify;
mod void;
mod watch;
mod workspace;

pub use check::{Check, CheckVerdict, describe_checks};
pub use environment::environment_without_turn;
pub use error::{NoAgent, RunnerError};
pub use isolation::{
    Care, IgnoredFiles, IsolatedTree, IsolationError, OwnFiles, decide_care, prepare_tree, refuse_gone,
    remove_tree,
};
pub use journal::{Cause, Completion};
pub use lease::{Keeping, LeaseKeeper, Renewal};
pub use look::{
    JournalledState, attempt_begun, attempts_of, commits_of, completion_of, newest_journalled, state_left_by,
    usage_of,
};
pub use naming::{NO_BRANCH, TurnFiles, turn_files};
pub use observer::{Event, Observer, TurnOrigin};
pub use outcome::{COMBINED, ROLE, SOLO, TurnEnd, TurnOutcome, run_command};
pub use preview::{CommitUse, PlannedCommit, Preview};
pub use prompt::{MAX_PROMPT_BYTES, PromptError, compose_prompt, read_prompt};
pub use secrets::SecretsFound;
pub use sync::{
    Change, Exchange, Followed, Patience, RestoredState, Seen, Sight, SyncError, Watched, change_seen,
    change_state, follow, newest_readable, restore_state, state_path, watch_lease,
};
pub use turn::{Runner, TurnKind};
pub use watch::WatchFile;
pub use workspace::{GitUse, Opening, TreeUse, Workspace, machine_id};
