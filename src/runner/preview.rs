//! What a turn would commit, where it is only said (`--commit-dry-run`).

use crate::publish::{CommitContext, DirtyRecord, LeftReason, Selection, commit_subject, list_files};

use super::journal::{Base, Committed, Leftover, TurnRecord};
use super::observer::Event;
use super::turn::Runner;

/// What becomes of a turn's changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitUse {
    /// They are committed.
    #[default]
    Make,
    /// It is said what would be committed. The changes stay in the tree as this seat's own: its next turn that commits
    /// takes them along.
    OnlySay,
}

/// What one turn would commit, and what not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The commits, in their order.
    pub commits: Vec<PlannedCommit>,
    /// `path: reason` of what stays as it is.
    pub left: Vec<String>,
    /// What forbids to commit anything, with the remedy.
    pub refused: Vec<String>,
}

/// One commit that would be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCommit {
    /// Its subject.
    pub subject: String,
    /// A line a path, as in its message.
    pub files: Vec<String>,
}

impl Runner<'_> {
    /// Says what is committed instead of committing it, or commits.
    #[must_use]
    pub fn with_commits(mut self, commits: CommitUse) -> Self {
        self.commits = commits;
        self
    }

    pub(super) fn preview(&mut self, turn: &TurnRecord, selection: &Selection, problems: &[String]) {
        let prompt = turn.prompt().map(ToString::to_string).unwrap_or_default();
        let context = CommitContext {
            actor: turn.opening.actor,
            prompt: &prompt,
            iteration: turn.opening.iteration,
            turn: turn.opening.id,
        };
        let planned = |batch: &crate::publish::Batch| PlannedCommit {
            subject: commit_subject(context, batch.category),
            files: list_files(&batch.paths),
        };
        let preview = Preview {
            commits: selection.batches.iter().map(planned).collect(),
            left: selection
                .left
                .iter()
                .filter(|(_, reason)| !reason.is_aside())
                .map(|(path, reason)| format!("{path}: {reason}"))
                .collect(),
            refused: problems.to_vec(),
        };
        self.observer.event(&Event::Preview { preview: &preview });
    }
}

/// Notes what was selected as left in the tree: not committed, and the seat's own.
pub(super) fn keep_selected(
    committed: &mut Committed,
    selection: &Selection,
    base: &Base,
    now: &DirtyRecord,
) {
    committed.dry_run = true;
    for path in selection.batches.iter().flat_map(|batch| batch.paths.keys()) {
        let Some(dirty) = now.get(path) else { continue };
        committed.uncommitted.push(path.to_string());
        committed.leftovers.push(Leftover::of(path, dirty, base));
    }
    committed.uncommitted.sort();
}

/// What a turn that passed has left in the tree, for the turns after it.
pub(super) fn leftovers_of_selection(selection: &Selection, base: &Base, now: &DirtyRecord) -> Vec<Leftover> {
    let kept = selection.left.iter().filter(|(_, reason)| !reason.is_aside());
    kept.filter_map(|(path, reason)| {
        let dirty = now.get(path).filter(|dirty| !dirty.matches_head())?;
        let was_there = *reason == LeftReason::DirtyBefore;
        let is_agents = !was_there || base.by_agents.contains(path);
        let left = Leftover::of(path, dirty, base);
        is_agents.then_some(Leftover { carried: was_there || left.carried, ..left })
    })
    .collect()
}
