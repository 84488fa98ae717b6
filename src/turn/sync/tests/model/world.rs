//! Machines, one remote branch, a network that loses and delays, people and peers: what can happen next, and what is
//! true afterwards.
//!
//! A machine keeps its journal through a crash and nothing else. Its steps are the runner's: each journal record and each
//! push is a step of its own, and between any two anything else may happen. Time is not in here: whether a lease has
//! run out is free to be answered either way, which is more than any clocks can do.

use std::rc::Rc;

use super::arena::{Arena, How, Id, Kind, Outcome, Peer, Person, Root, TurnOf, at};
use super::mistakes::Mistake;
use super::refusal::Refused;
use crate::model::{Actor, Token};
use crate::turn::sync::{
    Answer, Asked, ClaimFate, LeaseHealth, PublishFate, SeatAction, SeatView, Tip, decide_claim,
    decide_publish, decide_seat,
};

/// Who sits where, and how much may go wrong.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) root: Root,
    pub(super) machines: Vec<Actor>,
    pub(super) peer: Option<Actor>,
    pub(super) left: Left,
    /// Claims a machine.
    pub(super) claims: u8,
    pub(super) outcomes: &'static [Outcome],
    pub(super) people: &'static [Person],
}

/// What may still go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Left {
    pub(super) crashes: u8,
    pub(super) network: u8,
    pub(super) expiries: u8,
    pub(super) people: u8,
    pub(super) peer: u8,
    /// Work that is refused.
    pub(super) refusals: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Journal {
    Closed,
    /// `claimed` has begun.
    Claiming {
        commit: Id,
        on: Id,
    },
    /// `claimed` is done; the agent was not started.
    Ready {
        claim: Id,
    },
    /// The agent was started.
    Running {
        claim: Id,
    },
    /// `published` has begun.
    Publishing {
        claim: Id,
        commit: Id,
        on: Id,
        outcome: Outcome,
        /// Whether it was refused before.
        again: bool,
    },
    /// The work must not leave, and the remote is told.
    Refused(Refused),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Machine {
    pub(super) journal: Journal,
    claims: u8,
    /// Lost in a crash, which leaves what an unknown answer leaves.
    pub(super) answer: Option<Answer>,
    /// After a crash the token is looked at before anything goes on.
    resumed: bool,
}

/// One moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) tip: Id,
    pub(super) machines: Vec<Machine>,
    peer_runs: bool,
    /// Pushes under way: the commit, and what it expects.
    flights: Vec<(Id, Id)>,
    pub(super) left: Left,
    /// Claims whose agent was started, a bit each.
    started: u64,
}

/// How a push fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Net {
    Good,
    /// The server says no for a reason of its own.
    Refuses,
    /// No answer; the push may arrive at any time, or never.
    Silent,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Act {
    Look {
        machine: u8,
        expired: bool,
    },
    Push {
        machine: u8,
        net: Net,
    },
    Judge {
        machine: u8,
    },
    Start {
        machine: u8,
    },
    End {
        machine: u8,
        outcome: Outcome,
    },
    /// Its work turns out to be unfit: at its commit, or when it is handed over.
    Refuse {
        machine: u8,
    },
    /// A refused turn looks whether it is known.
    Tell {
        machine: u8,
    },
    /// A person has mended it.
    Mend {
        machine: u8,
    },
    Crash {
        machine: u8,
    },
    Arrive {
        commit: Id,
        on: Id,
    },
    Person(Person),
    Peer(Peer),
}

/// What must never be.
pub(super) type Wrong = String;

/// The rules under check: the real ones, with at most one mistake.
#[derive(Debug, Clone)]
pub(super) struct Game {
    pub(super) scenario: Rc<Scenario>,
    pub(super) mistake: Mistake,
}

impl World {
    pub(super) fn passes(&self, arena: &Arena) -> u32 {
        arena.commit(self.tip).passes
    }
}

impl Game {
    pub(super) fn start(&self, arena: &mut Arena) -> World {
        arena.forgets = self.mistake == Mistake::ForgetsWhatAPeerDropped;
        let machine = Machine { journal: Journal::Closed, claims: 0, answer: None, resumed: false };
        World {
            tip: arena.root(self.scenario.root),
            machines: vec![machine; self.scenario.machines.len()],
            peer_runs: false,
            flights: Vec::new(),
            left: self.scenario.left,
            started: 0,
        }
    }

    /// All that can happen next. Some of it turns out to change nothing.
    pub(super) fn acts(&self, world: &World) -> Vec<Act> {
        let mut acts = Vec::new();
        let left = world.left;
        for (machine, now) in (0_u8..).zip(&world.machines) {
            match now.journal {
                Journal::Closed => {
                    if now.claims < self.scenario.claims {
                        acts.push(Act::Look { machine, expired: false });
                        if left.expiries > 0 {
                            acts.push(Act::Look { machine, expired: true });
                        }
                    }
                }
                Journal::Claiming { .. } | Journal::Publishing { .. } if now.answer.is_some() => {
                    acts.push(Act::Judge { machine });
                    acts.extend(Self::refuse(now, left, machine));
                }
                Journal::Refused(refused) => acts.extend(refused.acts(machine, left.network > 0)),
                Journal::Claiming { .. } | Journal::Publishing { .. } => {
                    acts.push(Act::Push { machine, net: Net::Good });
                    if left.network > 0 {
                        acts.push(Act::Push { machine, net: Net::Refuses });
                        acts.push(Act::Push { machine, net: Net::Silent });
                    }
                }
                Journal::Ready { .. } => acts.push(Act::Start { machine }),
                Journal::Running { .. } => {
                    acts.extend(self.scenario.outcomes.iter().map(|&outcome| Act::End { machine, outcome }));
                    acts.extend(Self::refuse(now, left, machine));
                }
            }
            let fresh = now.answer.is_none() && !now.resumed;
            if left.crashes > 0
                && now.journal != Journal::Closed
                && (fresh || now.answer != Some(Answer::Unknown))
            {
                acts.push(Act::Crash { machine });
            }
        }
        acts.extend(world.flights.iter().map(|&(commit, on)| Act::Arrive { commit, on }));
        if left.people > 0 {
            acts.extend(self.scenario.people.iter().map(|&does| Act::Person(does)));
        }
        if self.scenario.peer.is_some() && left.peer > 0 {
            if world.peer_runs {
                acts.extend([Act::Peer(Peer::Pass), Act::Peer(Peer::Fail)]);
            }
            acts.push(Act::Peer(Peer::Claim));
        }
        acts
    }

    /// The next moment; `None` where nothing changes.
    pub(super) fn next(&self, arena: &mut Arena, world: &World, act: Act) -> Result<Option<World>, Wrong> {
        let mut next = world.clone();
        match act {
            Act::Look { machine, expired } => self.look(arena, &mut next, machine, expired)?,
            Act::Push { machine, net } => push(arena, &mut next, machine, net)?,
            Act::Judge { machine } => self.judge(arena, &mut next, machine)?,
            Act::Start { machine } => self.start_agent(arena, &mut next, machine)?,
            Act::End { machine, outcome } => self.end_agent(arena, &mut next, machine, outcome)?,
            Act::Refuse { machine } => Self::refused(arena, &mut next, machine),
            Act::Tell { machine } => self.tell(arena, &mut next, machine)?,
            Act::Mend { machine } => self.mend(arena, &mut next, machine)?,
            Act::Crash { machine } => {
                next.left.crashes -= 1;
                crash(&mut next.machines[usize::from(machine)]);
            }
            Act::Arrive { commit, on } => {
                next.flights.retain(|flight| *flight != (commit, on));
                if next.tip == on {
                    advance(arena, &mut next, commit)?;
                }
            }
            Act::Person(does) => {
                next.left.people -= 1;
                if let Ok(commit) = arena.make(Some(next.tip), Kind::Person(does)) {
                    advance(arena, &mut next, commit)?;
                }
            }
            Act::Peer(does) => self.peer(arena, &mut next, does)?,
        }
        // What expects a tip that is gone never arrives: history only grows.
        let tip = next.tip;
        next.flights.retain(|(_, on)| *on == tip);
        Ok((next != *world).then_some(next))
    }

    fn look(&self, arena: &mut Arena, world: &mut World, machine: u8, expired: bool) -> Result<(), Wrong> {
        let role = self.scenario.machines[usize::from(machine)];
        let seen = &arena.commit(world.tip).seen;
        let view = SeatView {
            role,
            state: Some(seen),
            asked: Asked::Loop { may_reclaim: true },
            now: at(0),
            lease: if expired { LeaseHealth::Expired } else { LeaseHealth::Unwatched },
            takeover_after_lease: true,
        };
        let waits = seen.failure.as_ref().is_some_and(|failure| failure.waits);
        let how = match self.mistake.seat(&view, decide_seat(&view)) {
            SeatAction::Claim => How::Claim,
            SeatAction::Reclaim => How::Reclaim,
            SeatAction::Takeover => How::Takeover,
            SeatAction::Begin | SeatAction::Wait(_) | SeatAction::End(_) => return Ok(()),
        };
        if waits {
            return Err(format!("machine {machine} claims a turn whose work waits elsewhere"));
        }
        arena.note(how);
        let seen = &arena.commit(world.tip).seen;
        if how == How::Takeover {
            world.left.expiries = world.left.expiries.saturating_sub(1);
            if seen.token.is_none() || !seen.holds.is_empty() {
                return Err(format!("machine {machine} takes over what it must leave alone"));
            }
        }
        let now = &mut world.machines[usize::from(machine)];
        now.claims += 1;
        let turn = TurnOf { machine, number: now.claims };
        let commit = arena
            .make(Some(world.tip), Kind::Claim { turn, actor: role, how })
            .map_err(|refusal| format!("the seat's decision is refused: {refusal}"))?;
        now.journal = Journal::Claiming { commit, on: world.tip };
        if self.mistake == Mistake::PushesBeforeTheJournal {
            // The push is out, and a crash here leaves no trace.
            if world.left.crashes > 0 {
                world.flights.push((commit, world.tip));
                world.left.crashes -= 1;
                now.journal = Journal::Closed;
            }
        }
        Ok(())
    }

    fn judge(&self, arena: &mut Arena, world: &mut World, machine: u8) -> Result<(), Wrong> {
        let now = world.machines[usize::from(machine)];
        let Some(answer) = now.answer else { return Ok(()) };
        let tip = world.tip;
        let token = arena.commit(tip).state.token.clone();
        match now.journal {
            Journal::Closed | Journal::Ready { .. } | Journal::Running { .. } | Journal::Refused(_) => Ok(()),
            Journal::Claiming { commit, on } => {
                let turn = turn_of(arena, commit);
                let ours = turn.claim_token();
                let seen = look_at(arena, tip, commit, on, token.as_ref());
                let mut fate = self.mistake.claim(answer, None, decide_claim(answer, None, &ours));
                if fate == ClaimFate::Look {
                    fate = self.mistake.claim(answer, Some(&seen), decide_claim(answer, Some(&seen), &ours));
                }
                arena.note(fate);
                let was_won = arena.contains(tip, commit);
                let journal = match fate {
                    ClaimFate::Won if !was_won => {
                        return Err(format!("machine {machine} believes in a claim that is nowhere"));
                    }
                    ClaimFate::Won => Journal::Ready { claim: commit },
                    ClaimFate::Lost => Journal::Closed,
                    ClaimFate::PushAgain if self.mistake == Mistake::ClaimsAnewInsteadOfAgain => {
                        Journal::Closed
                    }
                    ClaimFate::PushAgain => now.journal,
                    ClaimFate::Look => return Err("looking leads to looking".to_owned()),
                };
                settle(world, machine, journal);
                Ok(())
            }
            Journal::Publishing { claim, commit, on, outcome, again } => {
                let turn = turn_of(arena, claim);
                let seen = look_at(arena, tip, commit, on, token.as_ref());
                let fate = self.fate_of_publication(turn, answer, &seen, again);
                arena.note(fate);
                let was_published = arena.contains(tip, commit);
                let journal = match fate {
                    PublishFate::Published if !was_published => {
                        return Err(format!("machine {machine} believes published what is nowhere"));
                    }
                    PublishFate::Fenced if was_published => {
                        return Err(format!("machine {machine} believes lost what is published"));
                    }
                    PublishFate::Published | PublishFate::Fenced => Journal::Closed,
                    PublishFate::PushAgain => now.journal,
                    PublishFate::Rebuild => match self.build(arena, tip, claim, outcome)? {
                        Some(commit) => Journal::Publishing { claim, commit, on: tip, outcome, again },
                        // A hold keeps it from being claimed again.
                        None => return Ok(()),
                    },
                    PublishFate::Look => return Err("looking leads to looking".to_owned()),
                };
                settle(world, machine, journal);
                Ok(())
            }
        }
    }

    fn fate_of_publication(&self, turn: TurnOf, answer: Answer, seen: &Tip<'_>, again: bool) -> PublishFate {
        let (claim, refusal, stamp) = (turn.claim_token(), turn.refusal_token(), turn.stamp_token());
        let ours: &[&Token] = match (again, self.mistake) {
            (false, _) | (true, Mistake::PublishForgetsItsRefusal) => &[&claim],
            (true, Mistake::PublishForgetsItsClaim) => &[&refusal],
            (true, _) => &[&claim, &refusal],
        };
        let fate = self.mistake.publish(answer, None, decide_publish(answer, None, ours, &stamp));
        if fate != PublishFate::Look {
            return fate;
        }
        self.mistake.publish(answer, Some(seen), decide_publish(answer, Some(seen), ours, &stamp))
    }

    /// The work, where there is some to publish, and the stamp; on top of a refusal the claim again before it.
    pub(super) fn build(
        &self,
        arena: &mut Arena,
        on: Id,
        claim: Id,
        outcome: Outcome,
    ) -> Result<Option<Id>, Wrong> {
        let turn = turn_of(arena, claim);
        let refused = |refusal| format!("the stamp is refused: {refusal}");
        let Kind::Claim { actor, .. } = arena.commit(claim).kind else { return Err("no claim".to_owned()) };
        let mut parent = match outcome {
            Outcome::Pass => arena.make(Some(on), Kind::Work { turn }).map_err(refused)?,
            Outcome::Fail | Outcome::Release => on,
        };
        if arena.commit(on).state.token == Some(turn.refusal_token()) {
            match arena.make(Some(parent), Kind::Again { turn, actor }) {
                Ok(again) => parent = again,
                Err(_) => return Ok(None),
            }
        }
        let stamping = self.mistake.stamping();
        arena
            .make(Some(parent), Kind::Stamp { turn, actor, outcome, stamping, claim })
            .map(Some)
            .map_err(refused)
    }

    fn start_agent(&self, arena: &Arena, world: &mut World, machine: u8) -> Result<(), Wrong> {
        let Journal::Ready { claim } = world.machines[usize::from(machine)].journal else { return Ok(()) };
        if !still_ours(arena, world, machine, claim) {
            return Ok(());
        }
        let turn = turn_of(arena, claim);
        let bit = 1_u64 << (turn.machine * 16 + turn.number);
        if world.started & bit != 0 {
            return Err(format!("machine {machine} starts the agent of one claim twice"));
        }
        world.started |= bit;
        world.machines[usize::from(machine)].journal = Journal::Running { claim };
        if self.mistake == Mistake::StartsBeforeTheJournal && world.left.crashes > 0 {
            world.left.crashes -= 1;
            world.machines[usize::from(machine)].journal = Journal::Ready { claim };
        }
        Ok(())
    }

    fn end_agent(
        &self,
        arena: &mut Arena,
        world: &mut World,
        machine: u8,
        outcome: Outcome,
    ) -> Result<(), Wrong> {
        let Journal::Running { claim } = world.machines[usize::from(machine)].journal else { return Ok(()) };
        if !still_ours(arena, world, machine, claim) {
            return Ok(());
        }
        let Some(commit) = self.build(arena, claim, claim, outcome)? else { return Ok(()) };
        settle(world, machine, Journal::Publishing { claim, commit, on: claim, outcome, again: false });
        Ok(())
    }

    fn peer(&self, arena: &mut Arena, world: &mut World, does: Peer) -> Result<(), Wrong> {
        let Some(actor) = self.scenario.peer else { return Ok(()) };
        world.left.peer -= 1;
        let state = &arena.commit(world.tip).state;
        let may = match does {
            // It re-claims its own running turn, and knows neither tokens nor holds; a person starts it again after a
            // failure.
            Peer::Claim => !state.exit && state.expected_actor == actor,
            Peer::Pass | Peer::Fail => true,
        };
        // A push of its own that is late meets a moved tip; its rebase meets a conflict, unless the state is as it was.
        let unmoved = state.token.is_none() && state.status.runner() == Some(actor);
        let may = may && (does == Peer::Claim || unmoved);
        world.peer_runs = may && does == Peer::Claim;
        if may {
            let commit = arena
                .make(Some(world.tip), Kind::Peer { actor, does })
                .map_err(|refusal| format!("a peer was refused: {refusal}"))?;
            advance(arena, world, commit)?;
        }
        Ok(())
    }

    /// Whether, without any further fault, some turn is finished: machines go on in turn, people take back what they
    /// have set, peers go on too. Nobody takes anything over.
    pub(super) fn recovers(&self, arena: &mut Arena, world: &World) -> Result<(), Wrong> {
        let mut now = world.clone();
        now.left = Left { crashes: 0, network: 0, expiries: 0, people: 200, peer: 200, refusals: 0 };
        let patient = Self {
            scenario: Rc::new(Scenario { claims: 15, ..(*self.scenario).clone() }),
            mistake: self.mistake,
        };
        let goal = arena.commit(now.tip).passes + 1;
        for _ in 0..40 {
            let mut acts = vec![Act::Person(Person::ClearExit), Act::Person(Person::Clear)];
            for machine in (0_u8..).take(now.machines.len()) {
                acts.extend([
                    Act::Look { machine, expired: false },
                    Act::Push { machine, net: Net::Good },
                    Act::Judge { machine },
                    Act::Start { machine },
                    Act::End { machine, outcome: Outcome::Pass },
                    Act::Mend { machine },
                ]);
            }
            acts.extend([Act::Peer(Peer::Claim), Act::Peer(Peer::Pass)]);
            for act in acts {
                let seen = &arena.commit(now.tip).seen;
                let idle = match act {
                    Act::Person(Person::ClearExit) => !seen.exit,
                    Act::Person(_) => seen.holds.is_empty(),
                    Act::Look { machine, .. } => {
                        now.machines[usize::from(machine)].journal != Journal::Closed
                    }
                    Act::Push { machine, .. } => now.machines[usize::from(machine)].answer.is_some(),
                    Act::Peer(_) => self.scenario.peer.is_none(),
                    Act::Judge { .. }
                    | Act::Start { .. }
                    | Act::End { .. }
                    | Act::Refuse { .. }
                    | Act::Tell { .. }
                    | Act::Mend { .. }
                    | Act::Crash { .. }
                    | Act::Arrive { .. } => false,
                };
                if !idle && let Some(next) = patient.next(arena, &now, act)? {
                    now = next;
                }
                if arena.commit(now.tip).passes >= goal {
                    return Ok(());
                }
            }
        }
        let state = &arena.commit(now.tip).state;
        Err(format!(
            "nothing goes on from `{}`, expected {}: {:?}",
            state.status, state.expected_actor, now.machines
        ))
    }
}

fn push(arena: &Arena, world: &mut World, machine: u8, net: Net) -> Result<(), Wrong> {
    let (commit, on) = match world.machines[usize::from(machine)].journal {
        Journal::Claiming { commit, on } | Journal::Publishing { commit, on, .. } => (commit, on),
        Journal::Refused(Refused { push: Some(push), .. }) => push,
        Journal::Closed | Journal::Ready { .. } | Journal::Running { .. } | Journal::Refused(_) => {
            return Ok(());
        }
    };
    let answer = match net {
        Net::Good if world.tip == on => {
            advance(arena, world, commit)?;
            Answer::Accepted
        }
        // The very same push again: the server finds it done.
        Net::Good if world.tip == commit => Answer::Accepted,
        Net::Good => Answer::Refused,
        Net::Refuses => {
            world.left.network -= 1;
            Answer::Refused
        }
        Net::Silent => {
            world.left.network -= 1;
            if !world.flights.contains(&(commit, on)) {
                world.flights.push((commit, on));
                world.flights.sort_unstable();
            }
            Answer::Unknown
        }
    };
    let now = &mut world.machines[usize::from(machine)];
    match &mut now.journal {
        // Whatever the answer was, it is looked at.
        Journal::Refused(refused) => refused.push = None,
        _ => now.answer = Some(answer),
    }
    Ok(())
}

pub(super) fn look_at<'t>(arena: &Arena, tip: Id, commit: Id, on: Id, token: Option<&'t Token>) -> Tip<'t> {
    Tip { contains_ours: arena.contains(tip, commit), is_expected: tip == on, token }
}

/// Whether a resumed turn may go on; it is over if not.
fn still_ours(arena: &Arena, world: &mut World, machine: u8, claim: Id) -> bool {
    let now = &mut world.machines[usize::from(machine)];
    let ours = turn_of(arena, claim).claim_token();
    if now.resumed && arena.commit(world.tip).state.token.as_ref() != Some(&ours) {
        *now = Machine { journal: Journal::Closed, answer: None, resumed: false, ..*now };
        return false;
    }
    now.resumed = false;
    true
}

fn crash(machine: &mut Machine) {
    match machine.journal {
        Journal::Claiming { .. } | Journal::Publishing { .. } => machine.answer = Some(Answer::Unknown),
        Journal::Ready { .. } | Journal::Running { .. } => machine.resumed = true,
        Journal::Refused(mut refused) => {
            refused.push = None;
            machine.journal = Journal::Refused(refused);
        }
        Journal::Closed => {}
    }
}

pub(super) fn settle(world: &mut World, machine: u8, journal: Journal) {
    let now = &mut world.machines[usize::from(machine)];
    *now = Machine { journal, answer: None, resumed: false, ..*now };
}

pub(super) fn turn_of(arena: &Arena, claim: Id) -> TurnOf {
    match arena.commit(claim).kind {
        Kind::Claim { turn, .. } => turn,
        other => unreachable!("{other:?} is no claim"),
    }
}

/// The remote takes a push: all that must be true of what it brings is checked here.
fn advance(arena: &Arena, world: &mut World, new: Id) -> Result<(), Wrong> {
    let old = world.tip;
    if !arena.contains(new, old) {
        return Err(format!("commit {new} takes {old} out of history"));
    }
    let base = arena.commit(old);
    for id in arena.between(old, new) {
        let commit = arena.commit(id);
        let parent = arena.commit(commit.parent.unwrap());
        let (before, after) = (&parent.seen, &commit.state);
        if let Kind::Work { turn } | Kind::Stamp { turn, .. } | Kind::Again { turn, .. } = commit.kind
            && base.state.token != Some(turn.claim_token())
            && base.state.token != Some(turn.refusal_token())
        {
            return Err(format!("{turn:?} publishes under another's token"));
        }
        let by_us = !matches!(commit.kind, Kind::Root(_) | Kind::Person(_) | Kind::Peer { .. });
        if by_us && (after.exit != before.exit || !before.holds.iter().all(|hold| after.holds.contains(hold)))
        {
            return Err(format!("{:?} takes back what a person has set", commit.kind));
        }
        if let Kind::Claim { .. } | Kind::Again { .. } = commit.kind
            && after.epoch != parent.top_epoch + 1
        {
            return Err(format!("epoch {} follows epoch {}", after.epoch, parent.top_epoch));
        }
        check_legal(commit.kind, before.iteration, after)?;
    }
    world.tip = new;
    Ok(())
}

fn check_legal(kind: Kind, iteration: u64, after: &crate::model::State) -> Result<(), Wrong> {
    let may_move = matches!(
        kind,
        Kind::Stamp { actor: Actor::Ralph, outcome: Outcome::Pass, .. }
            | Kind::Person(Person::Pass | Person::ForcePass)
            | Kind::Peer { actor: Actor::Ralph, does: Peer::Pass }
    );
    let moved = after.iteration.checked_sub(iteration);
    if moved != Some(0) && !(may_move && moved == Some(1)) {
        return Err(format!("{kind:?} moves the iteration from {iteration} to {}", after.iteration));
    }
    let runner = after.status.runner();
    if runner.is_some_and(|runner| runner != after.expected_actor) {
        return Err(format!("{kind:?} lets {runner:?} run where {} is expected", after.expected_actor));
    }
    if after.schema_version > 0 && after.holder.is_some() && runner.is_none() {
        return Err(format!("{kind:?} leaves a holder behind"));
    }
    Ok(())
}
