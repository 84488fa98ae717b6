//! What git and the ledger add to the logs: the commit that ended each turn, the files that were there then, and which logs lie
//! on the other machine.
//!
//! A repository or a ledger that cannot be read adds nothing: logs are shown all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::find::{Entry, Window};
use crate::cli::Context;
use crate::cli::records::find_records;
use crate::cli::workspace::Located;
use crate::ledger::{Ledger, TurnFilter};
use crate::model::{Actor, TurnId};
use crate::publish::{ObjectId, RepoPath};
use crate::repo::{self, Repo};
use crate::runner::commits_of;
use crate::turn::sync::SyncEvent;

/// As many turns as anybody looks at; older ones are shown without their commits.
const TURNS: u32 = 1_000;
/// As many commits as are searched for handoffs: some five an iteration.
const COMMITS: usize = 5_000;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) roles: &'a [Actor],
    pub(super) window: Window,
    /// The branch, as in the name of the folder.
    pub(super) branch: &'a str,
    /// Paths from the workspace whose files are listed.
    pub(super) listed: &'a [String],
}

/// What is known beside the logs; by the path of a log or summary.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) commits: BTreeMap<String, Commit>,
    pub(super) listings: BTreeMap<String, Vec<Listing>>,
    /// Which logs are not here, in words.
    pub(super) elsewhere: Vec<String>,
}

/// A commit, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) id: String,
    pub(super) subject: String,
}

impl Commit {
    /// Reads `<short id> <subject>`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, subject) = text.split_once(' ')?;
        Some(Self { id: id.to_owned(), subject: subject.to_owned() })
    }
}

/// The files below one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) path: String,
    /// Its commit, as the log's.
    pub(super) commit: String,
    pub(super) files: Vec<String>,
}

/// A turn's end in the history of the branch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Handoff {
    id: ObjectId,
    subject: String,
    turn: Option<TurnId>,
    actor: Actor,
    /// Of the turn that ended.
    iteration: u64,
}

impl Handoff {
    fn of(commit: repo::Commit) -> Option<Self> {
        let (actor, iteration) = match SyncEvent::parse(&commit.subject)? {
            // Ralph's counts the iteration that comes.
            SyncEvent::Passed { iteration, actor: Actor::Ralph, .. } => {
                (Actor::Ralph, iteration.checked_sub(1)?)
            }
            SyncEvent::Passed { iteration, actor, .. }
            | SyncEvent::Failed { iteration, actor, .. }
            | SyncEvent::Released { iteration, actor }
            | SyncEvent::TakenAway { iteration, actor } => (actor, iteration),
            SyncEvent::Init
            | SyncEvent::Claimed { .. }
            | SyncEvent::TakenOver { .. }
            | SyncEvent::HoldSet { .. }
            | SyncEvent::HoldCleared { .. }
            | SyncEvent::ExitSet { .. }
            | SyncEvent::ExitCleared { .. }
            | SyncEvent::Restored { .. } => return None,
        };
        Some(Self { id: commit.id, subject: commit.subject, turn: commit.turn, actor, iteration })
    }
}

/// Gathers all that is known of these logs.
pub(super) fn gather(located: &Located, entries: &[Entry], wanted: &Wanted<'_>, context: &Context) -> Known {
    let mut turns = BTreeMap::new();
    let mut known = Known { commits: by_ledger(&located.root, context, &mut turns), ..Known::default() };
    let config = &located.config.config;
    let Ok(repo) = Repo::open_configured(&located.root, &config.git, &context.ambient) else { return known };
    // The logs of another branch than the one that is checked out have their handoffs there.
    let handoffs = match tip(&repo, wanted.branch) {
        Some(tip) => handoffs(&repo, &tip),
        None => Vec::new(),
    };
    let mut named: BTreeMap<String, ObjectId> = BTreeMap::new();
    for (path, handoff) in stamped(entries, &handoffs, &turns) {
        let id = handoff.id.as_str();
        let id = id.get(..8).unwrap_or(id).to_owned();
        named.insert(path.clone(), handoff.id.clone());
        known.commits.insert(path, Commit { id, subject: handoff.subject.clone() });
    }
    if !wanted.listed.is_empty() {
        list(&mut known, &repo, entries, &named, wanted.listed);
    }
    known.elsewhere = elsewhere(entries, &handoffs, wanted);
    known
}

/// The last commit of each turn, and which turn it is.
fn by_ledger(
    root: &Path,
    context: &Context,
    turns: &mut BTreeMap<String, TurnId>,
) -> BTreeMap<String, Commit> {
    let read = || {
        let records = find_records(root, &context.ambient)?;
        let ledger = Ledger::open_read_only(&records.home.ledger()).ok()??;
        ledger.turns(TurnFilter { actor: None, limit: TURNS }).ok()
    };
    let mut commits = BTreeMap::new();
    for turn in read().unwrap_or_default() {
        let Some(closing) = turn.closing else { continue };
        let last = commits_of(&closing).pop().and_then(|commit| Commit::parse(&commit));
        for path in [closing.log_path, closing.summary_path].into_iter().flatten() {
            turns.insert(path.clone(), turn.opening.id);
            if let Some(commit) = &last {
                commits.insert(path, commit.clone());
            }
        }
    }
    commits
}

/// The newest commit of the branch that is known here: as it was seen on the remote, where that is newer.
fn tip(repo: &Repo, folder: &str) -> Option<ObjectId> {
    let head = repo.head().ok()?;
    let branch = head.branch.filter(|branch| branch.replace('/', "-") == folder)?;
    let seen = repo.commit_named(&format!("refs/baton/remote/heads/{branch}"));
    let newer = seen.filter(|seen| repo.contains(seen, &head.commit).unwrap_or(false));
    Some(newer.unwrap_or(head.commit))
}

/// The ends of turns, oldest first.
fn handoffs(repo: &Repo, tip: &ObjectId) -> Vec<Handoff> {
    let commits = repo.recent_commits(Some(tip), COMMITS).unwrap_or_default();
    commits.into_iter().rev().filter_map(Handoff::of).collect()
}

/// The commit that ended the turn of each log: by the turn where the ledger has it; else, for logs of the earlier scripts and
/// of other clones, the last log of a seat's iteration has the last end of it.
fn stamped<'h>(
    entries: &[Entry],
    handoffs: &'h [Handoff],
    turns: &BTreeMap<String, TurnId>,
) -> Vec<(String, &'h Handoff)> {
    let shown = |entry: &Entry| entry.path.display().to_string();
    entries
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| {
            let path = shown(entry);
            let found = if let Some(turn) = turns.get(&path) {
                handoffs.iter().rfind(|handoff| handoff.turn == Some(*turn))
            } else {
                let same = |other: &Entry| (other.role, other.iteration) == (entry.role, entry.iteration);
                let is_last = !entries.get(index + 1..).unwrap_or_default().iter().any(same);
                let is_its =
                    |handoff: &&Handoff| (handoff.actor, handoff.iteration) == (entry.role, entry.iteration);
                handoffs.iter().filter(|_| is_last).rfind(is_its)
            };
            Some((path, found?))
        })
        .collect()
}

fn list(
    known: &mut Known,
    repo: &Repo,
    entries: &[Entry],
    named: &BTreeMap<String, ObjectId>,
    listed: &[String],
) {
    for entry in entries {
        let path = entry.path.display().to_string();
        let Some(commit) = known.commits.get(&path) else { continue };
        let Some(id) = named.get(&path).cloned().or_else(|| repo.commit_named(&commit.id)) else { continue };
        let listings = listed.iter().filter_map(|listed| {
            let below = RepoPath::from_path(&repo.prefix().as_path().join(listed.trim_end_matches('/')));
            let files = repo.files_below(&id, &[below]).ok()?;
            let files = files.iter().map(ToString::to_string).collect();
            Some(Listing { path: listed.clone(), commit: commit.id.clone(), files })
        });
        known.listings.insert(path, listings.collect());
    }
}

/// The seats' turns that the branch has and this clone has no log of.
fn elsewhere(entries: &[Entry], handoffs: &[Handoff], wanted: &Wanted<'_>) -> Vec<String> {
    let in_window = |iteration: u64| {
        wanted.window.min.is_none_or(|min| iteration >= min)
            && wanted.window.max.is_none_or(|max| iteration <= max)
    };
    let shown = entries.iter().map(|entry| entry.iteration).min();
    let oldest = if wanted.window.count == 0 { None } else { shown };
    let here: BTreeSet<(Actor, u64)> = entries.iter().map(|entry| (entry.role, entry.iteration)).collect();
    wanted
        .roles
        .iter()
        .filter_map(|role| {
            let missing: BTreeSet<u64> = handoffs
                .iter()
                .filter(|handoff| handoff.actor == *role && in_window(handoff.iteration))
                .map(|handoff| handoff.iteration)
                .filter(|iteration| oldest.is_none_or(|oldest| *iteration >= oldest))
                .filter(|iteration| !here.contains(&(*role, *iteration)))
                .collect();
            let said = ranges(&missing);
            (!missing.is_empty()).then(|| {
                format!("{role}'s logs of iteration {said} are on the machine that took those turns, not in this clone")
            })
        })
        .collect()
}

/// `1-3, 7`.
fn ranges(numbers: &BTreeSet<u64>) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let shown = |(first, last): &(u64, u64)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    runs.iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn handoff(number: usize, subject: &str, turn: Option<TurnId>) -> Handoff {
        let id: ObjectId = format!("{number:040}").parse().unwrap();
        Handoff::of(repo::Commit { id, subject: subject.to_owned(), turn }).unwrap()
    }

    fn entry(role: Actor, iteration: u64, name: &str) -> Entry {
        Entry { iteration, at: name.to_owned(), role, prompt: None, path: PathBuf::from(name) }
    }

    #[test]
    fn each_log_has_the_commit_that_ended_its_turn() {
        let turn = TurnId::from_parts(1, 1);
        let handoffs = [
            handoff(1, "[SYNC i=1] actor=galph status=fail galph_commit=a", None),
            handoff(2, "[SYNC i=1] actor=galph → next=ralph status=ok galph_commit=b", None),
            handoff(3, "[SYNC i=2] actor=ralph → next=galph status=ok ralph_commit=c", Some(turn)),
        ];
        let entries = [
            entry(Actor::Galph, 1, "first"),
            entry(Actor::Galph, 1, "again"),
            entry(Actor::Ralph, 1, "work"),
            entry(Actor::Ralph, 2, "later"),
        ];
        let turns = BTreeMap::from([("work".to_owned(), turn)]);
        let found: Vec<(String, String)> = stamped(&entries, &handoffs, &turns)
            .into_iter()
            .map(|(path, handoff)| (path, handoff.subject.clone()))
            .collect();
        let of = |path: &str, number: usize| (path.to_owned(), handoffs[number].subject.clone());
        assert_eq!(found, [of("again", 1), of("work", 2)]);
    }

    #[test]
    fn what_lies_on_the_other_machine_is_told_by_iteration() {
        let passed = |iteration: u64| {
            handoff(1, &format!("[SYNC i={iteration}] actor=galph → next=ralph status=ok"), None)
        };
        let handoffs: Vec<Handoff> = [1, 2, 3, 5, 6].into_iter().map(passed).collect();
        let entries = [entry(Actor::Ralph, 2, "a"), entry(Actor::Galph, 6, "b")];
        let told = |count, max| {
            let window = Window { count, min: None, max };
            let wanted = Wanted { roles: &Actor::ALL, window, branch: "main", listed: &[] };
            elsewhere(&entries, &handoffs, &wanted)
        };
        let of = |iterations: &str| {
            [format!(
                "galph's logs of iteration {iterations} are on the machine that took those turns, not in this clone"
            )]
        };
        assert_eq!(told(0, None), of("1-3, 5"));
        assert_eq!(told(5, None), of("2-3, 5"));
        assert_eq!(told(0, Some(1)), of("1"));
    }
}
