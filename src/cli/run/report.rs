//! The end of a loop: the exit code, the reason, and a table of the turns.

use std::path::Path;

use crate::agent::{known_agents, login_remedy};
use crate::cli::words::one_line;
use crate::cli::{Exit, Failure, Output};
use crate::config::Config;
use crate::mode::{LoopEnd, LoopReport};
use crate::model::{Actor, OutcomeClass, TurnFailure};
use crate::publish::secret::Masker;
use crate::runner::{Cause, ROLE, run_command};

use super::digest::{render_totals, render_turns};

/// Prints how the loop ended and returns the exit code. `logs` is shown as where logs lie, `again` as the command that
/// goes on.
pub(crate) fn report_end(
    report: &LoopReport,
    config: &Config,
    logs: &Path,
    again: &str,
    masker: &Masker,
    output: Output,
) -> Exit {
    if !report.turns.is_empty() {
        output.say(render_turns(&report.turns));
        output.say(render_totals(report));
    }
    let exit = exit_of(&report.end);
    match failure_of(&report.end, config, logs, again) {
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
        // Without a state there is no hold; that the provider does not serve is none of the agent's failures.
        LoopEnd::TurnFailed { class: OutcomeClass::Limited { .. } | OutcomeClass::Overloaded, .. } => {
            Exit::Held
        }
        LoopEnd::TurnFailed { .. } | LoopEnd::OtherFailed { .. } | LoopEnd::LastFailed { .. } => {
            Exit::TurnFailed
        }
        LoopEnd::Interrupted(signal) => Exit::by(*signal),
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

/// What a person reads about an end that is no success.
pub(crate) fn failure_of(end: &LoopEnd, config: &Config, logs: &Path, again: &str) -> Option<Failure> {
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
        LoopEnd::TurnFailed { class, detail, cause, agent } => {
            let why = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            let what = match cause {
                Cause::Agent => "the agent's turn",
                Cause::Routing => "routing",
                Cause::Verification => "verification",
            };
            let mut failure = Failure::new(exit, format!("{what} ended `{class}`{why}"));
            if let Some(remedy) = remedy(*class, agent.as_deref(), config) {
                failure = failure.help(remedy);
            }
            failure.help(format!(
                "the log and the summary lie under `{}`; `{again}` takes the turn again",
                logs.display()
            ))
        }
        LoopEnd::OtherFailed { actor, iteration, failure } => {
            let failed = Failure::new(exit, failed_in_words(*actor, *iteration, failure.as_ref()));
            let again = run_command(ROLE, *actor);
            match failure.as_ref().filter(|failure| failure.waits) {
                Some(failure) => failed
                    .help(format!(
                        "a person mends it on {}, and `{again}` there publishes it",
                        one_line(&failure.host)
                    ))
                    .help(given_up(*actor)),
                None => failed
                    .help(format!("its machine has the log and the summary; `{again}` there takes it again"))
                    .help("or `baton pass` stamps it by hand; then start this side again"),
            }
        }
        LoopEnd::LastFailed { actor, iteration, failure } => {
            let failed = Failure::new(exit, failed_in_words(*actor, *iteration, failure.as_ref()));
            let again = run_command(ROLE, *actor);
            match failure.as_ref().filter(|failure| failure.waits) {
                Some(failure) => failed
                    .help(format!(
                        "its work waits on {}: `{again}` there goes on with it",
                        one_line(&failure.host)
                    ))
                    .help(given_up(*actor)),
                None => failed.help(format!("`{again}` takes it again")),
            }
        }
        LoopEnd::Interrupted(_) => Failure::new(exit, "stopped by a signal, with the state saved")
            .help(format!("`{again}` goes on from here")),
        LoopEnd::AttemptStopped(detail) => {
            Failure::new(exit, format!("the agent was stopped from outside: {detail}"))
                .help(format!("the turn is given back; `{again}` takes it anew"))
        }
    })
}

/// Which turn failed, on which machine and why.
pub(crate) fn failed_in_words(actor: Actor, iteration: u64, failure: Option<&TurnFailure>) -> String {
    let known = failure.map_or_else(String::new, |failure| {
        format!(" on {}: {}", one_line(&failure.host), one_line(&failure.reason))
    });
    format!("{actor}'s turn of iteration {iteration} failed{known}")
}

/// The way on where the machine that has the work is gone, or its work is not wanted.
fn given_up(actor: Actor) -> String {
    format!("or `baton takeover {actor}` gives that work up, and the turn is taken anew")
}

/// What a person does about a failure that will come again until something is done.
fn remedy(class: OutcomeClass, agent: Option<&str>, config: &Config) -> Option<String> {
    let agent = agent?;
    match class {
        OutcomeClass::Auth => Some(format!("the provider refuses the credentials: {}", login_remedy(agent))),
        OutcomeClass::Denied if known_agents().any(|known| known == agent) => Some(format!(
            "`agent.options.{agent}.permission: bypass` lets it work unattended; or allow in its own settings what it asks for"
        )),
        OutcomeClass::Denied => Some("let the agent do unattended what it asks for".to_owned()),
        OutcomeClass::TimedOut => Some(format!("`turn.wall_limit` is {}", config.turn.wall_limit)),
        OutcomeClass::Stalled => Some(format!("`turn.idle_limit` is {}", config.turn.idle_limit)),
        OutcomeClass::Ok
        | OutcomeClass::NoChange
        | OutcomeClass::Failed
        | OutcomeClass::Limited { .. }
        | OutcomeClass::Overloaded
        | OutcomeClass::Interrupted => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::InterruptSignal;
    use crate::config::Overrides;
    use rstest::rstest;

    fn config() -> Config {
        let workspace = tempfile::tempdir().unwrap();
        crate::config::load(
            workspace.path(),
            None,
            &std::collections::BTreeMap::new(),
            &Overrides::default(),
            None,
        )
        .unwrap()
        .config
    }

    fn failure(waits: bool) -> TurnFailure {
        TurnFailure {
            turn: "01JD5F3Z8K0000000000000000".into(),
            host: "gpu-box".into(),
            reason: "refused to publish what looks like secrets".into(),
            waits,
        }
    }

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
    #[case(
        LoopEnd::TurnFailed {
            class: OutcomeClass::Auth, detail: "401".into(), cause: Cause::Agent, agent: Some("claude".into())
        },
        5,
        "error: the agent's turn ended `auth`: 401\n  \
         help: the provider refuses the credentials: run `claude` and `/login`, or set `ANTHROPIC_API_KEY`\n  \
         help: the log and the summary lie under `logs`; `baton run` takes the turn again"
    )]
    #[case(
        LoopEnd::TurnFailed {
            class: OutcomeClass::Denied, detail: "Write".into(), cause: Cause::Agent, agent: Some("codex".into())
        },
        5,
        "error: the agent's turn ended `denied`: Write\n  \
         help: `agent.options.codex.permission: bypass` lets it work unattended; or allow in its own settings what it \
         asks for\n  \
         help: the log and the summary lie under `logs`; `baton run` takes the turn again"
    )]
    #[case(
        LoopEnd::TurnFailed {
            class: OutcomeClass::Stalled, detail: "silent".into(), cause: Cause::Agent, agent: Some("mine".into())
        },
        5,
        "error: the agent's turn ended `stalled`: silent\n  help: `turn.idle_limit` is 20m\n  \
         help: the log and the summary lie under `logs`; `baton run` takes the turn again"
    )]
    #[case(
        LoopEnd::TurnFailed {
            class: OutcomeClass::Overloaded, detail: "529".into(), cause: Cause::Agent, agent: Some("mine".into())
        },
        4,
        "error: the agent's turn ended `overloaded`: 529\n  \
         help: the log and the summary lie under `logs`; `baton run` takes the turn again"
    )]
    #[case(
        LoopEnd::OtherFailed { actor: Actor::Galph, iteration: 3, failure: None },
        5,
        "error: galph's turn of iteration 3 failed\n  \
         help: its machine has the log and the summary; `baton run --mode role --role galph` there takes it again\n  \
         help: or `baton pass` stamps it by hand; then start this side again"
    )]
    #[case(
        LoopEnd::OtherFailed { actor: Actor::Galph, iteration: 3, failure: Some(failure(true)) },
        5,
        "error: galph's turn of iteration 3 failed on gpu-box: refused to publish what looks like secrets\n  \
         help: a person mends it on gpu-box, and `baton run --mode role --role galph` there publishes it\n  \
         help: or `baton takeover galph` gives that work up, and the turn is taken anew"
    )]
    #[case(
        LoopEnd::LastFailed { actor: Actor::Galph, iteration: 3, failure: Some(failure(true)) },
        5,
        "error: galph's turn of iteration 3 failed on gpu-box: refused to publish what looks like secrets\n  \
         help: its work waits on gpu-box: `baton run --mode role --role galph` there goes on with it\n  \
         help: or `baton takeover galph` gives that work up, and the turn is taken anew"
    )]
    #[case(
        LoopEnd::LastFailed { actor: Actor::Galph, iteration: 3, failure: Some(failure(false)) },
        5,
        "error: galph's turn of iteration 3 failed on gpu-box: refused to publish what looks like secrets\n  \
         help: `baton run --mode role --role galph` takes it again"
    )]
    fn an_end_that_is_no_success_says_what_and_what_next(
        #[case] end: LoopEnd,
        #[case] code: u8,
        #[case] text: &str,
    ) {
        assert_eq!(exit_of(&end).code(), code);
        let logs = Path::new("logs");
        assert_eq!(failure_of(&end, &config(), logs, "baton run").unwrap().to_string(), text);
        let again = "baton run --mode role --role ralph";
        let in_role = failure_of(&end, &config(), logs, again).unwrap().to_string();
        assert_eq!(in_role, text.replace("`baton run`", &format!("`{again}`")));
    }
}
