//! `baton pass`: stamps a handoff by hand, without a turn.

use clap::ValueEnum;

use super::change::{ChangePlace, Edit, Target, refuse_in_attempt, report};
use super::failures::repo_failure;
use super::{Context, Exit, Failure};
use crate::model::{Actor, State};
use crate::repo::{Repo, RepoError};
use crate::turn::sync::SyncEvent;
use crate::turn::{ByHand, Failed, Input, OverRunning, apply};

/// Pass the baton by hand, or mark a seat's turn as failed
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Whose turn is stamped
    #[arg(value_enum)]
    actor: Seat,
    /// How it went
    #[arg(value_enum)]
    result: TurnResult,
    /// Stamp over a running turn: it is fenced off, and nothing of it is published any more
    #[arg(long)]
    force: bool,
    /// Do not look at the repository; implies `--local`
    #[arg(long)]
    no_git: bool,
    /// The same as `--local`: stamp the file here only
    #[arg(long)]
    no_push: bool,
    /// Has no effect: nothing of what is changed here is touched
    #[arg(long)]
    allow_dirty: bool,
    #[command(flatten)]
    place: ChangePlace,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A seat on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Seat {
    /// The supervisor
    Galph,
    /// The engineer
    Ralph,
}

impl From<Seat> for Actor {
    fn from(seat: Seat) -> Self {
        match seat {
            Seat::Galph => Self::Galph,
            Seat::Ralph => Self::Ralph,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TurnResult {
    /// The baton goes to the other side
    Ok,
    /// The state becomes `failed`
    Fail,
}

/// Stamps the state.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    refuse_in_attempt("pass", context)?;
    if args.allow_dirty {
        context.output.note("note: `--allow-dirty` has no effect: what is changed here is never touched, and never in the way");
    }
    let place = if args.no_push || args.no_git { args.place.to_local() } else { args.place.clone() };
    let mut target = Target::to_change(&place, context)?;
    let before = target.read()?;
    let actor = Actor::from(args.actor);
    let commit = match target.shared() {
        Some(shared) => shared.tip_short(),
        None if args.no_git => None,
        None => head(&target, context)?,
    };
    let by_hand = ByHand {
        actor,
        token: context.ambient.new_token(),
        commit,
        failed: (args.result == TurnResult::Fail).then_some(Failed),
        running: if args.force { OverRunning::Force } else { OverRunning::Refuse },
    };
    if before.status.runner().is_some() && !args.force {
        return Err(running(&before));
    }
    let now = context.ambient.now();
    let edit = Edit {
        apply: &|state| apply(state, Input::ByHand(by_hand.clone()), now),
        event: &|_, after| event(actor, after),
    };
    let changed = target.update(&edit, context)?;
    let words = words(actor, &before, &changed.state);
    Ok(report(&words, &changed, &target, args.json.into(), context))
}

fn event(actor: Actor, after: &State) -> SyncEvent {
    let iteration = after.iteration;
    let commit = match actor {
        Actor::Galph => after.galph_commit.clone(),
        Actor::Ralph => after.ralph_commit.clone(),
    };
    if after.expected_actor == actor {
        SyncEvent::Failed { iteration, actor, commit }
    } else {
        SyncEvent::Passed { iteration, actor, commit }
    }
}

/// HEAD, short; none where there is no repository or no commit.
fn head(target: &Target, context: &Context) -> Result<Option<String>, Failure> {
    let git = &target.located.config.config.git;
    let repo = Repo::open_configured(&target.located.root, git, &context.ambient);
    match repo.and_then(|repo| repo.head()) {
        Ok(head) => Ok(Some(head.short)),
        Err(RepoError::NotARepository { .. } | RepoError::NoCommits { .. }) => Ok(None),
        Err(error) => Err(repo_failure(&error).help("or leave git alone with `--no-git`")),
    }
}

fn running(state: &State) -> Failure {
    let by = state.holder.as_ref().map_or_else(String::new, |holder| {
        format!(", held by {} (pid {}) since {}", holder.host, holder.pid, holder.since)
    });
    Failure::new(Exit::Fenced, format!("a turn is running: status is `{}`{by}", state.status))
        .help("wait for it to end; `baton status` tells what it does")
        .help("`--force` stamps over it: the turn is fenced off, and nothing of it is published any more")
}

fn words(actor: Actor, before: &State, after: &State) -> String {
    let fenced = match before.status.runner() {
        Some(running) => format!("{running}'s running turn is fenced off: it publishes nothing any more.\n"),
        None => String::new(),
    };
    let result = if after.expected_actor == actor { "failed" } else { "passed" };
    format!(
        "{fenced}Stamped by hand: {actor} {result}. It is {}'s turn now, iteration {}, status `{}`.",
        after.expected_actor, after.iteration, after.status
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Holder, Status};
    use jiff::Timestamp;

    fn state(status: Status) -> State {
        State { status, iteration: 3, ..State::initial(Timestamp::UNIX_EPOCH) }
    }

    #[test]
    fn it_is_said_whose_turn_it_is_now_and_what_was_fenced_off() {
        let after = State { expected_actor: Actor::Ralph, ..state(Status::WaitingRalph) };
        assert_eq!(
            words(Actor::Galph, &state(Status::Idle), &after),
            "Stamped by hand: galph passed. It is ralph's turn now, iteration 3, status `waiting-ralph`."
        );
        assert_eq!(
            words(Actor::Galph, &state(Status::RunningGalph), &state(Status::Failed)),
            "galph's running turn is fenced off: it publishes nothing any more.\n\
             Stamped by hand: galph failed. It is galph's turn now, iteration 3, status `failed`."
        );
    }

    #[test]
    fn a_running_turn_is_not_stamped_over_unasked() {
        let mut state = state(Status::RunningGalph);
        state.holder =
            Some(Holder { id: "x".into(), host: "here".into(), pid: 7, since: Timestamp::UNIX_EPOCH });
        insta::assert_snapshot!(running(&state), @r"
        error: a turn is running: status is `running-galph`, held by here (pid 7) since 1970-01-01T00:00:00Z
          help: wait for it to end; `baton status` tells what it does
          help: `--force` stamps over it: the turn is fenced off, and nothing of it is published any more
        ");
    }
}
