//! Turns whose claim did not come about, and why.

use std::time::Duration;

use super::RunnerError;
use super::journal::TurnRecord;
use super::outcome::{TurnEnd, TurnOutcome};
use super::turn::Runner;

use crate::ledger::{Closing, Entry, TurnFilter};
use crate::model::{Actor, Usage};
use crate::repo::RefusalKind;

/// Why there is no claim. The ledger tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Void {
    /// It was not made, or nobody took it.
    NeverMade,
    /// Somebody else was faster, and the push was refused so.
    Refused(RefusalKind),
    /// Somebody else was faster, and the push was not answered.
    Unanswered,
    /// Somebody else was faster, as a later process found.
    FoundLater,
}

impl Void {
    /// For people who read the ledger.
    pub(super) const fn detail(self) -> &'static str {
        match self {
            Self::NeverMade => "the claim never happened",
            Self::Refused(RefusalKind::Moved) => "the claim was lost: the branch had moved",
            Self::Refused(RefusalKind::Busy) => "the claim was lost: another push held the branch",
            Self::Refused(RefusalKind::NotTakenIn | RefusalKind::Declined | RefusalKind::Hook) => {
                "the claim was lost: it was refused, and the branch has moved since"
            }
            Self::Unanswered => "the claim was lost: its push was not answered, and somebody else's stands",
            Self::FoundLater => "the claim was lost: a later look found somebody else's",
        }
    }
}

impl Runner<'_> {
    /// Ends a turn whose claim never happened.
    pub(super) fn close_void(&mut self, turn: &TurnRecord, why: Void) -> Result<TurnOutcome, RunnerError> {
        self.forget_rescue(turn.opening.id);
        // The seat's leftovers stay the seat's: the turn before this one still tells of them.
        let record = self.carried_leftovers(turn.opening.actor)?;
        self.pending.push(Entry::Close(Box::new(Closing {
            turn: turn.opening.id,
            at: self.ambient.now(),
            class: "void".to_owned(),
            detail: why.detail().to_owned(),
            prompt: None,
            agent: None,
            wall_seconds: None,
            tree_before: None,
            tree_after: None,
            stalemate: false,
            log_path: None,
            summary_path: None,
            record,
        })));
        self.flush()?;
        Ok(TurnOutcome {
            turn: turn.opening.id,
            actor: turn.opening.actor,
            mode: turn.opening.mode.clone(),
            iteration: turn.opening.iteration,
            prompt: None,
            agent: None,
            end: TurnEnd::Void,
            usage: Usage::default(),
            wall: Duration::ZERO,
            commits: Vec::new(),
            completion: None,
            stalemate: None,
            summary: None,
        })
    }

    fn carried_leftovers(&self, actor: Actor) -> Result<serde_json::Value, RunnerError> {
        let last = self.workspace.ledger.turns(TurnFilter { actor: Some(actor), limit: 2 })?;
        let closed = last.into_iter().find_map(|turn| turn.closing);
        Ok(closed.map_or(serde_json::Value::Null, |closing| closing.record))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Void::NeverMade, "the claim never happened")]
    #[case(Void::Refused(RefusalKind::Moved), "the claim was lost: the branch had moved")]
    #[case(Void::Refused(RefusalKind::Busy), "the claim was lost: another push held the branch")]
    #[case(
        Void::Refused(RefusalKind::Declined),
        "the claim was lost: it was refused, and the branch has moved since"
    )]
    #[case(Void::Unanswered, "the claim was lost: its push was not answered, and somebody else's stands")]
    #[case(Void::FoundLater, "the claim was lost: a later look found somebody else's")]
    fn the_ledger_tells_why_there_is_no_claim(#[case] why: Void, #[case] text: &str) {
        assert_eq!(why.detail(), text);
    }
}
