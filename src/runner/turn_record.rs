//! A turn as its journal tells it.
//!
//! A restart folds the records into a [`TurnRecord`] and goes on from there: the same value that a turn carries while
//! it runs, so that there is one path and not two.

use std::path::PathBuf;

use super::journal::{
    Base, Cause, ChecksFound, ChecksPlan, ClaimFound, ClaimPlan, ClaimedState, CommitPlan, Committed, Ended,
    PublishPlan, Published, PushedClaim, Ran, Record, RefusedPlan, RunPlan, SelectPlan, Selected, StampPlan,
};
use super::naming::TurnFiles;
use crate::ledger::{Edge, PhaseRecord, TurnOpening};
use crate::model::{AttemptId, PromptName, State, Token, Usage, Verdict};
use crate::publish::ObjectId;
use crate::turn::{Facts, Features};

/// A turn as its journal tells it.
#[derive(Debug, Clone)]
pub(super) struct TurnRecord {
    pub(super) opening: TurnOpening,
    pub(super) facts: Facts,
    pub(super) claim: Option<ClaimPlan>,
    pub(super) claim_found: ClaimFound,
    pub(super) select: Option<SelectPlan>,
    pub(super) selected: Option<Selected>,
    pub(super) baseline_plan: ChecksPlan,
    pub(super) baseline: ChecksFound,
    pub(super) run: Option<RunPlan>,
    pub(super) ran: Option<Ran>,
    /// Whether the agent's end was journalled by an earlier process: what this one has read since, it did not write.
    pub(super) ran_earlier: bool,
    pub(super) verify_plan: ChecksPlan,
    pub(super) verified: ChecksFound,
    pub(super) commit: Option<CommitPlan>,
    pub(super) committed: Committed,
    /// Its work must not be published as it is; set once the remote was about to be told.
    pub(super) refused: Option<RefusedPlan>,
    /// Whether the remote is known to say so.
    pub(super) refusal_stands: bool,
    /// Whether it was found fit since then, so that its publication goes on without a person.
    pub(super) is_mended: bool,
    pub(super) stamp: Option<StampPlan>,
    /// The newest of the stamps that were pushed.
    pub(super) publish: Option<PublishPlan>,
    pub(super) published: Option<Published>,
    /// Where the turn's class comes from; `None` while it is undecided.
    pub(super) ended: Option<Ended>,
}

impl TurnRecord {
    pub(super) fn new(opening: TurnOpening) -> Self {
        Self {
            opening,
            facts: Facts::default(),
            claim: None,
            claim_found: ClaimFound::default(),
            select: None,
            selected: None,
            baseline_plan: ChecksPlan::default(),
            baseline: ChecksFound::default(),
            run: None,
            ran: None,
            ran_earlier: false,
            verify_plan: ChecksPlan::default(),
            verified: ChecksFound::default(),
            commit: None,
            committed: Committed::default(),
            refused: None,
            refusal_stands: false,
            is_mended: false,
            stamp: None,
            publish: None,
            published: None,
            ended: None,
        }
    }

    /// The turn of an earlier process, from what it wrote.
    pub(super) fn fold(opening: TurnOpening, records: &[PhaseRecord]) -> Result<Self, serde_json::Error> {
        let mut turn = Self::new(opening);
        for record in records {
            turn.apply(serde_json::from_value(record.data.clone())?);
        }
        turn.ran_earlier = turn.ran.is_some();
        Ok(turn)
    }

    /// Takes one record in.
    pub(super) fn apply(&mut self, record: Record) {
        match record.place() {
            (phase, Edge::Begin) => self.facts.begin(phase),
            (phase, Edge::Done) => self.facts.finish(phase),
        }
        match record {
            Record::ClaimBegin(plan) => self.claim = Some(*plan),
            Record::ClaimDone(found) => self.claim_found = found,
            Record::StampDone => {}
            Record::SelectBegin(plan) => self.select = Some(plan),
            Record::SelectDone(selected) => {
                self.end(selected.ended.clone());
                self.selected = Some(selected);
            }
            Record::BaselineBegin(plan) => self.baseline_plan = plan,
            Record::BaselineDone(found) => {
                self.end(found.ended.clone());
                self.baseline = found;
            }
            Record::RunBegin(plan) => self.run = Some(plan),
            Record::RunDone(ran) => {
                let detail = ran.detail.clone();
                self.end(Some(Ended { class: ran.class, detail, cause: Cause::Agent }));
                self.ran = Some(*ran);
            }
            Record::VerifyBegin(plan) => self.verify_plan = plan,
            Record::VerifyDone(found) => {
                self.end(found.ended.clone());
                self.verified = found;
            }
            Record::CommitBegin(plan) => self.commit = Some(plan),
            Record::CommitDone(committed) => self.committed = committed,
            Record::Refused(plan) => (self.refused, self.is_mended) = (Some(plan), false),
            Record::StampBegin(plan) => self.stamp = Some(*plan),
            Record::PublishBegin(plan) => {
                self.publish = Some(plan);
                self.is_mended = self.refused.is_some();
            }
            Record::PublishDone(published) => self.published = Some(published),
        }
    }

    fn end(&mut self, ended: Option<Ended>) {
        if let Some(ended) = ended {
            self.facts.verdict = Some(ended.class.verdict());
            self.ended = Some(ended);
        }
    }

    pub(super) fn features(&self) -> Features {
        self.claim.as_ref().map_or(Features::MINIMUM, |claim| claim.features)
    }

    pub(super) fn passed(&self) -> bool {
        self.facts.verdict == Some(Verdict::Pass)
    }

    pub(super) fn base(&self) -> Option<&Base> {
        self.claim_found.base.as_ref().or_else(|| self.claim.as_ref().and_then(|claim| claim.base.as_ref()))
    }

    /// The claim as the remote has it; `None` in a mode without a remote.
    pub(super) fn pushed_claim(&self) -> Option<&PushedClaim> {
        self.claim.as_ref().and_then(|claim| claim.pushed.as_ref())
    }

    /// The commit after which everything on the branch leaves with this turn: the remote has the claim, and what a turn
    /// before has left on top of it comes along.
    pub(super) fn leaves_after(&self) -> Option<&ObjectId> {
        self.pushed_claim().map(|pushed| &pushed.commit).or_else(|| self.base().map(|base| &base.head.commit))
    }

    pub(super) fn claimed_state(&self) -> Option<&ClaimedState> {
        self.claim.as_ref().and_then(|claim| claim.state.as_ref())
    }

    /// The tokens under which the turn may stand on the remote until it is handed over.
    pub(super) fn standing_tokens(&self) -> Vec<&Token> {
        let claimed = self.claimed_state().map(|claimed| &claimed.token);
        claimed.into_iter().chain(self.refused.iter().map(|plan| &plan.token)).collect()
    }

    /// Whether this state says that the turn was refused.
    pub(super) fn is_refused_in(&self, state: &State) -> bool {
        self.refused.as_ref().is_some_and(|plan| state.token.as_ref() == Some(&plan.token))
    }

    /// The prompt that was selected, or that would have been.
    pub(super) fn prompt(&self) -> Option<&PromptName> {
        self.selected.as_ref().and_then(|selected| selected.prompt.as_ref())
    }

    /// The turn's files, once its log has been begun.
    pub(super) fn files(&self) -> Option<&TurnFiles> {
        let router = || self.select.as_ref().and_then(|plan| plan.router.as_ref());
        self.run.as_ref().or_else(router).map(|plan| &plan.files)
    }

    /// What the turn cost, the router prompt included; turns and time are counted by the caller.
    pub(super) fn usage(&self) -> Usage {
        let router = self.selected.as_ref().map(|selected| selected.usage).unwrap_or_default();
        router.plus(self.ran.as_ref().map(|ran| ran.usage).unwrap_or_default())
    }

    /// What the turn adds to the account.
    pub(super) fn spent(&self) -> Usage {
        let counts = self.ended.as_ref().is_none_or(|ended| ended.class.counts());
        Usage { turns: u64::from(counts), ..self.usage() }
    }

    /// The attempts that belong to this turn.
    pub(super) fn attempts(&self) -> Vec<AttemptId> {
        let router = self.select.iter().filter_map(|plan| plan.router.as_ref().map(|run| run.attempt));
        let checks = self.baseline_plan.attempts.values().chain(self.verify_plan.attempts.values()).copied();
        router.chain(self.run.iter().map(|run| run.attempt)).chain(checks).collect()
    }

    /// Where the summary goes.
    pub(super) fn summary_path(&self) -> Option<PathBuf> {
        self.files().map(|files| files.summary.clone())
    }
}
