//! `baton takeover`: takes a running turn away from whoever holds it, so that the next `baton run` can claim it.
//!
//! Nothing of the old turn is run or published: its holder, should it live, finds itself fenced off.

use jiff::SignedDuration;

use super::change::{ChangePlace, Edit, Target, refuse_in_attempt, report};
use super::failures::refusal_failure;
use super::pass::Seat as SeatName;
use super::records::{Records, find_records};
use super::shared::{Lease, is_of_this_clone, lease_in_words, role_command};
use super::status::{Life, Seat, life, life_there};
use super::words::one_line;
use super::{Context, Exit, Failure};
use crate::ledger::{Ledger, Locked};
use crate::model::{Actor, Holder, State, TurnFailure, Usage};
use crate::repo::LeaseSeen;
use crate::runner::{Sight, watch_lease};
use crate::turn::sync::SyncEvent;
use crate::turn::{Claim, Input, Refusal, Stamp, StampOutcome, apply, status_before};

/// Take a running turn away from its holder, so that it can be claimed again
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whose turn is taken away
    #[arg(value_enum)]
    actor: SeatName,
    /// Do it although the holder may live, or its turn could be gone on with
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: ChangePlace,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Makes the state claimable again.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    refuse_in_attempt("takeover", context)?;
    let mut target = Target::to_change(&args.place, context)?;
    let actor = Actor::from(args.actor);
    let (before, lease) = target.look(Lease::Yes)?;
    let refused = before.failure.as_ref().filter(|failure| failure.waits && before.expected_actor == actor);
    if before.status.runner() != Some(actor) && refused.is_none() {
        return Err(not_running(actor, &before));
    }
    let records = find_records(&target.located.root, &context.ambient);
    let resumable = resumable(actor, &before, records.as_ref());
    let life = life_here(actor, &before, records.as_ref(), &target, context);
    let goes_on = if target.is_shared() { role_command(actor, "") } else { "baton run".to_owned() };
    let mut warnings = match refused {
        Some(failure) => vec![waits_there(actor, failure)],
        None => describe(actor, before.holder.as_ref(), life, resumable, &goes_on),
    };
    if refused.is_none() && life == Life::Elsewhere {
        let sight = sight(&target, &before, lease.as_ref(), context);
        warnings.extend(sight.and_then(|sight| lease_in_words(&sight)));
    }
    if !warnings.is_empty() && !args.yes {
        return Err(refuse(actor, &warnings));
    }
    let now = context.ambient.now();
    let lease = SignedDuration::try_from(target.located.config.config.sync.lease.0).unwrap_or_default();
    let claim = Claim {
        actor,
        token: context.ambient.new_token(),
        holder: Holder {
            id: context.ambient.new_turn_id().to_string(),
            host: context.ambient.host(),
            pid: std::process::id(),
            since: now,
        },
        lease_expires_at: now.checked_add(lease).unwrap_or(now),
    };
    let released = context.ambient.new_token();
    let take = |state: &State| {
        // What the warnings were about must still be what is taken away.
        if state.token != before.token || state.status != before.status {
            return Err(Refusal::Running { status: state.status, holder: state.holder.clone() });
        }
        let claim_token = claim.token.clone();
        let taken = apply(state, Input::Takeover(claim.clone()), now)?;
        // What the turn used is in the records of whoever ran it.
        let outcome = StampOutcome::Release {
            prior: status_before(actor, state),
            spent: Usage::default(),
            hold: None,
            interrupted: None,
        };
        let stamp = Stamp { actor, claim_token, token: released.clone(), outcome };
        apply(&taken, Input::Stamp(stamp), now)
    };
    let event = |_: &State, after: &State| SyncEvent::TakenAway { iteration: after.iteration, actor };
    let changed = target.update(&Edit { apply: &take, event: &event }, context)?;
    let words = words(actor, &changed.state, resumable, &goes_on);
    Ok(report(&words, &changed, &target, args.json.into(), context))
}

/// How the lease of the turn stands; nothing where there is none.
fn sight(target: &Target, state: &State, lease: Option<&LeaseSeen>, context: &Context) -> Option<Sight> {
    let home = target.shared()?.home(&target.located, &context.ambient)?;
    let length = target.located.config.config.sync.lease.0;
    watch_lease(&home, state, lease, length, &context.ambient).ok()
}

fn not_running(actor: Actor, state: &State) -> Failure {
    refusal_failure(&Refusal::NotRunning { actor, status: state.status })
        .help("only a running turn is taken over; `baton status` says what to do next")
}

fn words(actor: Actor, state: &State, resumable: Option<Resumable>, goes_on: &str) -> String {
    let next = match resumable {
        Some(Resumable) => format!(
            "`{goes_on}` ends what is left of the turn here (exit 6), and the one after it claims again."
        ),
        None => format!("`{goes_on}` claims it again."),
    };
    format!(
        "{actor}'s turn of iteration {} was taken away; its holder, if it lives, publishes nothing any more.\nNext: {next}",
        state.iteration
    )
}

fn life_here(
    actor: Actor,
    state: &State,
    records: Option<&Records>,
    target: &Target,
    context: &Context,
) -> Life {
    let seat = match records.map(|records| records.home.seat_is_taken(actor)) {
        Some(Locked::Yes) => Seat::Taken,
        Some(Locked::No) | None => Seat::Free,
    };
    let holder = state.holder.as_ref();
    if target.is_shared() {
        return life_there(holder, seat, is_of_this_clone(holder, records));
    }
    life(holder, seat, &context.ambient.host())
}

/// Whether the journal has this very turn open. One that cannot be read may have it.
fn resumable(actor: Actor, state: &State, records: Option<&Records>) -> Option<Resumable> {
    let records = records?;
    let refused = state.failure.as_ref().map(|failure| failure.turn.as_str());
    let holder = state.holder.as_ref().map(|holder| holder.id.as_str()).or(refused);
    let has_it = match Ledger::open_read_only(&records.home.ledger()) {
        Ok(Some(ledger)) => ledger.open_turns().map_or(true, |turns| {
            turns.iter().any(|turn| {
                turn.opening.actor == actor && Some(turn.opening.id.to_string().as_str()) == holder
            })
        }),
        Ok(None) => false,
        Err(_) => true,
    };
    has_it.then_some(Resumable)
}

/// The journal of this machine has the turn, so that `baton run` would go on with it.
#[derive(Debug, Clone, Copy)]
struct Resumable;

/// What a person must know before the work of a turn that was refused is given up.
fn waits_there(actor: Actor, failure: &TurnFailure) -> String {
    format!(
        "{actor}'s agent has finished, and its work waits on {} to be published (it {}): there it is given up and kept \
         below `refs/baton-rescue/`, and the agent is run again",
        one_line(&failure.host),
        one_line(&failure.reason)
    )
}

/// What a person must know before.
fn describe(
    actor: Actor,
    holder: Option<&Holder>,
    life: Life,
    resumable: Option<Resumable>,
    goes_on: &str,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let host = holder.map_or("another machine", |holder| holder.host.as_str());
    match life {
        Life::AliveHere => warnings.push(format!(
            "{actor}'s turn is running on this machine, and its process lives: stop it first with Ctrl-C or SIGTERM"
        )),
        Life::Elsewhere => warnings.push(format!(
            "the holder is on {host}, and from here it cannot be seen whether it lives: if it does, its work is refused"
        )),
        Life::Unknown => warnings.push(
            "the state names no holder: the earlier scripts may be running, and they do not notice that a turn was \
             taken away"
                .to_owned(),
        ),
        Life::GoneHere => {}
    }
    if let (Some(Resumable), false) = (resumable, life == Life::AliveHere) {
        warnings.push(format!(
            "{actor}'s turn was begun here and can be gone on with: `{goes_on}` does so, and what its agent has done is not lost"
        ));
    }
    warnings
}

fn refuse(actor: Actor, warnings: &[String]) -> Failure {
    Failure::new(Exit::Usage, format!("{actor}'s turn was not taken over: {}", warnings.join("; and ")))
        .help(format!("if you are sure, `baton takeover {actor} --yes`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use rstest::rstest;

    fn holder() -> Holder {
        Holder { id: "x".into(), host: "there".into(), pid: 7, since: Timestamp::UNIX_EPOCH }
    }

    #[rstest]
    #[case(
        Life::AliveHere,
        Some(Resumable),
        "error: ralph's turn was not taken over: ralph's turn is running on this machine, and its process lives: stop it first with Ctrl-C or SIGTERM\n  help: if you are sure, `baton takeover ralph --yes`"
    )]
    #[case(
        Life::Elsewhere,
        None,
        "error: ralph's turn was not taken over: the holder is on there, and from here it cannot be seen whether it lives: if it does, its work is refused\n  help: if you are sure, `baton takeover ralph --yes`"
    )]
    #[case(
        Life::Unknown,
        None,
        "error: ralph's turn was not taken over: the state names no holder: the earlier scripts may be running, and they do not notice that a turn was taken away\n  help: if you are sure, `baton takeover ralph --yes`"
    )]
    #[case(
        Life::GoneHere,
        Some(Resumable),
        "error: ralph's turn was not taken over: ralph's turn was begun here and can be gone on with: `baton run` does so, and what its agent has done is not lost\n  help: if you are sure, `baton takeover ralph --yes`"
    )]
    fn a_turn_that_may_live_or_can_go_on_is_not_taken_away_unasked(
        #[case] life: Life,
        #[case] resumable: Option<Resumable>,
        #[case] text: &str,
    ) {
        let warnings = describe(Actor::Ralph, Some(&holder()), life, resumable, "baton run");
        assert_eq!(refuse(Actor::Ralph, &warnings).to_string(), text);
    }

    #[test]
    fn a_turn_whose_process_and_journal_are_gone_needs_no_warning() {
        assert_eq!(
            describe(Actor::Ralph, Some(&holder()), Life::GoneHere, None, "baton run"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_turn_that_does_not_run_is_not_taken_over() {
        insta::assert_snapshot!(not_running(Actor::Ralph, &State::initial(Timestamp::UNIX_EPOCH)), @r"
        error: ralph's turn is not running: status is `idle`
          help: only a running turn is taken over; `baton status` says what to do next
        ");
    }
}
