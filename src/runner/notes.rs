//! What the next prompt is told: verification, a refused promise, changes that an interrupted turn left behind.

use serde::{Deserialize, Serialize};

use crate::ledger::{Closing, TurnFilter};
use crate::model::Actor;
use crate::publish::secret::Masker;

use super::RunnerError;
use super::check::{Check, describe_checks};
use super::journal::{Completion, Leftover, TurnRecord};
use super::session::SessionLeft;
use super::turn::Runner;

/// As many notes go to the other machine in the state, each of so many bytes.
const PASSED_NOTES: usize = 16;
const PASSED_NOTE_BYTES: usize = 2048;

/// How many turns back something is still worth telling.
const LOOK_BACK: u32 = 4;

/// What a turn leaves for the next one, in the ledger.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Legacy {
    pub(super) checks: Vec<Check>,
    pub(super) baseline: Vec<Check>,
    pub(super) completion: Option<Completion>,
    pub(super) leftovers: Vec<Leftover>,
    /// The leftovers are what the turn would have committed.
    pub(super) dry_run: bool,
    /// What else was done to the repository during the turn.
    pub(super) notices: Vec<String>,
    pub(super) usage: crate::model::Usage,
    pub(super) commits: Vec<String>,
    pub(super) reply: String,
    pub(super) session: Option<SessionLeft>,
    /// Commits that are here and not on the remote.
    pub(super) ahead: Vec<String>,
}

impl Legacy {
    /// What a closed turn has left; nothing where an older version wrote it.
    pub(super) fn of(closing: &Closing) -> Self {
        Self::deserialize(&closing.record).unwrap_or_default()
    }
}

/// The paths that a closed turn changed and did not commit, in two parts: what the same seat's next turn takes over as
/// its own, and what it may change further.
pub(super) fn leftovers_of(closing: &Closing) -> (Vec<Leftover>, Vec<Leftover>) {
    let Legacy { leftovers, dry_run, .. } = Legacy::of(closing);
    let passed = matches!(closing.class.as_str(), "ok" | "no_change");
    leftovers.into_iter().partition(|left| (!passed || dry_run) && !left.carried)
}

impl Runner<'_> {
    /// The notes at the end of this turn's prompt.
    pub(super) fn notes_for(&self, turn: &TurnRecord) -> Result<Vec<String>, RunnerError> {
        let actor = turn.opening.actor;
        // On another machine, the other seat's turn has left its notes in the state.
        let from_there = turn.pushed_claim().and(turn.claimed_state()).map(|claimed| &claimed.before.notes);
        let from_there = from_there.cloned().unwrap_or_default();
        let turns = self.workspace.ledger.turns(TurnFilter { actor: None, limit: LOOK_BACK })?;
        let closed: Vec<(Actor, Closing)> = turns
            .into_iter()
            .filter_map(|turn| Some((turn.opening.actor, turn.closing?)))
            .filter(|(_, closing)| closing.class != "void")
            .collect();
        let mut notes = Vec::new();
        // The newest verification is the one that counts, whoever's turn it followed.
        if let Some((seat, legacy)) = closed
            .iter()
            .map(|(seat, closing)| (seat, Legacy::of(closing)))
            .find(|(_, legacy)| !legacy.checks.is_empty())
            .filter(|_| from_there.is_empty())
        {
            notes.extend(notes_on_checks(*seat, &legacy.checks, &legacy.baseline));
        }
        notes.extend(from_there);
        if actor == Actor::Galph {
            // What both seats have done since galph's last prompt.
            for (seat, closing) in closed.iter().take(2).rev() {
                let notices = Legacy::of(closing).notices;
                notes
                    .extend(notices.into_iter().map(|notice| format!("found after {seat}'s turn: {notice}")));
            }
        }
        if let Some((_, own)) = closed.iter().find(|(seat, _)| *seat == actor) {
            notes.extend(notes_on_own(own));
        }
        // An earlier version may have kept what this one masks.
        for note in &mut notes {
            self.masker.mask_in_place(note);
        }
        Ok(notes)
    }
}

/// The results of the `verify` commands, one note each.
fn notes_on_checks(seat: Actor, checks: &[Check], baseline: &[Check]) -> impl Iterator<Item = String> {
    let lines = describe_checks(checks, baseline).into_iter();
    lines.map(move |line| format!("verified after {seat}'s turn: {line}"))
}

/// What a turn tells the other seat on another machine, masked and bounded.
pub(super) fn notes_for_other(turn: &TurnRecord, masker: &Masker) -> Vec<String> {
    let seat = turn.opening.actor;
    let notes = notes_on_checks(seat, &turn.verified.checks, &turn.baseline.checks);
    notes.take(PASSED_NOTES).map(|note| end_cut(masker.mask(&note))).collect()
}

fn end_cut(mut note: String) -> String {
    if note.len() > PASSED_NOTE_BYTES {
        let mut end = PASSED_NOTE_BYTES;
        while !note.is_char_boundary(end) {
            end -= 1;
        }
        note.truncate(end);
        note.push_str(" ...");
    }
    note
}

fn notes_on_own(closing: &Closing) -> Vec<String> {
    let legacy = Legacy::of(closing);
    let mut notes = Vec::new();
    if let Some(Completion::Refused { reason }) = &legacy.completion {
        notes.push(format!("your promise of completion was refused: {reason}"));
    }
    if !matches!(closing.class.as_str(), "ok" | "no_change") {
        notes.push(format!("your last turn ended `{}`: {}", closing.class, closing.detail));
        if !legacy.leftovers.is_empty() {
            let paths: Vec<String> =
                legacy.leftovers.iter().take(40).map(|left| format!("`{}`", left.path)).collect();
            notes.push(format!("what it changed is still in the work tree: {}", paths.join(", ")));
        }
    }
    notes
}
