//! A turn's journal as an onlooker reads it: nothing here changes anything.

use crate::ambient::Ambient;
use crate::ledger::{Closing, Ledger, PhaseRecord, Turn, TurnFilter};
use crate::model::{AttemptId, State, Usage};
use crate::turn::Phase;

use super::journal::{Completion, Record, TurnRecord};
use super::notes::Legacy;
use super::stamp::stamped_state;
use super::workspace::machine_id;

/// The commits of a closed turn, each as `<short id> <subject>`.
pub fn commits_of(closing: &Closing) -> Vec<String> {
    Legacy::of(closing).commits
}

/// What a closed turn used; `None` for one whose claim never happened. `turns` is 0 for one that was given back.
pub fn usage_of(closing: &Closing) -> Option<Usage> {
    // The record of such a turn is carried over from the one before it.
    if closing.class == "void" {
        return None;
    }
    let usage = Legacy::of(closing).usage;
    let known_to_row = closing.wall_seconds.unwrap_or_default();
    let counts = !matches!(closing.class.as_str(), "limited" | "overloaded" | "interrupted" | "fenced");
    Some(Usage { turns: u64::from(counts), wall_seconds: usage.wall_seconds.max(known_to_row), ..usage })
}

/// The agent's attempt that this journal record begins, if it begins one.
pub fn attempt_begun(record: &PhaseRecord) -> Option<AttemptId> {
    match serde_json::from_value(record.data.clone()).ok()? {
        Record::RunBegin(plan) => Some(plan.attempt),
        Record::SelectBegin(plan) => plan.router.map(|router| router.attempt),
        _ => None,
    }
}

/// All attempts that belong to a turn.
pub fn attempts_of(turn: &Turn, journal: &[PhaseRecord]) -> Result<Vec<AttemptId>, serde_json::Error> {
    TurnRecord::fold(turn.opening.clone(), journal).map(|turn| turn.attempts())
}

/// What became of a turn's promise of completion, where it made one.
pub fn completion_of(turn: &Turn, journal: &[PhaseRecord]) -> Result<Option<Completion>, serde_json::Error> {
    let record = TurnRecord::fold(turn.opening.clone(), journal)?;
    Ok(record.stamp.and_then(|stamp| stamp.completion))
}

/// The newest state that a turn's journal vouches for.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalledState {
    /// The state.
    pub state: State,
    /// What it is, in words for people.
    pub source: String,
}

/// The state as this turn left it; `None` where its journal cannot tell (solo mode, or a turn that was fenced off).
pub fn state_left_by(
    turn: &Turn,
    journal: &[PhaseRecord],
    ambient: &Ambient,
) -> Result<Option<JournalledState>, serde_json::Error> {
    let record = TurnRecord::fold(turn.opening.clone(), journal)?;
    let Some(claimed) = record.claimed_state() else { return Ok(None) };
    let of =
        |what: &str| format!("{what} of {}'s turn {} in the journal", turn.opening.actor, turn.opening.id);
    let class = turn.closing.as_ref().map(|closing| closing.class.as_str());
    if class == Some("fenced") {
        return Ok(None);
    }
    if class == Some("void") || !record.facts.is_done(Phase::Claimed) {
        return Ok(Some(JournalledState {
            state: claimed.before.clone(),
            source: of("the state before the claim"),
        }));
    }
    let Some(plan) = &record.stamp else {
        return Ok(Some(JournalledState { state: claimed.after.clone(), source: of("the claim") }));
    };
    let stamped = stamped_state(&record, plan, claimed, &claimed.after, ambient);
    Ok(stamped.ok().map(|state| JournalledState { state, source: of("the stamp") }))
}

/// How far back the journal is searched.
const TURNS: u32 = 50;

/// The newest state that the journal of this machine vouches for.
pub fn newest_journalled(ledger: &Ledger, ambient: &Ambient) -> Option<JournalledState> {
    let machine = machine_id(ambient);
    let turns = ledger.turns(TurnFilter { actor: None, limit: TURNS }).ok()?;
    for turn in turns.iter().filter(|turn| turn.opening.machine == machine) {
        // Who fenced a turn off has gone on from there: what the journal knows is older than that.
        if turn.closing.as_ref().is_some_and(|closing| closing.class == "fenced") {
            return None;
        }
        let journal = ledger.phases(turn.opening.id).ok()?;
        if let Some(found) = state_left_by(turn, &journal, ambient).ok()? {
            return Some(found);
        }
    }
    None
}
