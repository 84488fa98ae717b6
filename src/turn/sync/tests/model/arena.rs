//! All commits of all worlds, each made once: the same change on the same parent is the same commit.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::model::{Actor, Hold, HoldId, HoldKind, Holder, State, Status, Token, TurnFailure, Usage};
use crate::turn::sync::{Remembered, restore_forgotten};
use crate::turn::{
    ByHand, Claim, Failed, Input, OverRunning, Refusal, Stamp, StampOutcome, apply, status_before,
};

/// A commit, as a place in the arena.
pub(super) type Id = u32;

/// A turn of a machine: the machine and the number of its claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TurnOf {
    pub(super) machine: u8,
    pub(super) number: u8,
}

impl TurnOf {
    pub(super) fn claim_token(self) -> Token {
        Token::from_random(u128::from(self.machine) * 64 + u128::from(self.number))
    }

    pub(super) fn stamp_token(self) -> Token {
        Token::from_random(4096 + u128::from(self.machine) * 64 + u128::from(self.number))
    }

    pub(super) fn refusal_token(self) -> Token {
        Token::from_random(8192 + u128::from(self.machine) * 64 + u128::from(self.number))
    }

    /// Of the claim that is made again. Each such claim has a fresh one; that they are alike here is worse.
    pub(super) fn again_token(self) -> Token {
        Token::from_random(16384 + u128::from(self.machine) * 64 + u128::from(self.number))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum How {
    Claim,
    Reclaim,
    Takeover,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    Pass,
    Fail,
    Release,
}

/// Which state a stamp is applied to; all but the first are mistakes that the check must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stamping {
    Honest,
    /// Under whatever token stands there.
    Forged,
    /// On the state as the claim left it, whatever has happened to it since.
    Stale,
}

/// What a commit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Root(Root),
    Claim {
        turn: TurnOf,
        actor: Actor,
        how: How,
    },
    Work {
        turn: TurnOf,
    },
    /// The word that the work of a turn must not leave its machine.
    Refusal {
        turn: TurnOf,
        actor: Actor,
    },
    /// The claim of such a turn, made again when its work is handed over.
    Again {
        turn: TurnOf,
        actor: Actor,
    },
    Stamp {
        turn: TurnOf,
        actor: Actor,
        outcome: Outcome,
        stamping: Stamping,
        claim: Id,
    },
    Person(Person),
    Peer {
        actor: Actor,
        does: Peer,
    },
}

/// How a pair begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Root {
    Galph,
    /// `expected_actor` written by hand.
    Ralph,
    /// A pair of the earlier implementation, in mid-life.
    NineFields,
}

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Person {
    Hold,
    Clear,
    Exit,
    ClearExit,
    Commit,
    Takeover,
    Pass,
    Fail,
    ForcePass,
}

impl Person {
    pub(super) const ALL: [Self; 9] = [
        Self::Hold,
        Self::Clear,
        Self::Exit,
        Self::ClearExit,
        Self::Commit,
        Self::Takeover,
        Self::Pass,
        Self::Fail,
        Self::ForcePass,
    ];
}

/// What a peer of nine fields does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    Claim,
    Pass,
    Fail,
}

pub(super) struct Commit {
    pub(super) parent: Option<Id>,
    pub(super) depth: u32,
    pub(super) kind: Kind,
    /// As the file says it.
    pub(super) state: State,
    /// With what a peer forgot.
    pub(super) seen: State,
    pub(super) remembered: Remembered,
    /// Of all states up to here.
    pub(super) top_epoch: u64,
    /// Handoffs up to here.
    pub(super) passes: u32,
}

#[derive(Default)]
pub(super) struct Arena {
    pub(super) commits: Vec<Commit>,
    index: HashMap<(Option<Id>, Kind), Result<Id, Refusal>>,
    /// The mistake of taking a peer's nine fields for all there is.
    pub(super) forgets: bool,
    /// What was decided at least once, so that a search that meets nothing is noticed.
    pub(super) decided: BTreeSet<String>,
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

impl Arena {
    pub(super) fn note(&mut self, decision: impl std::fmt::Debug) {
        let decision = format!("{decision:?}");
        if !self.decided.contains(&decision) {
            self.decided.insert(decision);
        }
    }

    pub(super) fn commit(&self, id: Id) -> &Commit {
        &self.commits[id as usize]
    }

    pub(super) fn contains(&self, tip: Id, wanted: Id) -> bool {
        let depth = self.commit(wanted).depth;
        let mut at = tip;
        while self.commit(at).depth > depth {
            at = self.commit(at).parent.unwrap();
        }
        at == wanted
    }

    /// What a push brings: the commits of `base..tip`, newest first.
    pub(super) fn between(&self, base: Id, tip: Id) -> Vec<Id> {
        let mut found = Vec::new();
        let mut at = tip;
        while at != base {
            found.push(at);
            at = self.commit(at).parent.unwrap();
        }
        found
    }

    pub(super) fn root(&mut self, root: Root) -> Id {
        self.make(None, Kind::Root(root)).unwrap()
    }

    pub(super) fn make(&mut self, parent: Option<Id>, kind: Kind) -> Result<Id, Refusal> {
        if let Some(known) = self.index.get(&(parent, kind)) {
            return known.clone();
        }
        let made = self.state_of(parent, kind).map(|state| self.add(parent, kind, state));
        self.index.insert((parent, kind), made.clone());
        made
    }

    fn add(&mut self, parent: Option<Id>, kind: Kind, state: State) -> Id {
        let before = parent.map(|parent| self.commit(parent));
        let old = before.map_or_else(Remembered::default, |before| before.remembered.clone());
        let remembered = if state.schema_version == 0 { old.clone() } else { Remembered::of(&state) };
        let seen = if self.forgets { state.clone() } else { restore_forgotten(&state, &old) };
        let top_epoch = before.map_or(0, |before| before.top_epoch).max(state.epoch);
        let hands_on =
            matches!(kind, Kind::Stamp { outcome: Outcome::Pass, .. } | Kind::Peer { does: Peer::Pass, .. });
        let passes = before.map_or(0, |before| before.passes) + u32::from(hands_on);
        let depth = before.map_or(0, |before| before.depth + 1);
        self.commits.push(Commit { parent, depth, kind, state, seen, remembered, top_epoch, passes });
        Id::try_from(self.commits.len() - 1).unwrap()
    }

    fn state_of(&self, parent: Option<Id>, kind: Kind) -> Result<State, Refusal> {
        let Some(parent_id) = parent else {
            let Kind::Root(root) = kind else { unreachable!("only a root has no parent") };
            return Ok(match root {
                Root::Galph => State::initial(at(0)),
                Root::Ralph => State { expected_actor: Actor::Ralph, ..State::initial(at(0)) },
                Root::NineFields => State {
                    schema_version: 0,
                    status: Status::Complete,
                    iteration: 7,
                    ..State::initial(at(0))
                },
            });
        };
        let parent = self.commit(parent_id);
        match kind {
            Kind::Root(_) => unreachable!("a root has no parent"),
            Kind::Claim { turn, actor, how } => {
                let claim = claim(actor, turn.claim_token());
                let input = match how {
                    How::Claim => Input::Claim(claim),
                    How::Reclaim => Input::Reclaim(claim),
                    How::Takeover => Input::Takeover(claim),
                };
                apply(&parent.seen, input, at(0))
            }
            Kind::Refusal { turn, actor } => apply(&parent.seen, refusal(actor, turn), at(0)),
            Kind::Again { turn, actor } => {
                apply(&parent.seen, Input::Reclaim(self::claim(actor, turn.again_token())), at(0))
            }
            Kind::Stamp { turn, actor, outcome, stamping, claim } => {
                let on = match stamping {
                    Stamping::Honest | Stamping::Forged => &parent.seen,
                    Stamping::Stale => &self.commit(claim).seen,
                };
                let again = on.token.clone().filter(|token| *token == turn.again_token());
                let under = match stamping {
                    Stamping::Honest | Stamping::Stale => again.unwrap_or_else(|| turn.claim_token()),
                    Stamping::Forged => on.token.clone().unwrap_or_else(|| turn.claim_token()),
                };
                let prior = self.commit(self.commit(claim).parent.unwrap()).seen.status;
                apply(on, stamp(actor, turn, under, outcome, prior), at(0))
            }
            Kind::Work { .. } | Kind::Person(Person::Commit) => Ok(parent.state.clone()),
            Kind::Person(does) => by_person(&parent.seen, does, parent_id),
            Kind::Peer { actor, does } => Ok(by_peer(&parent.state, actor, does)),
        }
    }
}

fn claim(actor: Actor, token: Token) -> Claim {
    let holder = Holder { id: token.to_string(), host: "host".into(), pid: 7, since: at(0) };
    Claim { actor, token, holder, lease_expires_at: at(600) }
}

fn refusal(actor: Actor, turn: TurnOf) -> Input {
    let failure = TurnFailure {
        turn: turn.claim_token().to_string(),
        host: "host".into(),
        reason: "refused".into(),
        waits: true,
    };
    let outcome = StampOutcome::Fail {
        commit: None,
        spent: Usage { turns: 1, ..Usage::default() },
        failure: Some(failure),
    };
    Input::Stamp(Stamp { actor, claim_token: turn.claim_token(), token: turn.refusal_token(), outcome })
}

fn stamp(actor: Actor, turn: TurnOf, claim_token: Token, outcome: Outcome, prior: Status) -> Input {
    let spent = Usage { turns: 1, ..Usage::default() };
    let outcome = match outcome {
        Outcome::Pass => StampOutcome::Pass { commit: None, prompt: None, spent },
        Outcome::Fail => StampOutcome::Fail { commit: None, spent, failure: None },
        Outcome::Release => StampOutcome::Release {
            prior,
            spent,
            hold: None,
            interrupted: Some(HoldId::from_parts(1, 64 * u128::from(turn.machine) + u128::from(turn.number))),
        },
    };
    Input::Stamp(Stamp { actor, claim_token, token: turn.stamp_token(), outcome })
}

fn by_person(state: &State, does: Person, parent: Id) -> Result<State, Refusal> {
    let token = Token::from_random(1 << 20 | u128::from(parent));
    let by_hand = |failed, running| {
        let actor = state.expected_actor;
        Input::ByHand(ByHand { actor, token: token.clone(), commit: None, failed, running })
    };
    let id = HoldId::from_parts(2, u128::from(parent));
    let input = match does {
        Person::Hold => Input::SetHold(Hold {
            id,
            kind: HoldKind::Pause,
            reason: "lunch".into(),
            since: at(0),
            until: None,
        }),
        Person::Clear => match state.holds.first() {
            Some(hold) => Input::ClearHold(hold.id),
            None => return Err(Refusal::NoSuchHold { id }),
        },
        Person::Exit => Input::SetExit("enough".into()),
        Person::ClearExit => Input::ClearExit,
        Person::Commit => unreachable!("leaves the state alone"),
        Person::Takeover => {
            let actor = state.status.runner().unwrap_or(state.expected_actor);
            let prior = status_before(actor, state);
            let seized = apply(state, Input::Takeover(claim(actor, token.clone())), at(0))?;
            let outcome =
                StampOutcome::Release { prior, spent: Usage::default(), hold: None, interrupted: None };
            let after = Token::from_random(1 << 21 | u128::from(parent));
            let released = Stamp { actor, claim_token: token, token: after, outcome };
            return apply(&seized, Input::Stamp(released), at(0));
        }
        Person::Pass => by_hand(None, OverRunning::Refuse),
        Person::Fail => by_hand(Some(Failed), OverRunning::Refuse),
        Person::ForcePass => by_hand(None, OverRunning::Force),
    };
    apply(state, input, at(0))
}

/// Nine fields and `exit` survive; no rule but its own is kept.
fn by_peer(state: &State, actor: Actor, does: Peer) -> State {
    let (status, expected_actor, iteration) = match (does, actor) {
        (Peer::Claim, _) => (Status::running(actor), actor, state.iteration),
        (Peer::Pass, Actor::Galph) => (Status::WaitingRalph, Actor::Ralph, state.iteration),
        (Peer::Pass, Actor::Ralph) => (Status::Complete, Actor::Galph, state.iteration + 1),
        (Peer::Fail, _) => (Status::Failed, actor, state.iteration),
    };
    State {
        iteration,
        expected_actor,
        status,
        exit: state.exit,
        exit_reason: state.exit_reason.clone(),
        schema_version: 0,
        epoch: 0,
        ..State::initial(at(0))
    }
}
