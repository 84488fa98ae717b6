//! The legal changes of the state, in one pure function that refuses all others by name.

use jiff::Timestamp;

use super::input::{Blocked, ByHand, Claim, Failed, Input, OverRunning, Refusal, Stamp, StampOutcome};
use crate::model::{Actor, Hold, HoldId, HoldKind, SCHEMA_VERSION, State, Status, Token, Usage};

/// Interrupted turns in a row after which a person must look.
const MAX_INTERRUPTIONS: u32 = 3;

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

/// The status from which the running turn was claimed, as far as the state tells: it names no failure, so that the next
/// claim is an ordinary one.
pub fn status_before(actor: Actor, state: &State) -> Status {
    match actor {
        Actor::Galph if state.iteration == 1 && state.ralph_commit.is_none() => Status::Idle,
        Actor::Galph => Status::Complete,
        Actor::Ralph => Status::WaitingRalph,
    }
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
            let waits = state.failure.as_ref().is_some_and(|failure| failure.waits);
            let is_refused = state.status == Status::Failed && state.expected_actor == claim.actor && waits;
            if state.status.runner() != Some(claim.actor) && !is_refused {
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
    next.failure = None;
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
        StampOutcome::Fail { commit, spent, failure } => {
            fail(&mut next, actor, commit);
            next.failure = failure;
            add_usage(&mut next, actor, spent);
            next.interruptions = 0;
        }
        StampOutcome::Release { prior, spent, hold, interrupted } => {
            // A turn that was taken over was claimed from a running one: nobody would be there to run it.
            next.status = if prior.runner().is_none() { prior } else { status_before(actor, state) };
            add_usage(&mut next, actor, Usage { turns: 0, ..spent });
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
    State { token: Some(token), holder: None, lease_expires_at: None, failure: None, ..state.clone() }
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
