//! The claim: everything that can be known beforehand is checked, the world is recorded, the state is taken.

use std::collections::BTreeMap;

use crate::agent::{CommandSpec, PromptEncoding, Reports};
use crate::config::{Config, Session};
use crate::ledger::{Entry, TurnFilter};
use crate::model::{Actor, Holder, PromptName, State, Token};
use crate::publish::{DirtyRecord, RepoPath};
use crate::repo::{Head, Repo};
use crate::route::{RoutePlan, Situation, check_plan, decide_plan};
use crate::turn::{Claim, Features, Input, Phase, Refusal, apply};

use super::error::RunnerError;
use super::journal::{Base, ClaimFound, ClaimPlan, ClaimedState, Leftover, Record, TurnRecord};
use super::notes::leftovers_of;
use super::prompt::read_prompt;
use super::rescue::changed_before_kept;
use super::turn::{Runner, Step, TurnKind};
use super::void::Void;

/// How many paths a message names.
const NAMED_PATHS: usize = 20;

/// How often the work tree is looked at anew at a claim.
const RECORD_TRIES: u32 = 20;

impl Runner<'_> {
    /// Finds every reason not to take this turn that can be found without running anything.
    pub(super) fn check_before_claim(
        &self,
        actor: Actor,
        kind: TurnKind,
        state: Option<&State>,
    ) -> Result<(), RunnerError> {
        refuse_unavailable(self.config)?;
        self.workspace.refuse_disturbed()?;
        if let Some(repo) = &self.workspace.repo {
            repo.preflight(self.workspace.branch.as_deref())?;
        }
        let plan = decide_plan(&self.routing, &situation(actor, kind, state))?;
        check_plan(actor, &plan, &self.prompts_dir(), |prompt| self.prompt_exists(prompt))?;
        match &plan {
            RoutePlan::Decided(decision) => self.check_prompt(actor, &decision.prompt)?,
            RoutePlan::AskRouter { prompt, .. } => {
                self.check_prompt(actor, prompt)?;
                let own = self.agent_for(actor, self.routing.own_prompt(actor))?;
                self.check_agent(actor, &own)?;
            }
        }
        if matches!(kind, TurnKind::Solo(_)) || self.exchange.is_some() {
            return Ok(());
        }
        // A cap that the other seat's agent cannot keep is refused before this one's is paid for.
        let other = actor.other();
        match self.agent_for(other, self.routing.own_prompt(other)) {
            Ok(command) => self.check_agent(other, &command),
            // Its own turn will say so: until then it may be installed.
            Err(_) => Ok(()),
        }
    }

    fn check_prompt(&self, actor: Actor, prompt: &PromptName) -> Result<(), RunnerError> {
        let text = read_prompt(&self.workspace.root, &self.config.prompts_dir, prompt.as_str())?;
        let command = self.agent_for(actor, prompt)?;
        // Only the shell agent reads the prompt itself; the notes that come later do not change what it finds.
        if command.encoding == PromptEncoding::ShellScript {
            command.prompt_content(&text).map_err(|source| RunnerError::UnusablePrompt {
                shown: format!("{}/{prompt}", self.prompts_dir()),
                source: Box::new(source),
            })?;
        }
        self.check_agent(actor, &command)
    }

    /// Refuses an agent with which the configuration's promises cannot be kept.
    fn check_agent(&self, actor: Actor, command: &CommandSpec) -> Result<(), RunnerError> {
        if self.config.turn.session == Session::Resume && !command.can_resume() {
            return Err(RunnerError::CannotResume { agent: command.agent.clone(), actor });
        }
        let reports = command.output.reports();
        for (which, budget) in [("run", &self.config.budget.run), ("total", &self.config.budget.total)] {
            let (agent, cap) = (command.agent.clone(), [budget.cost_usd.is_some(), budget.tokens.is_some()]);
            match (cap, reports) {
                ([true, _], Reports { cost: false, .. }) => {
                    return Err(RunnerError::NoCostReported { which, agent, actor });
                }
                ([_, true], Reports { tokens: false, .. }) => {
                    return Err(RunnerError::NoTokensReported { which, agent, actor });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Records the world, then takes the state.
    pub(super) fn claim(
        &mut self,
        turn: &mut TurnRecord,
        kind: TurnKind,
        state: Option<State>,
    ) -> Result<Step, RunnerError> {
        let base = match &self.workspace.repo {
            Some(repo) => Some(self.record_base(repo, turn.opening.actor)?),
            None => None,
        };
        self.list_dirt(base.as_ref());
        let token = self.ambient.new_token();
        let input = self.claim_input(turn, kind, &token, turn.opening.at);
        let state = match state {
            Some(before) => {
                let after = apply(&before, input.clone(), turn.opening.at)?;
                Some(ClaimedState { before, after, token })
            }
            None => None,
        };
        let features = features(self.config, turn.opening.actor, base.is_some(), state.is_some());
        let takes_state = state.is_some();
        let protect = self.config.publish.protect.clone();
        let secrets = Some(self.config.publish.secrets.clone());
        let settings = Some(self.settings_digest());
        let plan = ClaimPlan { features, state, base, pushed: None, protect, secrets, settings };
        self.crash_point(Phase::Claimed, "begin");
        self.pending.push(Entry::Open(turn.opening.clone()));
        self.journal_begin(turn, Record::ClaimBegin(Box::new(plan)))?;
        self.keep_rescue(turn)?;
        if takes_state && let Err(error) = self.write_claim(turn, input) {
            if matches!(error, RunnerError::Refused(_)) {
                self.close_void(turn, Void::NeverMade)?;
            }
            return Err(error);
        }
        self.journal_done(turn, Record::ClaimDone(ClaimFound::default()))?;
        Ok(Step::Go)
    }

    /// Says once what is a person's and will be left alone.
    pub(super) fn list_dirt(&mut self, base: Option<&Base>) {
        let Some(base) = base.filter(|_| !self.dirt_listed) else { return };
        self.dirt_listed = true;
        let paths: Vec<String> = base
            .dirty
            .iter()
            .filter(|(path, _)| !self.workspace.rules.is_own(path) && !base.by_agents.contains(path))
            .map(|(path, _)| path.to_string())
            .collect();
        if paths.is_empty() {
            return;
        }
        let named = &paths[..paths.len().min(NAMED_PATHS)];
        let more = paths.len() - named.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        self.warn(&format!(
            "uncommitted before this turn, and left alone: {}{more}; a turn that changes one of these paths stops",
            named.join(", ")
        ));
        let left_out = base.guard.iter().flat_map(|guard| &guard.rescue.left_out);
        let left_out: Vec<String> = left_out.take(NAMED_PATHS).map(ToString::to_string).collect();
        if !left_out.is_empty() {
            self.warn(&format!(
                "too large to keep a copy of them, should the agent change them: {}",
                left_out.join(", ")
            ));
        }
    }

    pub(super) fn claim_input(
        &self,
        turn: &TurnRecord,
        kind: TurnKind,
        token: &Token,
        now: jiff::Timestamp,
    ) -> Input {
        let lease = jiff::SignedDuration::try_from(self.config.sync.lease.0).unwrap_or_default();
        let claim = Claim {
            actor: turn.opening.actor,
            token: token.clone(),
            holder: Holder {
                id: turn.opening.id.to_string(),
                host: self.ambient.host(),
                pid: std::process::id(),
                since: now,
            },
            lease_expires_at: now.checked_add(lease).unwrap_or(now),
        };
        match kind {
            TurnKind::Again => Input::Reclaim(claim),
            TurnKind::TakenOver => Input::Takeover(claim),
            TurnKind::Expected | TurnKind::Solo(_) => Input::Claim(claim),
        }
    }

    fn write_claim(&self, turn: &TurnRecord, input: Input) -> Result<(), RunnerError> {
        let now = turn.opening.at;
        self.workspace.state.update(|found| -> Result<State, RunnerError> {
            let found = found.unwrap_or_else(|| State::initial(now));
            Ok(apply(&found, input, now)?)
        })?;
        Ok(())
    }

    /// A claim that was begun: did it happen? The state knows, by its token.
    pub(super) fn examine_claim(&mut self, turn: &mut TurnRecord) -> Result<Step, RunnerError> {
        if let Some(claimed) = turn.claimed_state() {
            let found = self.workspace.state.read()?;
            if found.and_then(|state| state.token) != Some(claimed.token.clone()) {
                return Ok(Step::Void(Void::NeverMade));
            }
        }
        self.keep_rescue(turn)?;
        self.journal_done(turn, Record::ClaimDone(ClaimFound::default()))?;
        Ok(Step::Go)
    }

    /// Before a turn of an earlier process goes on: is it still ours? If not, its agent is stopped and the turn is over.
    pub(super) fn check_still_ours(&mut self, turn: &TurnRecord) -> Result<Step, RunnerError> {
        let Some(claimed) = turn.claimed_state().filter(|_| turn.facts.is_done(Phase::Claimed)) else {
            return Ok(Step::Go);
        };
        let Some(found) = self.workspace.state.read()? else { return Ok(Step::Go) };
        let stamped = turn.stamp.as_ref().map(|plan| &plan.token);
        if found.token.as_ref() == Some(&claimed.token)
            || (stamped.is_some() && found.token.as_ref() == stamped)
        {
            return Ok(Step::Go);
        }
        let refusal = Refusal::Fenced {
            actor: turn.opening.actor,
            ours: claimed.token.clone(),
            found: found.token.as_ref().map_or_else(|| "none".to_owned(), Token::to_string),
        };
        self.close_fenced(turn, &refusal)?;
        Err(refusal.into())
    }

    /// What is there now, at one moment: where somebody saves, commits or stashes while it is looked at, it is looked at
    /// anew.
    pub(super) fn record_base(&self, repo: &Repo, actor: Actor) -> Result<Base, RunnerError> {
        let mut tries = 1;
        loop {
            let head = repo.head()?;
            let stash = repo.stash()?;
            let base = self.record_base_at(repo, actor, head)?;
            // `git stash pop` writes the files first and drops the entry then: the scan may have come before the one, and
            // the list of the entries after the other, so that neither knows what will turn up in the turn.
            let popped = base.guard.as_ref().is_some_and(|guard| guard.surroundings.stashes != stash);
            let torn = popped || repo.head()? != base.head || changed_before_kept(repo, &base)?;
            if !torn || tries == RECORD_TRIES {
                return Ok(base);
            }
            tries += 1;
        }
    }

    /// HEAD and what is dirty now, less what earlier turns of this seat have left behind: that is this seat's own.
    fn record_base_at(&self, repo: &Repo, actor: Actor, head: Head) -> Result<Base, RunnerError> {
        let now = repo.dirty()?;
        let fingerprint = repo.fingerprint(&head.commit, &now, &self.workspace.rules)?;
        let (mut own, mut by_agents) = (Vec::new(), Vec::new());
        for seat in Actor::ALL {
            // In role mode this very turn is the newest one already.
            let last = self.workspace.ledger.turns(TurnFilter { actor: Some(seat), limit: 2 })?;
            let Some(closing) = last.into_iter().find_map(|turn| turn.closing) else { continue };
            let (taken_over, others) = leftovers_of(&closing);
            if seat == actor {
                own = taken_over;
            } else {
                by_agents.extend(taken_over);
            }
            by_agents.extend(others);
        }
        let mut dirty = without_leftovers(&now, &own);
        // What `force_add` names is output, whoever wrote it and when: it is never a person's half-done work.
        if let Some(forced) = self.workspace.rules.forced() {
            dirty.retain(|path, dirty| dirty.head.is_some() || !forced.names(path));
        }
        let still =
            |left: &Leftover| now.get(&left.path).is_some_and(|dirty| dirty.content == left.now.content);
        let by_agents = by_agents.into_iter().filter(still).map(|left| left.path).collect();
        let mut base = Base { head, fingerprint, dirty, by_agents, guard: None };
        base.guard = Some(self.guard(repo, &base.head, &base)?);
        Ok(base)
    }
}

/// What a routing decision looks at.
pub(super) fn situation(actor: Actor, kind: TurnKind, state: Option<&State>) -> Situation<'_> {
    match (state, kind) {
        (Some(state), _) => Situation::of(actor, state),
        (None, TurnKind::Solo(count)) => {
            Situation { actor, iteration: count, last_prompt: None, last_prompt_actor: None }
        }
        (None, TurnKind::Expected | TurnKind::Again | TurnKind::TakenOver) => {
            Situation { actor, iteration: 1, last_prompt: None, last_prompt_actor: None }
        }
    }
}

pub(super) fn features(config: &Config, actor: Actor, with_git: bool, with_state: bool) -> Features {
    let verifies = !config.verify.is_empty();
    let may_promise = actor == Actor::Galph && config.completion.promise.is_some();
    let mut features = Features::MINIMUM;
    if verifies && actor == Actor::Ralph && config.verify_baseline {
        features = features.with(Phase::Baseline);
    }
    if verifies && (actor == Actor::Ralph || may_promise) {
        features = features.with(Phase::Verified);
    }
    if with_git {
        features = features.with(Phase::Committed);
    }
    if with_state {
        features = features.with(Phase::Stamped);
    }
    features
}

/// What was dirty before, so that what an interrupted turn of the same seat left behind counts as this turn's work. A
/// path that somebody changed since is theirs.
fn without_leftovers(now: &DirtyRecord, leftovers: &[Leftover]) -> DirtyRecord {
    let leftovers: BTreeMap<&RepoPath, &Leftover> = leftovers.iter().map(|left| (&left.path, left)).collect();
    let mut before = DirtyRecord::default();
    for (path, dirty) in now.iter() {
        match leftovers.get(path).filter(|left| left.now.content == dirty.content) {
            None => before.insert(path.clone(), dirty.clone()),
            Some(Leftover { base: Some(base), .. }) => before.insert(path.clone(), base.clone()),
            Some(Leftover { base: None, .. }) => {}
        }
    }
    before
}

/// Settings whose features come later are refused where ignoring them would break a promise.
fn refuse_unavailable(config: &Config) -> Result<(), RunnerError> {
    if !config.gates.is_empty() {
        return Err(RunnerError::NotAvailable {
            setting: "gates",
            remedy: "remove them; `baton stop` ends the loop before its next turn",
        });
    }
    Ok(())
}
