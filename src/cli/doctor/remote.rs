//! The remote through which two machines pass the turn: who is asked and how, whether it answers and takes a push, the
//! state and the lease there, and how the branch here stands to it.
//!
//! One look and one dry run of a push; nothing is written but what a look keeps.

use std::time::Duration;

use super::finding::Finding;
use super::setup::chain;
use super::{Asking, Site};
use crate::cli::Failure;
use crate::cli::failures::{PLAIN_RUN, runner_failure};
use crate::cli::words::{in_words, one_line};
use crate::config::{Config, Takeover};
use crate::ledger::TurnFilter;
use crate::model::{Actor, State, Token};
use crate::publish::{ObjectId, RepoPath};
use crate::repo::{Commit, LeaseSeen, Remote, RemoteSeen, Repo, RepoError};
use crate::runner::{ROLE, WatchFile, newest_readable, restore_state, state_path};
use crate::state;
use crate::turn::sync::{LeaseHealth, LeaseSight, LeaseWatch, lease_length};

/// The parts that all findings rest on.
struct Shared<'a> {
    site: &'a Site<'a>,
    config: &'a Config,
    repo: &'a Repo,
    branch: String,
    file: RepoPath,
}

pub(super) fn examine(site: &Site<'_>) -> Vec<Finding> {
    let (Some(config), Some(repo)) = (site.config(), site.repo()) else { return Vec::new() };
    // Without a branch there is nothing to ask for; that is a finding of its own.
    let Some(branch) = repo.head().ok().and_then(|head| head.branch) else { return Vec::new() };
    let file = state_path(repo, &config.state_file);
    let shared = Shared { site, config, repo, branch, file };
    let name = &config.git.remote;
    let mut remote = match (repo.remote(name, &shared.branch), site.asking) {
        (Err(RepoError::NoRemote { .. }), Asking::WhereShared | Asking::Never) if !shared.was_shared() => {
            return Vec::new();
        }
        (Err(error), _) => return vec![Finding::fail("remote", chain(&error))],
        (Ok(remote), Asking::Never) => {
            return vec![Finding::ok("remote", format!("{}; not asked", remote.facts()))];
        }
        (Ok(_), Asking::WhereShared) if !shared.is_shared() => {
            let what = format!("`{name}` is not asked: the state here is not shared through it");
            return vec![Finding::ok("remote", what + " (`baton doctor --remote` asks it)")];
        }
        (Ok(remote), Asking::WhereShared | Asking::Always) => remote,
    };
    match site.context.signals.sign() {
        Ok(sign) => remote.obey(&sign),
        Err(failure) => return vec![Finding::fail("remote", failure.in_one_line())],
    }
    let clock = site.context.ambient.stopwatch();
    let seen = remote.look_with_lease();
    let took = clock.elapsed();
    // What the look has found out about the way is known only now.
    let mut findings = vec![Finding::ok("remote", remote.facts().to_string())];
    match seen {
        Err(error) => findings.push(Finding::fail("remote look", chain(&error))),
        Ok(seen) => {
            findings.push(Finding::ok("remote look", format!("it answered in {} ms", took.as_millis())));
            findings.extend(shared.look(&seen, &remote));
        }
    }
    findings
}

/// Repairs the state on the remote, where it is shared through it; what was done, in words.
pub(super) fn repair(site: &Site<'_>) -> Result<Option<String>, Failure> {
    let (Some(config), Some(repo)) = (site.config(), site.repo()) else { return Ok(None) };
    let Some(branch) = repo.head().ok().and_then(|head| head.branch) else { return Ok(None) };
    let file = state_path(repo, &config.state_file);
    let shared = Shared { site, config, repo, branch, file };
    let is_asked = match site.asking {
        Asking::Always => true,
        Asking::WhereShared => shared.is_shared(),
        Asking::Never => false,
    };
    let remote = repo.remote(&config.git.remote, &shared.branch).ok();
    let Some(mut remote) = remote.filter(|_| is_asked) else { return Ok(None) };
    let signals = &site.context.signals;
    remote.obey(&signals.sign()?);
    let restored = restore_state(repo, &remote, &config.state_file)
        .map_err(|error| signals.judge(runner_failure(&error, config, PLAIN_RUN)))?;
    signals.go_on()?;
    Ok(restored.map(|restored| {
        let state = &restored.state;
        format!(
            "remote state: {}/{}:{} restored from commit {}: iteration {}, {}'s turn, status {}; holds and stops set since \
             then are not in it",
            config.git.remote,
            shared.branch,
            shared.file,
            restored.source,
            state.iteration,
            state.expected_actor,
            state.status
        )
    }))
}

impl Shared<'_> {
    /// Whether the pair's state lies on the branch: here, or as it was seen on the remote last; or role mode was played.
    fn is_shared(&self) -> bool {
        let head = self.repo.head().ok();
        let is_there = |commit: &ObjectId| self.repo.file_at(commit, &self.file).is_ok_and(|it| it.is_some());
        self.was_shared() || head.is_some_and(|head| is_there(&head.commit))
    }

    /// Whether the remote was looked at for a turn, or role mode was played. A state that is committed alone may be anybody's.
    fn was_shared(&self) -> bool {
        let has_played = || {
            let turns = self.site.ledger()?.turns(TurnFilter { actor: None, limit: 1 }).ok()?;
            Some(turns.iter().any(|turn| turn.opening.mode == ROLE))
        };
        has_played().unwrap_or(false)
            || self
                .seen_last()
                .is_some_and(|commit| self.repo.file_at(&commit, &self.file).is_ok_and(|it| it.is_some()))
    }

    /// The branch as a look has found it last.
    fn seen_last(&self) -> Option<ObjectId> {
        self.repo.commit_named(&format!("refs/baton/remote/heads/{}", self.branch))
    }

    fn look(&self, seen: &RemoteSeen, remote: &Remote) -> Vec<Finding> {
        let (name, branch) = (&self.config.git.remote, &self.branch);
        let Some(tip) = &seen.tip else {
            let none = Finding::fail("remote branch", format!("`{name}` has no branch `{branch}`"))
                .remedy(format!("`git push -u {name} {branch}` puts it there"));
            return vec![none, push(remote)];
        };
        let mut findings = vec![self.branch(tip), push(remote)];
        match self.state(tip) {
            Ok(Some(state)) => {
                findings.push(self.healthy(&state));
                findings.extend(peer(&state));
                findings.push(self.lease(&state, seen.lease.as_ref()));
                findings.extend(self.taken_away(&state));
            }
            Ok(None) => findings.push(Finding::ok(
                "remote state",
                format!("no {} there yet; galph's first turn writes it", self.file),
            )),
            Err(finding) => findings.push(finding),
        }
        findings
    }

    /// How the branch here stands to the one there.
    fn branch(&self, tip: &ObjectId) -> Finding {
        let (name, branch) = (&self.config.git.remote, &self.branch);
        let compared = || -> Result<(Vec<Commit>, usize), RepoError> {
            let head = self.repo.head()?.commit;
            let behind = self.repo.commits_between(&head, tip)?.len();
            Ok((self.repo.commits_between(tip, &head)?, behind))
        };
        let (ahead, behind) = match compared() {
            Ok(compared) => compared,
            Err(error) => return Finding::fail("remote branch", chain(&error)),
        };
        let others: Vec<&Commit> = ahead.iter().filter(|commit| commit.turn.is_none()).collect();
        let what = match (ahead.len(), behind) {
            (0, 0) => return Finding::ok("remote branch", format!("`{branch}` here is where `{name}` is")),
            (0, behind) => {
                let what = format!("`{branch}` here is {behind} commit(s) behind; the next turn brings them");
                return Finding::ok("remote branch", what);
            }
            (ahead, 0) => format!("`{branch}` here is {ahead} commit(s) ahead of `{name}`"),
            (ahead, behind) => {
                format!("`{branch}` here and on `{name}` have parted: {ahead} commit(s) here, {behind} there")
            }
        };
        match others.first() {
            None => {
                Finding::ok("remote branch", what + "; they are of turns, and the next one takes them along")
            }
            Some(first) => Finding::warn(
                "remote branch",
                format!("{what}; {} of no turn, the oldest {}", others.len(), one_line(&first.subject)),
                format!(
                    "`git pull --rebase {name} {branch}` and `git push {name} {branch}` publish them; otherwise no turn is \
                     taken here without `--publish-existing`"
                ),
            ),
        }
    }

    fn state(&self, tip: &ObjectId) -> Result<Option<State>, Finding> {
        let fail = |text: String| Finding::fail("remote state", text);
        let bytes = self.repo.file_at(tip, &self.file).map_err(|error| fail(chain(&error)))?;
        let newest = || newest_readable(self.repo, tip, &self.file).ok().flatten();
        let flag = if self.is_shared() { "" } else { " --remote" };
        let remedy = |found: Option<(State, String)>| match found {
            Some((_, commit)) => {
                format!("`baton doctor --fix{flag}` puts the version of commit {commit} back on top")
            }
            None => "no version in the history can be read: mend it by hand; it is never reset".to_owned(),
        };
        match bytes.map(|bytes| state::parse(&bytes)) {
            Some(Ok(state)) => Ok(Some(state)),
            Some(Err(error)) => {
                let place = format!("{}/{}:{}", self.config.git.remote, self.branch, self.file);
                let what = format!(
                    "{place}:{}:{}: not a valid turn state: {}",
                    error.line, error.column, error.found
                );
                Err(fail(what).remedy(remedy(newest())))
            }
            None => match newest() {
                None => Ok(None),
                found @ Some(_) => {
                    let what = format!("{} is gone from `{}` there", self.file, self.branch);
                    Err(fail(what).remedy(remedy(found)))
                }
            },
        }
    }

    fn healthy(&self, state: &State) -> Finding {
        let local = super::state::healthy(state, self.site.context.ambient.now());
        Finding { name: "remote state", ..local }
    }

    /// The sign of life of the turn that runs, as this clone has watched it; the watch is not moved by looking here.
    fn lease(&self, state: &State, lease: Option<&LeaseSeen>) -> Finding {
        let ambient = &self.site.context.ambient;
        let Some(actor) = state.status.runner() else { return Finding::ok("lease", "no turn runs") };
        let on = state
            .holder
            .as_ref()
            .map_or_else(String::new, |holder| format!(" on {}", one_line(&holder.host)));
        let what = format!("{actor}'s turn runs{on}");
        let token = lease.map(|lease| lease.token.clone().map(Token::from_text));
        let renewal = lease.zip(token.as_ref()).map(|(lease, token)| (lease.id.as_str(), token.as_ref()));
        let Some(sight) = LeaseSight::of(state, renewal, ambient.now()) else {
            let why = if state.token.is_none() {
                "the earlier scripts run it, which give no sign of life"
            } else {
                "a hold stands, which suspends its lease"
            };
            return Finding::ok("lease", format!("{what}; {why}"));
        };
        let has_sign = if sight.renewal.is_some() { "has been renewed" } else { "is the claim itself" };
        let kept = self.site.records.as_ref().and_then(|records| WatchFile::of(&records.home, actor).read());
        let watch = LeaseWatch::see(kept.as_ref(), sight, &ambient.boot_id(), ambient.uptime());
        let length = lease_length(state, self.config.sync.lease.0);
        let enough = length.saturating_add(length / 4);
        let words = |time: Duration| in_words(time.as_secs());
        match watch.health(length, ambient.uptime()) {
            LeaseHealth::Expired => Finding::warn(
                "lease",
                format!(
                    "{what}, and gave no sign of life for more than {} of this clone's watch",
                    words(enough)
                ),
                match self.config.sync.takeover {
                    Takeover::AfterLease => format!("the next tick or run of {actor} takes the turn over"),
                    Takeover::Manual => format!("if its machine is gone for good, `baton takeover {actor}`"),
                },
            ),
            LeaseHealth::Alive { left } => Finding::ok(
                "lease",
                format!(
                    "{what}; its lease {has_sign}, is watched unchanged here for {}, and counts as lost after {}",
                    words(enough.saturating_sub(left)),
                    words(enough)
                ),
            ),
            LeaseHealth::Unwatched => Finding::ok("lease", what),
        }
    }

    /// Turns of this clone's journal that somebody else has gone on from.
    fn taken_away(&self, state: &State) -> Vec<Finding> {
        let open = self.site.ledger().and_then(|ledger| {
            let turns = ledger.open_turns().ok()?;
            let past_claim = |turn: &crate::ledger::Turn| {
                let last = ledger.last_phase(turn.opening.id).ok().flatten()?;
                let is_done = last.edge == crate::ledger::Edge::Done;
                Some(match last.phase.as_str() {
                    "claimed" => is_done,
                    "published" => false,
                    _ => true,
                })
            };
            // One that was refused here waits for a person, and is this clone's still.
            let refused = state.failure.as_ref().filter(|failure| failure.waits).map(|failure| &failure.turn);
            let holder = state.holder.as_ref().map(|holder| &holder.id).or(refused);
            let is_held = |turn: &crate::ledger::Turn| holder == Some(&turn.opening.id.to_string());
            let mut lost = turns;
            lost.retain(|turn| {
                turn.opening.mode == ROLE && past_claim(turn).unwrap_or(false) && !is_held(turn)
            });
            Some(lost)
        });
        let told = |turn: crate::ledger::Turn| {
            let opening = turn.opening;
            Finding::warn(
                "open turn",
                format!(
                    "{}'s turn {} was taken away on `{}`",
                    opening.actor, opening.id, self.config.git.remote
                ),
                format!(
                    "`baton tick --role {}` or a run of it keeps its commits under refs/baton-rescue/{}/work, and ends with \
                     exit 6",
                    opening.actor, opening.id
                ),
            )
        };
        open.unwrap_or_default().into_iter().map(told).collect()
    }
}

fn push(remote: &Remote) -> Finding {
    match remote.check_push() {
        Ok(()) => Finding::ok("remote push", "a dry run was let in"),
        Err(error) => Finding::fail("remote push", chain(&error)),
    }
}

/// Nine fields, and none of ours: whoever wrote that knows no holds.
fn peer(state: &State) -> Option<Finding> {
    let by = match state.status.runner() {
        Some(Actor::Galph) => Some("galph"),
        Some(Actor::Ralph) => Some("ralph"),
        None => None,
    };
    (state.schema_version == 0).then(|| {
        let runs = by.map_or_else(String::new, |actor| format!(", and run {actor}'s turn"));
        Finding::warn(
            "peer",
            format!(
                "the earlier scripts wrote the state{runs}: they keep nine fields, and holds do not bind them"
            ),
            "`baton stop` is what they heed; the baton is not passed to them while a hold stands",
        )
    })
}
