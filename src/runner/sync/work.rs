//! The commits that a turn hands over, on top of what stands on the remote, and why they cannot be.

use std::time::Duration;

use super::super::RunnerError;
use super::super::commit::short;
use super::super::journal::TurnRecord;
use super::super::turn::Runner;
use super::error::SyncError;
use super::exchange::refused;
use super::take::not_shared;
use crate::model::Span;
use crate::publish::ObjectId;
use crate::repo::{Head, Refusal, Replayed, RepoError};
use crate::turn::Phase;

/// The commits of a turn as they are handed over.
pub(super) struct Work {
    /// The newest.
    pub(super) tip: ObjectId,
    pub(super) source: Source,
}

/// Where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The turn's own commits, put on top here where others have pushed.
    Turn,
    /// The branch as a person has left it, who has put them on top, or made them fit.
    Mended,
}

impl Runner<'_> {
    /// What is handed over on top of `tip`. It is refused where it does not fit, or holds secrets that a person has let in.
    pub(super) fn work_to_publish(
        &self,
        turn: &TurnRecord,
        from: &Head,
        tip: &ObjectId,
    ) -> Result<Work, RunnerError> {
        let pushed = turn.pushed_claim().ok_or_else(not_shared)?;
        let committed = match turn.committed.fingerprint.as_ref().filter(|_| turn.passed()) {
            None => return Ok(Work { tip: tip.clone(), source: Source::Turn }),
            Some(committed) if *tip == pushed.commit => {
                return Ok(Work { tip: committed.head.clone(), source: Source::Turn });
            }
            Some(committed) => &committed.head,
        };
        let (repo, exchange) = self.parts()?;
        // Half a rebase is half the work.
        if was_told_to_mend(turn)
            && let Some(operation) = repo.operation_in_progress()?
        {
            return Err(RepoError::InProgress { operation }.into());
        }
        let source = self.source(turn, from, committed, tip)?;
        let newest = match source {
            Source::Turn => committed,
            Source::Mended => {
                self.refuse_secrets_since(turn, tip)?;
                &from.commit
            }
        };
        if source == Source::Mended && repo.contains(newest, tip)? {
            return Ok(Work { tip: newest.clone(), source });
        }
        let own = std::slice::from_ref(&exchange.file);
        match repo.replay(&pushed.commit, newest, tip, own)? {
            Replayed::Tip(tip) => Ok(Work { tip, source }),
            Replayed::Conflict { commit, paths } => Err(SyncError::WorkConflict {
                actor: turn.opening.actor,
                remote: exchange.name().to_owned(),
                branch: exchange.branch.clone(),
                commit: format!("{} {}", short(commit.id.as_str()), commit.subject),
                paths,
            }
            .into()),
        }
    }

    /// The branch as it is here counts where a person has put it on top of what is there, or was told to mend it. Where
    /// they have only dropped the work, the turn's own commits still do.
    fn source(
        &self,
        turn: &TurnRecord,
        from: &Head,
        committed: &ObjectId,
        tip: &ObjectId,
    ) -> Result<Source, RunnerError> {
        let (repo, exchange) = self.parts()?;
        let is_elsewhere = from.branch.as_ref() != Some(&exchange.branch);
        if is_elsewhere || from.commit == *committed || repo.contains(tip, &from.commit)? {
            return Ok(Source::Turn);
        }
        let is_mended = was_told_to_mend(turn) || repo.contains(&from.commit, tip)?;
        Ok(if is_mended { Source::Mended } else { Source::Turn })
    }

    /// The server, or a hook, has said no to this push for good.
    pub(super) fn not_taken(&self, turn: &TurnRecord, refusal: Refusal) -> Result<SyncError, RunnerError> {
        if !turn.passed() {
            return Ok(refused("the work", refusal));
        }
        let (_, exchange) = self.parts()?;
        let (actor, branch) = (turn.opening.actor, exchange.branch.clone());
        Ok(SyncError::WorkRefused { actor, branch, refusal: Box::new(refusal) })
    }

    /// The time is over; the journal waits at `published`.
    pub(super) fn overtaken(
        &self,
        turn: &TurnRecord,
        times: u32,
        waited: Duration,
    ) -> Result<SyncError, RunnerError> {
        let (repo, exchange) = self.parts()?;
        let head = turn.committed.fingerprint.as_ref().filter(|_| turn.passed()).map(|work| &work.head);
        let commits = match (turn.pushed_claim(), head) {
            (Some(pushed), Some(head)) => repo.commits_between(&pushed.commit, head)?,
            _ => Vec::new(),
        };
        Ok(SyncError::Overtaken {
            remote: exchange.name().to_owned(),
            branch: exchange.branch.clone(),
            actor: turn.opening.actor,
            times,
            waited: Span::from_secs(waited.as_secs()),
            commits: commits
                .iter()
                .map(|commit| format!("{} {}", short(commit.id.as_str()), commit.subject))
                .collect(),
        })
    }
}

fn was_told_to_mend(turn: &TurnRecord) -> bool {
    turn.refused.as_ref().is_some_and(|plan| plan.at == Phase::Published)
}
