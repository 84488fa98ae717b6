//! From a room's error to what a person reads: the exit code and what to do next.

use std::io::ErrorKind;

use crate::config::Config;
use crate::ledger::HomeError;
use crate::repo::RepoError;
use crate::runner::{IsolationError, RunnerError, run_command};
use crate::state::StateError;
use crate::turn::Refusal;

use super::sync_failures::{remote_failure, sync_failure};
use super::{Exit, Failure};

/// What goes on where no seat was named.
pub(crate) const PLAIN_RUN: &str = "baton run";

/// The failure of a turn that could not be taken or carried on. `again`: the command that goes on, in the mode in use.
pub(crate) fn runner_failure(error: &RunnerError, config: &Config, again: &str) -> Failure {
    let failure = |exit| Failure::from_error(exit, error);
    match error {
        RunnerError::PromptName { .. }
        | RunnerError::Route(_)
        | RunnerError::Agent(_)
        | RunnerError::UnusablePrompt { .. }
        | RunnerError::Choice(_)
        | RunnerError::Rules(_)
        | RunnerError::CountRegex { .. }
        | RunnerError::NotAvailable { .. } => failure(Exit::Usage),
        RunnerError::Prompt(_) => {
            failure(Exit::Usage).help(format!("the prompts lie in `{}`; `baton init` writes default ones", config.prompts_dir.display()))
        }
        RunnerError::NoCostReported { .. } => {
            failure(Exit::Usage).help("limit `turns`, `wall` or `tokens` instead")
        }
        RunnerError::NoTokensReported { .. } => failure(Exit::Usage).help("limit `turns` or `wall` instead"),
        RunnerError::CannotResume { .. } => {
            failure(Exit::Usage).help("set `turn.session: fresh`, or give the seat an agent that can")
        }
        RunnerError::State(error) => state_failure(error),
        RunnerError::StateGone { iteration, expected, .. } => failure(Exit::Usage).help(format!(
            "put the file back, or write it anew, to go on: \
             {{\"iteration\": {iteration}, \"expected_actor\": \"{expected}\", \"status\": \"idle\"}}"
        )),
        RunnerError::Refused(refusal) => refusal_failure(refusal),
        RunnerError::Repo(error) => repo_failure(error),
        RunnerError::Unpublishable { .. } => failure(Exit::TurnFailed).help(format!(
            "nothing is lost: the changes are in the work tree. Commit or undo by hand what is named, then `{again}`: \
             it goes on at the commit, the agent is not run again"
        )),
        RunnerError::OthersPaths { .. } => failure(Exit::TurnFailed)
            .help("undo what is named, let galph publish it (`publish.docs.globs`, `publish.work.actors`), or add `--tolerate-doc-dirty`")
            .help(format!("then `{again}`: it goes on at the commit, the agent is not run again")),
        RunnerError::Secrets(found) => {
            found.remedies.iter().fold(failure(Exit::TurnFailed), |failure, remedy| failure.help(remedy.as_str()))
        }
        RunnerError::Scanner { .. } => failure(Exit::TurnFailed).help(format!(
            "nothing is lost: the work is still there. Remove what it names, or change the scanner, then `{again}`: it goes on \
             at the commit, the agent is not run again"
        )),
        RunnerError::Home(error) => home_failure(error),
        RunnerError::Journal { .. } => failure(Exit::Usage)
            .help("it was written by another version of baton: go on with that version, or run `baton doctor`"),
        RunnerError::OtherMachine { .. } => failure(Exit::Usage).help(
            "the git directory was copied or is shared: end the turn there, or remove `baton/` in the git directory \
             of this copy if the turn is of no interest",
        ),
        RunnerError::OtherMode { actor, mode, .. } => {
            failure(Exit::Usage).help(format!("`{}` goes on with it", run_command(mode, *actor)))
        }
        RunnerError::Remote(error) => remote_failure(error),
        RunnerError::Sync(error) => sync_failure(error, again),
        RunnerError::Isolation(error) => isolation_failure(error, again),
        RunnerError::Ledger(_) | RunnerError::Attempt(_) | RunnerError::Log { .. } => failure(Exit::Operational),
    }
}

/// The failure of a state that cannot be read or written.
pub(crate) fn state_failure(error: &StateError) -> Failure {
    match error {
        StateError::Unreadable { .. } => Failure::new(Exit::Usage, error.to_string())
            .help("`baton doctor --fix` restores the newest valid version; nothing is reset"),
        StateError::Read { .. } | StateError::Write { .. } => Failure::from_error(Exit::Operational, error),
    }
}

/// The failure of a change that the state does not allow now.
pub(crate) fn refusal_failure(refusal: &Refusal) -> Failure {
    let failure = |exit| Failure::new(exit, refusal.to_string());
    match refusal {
        Refusal::Held { .. } => failure(Exit::Held).help("`baton hold clear ID` clears a hold"),
        Refusal::Fenced { .. } => failure(Exit::Fenced)
            .help("nothing of this turn was published; its commits are kept under `refs/baton-rescue/`, and what was not committed is still in the work tree"),
        Refusal::Running { .. } => failure(Exit::Fenced).help(
            "if that process is gone for good, `baton takeover` gives the turn back; if it runs elsewhere, let it end",
        ),
        Refusal::LastTurnFailed { .. } => failure(Exit::TurnFailed),
        Refusal::NotYourTurn { .. }
        | Refusal::NotFailed { .. }
        | Refusal::NotRunning { .. }
        | Refusal::NoSuchHold { .. } => failure(Exit::Usage),
    }
}

/// The failure of a repository that is not fit, or that git could not work with.
pub(crate) fn repo_failure(error: &RepoError) -> Failure {
    let exit = if error.is_condition() { Exit::Usage } else { Exit::Operational };
    Failure::from_error(exit, error)
}

/// The failure of an isolated loop's work tree.
pub(crate) fn isolation_failure(error: &IsolationError, again: &str) -> Failure {
    let failure = |exit| Failure::from_error(exit, error);
    match error {
        IsolationError::NoBranch { branch } => {
            failure(Exit::Usage).help(format!("`git branch {branch}` makes it from what is checked out here"))
        }
        IsolationError::Reftable => failure(Exit::Usage)
            .help("convert it with `git refs migrate --ref-format=files`, or run with `--isolation none`"),
        IsolationError::CheckedOut { branch, at } => failure(Exit::Usage)
            .help(format!("`git -C '{}' switch OTHER` leaves it to the turns", at.display()))
            .help(format!("or `git branch {branch}-turns`, then `baton run --branch {branch}-turns`"))
            .help("if that work tree is gone for good, `git worktree prune` makes git forget it"),
        IsolationError::InTheWay { .. } => failure(Exit::Usage).help("look at it, and move it away"),
        IsolationError::EntryLocked { path, .. } => failure(Exit::Usage)
            .help(format!("bring it back, or `git worktree unlock '{}'`, then start again", path.display())),
        IsolationError::Filter { branch, path, .. } => failure(Exit::Usage).help(format!(
            "make the work tree with git, and start again: `git worktree add '{}' {branch}`",
            path.display()
        )),
        IsolationError::TreeGone { .. } => failure(Exit::Operational).help(format!(
            "`{again}` makes or mends it, and goes on with the turn; what was committed and the state are safe"
        )),
        IsolationError::NoLoop { .. } => {
            failure(Exit::Usage).help("`baton worktree list` shows those that there are")
        }
        IsolationError::OpenTurn { .. } => {
            failure(Exit::Usage)
                .help(format!("`{again}` ends the turn; `baton stop` before it keeps the next from beginning"))
        }
        IsolationError::Uncommitted { path, .. } => failure(Exit::Usage)
            .help(format!("commit it or throw it away, in `{}`", path.display())),
        IsolationError::Ignored { .. } => failure(Exit::Usage)
            .help("copy what you want to keep; `--discard-ignored` removes them with the work tree"),
        IsolationError::Nested { .. } => {
            failure(Exit::Usage).help("move it away; for a submodule, `git submodule deinit` there")
        }
        IsolationError::Repo(error) => repo_failure(error),
        IsolationError::Home(error) => home_failure(error),
        IsolationError::Ledger(_) | IsolationError::Move { .. } => failure(Exit::Operational),
    }
}

fn home_failure(error: &HomeError) -> Failure {
    let failure = Failure::from_error(Exit::Operational, error);
    match error {
        HomeError::Busy { .. } => {
            failure.help("wait for it to end, or stop it; `baton status` tells what it does")
        }
        HomeError::NoStateDirectory => failure.help("set HOME or XDG_STATE_HOME"),
        HomeError::Unusable { source, .. }
            if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
        {
            failure
        }
        HomeError::Unusable { .. } => failure.help("make the directory writable for this user"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Overrides;
    use crate::model::{Actor, TurnId};
    use rstest::rstest;

    const TURN: &str = "01JD5F3Z8K0000000000000000";

    fn turn() -> TurnId {
        TURN.parse().unwrap()
    }

    #[rstest]
    #[case::role(
        RunnerError::OtherMode { turn: turn(), actor: Actor::Ralph, mode: "role".into() },
        2,
        "error: ralph's turn TURN was begun in role mode and has not ended\n  \
         help: `baton run --mode role --role ralph` goes on with it"
    )]
    #[case::solo(
        RunnerError::OtherMode { turn: turn(), actor: Actor::Galph, mode: "solo".into() },
        2,
        "error: galph's turn TURN was begun in solo mode and has not ended\n  \
         help: `baton run --mode solo --role galph` goes on with it"
    )]
    #[case::combined(
        RunnerError::OtherMode { turn: turn(), actor: Actor::Ralph, mode: "combined".into() },
        2,
        "error: ralph's turn TURN was begun in combined mode and has not ended\n  help: `baton run` goes on with it"
    )]
    #[case::unpublishable(
        RunnerError::Unpublishable { actor: Actor::Ralph, problems: vec!["a: it is protected".into()] },
        5,
        "error: ralph's work cannot be committed:\n    a: it is protected\n  \
         help: nothing is lost: the changes are in the work tree. Commit or undo by hand what is named, then `AGAIN`: it \
         goes on at the commit, the agent is not run again"
    )]
    #[case::others_paths(
        RunnerError::OthersPaths { actor: Actor::Galph, paths: "src/a.rs and 3 more".into() },
        5,
        "error: galph changed what it does not publish: src/a.rs and 3 more\n  \
         help: undo what is named, let galph publish it (`publish.docs.globs`, `publish.work.actors`), or add \
         `--tolerate-doc-dirty`\n  \
         help: then `AGAIN`: it goes on at the commit, the agent is not run again"
    )]
    #[case::scanner(
        RunnerError::Scanner { actor: Actor::Ralph, how: "exit code 1".into(), tail: String::new() },
        5,
        "error: `publish.secrets.scanner` refuses ralph's work (exit code 1), and nothing is committed\n  \
         help: nothing is lost: the work is still there. Remove what it names, or change the scanner, then `AGAIN`: it goes \
         on at the commit, the agent is not run again"
    )]
    fn what_a_person_does_next_is_the_command_of_the_mode_in_use(
        #[case] error: RunnerError,
        #[case] code: u8,
        #[case] text: &str,
        #[values("baton run", "baton run --mode role --role galph")] again: &str,
    ) {
        let workspace = tempfile::tempdir().unwrap();
        let config =
            crate::config::load(workspace.path(), None, &BTreeMap::new(), &Overrides::default(), None)
                .unwrap()
                .config;
        let failure = runner_failure(&error, &config, again);
        let text = text.replace("AGAIN", again).replace("TURN", TURN);
        assert_eq!((failure.exit.code(), failure.to_string()), (code, text));
    }
}
