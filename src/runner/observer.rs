//! What a turn tells whoever watches it. The runner never prints; the command line decides how to show it.

use std::time::Duration;

use jiff::Timestamp;

use crate::agent::Sighting;
use crate::attempt::Stream;
use crate::model::{Actor, OutcomeClass, TurnId};

use super::preview::Preview;

/// Something that happened and is already durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// A turn was claimed, or a turn of an earlier process is continued.
    Claimed {
        /// The seat.
        actor: Actor,
        /// The iteration; 0 in solo mode.
        iteration: u64,
        /// The turn.
        turn: TurnId,
        /// Whether an earlier process began it.
        origin: TurnOrigin,
    },
    /// The prompt was chosen.
    Selected {
        /// The prompt.
        prompt: &'a str,
        /// Where the choice came from.
        source: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// The agent is about to run, or an agent that an earlier process started is watched again.
    AgentRunning {
        /// The agent.
        agent: &'a str,
        /// The log that grows meanwhile, relative to the workspace.
        log: &'a str,
        /// Whether an earlier process started it.
        origin: TurnOrigin,
    },
    /// A `verify` command is about to run.
    Verifying {
        /// Its name.
        name: &'a str,
    },
    /// A `verify` command has run.
    Verified {
        /// Its name.
        name: &'a str,
        /// How it went.
        result: &'a str,
    },
    /// A commit was made.
    Committed {
        /// Its short identifier.
        commit: &'a str,
        /// Its subject.
        subject: &'a str,
    },
    /// It is said what would be committed; nothing is.
    Preview {
        /// What, and what not.
        preview: &'a Preview,
    },
    /// A turn ended.
    Ended {
        /// The seat.
        actor: Actor,
        /// The iteration.
        iteration: u64,
        /// Its class.
        class: OutcomeClass,
        /// Why, in words; empty for a plain success.
        detail: &'a str,
        /// How long the agent ran.
        wall: Duration,
        /// The summary, relative to the workspace.
        summary: &'a str,
    },
    /// Something that a person should know and that stops nothing.
    Warning {
        /// What.
        text: &'a str,
    },
    /// The other side, or something else on the remote, is waited for.
    AwaitingTurn {
        /// What for.
        what: &'a str,
    },
    /// The network does not answer, and is tried again.
    Offline {
        /// Why.
        why: &'a str,
        /// After this pause.
        again_in: Duration,
    },
    /// Nobody may act until then.
    Waiting {
        /// Why.
        reason: &'a str,
        /// Until when.
        until: Timestamp,
    },
}

/// Whether this process began something or goes on with what an earlier one began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnOrigin {
    /// This process.
    Here,
    /// An earlier one.
    Resumed,
}

/// Watches turns.
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: &Event<'_>);

    /// An agent whose output is plain text wrote something.
    fn output(&mut self, stream: Stream, bytes: &[u8]);

    /// An agent that reports what it does has done something.
    fn sighting(&mut self, sighting: &Sighting);

    /// An attempt is still running: `elapsed` since it started, `quiet` since it last wrote something.
    fn tick(&mut self, elapsed: Duration, quiet: Duration);
}
