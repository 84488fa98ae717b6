//! What `baton status` knows, in the shape in which `--json` prints it.

use jiff::Timestamp;
use serde::Serialize;

use super::next::Next;
use super::there::SharedFacts;
use crate::cli::shared::role_command;
use crate::cli::words::one_line;
use crate::ledger::{Closing, Edge, PhaseRecord, TurnOpening};
use crate::mode::TickRecord;
use crate::model::{Actor, Holder, State, Status, TurnFailure, Usage, UsageByActor};
use crate::publish::secret::Masker;
use crate::turn::{Blocked, decide_blocked};

/// Everything, gathered.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Facts {
    pub(super) workspace: String,
    /// Whether the workspace has a file of its own.
    #[serde(skip)]
    pub(super) configured: bool,
    pub(super) state_file: String,
    /// What `baton run` is given to find the same records.
    #[serde(skip)]
    pub(super) flag: String,
    /// What every other verb is given to be about the same loop.
    #[serde(skip)]
    pub(super) place: String,
    /// The isolated loops beside the one that is told of.
    pub(super) isolated: Vec<IsolatedLoop>,
    pub(super) state: Option<StateFacts>,
    /// Where the state was found, if other clones share it.
    pub(super) shared: Option<SharedFacts>,
    pub(super) holder: Option<HolderFacts>,
    pub(super) seats: Seats,
    pub(super) open_turns: Vec<OpenTurn>,
    pub(super) last_turns: Vec<PastTurn>,
    /// What cron's ticks came to, of each seat that had any.
    pub(super) ticks: Vec<SeatTicks>,
    pub(super) ledger_problem: Option<String>,
    pub(super) blocked: Vec<Block>,
    pub(super) spend: Option<Spend>,
    pub(super) next: Next,
}

/// The record of a seat's ticks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SeatTicks {
    pub(super) role: Actor,
    #[serde(flatten)]
    pub(super) record: TickRecord,
}

impl Facts {
    /// What takes this seat's turns here.
    pub(super) fn run(&self, seat: Actor) -> String {
        match &self.shared {
            None => format!("baton run{}", self.flag),
            Some(_) => role_command(seat, &self.flag),
        }
    }

    /// What takes the turn that is next, on the machine that plays its seat.
    pub(super) fn run_expected(&self) -> String {
        self.run(self.state.as_ref().map_or(Actor::Galph, |state| state.expected_actor))
    }
}

/// An isolated loop of the same repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct IsolatedLoop {
    pub(super) branch: String,
    pub(super) tree: String,
}

/// The JSON document, on one line, without secrets.
pub(super) fn to_json(facts: &Facts, masker: &Masker) -> String {
    let mut document = serde_json::to_value(facts).unwrap_or_default();
    masker.mask_json(&mut document);
    document.to_string()
}

/// The state file.
#[derive(Debug, Clone, Serialize)]
pub(super) struct StateFacts {
    pub(super) iteration: u64,
    pub(super) expected_actor: Actor,
    pub(super) label: String,
    pub(super) status: Status,
    /// Since when it stands as it does: the claim of a running turn, else the last change.
    pub(super) since: Option<Timestamp>,
    pub(super) galph_commit: Option<String>,
    pub(super) ralph_commit: Option<String>,
    pub(super) epoch: u64,
    pub(super) interruptions: u32,
    /// What the machine of a turn that failed says of it.
    pub(super) failure: Option<TurnFailure>,
}

impl StateFacts {
    pub(super) fn of(state: &State, label: &str) -> Self {
        Self {
            iteration: state.iteration,
            expected_actor: state.expected_actor,
            label: label.to_owned(),
            status: state.status,
            since: state.holder.as_ref().map(|holder| holder.since).or(state.last_update),
            galph_commit: state.galph_commit.clone(),
            ralph_commit: state.ralph_commit.clone(),
            epoch: state.epoch,
            interruptions: state.interruptions,
            failure: state.failure.clone(),
        }
    }
}

/// Who runs the turn.
#[derive(Debug, Clone, Serialize)]
pub(super) struct HolderFacts {
    pub(super) actor: Actor,
    /// As the state has it; none where a program that knows no holders runs the turn.
    #[serde(flatten)]
    pub(super) holder: Option<Holder>,
    pub(super) life: Life,
}

/// Whether the holder lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Life {
    /// Its seat's lock is held on this machine.
    AliveHere,
    /// It was on this machine, and nobody holds the lock.
    GoneHere,
    /// It is on another machine.
    Elsewhere,
    /// The state does not say who it is.
    Unknown,
}

/// Whether a live process of this machine has a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Seat {
    /// It is free.
    Free,
    /// It is taken.
    Taken,
}

/// Both seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Seats {
    pub(super) galph: Seat,
    pub(super) ralph: Seat,
}

impl Seats {
    pub(super) const fn of(self, actor: Actor) -> Seat {
        match actor {
            Actor::Galph => self.galph,
            Actor::Ralph => self.ralph,
        }
    }
}

/// What became of the agent of a turn whose process is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AgentSeen {
    /// It still runs.
    Alive,
    /// It has ended and its result is there.
    Finished,
    /// It is gone without a result.
    Vanished,
    /// It was never started.
    NeverStarted,
    /// Its files cannot be read.
    Unreadable,
}

/// A turn that has not ended.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an answer of the document")]
pub(super) struct OpenTurn {
    pub(super) id: String,
    pub(super) actor: Actor,
    pub(super) mode: String,
    pub(super) iteration: u64,
    pub(super) opened_at: Timestamp,
    /// The last phase of its journal, and whether it has ended.
    pub(super) phase: Option<String>,
    pub(super) phase_done: bool,
    pub(super) agent: Option<AgentSeen>,
    /// Whether the state says that somebody else has gone on since.
    pub(super) taken_away: bool,
    /// Whether this machine's journal it is.
    pub(super) of_this_machine: bool,
    /// Whether its work was refused here and waits for a person, as the state says.
    pub(super) refused: bool,
}

impl OpenTurn {
    pub(super) fn of(
        opening: &TurnOpening,
        last: Option<&PhaseRecord>,
        agent: Option<AgentSeen>,
        of_this_machine: bool,
    ) -> Self {
        Self {
            id: opening.id.to_string(),
            actor: opening.actor,
            mode: opening.mode.clone(),
            iteration: opening.iteration,
            opened_at: opening.at,
            phase: last.map(|record| record.phase.clone()),
            phase_done: last.is_some_and(|record| record.edge == Edge::Done),
            agent,
            taken_away: false,
            of_this_machine,
            refused: false,
        }
    }
}

impl OpenTurn {
    /// Compares the turn with what the state says of who runs. Before the claim and from the stamp on, the state has
    /// no holder of this turn; in solo mode there is no state.
    pub(super) fn compare(&mut self, holder: Option<&HolderFacts>, failure: Option<&TurnFailure>) {
        self.refused = failure.is_some_and(|failure| failure.waits && failure.turn == self.id);
        let held = !matches!(self.phase.as_deref(), None | Some("stamped" | "published"))
            && (self.phase.as_deref() != Some("claimed") || self.phase_done)
            && self.mode != "solo";
        let holder = holder.and_then(|holder| holder.holder.as_ref());
        self.taken_away = held && !self.refused && holder.is_none_or(|holder| holder.id != self.id);
    }
}

/// A turn that has ended.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PastTurn {
    pub(super) id: String,
    pub(super) actor: Actor,
    pub(super) mode: String,
    pub(super) iteration: u64,
    pub(super) class: String,
    pub(super) detail: String,
    pub(super) prompt: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) opened_at: Timestamp,
    pub(super) closed_at: Timestamp,
    pub(super) wall_seconds: Option<f64>,
    pub(super) commits: Vec<String>,
    pub(super) log: Option<String>,
    pub(super) summary: Option<String>,
}

impl PastTurn {
    pub(super) fn of(opening: &TurnOpening, closing: Closing, commits: Vec<String>) -> Self {
        Self {
            id: opening.id.to_string(),
            actor: opening.actor,
            mode: opening.mode.clone(),
            iteration: opening.iteration,
            class: closing.class,
            detail: closing.detail,
            prompt: closing.prompt,
            agent: closing.agent,
            opened_at: opening.at,
            closed_at: closing.at,
            wall_seconds: closing.wall_seconds,
            commits,
            log: closing.log_path,
            summary: closing.summary_path,
        }
    }
}

/// Something that keeps everyone from the next turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Block {
    /// `exit`, `failed`, or the kind of a hold.
    pub(super) kind: String,
    pub(super) reason: String,
    /// When it ends by itself.
    pub(super) until: Option<Timestamp>,
    /// The command that clears it.
    pub(super) clear: String,
}

/// All that blocks, the exit first.
pub(super) fn blocks(state: &State, now: Timestamp) -> Vec<Block> {
    let mut blocks = Vec::new();
    if state.exit {
        blocks.push(Block {
            kind: "exit".to_owned(),
            reason: state.exit_reason.clone(),
            until: None,
            clear: "baton stop --clear".to_owned(),
        });
    }
    let without_exit = State { exit: false, ..state.clone() };
    if let Some(Blocked::Held { holds }) = decide_blocked(&without_exit, now) {
        blocks.extend(holds.into_iter().map(|hold| Block {
            kind: hold.kind.to_string(),
            clear: format!("baton hold clear {}", hold.id),
            reason: hold.reason,
            until: hold.until,
        }));
    }
    if state.status == Status::Failed {
        blocks.push(Block {
            kind: "failed".to_owned(),
            reason: failed_in_words(state),
            until: None,
            clear: "baton run".to_owned(),
        });
    }
    blocks
}

fn failed_in_words(state: &State) -> String {
    let known = state.failure.as_ref().map_or_else(String::new, |failure| {
        format!(" on {}: {}", one_line(&failure.host), one_line(&failure.reason))
    });
    format!("{}'s last turn failed{known}", state.expected_actor)
}

/// Spend by seat, as the state sums it over all machines.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Spend {
    pub(super) galph: Usage,
    pub(super) ralph: Usage,
    pub(super) total: Usage,
}

impl Spend {
    pub(super) fn of(usage: &UsageByActor) -> Self {
        Self { galph: usage.galph, ralph: usage.ralph, total: usage.total() }
    }
}
