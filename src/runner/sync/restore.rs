//! A state on the remote that nobody can read: the newest version of it that can be read is put back on top.

use super::super::RunnerError;
use super::error::SyncError;
use super::exchange::refused;
use crate::model::State;
use crate::publish::{ObjectId, RepoPath};
use crate::repo::{FileCommit, PushKind, Pushed, Remote, RemoteError, Repo};
use crate::state;
use crate::turn::sync::{SyncEvent, sync_message};

/// How often it is tried while others push.
const TRIES: u32 = 5;

/// A state that was put back.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoredState {
    /// The state, as that version has it: a turn that runs goes on with it.
    pub state: State,
    /// The commit that has it, shortened.
    pub source: String,
    /// The commit that puts it back.
    pub commit: ObjectId,
}

/// The state file from the root of the repository.
pub fn state_path(repo: &Repo, state_file: &std::path::Path) -> RepoPath {
    RepoPath::from_path(&repo.prefix().as_path().join(state_file))
}

/// The newest version in this history that can be read, and the commit that has it; `None` where there is none.
pub fn newest_readable(
    repo: &Repo,
    tip: &ObjectId,
    file: &RepoPath,
) -> Result<Option<(State, String)>, RunnerError> {
    let found = repo.newest_version_from(tip, file, |bytes| state::parse(bytes).ok())?;
    Ok(found.map(|version| (version.found, version.commit)))
}

/// Puts the newest version that can be read back where the branch on the remote has a state that cannot be read, or has
/// lost it. `None`: the state there is in order, or there never was one that could be read.
pub fn restore_state(
    repo: &Repo,
    remote: &Remote,
    state_file: &std::path::Path,
) -> Result<Option<RestoredState>, RunnerError> {
    let file = state_path(repo, state_file);
    let mut made: Option<RestoredState> = None;
    let mut refusal = None;
    for _ in 0..TRIES {
        let Some(tip) = remote.look()? else { return Ok(None) };
        if repo.file_at(&tip, &file)?.is_some_and(|bytes| state::parse(&bytes).is_ok()) {
            // Ours may have arrived although its answer was lost.
            return Ok(match made {
                Some(made) if repo.contains(&tip, &made.commit)? => Some(made),
                Some(_) | None => None,
            });
        }
        if let Some(refusal) = refusal.take() {
            return Err(refused("the restored state", refusal).into());
        }
        let Some((state, source)) = newest_readable(repo, &tip, &file)? else { return Ok(None) };
        let message = sync_message(&SyncEvent::Restored { iteration: state.iteration }, None);
        let files = [(file.clone(), state::render(&state))];
        let identity = repo.identity()?;
        let plan = FileCommit { parent: &tip, files: &files, message: &message, identity: &identity };
        let commit = repo.write_commit(&plan)?;
        let restored = RestoredState { state, source, commit: commit.clone() };
        match remote.push(&commit, Some(&tip), PushKind::Turn) {
            Ok(Pushed::Accepted) => return Ok(Some(restored)),
            Ok(Pushed::Refused(said)) => refusal = Some(said).filter(|said| !said.may_pass()),
            Err(error) if error.is_stopped() => return Err(error.into()),
            Err(error) if error.is_transient() => {}
            Err(error) => return Err(RemoteError::into(error)),
        }
        made = Some(restored);
    }
    let remote = remote.facts().name.clone();
    Err(SyncError::TooBusy { remote, what: "the restored state", tries: TRIES }.into())
}
