//! The remote's branch as the place of the state: looked at, and changed by compare-and-swap.

use std::time::Duration;

use crate::config::GitConfig;
use crate::model::{State, TurnId};
use crate::publish::{ObjectId, RepoPath};
use crate::repo::{
    self, FileCommit, LeaseSeen, PushKind, Pushed, Remote, RemoteError, RemoteSeen, Repo, StopSign,
};
use crate::state::{self, FormatError};
use crate::turn::Refusal;
use crate::turn::sync::{Backoff, Remembered, SyncEvent, Tip, restore_forgotten, sync_message};

use super::super::RunnerError;
use super::error::SyncError;

/// How often a change is made anew because somebody else changed something in that moment.
const TRIES: u32 = 5;
/// How often a change that is no turn is made anew because the branch has moved.
const MOVES: u32 = 50;

/// Before a look that found somebody else at work is made again.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(60), Duration::from_millis(180)];

/// The remote and the branch over which turns are passed.
#[derive(Debug)]
pub struct Exchange {
    pub(super) remote: Remote,
    /// The branch, here and there.
    pub(super) branch: String,
    /// The state file, from the root of the repository.
    pub(super) file: RepoPath,
    seen: Option<Seen>,
}

/// The branch on the remote at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its newest commit.
    pub tip: ObjectId,
    /// The state there; `None`: there is no state file yet.
    pub state: Option<State>,
    /// Whether the state was last written by the earlier scripts, which keep nine fields.
    pub by_earlier_scripts: bool,
}

impl Exchange {
    /// The exchange of a workspace. Makes no connection.
    pub fn open(
        repo: &Repo,
        git: &GitConfig,
        branch: &str,
        state_file: &std::path::Path,
    ) -> Result<Self, RunnerError> {
        let remote = repo.remote(&git.remote, branch)?;
        let file = RepoPath::from_path(&repo.prefix().as_path().join(state_file));
        Ok(Self { remote, branch: branch.to_owned(), file, seen: None })
    }

    /// Answers are not waited for any longer once this asks to stop.
    pub fn obey(&mut self, stop: &StopSign) {
        self.remote.obey(stop);
    }

    /// The remote's name, for messages.
    pub fn name(&self) -> &str {
        &self.remote.facts().name
    }

    /// The branch, here and there.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// The state file, from the root of the repository.
    pub const fn file(&self) -> &RepoPath {
        &self.file
    }

    /// The remote.
    pub const fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The branch on the remote now: one connection.
    pub fn look(&mut self, repo: &Repo) -> Result<Seen, RunnerError> {
        let tip = when_free(|| self.remote.look())?.ok_or_else(|| self.no_branch())?;
        self.read(repo, tip)
    }

    /// The same, and the lease beside the branch, by the same connection.
    pub fn look_with_lease(&mut self, repo: &Repo) -> Result<(Seen, Option<LeaseSeen>), RunnerError> {
        let RemoteSeen { tip, lease } = when_free(|| self.remote.look_with_lease())?;
        let tip = tip.ok_or_else(|| self.no_branch())?;
        Ok((self.read(repo, tip)?, lease))
    }

    /// The branch as it was seen last, by a look of baton's or a fetch of git's; `None`: never. Makes no connection.
    ///
    /// What this clone has published itself since then is in HEAD, and the state is read from there.
    pub fn seen_last(&mut self, repo: &Repo) -> Result<Option<Seen>, RunnerError> {
        let own = repo.commit_named(&format!("refs/baton/remote/heads/{}", self.branch));
        let gits = repo.commit_named(&format!("refs/remotes/{}/{}", self.name(), self.branch));
        let newest = match (own, gits) {
            (Some(own), Some(gits)) => Some(if repo.contains(&gits, &own)? { gits } else { own }),
            (own, gits) => own.or(gits),
        };
        let Some(tip) = newest else { return Ok(None) };
        let head = repo.head()?.commit;
        if head != tip && repo.contains(&head, &tip)? {
            let here = self.read(repo, head)?;
            return Ok(Some(Seen { tip, ..here }));
        }
        self.read(repo, tip).map(Some)
    }

    fn no_branch(&self) -> SyncError {
        SyncError::NoBranch {
            remote: self.name().to_owned(),
            branch: self.branch.clone(),
            seen_before: self.seen.is_some(),
        }
    }

    /// What stands at a commit that is here already.
    pub(super) fn read(&mut self, repo: &Repo, tip: ObjectId) -> Result<Seen, RunnerError> {
        if let Some(seen) = self.seen.as_ref().filter(|seen| seen.tip == tip) {
            return Ok(seen.clone());
        }
        let seen = match repo.file_at(&tip, &self.file)? {
            None => Seen { tip, state: None, by_earlier_scripts: false },
            Some(bytes) => {
                let found = state::parse(&bytes).map_err(|error| self.unreadable(&error))?;
                let by_earlier_scripts = found.schema_version == 0;
                let state = if by_earlier_scripts { self.restored(repo, &tip, &found)? } else { found };
                Seen { tip, state: Some(state), by_earlier_scripts }
            }
        };
        self.seen = Some(seen.clone());
        Ok(seen)
    }

    /// What the earlier scripts have dropped, from the newest state in the history that had it.
    fn restored(&self, repo: &Repo, tip: &ObjectId, found: &State) -> Result<State, RunnerError> {
        let complete = |bytes: &[u8]| state::parse(bytes).ok().filter(|state| state.schema_version > 0);
        let known = repo.newest_version_from(tip, &self.file, complete)?;
        Ok(known.map_or_else(
            || found.clone(),
            |version| restore_forgotten(found, &Remembered::of(&version.found)),
        ))
    }

    fn unreadable(&self, error: &FormatError) -> SyncError {
        SyncError::Unreadable {
            place: format!("{}/{}:{}", self.name(), self.branch, self.file),
            line: error.line,
            column: error.column,
            found: error.found.clone(),
        }
    }
}

impl Seen {
    /// What a push of ours has led to, as far as the branch tells.
    pub(super) fn after_push<'s>(
        &'s self,
        repo: &Repo,
        ours: &ObjectId,
        onto: &ObjectId,
    ) -> Result<Tip<'s>, RunnerError> {
        Ok(Tip {
            contains_ours: repo.contains(&self.tip, ours)?,
            is_expected: self.tip == *onto,
            token: self.state.as_ref().and_then(|state| state.token.as_ref()),
        })
    }
}

/// A change of the state that is no turn: by a person, or a hold.
pub struct Change<'a> {
    /// What its commit says, from the state before and after it.
    pub event: &'a dyn Fn(&State, &State) -> SyncEvent,
    /// The change; asked again where somebody else was faster.
    pub apply: &'a dyn Fn(&State) -> Result<State, Refusal>,
    /// The state to begin with, where the branch has no state file; `None`: then nothing can be changed.
    pub initial: Option<State>,
    /// Only the first state is written: one that is there already is left alone.
    pub only_initial: bool,
}

/// Changes the state on the remote, and says what stands there after it. The local branch is left alone.
///
/// Whether a push whose answer was lost has arrived is looked up, so that the change is made once.
pub fn change_state(
    exchange: &mut Exchange,
    repo: &Repo,
    change: &Change<'_>,
) -> Result<Option<Seen>, RunnerError> {
    let seen = exchange.look(repo)?;
    change_seen(exchange, repo, seen, change)
}

/// The same, from a look that was just made. A transient error means that something was pushed, and that nobody knows
/// whether it has arrived.
pub fn change_seen(
    exchange: &mut Exchange,
    repo: &Repo,
    mut seen: Seen,
    change: &Change<'_>,
) -> Result<Option<Seen>, RunnerError> {
    let (mut backoff, mut moves) = (Backoff::for_push(), 0);
    // One whose answer was lost may arrive late.
    let mut pushed = Vec::new();
    loop {
        if change.only_initial && seen.state.is_some() {
            return Ok(Some(seen));
        }
        let Some(before) = seen.state.clone().or_else(|| change.initial.clone()) else { return Ok(None) };
        let after = (change.apply)(&before)?;
        let message = sync_message(&(change.event)(&before, &after), turn_of(&before, &after));
        let commit = exchange.write(repo, &seen.tip, &after, &message)?;
        let onto = seen.tip.clone();
        let (mut said, mut failed) = (None, None);
        match exchange.remote.push(&commit, Some(&onto), PushKind::Turn) {
            Ok(Pushed::Accepted) => return exchange.read(repo, commit).map(Some),
            Ok(Pushed::Refused(refusal)) => said = Some(refusal),
            // Whether it has arrived, the next look tells.
            Err(error) if error.is_stopped() => failed = Some(error),
            Err(error) if error.is_transient() || error.is_no_repository() => {}
            Err(error) if error.may_have_arrived() => failed = Some(error),
            Err(error) => return Err(error.into()),
        }
        pushed.push(commit);
        seen = exchange.look(repo)?;
        // A change keeps the token of a running turn: that the commit is there is what counts.
        for commit in &pushed {
            if repo.contains(&seen.tip, commit)? {
                return Ok(Some(seen));
            }
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        // Where turns follow each other fast a person must get a word in too, and need not wait for anything.
        let is_moved = seen.tip != onto;
        moves += u32::from(is_moved);
        let wait = if is_moved { (moves < MOVES).then_some(Duration::ZERO) } else { backoff.next_wait(0) };
        if let Some(refusal) = said.filter(|it| seen.tip == onto && (wait.is_none() || !it.may_pass())) {
            return Err(refused("the change of the state", refusal).into());
        }
        let Some(wait) = wait else {
            let remote = exchange.name().to_owned();
            return Err(SyncError::TooBusy { remote, what: "the change of the state", tries: MOVES }.into());
        };
        std::thread::sleep(wait);
    }
}

/// Others were faster each time.
pub(super) fn too_busy(exchange: &Exchange, what: &'static str) -> SyncError {
    SyncError::TooBusy { remote: exchange.name().to_owned(), what, tries: TRIES }
}

/// Two processes of one clone that look at the same time have one place for what they see: one of them comes again.
fn when_free<T>(look: impl Fn() -> Result<T, RemoteError>) -> Result<T, RemoteError> {
    for pause in PAUSES {
        match look() {
            Err(RemoteError::Busy { .. }) => std::thread::sleep(pause),
            looked => return looked,
        }
    }
    look()
}

/// The turn that a change takes away from its holder, or gives one.
fn turn_of(before: &State, after: &State) -> Option<TurnId> {
    let ((Some(holder), None) | (None, Some(holder))) = (&before.holder, &after.holder) else { return None };
    holder.id.parse().ok()
}

pub(super) fn refused(what: &'static str, refusal: repo::Refusal) -> SyncError {
    SyncError::Refused { what, refusal: Box::new(refusal) }
}

impl Exchange {
    /// Stores a commit that changes the state file alone.
    pub(super) fn write(
        &self,
        repo: &Repo,
        parent: &ObjectId,
        state: &State,
        message: &str,
    ) -> Result<ObjectId, RunnerError> {
        let files = [(self.file.clone(), state::render(state))];
        let identity = repo.identity()?;
        Ok(repo.write_commit(&FileCommit { parent, files: &files, message, identity: &identity })?)
    }
}
