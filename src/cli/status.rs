//! `baton status`: whose turn it is, what blocks, and the exact next command.
//!
//! It takes no lock, and opens as little as it can: the state file, the ledger for looking only, the seats' locks and at most
//! one attempt. Where the state is shared through a remote it looks there, by one connection, and keeps what it has seen of
//! the running turn's lease; otherwise it writes nothing.

mod facts;
mod next;
mod render;
mod there;

use crate::config::Overrides;
use crate::exec::{self, AttemptDir, Observation};
use crate::ledger::{IsolatedPlace, Ledger, LedgerError, Locked, PhaseRecord, Stage, Turn, TurnFilter};
use crate::mode::TickFile;
use crate::model::{Actor, Holder, State};
use crate::runner::{attempt_begun, commits_of, machine_id, settings};
use crate::state::StateFile;

use super::failures::state_failure;
use super::isolation::{BranchArgs, find_common_dir};
use super::records::{Records, find_records};
use super::shared::{Ask, is_of_this_clone};
use super::workspace::{Located, locate_loop};
use super::{Context, Exit, Failure};
use facts::{
    AgentSeen, Facts, HolderFacts, IsolatedLoop, OpenTurn, PastTurn, SeatTicks, Seats, Spend, StateFacts,
};

pub(super) use facts::{Life, Seat};

/// Whose turn it is, what blocks, and what to do next
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The state file, relative to the workspace
    #[arg(long, value_name = "FILE")]
    state_file: Option<String>,
    #[command(flatten)]
    branch: BranchArgs,
    /// Do not ask the remote: tell what was seen last
    #[arg(long)]
    offline: bool,
    /// The state file here, also where the state is shared through a remote
    #[arg(long, conflicts_with = "offline")]
    local: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How many closed turns are told.
const LAST_TURNS: u32 = 3;

/// Prints what is known.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut overrides = Overrides::default();
    if let Some(file) = &args.state_file {
        overrides.set("state_file", file.as_str(), "--state-file");
    }
    let located = locate_loop(context, &overrides, args.branch.branch.as_deref())?;
    let (masker, _) = settings::masker(&located.config.config, &context.ambient);
    let facts = gather(&located, args, context).map_err(|failure| failure.masked(&masker))?;
    if args.json {
        context.output.say(facts::to_json(&facts, &masker));
    } else {
        context.output.say(masker.mask(&render::render(&facts, context.ambient.now())));
    }
    Ok(Exit::Done)
}

fn gather(located: &Located, args: &Args, context: &Context) -> Result<Facts, Failure> {
    let config = &located.config.config;
    let now = context.ambient.now();
    let records = find_records(&located.root, &context.ambient);
    let ask = if args.offline { Ask::Memory } else { Ask::Remote };
    let shared = if args.local { None } else { there::look(located, ask, records.as_ref(), context)? };
    let (state, shared) = if let Some((state, shared)) = shared {
        (state, Some(shared))
    } else {
        let file = StateFile::new(&located.root, &config.state_file);
        (file.read().map_err(|error| state_failure(&error))?, None)
    };
    let seats =
        Seats { galph: seat(records.as_ref(), Actor::Galph), ralph: seat(records.as_ref(), Actor::Ralph) };
    let holder = state.as_ref().and_then(|state| match &shared {
        None => holder(state, seats, &context.ambient.host()),
        Some(_) => holder_there(state, seats, records.as_ref()),
    });
    let mut facts = Facts {
        workspace: located.root.display().to_string(),
        configured: located.root.join(crate::config::PROJECT_FILE).exists(),
        state_file: config.state_file.display().to_string(),
        flag: records.as_ref().map_or("", |records| records.kind.flag()).to_owned() + &located.flags.of_run(),
        place: located.flags.of_others(),
        isolated: isolated(located),
        blocked: state.as_ref().map(|state| facts::blocks(state, now)).unwrap_or_default(),
        spend: state.as_ref().map(|state| Spend::of(&state.usage)),
        holder,
        state: state.map(|state| StateFacts::of(&state, config.actors.label(state.expected_actor))),
        shared,
        seats,
        open_turns: Vec::new(),
        last_turns: Vec::new(),
        ticks: records.as_ref().map(ticks).unwrap_or_default(),
        ledger_problem: None,
        next: next::Next::default(),
    };
    if let Some(records) = &records
        && let Err(error) = add_turns(&mut facts, records, context)
    {
        facts.ledger_problem = Some(Failure::from_error(Exit::Operational, &error).in_one_line());
    }
    let again = facts.run_expected();
    for block in &mut facts.blocked {
        if block.clear == "baton run" {
            block.clear.clone_from(&again);
        } else {
            block.clear.push_str(&facts.place);
        }
    }
    facts.next = next::decide_next(&facts, now);
    Ok(facts)
}

/// The isolated loops of this repository other than the one that is told of.
fn isolated(located: &Located) -> Vec<IsolatedLoop> {
    let Some((common, _)) = find_common_dir(&located.root) else { return Vec::new() };
    let others =
        IsolatedPlace::all(&common).into_iter().filter(|(place, _)| !located.root.starts_with(place.tree()));
    others
        .filter(|(_, record)| record.stage != Stage::Removed)
        .map(|(place, record)| IsolatedLoop {
            branch: record.branch,
            tree: place.tree().display().to_string(),
        })
        .collect()
}

fn seat(records: Option<&Records>, actor: Actor) -> Seat {
    match records.map(|records| records.home.seat_is_taken(actor)) {
        Some(Locked::Yes) => Seat::Taken,
        Some(Locked::No) | None => Seat::Free,
    }
}

fn ticks(records: &Records) -> Vec<SeatTicks> {
    let of = |role| Some(SeatTicks { role, record: TickFile::of(&records.home, role).read()? });
    Actor::ALL.into_iter().filter_map(of).collect()
}

/// Who runs the turn, and whether that process lives: its seat's lock is the proof, and only here can it be seen.
fn holder(state: &State, seats: Seats, host: &str) -> Option<HolderFacts> {
    let actor = state.status.runner()?;
    let life = life(state.holder.as_ref(), seats.of(actor), host);
    Some(HolderFacts { actor, holder: state.holder.clone(), life })
}

fn holder_there(state: &State, seats: Seats, records: Option<&Records>) -> Option<HolderFacts> {
    let actor = state.status.runner()?;
    let is_of_this_clone = is_of_this_clone(state.holder.as_ref(), records);
    let life = life_there(state.holder.as_ref(), seats.of(actor), is_of_this_clone);
    Some(HolderFacts { actor, holder: state.holder.clone(), life })
}

pub(super) fn life(holder: Option<&Holder>, seat: Seat, host: &str) -> Life {
    match (holder, seat) {
        (_, Seat::Taken) => Life::AliveHere,
        (Some(holder), Seat::Free) if holder.host == host => Life::GoneHere,
        (Some(_), Seat::Free) => Life::Elsewhere,
        (None, Seat::Free) => Life::Unknown,
    }
}

/// The same where other clones share the state: the name of a host does not tell which of them it is.
pub(super) const fn life_there(holder: Option<&Holder>, seat: Seat, is_of_this_clone: bool) -> Life {
    match (holder, seat, is_of_this_clone) {
        (Some(_), Seat::Taken, true) => Life::AliveHere,
        (Some(_), Seat::Free, true) => Life::GoneHere,
        (Some(_), _, false) => Life::Elsewhere,
        (None, _, _) => Life::Unknown,
    }
}

fn add_turns(facts: &mut Facts, records: &Records, context: &Context) -> Result<(), LedgerError> {
    let Some(ledger) = Ledger::open_read_only(&records.home.ledger())? else { return Ok(()) };
    for turn in ledger.open_turns()? {
        let last = ledger.last_phase(turn.opening.id)?;
        let mut open = open_turn(&turn, last.as_ref(), facts.seats, records, context);
        // What was seen last may be older than the turn.
        if facts.shared.as_ref().is_none_or(|shared| shared.online) {
            let failure = facts.state.as_ref().and_then(|state| state.failure.as_ref());
            open.compare(facts.holder.as_ref(), failure);
        }
        facts.open_turns.push(open);
    }
    let turns = ledger.turns(TurnFilter { actor: None, limit: LAST_TURNS * 3 })?;
    let closed = turns.into_iter().filter_map(|turn| Some((turn.opening, turn.closing?)));
    // A claim that never happened has changed nothing.
    facts.last_turns = closed
        .filter(|(_, closing)| closing.class != "void")
        .take(LAST_TURNS as usize)
        .map(|(opening, closing)| {
            let commits = commits_of(&closing);
            PastTurn::of(&opening, closing, commits)
        })
        .collect();
    Ok(())
}

fn open_turn(
    turn: &Turn,
    last: Option<&PhaseRecord>,
    seats: Seats,
    records: &Records,
    context: &Context,
) -> OpenTurn {
    // While its process lives, the attempt is that process's business.
    let attempt = match seats.of(turn.opening.actor) {
        Seat::Taken => None,
        Seat::Free => last.and_then(attempt_begun),
    };
    let agent = attempt.map(|attempt| {
        match exec::observe(&AttemptDir::new(records.home.attempt(attempt)), &context.ambient) {
            Ok(Observation::Alive { .. }) => AgentSeen::Alive,
            Ok(Observation::Finished(_)) => AgentSeen::Finished,
            Ok(Observation::Vanished { started: true }) => AgentSeen::Vanished,
            Ok(Observation::Vanished { started: false }) => AgentSeen::NeverStarted,
            Err(_) => AgentSeen::Unreadable,
        }
    });
    OpenTurn::of(&turn.opening, last, agent, turn.opening.machine == machine_id(&context.ambient))
}

#[cfg(test)]
mod tests;
