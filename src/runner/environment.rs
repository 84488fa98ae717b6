//! What an agent and a `verify` command find in their environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::config::{AgentPush, Config, Environment};
use crate::model::{Actor, AttemptId, PromptName, TurnId};
use crate::repo::RemoteUrls;

/// Who and what an attempt is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttemptContext<'a> {
    pub(super) actor: Actor,
    pub(super) iteration: u64,
    pub(super) prompt: &'a PromptName,
    pub(super) workspace: &'a Path,
    pub(super) turn: TurnId,
    pub(super) attempt: AttemptId,
    pub(super) attempt_dir: &'a Path,
    pub(super) last_summary: Option<&'a Path>,
}

/// Our variables, by name, for the environment and for templates alike.
pub(super) fn variables(context: &AttemptContext<'_>) -> BTreeMap<&'static str, String> {
    let path = |path: &Path| path.display().to_string();
    BTreeMap::from([
        ("BATON_ACTOR", context.actor.to_string()),
        ("BATON_ITERATION", context.iteration.to_string()),
        ("BATON_PROMPT", context.prompt.to_string()),
        ("BATON_WORKSPACE", path(context.workspace)),
        ("BATON_TURN", context.turn.to_string()),
        ("BATON_ATTEMPT", context.attempt.to_string()),
        ("BATON_ATTEMPT_DIR", path(context.attempt_dir)),
        ("BATON_LAST_SUMMARY", context.last_summary.map(path).unwrap_or_default()),
    ])
}

/// The environment of an attempt. `BATON_ATTEMPT` is left to the supervisor, which adds to what it finds.
pub(super) fn environment(
    config: &Config,
    inherited: &BTreeMap<OsString, OsString>,
    context: &AttemptContext<'_>,
    remotes: &RemoteUrls,
) -> BTreeMap<OsString, OsString> {
    let own: Vec<(&str, OsString)> = variables(context)
        .into_iter()
        .filter(|(name, _)| *name != crate::exec::ATTEMPT_MARKER)
        .map(|(name, value)| (name, value.into()))
        .collect();
    let allowed = allowed_names(config);
    let keep = |name: &OsStr| match config.turn.environment {
        Environment::Inherit => true,
        Environment::Clean => allowed.is_match(Path::new(name)),
    };
    let mut environment = crate::attempt::plan_environment(inherited, keep, &own);
    if config.turn.agent_push == AgentPush::Deny {
        deny_push(&mut environment, remotes);
    }
    environment
}

fn allowed_names(config: &Config) -> GlobSet {
    let mut names = GlobSetBuilder::new();
    // Globs that do not parse were refused with the configuration.
    for glob in config.turn.env_allow.iter().filter_map(|name| Glob::new(name).ok()) {
        names.add(glob);
    }
    names.build().unwrap_or_default()
}

/// Git rewrites every push URL to one that leads nowhere; fetching still works. The longest match wins, so the remotes
/// are named in full: a person may have a `pushInsteadOf` of their own. One that has a `pushurl` is not rewritten by it,
/// and takes an `insteadOf`, unless that would keep a remote from being fetched.
fn deny_push(environment: &mut BTreeMap<OsString, OsString>, remotes: &RemoteUrls) {
    const COUNT: &str = "GIT_CONFIG_COUNT";
    const NOWHERE: &str = "url.baton-denies-pushes-by-agents://";
    let is_fetched = |url: &String| remotes.fetch.iter().any(|fetched| fetched.starts_with(url.as_str()));
    let anywhere = String::new();
    let push = std::iter::once(&anywhere).chain(&remotes.fetch).map(|url| ("pushInsteadOf", url));
    let other = remotes.push.iter().filter(|url| !is_fetched(url)).map(|url| ("insteadOf", url));
    let mut count: usize = environment
        .get(OsStr::new(COUNT))
        .and_then(|count| count.to_str())
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    for (key, url) in push.chain(other) {
        environment.insert(format!("GIT_CONFIG_KEY_{count}").into(), format!("{NOWHERE}.{key}").into());
        environment.insert(format!("GIT_CONFIG_VALUE_{count}").into(), url.into());
        count += 1;
    }
    environment.insert(COUNT.into(), count.to_string().into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_pushes_are_added_to_what_is_configured_already() {
        let mut environment: BTreeMap<OsString, OsString> =
            BTreeMap::from([("GIT_CONFIG_COUNT".into(), "2".into())]);
        deny_push(&mut environment, &RemoteUrls::default());
        assert_eq!(environment[OsStr::new("GIT_CONFIG_COUNT")], "3");
        assert_eq!(environment[OsStr::new("GIT_CONFIG_VALUE_2")], "");
        assert!(environment.contains_key(OsStr::new("GIT_CONFIG_KEY_2")));
    }
}
