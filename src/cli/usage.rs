//! `baton usage`: what the turns cost, by seat, agent, iteration and day, from the ledger, beside the state's own account.
//!
//! It takes no lock and writes nothing; a loop may run meanwhile.

mod account;
mod json;
mod render;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::config::{Budgets, Overrides};
use crate::ledger::{Ledger, LedgerError, Turn};
use crate::model::{State, UsageByActor};
use crate::runner::{SOLO, usage_of};
use crate::state::StateFile;

use super::failures::state_failure;
use super::records::find_records;
use super::shared::{Ask, Sure, WasAsked, find_or_guess};
use super::workspace::{Located, locate};
use super::{Context, Exit, Failure};
use account::{Accounts, ClosedTurn, Difference, compare};

/// What the turns cost: by seat, agent, iteration and day
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One table, whole
    #[arg(long, value_enum)]
    by: Option<By>,
    /// Only turns that began on this day (UTC) or later
    #[arg(long, value_name = "YYYY-MM-DD")]
    since: Option<Date>,
    /// The state file, relative to the workspace
    #[arg(long, value_name = "FILE")]
    state_file: Option<String>,
    /// Do not ask the remote where the state is shared: tell what was seen last
    #[arg(long)]
    offline: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What turns are summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Actor,
    Agent,
    Iteration,
    Day,
}

impl By {
    const ALL: [Self; 4] = [Self::Actor, Self::Agent, Self::Iteration, Self::Day];
}

/// All that is told.
#[derive(Debug, Clone, PartialEq)]
struct Facts {
    workspace: String,
    since: Option<Date>,
    accounts: Accounts,
    /// Turns that have not ended; what they use is not in the ledger's sums yet.
    open_turns: usize,
    state_file: String,
    /// Where that file is, if other clones share it.
    shared: Option<SharedAccount>,
    /// The state's own account; `None` without a state.
    state: Option<UsageByActor>,
    /// How that differs from the ledger's turns. Not asked for a part of them.
    difference: Option<Difference>,
    budgets: Budgets,
}

/// An account on the branch of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SharedAccount {
    remote: String,
    branch: String,
    /// Whether it was looked at just now; otherwise it is what was seen last.
    online: bool,
}

/// Adds up and prints.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let facts = gather(args, context)?;
    if args.json {
        context.output.say(json::as_json(&facts, args.by));
    } else {
        context.output.say(render::render(&facts, args.by));
    }
    Ok(Exit::Done)
}

fn gather(args: &Args, context: &Context) -> Result<Facts, Failure> {
    let mut overrides = Overrides::default();
    if let Some(file) = &args.state_file {
        overrides.set("state_file", file.as_str(), "--state-file");
    }
    let located = locate(context, &overrides, None)?;
    let config = &located.config.config;
    // The ledger first: a turn that ends between the two looks is in the state only, not the other way round.
    let (accounts, open_turns) = match find_records(&located.root, &context.ambient) {
        Some(records) => read_ledger(&records.home.ledger(), args.since).map_err(|error| {
            Failure::from_error(Exit::Operational, &error).help("`baton doctor` looks at the records")
        })?,
        None => (Accounts::default(), 0),
    };
    let ask = if args.offline { Ask::Memory } else { Ask::Remote };
    let (state, shared) = if let Some((state, shared)) = shared_account(&located, ask, context)? {
        (state, Some(shared))
    } else {
        let file = StateFile::new(&located.root, &config.state_file);
        (file.read().map_err(|error| state_failure(&error))?, None)
    };
    let state = state.map(|state| state.usage);
    let difference = match (&state, args.since) {
        (Some(state), None) => compare(state, &accounts.for_state),
        (None, _) | (_, Some(_)) => None,
    };
    Ok(Facts {
        workspace: located.root.display().to_string(),
        since: args.since,
        accounts,
        open_turns,
        state_file: config.state_file.display().to_string(),
        shared,
        state,
        difference,
        budgets: config.budget,
    })
}

fn shared_account(
    located: &Located,
    ask: Ask,
    context: &Context,
) -> Result<Option<(Option<State>, SharedAccount)>, Failure> {
    let Ok(Some((mut shared, sure))) = find_or_guess(located, ask, context) else { return Ok(None) };
    let looked = match shared.look_or_recall(located, ask) {
        Ok(looked) => looked,
        Err(failure) if sure == Sure::No && !failure.is_stop() => return Ok(None),
        Err(failure) => return Err(failure),
    };
    if sure == Sure::No && looked.seen.as_ref().is_none_or(|seen| seen.state.is_none()) {
        return Ok(None);
    }
    let account = SharedAccount {
        remote: shared.exchange.name().to_owned(),
        branch: shared.exchange.branch().to_owned(),
        online: matches!(looked.was_asked, WasAsked::Now),
    };
    Ok(Some((looked.seen.and_then(|seen| seen.state), account)))
}

fn read_ledger(path: &std::path::Path, since: Option<Date>) -> Result<(Accounts, usize), LedgerError> {
    let mut accounts = Accounts::default();
    let Some(ledger) = Ledger::open_read_only(path)? else { return Ok((accounts, 0)) };
    let open_turns = ledger.open_turns()?.len();
    let from: Option<Timestamp> =
        since.and_then(|day| day.to_zoned(TimeZone::UTC).ok()).map(|zoned| zoned.timestamp());
    ledger.visit_closed(|turn| {
        if let Some(closed) = closed_turn(turn).filter(|turn| from.is_none_or(|from| turn.at >= from)) {
            accounts.add(&closed);
        }
    })?;
    Ok((accounts, open_turns))
}

fn closed_turn(turn: Turn) -> Option<ClosedTurn> {
    let closing = turn.closing?;
    let usage = usage_of(&closing)?;
    Some(ClosedTurn {
        actor: turn.opening.actor,
        agent: closing.agent,
        iteration: (turn.opening.mode != SOLO).then_some(turn.opening.iteration),
        at: turn.opening.at,
        class: closing.class,
        usage,
    })
}

#[cfg(test)]
mod tests;
