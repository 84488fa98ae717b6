//! The runner's side of role mode: a turn from the state that was seen on the remote, and the open turns of one seat.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::RunnerError;
use super::super::journal::TurnRecord;
use super::super::lease::{LeaseKeeper, Renewal};
use super::super::notes::Legacy;
use super::super::observer::TurnOrigin;
use super::super::outcome::TurnOutcome;
use super::super::turn::{Runner, Step, TurnKind};
use super::Patience;
use super::exchange::{Exchange, Seen};
use crate::ledger::TurnFilter;
use crate::model::Actor;
use crate::repo::{LeaseMark, Remote, Renewed, Repo, RepoError, StopSign};

/// A turn that needs a remote where there is none.
pub(super) const fn not_shared() -> RunnerError {
    RunnerError::NotAvailable {
        setting: "a turn of role mode",
        remedy: "`baton run --mode role --role ROLE` goes on with it",
    }
}

/// How long the other seat of the same clone is waited for: it ends its turn while ours is expected already.
const TREE_PATIENCE: Duration = Duration::from_mins(1);
/// A lease is renewed this often in its length.
const RENEWALS: u32 = 4;

impl Runner<'_> {
    /// Passes turns over this remote from now on.
    #[must_use]
    pub fn with_exchange(
        mut self,
        mut exchange: Exchange,
        patience: Patience,
        publish_existing: bool,
    ) -> Self {
        exchange.obey(&self.stop_sign());
        (self.exchange, self.patience, self.publish_existing) = (Some(exchange), patience, publish_existing);
        self
    }

    fn stop_sign(&self) -> StopSign {
        let interrupts = self.interrupts.clone();
        StopSign::new(move || interrupts.count())
    }

    /// The branch on the remote now: one connection.
    pub fn look(&mut self) -> Result<Seen, RunnerError> {
        match (&self.workspace.repo, &mut self.exchange) {
            (Some(repo), Some(exchange)) => exchange.look(repo),
            _ => Err(not_shared()),
        }
    }

    /// Takes a turn for this seat from the state that was seen on the remote.
    pub fn run_turn_there(
        &mut self,
        actor: Actor,
        kind: TurnKind,
        seen: &Seen,
    ) -> Result<TurnOutcome, RunnerError> {
        self.take_tree()?;
        let ended = self.run_seen_turn(actor, kind, seen);
        self.lease = None;
        self.workspace.release_tree();
        ended
    }

    fn run_seen_turn(
        &mut self,
        actor: Actor,
        kind: TurnKind,
        seen: &Seen,
    ) -> Result<TurnOutcome, RunnerError> {
        self.renew_records()?;
        let Some(state) = seen.state.clone() else { return Err(not_shared()) };
        self.check_before_claim(actor, kind, Some(&state))?;
        let mut turn = TurnRecord::new(self.opening(actor, kind, Some(&state)));
        let step = self.claim_on_remote(&mut turn, kind, seen, state)?;
        if step == Step::Go {
            self.announce(&turn, TurnOrigin::Here);
        }
        self.drive(turn, step)
    }

    /// The same with the turns of one seat: nobody else's are touched.
    pub fn resume_seat(&mut self, seat: Actor) -> Result<Option<TurnOutcome>, RunnerError> {
        if !self.workspace.ledger.open_turns()?.iter().any(|turn| turn.opening.actor == seat) {
            return Ok(None);
        }
        self.take_tree()?;
        let ended = self.resume_of(Some(seat));
        self.lease = None;
        self.workspace.release_tree();
        ended
    }

    fn take_tree(&mut self) -> Result<(), RunnerError> {
        let patience = match self.patience {
            Patience::None => Duration::ZERO,
            Patience::Until(_) => TREE_PATIENCE,
        };
        self.workspace.take_tree(patience, self.ambient, &self.interrupts)
    }

    /// The repository and the remote's branch.
    pub(super) fn parts(&self) -> Result<(&Repo, &Exchange), RunnerError> {
        match (&self.workspace.repo, &self.exchange) {
            (Some(repo), Some(exchange)) => Ok((repo, exchange)),
            _ => Err(not_shared()),
        }
    }

    /// A turn that waits for the network, when a signal came.
    pub(super) fn suspended(&self) -> Step {
        self.interrupts.pending().map_or(Step::Go, Step::Suspend)
    }

    /// A turn is ended by the mode that began it: where its state lies depends on that.
    pub(in super::super) fn refuse_other_mode(&self, turn: &TurnRecord) -> Result<(), RunnerError> {
        if let (Some(pushed), Some(exchange)) = (turn.pushed_claim(), &self.exchange) {
            // On another branch another pair's state would be asked for this turn's token.
            return match pushed.from.branch.clone() {
                Some(expected) if expected != exchange.branch => {
                    Err(RepoError::WrongBranch { expected, actual: exchange.branch.clone() }.into())
                }
                _ => Ok(()),
            };
        }
        if turn.pushed_claim().is_none() && self.exchange.is_none() {
            return Ok(());
        }
        let opening = &turn.opening;
        Err(RunnerError::OtherMode { turn: opening.id, actor: opening.actor, mode: opening.mode.clone() })
    }

    /// Shows the other side from now on that somebody is at work.
    pub(super) fn keep_lease(&mut self, turn: &TurnRecord) -> Result<(), RunnerError> {
        let Some(claimed) = turn.claimed_state() else { return Ok(()) };
        let (repo, exchange) = self.parts()?;
        let length = self.config.sync.lease.0;
        let mark = LeaseMark { token: claimed.token.clone(), turn: turn.opening.id, length };
        let every = (length / RENEWALS).max(Duration::from_millis(100));
        let (place, git, ambient) =
            (repo.workspace().to_owned(), self.config.git.clone(), self.ambient.clone());
        let (name, branch, stop) = (exchange.name().to_owned(), exchange.branch.clone(), self.stop_sign());
        // A connection of its own, since the thread works while the agent does; most turns are over before they need it.
        let open = move || {
            let mut remote = Repo::open_configured(&place, &git, &ambient)?.remote(&name, &branch)?;
            remote.obey(&stop);
            Ok::<_, RepoError>(remote)
        };
        let mut opened: Option<Remote> = None;
        let mut renewed = move || {
            let remote = match &mut opened {
                Some(remote) => remote,
                none => none.insert(open()?),
            };
            remote.renew_lease(&mark)
        };
        let renew = move || match renewed() {
            Ok(Renewed::Done(_)) => Renewal::Renewed,
            // Whether the turn was taken over, its publication finds out; a lease that was deleted begins anew.
            Ok(Renewed::Replaced { by: Some(_), .. }) => Renewal::Superseded,
            Ok(Renewed::Replaced { by: None, .. }) => {
                Renewal::Offline { said: "the lease was deleted".to_owned() }
            }
            Ok(Renewed::Refused(refusal)) => Renewal::Offline { said: refusal.to_string() },
            Err(error) => Renewal::Offline { said: error.to_string() },
        };
        match LeaseKeeper::start(renew, every, self.ambient) {
            Ok(keeper) => self.lease = Some(keeper),
            // The turn goes on: its publication does not rest on the lease.
            Err(error) => self.warn(&format!("the lease of this turn cannot be renewed: {error}")),
        }
        Ok(())
    }

    /// Local commits that turns of this clone have left, which the next ones take along.
    pub(super) fn left_ahead(&self) -> Result<BTreeSet<String>, RunnerError> {
        let turns = self.workspace.ledger.turns(TurnFilter { actor: None, limit: 16 })?;
        Ok(turns
            .into_iter()
            .filter_map(|turn| turn.closing)
            .flat_map(|closing| Legacy::of(&closing).ahead)
            .collect())
    }
}
