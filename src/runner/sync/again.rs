//! A turn that failed at its commits: paths that its seat does not publish. The agent has been paid for, so that whoever
//! takes the turn again goes on at the commits.

use super::super::RunnerError;
use super::super::journal::{Cause, Committed, Ended, Ran, Record, Selected, TurnRecord};
use super::super::notes::Legacy;
use super::super::turn::Runner;
use crate::ledger::TurnFilter;
use crate::model::{Actor, OutcomeClass, Status, Usage};
use crate::publish::{LeftReason, Selection};

/// How many paths a message names.
const NAMED_PATHS: usize = 20;

impl Runner<'_> {
    /// Lets turns pass although galph has changed what it does not publish.
    #[must_use]
    pub const fn tolerating_others_paths(mut self) -> Self {
        self.tolerates_others_paths = true;
        self
    }

    /// Ends galph's turn as failed where it has changed paths that only the other seat publishes: on another machine
    /// nobody would see them. Nothing is committed, everything stays in the tree.
    pub(in super::super) fn fail_for_others_paths(
        &mut self,
        turn: &mut TurnRecord,
        selection: &Selection,
    ) -> Result<bool, RunnerError> {
        let is_galphs = turn.opening.actor == Actor::Galph && turn.pushed_claim().is_some();
        if !is_galphs || self.tolerates_others_paths {
            return Ok(false);
        }
        let others =
            |(path, reason): (_, &LeftReason)| matches!(reason, LeftReason::NotThisActor(_)).then_some(path);
        let paths: Vec<String> = selection
            .outside_categories()
            .filter_map(others)
            .map(|path: &crate::publish::RepoPath| path.to_string())
            .collect();
        if paths.is_empty() {
            return Ok(false);
        }
        let named = paths[..paths.len().min(NAMED_PATHS)].join(", ");
        let more = paths.len().saturating_sub(NAMED_PATHS);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let detail = format!("galph changed what it does not publish: {named}{more}");
        let ended = Ended { class: OutcomeClass::Failed, detail, cause: Cause::Publication };
        let committed = Committed { ended: Some(ended), ..Committed::default() };
        self.journal_done(turn, Record::CommitDone(committed))?;
        Ok(true)
    }

    /// The agent's result of the same seat's turn before this one, where that failed at its commits.
    pub(in super::super) fn take_over_result(&mut self, turn: &mut TurnRecord) -> Result<bool, RunnerError> {
        let was_failed = turn.claimed_state().is_some_and(|claimed| claimed.before.status == Status::Failed);
        if turn.pushed_claim().is_none() || !was_failed {
            return Ok(false);
        }
        let filter = TurnFilter { actor: Some(turn.opening.actor), limit: 8 };
        let closed = self.workspace.ledger.turns(filter)?.into_iter().filter_map(|turn| {
            let closing = turn.closing?;
            (closing.class != "void").then_some((turn.opening, closing))
        });
        let Some((opening, closing)) = closed.into_iter().next() else { return Ok(false) };
        if !Legacy::of(&closing).failed_at_commit {
            return Ok(false);
        }
        let records = self.workspace.ledger.phases(opening.id)?;
        let id = opening.id;
        let earlier = TurnRecord::fold(opening, &records)
            .map_err(|source| RunnerError::Journal { turn: id, source })?;
        let (Some(selected), Some(run), Some(ran)) = (earlier.selected, earlier.run, earlier.ran) else {
            return Ok(false);
        };
        self.warn(&format!(
            "goes on at the commits of turn {id}, whose agent had finished; it is not run again"
        ));
        let reason = format!("selected for turn {id}");
        let usage = Usage::default();
        self.journal_done(turn, Record::SelectDone(Selected { reason, usage, ..selected }))?;
        // With its end in one write: no start may ever take it for one that was begun and has to be examined.
        self.journal_done(turn, Record::RunBegin(run))?;
        // It was paid for and counted then.
        let ran = Ran { usage, cumulative: None, fingerprint: None, ..ran };
        self.journal_done(turn, Record::RunDone(Box::new(ran)))?;
        turn.ran_earlier = true;
        Ok(true)
    }
}
