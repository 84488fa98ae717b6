//! The exact next command, decided from what is known.

use jiff::Timestamp;
use serde::Serialize;

use super::facts::{AgentSeen, Facts, HolderFacts, Life, OpenTurn, Seat};
use crate::cli::words::moment;
use crate::model::Actor;

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
    let run = format!("baton run{}", facts.flag);
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
        return if facts.configured {
            Next::new(run, "nothing has been run yet; it begins with galph's turn")
        } else {
            Next::new("baton init", "there is no workspace here yet")
        };
    };
    if let Some(holder) = &facts.holder {
        return beside(holder, &facts.place);
    }
    let mut holds = facts.blocked.iter().filter(|block| block.kind != "failed");
    if let Some(for_a_person) = holds.clone().find(|block| block.until.is_none()) {
        return Next::new(&for_a_person.clear, "nobody takes a turn until then");
    }
    if let Some(last) = holds.by_ref().filter_map(|block| block.until).max().filter(|until| *until > now) {
        return Next::new(run, format!("it waits for the hold to end at {}", moment(last)));
    }
    if facts.blocked.iter().any(|block| block.kind == "failed") {
        let why = format!("it takes {}'s failed turn again; read its summary first", state.expected_actor);
        return Next::new(run, why);
    }
    Next::new(run, format!("it takes {}'s turn of iteration {}", state.expected_actor, state.iteration))
}

fn resume(turn: &OpenTurn, facts: &Facts) -> Next {
    let flag = &facts.flag;
    if !turn.of_this_machine {
        return Next::new(
            format!("baton doctor{}", facts.place),
            "the journal has an open turn of another machine",
        );
    }
    if turn.taken_away {
        let why = "it ends what is left of the open turn, which was taken away (exit 6); the run after it claims again";
        return Next::new(format!("baton run{flag}"), why);
    }
    let command = match turn.mode.as_str() {
        "solo" => format!("baton run --mode solo --role {}{flag}", turn.actor),
        _ => format!("baton run{flag}"),
    };
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
fn beside(holder: &HolderFacts, place: &str) -> Next {
    let takeover = format!("baton takeover {}{place}", holder.actor);
    match (&holder.holder, holder.life) {
        (_, Life::AliveHere) => Next::new(format!("baton logs -n 1{place}"), "the turn runs here"),
        (Some(_), Life::GoneHere) => {
            Next::new(takeover, "the process that held the turn is gone, and its journal with it")
        }
        (Some(other), Life::Elsewhere) => {
            let why = format!("only if {} is gone for good; else wait for its turn to end", other.host);
            Next::new(takeover, why)
        }
        (_, Life::Unknown) | (None, _) => {
            Next::new(takeover, "only if nothing runs the turn; the state does not say who does")
        }
    }
}
