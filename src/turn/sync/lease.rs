//! When the holder of a turn counts as gone: its lease was watched unchanged for long enough, on the watcher's own clock.
//!
//! Clocks of two machines are never compared. A lease is a value that changes while its holder lives; what is measured
//! is how long this machine has seen the same value.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{State, Token};

/// A lease as far as this machine can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseHealth {
    /// Nothing is known: nobody runs, or nobody has watched.
    Unwatched,
    /// It may have been renewed within its time.
    Alive {
        /// How much longer it must stay unchanged to count as expired.
        left: Duration,
    },
    /// It has not been renewed for one and a quarter of its length.
    Expired,
}

/// One look at a running turn's lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseSight {
    /// The claim's token.
    pub token: Token,
    /// The newest renewal under that token; `None` while the claim itself is the lease's value.
    pub renewal: Option<String>,
}

impl LeaseSight {
    /// What there is to watch: nothing while no turn runs, under a hold, and in a turn without a token, which a peer
    /// without leases runs. `lease` is the identifier of the lease's newest renewal and the token that it carries;
    /// a renewal under another token belongs to another turn and counts for nothing.
    pub fn of(state: &State, lease: Option<(&str, Option<&Token>)>, now: Timestamp) -> Option<Self> {
        let token = state.token.clone().filter(|_| state.status.runner().is_some())?;
        if state.holds.iter().any(|hold| hold.stands(now)) {
            return None;
        }
        let renewal = lease.filter(|(_, under)| *under == Some(&token)).map(|(id, _)| id.to_owned());
        Some(Self { token, renewal })
    }
}

/// Since when a lease has been seen unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseWatch {
    sight: LeaseSight,
    boot: String,
    since_millis: u64,
}

impl LeaseWatch {
    /// The watch after one more look. Another value, another boot and a clock that went back start it anew. `boot` is
    /// this boot's identifier, `uptime` the time since it, sleep included.
    #[must_use]
    pub fn see(previous: Option<&Self>, sight: LeaseSight, boot: &str, uptime: Duration) -> Self {
        let now = millis(uptime);
        // Where boots have no identifiers an older one's reading can only be too late or too high, never too early:
        // less time is seen to pass than has passed.
        let since_millis = previous
            .filter(|watch| watch.sight == sight && watch.boot == boot && watch.since_millis <= now)
            .map_or(now, |watch| watch.since_millis);
        Self { sight, boot: boot.to_owned(), since_millis }
    }

    /// How long the lease has been seen unchanged.
    pub fn unchanged_for(&self, uptime: Duration) -> Duration {
        uptime.saturating_sub(Duration::from_millis(self.since_millis))
    }

    /// Whether the holder has given a sign of life between that watch and this one.
    pub fn shows_life_since(&self, previous: &Self) -> bool {
        self.sight.token == previous.sight.token && self.sight.renewal != previous.sight.renewal
    }

    /// What is known of a lease of this length.
    pub fn health(&self, length: Duration, uptime: Duration) -> LeaseHealth {
        let enough = length.saturating_add(length / 4);
        match enough.checked_sub(self.unchanged_for(uptime)) {
            Some(left) if !left.is_zero() => LeaseHealth::Alive { left },
            Some(_) | None => LeaseHealth::Expired,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The length of the running turn's lease: what its holder said when it claimed, and no less than what is configured
/// here. Both moments in the state are of the holder's clock, so that their difference means something anywhere.
pub fn lease_length(state: &State, configured: Duration) -> Duration {
    let declared = state
        .lease_expires_at
        .zip(state.holder.as_ref())
        .and_then(|(end, holder)| Duration::try_from(end.duration_since(holder.since)).ok());
    declared.map_or(configured, |declared| declared.max(configured))
}
