//! Which session of its agent a turn runs in, and what that session had used before.

use serde::{Deserialize, Serialize};

use crate::agent::{CommandSpec, session_id};
use crate::config::Session;
use crate::ledger::TurnFilter;
use crate::model::{Actor, AttemptId, OutcomeClass, Usage, Verdict};

use super::RunnerError;
use super::journal::TurnRecord;
use super::notes::Legacy;
use super::turn::Runner;

/// The session of an attempt, as it is journalled before the attempt starts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct SessionPlan {
    /// The session to go on with; `None` for a fresh one.
    pub(super) resume: Option<String>,
    /// The id that a fresh session is given, where the agent lets us choose: some never name it again.
    #[serde(default)]
    pub(super) given: Option<String>,
    /// What that session had used before.
    pub(super) before: Option<Usage>,
}

/// The session that a turn leaves for the next turn of its seat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SessionLeft {
    pub(super) agent: String,
    pub(super) id: String,
    pub(super) cumulative: Option<Usage>,
}

impl Runner<'_> {
    /// The session for this seat's turn: the one that its last turn left, where that is wished for and the agent is the
    /// same. After a failure it is a fresh one: what made it fail may be in the session.
    pub(super) fn plan_session(
        &self,
        actor: Actor,
        command: &CommandSpec,
        attempt: AttemptId,
    ) -> Result<SessionPlan, RunnerError> {
        if self.config.turn.session == Session::Fresh {
            return Ok(SessionPlan::default());
        }
        let given = (!command.session.fresh.is_empty()).then(|| session_id(attempt.bits()));
        let fresh = SessionPlan { given, ..SessionPlan::default() };
        let turns = self.workspace.ledger.turns(TurnFilter { actor: Some(actor), limit: 8 })?;
        let last = turns.into_iter().filter_map(|turn| turn.closing).find(|closing| closing.class != "void");
        let left = last.and_then(|closing| Legacy::of(&closing).session);
        Ok(match left.filter(|left| left.agent == command.agent) {
            Some(left) => {
                SessionPlan { resume: Some(left.id), before: left.cumulative, ..SessionPlan::default() }
            }
            None => fresh,
        })
    }
}

/// What the next turn of the seat may go on with.
pub(super) fn session_left(turn: &TurnRecord, class: OutcomeClass) -> Option<SessionLeft> {
    let plan = turn.run.as_ref()?;
    let ran = turn.ran.as_ref()?;
    match class.verdict() {
        Verdict::Fail => None,
        Verdict::Pass | Verdict::Release => Some(SessionLeft {
            agent: plan.agent.clone(),
            id: ran
                .session
                .clone()
                .or_else(|| plan.session.resume.clone())
                .or_else(|| plan.session.given.clone())?,
            cumulative: ran.cumulative.or(plan.session.before),
        }),
    }
}
