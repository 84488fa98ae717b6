//! What is written in a turn's journal. `turn_record` folds it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::naming::TurnFiles;
use super::session::SessionPlan;
pub(super) use super::turn_record::TurnRecord;
use crate::agent::OutputFormat;
use crate::config::SecretsConfig;
use crate::exec::ExitRecord;
use crate::ledger::Edge;
use crate::model::{AttemptId, Hold, OutcomeClass, PromptName, State, Token, TurnFailure, Usage};
use crate::publish::{DirtyPath, DirtyRecord, ObjectId, Obstacle, RepoPath};
use crate::repo::{Fingerprint, Head, Rescue, Surroundings};
use crate::state;
use crate::turn::{Features, Phase};

/// One record of the journal; each variant belongs to one edge of one phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(super) enum Record {
    ClaimBegin(Box<ClaimPlan>),
    ClaimDone(ClaimFound),
    SelectBegin(SelectPlan),
    SelectDone(Selected),
    BaselineBegin(ChecksPlan),
    BaselineDone(ChecksFound),
    RunBegin(RunPlan),
    RunDone(Box<Ran>),
    VerifyBegin(ChecksPlan),
    VerifyDone(ChecksFound),
    CommitBegin(CommitPlan),
    CommitDone(Committed),
    /// The work must not be published as it is, and the remote is about to be told.
    Refused(RefusedPlan),
    StampBegin(Box<StampPlan>),
    StampDone,
    PublishBegin(PublishPlan),
    PublishDone(Published),
}

impl Record {
    pub(super) const fn place(&self) -> (Phase, Edge) {
        match self {
            Self::ClaimBegin(_) => (Phase::Claimed, Edge::Begin),
            Self::ClaimDone(_) => (Phase::Claimed, Edge::Done),
            Self::SelectBegin(_) => (Phase::Selected, Edge::Begin),
            Self::SelectDone(_) => (Phase::Selected, Edge::Done),
            Self::BaselineBegin(_) => (Phase::Baseline, Edge::Begin),
            Self::BaselineDone(_) => (Phase::Baseline, Edge::Done),
            Self::RunBegin(_) => (Phase::Running, Edge::Begin),
            Self::RunDone(_) => (Phase::Running, Edge::Done),
            Self::VerifyBegin(_) => (Phase::Verified, Edge::Begin),
            Self::VerifyDone(_) => (Phase::Verified, Edge::Done),
            Self::CommitBegin(_) => (Phase::Committed, Edge::Begin),
            Self::Refused(plan) => (plan.at, Edge::Begin),
            Self::CommitDone(_) => (Phase::Committed, Edge::Done),
            Self::StampBegin(_) => (Phase::Stamped, Edge::Begin),
            Self::StampDone => (Phase::Stamped, Edge::Done),
            Self::PublishBegin(_) => (Phase::Published, Edge::Begin),
            Self::PublishDone(_) => (Phase::Published, Edge::Done),
        }
    }
}

/// What a claim is about to do, and what the world looked like before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ClaimPlan {
    pub(super) features: Features,
    /// The state as the claim writes it, and its status before; `None` in solo mode.
    pub(super) state: Option<ClaimedState>,
    /// `None` where git is not used, and in role mode, where it is known only when the claim has been accepted.
    pub(super) base: Option<Base>,
    /// Role mode: the claim as a commit.
    #[serde(default)]
    pub(super) pushed: Option<PushedClaim>,
    /// `publish.protect` at the claim: to the turn's end, an agent cannot lift what keeps it from its own configuration.
    #[serde(default)]
    pub(super) protect: Vec<String>,
    /// `publish.secrets` at the claim, and what the configuration's files were.
    #[serde(default)]
    pub(super) secrets: Option<SecretsConfig>,
    #[serde(default)]
    pub(super) settings: Option<String>,
}

/// A claim that the remote decides on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PushedClaim {
    /// The remote's tip that it was made on.
    pub(super) onto: ObjectId,
    /// The claim.
    pub(super) commit: ObjectId,
    /// The local branch before it, and where it is brought to when the claim is accepted.
    pub(super) from: Head,
    pub(super) to: ObjectId,
}

/// What was found once the claim stood.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ClaimFound {
    /// Role mode: the repository as it was when the claim had been accepted and brought here.
    #[serde(default)]
    pub(super) base: Option<Base>,
}

/// The state around a claim.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ClaimedState {
    #[serde(with = "state::wire")]
    pub(super) before: State,
    #[serde(with = "state::wire")]
    pub(super) after: State,
    pub(super) token: Token,
}

/// The repository at the claim.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Base {
    pub(super) head: Head,
    pub(super) fingerprint: Fingerprint,
    /// What was dirty and is not this turn's: an interrupted turn's leftovers are taken out.
    pub(super) dirty: DirtyRecord,
    /// Of these, what agents left and no person has touched since: this turn may change it further.
    #[serde(default)]
    pub(super) by_agents: BTreeSet<RepoPath>,
    /// What else is a person's, and where copies are; `None` where an older version claimed.
    #[serde(default)]
    pub(super) guard: Option<Guard>,
}

/// What is a person's around a turn, and its copies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Guard {
    pub(super) surroundings: Surroundings,
    pub(super) rescue: Rescue,
}

/// A path that a turn changed and did not commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Leftover {
    pub(super) path: RepoPath,
    pub(super) now: DirtyPath,
    pub(super) base: Option<DirtyPath>,
    /// It was there before the turn, ignored or left by an earlier one of either seat, or the turn was taken away: no turn's
    /// own.
    #[serde(default)]
    pub(super) carried: bool,
}

impl Leftover {
    pub(super) fn of(path: &RepoPath, now: &DirtyPath, base: &Base) -> Self {
        // What agents had left there before counts with this turn's change.
        let before = base.dirty.get(path).filter(|_| !base.by_agents.contains(path));
        // What a changed ignore file has shown was there before, though nobody had listed it.
        let carried = now.obstacle == Some(Obstacle::WasIgnored);
        Self { path: path.clone(), now: now.clone(), base: before.cloned(), carried }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SelectPlan {
    /// The router prompt's attempt.
    pub(super) router: Option<RunPlan>,
}

/// The routing decision, or why there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Selected {
    pub(super) prompt: Option<PromptName>,
    pub(super) source: String,
    pub(super) reason: String,
    /// Whether the state remembers the prompt if the turn passes.
    pub(super) remembered: bool,
    /// Set when the turn ends here.
    pub(super) ended: Option<Ended>,
    /// What the router prompt cost.
    pub(super) usage: Usage,
}

/// A class with its reason.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ended {
    #[serde(flatten)]
    pub(super) class: OutcomeClass,
    pub(super) detail: String,
    pub(super) cause: Cause,
}

/// Where a turn's end came from; the exit code depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The agent's run.
    Agent,
    /// Routing: nothing was run, or the router's reply was unusable.
    Routing,
    /// A `verify` command with `verify_policy: fail`.
    Verification,
}

/// An attempt that is about to start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RunPlan {
    pub(super) attempt: AttemptId,
    pub(super) agent: String,
    pub(super) prompt: PromptName,
    pub(super) files: TurnFiles,
    /// How its output is read: after a restart the agent itself need no longer be installed.
    #[serde(default)]
    pub(super) output: OutputFormat,
    #[serde(default)]
    pub(super) usage_file: Option<String>,
    #[serde(default)]
    pub(super) session: SessionPlan,
}

/// What came of an agent's attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ran {
    #[serde(flatten)]
    pub(super) class: OutcomeClass,
    pub(super) detail: String,
    pub(super) reply: String,
    pub(super) usage: Usage,
    pub(super) session: Option<String>,
    /// What the session had used by the end, where the agent counts so.
    #[serde(default)]
    pub(super) cumulative: Option<Usage>,
    pub(super) exit: Option<ExitRecord>,
    /// The work tree after the agent; `None` where git is not used.
    pub(super) fingerprint: Option<Fingerprint>,
    /// What the configuration's files were when the agent had ended.
    #[serde(default)]
    pub(super) settings: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ChecksPlan {
    /// The attempts, by the command's name.
    pub(super) attempts: BTreeMap<String, AttemptId>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ChecksFound {
    pub(super) checks: Vec<Check>,
    /// The tree that was checked, as it was when the last command had ended.
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) ended: Option<Ended>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CommitPlan {
    pub(super) head: Head,
}

/// What was committed and what was not.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Committed {
    pub(super) commits: Vec<CommitMade>,
    /// Commits that the agent, or a person, made during the turn.
    pub(super) by_agent: Vec<CommitMade>,
    /// Changed in the turn and left alone, with the reason.
    pub(super) left: Vec<String>,
    /// The tree of HEAD after the commits, and of the work tree.
    pub(super) head_tree_is_work_tree: bool,
    /// Paths that keep the two apart.
    pub(super) uncommitted: Vec<String>,
    /// What agents changed and nobody committed.
    #[serde(default)]
    pub(super) leftovers: Vec<Leftover>,
    pub(super) fingerprint: Option<Fingerprint>,
    /// It was only said what would be committed.
    #[serde(default)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CommitMade {
    pub(super) id: String,
    pub(super) subject: String,
}

/// A turn whose work must not be published as it is, as the remote is told of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RefusedPlan {
    /// Where it came out: `committed` or `published`.
    pub(super) at: Phase,
    /// The token of the claim that stood before it.
    pub(super) claim: Token,
    /// The token under which the turn has failed.
    pub(super) token: Token,
    pub(super) failure: TurnFailure,
}

/// What the stamp is about to write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StampPlan {
    pub(super) token: Token,
    pub(super) commit: Option<String>,
    pub(super) hold: Option<Hold>,
    pub(super) completion: Option<Completion>,
    pub(super) at: Timestamp,
}

/// A stamp that is about to be pushed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PublishPlan {
    /// The stamp's commit, on top of the work.
    pub(super) commit: ObjectId,
    /// The remote's tip that it replaces.
    pub(super) onto: ObjectId,
    /// HEAD, and where it is brought to when the stamp is accepted; `None`: it stays, since it cannot be brought there.
    pub(super) from: Head,
    pub(super) to: Option<ObjectId>,
}

/// A stamp that the remote has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Published {
    /// The stamp's commit.
    pub(super) commit: ObjectId,
    /// Commits that are on the local branch and not on the remote: the seat's next turn takes them along.
    #[serde(default)]
    pub(super) ahead: Vec<String>,
}

/// What became of a promise of completion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// All evidence is there.
    Accepted {
        /// The evidence in words.
        evidence: String,
    },
    /// Some is missing.
    Refused {
        /// What, in words.
        reason: String,
    },
}
