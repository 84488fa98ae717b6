//! What the agents of all machines have noted, in one file whose lines are in the order of the deeds.

use std::collections::BTreeMap;

/// One start of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) machine: String,
    pub(crate) turn: String,
    pub(crate) actor: String,
    pub(crate) iteration: u64,
}

/// The notes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    /// Every start, in order.
    pub(crate) starts: Vec<Start>,
    /// The turns whose agents came to their end by themselves.
    pub(crate) ends: Vec<String>,
    /// What each turn has written that no other could: turn and path.
    pub(crate) wrote: BTreeMap<String, String>,
    /// The turns whose agents found another agent of the pair alive.
    pub(crate) beside: Vec<String>,
}

impl Notes {
    pub(super) fn parse(text: &str) -> Self {
        let mut notes = Self::default();
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                [machine, "start", turn, actor, iteration] => notes.starts.push(Start {
                    machine: machine.to_owned(),
                    turn: turn.to_owned(),
                    actor: actor.to_owned(),
                    iteration: iteration.parse().unwrap(),
                }),
                [_, "end", turn, ..] => notes.ends.push(turn.to_owned()),
                [_, "wrote", turn, path] => drop(notes.wrote.insert(turn.to_owned(), path.to_owned())),
                [_, "beside", turn, _] => notes.beside.push(turn.to_owned()),
                _ => panic!("an agent has noted `{line}`"),
            }
        }
        notes
    }

    /// How often the agent of this turn was started.
    pub(crate) fn starts_of(&self, turn: &str) -> usize {
        self.starts.iter().filter(|start| start.turn == turn).count()
    }
}
