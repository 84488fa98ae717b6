//! `baton hold`: lists, sets and clears the reasons why nobody may act.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::change::{Alone, ChangePlace, Changed, Edit, Place, Target, refuse_in_attempt, report};
use super::words::one_line;
use super::{Context, Exit, Failure};
use crate::exec::ATTEMPT_MARKER;
use crate::model::{Hold, HoldKind, Span};
use crate::turn::sync::SyncEvent;
use crate::turn::{Input, apply};

/// List, set and clear holds: while one stands, nobody takes a turn
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the holds
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a hold
    Set {
        /// What kind of reason
        #[arg(value_enum)]
        kind: Kind,
        /// The reason, in words
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Until it ends by itself, such as 30m or 2h; without it, somebody must clear it
        #[arg(long = "for", value_name = "DURATION")]
        duration: Option<Span>,
        #[command(flatten)]
        place: ChangePlace,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Clear a hold
    Clear {
        /// Its identifier, or as many of its first characters as tell it from the others
        id: String,
        #[command(flatten)]
        place: ChangePlace,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// A person must decide first
    Approval,
    /// A provider's usage limit
    Limit,
    /// A budget is used up
    Budget,
    /// The turns go round in circles
    #[value(name = "no_progress", alias = "no-progress")]
    NoProgress,
    /// A pause
    Pause,
}

impl From<Kind> for HoldKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Approval => Self::Approval,
            Kind::Limit => Self::Limit,
            Kind::Budget => Self::Budget,
            Kind::NoProgress => Self::NoProgress,
            Kind::Pause => Self::Pause,
        }
    }
}

/// Does what the inner verb says.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let now = context.ambient.now();
    match &args.verb {
        Verb::List { place, json } => {
            let state = Target::find(place, context)?.read()?;
            context.output.say(if *json { as_json(&state.holds, now) } else { in_words(&state.holds, now) });
            Ok(Exit::Done)
        }
        Verb::Set { kind, reason, duration, place, json } => {
            let hold = Hold {
                id: context.ambient.new_hold_id(),
                kind: (*kind).into(),
                reason: refuse_empty(reason)?,
                since: now,
                until: duration.map(|span| ends(now, span)).transpose()?,
            };
            let mut target = Target::to_change(place, context)?;
            if target.alone == Some(Alone::Agent) {
                return Err(no_hold_by_agent());
            }
            let words = format!("Held: {}", describe(&hold));
            let kind = hold.kind;
            let edit = Edit {
                apply: &|state| apply(state, Input::SetHold(hold.clone()), now),
                event: &|_, after| SyncEvent::HoldSet { iteration: after.iteration, kind },
            };
            let changed = target.update(&edit, context)?;
            if binds_one_side_only(&changed) {
                context.output.note(UNBOUND);
            }
            Ok(report(&words, &changed, &target, (*json).into(), context))
        }
        Verb::Clear { id, place, json } => {
            refuse_in_attempt("hold clear", context)?;
            let mut target = Target::to_change(place, context)?;
            let hold = choose(id, &target.read()?.holds)?;
            let id = hold.id;
            let edit = Edit {
                apply: &|state| apply(state, Input::ClearHold(id), now),
                event: &|_, after| SyncEvent::HoldCleared { iteration: after.iteration, kind: hold.kind },
            };
            let changed = target.update(&edit, context)?;
            let left = changed.state.holds.iter().filter(|hold| hold.stands(now)).count();
            let words = match left {
                0 => format!("Cleared hold {id}; no other stands. {}", target.goes_on()),
                1 => format!("Cleared hold {id}; 1 other stands."),
                _ => format!("Cleared hold {id}; {left} others stand."),
            };
            Ok(report(&words, &changed, &target, (*json).into(), context))
        }
    }
}

/// What is told where the earlier scripts play the other seat.
const UNBOUND: &str = "note: the other side runs the earlier scripts, which know no holds: they take their turn all the same, \
                       and baton's side passes them none while the hold stands; `baton stop` binds both";

fn binds_one_side_only(changed: &Changed) -> bool {
    changed.there.as_ref().is_some_and(|there| there.by_earlier_scripts)
}

/// Of an agent's copy of the state a turn takes along `exit` alone.
fn no_hold_by_agent() -> Failure {
    Failure::new(
        Exit::Usage,
        format!(
            "an agent cannot set a hold where the state is shared through a remote ({ATTEMPT_MARKER} is set)"
        ),
    )
    .help("`baton stop --reason TEXT` ends the loop after this turn, and the reply can say why")
}

fn refuse_empty(reason: &str) -> Result<String, Failure> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Failure::new(Exit::Usage, "a hold needs a reason: somebody will read it and wonder")
            .help("say why, such as --reason 'wait for the review'"));
    }
    Ok(reason.to_owned())
}

fn ends(now: Timestamp, span: Span) -> Result<Timestamp, Failure> {
    let refuse = || {
        Failure::new(Exit::Usage, format!("`--for {span}` is no time that a hold can end at"))
            .help("give a duration such as 30m or 2h, or leave it out: then somebody clears the hold")
    };
    if span.is_zero() {
        return Err(refuse());
    }
    SignedDuration::try_from(span.0).ok().and_then(|span| now.checked_add(span).ok()).ok_or_else(refuse)
}

/// The one hold that the text names.
fn choose(text: &str, holds: &[Hold]) -> Result<Hold, Failure> {
    let wanted = text.trim().to_ascii_uppercase();
    let mut found =
        holds.iter().filter(|hold| !wanted.is_empty() && hold.id.to_string().starts_with(&wanted));
    match (found.next(), found.next()) {
        (Some(hold), None) => Ok(hold.clone()),
        (Some(_), Some(_)) => Err(Failure::new(Exit::Usage, format!("`{text}` names more than one hold"))
            .help("give more of its characters; `baton hold list` shows them")),
        (None, _) => Err(Failure::new(Exit::Usage, format!("there is no hold `{text}`"))
            .help("`baton hold list` shows the holds")),
    }
}

fn describe(hold: &Hold) -> String {
    let until = hold.until.map_or_else(String::new, |until| format!(" (until {until})"));
    format!("{} {}: {}{until}", hold.id, hold.kind, one_line(&hold.reason))
}

fn in_words(holds: &[Hold], now: Timestamp) -> String {
    if holds.is_empty() {
        return "No holds.".to_owned();
    }
    let line = |hold: &Hold| {
        let over = if hold.stands(now) { "" } else { ", over" };
        format!("{}, since {}{over}", describe(hold), hold.since)
    };
    holds.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn as_json(holds: &[Hold], now: Timestamp) -> String {
    let one = |hold: &Hold| {
        json!({
            "id": hold.id, "kind": hold.kind, "reason": hold.reason, "since": hold.since, "until": hold.until,
            "stands": hold.stands(now),
        })
    };
    json!({ "holds": holds.iter().map(one).collect::<Vec<_>>() }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HoldId;

    fn now() -> Timestamp {
        "2026-11-21T06:30:00Z".parse().unwrap()
    }

    fn holds() -> Vec<Hold> {
        let hold = |number, kind, until| Hold {
            id: HoldId::from_parts(0, number),
            kind,
            reason: "because".to_owned(),
            since: now(),
            until,
        };
        vec![hold(1, HoldKind::Pause, None), hold(2, HoldKind::Limit, Some(now()))]
    }

    #[test]
    fn holds_are_listed_with_their_identifiers_and_ends() {
        assert_eq!(in_words(&[], now()), "No holds.");
        insta::assert_snapshot!(in_words(&holds(), now()), @r"
        00000000000000000000000001 pause: because, since 2026-11-21T06:30:00Z
        00000000000000000000000002 limit: because (until 2026-11-21T06:30:00Z), since 2026-11-21T06:30:00Z, over
        ");
        assert_eq!(
            as_json(&holds()[..1], now()),
            r#"{"holds":[{"id":"00000000000000000000000001","kind":"pause","reason":"because","since":"2026-11-21T06:30:00Z","until":null,"stands":true}]}"#
        );
    }

    #[test]
    fn a_hold_is_named_by_its_first_characters_if_they_are_enough() {
        let holds = [
            Hold { id: "01JD5F3Z8K0000000000000000".parse().unwrap(), ..holds()[0].clone() },
            Hold { id: "01JD6F3Z8K0000000000000000".parse().unwrap(), ..holds()[0].clone() },
        ];
        assert_eq!(choose("01jd5", &holds).unwrap(), holds[0]);
        assert_eq!(
            choose("01JD", &holds).unwrap_err().to_string(),
            "error: `01JD` names more than one hold\n  help: give more of its characters; `baton hold list` shows them"
        );
        for unknown in ["02", "", " "] {
            assert_eq!(
                choose(unknown, &holds).unwrap_err().to_string(),
                format!("error: there is no hold `{unknown}`\n  help: `baton hold list` shows the holds")
            );
        }
    }

    #[test]
    fn a_hold_needs_a_reason_and_an_end_that_can_come() {
        assert_eq!(
            refuse_empty("  ").unwrap_err().to_string(),
            "error: a hold needs a reason: somebody will read it and wonder\n  help: say why, such as --reason 'wait for the review'"
        );
        assert_eq!(ends(now(), Span::from_secs(60)).unwrap().to_string(), "2026-11-21T06:31:00Z");
        for impossible in [Span::from_secs(0), Span::from_secs(u64::MAX)] {
            let text = ends(now(), impossible).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("error: `--for {impossible}` is no time that a hold can end at")),
                "{text}"
            );
        }
    }
}
