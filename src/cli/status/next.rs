//! The exact next command, decided from what is known.

use jiff::Timestamp;
use serde::Serialize;

use super::facts::{AgentSeen, Facts, HolderFacts, Life, OpenTurn, Seat};
use crate::cli::shared::role_command;
use crate::cli::words::{moment, one_line};
use crate::model::Actor;
use crate::runner::{ROLE, SOLO};

/// A command, and why it is this one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(super) struct Next {
    pub(super) command: String,
    pub(super) why: String,
}

impl Next {
    fn new(command: impl Into<String>, why: impl Into<String>) -> Self {
        Self { command: command.into(), why: why.into() }
    }
}

/// What a person does next.
pub(super) fn decide_next(facts: &Facts, now: Timestamp) -> Next {
    if Actor::ALL.iter().any(|seat| facts.seats.of(*seat) == Seat::Taken) {
        return Next::new(
            format!("baton logs -n 1{}", facts.place),
            "a baton is at work here; it goes on by itself",
        );
    }
    if let Some(turn) = facts.open_turns.first() {
        return resume(turn, facts);
    }
    let Some(state) = &facts.state else {
        return match (&facts.shared, facts.configured) {
            (Some(_), _) => Next::new(facts.run(Actor::Galph), "galph's side writes the first state"),
            (None, true) => {
                Next::new(facts.run(Actor::Galph), "nothing has been run yet; it begins with galph's turn")
            }
            (None, false) => Next::new("baton init", "there is no workspace here yet"),
        };
    };
    if let Some(holder) = &facts.holder {
        return beside(holder, facts);
    }
    let expected = state.expected_actor;
    // The seat that is played here: in a shared workspace the other one is played elsewhere.
    let seat = facts.shared.as_ref().map_or(Some(expected), |shared| shared.seat);
    let run = facts.run(seat.unwrap_or(expected));
    let mut holds = facts.blocked.iter().filter(|block| block.kind != "failed");
    if let Some(for_a_person) = holds.clone().find(|block| block.until.is_none()) {
        return Next::new(&for_a_person.clear, "nobody takes a turn until then");
    }
    if let Some(last) = holds.by_ref().filter_map(|block| block.until).max().filter(|until| *until > now) {
        return Next::new(run, format!("it waits for the hold to end at {}", moment(last)));
    }
    let there = if seat == Some(expected) { "" } else { "on the machine that plays this seat: " };
    if let Some(failure) = state.failure.as_ref().filter(|failure| failure.waits) {
        let why = format!(
            "on {}: {expected}'s work waits there, and is published once what was refused is mended",
            one_line(&failure.host)
        );
        return Next::new(facts.run_expected(), why);
    }
    if facts.blocked.iter().any(|block| block.kind == "failed") {
        let why = format!("{there}it takes {expected}'s failed turn again; read its summary first");
        return Next::new(facts.run_expected(), why);
    }
    match seat {
        Some(seat) if seat != expected => {
            let why = format!("it waits for {expected} to take its turn of iteration {}", state.iteration);
            Next::new(run, why)
        }
        Some(_) | None => {
            Next::new(run, format!("{there}it takes {expected}'s turn of iteration {}", state.iteration))
        }
    }
}

fn resume(turn: &OpenTurn, facts: &Facts) -> Next {
    let flag = &facts.flag;
    if !turn.of_this_machine {
        return Next::new(
            format!("baton doctor{}", facts.place),
            "the journal has an open turn of another machine",
        );
    }
    let command = match turn.mode.as_str() {
        SOLO => format!("baton run --mode solo --role {}{flag}", turn.actor),
        ROLE => role_command(turn.actor, flag),
        _ => format!("baton run{flag}"),
    };
    if turn.taken_away {
        let why = "it ends what is left of the open turn, which was taken away (exit 6); the run after it claims again";
        return Next::new(command, why);
    }
    if turn.refused {
        let why =
            "it publishes the open turn's work, once what was refused is mended; its agent is not run again";
        return Next::new(command, why);
    }
    let why = match turn.agent {
        Some(AgentSeen::Alive) => "it goes on with the open turn, whose agent still runs",
        Some(AgentSeen::Finished) => {
            "it goes on with the open turn; its agent has finished and is not run again"
        }
        Some(AgentSeen::Vanished) => "it gives the open turn back, since its agent is gone without a result",
        Some(AgentSeen::NeverStarted | AgentSeen::Unreadable) | None => "it goes on with the open turn",
    };
    Next::new(command, why)
}

/// A turn runs, as the state says, and this machine's journal knows nothing of it.
fn beside(holder: &HolderFacts, facts: &Facts) -> Next {
    let place = &facts.place;
    let takeover = format!("baton takeover {}{place}", holder.actor);
    let shared = facts.shared.as_ref();
    let has_expired = shared.and_then(|shared| shared.lease.as_ref()).is_some_and(|lease| lease.expired);
    let other = shared.and_then(|shared| shared.seat).filter(|seat| *seat != holder.actor);
    match (&holder.holder, holder.life) {
        (_, Life::AliveHere) => Next::new(format!("baton logs -n 1{place}"), "the turn runs here"),
        (Some(_), Life::GoneHere) => {
            Next::new(takeover, "the process that held the turn is gone, and its journal with it")
        }
        (Some(there), Life::Elsewhere) if has_expired => {
            let why = format!("the lease has run out: nothing was heard of {} for long enough", there.host);
            Next::new(takeover, why)
        }
        (Some(there), Life::Elsewhere) => {
            if let Some(seat) = other {
                let why = format!("it waits for {}, whose turn runs on {}", holder.actor, there.host);
                return Next::new(facts.run(seat), why);
            }
            let why = format!("only if {} is gone for good; else wait for its turn to end", there.host);
            Next::new(takeover, why)
        }
        (_, Life::Unknown) | (None, _) => {
            Next::new(takeover, "only if nothing runs the turn; the state does not say who does")
        }
    }
}
