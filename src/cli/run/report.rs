//! The end of a loop: the exit code, the reason, and a table of the turns.

use std::fmt::Write as _;
use std::path::Path;

use crate::attempt::InterruptSignal;
use crate::cli::{Exit, Failure, Output};
use crate::mode::{LoopEnd, LoopReport};
use crate::model::Span;
use crate::publish::secret::Masker;
use crate::runner::{Cause, TurnEnd, TurnOutcome};

/// Prints how the loop ended and returns the exit code. `logs` is shown as where logs lie.
pub(crate) fn report_end(report: &LoopReport, logs: &Path, masker: &Masker, output: Output) -> Exit {
    if !report.turns.is_empty() {
        output.say(render_table(&report.turns));
    }
    let exit = exit_of(&report.end);
    match failure_of(&report.end, logs) {
        Some(failure) => output.fail(&failure.masked(masker)),
        None => output.say(masker.mask(&end_in_words(report))),
    }
    exit
}

/// The exit code of a loop's end.
pub(crate) const fn exit_of(end: &LoopEnd) -> Exit {
    match end {
        LoopEnd::Finished | LoopEnd::Completed(_) | LoopEnd::Exit(_) => Exit::Done,
        LoopEnd::Held(_) | LoopEnd::Stalemate(_) | LoopEnd::BudgetSpent(_) => Exit::Held,
        LoopEnd::TurnFailed { cause: Cause::Routing, .. } => Exit::Usage,
        LoopEnd::TurnFailed { .. } => Exit::TurnFailed,
        LoopEnd::Interrupted(InterruptSignal::Interrupt) => Exit::Interrupted,
        LoopEnd::Interrupted(InterruptSignal::Terminate) => Exit::Terminated,
        LoopEnd::AttemptStopped(_) => Exit::Operational,
    }
}

fn end_in_words(report: &LoopReport) -> String {
    match &report.end {
        LoopEnd::Completed(evidence) => {
            format!("complete after {} iteration(s): {evidence}", report.iterations)
        }
        LoopEnd::Exit(reason) if reason.is_empty() => "stopped: `exit` is set in the state".to_owned(),
        LoopEnd::Exit(reason) => format!("stopped: {reason} (`baton stop --clear` lets the turns go on)"),
        _ => format!("{} iteration(s) done", report.iterations),
    }
}

fn failure_of(end: &LoopEnd, logs: &Path) -> Option<Failure> {
    let exit = exit_of(end);
    Some(match end {
        LoopEnd::Finished | LoopEnd::Completed(_) | LoopEnd::Exit(_) => return None,
        LoopEnd::Held(holds) => {
            let reasons: Vec<String> =
                holds.iter().map(|hold| format!("{} ({})", hold.reason, hold.kind)).collect();
            let mut failure = Failure::new(exit, format!("held: {}", reasons.join("; ")));
            for hold in holds {
                failure = failure.help(format!("`baton hold clear {}` lets the turns go on", hold.id));
            }
            failure
        }
        LoopEnd::Stalemate(reason) => Failure::new(exit, format!("no progress: {reason}"))
            .help("look at the last summaries; `no_progress.turns` sets the limit"),
        LoopEnd::BudgetSpent(exceeded) => Failure::new(exit, format!("the budget is used up: {exceeded}"))
            .help("raise it in `budget`, and clear the hold if `baton status` shows one"),
        LoopEnd::TurnFailed { class, detail, cause } => {
            let why = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            let what = match cause {
                Cause::Agent => "the agent's turn",
                Cause::Routing => "routing",
                Cause::Verification => "verification",
            };
            let failure = Failure::new(exit, format!("{what} ended `{class}`{why}"));
            failure.help(format!(
                "the log and the summary lie under `{}`; `baton run` takes the turn again",
                logs.display()
            ))
        }
        LoopEnd::Interrupted(_) => Failure::new(exit, "stopped by a signal, with the state saved")
            .help("`baton run` goes on from here"),
        LoopEnd::AttemptStopped(detail) => {
            Failure::new(exit, format!("the agent was stopped from outside: {detail}"))
                .help("the turn is given back; `baton run` takes it anew")
        }
    })
}

/// A row a turn.
pub(super) fn render_table(turns: &[TurnOutcome]) -> String {
    let header = ["iter", "seat", "prompt", "agent", "outcome", "time", "commits"].map(str::to_owned);
    let mut rows: Vec<[String; 7]> = vec![header];
    rows.extend(turns.iter().map(row));
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let newline = if index == 0 { "" } else { "\n" };
        let _ = write!(text, "{newline}{}", cells.join("  ").trim_end());
    }
    text
}

fn row(turn: &TurnOutcome) -> [String; 7] {
    let outcome = match &turn.end {
        TurnEnd::Closed { class, .. } => class.to_string(),
        TurnEnd::Void => "void".to_owned(),
        TurnEnd::Suspended { .. } => "suspended".to_owned(),
    };
    let missing = || "-".to_owned();
    [
        turn.iteration.to_string(),
        turn.actor.to_string(),
        turn.prompt.clone().unwrap_or_else(missing),
        turn.agent.clone().unwrap_or_else(missing),
        outcome,
        time(turn),
        turn.commits.len().to_string(),
    ]
}

fn time(turn: &TurnOutcome) -> String {
    let seconds = turn.wall.as_secs();
    if seconds < 60 {
        format!("{:.1}s", turn.wall.as_secs_f64())
    } else {
        Span::from_secs(seconds).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        LoopEnd::Stalemate("4 turns in a row changed nothing".into()),
        4,
        "error: no progress: 4 turns in a row changed nothing\n  \
         help: look at the last summaries; `no_progress.turns` sets the limit"
    )]
    #[case(
        LoopEnd::Interrupted(InterruptSignal::Terminate),
        143,
        "error: stopped by a signal, with the state saved\n  help: `baton run` goes on from here"
    )]
    #[case(
        LoopEnd::AttemptStopped("the attempt vanished with its supervisor".into()),
        1,
        "error: the agent was stopped from outside: the attempt vanished with its supervisor\n  \
         help: the turn is given back; `baton run` takes it anew"
    )]
    fn an_end_that_is_no_success_says_what_and_what_next(
        #[case] end: LoopEnd,
        #[case] code: u8,
        #[case] text: &str,
    ) {
        assert_eq!(exit_of(&end).code(), code);
        assert_eq!(failure_of(&end, Path::new("logs")).unwrap().to_string(), text);
    }
}
