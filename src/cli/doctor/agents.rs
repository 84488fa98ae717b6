//! `baton doctor --agents`: each agent that is there or needed, how it would be started, and by whom.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::json;

use super::Site;
use super::agent_facts::{AgentFacts, CommandFacts, ProgramKind, hide_secrets, in_words};
use super::finding::Level;
use super::setup::chain;
use super::smoke::Bench;
use crate::agent::{
    AgentOptions, CommandSpec, CustomCommand, Permission, Places, PromptDelivery, SessionWish, Sought,
    Wanted, decide_agent, known_agents, login_remedy, resolve, verified_version,
};
use crate::attempt::seek_program;
use crate::cli::change::refuse_in_attempt;
use crate::cli::failures::{PLAIN_RUN, runner_failure};
use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::model::{Actor, PromptName};
use crate::runner::settings;

/// Looks at the agents. `smoke`: really run this one; an empty name means those that the configuration needs.
pub(super) fn run(site: &Site<'_>, smoke: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let config = &site
        .config
        .as_ref()
        .map_err(|error| {
            Failure::new(Exit::Usage, error.to_string()).help("`baton config check` looks at it alone")
        })?
        .config;
    let search = Search::new(site, config)?;
    let bench = Bench::open(site, config)?;
    let used = search.used_by();
    let asked = match smoke {
        None => BTreeSet::new(),
        Some("") => used.keys().cloned().collect(),
        Some(name) => BTreeSet::from([search.known_name(name)?]),
    };
    if !asked.is_empty() {
        refuse_in_attempt("doctor --smoke", site.context)?;
        let names: Vec<&str> = asked.iter().map(String::as_str).collect();
        site.context
            .output
            .note(format!("running {} for real: it costs what a short question costs", names.join(", ")));
    }
    let mut agents = Vec::new();
    let mut missing = Vec::new();
    for name in search.names(&used, &asked) {
        if let Some(signal) = bench.interrupted() {
            return Ok(Exit::by(signal));
        }
        let used_by = used.get(&name).cloned().unwrap_or_default();
        match search.find(&name) {
            Err(_) if used_by.is_empty() && !asked.contains(&name) => missing.push(name),
            found => agents.push(examine(&search, &bench, name, used_by, found, &asked)?),
        }
    }
    if let Some(signal) = bench.interrupted() {
        return Ok(Exit::by(signal));
    }
    if json {
        let healthy = agents.iter().all(|agent| agent.level() != Level::Fail);
        let document = json!({
            "workspace": site.root.display().to_string(), "healthy": healthy, "agents": agents, "missing": missing,
        });
        site.context.output.say(document);
    } else {
        site.context.output.say(in_words(&agents, &missing));
    }
    let failed = agents.iter().any(|agent| agent.level() == Level::Fail);
    Ok(if failed { Exit::Operational } else { Exit::Done })
}

fn examine(
    search: &Search<'_>,
    bench: &Bench<'_>,
    agent: String,
    used_by: Vec<String>,
    found: Result<Found, String>,
    asked: &BTreeSet<String>,
) -> Result<AgentFacts, Failure> {
    let is_known = known_agents().any(|known| known == agent);
    let credentials = is_known.then(|| login_remedy(&agent));
    let (command, problem, smoke) = match found {
        Err(problem) => (None, Some(problem), None),
        Ok(found) => {
            // A command of one's own may take `--version` for a prompt, and work.
            let version = if is_known { bench.version(&found.command) } else { None };
            let smoke = asked.contains(&agent).then(|| bench.smoke(&found.command)).transpose()?;
            (Some(search.command_facts(found, version)), None, smoke)
        }
    };
    Ok(AgentFacts { agent, used_by, command, problem, credentials, smoke })
}

/// A command, and where the program came from.
struct Found {
    command: CommandSpec,
    /// What was found by the program's name, where that is not what is started.
    wrapper: Option<String>,
}

/// The configuration in the registry's words.
struct Search<'a> {
    site: &'a Site<'a>,
    config: &'a Config,
    commands: BTreeMap<String, CustomCommand>,
    options: BTreeMap<String, AgentOptions>,
}

impl<'a> Search<'a> {
    fn new(site: &'a Site<'a>, config: &'a Config) -> Result<Self, Failure> {
        let commands =
            settings::custom_commands(config).map_err(|error| runner_failure(&error, config, PLAIN_RUN))?;
        Ok(Self { site, config, commands, options: settings::agent_options(config) })
    }

    fn find(&self, name: &str) -> Result<Found, String> {
        let sought = RefCell::new(None);
        let ambient = &self.site.context.ambient;
        let seek = |wanted: Wanted<'_>| {
            let by_name = seek_program(Wanted { native: &[], ..wanted }, &self.site.root, ambient);
            *sought.borrow_mut() = Some(by_name);
            seek_program(wanted, &self.site.root, ambient)
        };
        let command = resolve(name, &seek, &self.commands, &self.options).map_err(|error| chain(&error))?;
        let wrapper = match sought.into_inner() {
            Some(Sought::Found(path)) if path != command.program => Some(path.display().to_string()),
            _ => None,
        };
        Ok(Found { command, wrapper })
    }

    /// The name of an agent that could be there; `auto` becomes the one that it finds.
    fn known_name(&self, name: &str) -> Result<String, Failure> {
        match self.find(name) {
            Ok(found) => Ok(found.command.agent),
            Err(_) if known_agents().any(|known| known == name) || self.commands.contains_key(name) => {
                Ok(name.to_owned())
            }
            Err(told) => Err(Failure::new(Exit::Usage, told)),
        }
    }

    /// Every agent to look at: those that are needed or asked for, configured, known.
    fn names(&self, used: &BTreeMap<String, Vec<String>>, asked: &BTreeSet<String>) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let known = known_agents().map(str::to_owned);
        let all = used.keys().chain(asked).cloned().chain(self.commands.keys().cloned()).chain(known);
        for name in all {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Who would use which agent: the seats with their own prompts, and prompts that have an agent of their own.
    fn used_by(&self) -> BTreeMap<String, Vec<String>> {
        let choice = self.config.agent.choice();
        let mut used: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut note = |actor: Actor, prompt: &PromptName, user: String| {
            let chosen = decide_agent(&choice, actor, prompt);
            let name = self.find(&chosen.name).map_or(chosen.name, |found| found.command.agent);
            used.entry(name).or_default().push(format!("{user} ({})", chosen.because));
        };
        for actor in Actor::ALL {
            // A prompt that cannot be one was refused with the configuration.
            if let Ok(prompt) = self.config.own_prompt(actor).parse() {
                note(actor, &prompt, actor.to_string());
            }
        }
        for prompt in choice.flag_prompts.keys().chain(choice.config_prompts.keys()) {
            note(Actor::Galph, prompt, format!("prompt {prompt}"));
        }
        used
    }

    fn command_facts(&self, found: Found, version: Option<String>) -> CommandFacts {
        let Found { command, wrapper } = found;
        let options = self.options.get(&command.agent).cloned().unwrap_or_default();
        let is_known = known_agents().any(|known| known == command.agent);
        let reports = command.output.reports();
        CommandFacts {
            kind: kind_of(&command.program),
            program: command.program.display().to_string(),
            wrapper,
            version,
            verified: verified_version(&command.agent),
            argv: argv(&command),
            prompt: match command.delivery {
                PromptDelivery::Stdin => "stdin",
                PromptDelivery::File => "file",
                PromptDelivery::Argument => "argument",
            },
            env: command.env.iter().map(|(name, _)| name.clone()).collect(),
            permission: is_known.then_some(match options.permission {
                Permission::Bypass => "bypass",
                Permission::Default => "default",
            }),
            reports_tokens: reports.tokens,
            reports_cost: reports.cost,
            resumes_sessions: command.can_resume(),
        }
    }
}

/// How it would be started, with the places of a turn left open.
fn argv(command: &CommandSpec) -> Vec<String> {
    let places = Places {
        prompt: "${prompt}",
        prompt_file: Path::new("${prompt_file}"),
        workspace: Path::new("${workspace}"),
        attempt_dir: Path::new("${attempt_dir}"),
        session: &SessionWish::Fresh("${session}".to_owned()),
    };
    let program = command.program.display().to_string();
    let arguments: Vec<String> = command
        .invocation(&places)
        .map(|invocation| {
            invocation.args.iter().map(|argument| argument.to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    std::iter::once(program).chain(hide_secrets(&arguments)).collect()
}

fn kind_of(program: &Path) -> ProgramKind {
    let mut beginning = [0; 4];
    let read = File::open(program).and_then(|mut file| file.read_exact(&mut beginning));
    match (read, beginning) {
        (Err(_), _) => ProgramKind::Unknown,
        (Ok(()), [0x7f, b'E', b'L', b'F'] | [0xcf, 0xfa, 0xed, 0xfe] | [0xca, 0xfe, 0xba, 0xbe]) => {
            ProgramKind::Native
        }
        (Ok(()), _) => ProgramKind::Script,
    }
}
