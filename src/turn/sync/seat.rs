//! What one seat does, looking at the state on the remote.

use jiff::Timestamp;

use crate::model::{Actor, Hold, Holder, State, Status};

use super::lease::LeaseHealth;

/// What this process was started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A loop that waits for its turns.
    Loop {
        /// Whether this seat's failed turn may be taken again: a person started the loop, and it has not taken a turn
        /// yet.
        may_reclaim: bool,
    },
    /// One look.
    Tick {
        /// Whether this seat's failed turn is taken again.
        retry_failed: bool,
    },
}

impl Asked {
    const fn takes_failed(self) -> bool {
        match self {
            Self::Loop { may_reclaim } => may_reclaim,
            Self::Tick { retry_failed } => retry_failed,
        }
    }
}

/// All that the decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct SeatView<'a> {
    /// This seat.
    pub role: Actor,
    /// The state at the remote's tip, with what a peer forgot restored; `None` only where the branch has never had one.
    pub state: Option<&'a State>,
    /// What this process was started for.
    pub asked: Asked,
    /// This machine's wall clock: holds end by it.
    pub now: Timestamp,
    /// The lease of the running turn, as this machine has watched it.
    pub lease: LeaseHealth,
    /// Whether a turn of this seat whose lease has run out is taken over unasked.
    pub takeover_after_lease: bool,
}

/// What this seat does now. A turn that this machine has in its journal comes before all of these.
#[derive(Debug, Clone, PartialEq)]
pub enum SeatAction {
    /// Write the first state; only galph does.
    Begin,
    /// Claim the turn.
    Claim,
    /// Claim the turn that failed.
    Reclaim,
    /// Take the turn away from a holder whose lease has run out.
    Takeover,
    /// Look again later; a tick is over.
    Wait(Waiting),
    /// The loop is over.
    End(SeatEnd),
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq)]
pub enum Waiting {
    /// Galph has not written the first state yet.
    NoState,
    /// The other seat's turn, at rest or running.
    Turn {
        /// The other seat.
        actor: Actor,
        /// Where the pair stands.
        status: Status,
        /// Who runs it, where the state says so.
        holder: Option<Holder>,
    },
    /// This seat's own turn, which runs elsewhere, or is left over from a machine that is gone.
    RunningElsewhere {
        /// This seat.
        actor: Actor,
        /// Who runs it; `None` where the state does not say, which is how the earlier implementation runs.
        holder: Option<Holder>,
    },
    /// Holds stand, and no turn is running.
    Held(Vec<Hold>),
}

/// Why a loop is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatEnd {
    /// Both sides were asked to stop, with this reason.
    Exit(String),
    /// This seat's last turn failed: the other one's, or ours where nobody asked to take it again.
    Failed {
        /// Whose turn it was.
        actor: Actor,
    },
}

/// What this seat does. `exit` comes first, then what is running, then what failed, then holds, then whose turn it is.
pub fn decide_seat(view: &SeatView<'_>) -> SeatAction {
    let Some(state) = view.state else {
        return match view.role {
            Actor::Galph => SeatAction::Begin,
            Actor::Ralph => SeatAction::Wait(Waiting::NoState),
        };
    };
    if state.exit {
        return SeatAction::End(SeatEnd::Exit(state.exit_reason.clone()));
    }
    match state.status {
        Status::RunningGalph => running(view, state, Actor::Galph),
        Status::RunningRalph => running(view, state, Actor::Ralph),
        Status::Failed
            if state.expected_actor != view.role || !view.asked.takes_failed() || waits_elsewhere(state) =>
        {
            SeatAction::End(SeatEnd::Failed { actor: state.expected_actor })
        }
        Status::Failed => unless_held(view, state, SeatAction::Reclaim),
        Status::Idle | Status::WaitingRalph | Status::Complete => {
            let actor = state.expected_actor;
            let next = if actor == view.role {
                SeatAction::Claim
            } else {
                SeatAction::Wait(Waiting::Turn { actor, status: state.status, holder: None })
            };
            unless_held(view, state, next)
        }
    }
}

/// Holds do not touch a turn that is running, but nobody is dispossessed while one stands.
fn running(view: &SeatView<'_>, state: &State, actor: Actor) -> SeatAction {
    let holder = state.holder.clone();
    if actor != view.role {
        return SeatAction::Wait(Waiting::Turn { actor, status: state.status, holder });
    }
    // Without a token there is no lease: an earlier implementation runs there, alive or dead, and only a person knows.
    let lapsed = state.token.is_some() && view.lease == LeaseHealth::Expired;
    if view.takeover_after_lease && lapsed && !held(view, state) {
        SeatAction::Takeover
    } else {
        SeatAction::Wait(Waiting::RunningElsewhere { actor, holder })
    }
}

/// Whether the agent's work waits to be published on the machine that ran it: running the agent again would pay for it
/// twice. That machine has the turn in its journal and does not ask here.
fn waits_elsewhere(state: &State) -> bool {
    state.failure.as_ref().is_some_and(|failure| failure.waits)
}

fn unless_held(view: &SeatView<'_>, state: &State, action: SeatAction) -> SeatAction {
    if !held(view, state) {
        return action;
    }
    SeatAction::Wait(Waiting::Held(
        state.holds.iter().filter(|hold| hold.stands(view.now)).cloned().collect(),
    ))
}

fn held(view: &SeatView<'_>, state: &State) -> bool {
    state.holds.iter().any(|hold| hold.stands(view.now))
}
