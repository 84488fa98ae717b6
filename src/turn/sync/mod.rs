//! The decisions of role mode: what a seat does with the state that it sees, whether a push was our win, when a lease
//! has run out, what a commit of the state says.
//!
//! Pure, like all of `turn`: the drivers fetch, push, watch the clock and roll the dice, and ask here what it means.
//! The truth is the tip of the remote's branch; what this machine remembers is never taken for it.

mod fate;
mod lease;
mod pace;
mod peer;
mod seat;
mod subject;

pub use fate::{
    Answer, ClaimFate, PublishFate, RefusalFate, Tip, decide_claim, decide_publish, decide_refusal,
};
pub use lease::{LeaseHealth, LeaseSight, LeaseWatch, lease_length};
pub use pace::{Backoff, Contest, Pace};
pub use peer::{Remembered, restore_forgotten};
pub use seat::{Asked, SeatAction, SeatEnd, SeatView, Waiting, decide_seat};
pub use subject::{SyncEvent, TURN_TRAILER, sync_message, sync_subject};

#[cfg(test)]
mod tests;
