//! The commits: what this turn changed, by category, on the branch that was claimed.

use crate::publish::{
    CommitContext, DirtyRecord, LeftReason, RepoPath, Selection, commit_message, decide_selection,
};
use crate::repo::{
    CommitOrder, CommitPlan as RepoCommitPlan, Fingerprint, Head, IndexRefresh, Movement, Repo,
};

use super::RunnerError;
use super::journal::{Base, CommitMade, CommitPlan, Committed, Leftover, Record, TurnRecord};
use super::observer::Event;
use super::turn::{Runner, Step};

/// How many paths a message names.
const NAMED_PATHS: usize = 20;

impl Runner<'_> {
    pub(super) fn commit(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let (Some(repo), Some(base)) = (&self.workspace.repo, turn.base()) else {
            self.journal_done(turn, Record::CommitDone(Committed::default()))?;
            return Ok(Step::Go);
        };
        let actor = turn.opening.actor;
        let now = repo.dirty_since(&base.dirty)?;
        let head = repo.head()?;
        let selection = decide_selection(&before(base, &now), &now, actor, &self.workspace.rules);
        let problems = problems(repo, base, &head, &selection)?;
        if !problems.is_empty() {
            self.flush()?;
            return Err(RunnerError::Unpublishable { actor, problems });
        }
        let mut work_tree = repo.fingerprint(&now, &self.workspace.rules)?;
        let mut committed = describe(&selection, base, &now);
        committed.by_agent = made_by_agent(repo, base)?;
        if !selection.batches.is_empty() {
            let restaged = self.make_commits(turn, selection, &head, &mut committed)?;
            if !restaged.is_empty() {
                work_tree = self.look_after_hooks(turn, &restaged, &mut committed)?.unwrap_or(work_tree);
            }
        }
        self.finish_commit(turn, committed, work_tree)?;
        Ok(Step::Go)
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
        let now = repo.dirty_since(&base.dirty)?;
        let differs = |path: &&RepoPath| now.get(path).is_some_and(|dirty| !dirty.matches_head());
        committed.uncommitted.extend(restaged.iter().filter(differs).map(ToString::to_string));
        let work_tree = repo.fingerprint(&now, &self.workspace.rules)?;
        let named: Vec<String> = restaged.iter().take(NAMED_PATHS).map(ToString::to_string).collect();
        self.warn(&format!("committed as a hook changed it, after the verification: {}", named.join(", ")));
        Ok(Some(work_tree))
    }

    /// Commits that were begun: those with this turn's trailer are there already; then only the index is behind.
    pub(super) fn examine_commit(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        let (Some(repo), Some(plan), Some(base)) = (&self.workspace.repo, &turn.commit, turn.base()) else {
            return self.commit(turn);
        };
        let found = repo.find_commits(&plan.head.commit, turn.opening.id)?;
        if found.is_empty() {
            return self.commit(turn);
        }
        let refresh = repo.refresh_index_after(&found)?;
        let now = repo.dirty_since(&base.dirty)?;
        let selection =
            decide_selection(&before(base, &now), &now, turn.opening.actor, &self.workspace.rules);
        let work_tree = repo.fingerprint(&now, &self.workspace.rules)?;
        let mut committed = describe(&selection, base, &now);
        committed.by_agent = made_by_agent(repo, base)?;
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
        let head = match &self.workspace.repo {
            Some(repo) => repo.head()?.commit,
            None => work_tree.head.clone(),
        };
        committed.head_tree_is_work_tree = committed.uncommitted.is_empty();
        committed.fingerprint = Some(Fingerprint { head, tree: work_tree.tree });
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

/// Everything that forbids to commit, one line each with its remedy.
fn problems(
    repo: &Repo,
    base: &Base,
    head: &Head,
    selection: &Selection,
) -> Result<Vec<String>, RunnerError> {
    let branch = base.head.branch.clone().unwrap_or_default();
    let mut problems = Vec::new();
    match repo.movement_since(&base.head)? {
        Movement::Unmoved | Movement::Advanced(_) => {}
        Movement::Switched { to } => problems.push(format!(
            "the branch was switched from {branch} to {to} during the turn: `git switch {branch}`"
        )),
        Movement::Detached { .. } => problems.push(format!(
            "HEAD was detached from {branch} during the turn, at {}: `git switch {branch}`",
            head.short
        )),
        Movement::Rewritten { .. } => problems.push(format!(
            "{branch} was rewritten during the turn and has lost {}: look with `git log {}`, and put the branch where \
             it should be",
            base.head.short, base.head.short
        )),
    }
    problems.extend(selection.refused.iter().map(|(path, reason)| format!("{path}: {reason}")));
    Ok(problems)
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
            !is_aside(reason) && now.get(path).is_some_and(|dirty| !dirty.matches_head())
        })
        .map(|(path, _)| path.to_string())
        .collect();
    let leftovers = selection
        .left
        .iter()
        .filter(|(path, reason)| {
            !is_aside(reason) && (**reason != LeftReason::DirtyBefore || base.by_agents.contains(path))
        })
        .filter_map(|(path, _)| {
            let now = now.get(path).filter(|dirty| !dirty.matches_head())?.clone();
            Some(Leftover { path: path.clone(), now, base: base.dirty.get(path).cloned() })
        })
        .collect();
    Committed { left, uncommitted, leftovers, ..Committed::default() }
}

/// Paths that are never part of what is verified and published.
fn is_aside(reason: &LeftReason) -> bool {
    matches!(
        reason,
        LeftReason::OwnDirectory
            | LeftReason::StateFile
            | LeftReason::Logs
            | LeftReason::Tmp
            | LeftReason::MatchesHead
    )
}

fn made_by_agent(repo: &Repo, base: &Base) -> Result<Vec<CommitMade>, RunnerError> {
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
