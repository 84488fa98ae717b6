//! The phases of a turn, and which one comes next for any prefix of the journal.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::Verdict;

/// A phase of a turn. Each has a `begin` and a `done` record in the journal, `begin` before its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The state is claimed; what was dirty before is recorded.
    Claimed,
    /// The prompt is chosen.
    Selected,
    /// The `verify` commands have run before the agent.
    Baseline,
    /// The agent has run.
    Running,
    /// The `verify` commands have run after it.
    Verified,
    /// What changed is committed by category.
    Committed,
    /// The new state is written.
    Stamped,
    /// Work and stamp are pushed (role mode).
    Published,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 8] = [
        Self::Claimed,
        Self::Selected,
        Self::Baseline,
        Self::Running,
        Self::Verified,
        Self::Committed,
        Self::Stamped,
        Self::Published,
    ];

    /// The word in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Selected => "selected",
            Self::Baseline => "baseline",
            Self::Running => "running",
            Self::Verified => "verified",
            Self::Committed => "committed",
            Self::Stamped => "stamped",
            Self::Published => "published",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Whether this phase still happens once the turn is known to have failed or to be given back.
    const fn happens_without_success(self) -> bool {
        matches!(self, Self::Claimed | Self::Stamped | Self::Published)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of the optional phases this turn has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features(u8);

impl Features {
    /// The phases without which there is no turn.
    pub const MINIMUM: Self = Self(Phase::Claimed.bit() | Phase::Selected.bit() | Phase::Running.bit());

    /// These and one more.
    #[must_use]
    pub const fn with(self, phase: Phase) -> Self {
        Self(self.0 | phase.bit())
    }

    /// Whether the turn has this phase.
    pub const fn has(self, phase: Phase) -> bool {
        self.0 & phase.bit() != 0
    }
}

/// What the journal says of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    begun: u8,
    done: u8,
    /// What the turn's class means; `None` while it is undecided.
    pub verdict: Option<Verdict>,
}

impl Facts {
    /// Notes a `begin` record.
    pub const fn begin(&mut self, phase: Phase) {
        self.begun |= phase.bit();
    }

    /// Notes a `done` record.
    pub const fn finish(&mut self, phase: Phase) {
        self.done |= phase.bit();
    }

    /// Whether the phase has a `done` record.
    pub const fn is_done(self, phase: Phase) -> bool {
        self.done & phase.bit() != 0
    }

    /// Whether the phase has a `begin` record and no `done` record.
    pub const fn is_open(self, phase: Phase) -> bool {
        self.begun & phase.bit() != 0 && !self.is_done(phase)
    }
}

/// What to do next in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Begin this phase.
    Begin(Phase),
    /// This phase has begun and not ended: look at the world before anything is repeated.
    Examine(Phase),
    /// Nothing is left to do.
    Close,
}

/// The next step of a turn, for any prefix of its journal.
///
/// A phase with a `done` record is never begun again; one with a `begin` alone is examined first. Once the verdict
/// is not a pass, only stamp and publication are left.
pub fn decide_next(facts: Facts, features: Features) -> Next {
    let succeeding = matches!(facts.verdict, None | Some(Verdict::Pass));
    for phase in Phase::ALL {
        if facts.is_done(phase) || !features.has(phase) {
            continue;
        }
        if !succeeding && !phase.happens_without_success() {
            continue;
        }
        return if facts.is_open(phase) { Next::Examine(phase) } else { Next::Begin(phase) };
    }
    Next::Close
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_features() -> impl Strategy<Value = Features> {
        any::<u8>().prop_map(|bits| Features(Features::MINIMUM.0 | bits))
    }

    fn any_verdict() -> impl Strategy<Value = Option<Verdict>> {
        prop_oneof![
            Just(None),
            Just(Some(Verdict::Pass)),
            Just(Some(Verdict::Fail)),
            Just(Some(Verdict::Release))
        ]
    }

    proptest! {
        #[test]
        fn a_done_phase_is_never_begun_or_examined_again(
            features in any_features(), begun in any::<u8>(), done in any::<u8>(), verdict in any_verdict()
        ) {
            let facts = Facts { begun: begun | done, done, verdict };
            match decide_next(facts, features) {
                Next::Begin(phase) => prop_assert!(!facts.is_done(phase) && !facts.is_open(phase)),
                Next::Examine(phase) => prop_assert!(facts.is_open(phase)),
                Next::Close => {}
            }
        }

        #[test]
        fn the_agent_never_starts_before_claim_and_selection_are_done(
            features in any_features(), begun in any::<u8>(), done in any::<u8>(), verdict in any_verdict()
        ) {
            let facts = Facts { begun: begun | done, done, verdict };
            if decide_next(facts, features) == Next::Begin(Phase::Running) {
                prop_assert!(facts.is_done(Phase::Claimed) && facts.is_done(Phase::Selected));
                prop_assert!(!features.has(Phase::Baseline) || facts.is_done(Phase::Baseline));
                prop_assert!(matches!(facts.verdict, None | Some(Verdict::Pass)));
            }
        }

        #[test]
        fn every_turn_closes_and_begins_each_phase_at_most_once(features in any_features(), verdict in any_verdict()) {
            let mut facts = Facts::default();
            let mut order = Vec::new();
            for _ in 0..32 {
                match decide_next(facts, features) {
                    Next::Begin(phase) => { order.push(phase); facts.begin(phase); }
                    Next::Examine(phase) => {
                        facts.finish(phase);
                        if phase == Phase::Running { facts.verdict = verdict; }
                    }
                    Next::Close => break,
                }
            }
            prop_assert_eq!(decide_next(facts, features), Next::Close);
            prop_assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", order);
            prop_assert!(order.contains(&Phase::Running));
            prop_assert_eq!(order.contains(&Phase::Stamped), features.has(Phase::Stamped));
        }
    }

    #[test]
    fn a_failed_turn_skips_verification_and_commits_but_is_stamped() {
        let features = Features::MINIMUM.with(Phase::Verified).with(Phase::Committed).with(Phase::Stamped);
        let mut facts = Facts::default();
        for phase in [Phase::Claimed, Phase::Selected, Phase::Running] {
            facts.begin(phase);
            facts.finish(phase);
        }
        facts.verdict = Some(Verdict::Fail);
        assert_eq!(decide_next(facts, features), Next::Begin(Phase::Stamped));
    }
}
