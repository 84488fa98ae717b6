//! The rules: own prompt, review cadence, override.

use std::fmt;

use crate::model::{Actor, PromptName, State, Verdict};

use super::{Mode, RouteError, Settings};

/// What of the state a routing decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation<'a> {
    /// Whose turn it is.
    pub actor: Actor,
    /// The iteration, from 1.
    pub iteration: u64,
    /// The prompt of the last routed turn that passed the baton.
    pub last_prompt: Option<&'a str>,
    /// Who ran it.
    pub last_prompt_actor: Option<Actor>,
}

impl<'a> Situation<'a> {
    /// The situation of this actor in this state.
    #[must_use]
    pub fn of(actor: Actor, state: &'a State) -> Self {
        Self {
            actor,
            iteration: state.iteration,
            last_prompt: state.last_prompt.as_deref(),
            last_prompt_actor: state.last_prompt_actor,
        }
    }

    fn galph_has_reviewed(&self, settings: &Settings) -> bool {
        let last = self.last_prompt.and_then(|name| name.parse::<PromptName>().ok());
        self.last_prompt_actor == Some(Actor::Galph) && last.as_ref() == Some(&settings.reviewer_prompt)
    }
}

/// By which rule a prompt was selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The router is off: the seat's own prompt.
    RouterOff,
    /// The seat's own prompt.
    Deterministic,
    /// A review is due.
    Cadence,
    /// The router prompt's reply.
    Override,
}

impl Source {
    /// The word in the journal, in logs and in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RouterOff => "router_off",
            Self::Deterministic => "deterministic",
            Self::Cadence => "cadence",
            Self::Override => "override",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The prompt that a turn runs, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What runs.
    pub prompt: PromptName,
    /// By which rule.
    pub source: Source,
    /// The reason, for people: half a sentence without a full stop.
    pub reason: String,
}

/// What must happen before a turn's prompt is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutePlan {
    /// Nothing: this decision stands.
    Decided(Decision),
    /// The router prompt is run by the agent, and [`super::decide_override`] reads its reply.
    AskRouter {
        /// The router prompt.
        prompt: PromptName,
        /// What the deterministic rule gives, in `router_default`: for display, and never a fallback.
        replaces: Option<Decision>,
    },
}

/// What a turn needs before its prompt is known.
///
/// Only galph's turn is ever given to the router prompt. In `router_default` the deterministic rule must give an
/// allowed prompt even though the reply then replaces it; in `router_first` and `router_only` it is not consulted
/// where there is a router prompt.
pub fn decide_plan(settings: &Settings, situation: &Situation<'_>) -> Result<RoutePlan, RouteError> {
    if !settings.enabled || situation.actor == Actor::Ralph {
        return decide_deterministic(settings, situation).map(RoutePlan::Decided);
    }
    match (settings.mode, &settings.router_prompt) {
        (Mode::Default | Mode::First, None) => {
            decide_deterministic(settings, situation).map(RoutePlan::Decided)
        }
        (Mode::Default, Some(router)) => {
            let replaces = Some(decide_deterministic(settings, situation)?);
            Ok(RoutePlan::AskRouter { prompt: router.clone(), replaces })
        }
        (Mode::First | Mode::Only, Some(router)) => {
            Ok(RoutePlan::AskRouter { prompt: router.clone(), replaces: None })
        }
        (Mode::Only, None) => Err(RouteError::NoRouterPrompt { actor: situation.actor }),
    }
}

/// What the deterministic rule gives: the seat's own prompt, or the reviewer's when a review is due and galph has not
/// run it in this iteration.
///
/// The decision is in the allowlist, unless the router is off; that its file exists is for [`check_selected`].
pub fn decide_deterministic(settings: &Settings, situation: &Situation<'_>) -> Result<Decision, RouteError> {
    let actor = situation.actor;
    let own = settings.own_prompt(actor).clone();
    if !settings.enabled {
        let reason = format!("the router is off, and this is {actor}'s own prompt");
        return Ok(Decision { prompt: own, source: Source::RouterOff, reason });
    }
    let decision = if !settings.review_is_due(situation.iteration) {
        let reason = format!("no review is due, and this is {actor}'s own prompt");
        Decision { prompt: own, source: Source::Deterministic, reason }
    } else if actor == Actor::Ralph && situation.galph_has_reviewed(settings) {
        let reason = "the review of this iteration was galph's, and this is ralph's own prompt".to_owned();
        Decision { prompt: own, source: Source::Deterministic, reason }
    } else {
        let reason = format!(
            "a review is due every {} iterations, and {} is one",
            settings.review_every_n, situation.iteration
        );
        Decision { prompt: settings.reviewer_prompt.clone(), source: Source::Cadence, reason }
    };
    check_allowed(settings, actor, &decision)?;
    Ok(decision)
}

/// Finds out before anything runs whether the prompts that a plan names exist in `prompts_dir`.
///
/// The decision that a router's reply will replace is not looked at.
pub fn check_plan(
    actor: Actor,
    plan: &RoutePlan,
    prompts_dir: &str,
    exists: impl Fn(&PromptName) -> bool,
) -> Result<(), RouteError> {
    match plan {
        RoutePlan::Decided(decision) => check_selected(actor, decision, prompts_dir, exists),
        RoutePlan::AskRouter { prompt, .. } if exists(prompt) => Ok(()),
        RoutePlan::AskRouter { prompt, .. } => Err(RouteError::RouterPromptMissing {
            prompt: prompt.clone(),
            prompts_dir: prompts_dir.to_owned(),
        }),
    }
}

/// Refuses a decision whose prompt does not exist in `prompts_dir`, as `exists` says.
pub fn check_selected(
    actor: Actor,
    decision: &Decision,
    prompts_dir: &str,
    exists: impl Fn(&PromptName) -> bool,
) -> Result<(), RouteError> {
    if exists(&decision.prompt) {
        return Ok(());
    }
    Err(RouteError::Missing {
        actor,
        prompt: decision.prompt.clone(),
        source_kind: decision.source,
        prompts_dir: prompts_dir.to_owned(),
    })
}

/// What the state's `last_prompt` and `last_prompt_actor` become at a stamp; `None`: they stay as they are.
///
/// Only a turn that passes the baton is remembered. A failed or released turn is taken again by the same seat in the
/// same iteration, and must find what the turn before it had left: otherwise ralph's second try would not know
/// any more that galph has reviewed, and review again.
pub fn last_prompt_after(actor: Actor, decision: &Decision, verdict: Verdict) -> Option<(PromptName, Actor)> {
    let routed = decision.source != Source::RouterOff;
    (routed && verdict == Verdict::Pass).then(|| (decision.prompt.clone(), actor))
}

/// Allowlist and gate; only while the router is on.
pub(super) fn check_allowed(
    settings: &Settings,
    actor: Actor,
    decision: &Decision,
) -> Result<(), RouteError> {
    let (prompt, source_kind) = (decision.prompt.clone(), decision.source);
    let allowed = settings.allowed();
    if !allowed.contains(&prompt) {
        return Err(RouteError::NotAllowed { actor, prompt, source_kind, allowed });
    }
    let may_run = settings.gate(actor);
    if !may_run.contains(&prompt) {
        return Err(RouteError::NotForActor { actor, prompt, source_kind, may_run });
    }
    Ok(())
}
