//! The end of a turn: its summary for people, its row in the ledger, what it leaves for the next one.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::attempt::InterruptSignal;
use crate::exec::{self, Observation, Urgency};
use crate::ledger::{Closing, Entry};
use crate::model::{AttemptId, OutcomeClass, Usage};
use crate::turn::Refusal;

use super::RunnerError;
use super::commit::{scan, short};
use super::journal::{Cause, Completion, Ended, Leftover, TurnRecord};
use super::notes::Legacy;
use super::observer::Event;
use super::outcome::{TurnEnd, TurnOutcome};
use super::session::session_left;
use super::summary::{Summary, render_summary};
use super::turn::Runner;

/// The directories of this many attempts are kept for people to look at; the logs have their output for longer.
const KEPT_ATTEMPTS: usize = 40;
/// As much of a reply as the ledger keeps for the next turn and for `baton status`.
const KEPT_REPLY: usize = 16 * 1024;

impl Runner<'_> {
    pub(super) fn close(&mut self, turn: &TurnRecord) -> Result<TurnOutcome, RunnerError> {
        let ended = turn.ended.clone().unwrap_or(Ended {
            class: OutcomeClass::Interrupted,
            detail: String::new(),
            cause: Cause::Agent,
        });
        let stalemate = self.closing_stalemate(turn)?;
        let completion = match &turn.stamp {
            Some(plan) => plan.completion.clone(),
            None => self.completion(turn),
        };
        if let Some(Completion::Refused { reason }) = &completion {
            self.warn(&format!("galph's promise of completion is refused: {reason}"));
        }
        let notices = self.release_rescue(turn);
        let leftovers = if turn.passed() { turn.committed.leftovers.clone() } else { self.leftovers(turn) };
        let legacy = Legacy {
            checks: turn.verified.checks.clone(),
            baseline: turn.baseline.checks.clone(),
            completion: completion.clone(),
            leftovers,
            dry_run: turn.committed.dry_run,
            notices,
            usage: turn.spent(),
            commits: turn
                .committed
                .commits
                .iter()
                .map(|made| format!("{} {}", short(&made.id), made.subject))
                .collect(),
            reply: turn.ran.as_ref().map(|ran| end_of(&ran.reply, KEPT_REPLY)).unwrap_or_default(),
            session: session_left(turn, ended.class),
            ahead: turn.published.as_ref().map(|published| published.ahead.clone()).unwrap_or_default(),
        };
        self.write_summary(turn, &ended, &legacy);
        let mut closing = self.closing(turn, ended.class.as_str(), &ended.detail, &legacy);
        closing.stalemate = stalemate.is_some();
        let told = outcome(turn, &ended, &legacy, completion, stalemate);
        self.pending.push(Entry::Close(Box::new(closing)));
        self.crash.pass(self.ambient, &self.interrupts, "close:begin");
        self.write_end(turn)?;
        self.crash.pass(self.ambient, &self.interrupts, "close:done");
        self.log = None;
        self.prune_attempts();
        self.observer.event(&Event::Ended {
            actor: told.actor,
            iteration: told.iteration,
            class: ended.class,
            detail: &ended.detail,
            wall: told.wall,
            summary: told.summary.as_deref().unwrap_or_default(),
        });
        Ok(told)
    }

    /// Writes the turn's row. That of a turn that passed can be found again: with a state, from the durable stamp;
    /// without one, from the attempt's durable result. So its fsync is left to the next turn's claim. What a failed
    /// turn left in the tree may be changed by somebody meanwhile, and is durable at once.
    fn write_end(&mut self, turn: &TurnRecord) -> Result<(), RunnerError> {
        if !turn.passed() {
            return self.flush();
        }
        self.workspace.ledger.write_soon_durable(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    /// A signal came after the agent had finished: what was done is durable, the next start goes on from here.
    pub(super) fn suspend(
        &mut self,
        turn: &TurnRecord,
        signal: InterruptSignal,
    ) -> Result<TurnOutcome, RunnerError> {
        self.flush()?;
        self.log = None;
        let legacy = Legacy::default();
        let ended = Ended { class: OutcomeClass::Interrupted, detail: String::new(), cause: Cause::Agent };
        let told = outcome(turn, &ended, &legacy, None, None);
        Ok(TurnOutcome { end: TurnEnd::Suspended { signal }, ..told })
    }

    /// The turn was taken away while we were gone: its agent must not go on, and nothing of it is published.
    pub(super) fn close_fenced(&mut self, turn: &TurnRecord, refusal: &Refusal) -> Result<(), RunnerError> {
        self.end_attempts(turn)?;
        let notices = self.release_rescue(turn);
        let usage = Usage { turns: 0, ..turn.usage() };
        let mut leftovers = self.leftovers(turn);
        // On a remote another turn was taken in this one's place: what this one left must not go along with the next.
        if turn.pushed_claim().is_some() {
            for left in &mut leftovers {
                left.carried = true;
            }
        }
        let legacy = Legacy { leftovers, notices, usage, ..Legacy::default() };
        let closing = self.closing(turn, "fenced", &refusal.to_string(), &legacy);
        self.pending.push(Entry::Close(Box::new(closing)));
        self.flush()
    }

    pub(super) fn end_attempts(&mut self, turn: &TurnRecord) -> Result<(), RunnerError> {
        turn.attempts().into_iter().try_for_each(|attempt| self.end_attempt(attempt))
    }

    /// Ends an attempt that nobody wants any more, whoever started it.
    fn end_attempt(&mut self, attempt: AttemptId) -> Result<(), RunnerError> {
        let dir = self.attempt_dir(attempt);
        if !dir.spec_path().exists() {
            return Ok(());
        }
        match exec::observe(&dir, self.ambient)? {
            Observation::Alive { .. } => {
                let mut running = exec::adopt(&dir, self.ambient)?;
                running.cancel(Urgency::Now)?;
                while running.wait(None, None)? != exec::Progress::Ended {}
            }
            Observation::Vanished { .. } => {
                exec::abandon(&dir, attempt, self.ambient)?;
            }
            Observation::Finished(_) => {}
        }
        Ok(())
    }

    fn closing_stalemate(&self, turn: &TurnRecord) -> Result<Option<String>, RunnerError> {
        match &turn.stamp {
            Some(plan) => Ok(plan
                .hold
                .as_ref()
                .filter(|hold| hold.kind == crate::model::HoldKind::NoProgress)
                .map(|hold| hold.reason.clone())),
            None if turn.passed() => self.stalemate(turn),
            None => Ok(None),
        }
    }

    /// What the turn changed and did not commit. Best effort: a repository that cannot be read now tells nothing.
    pub(super) fn leftovers(&self, turn: &TurnRecord) -> Vec<Leftover> {
        let (Some(repo), Some(base)) = (&self.workspace.repo, turn.base()) else { return Vec::new() };
        let now = repo.head().map_err(Into::into).and_then(|head| scan(repo, base, &head));
        let Ok(now) = now else { return Vec::new() };
        now.iter()
            .filter(|(path, dirty)| {
                let before = base.dirty.get(path).map(|before| &before.content);
                !self.workspace.rules.is_own(path) && !dirty.matches_head() && before != Some(&dirty.content)
            })
            .map(|(path, dirty)| Leftover::of(path, dirty, base))
            .collect()
    }

    fn write_summary(&mut self, turn: &TurnRecord, ended: &Ended, legacy: &Legacy) {
        if let Some(log) = &mut self.log {
            let why = if ended.detail.is_empty() { String::new() } else { format!(": {}", ended.detail) };
            log.line(&format!("ended {}{why}", ended.class));
        }
        let Some(relative) = turn.summary_path() else { return };
        let path = self.workspace.root.join(&relative);
        let text =
            self.masker.mask(&render_summary(&Summary { turn, ended, legacy, label: self.label(turn) }));
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        if let Err(error) = written {
            self.warn(&format!("cannot write {}: {error}", relative.display()));
        }
    }

    fn label(&self, turn: &TurnRecord) -> &str {
        self.config.actors.label(turn.opening.actor)
    }

    fn closing(&self, turn: &TurnRecord, class: &str, detail: &str, legacy: &Legacy) -> Closing {
        let tree = |fingerprint: Option<&crate::repo::Fingerprint>| fingerprint.map(|f| f.tree.to_string());
        let after = turn.committed.fingerprint.as_ref();
        let after = after.or_else(|| turn.ran.as_ref().and_then(|ran| ran.fingerprint.as_ref()));
        let shown = |path: &Path| path.display().to_string();
        Closing {
            turn: turn.opening.id,
            at: self.ambient.now(),
            class: class.to_owned(),
            detail: detail.to_owned(),
            prompt: turn.prompt().map(ToString::to_string),
            agent: turn.run.as_ref().map(|run| run.agent.clone()),
            wall_seconds: turn.ran.as_ref().map(|ran| ran.usage.wall_seconds),
            tree_before: tree(turn.base().map(|base| &base.fingerprint)),
            tree_after: tree(after),
            stalemate: false,
            log_path: turn.files().map(|files| shown(&files.log)),
            summary_path: turn.files().map(|files| shown(&files.summary)),
            record: serde_json::to_value(legacy).unwrap_or_default(),
        }
    }

    /// Keeps the newest attempts; older captures would fill the disk, and the logs have them.
    fn prune_attempts(&self) {
        let Ok(entries) = fs::read_dir(self.workspace.home.attempts()) else { return };
        let mut attempts: Vec<AttemptId> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        attempts.sort_unstable();
        let surplus = attempts.len().saturating_sub(KEPT_ATTEMPTS);
        for attempt in attempts.into_iter().take(surplus) {
            let dir = self.attempt_dir(attempt);
            // Whatever may still be alive is not ours to forget.
            if matches!(exec::observe(&dir, self.ambient), Ok(Observation::Finished(_))) {
                let _ = fs::remove_dir_all(dir.path());
            }
        }
    }
}

fn outcome(
    turn: &TurnRecord,
    ended: &Ended,
    legacy: &Legacy,
    completion: Option<Completion>,
    stalemate: Option<String>,
) -> TurnOutcome {
    TurnOutcome {
        turn: turn.opening.id,
        actor: turn.opening.actor,
        mode: turn.opening.mode.clone(),
        iteration: turn.opening.iteration,
        prompt: turn.prompt().map(ToString::to_string),
        agent: turn.run.as_ref().map(|run| run.agent.clone()),
        end: TurnEnd::Closed { class: ended.class, detail: ended.detail.clone(), cause: ended.cause },
        usage: turn.spent(),
        wall: wall(turn),
        commits: legacy.commits.clone(),
        completion,
        stalemate,
        summary: turn.summary_path().map(|path| path.display().to_string()),
    }
}

fn wall(turn: &TurnRecord) -> Duration {
    turn.ran.as_ref().and_then(|ran| ran.exit.as_ref()).map_or(Duration::ZERO, |exit| exit.wall)
}

/// The end of a text, cut at a character.
fn end_of(text: &str, limit: usize) -> String {
    let mut start = text.len().saturating_sub(limit);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}
