//! What a person has set up: the workspace, its configuration, the repository, prompts and agents.

use std::error::Error;
use std::fs;
use std::path::Path;

use super::Site;
use super::finding::Finding;
use crate::agent::{CommandSpec, Wanted, decide_agent, resolve};
use crate::attempt::seek_program;
use crate::config::{Config, PROJECT_FILE};
use crate::ledger::IsolatedPlace;
use crate::model::{Actor, PromptName};
use crate::repo::{Choice, Repo, RepoError};
use crate::runner::{RunnerError, read_prompt, refuse_gone, settings};

pub(super) fn examine(site: &Site<'_>) -> Vec<Finding> {
    let mut findings = vec![workspace(&site.root)];
    findings.extend(configuration(site));
    findings.extend(repository(site));
    if let Some(config) = site.config() {
        findings.extend(prompts(&site.root, config));
        findings.extend(Actor::ALL.map(|actor| agent(site, config, actor)));
    }
    findings
}

/// An error and its causes on one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

fn workspace(root: &Path) -> Finding {
    if root.join(PROJECT_FILE).exists() {
        Finding::ok("workspace", root.display().to_string())
    } else {
        Finding::warn(
            "workspace",
            format!("{} has no {PROJECT_FILE}: the built-in values are used", root.display()),
            "`baton init` writes one, and what else is missing",
        )
    }
}

fn configuration(site: &Site<'_>) -> Vec<Finding> {
    match &site.config {
        Err(error) => {
            vec![Finding::fail("configuration", error.to_string()).remedy(
                "`baton config check` looks at it alone; prompts, agents and state were not looked at",
            )]
        }
        Ok(loaded) if loaded.notices.is_empty() => vec![Finding::ok("configuration", "valid")],
        Ok(loaded) => loaded
            .notices
            .iter()
            .map(|notice| {
                Finding::warn(
                    "configuration",
                    notice.to_string(),
                    "`baton config show --origin` shows all values",
                )
            })
            .collect(),
    }
}

fn repository(site: &Site<'_>) -> Vec<Finding> {
    if let Some(Err(error)) = IsolatedPlace::around(&site.root).map(|place| refuse_gone(&place)) {
        return vec![
            Finding::fail("work tree", chain(&error))
                .remedy("`baton run` mends it, and puts back what is missing; nothing in it is lost"),
        ];
    }
    let repo = match &site.repo {
        None => return vec![Finding::ok("repository", "left alone, as asked")],
        Some(Err(error)) => return vec![Finding::fail("repository", chain(error))],
        Some(Ok(repo)) => repo,
    };
    let mut findings = Vec::new();
    match repo.preflight(None) {
        Ok(ready) => {
            let branch = ready.head.branch.unwrap_or_default();
            findings.push(Finding::ok("repository", format!("on {branch} at {}", ready.head.short)));
            findings.push(identity(repo));
        }
        Err(error @ (RepoError::NoIdentity { .. } | RepoError::BadIdentity { .. })) => {
            findings.push(Finding::fail("identity", chain(&error)));
        }
        Err(error @ RepoError::Locked { .. }) => {
            findings.push(Finding::fail("git lock", chain(&error)));
            findings.push(identity(repo));
        }
        Err(error) => {
            findings.push(Finding::fail("repository", chain(&error)));
            findings.push(identity(repo));
        }
    }
    findings.push(backend(repo));
    if let Some(config) = site.config() {
        findings.push(excludes(repo, config));
    }
    findings
}

/// Which git works here, and why.
fn backend(repo: &Repo) -> Finding {
    let described = repo.choice().to_string();
    match repo.choice() {
        Choice::LibraryAsAsked(needs) if !needs.is_empty() => Finding::warn(
            "git backend",
            format!("{described}; {}", repo.choice().notice().unwrap_or_default()),
            "leave `git.backend` out to use the installed git",
        ),
        Choice::Library | Choice::LibraryAsAsked(_) | Choice::Program(..) | Choice::ProgramAsAsked(_) => {
            Finding::ok("git backend", described)
        }
    }
}

fn identity(repo: &Repo) -> Finding {
    match repo.identity() {
        Ok(identity) => {
            Finding::ok("identity", format!("{} <{}>", identity.author.name, identity.author.email))
        }
        Err(error) => Finding::fail("identity", chain(&error)),
    }
}

/// What baton writes while it runs, as patterns for git.
pub(super) fn exclude_patterns(repo: &Repo, config: &Config) -> [String; 2] {
    [repo.exclude_pattern(".baton"), repo.exclude_pattern(&config.logs_dir.display().to_string())]
}

fn excludes(repo: &Repo, config: &Config) -> Finding {
    let path = repo.common_dir().join("info/exclude");
    let present = fs::read(&path).unwrap_or_default();
    let has = |pattern: &String| {
        present.split(|byte| *byte == b'\n').any(|line| line.trim_ascii_end() == pattern.as_bytes())
    };
    let patterns = exclude_patterns(repo, config);
    let missing: Vec<&str> = patterns.iter().filter(|pattern| !has(pattern)).map(String::as_str).collect();
    if missing.is_empty() {
        return Finding::ok("excludes", format!("{} are out of git's sight", patterns.join(" and ")));
    }
    Finding::warn(
        "excludes",
        format!("{} is not in {}", missing.join(" and "), path.display()),
        "`baton doctor --fix` adds it, and so does the next `baton run`",
    )
}

fn prompts(root: &Path, config: &Config) -> Vec<Finding> {
    let names = match settings::routing(config) {
        Ok(routing) if routing.enabled => {
            let allowed = config.allowed_prompts().into_iter().map(str::to_owned);
            allowed.chain(routing.router_prompt.iter().map(ToString::to_string)).collect()
        }
        Ok(_) => Actor::ALL.map(|actor| config.own_prompt(actor).to_owned()).to_vec(),
        Err(error) => return vec![Finding::fail("prompts", chain(&error))],
    };
    let mut names: Vec<String> = names;
    names.sort();
    names.dedup();
    let mut findings: Vec<Finding> = names
        .iter()
        .filter_map(|name| read_prompt(root, &config.prompts_dir, name).err())
        .map(|error| {
            Finding::fail("prompts", chain(&error))
                .remedy("write it, or name another in orchestration.yaml; `baton init` writes default ones")
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(
            "prompts",
            format!("{} in {}", names.join(", "), config.prompts_dir.display()),
        ));
    }
    findings
}

fn agent(site: &Site<'_>, config: &Config, actor: Actor) -> Finding {
    let name = match actor {
        Actor::Galph => "agent of galph",
        Actor::Ralph => "agent of ralph",
    };
    match find_agent(site, config, actor) {
        Ok((command, because)) => {
            Finding::ok(name, format!("{}, by {because}: {}", command.agent, shown(&command)))
        }
        Err(failed) => Finding::fail(name, failed),
    }
}

pub(super) fn find_agent(
    site: &Site<'_>,
    config: &Config,
    actor: Actor,
) -> Result<(CommandSpec, String), String> {
    let told = |error: RunnerError| chain(&error);
    let prompt: PromptName = config
        .own_prompt(actor)
        .parse()
        .map_err(|error| chain(&error as &crate::model::ParsePromptNameError))?;
    let chosen = decide_agent(&config.agent.choice(), actor, &prompt);
    let commands = settings::custom_commands(config).map_err(told)?;
    let seek = |wanted: Wanted<'_>| seek_program(wanted, &site.root, &site.context.ambient);
    let command = resolve(&chosen.name, &seek, &commands, &settings::agent_options(config))
        .map_err(|error| format!("{} (by {})", chain(&error), chosen.because))?;
    Ok((command, chosen.because.to_string()))
}

/// How it would be started. Values of its environment may be secrets; the names will do.
fn shown(command: &CommandSpec) -> String {
    let program = command.program.display().to_string();
    let names = command.env.iter().map(|(name, _)| format!("{name}=..."));
    names.chain([program]).chain(command.args.iter().cloned()).collect::<Vec<_>>().join(" ")
}
