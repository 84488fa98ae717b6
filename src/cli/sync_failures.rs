//! What a person reads when turns cannot be exchanged with the other machine.

use super::failures::repo_failure;
use super::{Exit, Failure};
use crate::repo::RemoteError;
use crate::runner::SyncError;

/// The failure of a remote.
pub(crate) fn remote_failure(error: &RemoteError) -> Failure {
    match error {
        RemoteError::Here(error) => repo_failure(error),
        _ => Failure::from_error(Exit::Operational, error),
    }
}

/// The failure of an exchange.
pub(crate) fn sync_failure(error: &SyncError) -> Failure {
    let failure = |exit| Failure::from_error(exit, error);
    match error {
        SyncError::NoBranch { remote, branch, seen_before: false } => failure(Exit::Usage)
            .help(format!("`git push -u {remote} {branch}` puts it there")),
        SyncError::NoBranch { remote, branch, seen_before: true } => failure(Exit::Operational)
            .help(format!("somebody has deleted it: `git push {remote} refs/baton/remote/heads/{branch}:refs/heads/{branch}` brings back what was seen last")),
        SyncError::Unreadable { .. } => failure(Exit::Usage)
            .help("`baton doctor --fix` puts the newest valid version back, from the history; nothing is reset"),
        SyncError::StateGone { remote, branch, file, commit } => failure(Exit::Usage).help(format!(
            "nothing is reset: `git checkout {commit} -- {file}`, commit it, and `git push {remote} {branch}`"
        )),
        SyncError::Ahead { branch, remote, .. } => failure(Exit::Usage)
            .help(format!("`git push {remote} {branch}` publishes them, and `--publish-existing` does so with the next turn"))
            .help(format!("or keep them elsewhere: `git branch KEPT` and `git reset --keep {remote}/{branch}`")),
        SyncError::InTheWay { .. } => failure(Exit::Operational)
            .help("commit, move or undo these changes, then start again; nothing was overwritten"),
        SyncError::Conflict { remote, branch, .. } => failure(Exit::Operational)
            .help(format!("`git pull --rebase {remote} {branch}`, resolve what it names, `git rebase --continue`"))
            .help("then start again: it goes on with the publication, and no agent is run again"),
        SyncError::Unrelated { remote, branch } => failure(Exit::Usage)
            .help(format!("take another branch, or the remote's: `git branch KEPT` and `git reset --keep {remote}/{branch}`")),
        SyncError::Rewritten { remote, branch, .. } => failure(Exit::Operational)
            .help(format!("look at both: `git log --oneline --graph {branch} refs/baton/remote/heads/{branch}`"))
            .help(format!("the turn's work is still on `{branch}` here; if the rewritten branch is right, `git branch KEPT`, `git reset --keep {remote}/{branch}` and `baton takeover` by hand")),
        SyncError::StateEdited { file, .. } => failure(Exit::Usage)
            .help(format!("`git checkout -- {file}` takes what is committed; `baton pass`, `baton hold` and `baton stop` change the state for both sides")),
        SyncError::Refused { .. } => failure(Exit::Operational)
            .help("the server's own rules decide; what is done here waits, and the next start pushes it again"),
        SyncError::TooBusy { .. } => failure(Exit::Operational)
            .help("what is done here waits, and the next start pushes it again"),
        SyncError::HeldFromPeer { .. } => failure(Exit::Held)
            .help("`baton hold list` shows what stands; when it is cleared, the next start passes the baton"),
        SyncError::WaitedTooLong { .. } => failure(Exit::Operational)
            .help("`--max-wait-sec` sets how long; 0 waits without limit"),
    }
}
