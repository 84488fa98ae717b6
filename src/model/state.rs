//! The content of `sync/state.json`. Reading and writing the file is `state`'s work, legal changes are `turn`'s.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, HoldId, Status, Token, Usage};

/// The newest schema that this version reads and the one that it writes.
pub const SCHEMA_VERSION: u32 = 1;

/// Whose turn it is and all that both sides must agree on.
///
/// Invariants: `iteration >= 1`; `holder` is present only while `status` is running, `failure` only while it is
/// `failed`; what this version does not
/// know is kept in `unknown` and written back.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Counts from 1; moves only when ralph's turn succeeds.
    pub iteration: u64,
    /// Who holds the baton.
    pub expected_actor: Actor,
    /// Where the pair stands.
    pub status: Status,
    /// When the file was last changed, for display.
    pub last_update: Option<Timestamp>,
    /// When the running turn's lease ends, for display: clocks of two machines are never compared.
    pub lease_expires_at: Option<Timestamp>,
    /// HEAD when galph was stamped.
    pub galph_commit: Option<String>,
    /// HEAD when ralph was stamped.
    pub ralph_commit: Option<String>,
    /// The prompt of the last routed turn; set only when the router is on.
    pub last_prompt: Option<String>,
    /// Who ran `last_prompt`.
    pub last_prompt_actor: Option<Actor>,
    /// Asks both sides to stop before their next turn.
    pub exit: bool,
    /// Why.
    pub exit_reason: String,
    /// Zero for a file of the earlier implementation.
    pub schema_version: u32,
    /// Fencing counter, one more with each claim.
    pub epoch: u64,
    /// New with each claim and stamp.
    pub token: Option<Token>,
    /// Who is running.
    pub holder: Option<Holder>,
    /// While any stands, nobody claims.
    pub holds: Vec<Hold>,
    /// Turns in a row that ended `interrupted`.
    pub interruptions: u32,
    /// Spend, summed over both machines.
    pub usage: UsageByActor,
    /// What the last turn tells the next one on another machine: verification, and what was found. Empty where both seats
    /// share a ledger.
    pub notes: Vec<String>,
    /// What became of the turn that failed, for the other machine; `None` where none did, or its machine did not say.
    pub failure: Option<TurnFailure>,
    /// Fields of other versions, in their order.
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl State {
    /// The state of a pair that has not begun: galph's turn of iteration 1.
    #[must_use]
    pub fn initial(now: Timestamp) -> Self {
        Self {
            iteration: 1,
            expected_actor: Actor::Galph,
            status: Status::Idle,
            last_update: Some(now),
            lease_expires_at: None,
            galph_commit: None,
            ralph_commit: None,
            last_prompt: None,
            last_prompt_actor: None,
            exit: false,
            exit_reason: String::new(),
            schema_version: SCHEMA_VERSION,
            epoch: 0,
            token: None,
            holder: None,
            holds: Vec::new(),
            interruptions: 0,
            usage: UsageByActor::default(),
            notes: Vec::new(),
            failure: None,
            unknown: serde_json::Map::new(),
        }
    }
}

/// The process that runs a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The turn's identifier.
    pub id: String,
    /// Host name, for people.
    pub host: String,
    /// Process id on that host, for people.
    pub pid: u32,
    /// When the turn was claimed.
    pub since: Timestamp,
}

/// A turn that failed, as its machine tells the others. It names no path and nothing that an agent has written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnFailure {
    /// The turn's identifier.
    pub turn: String,
    /// The machine that has its log, for people.
    pub host: String,
    /// Why, in a few fixed words.
    pub reason: String,
    /// Whether the agent's work waits there to be published, so that nobody else takes the turn unasked.
    #[serde(default)]
    pub waits: bool,
}

/// A named reason why nobody may act now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Names the hold, to clear it.
    pub id: HoldId,
    /// What kind of reason.
    pub kind: HoldKind,
    /// The reason in words.
    pub reason: String,
    /// When it was set.
    pub since: Timestamp,
    /// When it ends by itself; `None` for one that a person clears.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

impl Hold {
    /// Whether the hold still stands at `now`.
    pub fn stands(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Why nobody may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// A person must decide first.
    Approval,
    /// A provider's usage limit.
    Limit,
    /// A budget is used up.
    Budget,
    /// The turns go round in circles.
    NoProgress,
    /// A person asked for a pause.
    Pause,
}

impl HoldKind {
    /// The word in the state file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Limit => "limit",
            Self::Budget => "budget",
            Self::NoProgress => "no_progress",
            Self::Pause => "pause",
        }
    }
}

impl fmt::Display for HoldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Spend by seat.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UsageByActor {
    /// The supervisor's.
    pub galph: Usage,
    /// The engineer's.
    pub ralph: Usage,
}

impl UsageByActor {
    /// One seat's account.
    pub fn of_mut(&mut self, actor: Actor) -> &mut Usage {
        match actor {
            Actor::Galph => &mut self.galph,
            Actor::Ralph => &mut self.ralph,
        }
    }

    /// Both seats together.
    #[must_use]
    pub fn total(&self) -> Usage {
        self.galph.plus(self.ralph)
    }
}
