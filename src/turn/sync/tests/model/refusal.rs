//! A turn whose work must not leave: refused at its commit or when it is handed over, told, mended, claimed again and handed
//! over, or given up by a takeover.

use super::arena::{Arena, Id, Kind, Outcome};
use super::mistakes::Mistake;
use super::world::{Act, Game, Journal, Left, Machine, Net, World, Wrong, look_at, settle, turn_of};
use crate::turn::sync::{Answer, PublishFate, RefusalFate, decide_publish, decide_refusal};

/// What a machine knows of a turn that it has refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Refused {
    pub(super) claim: Id,
    /// The stamp that was pushed last, and what it expected, where the refusal came after that.
    pub(super) stamp: Option<(Id, Id)>,
    /// The refusal that is pushed next, and what it expects; lost in a crash.
    pub(super) push: Option<(Id, Id)>,
}

impl Refused {
    pub(super) fn acts(self, machine: u8, may_fail: bool) -> Vec<Act> {
        let mut acts = vec![Act::Mend { machine }];
        if self.push.is_none() {
            acts.push(Act::Tell { machine });
        } else {
            acts.push(Act::Push { machine, net: Net::Good });
            if may_fail {
                acts.push(Act::Push { machine, net: Net::Silent });
            }
        }
        acts
    }
}

impl Game {
    pub(super) fn refuse(now: &Machine, left: Left, machine: u8) -> Option<Act> {
        let may = match now.journal {
            Journal::Running { .. } => true,
            Journal::Publishing { outcome, .. } => outcome == Outcome::Pass,
            Journal::Closed | Journal::Claiming { .. } | Journal::Ready { .. } | Journal::Refused(_) => false,
        };
        (may && left.refusals > 0).then_some(Act::Refuse { machine })
    }

    /// The refusal is in the journal; nobody else knows.
    pub(super) fn refused(arena: &Arena, world: &mut World, machine: u8) {
        let now = world.machines[usize::from(machine)];
        let (claim, stamp) = match now.journal {
            Journal::Running { claim } => (claim, None),
            Journal::Publishing { claim, commit, on, .. } => {
                // It comes out in a look: others have pushed what does not fit, or a hook has said no.
                let turn = turn_of(arena, claim);
                let token = arena.commit(world.tip).state.token.clone();
                let seen = look_at(arena, world.tip, commit, on, token.as_ref());
                let (own, refusal) = (turn.claim_token(), turn.refusal_token());
                let answer = now.answer.unwrap_or(Answer::Unknown);
                match decide_publish(answer, Some(&seen), &[&own, &refusal], &turn.stamp_token()) {
                    PublishFate::PushAgain | PublishFate::Rebuild => (claim, Some((commit, on))),
                    PublishFate::Published | PublishFate::Fenced | PublishFate::Look => return,
                }
            }
            Journal::Closed | Journal::Claiming { .. } | Journal::Ready { .. } | Journal::Refused(_) => {
                return;
            }
        };
        world.left.refusals -= 1;
        settle(world, machine, Journal::Refused(Refused { claim, stamp, push: None }));
    }

    fn fate(
        &self,
        arena: &mut Arena,
        world: &World,
        machine: u8,
        now: Refused,
    ) -> Result<RefusalFate, Wrong> {
        let turn = turn_of(arena, now.claim);
        let tip = world.tip;
        let token = arena.commit(tip).state.token.clone();
        let (commit, on) = now.stamp.unwrap_or((now.claim, now.claim));
        let mut seen = look_at(arena, tip, commit, on, token.as_ref());
        seen.contains_ours &= now.stamp.is_some();
        let [claim, refusal, stamp] = [turn.claim_token(), turn.refusal_token(), turn.stamp_token()];
        let right = decide_refusal(&seen, &claim, Some(&refusal), now.stamp.map(|_| &stamp));
        let fate = match (self.mistake, right) {
            (Mistake::RefusalIgnoresWhatHasArrived, RefusalFate::Published) => RefusalFate::Fenced,
            (Mistake::RefusalIgnoresTheToken, RefusalFate::Fenced) => RefusalFate::Stands,
            (_, right) => right,
        };
        arena.note(fate);
        let is_published = now.stamp.is_some_and(|(commit, _)| arena.contains(tip, commit));
        match fate {
            RefusalFate::Fenced if is_published => {
                Err(format!("machine {machine} believes lost what is published"))
            }
            RefusalFate::Published if !is_published => {
                Err(format!("machine {machine} believes published what is nowhere"))
            }
            RefusalFate::Stands if token != Some(refusal) => {
                Err(format!("machine {machine} believes told what nobody knows"))
            }
            fate => Ok(fate),
        }
    }

    /// A look: the remote is told where it does not know.
    pub(super) fn tell(&self, arena: &mut Arena, world: &mut World, machine: u8) -> Result<(), Wrong> {
        let Journal::Refused(now) = world.machines[usize::from(machine)].journal else { return Ok(()) };
        match self.fate(arena, world, machine, now)? {
            RefusalFate::Stands => {}
            RefusalFate::Published | RefusalFate::Fenced => settle(world, machine, Journal::Closed),
            RefusalFate::Tell => {
                let Kind::Claim { turn, actor, .. } = arena.commit(now.claim).kind else {
                    return Err("no claim".to_owned());
                };
                let made = arena.make(Some(world.tip), Kind::Refusal { turn, actor });
                let commit = made.map_err(|refusal| format!("the refusal is refused: {refusal}"))?;
                let push = Some((commit, world.tip));
                settle(world, machine, Journal::Refused(Refused { push, ..now }));
            }
        }
        Ok(())
    }

    /// The publication of mended work begins with a look.
    pub(super) fn mend(&self, arena: &mut Arena, world: &mut World, machine: u8) -> Result<(), Wrong> {
        let Journal::Refused(now) = world.machines[usize::from(machine)].journal else { return Ok(()) };
        let (claim, tip, outcome) = (now.claim, world.tip, Outcome::Pass);
        match self.fate(arena, world, machine, now)? {
            RefusalFate::Published | RefusalFate::Fenced => settle(world, machine, Journal::Closed),
            RefusalFate::Stands | RefusalFate::Tell => {
                let same = now.stamp.filter(|(_, on)| *on == tip).map(|(commit, _)| commit);
                let commit = match same {
                    Some(commit) => commit,
                    // A hold keeps it from being claimed again.
                    None => match self.build(arena, tip, claim, outcome)? {
                        Some(commit) => commit,
                        None => return Ok(()),
                    },
                };
                settle(world, machine, Journal::Publishing { claim, commit, on: tip, outcome, again: true });
            }
        }
        Ok(())
    }
}
