//! The claim as a commit: made on the remote's tip, journalled, pushed by compare-and-swap, and only then brought here.

use std::time::Duration;

use super::super::RunnerError;
use super::super::journal::{ClaimFound, ClaimPlan, ClaimedState, PushedClaim, Record, TurnRecord};
use super::super::turn::{Runner, Step, TurnKind};
use super::super::void::Void;
use super::Patiently;
use super::error::SyncError;
use super::exchange::{Seen, refused, too_busy};
use crate::model::State;
use crate::publish::ObjectId;
use crate::repo::{Head, PushKind, Pushed, Refusal, Replayed, Repo};
use crate::turn::sync::{Answer, Backoff, ClaimFate, SyncEvent, decide_claim, sync_message};
use crate::turn::{Phase, apply};

/// Where the local branch goes when a commit of ours is accepted.
pub(super) enum Way {
    /// To this commit.
    To(ObjectId),
    /// Nowhere: it has commits that do not fit.
    Blocked(SyncError),
}

impl Runner<'_> {
    /// Takes the turn on the remote.
    pub(in super::super) fn claim_on_remote(
        &mut self,
        turn: &mut TurnRecord,
        kind: TurnKind,
        seen: &Seen,
        before: State,
    ) -> Result<Step, RunnerError> {
        let token = self.ambient.new_token();
        let input = self.claim_input(turn, kind, &token, turn.opening.at);
        let after = apply(&before, input, turn.opening.at)?;
        let (repo, exchange) = self.parts()?;
        let from = repo.head()?;
        let (actor, iteration) = (turn.opening.actor, after.iteration);
        let event = match kind {
            TurnKind::TakenOver => SyncEvent::TakenOver { iteration, actor },
            TurnKind::Expected | TurnKind::Again | TurnKind::Solo(_) => {
                SyncEvent::Claimed { iteration, actor }
            }
        };
        let message = sync_message(&event, Some(turn.opening.id));
        let commit = exchange.write(repo, &seen.tip, &after, &message)?;
        let to = self.way_to_claim(&from, &seen.tip, &commit)?;
        let pushed = PushedClaim { onto: seen.tip.clone(), commit, from, to };
        let plan = ClaimPlan {
            features: super::super::claim::features(self.config, turn.opening.actor, true, true)
                .with(Phase::Published),
            state: Some(ClaimedState { before, after, token }),
            base: None,
            pushed: Some(pushed),
            protect: self.config.publish.protect.clone(),
            secrets: Some(self.config.publish.secrets.clone()),
            settings: Some(self.settings_digest()),
        };
        self.crash_point(Phase::Claimed, "begin");
        self.pending.push(crate::ledger::Entry::Open(turn.opening.clone()));
        self.journal_begin(turn, Record::ClaimBegin(Box::new(plan)))?;
        self.settle_claim(turn, PushFirst::Yes)
    }

    /// Where the local branch goes with the claim. Whatever stands in the way is said before anything is claimed.
    fn way_to_claim(&self, from: &Head, tip: &ObjectId, commit: &ObjectId) -> Result<ObjectId, RunnerError> {
        let (repo, exchange) = self.parts()?;
        self.refuse_edited_state(repo)?;
        if !repo.contains(tip, &from.commit)? {
            self.refuse_ahead(repo, from, tip)?;
        }
        let to = match self.way(repo, &from.commit, tip, commit)? {
            Way::To(to) => to,
            Way::Blocked(error) => return Err(error.into()),
        };
        let paths = repo.overlaps(&from.commit, &to, std::slice::from_ref(&exchange.file))?;
        if !paths.is_empty() {
            return Err(SyncError::InTheWay { remote: exchange.name().to_owned(), paths }.into());
        }
        Ok(to)
    }

    /// `from`, brought on top of `commit`, which was made on `tip`.
    pub(super) fn way(
        &self,
        repo: &Repo,
        from: &ObjectId,
        tip: &ObjectId,
        commit: &ObjectId,
    ) -> Result<Way, RunnerError> {
        let (_, exchange) = self.parts()?;
        if repo.contains(tip, from)? {
            return Ok(Way::To(commit.clone()));
        }
        let own = std::slice::from_ref(&exchange.file);
        Ok(match repo.replay(tip, from, commit, own)? {
            Replayed::Tip(to) => Way::To(to),
            Replayed::Conflict { commit, paths } => Way::Blocked(SyncError::Conflict {
                remote: exchange.name().to_owned(),
                branch: exchange.branch.clone(),
                commit: format!("{} {}", super::super::commit::short(commit.id.as_str()), commit.subject),
                paths,
            }),
        })
    }

    /// Only this pair's own commits are taken along: those that carry a turn, and those that a turn of ours has left.
    fn refuse_ahead(&self, repo: &Repo, from: &Head, tip: &ObjectId) -> Result<(), RunnerError> {
        let (_, exchange) = self.parts()?;
        if !repo.is_related(tip, &from.commit)? {
            let (remote, branch) = (exchange.name().to_owned(), exchange.branch.clone());
            return Err(SyncError::Unrelated { remote, branch }.into());
        }
        let ahead = repo.commits_between(tip, &from.commit)?;
        if self.publish_existing {
            return Ok(());
        }
        let left = self.left_ahead()?;
        let others: Vec<String> = ahead
            .iter()
            .filter(|commit| commit.turn.is_none() && !left.contains(commit.id.as_str()))
            .map(|commit| format!("{} {}", super::super::commit::short(commit.id.as_str()), commit.subject))
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        let (remote, branch) = (exchange.name().to_owned(), exchange.branch.clone());
        Err(SyncError::Ahead { branch, remote, commits: others }.into())
    }

    /// A state that somebody has edited here would be overwritten by what comes from the remote.
    fn refuse_edited_state(&self, repo: &Repo) -> Result<(), RunnerError> {
        let (_, exchange) = self.parts()?;
        let at_head = repo.file_at(&repo.head()?.commit, &exchange.file)?;
        let here = std::fs::read(self.workspace.state.path()).ok();
        // One that was never committed is taken over by the first state of the branch.
        if here.is_none() || at_head.is_none() || here == at_head || self.is_left_by_us(here.as_deref()) {
            return Ok(());
        }
        let (file, remote) = (exchange.file.to_string(), exchange.name().to_owned());
        Err(SyncError::StateEdited { file, remote }.into())
    }

    /// Pushes the claim until it is known whether it stands, and brings it here.
    pub(super) fn settle_claim(
        &mut self,
        turn: &mut TurnRecord,
        first: PushFirst,
    ) -> Result<Step, RunnerError> {
        let (Some(pushed), Some(claimed)) = (turn.pushed_claim().cloned(), turn.claimed_state().cloned())
        else {
            return Ok(Step::Void(Void::NeverMade));
        };
        let mut push = first;
        let (mut backoff, mut outage) = (Backoff::for_push(), None);
        // A push whose answer was lost, here or before a restart, may arrive late: then the journal waits for it.
        let mut may_arrive = first == PushFirst::No;
        loop {
            let mut said = None;
            let mut failed = None;
            let mut answer = Answer::Unknown;
            if push == PushFirst::Yes {
                let (_, exchange) = self.parts()?;
                match exchange.remote.push(&pushed.commit, Some(&pushed.onto), PushKind::Turn) {
                    Ok(Pushed::Accepted) => answer = Answer::Accepted,
                    Ok(Pushed::Refused(refusal)) => {
                        answer = Answer::Refused;
                        said = Some(refusal);
                    }
                    // Whether the claim stands, only a look tells.
                    Err(error) if error.may_have_arrived() => {
                        may_arrive = true;
                        failed = Some(error);
                    }
                    Err(error) => {
                        // Nothing can have arrived where nobody let us in.
                        self.close_void(turn, Void::NeverMade)?;
                        return Err(error.into());
                    }
                }
                self.crash_point(Phase::Claimed, "pushed");
            }
            let fate = if answer == Answer::Accepted {
                decide_claim(answer, None, &claimed.token)
            } else {
                let looked = self.patiently(|runner| {
                    let seen = runner.look()?;
                    let (repo, _) = runner.parts()?;
                    let tip = seen.after_push(repo, &pushed.commit, &pushed.onto)?;
                    Ok(decide_claim(answer, Some(&tip), &claimed.token))
                })?;
                match looked {
                    Patiently::Done(fate) => fate,
                    // The journal waits: whether the claim stands is looked up by the next start.
                    Patiently::Interrupted => return Ok(self.suspended()),
                }
            };
            match fate {
                ClaimFate::Won => return self.bring_claim(turn, &pushed),
                ClaimFate::Lost => return Ok(Step::Void(lost_by(push, said.as_ref()))),
                ClaimFate::PushAgain | ClaimFate::Look => {}
            }
            if let Some(error) = failed {
                match self.sit_out(&mut outage, error.into())? {
                    Patiently::Done(()) => continue,
                    Patiently::Interrupted => return Ok(self.suspended()),
                }
            }
            // The first time nothing was pushed.
            let wait = match push {
                PushFirst::Yes => backoff.next_wait(self.ambient.random()),
                PushFirst::No => Some(Duration::ZERO),
            };
            if let Some(refusal) = said.filter(|refusal| wait.is_none() || !refusal.may_pass()) {
                if !may_arrive {
                    self.close_void(turn, Void::NeverMade)?;
                }
                return Err(refused("the claim", refusal).into());
            }
            let Some(wait) = wait else { return Err(too_busy(self.parts()?.1, "the claim").into()) };
            if !self.pause(wait) {
                return Ok(self.suspended());
            }
            push = PushFirst::Yes;
        }
    }

    /// The claim stands: the branch and the files follow, and what is dirty then is recorded.
    fn bring_claim(&mut self, turn: &mut TurnRecord, pushed: &PushedClaim) -> Result<Step, RunnerError> {
        self.crash_point(Phase::Claimed, "accepted");
        self.bring(&pushed.from, &pushed.to, "claim")?;
        let base = match &self.workspace.repo {
            Some(repo) => Some(self.record_base(repo, turn.opening.actor)?),
            None => None,
        };
        self.list_dirt(base.as_ref());
        self.journal_done(turn, Record::ClaimDone(ClaimFound { base }))?;
        self.keep_rescue(turn)?;
        self.keep_lease(turn)?;
        Ok(Step::Go)
    }

    /// A claim that was begun: the remote knows whether it stands.
    pub(in super::super) fn examine_remote_claim(
        &mut self,
        turn: &mut TurnRecord,
    ) -> Result<Step, RunnerError> {
        self.settle_claim(turn, PushFirst::No)
    }
}

/// How it came out that somebody else was faster.
const fn lost_by(push: PushFirst, said: Option<&Refusal>) -> Void {
    match (push, said) {
        (PushFirst::No, _) => Void::FoundLater,
        (PushFirst::Yes, Some(refusal)) => Void::Refused(refusal.kind),
        (PushFirst::Yes, None) => Void::Unanswered,
    }
}

/// Whether the claim is pushed before it is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushFirst {
    Yes,
    No,
}
