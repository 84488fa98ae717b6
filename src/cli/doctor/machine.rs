//! This machine: who is at work here, turns that have not ended, and room on the disk.

use super::Site;
use super::finding::Finding;
use super::setup::chain;
use crate::cli::records::Records;
use crate::cli::ticks::{is_worth_a_look, tell_ticks};
use crate::ledger::{Edge, Ledger, Locked, Turn};
use crate::mode::TickFile;
use crate::model::Actor;
use crate::runner::{ROLE, SOLO, machine_id};

/// Below this a turn's logs, commits and captured output may not fit.
const SCARCE: u64 = 1 << 30;
/// Below this not even the state and the journal are safe.
const EXHAUSTED: u64 = 64 << 20;

pub(super) fn examine(site: &Site<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(records) = &site.records {
        findings.extend(Actor::ALL.map(|actor| seat(records, actor)));
        findings.extend(open_turns(site, records));
        findings.extend(Actor::ALL.iter().filter_map(|actor| ticks(site, records, *actor)));
    } else {
        findings.push(Finding::ok("records", "none yet: nothing has been run here"));
    }
    findings.push(disk(site));
    findings
}

fn seat(records: &Records, actor: Actor) -> Finding {
    let name = match actor {
        Actor::Galph => "seat of galph",
        Actor::Ralph => "seat of ralph",
    };
    match records.home.seat_is_taken(actor) {
        Locked::No => Finding::ok(name, "free"),
        Locked::Yes => {
            let owner = records.home.seat_owner(actor);
            Finding::ok(name, format!("taken: a baton is at work here ({owner})"))
        }
    }
}

/// What cron's ticks came to, where there are any.
fn ticks(site: &Site<'_>, records: &Records, actor: Actor) -> Option<Finding> {
    let name = match actor {
        Actor::Galph => "ticks of galph",
        Actor::Ralph => "ticks of ralph",
    };
    let (record, now) = (TickFile::of(&records.home, actor).read()?, site.context.ambient.now());
    let what = tell_ticks(&record, now);
    Some(if is_worth_a_look(&record, now) {
        Finding::warn(name, what, "`baton doctor --cron` looks as cron would")
    } else {
        Finding::ok(name, what)
    })
}

fn open_turns(site: &Site<'_>, records: &Records) -> Vec<Finding> {
    let path = records.home.ledger();
    let turns = match Ledger::open_read_only(&path) {
        Ok(None) => return vec![Finding::ok("records", format!("no turn yet in {}", path.display()))],
        Ok(Some(ledger)) => ledger.open_turns().and_then(|turns| {
            turns
                .into_iter()
                .map(|turn| {
                    let last = ledger.last_phase(turn.opening.id)?;
                    let place = last.map_or_else(String::new, |last| match last.edge {
                        Edge::Begin => format!(", in `{}`", last.phase),
                        Edge::Done => format!(", after `{}`", last.phase),
                    });
                    Ok((turn, place))
                })
                .collect::<Result<Vec<_>, _>>()
        }),
        Err(error) => Err(error),
    };
    let turns = match turns {
        Ok(turns) => turns,
        Err(error) => {
            return vec![Finding::fail("records", chain(&error)).remedy(
                "go on with the baton that wrote them; if the file is damaged, restore it from a backup of the git \
                 directory",
            )];
        }
    };
    let mut findings = vec![Finding::ok("records", path.display().to_string())];
    let machine = machine_id(&site.context.ambient);
    findings.extend(turns.iter().map(|(turn, place)| open_turn(turn, place, records, &machine)));
    findings
}

fn open_turn(turn: &Turn, place: &str, records: &Records, machine: &str) -> Finding {
    let opening = &turn.opening;
    let what =
        format!("{}'s turn {} of iteration {} is open{place}", opening.actor, opening.id, opening.iteration);
    if opening.machine != machine {
        return Finding::fail("open turn", format!("{what}, and it was begun on another machine")).remedy(
            "the git directory was copied or is shared: end the turn there, or remove `baton/` in the git directory of \
             this copy if the turn is of no interest",
        );
    }
    match records.home.seat_is_taken(opening.actor) {
        Locked::Yes => Finding::ok("open turn", what),
        Locked::No => Finding::warn("open turn", format!("{what}, and its process is gone"), goes_on(turn)),
    }
}

/// The command that goes on with a turn, and how.
fn goes_on(turn: &Turn) -> String {
    let actor = turn.opening.actor;
    let command = match turn.opening.mode.as_str() {
        ROLE => format!("`baton tick --role {actor}` or `baton run --mode role --role {actor}`"),
        SOLO => format!("`baton run --mode solo --role {actor}`"),
        _ => "`baton run`".to_owned(),
    };
    format!("{command} goes on with it; nothing that was done is done again")
}

fn disk(site: &Site<'_>) -> Finding {
    match fs2::available_space(&site.root) {
        Ok(free) => room(free),
        Err(error) => Finding::warn(
            "disk",
            format!("free space cannot be told: {error}"),
            "look with `df` whether there is room",
        ),
    }
}

pub(super) fn room(free: u64) -> Finding {
    let what = format!("{} MiB free", free >> 20);
    match free {
        ..EXHAUSTED => {
            Finding::fail("disk", what).remedy("make room: not even the state and the journal are safe")
        }
        EXHAUSTED..SCARCE => {
            Finding::warn("disk", what, "make room: an agent's output and its work may not fit")
        }
        SCARCE.. => Finding::ok("disk", what),
    }
}
