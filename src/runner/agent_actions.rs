//! What an agent did to the repository besides its work: what of it forbids to commit, each with its remedy.
//!
//! Neighbours: `commit` asks before it selects and before it commits, `rescue` keeps and names what was a person's.

use std::collections::BTreeMap;

use crate::model::{State, TurnId};
use crate::publish::{Blob, Content, ObjectId, RefusedReason, RepoPath, Rules, Selection};
use crate::repo::{Head, Movement, Operation, Repo, RepoError, Rescue};
use crate::state;

use super::RunnerError;
use super::commit::short;
use super::journal::Base;

/// HEAD, or what stands in the way of any commit: the branch is not where the turn can go on, something of git's is
/// unfinished.
pub(super) fn obstacles(
    repo: &Repo,
    turn: TurnId,
    base: &Base,
) -> Result<Result<Head, Vec<String>>, RunnerError> {
    let branch = base.head.branch.clone().unwrap_or_default();
    let mut problems = Vec::new();
    let operation = repo.operation_in_progress()?;
    if let Some(operation) = operation {
        problems.push(RepoError::InProgress { operation }.to_string());
    }
    problems.extend(repo.standing_locks(&branch).iter().map(ToString::to_string));
    // A rebase leaves the branch and comes back to it; its own remedy says how.
    if operation == Some(Operation::Rebase) {
        return Ok(Err(problems));
    }
    Ok(match moved(repo, turn, base, &branch)? {
        Ok(head) if problems.is_empty() => Ok(head),
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem);
            Err(problems)
        }
    })
}

/// HEAD, or why the branch is not where commits can be put, in words.
pub(super) fn moved(
    repo: &Repo,
    turn: TurnId,
    base: &Base,
    branch: &str,
) -> Result<Result<Head, String>, RunnerError> {
    let kept = Rescue::name(turn, "branch");
    let head = repo.head();
    let movement = match &head {
        Ok(head) => repo.movement(&base.head, head)?,
        Err(RepoError::NoCommits { branch: unborn }) if unborn == branch => {
            return Ok(Err(format!(
                "the branch {branch} was deleted during the turn: `git update-ref refs/heads/{branch} {kept}` brings \
                 it back"
            )));
        }
        Err(RepoError::NoCommits { branch: to }) => Movement::Switched { to: to.clone() },
        Err(_) => return Ok(Ok(head?)),
    };
    let problem = match movement {
        Movement::Unmoved | Movement::Advanced => return Ok(Ok(head?)),
        Movement::Switched { to } if repo.has_branch(branch) => {
            format!("the branch was switched from {branch} to {to} during the turn: `git switch {branch}`")
        }
        Movement::Switched { to } => format!(
            "the branch {branch} is gone and {to} is checked out since the turn: `git branch -m {to} {branch}` if it \
             was renamed, else `git switch -c {branch} {kept}`"
        ),
        Movement::Detached { at } => format!(
            "HEAD was detached from {branch} during the turn, at {}: `git switch {branch}`",
            short(at.as_str())
        ),
        // Back to an older commit: its files are the older ones too. Else the new history's files are the work.
        Movement::Rewritten { to } if repo.is_below(&to, &base.head.commit) => format!(
            "{branch} was rewritten during the turn and has lost {}: `git reset --keep {kept}` puts branch and files \
             back, and keeps other changes",
            base.head.short
        ),
        Movement::Rewritten { .. } => format!(
            "{branch} was rewritten during the turn and has lost {}: `git reset --soft {kept}` puts the branch back \
             and touches no file",
            base.head.short
        ),
    };
    Ok(Err(problem))
}

/// What is known of the commits that were made since the claim, not by baton.
#[derive(Debug, Clone, Copy)]
pub(super) struct CommitsSince<'a> {
    /// The commit after which everything leaves.
    pub(super) from: &'a ObjectId,
    /// HEAD now.
    pub(super) head: &'a Head,
    /// HEAD when the agent had ended; later commits are a person's.
    pub(super) ended_at: Option<&'a ObjectId>,
    /// The commit up to which a person accepts them.
    pub(super) accepted: Option<&'a str>,
    /// The state as the claim wrote it.
    pub(super) claimed: Option<&'a State>,
    /// The command that goes on with the turn.
    pub(super) again: &'a str,
}

/// What the selection refuses, and what must not be published though it was selected or committed already.
pub(super) fn refusals(
    repo: &Repo,
    turn: TurnId,
    base: &Base,
    selection: &Selection,
    rules: &Rules,
    commits: &CommitsSince<'_>,
) -> Result<Vec<String>, RunnerError> {
    let mut problems: Vec<String> = selection
        .refused
        .iter()
        .map(|(path, reason)| {
            let remedy = match reason {
                RefusedReason::ChangedWhileDirty => how_to_get_back(turn, base, path),
                RefusedReason::Protected => String::new(),
            };
            format!("{path}: {reason}{remedy}")
        })
        .collect();
    problems.extend(stashed(repo, base, selection));
    problems.extend(protected_in_commits(repo, base, rules, commits)?);
    Ok(problems)
}

/// How a person gets back what they had at a path; begins with a separator, empty where nothing is known.
pub(super) fn how_to_get_back(turn: TurnId, base: &Base, path: &RepoPath) -> String {
    let (Some(guard), Some(was)) = (&base.guard, base.dirty.get(path)) else { return String::new() };
    let place = in_shell(path);
    match &was.content {
        _ if guard.rescue.left_out.contains(path) => "; it was too large to keep a copy".to_owned(),
        Content::Deleted => format!("; before the turn it was deleted: `rm -- {place}`"),
        Content::File(blob) if was.head.as_ref() == Some(blob) => {
            format!("; before the turn it was as in {}: `git checkout {0} -- {place}`", base.head.short)
        }
        Content::File(_) => {
            let from = Rescue::name(turn, "files");
            format!("; what it held before is kept: `git restore --source={from} -- {place}`")
        }
        Content::Submodule(_) | Content::NestedRepository | Content::Special | Content::Unreadable => {
            String::new()
        }
    }
}

/// A person's stash that turned up in the work tree would be published as the agent's work.
fn stashed(repo: &Repo, base: &Base, selection: &Selection) -> Vec<String> {
    let Some(guard) = &base.guard else { return Vec::new() };
    let selected: BTreeMap<&RepoPath, &Blob> = selection
        .batches
        .iter()
        .flat_map(|batch| &batch.paths)
        .filter_map(|(path, selected)| Some((path, selected.content.as_ref()?)))
        .collect();
    let mut problems = Vec::new();
    for stash in &guard.surroundings.stashes {
        // An entry that was dropped and pruned can be compared no more.
        let Ok(versions) = repo.stashed_versions(&stash.id) else { continue };
        for path in versions.iter().filter(|(path, blob)| selected.get(path) == Some(blob)).map(|it| it.0) {
            problems.push(format!(
                "{path}: it holds what the stash entry `{}` holds, which is not the turn's: commit it by hand, or \
                 undo it",
                stash.message
            ));
        }
    }
    problems
}

/// Protected paths in commits that were made during the turn, not by baton, and that nobody has accepted.
fn protected_in_commits(
    repo: &Repo,
    base: &Base,
    rules: &Rules,
    since: &CommitsSince<'_>,
) -> Result<Vec<String>, RunnerError> {
    let head = since.head;
    if head.commit == *since.from {
        return Ok(Vec::new());
    }
    let from = accepted_until(repo, since.from, &head.commit, since.accepted);
    if from == head.commit {
        return Ok(Vec::new());
    }
    let mut changed = repo.paths_between(&from, &head.commit)?;
    changed.retain(|path| rules.protects(path));
    // What was committed after the agent had ended is a person's, unless it lies on a history that the agent left.
    let leads_to = |one: &ObjectId, other: &ObjectId| one == other || repo.is_below(one, other);
    if let Some(end) = since.ended_at.filter(|end| leads_to(&from, end) && leads_to(end, &head.commit)) {
        let by_agent = repo.paths_between(&from, end)?;
        changed.retain(|path| by_agent.contains(path));
    }
    if let Some(claimed) = since.claimed {
        // An agent may ask to stop, by the file.
        let is_ours = |bytes: &[u8]| {
            Some(state::parse(bytes).is_ok_and(|found| {
                let (exit, exit_reason) = (claimed.exit, claimed.exit_reason.clone());
                state::render(&State { exit, exit_reason, ..found }) == state::render(claimed)
            }))
        };
        let ours = |path: &RepoPath| -> Result<bool, RepoError> {
            Ok(repo.newest_version(path, is_ours)?.is_some_and(|version| version.found))
        };
        let mut others = Vec::new();
        for path in changed {
            // An agent that commits everything commits the state as we wrote it: that changes nothing.
            if !(rules.is_state_file(&path) && ours(&path)?) {
                others.push(path);
            }
        }
        changed = others;
    }
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let commits = repo.commits_since(&from)?;
    let mut problems = Vec::new();
    for path in changed {
        let mut by = None;
        for commit in commits.iter().rev() {
            if repo.paths_of(&commit.id)?.contains(&path) {
                by = Some(commit);
                break;
            }
        }
        let (id, subject) = by.map_or_else(
            || (short(head.commit.as_str()).to_owned(), String::new()),
            |commit| (short(commit.id.as_str()).to_owned(), format!(" ({})", commit.subject)),
        );
        let base = &base.head.short;
        let place = in_shell(&path);
        let then = if rules.is_own(&path) {
            format!("`git rm -q --cached -- {place}`")
        } else {
            format!("`git checkout {base} -- {place}`, or remove it where {base} has none")
        };
        problems.push(format!(
            "{path}: commit {id}{subject} changes it, and `publish.protect` names it: `git reset --soft {base}`, then \
             {then}; or, if the commits are to stay, `{} --accept-commits {}`",
            since.again, head.short
        ));
    }
    Ok(problems)
}

/// The commit up to which a person has accepted what was committed during the turn.
fn accepted_until(repo: &Repo, base: &ObjectId, head: &ObjectId, accepted: Option<&str>) -> ObjectId {
    let named = accepted.and_then(|name| repo.commit_named(name));
    named
        .filter(|named| repo.is_below(base, named) && repo.is_below(named, head))
        .unwrap_or_else(|| base.clone())
}

/// A path as a shell and git take it, from the root of the repository.
pub(super) fn in_shell(path: &RepoPath) -> String {
    let text = String::from_utf8_lossy(path.as_bytes());
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._/-+@%=".contains(byte);
    if path.as_bytes().iter().all(plain) {
        text.into_owned()
    } else {
        format!("':(top,literal){}'", text.replace('\'', r"'\''"))
    }
}
