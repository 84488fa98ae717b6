//! The commits: what this turn changed, by category, on the branch that was claimed.

use crate::publish::{CommitContext, DirtyRecord, RepoPath, Selection, commit_message, decide_selection};
use crate::repo::{
    CommitOrder, CommitPlan as RepoCommitPlan, Fingerprint, Head, IndexRefresh, Repo, RepoError,
};

use super::RunnerError;
use super::agent_actions::{CommitsSince, obstacles, refusals};
use super::journal::{Base, CommitMade, CommitPlan, Committed, Record, TurnRecord};
use super::observer::Event;
use super::outcome::run_command;
use super::preview::{CommitUse, keep_selected, leftovers_of_selection};
use super::run::Looked;
use super::turn::{Runner, Step};

/// How many paths a message names.
const NAMED_PATHS: usize = 20;

/// How often the work is looked at anew because somebody saved or committed in the very moment of the commit.
const COMMIT_TRIES: u32 = 20;

impl Runner<'_> {
    pub(super) fn commit(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let mut tries = 1;
        loop {
            match self.commit_once(turn) {
                // Nothing was committed, and a person at work beside the loop is no reason to end it.
                Err(RunnerError::Repo(
                    RepoError::BranchMoved { .. } | RepoError::ChangedSinceSelected { .. },
                )) if tries < COMMIT_TRIES => tries += 1,
                ended => return ended,
            }
        }
    }

    fn commit_once(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let (Some(repo), Some(base)) = (&self.workspace.repo, turn.base()) else {
            self.journal_done(turn, Record::CommitDone(Committed::default()))?;
            return Ok(Step::Go);
        };
        let (actor, id) = (turn.opening.actor, turn.opening.id);
        self.workspace.refuse_gone()?;
        // One look at HEAD for all that follows: the commits are made only if it is there still.
        let head = match obstacles(repo, id, base)? {
            Ok(head) => head,
            Err(problems) => return self.stop_at_commit(turn, problems),
        };
        let seen = self.looked.take().filter(|seen| seen.turn == id && seen.head == head.commit);
        let now = match seen {
            Some(Looked { mut now, .. }) => {
                repo.mark_ignored_at(&base.head.commit, &head.commit, &mut now)?;
                now
            }
            None => scan(repo, base, &head)?,
        };
        let rules = &self.workspace.rules;
        let mut selection = decide_selection(&before(base, &now), &now, actor, rules);
        self.leave_persons_settings(turn, &mut selection);
        let again = run_command(&turn.opening.mode, actor);
        let commits = CommitsSince {
            from: turn.leaves_after().unwrap_or(&base.head.commit),
            head: &head,
            ended_at: turn.ran.as_ref().and_then(|ran| ran.fingerprint.as_ref()).map(|after| &after.head),
            accepted: self.accepted.as_deref(),
            claimed: turn.claimed_state().map(|claimed| &claimed.after),
            again: &again,
        };
        let problems = refusals(repo, id, base, &selection, rules, &commits)?;
        let only_say = self.commits == CommitUse::OnlySay;
        if only_say {
            self.preview(turn, &selection, &problems);
        }
        let (Some(repo), Some(base)) = (&self.workspace.repo, turn.base()) else { return Ok(Step::Go) };
        if !problems.is_empty() {
            return self.stop_at_commit(turn, problems);
        }
        if let Some(branch) = base.head.branch.as_deref().filter(|_| head.commit != base.head.commit) {
            repo.sync_commits_since(&base.head.commit, branch)?;
        }
        if !only_say && let Err(error) = self.refuse_others_paths(turn, &selection) {
            self.flush()?;
            return Err(error);
        }
        if let Some(signal) = self.refuse_secrets(turn, &head, &selection)? {
            return Ok(Step::Suspend(signal));
        }
        let (Some(repo), Some(base)) = (&self.workspace.repo, turn.base()) else { return Ok(Step::Go) };
        let mut work_tree = repo.fingerprint(&head.commit, &now, &self.workspace.rules)?;
        let mut committed = describe(&selection, base, &now);
        committed.by_agent = made_by_agent(repo, base, &head)?;
        if only_say {
            keep_selected(&mut committed, &selection, base, &now);
        } else if !selection.batches.is_empty() {
            let restaged = self.make_commits(turn, selection, &head, &mut committed)?;
            // The last of the commits is what HEAD was moved to.
            if let Some(tip) = committed.commits.last().and_then(|made| made.id.parse().ok()) {
                work_tree.head = tip;
            }
            if !restaged.is_empty() {
                work_tree = self.look_after_hooks(turn, &restaged, &mut committed)?.unwrap_or(work_tree);
            }
        }
        self.finish_commit(turn, committed, work_tree)?;
        Ok(Step::Go)
    }

    /// The journal waits here; what was kept for a person is named in the problems, and stays.
    fn stop_at_commit(&mut self, turn: &TurnRecord, mut problems: Vec<String>) -> Result<Step, RunnerError> {
        let journal = self.workspace.home.ledger();
        if !journal.is_file() {
            problems.push(format!(
                "{} was deleted during the turn, and with it the turn's journal: no start can go on with it. Commit its \
                 work by hand, then `baton takeover`",
                journal.display()
            ));
        }
        // The agent may have taken the names of the copies away.
        let _ = self.keep_rescue(turn);
        self.flush()?;
        Err(RunnerError::Unpublishable { actor: turn.opening.actor, problems })
    }

    fn make_commits(
        &mut self,
        turn: &mut TurnRecord,
        selection: Selection,
        head: &Head,
        committed: &mut Committed,
    ) -> Result<Vec<RepoPath>, RunnerError> {
        let prompt = turn.prompt().map(ToString::to_string).unwrap_or_default();
        let context = CommitContext {
            actor: turn.opening.actor,
            prompt: &prompt,
            iteration: turn.opening.iteration,
            turn: turn.opening.id,
        };
        let plans: Vec<RepoCommitPlan> = selection
            .batches
            .into_iter()
            .map(|batch| RepoCommitPlan {
                message: commit_message(context, batch.category, &batch.paths),
                batch,
            })
            .collect();
        self.journal_begin(turn, Record::CommitBegin(CommitPlan { head: head.clone() }))?;
        let Some(repo) = &self.workspace.repo else { return Ok(Vec::new()) };
        let identity = repo.identity()?;
        let made = repo.commit(CommitOrder { head, plans: &plans, identity: &identity });
        let made = match made {
            Err(refusal) if refusal.is_refusal() => {
                let (actor, problems) = (turn.opening.actor, vec![refusal.to_string()]);
                return Err(RunnerError::Unpublishable { actor, problems });
            }
            made => made?,
        };
        let subjects = plans.iter().map(|plan| plan.message.lines().next().unwrap_or_default());
        committed.commits = made
            .commits
            .iter()
            .zip(subjects)
            .map(|((id, _), subject)| CommitMade { id: id.to_string(), subject: subject.to_owned() })
            .collect();
        self.report_index(&made.index);
        Ok(made.restaged)
    }

    /// What the work tree holds when a hook has changed what was committed: nothing has verified that.
    fn look_after_hooks(
        &mut self,
        turn: &TurnRecord,
        restaged: &[RepoPath],
        committed: &mut Committed,
    ) -> Result<Option<Fingerprint>, RunnerError> {
        let (Some(repo), Some(base)) = (&self.workspace.repo, turn.base()) else { return Ok(None) };
        let head = repo.head()?;
        let now = repo.dirty_since(&base.dirty)?;
        let differs = |path: &&RepoPath| now.get(path).is_some_and(|dirty| !dirty.matches_head());
        committed.uncommitted.extend(restaged.iter().filter(differs).map(ToString::to_string));
        let work_tree = repo.fingerprint(&head.commit, &now, &self.workspace.rules)?;
        let named: Vec<String> = restaged.iter().take(NAMED_PATHS).map(ToString::to_string).collect();
        self.warn(&format!("committed as a hook changed it, after the verification: {}", named.join(", ")));
        Ok(Some(work_tree))
    }

    /// Commits that were begun: those with this turn's trailer are there already; then only the index is behind.
    pub(super) fn examine_commit(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let (Some(repo), Some(plan), Some(base)) = (&self.workspace.repo, &turn.commit, turn.base()) else {
            return self.commit(turn);
        };
        self.workspace.refuse_gone()?;
        let found = repo.find_commits(&plan.head.commit, turn.opening.id)?;
        if found.is_empty() {
            return self.commit(turn);
        }
        // Going on past git's own lock, which a kill or a loss of power has left, would show the commits as staged in
        // reverse for good.
        let branch = plan.head.branch.as_deref().unwrap_or_default();
        let problems: Vec<String> = repo.standing_locks(branch).iter().map(ToString::to_string).collect();
        if !problems.is_empty() {
            return self.stop_at_commit(turn, problems);
        }
        let refresh = repo.refresh_index_after(&found)?;
        let head = repo.head()?;
        let now = scan(repo, base, &head)?;
        let selection =
            decide_selection(&before(base, &now), &now, turn.opening.actor, &self.workspace.rules);
        let work_tree = repo.fingerprint(&head.commit, &now, &self.workspace.rules)?;
        let mut committed = describe(&selection, base, &now);
        committed.by_agent = made_by_agent(repo, base, &head)?;
        committed.commits = found
            .into_iter()
            .map(|commit| CommitMade { id: commit.id.to_string(), subject: commit.subject })
            .collect();
        committed.by_agent.retain(|by_agent| committed.commits.iter().all(|own| own.id != by_agent.id));
        self.report_index(&refresh);
        self.finish_commit(turn, committed, work_tree)?;
        Ok(Step::Go)
    }

    fn finish_commit(
        &mut self,
        turn: &mut TurnRecord,
        mut committed: Committed,
        work_tree: Fingerprint,
    ) -> Result<(), RunnerError> {
        committed.head_tree_is_work_tree = committed.uncommitted.is_empty();
        committed.fingerprint = Some(work_tree);
        for made in &committed.commits {
            let short = short(&made.id);
            self.observer.event(&Event::Committed { commit: short, subject: &made.subject });
            if let Some(log) = &mut self.log {
                log.line(&format!("commit {short} {}", made.subject));
            }
        }
        for made in &committed.by_agent {
            self.warn(&format!("committed meanwhile, not by baton: {} {}", short(&made.id), made.subject));
        }
        if !committed.left.is_empty() {
            let named = &committed.left[..committed.left.len().min(NAMED_PATHS)];
            let more = committed.left.len() - named.len();
            let more = if more == 0 { String::new() } else { format!("; and {more} more") };
            self.warn(&format!("changed and not committed: {}{more}", named.join("; ")));
        }
        self.journal_done(turn, Record::CommitDone(committed))
    }

    fn report_index(&mut self, refresh: &IndexRefresh) {
        match refresh {
            IndexRefresh::Done { superseded } if superseded.is_empty() => {}
            IndexRefresh::Done { superseded } => {
                let paths: Vec<String> =
                    superseded.iter().map(|entry| format!("{} ({})", entry.path, entry.staged)).collect();
                self.warn(&format!(
                    "staged versions gave way to what was committed; their content is kept by git as: {}",
                    paths.join(", ")
                ));
            }
            IndexRefresh::Failed { reason } => self.warn(&format!(
                "the commits are made, but the index could not be refreshed and shows them as staged in reverse \
                 ({reason}); run `git reset` when nothing of yours is staged"
            )),
        }
    }
}

/// The work tree now, with what only a changed ignore file has made visible marked as such.
pub(super) fn scan(repo: &Repo, base: &Base, head: &Head) -> Result<DirtyRecord, RunnerError> {
    let mut now = repo.dirty_since(&base.dirty)?;
    repo.mark_ignored_at(&base.head.commit, &head.commit, &mut now)?;
    Ok(now)
}

/// What was dirty before and is not the agents' to change: a path that an earlier turn left may be changed further.
fn before(base: &Base, now: &DirtyRecord) -> DirtyRecord {
    base.dirty
        .iter()
        .filter(|(path, dirty)| {
            let changed = now.get(path).is_none_or(|now| now.content != dirty.content);
            !(changed && base.by_agents.contains(path))
        })
        .map(|(path, dirty)| (path.clone(), dirty.clone()))
        .collect()
}

fn describe(selection: &Selection, base: &Base, now: &DirtyRecord) -> Committed {
    let left = selection.outside_categories().map(|(path, reason)| format!("{path}: {reason}")).collect();
    let uncommitted = selection
        .left
        .iter()
        .filter(|(path, reason)| {
            !reason.is_aside() && now.get(path).is_some_and(|dirty| !dirty.matches_head())
        })
        .map(|(path, _)| path.to_string())
        .collect();
    let leftovers = leftovers_of_selection(selection, base, now);
    Committed { left, uncommitted, leftovers, ..Committed::default() }
}

fn made_by_agent(repo: &Repo, base: &Base, head: &Head) -> Result<Vec<CommitMade>, RunnerError> {
    if head.commit == base.head.commit {
        return Ok(Vec::new());
    }
    let commits = repo.commits_since(&base.head.commit)?;
    Ok(commits
        .into_iter()
        .filter(|commit| commit.turn.is_none())
        .map(|commit| CommitMade { id: commit.id.to_string(), subject: commit.subject })
        .collect())
}

/// The first digits of a commit's name, for people.
pub(super) fn short(id: &str) -> &str {
    id.get(..7).unwrap_or(id)
}
