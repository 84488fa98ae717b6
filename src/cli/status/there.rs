//! What the branch on the remote says, in a workspace whose state other clones share.

use std::fs;

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::records::Records;
use crate::cli::shared::{Ask, Looked, Shared, Sure, WasAsked, find_or_guess, lease_in_words, short};
use crate::cli::workspace::Located;
use crate::cli::{Context, Failure, failures};
use crate::ledger::{Ledger, TurnFilter};
use crate::model::{Actor, State};
use crate::publish::ObjectId;
use crate::repo::{LeaseSeen, Repo, RepoError};
use crate::runner::{ROLE, Sight, Watched, watch_lease};
use crate::turn::sync::LeaseHealth;

/// As many turns back it is asked which seat this clone plays.
const RECENT: u32 = 8;

/// The branch that is shared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::cli) struct SharedFacts {
    pub(super) remote: String,
    /// Without credentials.
    pub(super) url: String,
    pub(super) branch: String,
    /// Whether it was looked at just now; otherwise this is what was seen last.
    pub(super) online: bool,
    /// Why it could not be looked at.
    pub(super) problem: Option<String>,
    /// When what is told came here, where that is known.
    pub(super) seen_at: Option<Timestamp>,
    /// The newest commit there, short, with its subject.
    pub(super) commit: Option<String>,
    pub(super) subject: Option<String>,
    /// When the state was changed last, by the clock of who did.
    pub(super) changed_at: Option<Timestamp>,
    /// Commits of the branch here that are not there, and the other way round.
    pub(super) ahead: Option<usize>,
    pub(super) behind: Option<usize>,
    /// Whether the earlier scripts have written the state last.
    pub(super) by_earlier_scripts: bool,
    /// The lease of the turn that runs.
    pub(super) lease: Option<LeaseFacts>,
    /// The seat that this clone has played.
    pub(super) seat: Option<Actor>,
}

/// A lease, as this clone has watched it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LeaseFacts {
    /// `begun`, `renewed`, `unchanged`.
    pub(super) watched: &'static str,
    pub(super) unchanged_seconds: Option<u64>,
    pub(super) length_seconds: u64,
    pub(super) expired: bool,
    #[serde(skip)]
    pub(super) words: String,
}

impl LeaseFacts {
    pub(super) fn of(sight: &Sight) -> Option<Self> {
        let (watched, unchanged) = match sight.watched {
            Watched::Nothing => return None,
            Watched::Begun => ("begun", None),
            Watched::Renewed => ("renewed", None),
            Watched::Unchanged(time) => ("unchanged", Some(time.as_secs())),
        };
        Some(Self {
            watched,
            unchanged_seconds: unchanged,
            length_seconds: sight.length.as_secs(),
            expired: sight.health == LeaseHealth::Expired,
            words: lease_in_words(sight)?,
        })
    }
}

/// The state of a shared workspace; `None` where it lies in the file here.
pub(super) fn look(
    located: &Located,
    ask: Ask,
    records: Option<&Records>,
    context: &Context,
) -> Result<Option<(Option<State>, SharedFacts)>, Failure> {
    let (mut shared, sure) = match find_or_guess(located, ask, context) {
        Ok(Some(found)) => found,
        Err(error @ RepoError::DetachedHead { .. }) => {
            return Err(failures::repo_failure(&error)
                .help("`--local` looks at the state file here and nothing else"));
        }
        // What is wrong with the repository `baton doctor` tells.
        Ok(None) | Err(_) => return Ok(None),
    };
    let Looked { seen, lease, was_asked } = match shared.look_or_recall(located, ask) {
        Ok(looked) => looked,
        Err(failure) if sure == Sure::No && !failure.is_stop() => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let state = seen.as_ref().and_then(|seen| seen.state.clone());
    if sure == Sure::No && state.is_none() {
        return Ok(None);
    }
    let (online, problem) = match was_asked {
        WasAsked::Now => (true, None),
        WasAsked::Before { problem } => (false, problem),
    };
    let remote = shared.exchange.remote().facts();
    let tip = seen.as_ref().map(|seen| &seen.tip);
    let distance = tip.and_then(|tip| distance(&shared.repo, tip));
    let facts = SharedFacts {
        remote: remote.name.clone(),
        url: remote.url.clone(),
        branch: remote.branch.clone(),
        online,
        problem,
        seen_at: if online { Some(context.ambient.now()) } else { fetched_at(&shared) },
        commit: tip.map(short),
        subject: tip.and_then(|tip| subject(&shared.repo, tip)),
        changed_at: state.as_ref().and_then(|state| state.last_update),
        ahead: distance.map(|(ahead, _)| ahead),
        behind: distance.map(|(_, behind)| behind),
        by_earlier_scripts: seen.as_ref().is_some_and(|seen| seen.by_earlier_scripts),
        lease: state
            .as_ref()
            .filter(|state| online && state.status.runner().is_some())
            .and_then(|state| sight(&shared, located, state, lease.as_ref(), context))
            .and_then(|sight| LeaseFacts::of(&sight)),
        seat: seat_of(records),
    };
    Ok(Some((state, facts)))
}

fn sight(
    shared: &Shared,
    located: &Located,
    state: &State,
    lease: Option<&LeaseSeen>,
    context: &Context,
) -> Option<Sight> {
    let home = shared.home(located, &context.ambient)?;
    let length = located.config.config.sync.lease.0;
    watch_lease(&home, state, lease, length, &context.ambient).ok()
}

/// How many commits the branch here has that are not there, and the other way round.
fn distance(repo: &Repo, tip: &ObjectId) -> Option<(usize, usize)> {
    let head = repo.head().ok()?.commit;
    let ahead = repo.commits_between(tip, &head).ok()?.len();
    Some((ahead, repo.commits_between(&head, tip).ok()?.len()))
}

fn subject(repo: &Repo, commit: &ObjectId) -> Option<String> {
    Some(repo.recent_commits(Some(commit), 1).ok()?.pop()?.subject)
}

/// When the branch was fetched last with something new: then its reference here was written.
fn fetched_at(shared: &Shared) -> Option<Timestamp> {
    let (remote, branch) = (shared.exchange.name(), shared.exchange.branch());
    let written =
        |name: String| fs::metadata(shared.repo.common_dir().join(name)).and_then(|it| it.modified()).ok();
    let own = written(format!("refs/baton/remote/heads/{branch}"));
    let at = own.max(written(format!("refs/remotes/{remote}/{branch}")))?;
    Timestamp::try_from(at).ok()
}

/// The seat whose turns this clone has taken; `None` where it has taken none, or those of both.
fn seat_of(records: Option<&Records>) -> Option<Actor> {
    let ledger = Ledger::open_read_only(&records?.home.ledger()).ok()??;
    let turns = ledger.turns(TurnFilter { actor: None, limit: RECENT }).ok()?;
    let mut seats = turns.iter().filter(|turn| turn.opening.mode == ROLE).map(|turn| turn.opening.actor);
    let newest = seats.next()?;
    seats.all(|seat| seat == newest).then_some(newest)
}
