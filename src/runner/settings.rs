//! The configuration in the words of the pure modules.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use crate::agent::{self, CustomCommand, PromptDelivery};
use crate::ambient::Ambient;
use crate::attempt;
use crate::config::{self, Config, PromptMode, RouterMode};
use crate::model::{ByteSize, PromptName, Span};
use crate::publish::secret::{Masker, TooShort};
use crate::publish::{DocsSpec, RepoPath, ReportsSpec, RuleSpec, Rules, TrackedOutputsSpec, WorkSpec};
use crate::route::{Mode, Settings};
use crate::turn::Allowance;

use super::RunnerError;

/// What the router is told.
pub fn routing(config: &Config) -> Result<Settings, RunnerError> {
    let prompts = config.router_prompts();
    // Off, the seats run the top-level prompts; on, the router's own where they differ.
    let (supervisor, main, reviewer) = if config.router.enabled {
        (prompts.supervisor, prompts.main, prompts.reviewer)
    } else {
        (config.supervisor_prompt.as_str(), config.main_prompt.as_str(), config.reviewer_prompt.as_str())
    };
    Ok(Settings {
        enabled: config.router.enabled,
        mode: match config.router.mode {
            RouterMode::RouterDefault => Mode::Default,
            RouterMode::RouterFirst => Mode::First,
            RouterMode::RouterOnly => Mode::Only,
        },
        review_every_n: config.router.review_every_n,
        supervisor_prompt: prompt("supervisor_prompt", supervisor)?,
        main_prompt: prompt("main_prompt", main)?,
        reviewer_prompt: prompt("reviewer_prompt", reviewer)?,
        allowlist: config
            .router
            .allowlist
            .iter()
            .map(|name| prompt("router.allowlist", name))
            .collect::<Result<_, _>>()?,
        router_prompt: config
            .router
            .prompt
            .as_deref()
            .map(|name| prompt("router.prompt", name))
            .transpose()?,
    })
}

fn prompt(key: &'static str, name: &str) -> Result<PromptName, RunnerError> {
    name.parse().map_err(|source| RunnerError::PromptName { key, source })
}

/// The agents that are configured, in the registry's words.
pub fn custom_commands(
    config: &Config,
) -> Result<std::collections::BTreeMap<String, CustomCommand>, RunnerError> {
    config
        .agent
        .commands
        .iter()
        .map(|(name, command)| {
            let output = command.output.parse().map_err(|_| RunnerError::NotAvailable {
                setting: "agent.commands.*.output",
                remedy: "`baton config check` names the formats that are read",
            })?;
            let prompt = match command.prompt {
                PromptMode::Stdin => PromptDelivery::Stdin,
                PromptMode::File => PromptDelivery::File,
                PromptMode::Argument => PromptDelivery::Argument,
            };
            Ok((name.clone(), CustomCommand { command: command.command.clone(), prompt, output }))
        })
        .collect()
}

/// The options of known agents, in the registry's words.
pub fn agent_options(config: &Config) -> std::collections::BTreeMap<String, agent::AgentOptions> {
    config
        .agent
        .options
        .iter()
        .map(|(name, options)| {
            let options = agent::AgentOptions {
                binary: options.binary.as_ref().map(|path| path.display().to_string()),
                model: options.model.clone(),
                args: options.args.clone(),
                env: options.env.clone(),
                permission: match options.permission {
                    config::Permission::Bypass => agent::Permission::Bypass,
                    config::Permission::Default => agent::Permission::Default,
                },
            };
            (name.clone(), options)
        })
        .collect()
}

/// What a turn commits.
///
/// `kept` are paths that are protected whatever the configuration says by now.
pub fn rules(config: &Config, workspace: RepoPath, kept: &[String]) -> Result<Rules, RunnerError> {
    let publish = &config.publish;
    Ok(Rules::compile(RuleSpec {
        reports: ReportsSpec {
            enabled: publish.reports.enabled,
            extensions: publish.reports.extensions.clone(),
            globs: publish.reports.globs.clone(),
            force_add: publish.reports.force_add.clone(),
            max_file: publish.reports.max_file,
            max_total: publish.reports.max_total,
        },
        tracked_outputs: TrackedOutputsSpec {
            enabled: publish.tracked_outputs.enabled,
            globs: publish.tracked_outputs.globs.clone(),
            extensions: publish.tracked_outputs.extensions.clone(),
            max_file: publish.tracked_outputs.max_file,
            max_total: publish.tracked_outputs.max_total,
        },
        docs: DocsSpec {
            enabled: publish.docs.enabled,
            globs: publish.docs.globs.clone(),
            max_file: publish.docs.max_file,
        },
        work: WorkSpec {
            enabled: publish.work.enabled,
            actors: publish.work.actors.clone(),
            exclude: publish.work.exclude.clone(),
            max_file: publish.work.max_file,
            max_total: publish.work.max_total,
        },
        protect: publish.protect.iter().chain(kept).cloned().collect(),
        logs_dir: config.logs_dir.display().to_string(),
        tmp_dir: config.tmp_dir.display().to_string(),
        state_file: config.state_file.display().to_string(),
        workspace,
    })?)
}

/// What masks texts: the known forms, and the values of the variables that `redact` names. The second is what cannot be
/// masked.
pub fn masker(config: &Config, ambient: &Ambient) -> (Masker, Vec<TooShort>) {
    let value =
        |name: &String| Some((name.clone(), ambient.env().get(OsStr::new(name))?.as_bytes().to_vec()));
    Masker::new(config.redact.iter().filter_map(value))
}

/// The bounds of an agent's attempt.
pub fn agent_limits(config: &Config) -> attempt::Limits {
    attempt::Limits {
        wall: limit(config.turn.wall_limit),
        idle: limit(config.turn.idle_limit),
        grace: config.turn.grace_period.0,
        max_output: config.turn.max_output.0,
    }
}

/// The bounds of a `verify` command.
pub fn check_limits(config: &Config, timeout: Span) -> attempt::Limits {
    /// More than enough to find a count of tests; a verification's output is for people.
    const MAX_OUTPUT: ByteSize = ByteSize(64 << 20);
    attempt::Limits {
        wall: limit(timeout),
        idle: None,
        grace: config.turn.grace_period.0,
        max_output: MAX_OUTPUT.0,
    }
}

fn limit(span: Span) -> Option<Duration> {
    (!span.is_zero()).then_some(span.0)
}

/// A budget in the words of the pure arithmetic.
pub fn allowance(budget: &config::Budget) -> Allowance {
    Allowance {
        turns: budget.turns,
        wall: budget.wall.map(|span| span.0),
        tokens: budget.tokens,
        cost_usd: budget.cost_usd,
    }
}
