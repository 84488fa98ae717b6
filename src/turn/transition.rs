//! The legal changes of the state, in one pure function that refuses all others by name.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::model::{Actor, Hold, HoldId, HoldKind, Holder, SCHEMA_VERSION, State, Status, Token, Usage};

/// Interrupted turns in a row after which a person must look.
const MAX_INTERRUPTIONS: u32 = 3;

/// What is asked of the state.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Take the turn from a state at rest.
    Claim(Claim),
    /// Take the turn again after it failed: only where a person asked for it.
    Reclaim(Claim),
    /// Take a running turn away from its holder.
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
    },
    /// The turn is given back.
    Release {
        /// The status before the claim.
        prior: Status,
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

/// Whether something in the state keeps everyone from their next turn.
pub fn decide_blocked(state: &State, now: Timestamp) -> Option<Blocked> {
    if state.exit {
        return Some(Blocked::Exit { reason: state.exit_reason.clone() });
    }
    let holds = standing(state, now);
    (!holds.is_empty()).then_some(Blocked::Held { holds })
}

fn standing(state: &State, now: Timestamp) -> Vec<Hold> {
    state.holds.iter().filter(|hold| hold.stands(now)).cloned().collect()
}

/// The state after `input`, or why that is not legal. Fields that this version does not know are kept.
pub fn apply(state: &State, input: Input, now: Timestamp) -> Result<State, Refusal> {
    let mut next = match input {
        Input::Claim(claim) => {
            refuse_unless_expected(state, claim.actor)?;
            refuse_while_held(state, now)?;
            refuse_while_running(state)?;
            if state.status == Status::Failed {
                return Err(Refusal::LastTurnFailed { actor: claim.actor });
            }
            claimed(state, claim, now)
        }
        Input::Reclaim(claim) => {
            refuse_unless_expected(state, claim.actor)?;
            refuse_while_held(state, now)?;
            refuse_while_running(state)?;
            if state.status != Status::Failed {
                return Err(Refusal::NotFailed { status: state.status });
            }
            claimed(state, claim, now)
        }
        Input::Takeover(claim) => {
            if state.status.runner() != Some(claim.actor) {
                return Err(Refusal::NotRunning { actor: claim.actor, status: state.status });
            }
            claimed(state, claim, now)
        }
        Input::Stamp(stamp) => stamped(state, stamp, now)?,
        Input::ByHand(by_hand) => by_hand_stamped(state, by_hand)?,
        Input::SetHold(hold) => {
            let mut next = state.clone();
            next.holds.push(hold);
            next
        }
        Input::ClearHold(id) => cleared(state, id)?,
        Input::SetExit(reason) => State { exit: true, exit_reason: reason, ..state.clone() },
        Input::ClearExit => State { exit: false, exit_reason: String::new(), ..state.clone() },
    };
    next.last_update = Some(now);
    next.schema_version = SCHEMA_VERSION;
    Ok(next)
}

fn refuse_unless_expected(state: &State, actor: Actor) -> Result<(), Refusal> {
    if state.expected_actor == actor {
        Ok(())
    } else {
        Err(Refusal::NotYourTurn { actor, expected: state.expected_actor })
    }
}

fn refuse_while_held(state: &State, now: Timestamp) -> Result<(), Refusal> {
    let holds = standing(state, now);
    if holds.is_empty() { Ok(()) } else { Err(Refusal::Held { holds }) }
}

fn refuse_while_running(state: &State) -> Result<(), Refusal> {
    if state.status.runner().is_some() {
        return Err(Refusal::Running { status: state.status, holder: state.holder.clone() });
    }
    Ok(())
}

fn claimed(state: &State, claim: Claim, now: Timestamp) -> State {
    let mut next = state.clone();
    next.status = Status::running(claim.actor);
    next.expected_actor = claim.actor;
    next.epoch = state.epoch.saturating_add(1);
    next.token = Some(claim.token);
    next.holder = Some(claim.holder);
    next.lease_expires_at = Some(claim.lease_expires_at);
    next.holds.retain(|hold| hold.stands(now));
    next
}

fn stamped(state: &State, stamp: Stamp, now: Timestamp) -> Result<State, Refusal> {
    let Stamp { actor, claim_token, token, outcome } = stamp;
    if state.token.as_ref() != Some(&claim_token) {
        let found = state.token.as_ref().map_or_else(|| "none".to_owned(), Token::to_string);
        return Err(Refusal::Fenced { actor, ours: claim_token, found });
    }
    if state.status.runner() != Some(actor) {
        return Err(Refusal::NotRunning { actor, status: state.status });
    }
    let mut next = at_rest(state, token);
    match outcome {
        StampOutcome::Pass { commit, prompt, spent } => {
            pass(&mut next, actor, commit);
            note_prompt(&mut next, actor, prompt);
            add_usage(&mut next, actor, spent);
            next.interruptions = 0;
        }
        StampOutcome::Fail { commit, spent } => {
            fail(&mut next, actor, commit);
            add_usage(&mut next, actor, spent);
            next.interruptions = 0;
        }
        StampOutcome::Release { prior, hold, interrupted } => {
            next.status = prior;
            next.holds.extend(hold);
            if let Some(id) = interrupted {
                next.interruptions = state.interruptions.saturating_add(1);
                if next.interruptions >= MAX_INTERRUPTIONS {
                    next.holds.push(Hold {
                        id,
                        kind: HoldKind::NoProgress,
                        reason: format!("{} turns in a row were interrupted", next.interruptions),
                        since: now,
                        until: None,
                    });
                }
            }
        }
    }
    Ok(next)
}

fn by_hand_stamped(state: &State, by_hand: ByHand) -> Result<State, Refusal> {
    if state.status.runner().is_some() && by_hand.running == OverRunning::Refuse {
        return Err(Refusal::Running { status: state.status, holder: state.holder.clone() });
    }
    let mut next = at_rest(state, by_hand.token);
    match by_hand.failed {
        Some(Failed) => fail(&mut next, by_hand.actor, by_hand.commit),
        None => pass(&mut next, by_hand.actor, by_hand.commit),
    }
    next.interruptions = 0;
    Ok(next)
}

fn cleared(state: &State, id: HoldId) -> Result<State, Refusal> {
    let Some(hold) = state.holds.iter().find(|hold| hold.id == id) else {
        return Err(Refusal::NoSuchHold { id });
    };
    let mut next = state.clone();
    // A person who clears the hold has looked: the count that led to it starts anew.
    if hold.kind == HoldKind::NoProgress {
        next.interruptions = 0;
    }
    next.holds.retain(|hold| hold.id != id);
    Ok(next)
}

fn at_rest(state: &State, token: Token) -> State {
    State { token: Some(token), holder: None, lease_expires_at: None, ..state.clone() }
}

fn pass(next: &mut State, actor: Actor, commit: Option<String>) {
    next.expected_actor = actor.other();
    match actor {
        Actor::Galph => {
            next.status = Status::WaitingRalph;
            next.galph_commit = commit.or_else(|| next.galph_commit.take());
        }
        Actor::Ralph => {
            next.status = Status::Complete;
            next.iteration = next.iteration.saturating_add(1);
            next.ralph_commit = commit.or_else(|| next.ralph_commit.take());
        }
    }
}

fn fail(next: &mut State, actor: Actor, commit: Option<String>) {
    next.expected_actor = actor;
    next.status = Status::Failed;
    match actor {
        Actor::Galph => next.galph_commit = commit.or_else(|| next.galph_commit.take()),
        Actor::Ralph => next.ralph_commit = commit.or_else(|| next.ralph_commit.take()),
    }
}

fn note_prompt(next: &mut State, actor: Actor, prompt: Option<String>) {
    if prompt.is_some() {
        next.last_prompt = prompt;
        next.last_prompt_actor = Some(actor);
    }
}

fn add_usage(next: &mut State, actor: Actor, spent: Usage) {
    let account = next.usage.of_mut(actor);
    *account = account.plus(spent);
}

/// The state of our running turn with everything put back that an agent may not change.
///
/// An agent may set `exit` and `exit_reason`; a person may add and clear holds meanwhile. `claimed` is the state
/// as our claim wrote it, `found` what stands there now under the same token.
#[must_use]
pub fn restore_tampered(claimed: &State, found: &State) -> State {
    State {
        exit: found.exit,
        exit_reason: found.exit_reason.clone(),
        holds: found.holds.clone(),
        last_update: found.last_update,
        interruptions: found.interruptions,
        unknown: found.unknown.clone(),
        ..claimed.clone()
    }
}

#[cfg(test)]
#[path = "transition_tests.rs"]
mod tests;
