//! What a person reads when turns cannot be exchanged with the other machine.

use super::failures::repo_failure;
use super::{Exit, Failure};
use crate::repo::RemoteError;
use crate::runner::SyncError;

const STASH: &str = "changes of yours that are not committed are in its way: `git stash` before it, `git stash pop --index` after it; committed, they would be published with the turn";

fn rebase(remote: &str, branch: &str) -> String {
    format!("`git pull --rebase {remote} {branch}`, resolve what it names, `git rebase --continue`")
}

/// The failure of a remote.
pub(crate) fn remote_failure(error: &RemoteError) -> Failure {
    match error {
        RemoteError::Here(error) => repo_failure(error),
        _ => Failure::from_error(Exit::Operational, error),
    }
}

/// The failure of an exchange. `again`: the command that goes on.
pub(crate) fn sync_failure(error: &SyncError, again: &str) -> Failure {
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
            .help(format!("commit, move or undo these changes, then `{again}`; nothing was overwritten")),
        SyncError::Conflict { remote, branch, .. } => failure(Exit::Operational)
            .help(rebase(remote, branch))
            .help(STASH)
            .help(format!("then `{again}`; nothing was claimed")),
        SyncError::WorkConflict { remote, branch, .. } => failure(Exit::TurnFailed)
            .help(rebase(remote, branch))
            .help(STASH)
            .help(format!("then `{again}`: it goes on with the publication, and no agent is run again")),
        SyncError::WorkRefused { branch, .. } => failure(Exit::TurnFailed)
            .help(format!("nothing is lost: the work is committed on `{branch}` here. Mend there what it names, in a commit on top or by rewriting the turn's"))
            .help(format!("then `{again}`: it goes on with the publication, and no agent is run again")),
        SyncError::Unrelated { remote, branch } => failure(Exit::Usage)
            .help(format!("take another branch, or the remote's: `git branch KEPT` and `git reset --keep {remote}/{branch}`")),
        SyncError::Rewritten { remote, branch, .. } => failure(Exit::Operational)
            .help(format!("look at both: `git log --oneline --graph {branch} refs/baton/remote/heads/{branch}`"))
            .help(format!("the turn's work is still on `{branch}` here; if the rewritten branch is right, `git branch KEPT`, `git reset --keep {remote}/{branch}` and `baton takeover` by hand")),
        SyncError::StateEdited { file, .. } => failure(Exit::Usage)
            .help(format!("`git checkout -- {file}` takes what is committed; `baton pass`, `baton hold` and `baton stop` change the state for both sides")),
        SyncError::Refused { .. } => failure(Exit::Operational)
            .help(format!("the server's own rules decide; what is done here waits, and the next `{again}` pushes it again")),
        SyncError::TooBusy { .. } => failure(Exit::Operational)
            .help(format!("what is done here waits, and the next `{again}` pushes it again")),
        SyncError::Overtaken { .. } => failure(Exit::Operational)
            .help(format!("`{again}` goes on with the publication, and no agent is run again")),
        SyncError::HeldFromPeer { .. } => failure(Exit::Held)
            .help(format!("`baton hold list` shows what stands; when it is cleared, the next `{again}` passes the baton")),
        SyncError::WaitedTooLong { .. } => failure(Exit::Operational)
            .help("`--max-wait-sec` sets how long; 0 waits without limit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Actor, Span};
    use crate::repo::{Refusal, RefusalKind};
    use rstest::rstest;

    #[rstest]
    #[case(
        SyncError::StateGone {
            remote: "origin".into(), branch: "main".into(), file: "sync/state.json".into(), commit: "abc1234".into()
        },
        2,
        "error: sync/state.json has disappeared from `main` on `origin`; commit abc1234 has it still\n  \
         help: nothing is reset: `git checkout abc1234 -- sync/state.json`, commit it, and `git push origin main`"
    )]
    #[case(
        SyncError::StateEdited { file: "sync/state.json".into(), remote: "origin".into() },
        2,
        "error: sync/state.json has changes that are not committed, and in role mode the state is what `origin` has\n  \
         help: `git checkout -- sync/state.json` takes what is committed; `baton pass`, `baton hold` and `baton stop` \
         change the state for both sides"
    )]
    #[case(
        SyncError::HeldFromPeer { holds: "wait (pause)".into() },
        4,
        "error: the baton is not passed while a hold stands: wait (pause); the other side runs the earlier scripts, \
         which do not know holds\n  \
         help: `baton hold list` shows what stands; when it is cleared, the next `baton run --mode role --role ralph` \
         passes the baton"
    )]
    #[case(
        SyncError::TooBusy { remote: "origin".into(), what: "the work", tries: 5 },
        1,
        "error: the branch on `origin` moved 5 times while the work was pushed\n  \
         help: what is done here waits, and the next `baton run --mode role --role ralph` pushes it again"
    )]
    #[case(
        SyncError::Overtaken {
            remote: "origin".into(),
            branch: "main".into(),
            actor: Actor::Ralph,
            times: 212,
            waited: Span::from_secs(600),
            commits: vec!["abc1234 RALPH AUTO (prompt=main.md) (iter=00003): work".into()],
        },
        1,
        "error: `main` on `origin` moved 212 time(s) in 10m while ralph's turn was published; it waits here:\n    \
         abc1234 RALPH AUTO (prompt=main.md) (iter=00003): work\n  \
         help: `baton run --mode role --role ralph` goes on with the publication, and no agent is run again"
    )]
    #[case(
        SyncError::Conflict {
            remote: "origin".into(),
            branch: "main".into(),
            commit: "abc1234 work".into(),
            paths: vec!["src/a.rs".into()],
        },
        1,
        "error: commit abc1234 work does not fit on what is new on `origin`; both change:\n    src/a.rs\n  \
         help: `git pull --rebase origin main`, resolve what it names, `git rebase --continue`\n  \
         help: changes of yours that are not committed are in its way: `git stash` before it, `git stash pop --index` \
         after it; committed, they would be published with the turn\n  \
         help: then `baton run --mode role --role ralph`; nothing was claimed"
    )]
    #[case(
        SyncError::WorkConflict {
            actor: Actor::Ralph,
            remote: "origin".into(),
            branch: "main".into(),
            commit: "abc1234 work".into(),
            paths: vec!["src/a.rs".into()],
        },
        5,
        "error: ralph's work does not fit on what is new on `origin`: commit abc1234 work, both change:\n    src/a.rs\n  \
         help: `git pull --rebase origin main`, resolve what it names, `git rebase --continue`\n  \
         help: changes of yours that are not committed are in its way: `git stash` before it, `git stash pop --index` \
         after it; committed, they would be published with the turn\n  \
         help: then `baton run --mode role --role ralph`: it goes on with the publication, and no agent is run again"
    )]
    #[case(
        SyncError::WorkRefused {
            actor: Actor::Ralph,
            branch: "main".into(),
            refusal: Box::new(Refusal {
                kind: RefusalKind::Hook,
                reason: "pre-push".into(),
                said: vec!["it is ugly".into()],
                remote: "origin".into(),
                url: "/srv/repo.git".into(),
                branch: "main".into(),
            }),
        },
        5,
        "error: ralph's work cannot be pushed: the hook `pre-push` refused the push to `main` of the remote `origin`; put right \
         what it names, or the hook:\n        it is ugly\n  \
         help: nothing is lost: the work is committed on `main` here. Mend there what it names, in a commit on top or by \
         rewriting the turn's\n  \
         help: then `baton run --mode role --role ralph`: it goes on with the publication, and no agent is run again"
    )]
    #[case(
        SyncError::InTheWay { remote: "origin".into(), paths: vec!["src/a.rs".into()] },
        1,
        "error: what is new on `origin` changes files that are changed here too:\n    src/a.rs\n  \
         help: commit, move or undo these changes, then `baton run --mode role --role ralph`; nothing was overwritten"
    )]
    #[case(
        SyncError::Rewritten {
            remote: "origin".into(),
            branch: "main".into(),
            lost: "abc1234".into(),
            what: "is the claim of the running turn",
        },
        1,
        "error: `main` on `origin` was rewritten: it has lost abc1234, which is the claim of the running turn\n  \
         help: look at both: `git log --oneline --graph main refs/baton/remote/heads/main`\n  \
         help: the turn's work is still on `main` here; if the rewritten branch is right, `git branch KEPT`, \
         `git reset --keep origin/main` and `baton takeover` by hand"
    )]
    #[case(
        SyncError::WaitedTooLong {
            waited: Span::from_secs(90),
            why: "waiting for galph to take its turn (iteration 3)".into(),
        },
        1,
        "error: waited 90s (`sync.max_wait`): waiting for galph to take its turn (iteration 3)\n  \
         help: `--max-wait-sec` sets how long; 0 waits without limit"
    )]
    fn what_stands_in_the_way_of_an_exchange_is_told_with_the_way_on(
        #[case] error: SyncError,
        #[case] code: u8,
        #[case] text: &str,
    ) {
        let failure = sync_failure(&error, "baton run --mode role --role ralph");
        assert_eq!((failure.exit.code(), failure.to_string().as_str()), (code, text));
    }
}
