//! What the commits say that change nothing but the state.
//!
//! The words of handoffs are fixed: the earlier implementation's log tool finds them by the arrow. Ours for what it has
//! no words for begin the same way and never look like a handoff.

use std::fmt::{self, Write as _};

use crate::model::{Actor, HoldKind, TurnId};

/// The trailer that names the turn.
pub const TURN_TRAILER: &str = "Baton-Turn";

/// Tells a build service that nothing is to be built.
const SKIP: &str = "[skip ci]";

/// A change of the state, as its commit tells it. `iteration` is the one that the changed state says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncEvent {
    /// The first state.
    Init,
    /// A turn was claimed.
    Claimed {
        /// The state's.
        iteration: u64,
        /// Who claimed.
        actor: Actor,
    },
    /// A turn was taken over and claimed anew.
    TakenOver {
        /// The state's.
        iteration: u64,
        /// The seat.
        actor: Actor,
    },
    /// The baton was passed: a handoff.
    Passed {
        /// The state's, which for ralph is the next one.
        iteration: u64,
        /// Who passed it.
        actor: Actor,
        /// The work's tip, short.
        commit: Option<String>,
    },
    /// A turn failed.
    Failed {
        /// The state's.
        iteration: u64,
        /// Whose turn.
        actor: Actor,
        /// The tip when it was stamped, short.
        commit: Option<String>,
    },
    /// A turn was given back.
    Released {
        /// The state's.
        iteration: u64,
        /// Whose turn.
        actor: Actor,
    },
    /// A person took a running turn away from its holder, without claiming it anew.
    TakenAway {
        /// The state's.
        iteration: u64,
        /// Whose turn.
        actor: Actor,
    },
    /// A hold was set.
    HoldSet {
        /// The state's.
        iteration: u64,
        /// Its kind.
        kind: HoldKind,
    },
    /// A hold was cleared.
    HoldCleared {
        /// The state's.
        iteration: u64,
        /// Its kind.
        kind: HoldKind,
    },
    /// Both sides were asked to stop.
    ExitSet {
        /// The state's.
        iteration: u64,
    },
    /// That was withdrawn.
    ExitCleared {
        /// The state's.
        iteration: u64,
    },
    /// A version that can be read was put back.
    Restored {
        /// The state's.
        iteration: u64,
    },
}

impl fmt::Display for SyncEvent {
    /// The subject.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init => write!(f, "[SYNC init] actor={} status=idle", Actor::Galph),
            Self::Claimed { iteration, actor } => {
                write!(f, "[SYNC i={iteration}] actor={actor} status=running")
            }
            Self::TakenOver { iteration, actor } => {
                write!(f, "[SYNC i={iteration}] actor={actor} status=running reason=takeover")
            }
            Self::Passed { iteration, actor, commit } => {
                let next = actor.other();
                write!(f, "[SYNC i={iteration}] actor={actor} → next={next} status=ok")?;
                write_commit(f, *actor, commit.as_deref())
            }
            Self::Failed { iteration, actor, commit } => {
                write!(f, "[SYNC i={iteration}] actor={actor} status=fail")?;
                write_commit(f, *actor, commit.as_deref())
            }
            Self::Released { iteration, actor } => {
                write!(f, "[SYNC i={iteration}] actor={actor} status=released")
            }
            Self::TakenAway { iteration, actor } => {
                write!(f, "[SYNC i={iteration}] actor={actor} status=released reason=takeover")
            }
            Self::HoldSet { iteration, kind } => write!(f, "[SYNC i={iteration}] hold={kind} set"),
            Self::HoldCleared { iteration, kind } => write!(f, "[SYNC i={iteration}] hold={kind} cleared"),
            Self::ExitSet { iteration } => write!(f, "[SYNC i={iteration}] exit=set"),
            Self::ExitCleared { iteration } => write!(f, "[SYNC i={iteration}] exit=cleared"),
            Self::Restored { iteration } => write!(f, "[SYNC i={iteration}] state=restored"),
        }
    }
}

fn write_commit(f: &mut fmt::Formatter<'_>, actor: Actor, commit: Option<&str>) -> fmt::Result {
    match commit {
        Some(commit) => write!(f, " {actor}_commit={commit}"),
        None => Ok(()),
    }
}

impl SyncEvent {
    /// Reads a commit's subject; `None` for every other commit. Words that came later are passed over.
    pub fn parse(subject: &str) -> Option<Self> {
        let rest = subject.trim().strip_prefix("[SYNC ")?;
        let (place, words) = rest.split_once(']')?;
        let value =
            |name: &str| words.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        if place == "init" {
            return (value("status") == Some("idle")).then_some(Self::Init);
        }
        let iteration = place.strip_prefix("i=")?.parse().ok()?;
        if let Some(kind) = value("hold") {
            let kind = HOLD_KINDS.into_iter().find(|known| known.as_str() == kind)?;
            let said = |word: &str| words.split_whitespace().any(|found| found == word);
            return match (said("set"), said("cleared")) {
                (true, false) => Some(Self::HoldSet { iteration, kind }),
                (false, true) => Some(Self::HoldCleared { iteration, kind }),
                (true, true) | (false, false) => None,
            };
        }
        match value("exit") {
            Some("set") => return Some(Self::ExitSet { iteration }),
            Some("cleared") => return Some(Self::ExitCleared { iteration }),
            Some(_) => return None,
            None => {}
        }
        if let Some(state) = value("state") {
            return (state == "restored").then_some(Self::Restored { iteration });
        }
        let actor: Actor = value("actor")?.parse().ok()?;
        let commit = || value(&format!("{actor}_commit")).map(ToOwned::to_owned);
        match (value("status")?, value("next")) {
            ("ok", Some(next)) if next == actor.other().as_str() => {
                Some(Self::Passed { iteration, actor, commit: commit() })
            }
            ("fail", None) => Some(Self::Failed { iteration, actor, commit: commit() }),
            ("released", None) if value("reason") == Some("takeover") => {
                Some(Self::TakenAway { iteration, actor })
            }
            ("released", None) => Some(Self::Released { iteration, actor }),
            ("running", None) if value("reason") == Some("takeover") => {
                Some(Self::TakenOver { iteration, actor })
            }
            ("running", None) => Some(Self::Claimed { iteration, actor }),
            (_, _) => None,
        }
    }

    /// Whether nothing goes with this commit that a build service would have to look at. A pass brings work.
    const fn skips_builds(&self) -> bool {
        !matches!(self, Self::Passed { .. })
    }
}

const HOLD_KINDS: [HoldKind; 5] =
    [HoldKind::Approval, HoldKind::Limit, HoldKind::Budget, HoldKind::NoProgress, HoldKind::Pause];

/// The subject of the commit that makes this change.
pub fn sync_subject(event: &SyncEvent) -> String {
    event.to_string()
}

/// The whole message: subject, a word to build services where no work goes along, and the turn's trailer.
pub fn sync_message(event: &SyncEvent, turn: Option<TurnId>) -> String {
    let mut message = sync_subject(event);
    if event.skips_builds() {
        message.push_str("\n\n");
        message.push_str(SKIP);
    }
    if let Some(turn) = turn {
        let _ = write!(message, "\n\n{TURN_TRAILER}: {turn}");
    }
    message.push('\n');
    message
}
