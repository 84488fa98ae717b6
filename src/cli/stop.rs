//! `baton stop`: asks both sides to stop before their next turn. A running turn ends as usual.

use super::change::{ChangePlace, Edit, Target, report};
use super::{Context, Exit, Failure};
use crate::model::State;
use crate::turn::sync::SyncEvent;
use crate::turn::{Input, apply};

/// Ask both sides to stop before their next turn; a running turn ends as usual
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Why, for whoever finds it
    #[arg(long, value_name = "TEXT", conflicts_with = "clear")]
    reason: Option<String>,
    /// Withdraw it
    #[arg(long)]
    clear: bool,
    #[command(flatten)]
    place: ChangePlace,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Sets or clears `exit` in the state.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut target = Target::to_change(&args.place, context)?;
    let now = context.ambient.now();
    let input = if args.clear {
        Input::ClearExit
    } else {
        Input::SetExit(args.reason.clone().unwrap_or_else(|| "asked for by `baton stop`".to_owned()))
    };
    let edit = Edit {
        apply: &|state| apply(state, input.clone(), now),
        event: &|_, after| {
            let iteration = after.iteration;
            if after.exit { SyncEvent::ExitSet { iteration } } else { SyncEvent::ExitCleared { iteration } }
        },
    };
    let changed = target.update(&edit, context)?;
    let words = words(&changed.state, if target.is_shared() { SHARED } else { HERE });
    Ok(report(&words, &changed, &target, args.json.into(), context))
}

/// What takes turns again.
const HERE: &str = "`baton run` goes on.";
const SHARED: &str = "`baton run --mode role` goes on.";

fn words(state: &State, goes_on: &str) -> String {
    if !state.exit {
        return format!("Both sides may take turns again; {goes_on}");
    }
    match state.status.runner() {
        Some(actor) => format!(
            "{actor}'s turn ends as usual, then nobody takes another one: {}\nClear it with `baton stop --clear`.",
            state.exit_reason
        ),
        None => {
            format!("Nobody takes another turn: {}\nClear it with `baton stop --clear`.", state.exit_reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Status;
    use jiff::Timestamp;

    #[test]
    fn it_is_said_what_happens_to_a_running_turn() {
        let mut state = State::initial(Timestamp::UNIX_EPOCH);
        assert_eq!(words(&state, HERE), "Both sides may take turns again; `baton run` goes on.");
        state.exit = true;
        state.exit_reason = "enough".into();
        assert_eq!(
            words(&state, HERE),
            "Nobody takes another turn: enough\nClear it with `baton stop --clear`."
        );
        state.status = Status::RunningRalph;
        assert_eq!(
            words(&state, HERE),
            "ralph's turn ends as usual, then nobody takes another one: enough\nClear it with `baton stop --clear`."
        );
    }
}
