//! A bare repository and two clones of it, as on two machines: each seat is a process of its own, `baton run --mode role`,
//! and the turn passes through the bare repository.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::attempt::{InterruptSignal, Interrupts};
use crate::cli::failures::repo_failure;
use crate::cli::records::find_records;
use crate::cli::run::own_executable;
use crate::cli::sync_failures::remote_failure;
use crate::cli::{Context, Exit, Failure};
use crate::ledger::{Ledger, TurnFilter};
use crate::model::Actor;
use crate::publish::ObjectId;
use crate::repo::{self, Beginning, Repo, RepoError};
use crate::runner::{Completion, completion_of};

use super::layout::Layout;
use super::seat::{Seat, SeatOrder, Seats, SeatsEnd};
use super::{ending, place};

/// Names below the demonstration's directory.
const REMOTE: &str = "remote.git";
/// How often a waiting seat looks at the remote: turns are short here.
const POLL: &str = "100ms";
/// Nothing hangs: a seat whose other side is gone ends by itself.
const MAX_WAIT: &str = "2m";
/// More turns than a demonstration has.
const TURNS: u32 = 100;

const NOT_EARNED: &str = "the demonstration ended before completion was earned";
const SUMMARIES: &str = "the summaries under `laptop/logs` and `gpu-box/logs` tell what each turn did";

/// The clone of a seat.
pub(super) const fn clone_name(actor: Actor) -> &'static str {
    match actor {
        Actor::Galph => "laptop",
        Actor::Ralph => "gpu-box",
    }
}

/// The three repositories.
struct Made {
    /// The directory that holds them, canonical.
    root: PathBuf,
    /// The commit that was there in the beginning.
    first: ObjectId,
}

/// Makes the three repositories, starts both seats, and watches them to their end.
pub(super) fn run(
    wanted: Option<&Path>,
    quiet: bool,
    beginning: &Beginning<'_>,
    context: &Context,
) -> Result<Exit, Failure> {
    let output = context.output;
    let interrupts = context.signals.take_over()?;
    let made = place::make_in(wanted, context, |directory| make(directory, beginning, context))?;
    output.say(ending::pair_introduction(&made.root));
    let ended = take_turns(&made.root, quiet, &interrupts, context).and_then(|(seats, end)| match end {
        SeatsEnd::Done => conclude(&made, &seats, beginning.branch, context).map(|()| Exit::Done),
        SeatsEnd::Failed => Err(failure_of(&seats)),
        SeatsEnd::Interrupted(signal) => {
            let interruption = interruption(signal);
            output.fail(&interruption);
            output.note(ending::kept(&made.root));
            Ok(interruption.exit)
        }
    });
    if ended.is_err() {
        output.note(ending::kept(&made.root));
    }
    ended
}

fn make(directory: &Path, beginning: &Beginning<'_>, context: &Context) -> Result<Made, RepoError> {
    repo::create_empty_directory(directory)?;
    let root = std::fs::canonicalize(directory).map_err(|source| RepoError::Io {
        doing: "open",
        path: directory.to_owned(),
        source,
    })?;
    let remote = root.join(REMOTE);
    repo::create_bare(&remote, beginning)?;
    let clone = |actor| repo::clone_of(&remote, &root.join(clone_name(actor)), beginning, &context.ambient);
    let first = clone(Actor::Galph)?.head()?.commit;
    clone(Actor::Ralph)?;
    Ok(Made { root, first })
}

fn take_turns(
    root: &Path,
    quiet: bool,
    interrupts: &Interrupts,
    context: &Context,
) -> Result<(Seats, SeatsEnd), Failure> {
    let program = own_executable()?;
    let order = |actor: Actor| {
        let mut arguments: Vec<OsString> =
            ["run", "--mode", "role", "--role", actor.as_str()].map(OsString::from).into();
        arguments.extend(["--poll-interval", POLL, "--max-wait-sec", MAX_WAIT].map(OsString::from));
        arguments.extend(quiet.then(|| OsString::from("--quiet")));
        SeatOrder { actor, program: program.clone(), arguments, directory: root.join(clone_name(actor)) }
    };
    let mut seats = Seats::start(Actor::ALL.into_iter().map(order).collect(), &context.ambient)
        .map_err(|error| Failure::new(Exit::Operational, "cannot start a seat").caused_by(error))?;
    let layout = if quiet { Layout::Named } else { Layout::of(context.output) };
    if let Some(heading) = layout.heading() {
        context.output.note(heading);
    }
    let end = seats
        .watch(interrupts, &context.ambient, layout, context.output)
        .map_err(|error| Failure::new(Exit::Operational, "cannot watch the seats").caused_by(error))?;
    Ok((seats, end))
}

/// Says what came of it, if completion was earned.
fn conclude(made: &Made, seats: &Seats, branch: &str, context: &Context) -> Result<(), Failure> {
    let laptop = made.root.join(clone_name(Actor::Galph));
    let promises = promises(&laptop, context)?;
    if !promises.iter().any(|(_, promise)| matches!(promise, Completion::Accepted { .. })) {
        return Err(Failure::new(Exit::Operational, NOT_EARNED).help(SUMMARIES));
    }
    let failed = |error: &RepoError| repo_failure(error);
    let repo = Repo::open(&laptop, &context.ambient).map_err(|error| failed(&error))?;
    let remote = repo.remote("origin", branch).map_err(|error| failed(&error))?;
    let tip = remote.look().map_err(|error| remote_failure(&error))?;
    let history = match tip {
        Some(tip) => repo.commits_between(&made.first, &tip).map_err(|error| failed(&error))?,
        None => Vec::new(),
    };
    for seat in &seats.seats {
        context.output.say(ending::results(seat.actor, &seat.results));
    }
    context.output.say(ending::pair_conclusion(&made.root, &promises, &history));
    Ok(())
}

/// What became of galph's promises, by iteration, the oldest first: its own records tell.
fn promises(laptop: &Path, context: &Context) -> Result<Vec<(u64, Completion)>, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::from_error(Exit::Operational, error);
    let Some(records) = find_records(laptop, &context.ambient) else { return Ok(Vec::new()) };
    let ledger = Ledger::open_read_only(&records.home.ledger()).map_err(|error| failed(&error))?;
    let Some(ledger) = ledger else { return Ok(Vec::new()) };
    let filter = TurnFilter { actor: Some(Actor::Galph), limit: TURNS };
    let mut promises = Vec::new();
    for turn in ledger.turns(filter).map_err(|error| failed(&error))?.into_iter().rev() {
        let journal = ledger.phases(turn.opening.id).map_err(|error| failed(&error))?;
        let promise = completion_of(&turn, &journal).map_err(|error| failed(&error))?;
        promises.extend(promise.map(|promise| (turn.opening.iteration, promise)));
    }
    Ok(promises)
}

fn failure_of(seats: &Seats) -> Failure {
    let ends: Vec<String> = seats.seats.iter().map(end_in_words).collect();
    Failure::new(Exit::Operational, format!("{NOT_EARNED}: {}", ends.join(", "))).help(SUMMARIES)
}

fn end_in_words(seat: &Seat) -> String {
    let actor = seat.actor;
    match seat.status.map(|status| (status.code(), status)) {
        Some((Some(code), _)) => format!("{actor} ended with exit code {code}"),
        Some((None, status)) => format!("{actor} was ended by {status}"),
        None => format!("{actor} did not end"),
    }
}

fn interruption(signal: InterruptSignal) -> Failure {
    Failure::new(Exit::by(signal), "stopped by a signal, with the state saved").help(
        "`baton run --mode role --role galph` in laptop/ and `baton run --mode role --role ralph` in gpu-box/ go on from here",
    )
}
