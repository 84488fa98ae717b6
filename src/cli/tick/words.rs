//! What came of a tick, in one line and in one word.

use serde_json::{Value, json};

use crate::cli::run::failed_in_words;
use crate::cli::words::one_line;
use crate::ledger::HomeError;
use crate::mode::{Idle, LoopEnd, LoopReport, TickEnd, TickReport};
use crate::model::{Actor, Holder, Span, State};
use crate::runner::{ROLE, TurnEnd, TurnOutcome, run_command};
use crate::turn::sync::Waiting;

/// The line of a tick, without its time.
pub(super) fn in_words(report: &TickReport, actor: Actor) -> String {
    match &report.end {
        TickEnd::Turn(turns) => format!("{actor}: {}", turn_in_words(turns)),
        TickEnd::Idle(idle) => {
            format!("{actor}: nothing to do: {}", idle_in_words(idle, report.state.as_ref()))
        }
    }
}

fn turn_in_words(report: &LoopReport) -> String {
    let told: Vec<String> = report.turns.iter().map(outcome_in_words).collect();
    let told = if told.is_empty() { "no turn was taken".to_owned() } else { told.join("; ") };
    match &report.end {
        LoopEnd::Completed(evidence) => format!("{told}; complete: {}", one_line(evidence)),
        _ => told,
    }
}

fn outcome_in_words(turn: &TurnOutcome) -> String {
    let whose = format!("turn {} of iteration {}", turn.turn, turn.iteration);
    match &turn.end {
        TurnEnd::Void => format!("{whose} was never claimed"),
        TurnEnd::Suspended { .. } => format!("{whose} waits for the next tick, after a signal"),
        TurnEnd::Closed { class, detail, .. } => {
            let why = if detail.is_empty() { String::new() } else { format!(" ({})", one_line(detail)) };
            let agent = turn.agent.as_deref().unwrap_or("no agent");
            let prompt = turn.prompt.as_deref().unwrap_or("no prompt");
            let (commits, took) = (turn.commits.len(), Span::from_secs(turn.wall.as_secs()));
            format!("{whose} ended {class}{why}: {prompt}, {agent}, {commits} commit(s), {took}")
        }
    }
}

fn idle_in_words(idle: &Idle, state: Option<&State>) -> String {
    let iteration = state.map_or_else(String::new, |state| format!(" (iteration {})", state.iteration));
    match idle {
        Idle::NotYourTurn(waiting) => waiting_in_words(waiting, &iteration),
        Idle::Held(holds) => {
            let told: Vec<String> = holds
                .iter()
                .map(|hold| {
                    let until = hold.until.map_or_else(String::new, |until| format!(" until {until}"));
                    format!(
                        "{} ({}{until}), `baton hold clear {}`",
                        one_line(&hold.reason),
                        hold.kind,
                        hold.id
                    )
                })
                .collect();
            format!("held: {}", told.join("; "))
        }
        Idle::Failed { actor, iteration, failure } => {
            let what = failed_in_words(*actor, *iteration, failure.as_ref());
            let waits = failure.as_ref().is_some_and(|failure| failure.waits);
            let does = if waits { "publishes its work when that is mended" } else { "takes it again" };
            format!(
                "{what}; on its machine `baton tick --role {actor} --retry-failed` or `{}` {does}",
                run_command(ROLE, *actor)
            )
        }
        Idle::Exit(reason) if reason.is_empty() => {
            "stopped (`baton stop --clear` lets the turns go on)".to_owned()
        }
        Idle::Exit(reason) => {
            format!("stopped: {} (`baton stop --clear` lets the turns go on)", one_line(reason))
        }
        Idle::Busy(HomeError::Busy { path, owner }) if path.is_dir() => {
            let owner = if owner.is_empty() { String::new() } else { format!(" ({owner})") };
            format!("another baton uses the work tree{owner}")
        }
        Idle::Busy(HomeError::Busy { owner, .. }) if !owner.is_empty() => {
            format!("this seat is taken by another baton here ({owner})")
        }
        Idle::Busy(_) => "this seat is taken by another baton here".to_owned(),
        Idle::Offline(error) => format!("offline: {error}"),
        Idle::ClaimLost => "another machine was faster; nothing has changed here".to_owned(),
    }
}

fn waiting_in_words(waiting: &Waiting, iteration: &str) -> String {
    match waiting {
        Waiting::NoState => "galph has not written the first state yet".to_owned(),
        Waiting::Turn { actor, status, holder } if status.runner().is_some() => {
            format!("{actor}'s turn runs{}{iteration}", on(holder.as_ref()))
        }
        Waiting::Turn { actor, .. } => format!("it is {actor}'s turn{iteration}"),
        Waiting::RunningElsewhere { actor, holder } => format!(
            "{actor}'s turn runs elsewhere{}{iteration}; if that is gone for good, `baton takeover {actor}`",
            on(holder.as_ref())
        ),
        Waiting::Held(_) => "held".to_owned(),
    }
}

fn on(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| format!(" on {} since {}", one_line(&holder.host), holder.since))
}

/// The word in the JSON document.
pub(super) const fn result(end: &TickEnd) -> &'static str {
    match end {
        TickEnd::Turn(_) => "turn",
        TickEnd::Idle(Idle::NotYourTurn(_)) => "not_your_turn",
        TickEnd::Idle(Idle::Held(_)) => "held",
        TickEnd::Idle(Idle::Failed { .. }) => "failed",
        TickEnd::Idle(Idle::Exit(_)) => "exit",
        TickEnd::Idle(Idle::Busy(_)) => "busy",
        TickEnd::Idle(Idle::Offline(_)) => "offline",
        TickEnd::Idle(Idle::ClaimLost) => "claim_lost",
    }
}

/// The turns of a tick: the one that was taken, or gone on with.
pub(super) fn turns(end: &TickEnd) -> Value {
    let turns: &[TurnOutcome] = match end {
        TickEnd::Turn(report) => &report.turns,
        TickEnd::Idle(_) => &[],
    };
    let shown = |turn: &TurnOutcome| {
        let class = match &turn.end {
            TurnEnd::Closed { class, .. } => class.to_string(),
            TurnEnd::Void => "void".to_owned(),
            TurnEnd::Suspended { .. } => "suspended".to_owned(),
        };
        json!({
            "id": turn.turn.to_string(), "actor": turn.actor, "iteration": turn.iteration, "class": class,
            "prompt": turn.prompt, "agent": turn.agent, "wall_seconds": turn.wall.as_secs_f64(),
            "commits": turn.commits, "summary": turn.summary,
        })
    };
    turns.iter().map(shown).collect()
}
