//! Reading the router agent's reply. An agent's text is not trusted: it is one line that names an allowed prompt, or
//! the turn fails.

use crate::model::PromptName;

use super::decide::check_allowed;
use super::{Decision, RouteError, RoutePlan, Settings, Situation, Source, check_selected};

const SHOWN_CHARACTERS: usize = 80;

/// The decision that the router agent's reply makes, or why it makes none.
///
/// The reply must be exactly one line that is not blank, naming a prompt that is in the allowlist, that the actor may
/// run, and that exists in `prompts_dir` as `exists` says. There is no fallback: anything else fails the turn.
pub fn decide_override(
    settings: &Settings,
    situation: &Situation<'_>,
    plan: &RoutePlan,
    reply: &str,
    prompts_dir: &str,
    exists: impl Fn(&PromptName) -> bool,
) -> Result<Decision, RouteError> {
    let actor = situation.actor;
    let RoutePlan::AskRouter { prompt: router, .. } = plan else {
        return Err(RouteError::NotAsked { actor });
    };
    let router = router.clone();
    let may_run = selectable(settings, situation);
    let mut lines = reply.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = match (lines.next(), lines.count()) {
        (None, _) => return Err(RouteError::ReplyEmpty { actor, router, may_run }),
        (Some(line), 0) => line,
        (Some(first), more) => {
            let first = first.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect();
            return Err(RouteError::ReplySeveralLines { actor, router, lines: more + 1, first, may_run });
        }
    };
    let prompt: PromptName = match line.parse() {
        Ok(prompt) => prompt,
        Err(source) => return Err(RouteError::ReplyName { actor, router, may_run, source }),
    };
    let reason = format!("the router prompt `{router}` was answered with `{prompt}`");
    let decision = Decision { prompt, source: Source::Override, reason };
    check_allowed(settings, actor, &decision)?;
    check_selected(actor, &decision, prompts_dir, exists)?;
    Ok(decision)
}

fn selectable(settings: &Settings, situation: &Situation<'_>) -> Vec<PromptName> {
    let allowed = settings.allowed();
    settings.gate(situation.actor).into_iter().filter(|prompt| allowed.contains(prompt)).collect()
}
