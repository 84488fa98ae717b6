//! Why a turn cannot be exchanged with the other machine.

use crate::model::{Actor, Span};
use crate::publish::RepoPath;
use crate::repo::Refusal;

/// The exchange of turns cannot go on as things are. Nothing was lost, and what is said here is the way on.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The branch is not on the remote.
    #[error("the remote `{remote}` has no branch `{branch}`")]
    NoBranch {
        /// The remote's name.
        remote: String,
        /// The branch.
        branch: String,
        /// Whether this process has seen it there.
        seen_before: bool,
    },
    /// The state on the remote cannot be read.
    #[error("{place}:{line}:{column}: not a valid turn state: {found}")]
    Unreadable {
        /// Remote, branch and file.
        place: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What stands there.
        found: String,
    },
    /// The branch had a state, and the file is gone.
    #[error("{file} has disappeared from `{branch}` on `{remote}`; commit {commit} has it still")]
    StateGone {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// The file.
        file: String,
        /// The newest commit that has it, short.
        commit: String,
    },
    /// The local branch has commits that nobody asked to publish.
    #[error(
        "`{branch}` has {} commit(s) that are not on `{remote}` and not of any turn here:{}",
        .commits.len(), listed(.commits)
    )]
    Ahead {
        /// The branch.
        branch: String,
        /// The remote.
        remote: String,
        /// Short name and subject of each, oldest first.
        commits: Vec<String>,
    },
    /// Files that would be overwritten by what came from the remote.
    #[error(
        "what is new on `{remote}` changes files that are changed here too:{}",
        listed_paths(.paths)
    )]
    InTheWay {
        /// The remote.
        remote: String,
        /// The files.
        paths: Vec<RepoPath>,
    },
    /// Commits that are here before a turn, and some there, change the same lines.
    #[error("commit {commit} does not fit on what is new on `{remote}`; both change:{}", listed_paths(.paths))]
    Conflict {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// Short name and subject of the local commit.
        commit: String,
        /// The files.
        paths: Vec<RepoPath>,
    },
    /// A turn's work, and what others have pushed meanwhile, change the same lines.
    #[error(
        "{actor}'s work does not fit on what is new on `{remote}`: commit {commit}, both change:{}",
        listed_paths(.paths)
    )]
    WorkConflict {
        /// Whose work.
        actor: Actor,
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// Short name and subject of the turn's commit.
        commit: String,
        /// The files.
        paths: Vec<RepoPath>,
    },
    /// A hook, or a rule of the server's, forbids this work.
    #[error("{actor}'s work cannot be pushed: {refusal}")]
    WorkRefused {
        /// Whose work.
        actor: Actor,
        /// The branch.
        branch: String,
        /// In the server's words.
        refusal: Box<Refusal>,
    },
    /// The two branches have no commit in common.
    #[error("`{branch}` here and `{branch}` on `{remote}` have no commit in common")]
    Unrelated {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
    },
    /// The remote's branch was rewritten, and has lost the claim of the running turn.
    #[error("`{branch}` on `{remote}` was rewritten: it has lost {lost}, which {what}")]
    Rewritten {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// The commit, short.
        lost: String,
        /// What it was.
        what: &'static str,
    },
    /// The state file here holds something that nobody has committed.
    #[error("{file} has changes that are not committed, and in role mode the state is what `{remote}` has")]
    StateEdited {
        /// The file.
        file: String,
        /// The remote.
        remote: String,
    },
    /// The server, or a hook, does not take the push.
    #[error("{what} cannot be pushed: {refusal}")]
    Refused {
        /// What was pushed.
        what: &'static str,
        /// In the server's words.
        refusal: Box<Refusal>,
    },
    /// Others were faster each time.
    #[error("the branch on `{remote}` moved {tries} times while {what} was pushed")]
    TooBusy {
        /// The remote.
        remote: String,
        /// What was pushed.
        what: &'static str,
        /// How often it was tried.
        tries: u32,
    },
    /// Others have pushed between all tries of a publication, for as long as it may take.
    #[error(
        "`{branch}` on `{remote}` moved {times} time(s) in {waited} while {actor}'s turn was published; it waits here{}",
        with_commits(.commits)
    )]
    Overtaken {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// Whose turn.
        actor: Actor,
        /// How often others were faster.
        times: u32,
        /// How long it was tried.
        waited: Span,
        /// Short name and subject of each commit of work, oldest first.
        commits: Vec<String>,
    },
    /// The other machine runs the earlier scripts, which know no holds.
    #[error(
        "the baton is not passed while a hold stands: {holds}; the other side runs the earlier scripts, which do not know holds"
    )]
    HeldFromPeer {
        /// What stands.
        holds: String,
    },
    /// The configured longest wait is over.
    #[error("waited {waited} (`sync.max_wait`): {why}")]
    WaitedTooLong {
        /// How long.
        waited: Span,
        /// For what, or what was in the way.
        why: String,
    },
}

fn with_commits(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!(":{}", listed(lines)) }
}

fn listed(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + "\n    " + line)
}

fn listed_paths(paths: &[RepoPath]) -> String {
    paths.iter().fold(String::new(), |text, path| format!("{text}\n    {path}"))
}
