//! What is asked of the state, and why it may be refused.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::model::{Actor, Hold, HoldId, Holder, Status, Token, TurnFailure, Usage};

/// What is asked of the state.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Take the turn from a state at rest.
    Claim(Claim),
    /// Take the turn again after it failed: only where a person asked for it.
    Reclaim(Claim),
    /// Take a turn away from its holder: one that runs, or one that failed and whose work waits on its machine.
    Takeover(Claim),
    /// End our running turn.
    Stamp(Stamp),
    /// A handoff by a person, without a turn.
    ByHand(ByHand),
    /// Add a hold.
    SetHold(Hold),
    /// Remove a hold.
    ClearHold(HoldId),
    /// Ask both sides to stop before their next turn.
    SetExit(String),
    /// Withdraw that.
    ClearExit,
}

/// A claim: who takes the turn, and under which token.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The seat.
    pub actor: Actor,
    /// The fresh token.
    pub token: Token,
    /// The process that runs the turn.
    pub holder: Holder,
    /// When the lease ends, for display.
    pub lease_expires_at: Timestamp,
}

/// The end of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamp {
    /// The seat.
    pub actor: Actor,
    /// The token of our claim: without it the stamp is refused.
    pub claim_token: Token,
    /// The fresh token of the state after the stamp.
    pub token: Token,
    /// How the turn ended.
    pub outcome: StampOutcome,
}

/// How a turn ended, as far as the state is concerned.
#[derive(Debug, Clone, PartialEq)]
pub enum StampOutcome {
    /// The baton goes to the other side.
    Pass {
        /// HEAD, short.
        commit: Option<String>,
        /// The prompt, when the router is on; a turn that fails leaves what stands there.
        prompt: Option<String>,
        /// What the turn cost.
        spent: Usage,
    },
    /// The turn failed; the same side is expected.
    Fail {
        /// HEAD, short.
        commit: Option<String>,
        /// What the turn cost.
        spent: Usage,
        /// What the other machine is told of it.
        failure: Option<TurnFailure>,
    },
    /// The turn is given back.
    Release {
        /// The status before the claim. A running one, of a turn that was taken over, becomes the one before that.
        prior: Status,
        /// What was used all the same. It is no turn, and was paid for.
        spent: Usage,
        /// Why nobody may act for a while, where there is a reason.
        hold: Option<Hold>,
        /// The hold to set if this was one interruption too many; `None` when the turn was not interrupted.
        interrupted: Option<HoldId>,
    },
}

/// A handoff by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct ByHand {
    /// Whose turn is stamped.
    pub actor: Actor,
    /// The fresh token.
    pub token: Token,
    /// HEAD, short.
    pub commit: Option<String>,
    /// Passed, or failed.
    pub failed: Option<Failed>,
    /// Whether a running turn may be overridden.
    pub running: OverRunning,
}

/// Marks a hand-stamped failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

/// What a stamp by hand does when a turn is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverRunning {
    /// Refuse.
    Refuse,
    /// Fence the running turn off.
    Force,
}

/// Why a change of the state was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else holds the baton.
    #[error("it is {expected}'s turn, not {actor}'s")]
    NotYourTurn {
        /// Who asked.
        actor: Actor,
        /// Who is expected.
        expected: Actor,
    },
    /// A turn is under way.
    #[error("a turn is running: status is `{status}`{}", held_by(.holder.as_ref()))]
    Running {
        /// The status found.
        status: Status,
        /// The holder, where the state names one.
        holder: Option<Holder>,
    },
    /// The last turn failed and nobody asked to try again.
    #[error("{actor}'s last turn failed; a new `baton run` takes it again")]
    LastTurnFailed {
        /// Whose turn it was.
        actor: Actor,
    },
    /// A reclaim of a turn that has not failed.
    #[error("only a failed turn can be reclaimed: status is `{status}`")]
    NotFailed {
        /// The status found.
        status: Status,
    },
    /// A hold stands.
    #[error("held: {}", describe_holds(.holds))]
    Held {
        /// All that stand.
        holds: Vec<Hold>,
    },
    /// The token is not ours any more.
    #[error("{actor}'s turn was taken away: the state carries token {found}, ours is {ours}")]
    Fenced {
        /// Whose turn we thought it was.
        actor: Actor,
        /// Ours.
        ours: Token,
        /// What the state says.
        found: String,
    },
    /// A stamp for a turn that is not running.
    #[error("{actor}'s turn is not running: status is `{status}`")]
    NotRunning {
        /// Whose turn was to be stamped.
        actor: Actor,
        /// The status found.
        status: Status,
    },
    /// There is no such hold.
    #[error("there is no hold `{id}`")]
    NoSuchHold {
        /// The identifier asked for.
        id: HoldId,
    },
}

fn held_by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |h| format!(", held by {} (pid {}) since {}", h.host, h.pid, h.since))
}

fn describe_holds(holds: &[Hold]) -> String {
    let mut text = String::new();
    for (index, hold) in holds.iter().enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        let _ = write!(text, "{separator}{} {}: {}", hold.kind, hold.id, hold.reason);
        if let Some(until) = hold.until {
            let _ = write!(text, " (until {until})");
        }
    }
    text
}

/// Why nobody may claim now, looking at the state alone.
#[derive(Debug, Clone, PartialEq)]
pub enum Blocked {
    /// `exit` is set.
    Exit {
        /// Its reason.
        reason: String,
    },
    /// Holds stand.
    Held {
        /// All that stand.
        holds: Vec<Hold>,
    },
}
