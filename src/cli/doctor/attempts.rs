//! Attempts that belong to no open turn: nobody will take their result, and what still runs of them costs money.

use std::collections::BTreeSet;
use std::fs;

use super::Site;
use super::finding::Finding;
use super::setup::chain;
use crate::cli::records::Records;
use crate::exec::{self, AttemptDir, ExecError, Observation, Progress, Urgency};
use crate::ledger::{Ledger, Locked};
use crate::model::{Actor, AttemptId};
use crate::runner::attempts_of;

/// An attempt without a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orphan {
    pub(super) attempt: AttemptId,
    pub(super) seen: Seen,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Its supervisor lives.
    Alive(i32),
    /// Its supervisor is gone without a result.
    Vanished,
}

pub(super) fn examine(site: &Site<'_>) -> Vec<Finding> {
    let Some(records) = &site.records else { return Vec::new() };
    if Actor::ALL.iter().any(|seat| records.home.seat_is_taken(*seat) == Locked::Yes) {
        return vec![Finding::ok("attempts", "not looked at while a baton is at work here")];
    }
    match find_orphans(site, records) {
        Err(told) => vec![Finding::fail("attempts", told).remedy(
            "go on with the baton that wrote the journal, or look into the directory of the attempt",
        )],
        Ok(orphans) if orphans.is_empty() => vec![Finding::ok("attempts", "none without a turn")],
        Ok(orphans) => orphans.iter().map(describe).collect(),
    }
}

pub(super) fn describe(orphan: &Orphan) -> Finding {
    let id = orphan.attempt;
    match orphan.seen {
        Seen::Alive(pid) => Finding::warn(
            "attempts",
            format!("{id} runs and belongs to no open turn (supervisor pid {pid})"),
            "`baton doctor --fix` ends it",
        ),
        Seen::Vanished => Finding::warn(
            "attempts",
            format!("{id} vanished without a result and belongs to no open turn"),
            "`baton doctor --fix` ends what it may have left alive",
        ),
    }
}

/// The attempts of this machine that no open turn will look at.
pub(super) fn find_orphans(site: &Site<'_>, records: &Records) -> Result<Vec<Orphan>, String> {
    let owned = owned_attempts(records)?;
    let Ok(listed) = fs::read_dir(records.home.attempts()) else { return Ok(Vec::new()) };
    let mut attempts: Vec<AttemptId> =
        listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    attempts.sort_unstable();
    let mut orphans = Vec::new();
    for attempt in attempts.into_iter().filter(|attempt| !owned.contains(attempt)) {
        let dir = AttemptDir::new(records.home.attempt(attempt));
        let seen = match exec::observe(&dir, &site.context.ambient) {
            Ok(Observation::Finished(_)) => continue,
            Ok(Observation::Alive { pid }) => Seen::Alive(pid),
            Ok(Observation::Vanished { .. }) => Seen::Vanished,
            Err(error) => return Err(chain(&error)),
        };
        orphans.push(Orphan { attempt, seen });
    }
    Ok(orphans)
}

/// A journal that cannot be read is an error: without it every attempt would look like an orphan.
fn owned_attempts(records: &Records) -> Result<BTreeSet<AttemptId>, String> {
    let ledger = Ledger::open_read_only(&records.home.ledger()).map_err(|error| chain(&error))?;
    let Some(ledger) = ledger else { return Ok(BTreeSet::new()) };
    let mut owned = BTreeSet::new();
    for turn in ledger.open_turns().map_err(|error| chain(&error))? {
        let journal = ledger.phases(turn.opening.id).map_err(|error| chain(&error))?;
        let attempts = attempts_of(&turn, &journal)
            .map_err(|error| format!("the journal of turn {} cannot be read: {error}", turn.opening.id))?;
        owned.extend(attempts);
    }
    Ok(owned)
}

/// Ends an orphan, and says what was done.
pub(super) fn end(orphan: &Orphan, site: &Site<'_>, records: &Records) -> Result<String, ExecError> {
    let dir = AttemptDir::new(records.home.attempt(orphan.attempt));
    match orphan.seen {
        Seen::Alive(_) => {
            let mut running = exec::adopt(&dir, &site.context.ambient)?;
            running.cancel(Urgency::Graceful)?;
            while running.wait(None, None)? != Progress::Ended {}
            Ok(format!("attempt {}: it ran without a turn and was ended", orphan.attempt))
        }
        Seen::Vanished => {
            let report = exec::abandon(&dir, orphan.attempt, &site.context.ambient)?;
            let ended = report.record.swept_count;
            let left = report.survivors().len();
            let survivors = if left > 0 { format!("; {left} could not be ended") } else { String::new() };
            Ok(format!("attempt {}: marked as abandoned, {ended} processes ended{survivors}", orphan.attempt))
        }
    }
}
