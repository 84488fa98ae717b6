//! Turns over a remote: the state is what the branch there says, a claim and a stamp are commits, and the remote's
//! compare-and-swap decides who has the turn.
//!
//! `exchange` looks and changes, `claim` takes a turn, `publish` hands work and stamp over, `work` says which, `bring` and `follow` move the
//! local branch, `fenced` puts aside what lost its turn, `refused` tells of work that must not leave, `take` is the way in, `sight` watches another's lease, `small` is what else a
//! seat does, `restore` puts back a state that nobody can read. Which answer means what is decided in `turn::sync`.

mod bring;
mod claim;
mod error;
mod exchange;
mod fenced;
mod follow;
mod patience;
mod publish;
mod refused;
mod restore;
mod sight;
mod small;
mod take;
mod work;

pub use error::SyncError;
pub use exchange::{Change, Exchange, Seen, change_seen, change_state};
pub use follow::{Followed, follow};
pub use patience::Patience;
pub(super) use patience::Patiently;
pub use restore::{RestoredState, newest_readable, restore_state, state_path};
pub use sight::{Sight, Watched, watch_lease};
