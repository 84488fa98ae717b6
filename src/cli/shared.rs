//! Where a workspace's state lies when other clones share it: on the branch of a remote, where `baton run --mode role`
//! passes turns. What a person changes is changed there, from any clone, and the branch here follows where it can.

use super::failures::{PLAIN_RUN, repo_failure, runner_failure};
use super::records::{Records, RecordsKind, find_git_dir, find_records};
use super::words::in_words;
use super::workspace::Located;
use super::{Context, Exit, Failure, Signals};
use crate::ambient::Ambient;
use crate::ledger::{Home, HomeError, Ledger, Lock, TurnFilter};
use crate::model::{Actor, Holder};
use crate::publish::ObjectId;
use crate::repo::{LeaseSeen, Repo, RepoError};
use crate::runner::{
    Change, Exchange, Followed, RunnerError, Seen, Sight, Watched, Workspace, change_seen, follow,
};
use crate::turn::sync::LeaseHealth;

/// As many turns back this clone's journal is searched for the turn that runs.
const KNOWN_TURNS: u32 = 16;

/// The repository here and the branch there.
pub(super) struct Shared {
    pub(super) repo: Repo,
    pub(super) exchange: Exchange,
    seen: Option<Seen>,
    signals: Signals,
}

/// Where the state of a workspace lies, as far as that is known here.
pub(super) enum Lies {
    /// In the file here.
    Here,
    /// On the branch of the remote.
    There(Box<Shared>),
    /// There is a remote, and nothing here says whether it has the state.
    Perhaps(Box<Shared>),
}

/// Where the state lies. It is shared where the remote is configured and the state file is committed: in HEAD, or in
/// the branch as it was seen last. Makes no connection.
pub(super) fn find_shared(located: &Located, context: &Context) -> Result<Lies, RepoError> {
    let ambient = &context.ambient;
    let without_git = find_records(&located.root, ambient).is_some_and(|it| it.kind == RecordsKind::NoGit);
    if without_git || find_git_dir(&located.root).is_none() {
        return Ok(Lies::Here);
    }
    let config = &located.config.config;
    let repo = match Repo::open_configured(&located.root, &config.git, ambient) {
        Ok(repo) => repo,
        Err(RepoError::NotARepository { .. }) => return Ok(Lies::Here),
        Err(error) => return Err(error),
    };
    let head = match repo.head() {
        Ok(head) => head,
        Err(RepoError::NoCommits { .. }) => return Ok(Lies::Here),
        Err(error) => return Err(error),
    };
    let branch = head.branch.as_deref().unwrap_or_default();
    let mut exchange = match Exchange::open(&repo, &config.git, branch, &config.state_file) {
        Ok(exchange) => exchange,
        Err(RunnerError::Repo(error)) => {
            let is_committed = is_committed(&repo, &head.commit, located)?;
            let no_remote = matches!(error, RepoError::NoRemote { .. });
            return if is_committed && !no_remote { Err(error) } else { Ok(Lies::Here) };
        }
        Err(_) => return Ok(Lies::Here),
    };
    let has_it = is_committed(&repo, &head.commit, located)?;
    if head.branch.is_none() {
        return if has_it { Err(RepoError::DetachedHead { commit: head.short }) } else { Ok(Lies::Here) };
    }
    // A state there that cannot be read is one all the same.
    let seen =
        has_it || exchange.seen_last(&repo).map_or(true, |seen| seen.is_some_and(|it| it.state.is_some()));
    let shared = Box::new(Shared { repo, exchange, seen: None, signals: context.signals.clone() });
    Ok(if seen { Lies::There(shared) } else { Lies::Perhaps(shared) })
}

/// The same for a verb that only tells: a clone that was made before the pair began is worth a question too, where it is
/// set up and has no state of its own.
pub(super) fn find_or_guess(
    located: &Located,
    ask: Ask,
    context: &Context,
) -> Result<Option<(Box<Shared>, Sure)>, RepoError> {
    Ok(match find_shared(located, context)? {
        Lies::There(shared) => Some((shared, Sure::Yes)),
        Lies::Perhaps(shared) if ask == Ask::Remote && located.is_bare_of_state() => Some((shared, Sure::No)),
        Lies::Perhaps(_) | Lies::Here => None,
    })
}

fn is_committed(repo: &Repo, commit: &ObjectId, located: &Located) -> Result<bool, RepoError> {
    let file = repo.prefix().as_path().join(&located.config.config.state_file);
    Ok(repo.file_at(commit, &crate::publish::RepoPath::from_path(&file))?.is_some())
}

/// A look and what may go wrong with it, in the words of the command line.
impl Shared {
    /// The branch on the remote now, by one connection; the lease beside it where it is asked for.
    pub(super) fn look(
        &mut self,
        located: &Located,
        lease: Lease,
    ) -> Result<(Seen, Option<LeaseSeen>), Failure> {
        self.exchange.obey(&self.signals.sign()?);
        let looked = match lease {
            Lease::No => self.exchange.look(&self.repo).map(|seen| (seen, None)),
            Lease::Yes => self.exchange.look_with_lease(&self.repo),
        };
        let (seen, lease) = looked
            .map_err(|error| self.signals.judge(runner_failure(&error, &located.config.config, PLAIN_RUN)))?;
        self.signals.go_on()?;
        self.seen = Some(seen.clone());
        Ok((seen, lease))
    }

    /// The newest commit that was seen, short.
    pub(super) fn tip_short(&self) -> Option<String> {
        self.seen.as_ref().map(|seen| short(&seen.tip))
    }

    /// Whether what was seen was written by the earlier scripts.
    pub(super) fn was_by_earlier_scripts(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.by_earlier_scripts)
    }

    /// Whether it was looked at already.
    pub(super) const fn was_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// The branch now or, where the remote cannot be reached or is not to be, as it was seen last.
    pub(super) fn look_or_recall(&mut self, located: &Located, ask: Ask) -> Result<Looked, Failure> {
        let mut problem = None;
        if ask == Ask::Remote {
            match self.look(located, Lease::Yes) {
                Ok((seen, lease)) => return Ok(Looked { seen: Some(seen), lease, was_asked: WasAsked::Now }),
                // What is there and wrong is no matter of the network.
                Err(failure) if failure.exit != Exit::Operational => return Err(failure),
                Err(failure) => problem = Some(failure),
            }
        }
        let config = &located.config.config;
        let last =
            self.exchange.seen_last(&self.repo).map_err(|error| runner_failure(&error, config, PLAIN_RUN))?;
        match (last, problem) {
            (None, Some(failure)) => Err(failure),
            (seen, problem) => {
                let problem = problem.map(|failure| failure.in_one_line());
                Ok(Looked { seen, lease: None, was_asked: WasAsked::Before { problem } })
            }
        }
    }

    /// Makes a change of the state there, from the last look on.
    pub(super) fn change(&mut self, located: &Located, change: &Change<'_>) -> Result<Option<Seen>, Failure> {
        let seen = match self.seen.take() {
            Some(seen) => seen,
            None => self.look(located, Lease::No)?.0,
        };
        self.exchange.obey(&self.signals.sign()?);
        let changed = change_seen(&mut self.exchange, &self.repo, seen, change);
        changed.map_err(|error| {
            let failure = self.signals.judge(runner_failure(&error, &located.config.config, PLAIN_RUN));
            if error.is_transient() {
                return failure
                    .help("whether the change has arrived is not known: `baton status` tells, when the remote answers");
            }
            failure
        })
    }

    /// Brings the branch here to what is there, where that touches nothing of the person's; else in words why not.
    pub(super) fn follow(&self, root: &std::path::Path, tip: &ObjectId, what: &str) -> Option<String> {
        let repo = &self.repo;
        // Nobody's turn may find the branch moved under it.
        let _lock = match Lock::on_work_tree(root) {
            Ok(lock) => lock,
            Err(HomeError::Busy { .. }) => {
                return Some("a turn is under way in this clone, and brings it along".to_owned());
            }
            Err(error) => return Some(Failure::from_error(Exit::Operational, &error).in_one_line()),
        };
        match follow(repo, &self.exchange, tip, &[], what) {
            Ok(Followed::Done) => None,
            Ok(Followed::HasCommits) => {
                Some(format!("it has commits that `{}` has not", self.exchange.name()))
            }
            Ok(Followed::Overlaps(paths)) => {
                let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
                Some(format!("what is new changes files that are changed here: {}", paths.join(", ")))
            }
            Err(RunnerError::Repo(error)) => Some(repo_failure(&error).in_one_line()),
            Err(error) => Some(Failure::from_error(Exit::Operational, &error).in_one_line()),
        }
    }

    /// Where this clone's records lie, made where there are none yet: what was watched is kept there.
    pub(super) fn home(&self, located: &Located, ambient: &Ambient) -> Option<Home> {
        let home = Workspace::home(&located.root, Some(&self.repo), ambient).ok()?;
        home.create().ok().map(|()| home)
    }
}

/// Whether a look asks for the lease too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lease {
    Yes,
    No,
}

/// Whether the remote is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Remote,
    Memory,
}

/// Whether it is known that the state lies on the remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sure {
    Yes,
    No,
}

/// What is known of the branch there.
pub(super) struct Looked {
    /// `None`: it was never seen.
    pub(super) seen: Option<Seen>,
    pub(super) lease: Option<LeaseSeen>,
    pub(super) was_asked: WasAsked,
}

/// When it was so.
pub(super) enum WasAsked {
    /// Just now.
    Now,
    /// When it was looked at last.
    Before {
        /// Why not now; `None`: nobody asked for that.
        problem: Option<String>,
    },
}

/// Whether the journal of this clone has the turn that the state names. The name of a host does not tell: two clones
/// may lie on one machine.
pub(super) fn is_of_this_clone(holder: Option<&Holder>, records: Option<&Records>) -> bool {
    let (Some(holder), Some(records)) = (holder, records) else { return false };
    let Ok(Some(ledger)) = Ledger::open_read_only(&records.home.ledger()) else { return false };
    let newest = ledger.turns(TurnFilter { actor: None, limit: KNOWN_TURNS }).unwrap_or_default();
    let open = ledger.open_turns().unwrap_or_default();
    newest.iter().chain(&open).any(|turn| turn.opening.id.to_string() == holder.id)
}

/// What the lease says of the holder.
pub(super) fn lease_in_words(sight: &Sight) -> Option<String> {
    let whole = |duration: std::time::Duration| in_words(duration.as_secs());
    let enough = whole(sight.length + sight.length / 4);
    match sight.watched {
        Watched::Nothing => None,
        Watched::Begun => Some(format!(
            "this clone has not watched its lease before: a holder that lives renews it every {}, so look again after that",
            whole(sight.length / 4)
        )),
        Watched::Renewed => {
            Some("its lease was renewed since this clone looked last, so it lives".to_owned())
        }
        Watched::Unchanged(time) if sight.health == LeaseHealth::Expired => Some(format!(
            "its lease has run out: it was not renewed in the {} that this clone has watched, and {enough} are enough",
            whole(time)
        )),
        Watched::Unchanged(time) => Some(format!(
            "its lease was not renewed in the {} that this clone has watched; it counts as gone after {enough}",
            whole(time)
        )),
    }
}

/// A commit's name for people.
pub(super) fn short(commit: &ObjectId) -> String {
    commit.as_str().get(..7).unwrap_or(commit.as_str()).to_owned()
}

/// What starts a seat here.
pub(super) fn role_command(actor: Actor, flag: &str) -> String {
    format!("baton run --mode role --role {actor}{flag}")
}
