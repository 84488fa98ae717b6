//! `baton route`: the prompt that the next turn would run, without running anything.

use serde_json::json;

use crate::config::Overrides;
use crate::model::{Actor, PromptName, State};
use crate::route::{Decision, RoutePlan, Settings, Situation, check_plan, decide_plan};
use crate::runner::settings;
use crate::state::StateFile;

use super::failures::{PLAIN_RUN, runner_failure, state_failure};
use super::isolation::BranchArgs;
use super::workspace::{Located, locate_loop};
use super::{Context, Exit, Failure};

/// Say which prompt the next turn would run; nothing is run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The seat; the one that the state expects if it is left out
    #[arg(long, value_parser = parse_actor)]
    role: Option<Actor>,
    /// The iteration; the state's if it is left out
    #[arg(long, value_name = "N")]
    iteration: Option<u64>,
    /// Say why, and what else was looked at
    #[arg(long, visible_alias = "print-reason")]
    explain: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// The state file
    #[arg(long, value_name = "PATH")]
    state_file: Option<String>,
    #[command(flatten)]
    branch: BranchArgs,
    /// Where prompts lie
    #[arg(long, value_name = "DIR")]
    prompts_dir: Option<String>,
    /// A review every N iterations; 0: never
    #[arg(long, value_name = "N")]
    review_every_n: Option<u64>,
    /// Galph's prompt
    #[arg(long, value_name = "NAME")]
    prompt_supervisor: Option<String>,
    /// Ralph's prompt
    #[arg(long, value_name = "NAME")]
    prompt_main: Option<String>,
    /// The reviewer's prompt
    #[arg(long, value_name = "NAME")]
    prompt_reviewer: Option<String>,
    /// Prompts that may be selected
    #[arg(long, value_name = "NAME,..")]
    allowlist: Option<String>,
}

fn parse_actor(text: &str) -> Result<Actor, String> {
    text.parse().map_err(|error: crate::model::ParseActorError| error.to_string())
}

/// Prints the decision.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let Located { root, config, .. } = locate_loop(context, &overrides(args), args.branch.branch.as_deref())?;
    let config = config.config;
    let state = StateFile::new(&root, &config.state_file)
        .read()
        .map_err(|error| state_failure(&error))?
        .unwrap_or_else(|| State::initial(context.ambient.now()));
    let routing = settings::routing(&config).map_err(|error| runner_failure(&error, &config, PLAIN_RUN))?;
    let actor = args.role.unwrap_or(state.expected_actor);
    let mut situation = Situation::of(actor, &state);
    situation.iteration = args.iteration.unwrap_or(state.iteration);
    let fail = |error: crate::route::RouteError| runner_failure(&error.into(), &config, PLAIN_RUN);
    let plan = decide_plan(&routing, &situation).map_err(fail)?;
    let exists = |prompt: &PromptName| root.join(&config.prompts_dir).join(prompt.as_str()).is_file();
    check_plan(actor, &plan, &config.prompts_dir.display().to_string(), exists).map_err(fail)?;
    if args.json {
        context.output.say(as_json(&situation, &plan));
    } else if args.explain {
        context.output.say(explained(&routing, &situation, &plan));
    } else {
        context.output.say(prompt_of(&plan));
    }
    Ok(Exit::Done)
}

fn overrides(args: &Args) -> Overrides {
    let mut overrides = Overrides::default();
    let texts = [
        (&args.state_file, "state_file", "--state-file"),
        (&args.prompts_dir, "prompts_dir", "--prompts-dir"),
        (&args.prompt_supervisor, "supervisor_prompt", "--prompt-supervisor"),
        (&args.prompt_main, "main_prompt", "--prompt-main"),
        (&args.prompt_reviewer, "reviewer_prompt", "--prompt-reviewer"),
    ];
    for (value, key, flag) in texts {
        if let Some(value) = value {
            overrides.set(key, value.as_str(), flag);
        }
    }
    if let Some(count) = args.review_every_n {
        overrides.set("router.review_every_n", count, "--review-every-n");
    }
    if let Some(list) = &args.allowlist {
        let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
        overrides.set("router.allowlist", names, "--allowlist");
    }
    // Who asks for a cadence or an allowlist asks for the router that keeps them.
    if args.review_every_n.is_some() || args.allowlist.is_some() {
        overrides.set("router.enabled", true, "--review-every-n");
    }
    overrides
}

fn prompt_of(plan: &RoutePlan) -> &str {
    match plan {
        RoutePlan::Decided(decision) => decision.prompt.as_str(),
        RoutePlan::AskRouter { prompt, .. } => prompt.as_str(),
    }
}

fn explained(routing: &Settings, situation: &Situation<'_>, plan: &RoutePlan) -> String {
    let mut lines = vec![format!("{}, iteration {}", situation.actor, situation.iteration)];
    match plan {
        RoutePlan::Decided(Decision { prompt, source, reason }) => {
            lines.push(format!("prompt {prompt} ({source}: {reason})"));
        }
        RoutePlan::AskRouter { prompt, replaces } => {
            lines.push(format!("the router prompt {prompt} is run first, and its reply names the prompt"));
            if let Some(replaced) = replaces {
                lines.push(format!(
                    "without it: {} ({}: {})",
                    replaced.prompt, replaced.source, replaced.reason
                ));
            }
        }
    }
    if routing.enabled {
        lines.push(format!("allowed: {}", listed(&routing.allowed())));
        lines.push(format!("{} may run: {}", situation.actor, listed(&routing.gate(situation.actor))));
    } else {
        lines.push("the router is off: each seat runs its own prompt".to_owned());
    }
    lines.join("\n")
}

fn listed(prompts: &[PromptName]) -> String {
    prompts.iter().map(PromptName::as_str).collect::<Vec<_>>().join(", ")
}

fn as_json(situation: &Situation<'_>, plan: &RoutePlan) -> serde_json::Value {
    let decision = |decision: &Decision| {
        json!({
            "prompt": decision.prompt.as_str(),
            "source": decision.source.as_str(),
            "reason": decision.reason,
        })
    };
    let plan = match plan {
        RoutePlan::Decided(decided) => json!({ "decided": decision(decided) }),
        RoutePlan::AskRouter { prompt, replaces } => json!({
            "ask_router": { "prompt": prompt.as_str(), "replaces": replaces.as_ref().map(decision) }
        }),
    };
    json!({ "actor": situation.actor.as_str(), "iteration": situation.iteration, "plan": plan })
}
