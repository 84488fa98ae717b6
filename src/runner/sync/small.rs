//! What a waiting seat does besides turns: the first state, a hold, a look at the lease of the turn that runs.

use std::time::Duration;

use super::super::RunnerError;
use super::super::turn::Runner;
use super::error::SyncError;
use super::exchange::{Change, Seen, change_state};
use super::sight::watch_lease;
use super::take::not_shared;
use crate::model::{Hold, State};
use crate::state;
use crate::turn::sync::{LeaseHealth, SyncEvent};
use crate::turn::{Input, apply};

impl Runner<'_> {
    /// Writes the first state to the branch: the one of an earlier combined loop here, or that of a pair that begins.
    pub fn write_first_state(&mut self) -> Result<(), RunnerError> {
        self.refuse_reset_there()?;
        let now = self.ambient.now();
        let here = self.workspace.state.read()?.filter(|state| state.status.runner().is_none());
        let first = here.unwrap_or_else(|| State::initial(now));
        let token = self.ambient.new_token();
        let change = Change {
            event: &|_, _| SyncEvent::Init,
            apply: &|state: &State| Ok(State { token: Some(token.clone()), ..state.clone() }),
            initial: Some(first),
            only_initial: true,
        };
        let (Some(repo), Some(exchange)) = (&self.workspace.repo, &mut self.exchange) else {
            return Err(not_shared());
        };
        change_state(exchange, repo, &change).map(|_| ())
    }

    /// A branch that has had a state is not begun anew because somebody has deleted the file.
    fn refuse_reset_there(&mut self) -> Result<(), RunnerError> {
        let seen = self.look()?;
        let (repo, exchange) = self.parts()?;
        if !repo.is_related(&seen.tip, &repo.head()?.commit)? {
            let (remote, branch) = (exchange.name().to_owned(), exchange.branch.clone());
            return Err(SyncError::Unrelated { remote, branch }.into());
        }
        let had = repo.newest_version_from(&seen.tip, &exchange.file, |bytes| state::parse(bytes).ok())?;
        let Some(had) = had.filter(|_| seen.state.is_none()) else { return Ok(()) };
        Err(SyncError::StateGone {
            remote: exchange.name().to_owned(),
            branch: exchange.branch.clone(),
            file: exchange.file.to_string(),
            commit: had.commit,
        }
        .into())
    }

    /// Adds a hold to the state, wherever that lies.
    pub fn set_hold(&mut self, hold: &Hold) -> Result<(), RunnerError> {
        let now = self.ambient.now();
        if let (Some(repo), Some(exchange)) = (&self.workspace.repo, &mut self.exchange) {
            let kind = hold.kind;
            let change = Change {
                event: &|_, after| SyncEvent::HoldSet { iteration: after.iteration, kind },
                apply: &|state| apply(state, Input::SetHold(hold.clone()), now),
                initial: None,
                only_initial: false,
            };
            return change_state(exchange, repo, &change).map(|_| ());
        }
        self.workspace.state.update(|found| -> Result<State, RunnerError> {
            let found = found.unwrap_or_else(|| State::initial(now));
            Ok(apply(&found, Input::SetHold(hold.clone()), now)?)
        })?;
        Ok(())
    }

    /// How the lease of the turn that runs stands, as this machine has watched it.
    pub fn watch_lease(&mut self, seen: &Seen) -> Result<LeaseHealth, RunnerError> {
        let Some(state) = &seen.state else { return Ok(LeaseHealth::Unwatched) };
        let (_, exchange) = self.parts()?;
        let lease = exchange.remote().look_with_lease()?.lease;
        let home = &self.workspace.home;
        Ok(watch_lease(home, state, lease.as_ref(), self.config.sync.lease.0, self.ambient)?.health)
    }

    /// Shows that this process waits and lives.
    pub fn still_waiting(&mut self, since: Duration) {
        self.observer.tick(since, Duration::ZERO);
    }
}
