//! The agents that baton knows, and how a name becomes a command.
//!
//! What is known of each CLI is in its file under `adapters`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::adapters::KNOWN;
use super::known::{KnownAgent, ModelBy};
use super::{
    AgentError, CommandSpec, CustomCommand, OutputFormat, PromptDelivery, PromptEncoding, SessionArgs,
};

const AUTO: &str = "auto";
const SHELL: &str = "shell";

/// Whether an agent may work without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Permission {
    /// It runs unattended: whatever it asks for is granted.
    #[default]
    Bypass,
    /// As the CLI is configured itself.
    Default,
}

/// Settings of one known agent, from `agent.options`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentOptions {
    /// The program instead of the one that is found by the agent's name.
    pub binary: Option<String>,
    /// The model, as the CLI names it.
    pub model: Option<String>,
    /// Further arguments.
    pub args: Vec<String>,
    /// Further variables; they win over ours.
    pub env: BTreeMap<String, String>,
    /// Whether it may work without asking.
    pub permission: Permission,
}

/// What looking for a program has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    /// A file that can be executed.
    Found(PathBuf),
    /// A file that cannot.
    NotExecutable(PathBuf),
    /// Nothing.
    Nowhere,
}

/// A program to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Its name, or its path from the workspace.
    pub program: &'a str,
    /// Paths below a `node_modules` folder. If the program that is found is a file of a package and one of these lies
    /// in a `node_modules` folder beside or above it, that one is the program: the other only starts it.
    pub native: &'static [&'static str],
}

/// The known agents' names, in the order in which `auto` looks for them.
pub fn known_agents() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

/// What a person does when the provider refuses this agent's credentials.
pub fn login_remedy(agent: &str) -> &'static str {
    KNOWN.iter().find(|known| known.name == agent).map_or(super::known::PLAIN.login, |known| known.login)
}

/// The version of a known agent's CLI that was measured; `None` where only documentation was read.
pub fn verified_version(agent: &str) -> Option<&'static str> {
    KNOWN.iter().find(|known| known.name == agent).and_then(|known| known.verified)
}

/// The command of an agent: `auto`, `shell`, a known one, or one of `commands`.
///
/// `seek` looks for a program and answers with an absolute path. `auto` takes the first measured agent that is installed;
/// the built-in `shell` is never taken unless it is named.
pub fn resolve(
    name: &str,
    seek: &dyn Fn(Wanted<'_>) -> Sought,
    commands: &BTreeMap<String, CustomCommand>,
    options: &BTreeMap<String, AgentOptions>,
) -> Result<CommandSpec, AgentError> {
    if name == AUTO {
        return resolve_auto(seek, options);
    }
    if name == SHELL {
        return resolve_shell(seek);
    }
    if let Some(known) = KNOWN.iter().find(|known| known.name == name) {
        return resolve_known(known, seek, options.get(name));
    }
    let Some(command) = commands.get(name) else {
        let builtin = known_agents().map(|name| -> &str { name }).chain([SHELL, AUTO]);
        let expected = listed(commands.keys().map(String::as_str).chain(builtin));
        return Err(AgentError::Unknown { name: name.to_owned(), expected });
    };
    check_command(name, command)?;
    resolve_custom(name, command, seek)
}

/// Refuses a custom command that could never run.
pub fn check_command(name: &str, command: &CustomCommand) -> Result<(), AgentError> {
    let name = name.to_owned();
    if name == AUTO || name == SHELL || known_agents().any(|known| known == name) {
        return Err(AgentError::NameTaken { name });
    }
    if command.command.first().is_none_or(|program| program.trim().is_empty()) {
        return Err(AgentError::EmptyCommand { name });
    }
    let names_the_file = command.command.iter().skip(1).any(|argument| argument.contains("${prompt_file}"));
    if command.prompt == PromptDelivery::File && !names_the_file {
        return Err(AgentError::NoPromptFile { name });
    }
    Ok(())
}

/// Refuses options of what is not a known agent.
pub fn check_options(name: &str) -> Result<(), AgentError> {
    if known_agents().any(|known| known == name) {
        return Ok(());
    }
    Err(AgentError::OptionsOfUnknown { name: name.to_owned(), expected: listed(known_agents()) })
}

fn resolve_auto(
    seek: &dyn Fn(Wanted<'_>) -> Sought,
    options: &BTreeMap<String, AgentOptions>,
) -> Result<CommandSpec, AgentError> {
    let candidates = || KNOWN.iter().filter(|known| known.verified.is_some());
    for known in candidates() {
        match resolve_known(known, seek, options.get(known.name)) {
            Err(AgentError::NotInstalled { .. } | AgentError::NotExecutable { .. }) => {}
            decided => return decided,
        }
    }
    let looked_for = candidates().map(|known| {
        options.get(known.name).and_then(|own| own.binary.as_deref()).unwrap_or(known.program())
    });
    Err(AgentError::NoneInstalled { looked_for: listed(looked_for) })
}

fn resolve_known(
    known: &KnownAgent,
    seek: &dyn Fn(Wanted<'_>) -> Sought,
    options: Option<&AgentOptions>,
) -> Result<CommandSpec, AgentError> {
    let unset = AgentOptions::default();
    let options = options.unwrap_or(&unset);
    let wanted = match options.binary.as_deref() {
        Some(own) => Wanted { program: own, native: &[] },
        None => Wanted { program: known.program(), native: known.native },
    };
    let program = found(known.name, wanted, seek, &format!("`agent.options.{}.binary`", known.name))?;

    let mut args = owned(known.head);
    let mut env: BTreeMap<String, String> = pairs(known.env).collect();
    match options.permission {
        Permission::Bypass => {
            args.extend(owned(known.bypass));
            env.extend(pairs(known.bypass_env));
        }
        Permission::Default => args.extend(owned(known.guarded)),
    }
    match (&options.model, known.model) {
        (None, _) => {}
        (Some(model), ModelBy::Flag(flag)) => args.extend([flag.to_owned(), model.clone()]),
        (Some(model), ModelBy::Variable(name)) => {
            env.insert(name.to_owned(), model.clone());
        }
    }
    args.extend(options.args.iter().cloned());
    let session_at = args.len();
    args.extend(owned(known.tail));
    env.extend(options.env.clone());
    Ok(CommandSpec {
        agent: known.name.to_owned(),
        program,
        args,
        env: env.into_iter().collect(),
        env_remove: Vec::new(),
        delivery: known.delivery,
        encoding: PromptEncoding::AsWritten,
        session: known.session,
        session_at,
        usage_file: known.usage_file,
        leavings: known.leavings,
        output: known.output,
    })
}

fn resolve_shell(seek: &dyn Fn(Wanted<'_>) -> Sought) -> Result<CommandSpec, AgentError> {
    let program = found(SHELL, Wanted { program: "sh", native: &[] }, seek, "PATH to where it is")?;
    Ok(plain(SHELL, program, owned(&["${prompt_file}"]), PromptDelivery::File, PromptEncoding::ShellScript))
}

fn resolve_custom(
    name: &str,
    custom: &CustomCommand,
    seek: &dyn Fn(Wanted<'_>) -> Sought,
) -> Result<CommandSpec, AgentError> {
    let (sought, args) =
        custom.command.split_first().ok_or_else(|| AgentError::EmptyCommand { name: name.to_owned() })?;
    let wanted = Wanted { program: sought, native: &[] };
    let program = found(name, wanted, seek, &format!("the first word of `agent.commands.{name}.command`"))?;
    Ok(CommandSpec {
        output: custom.output,
        ..plain(name, program, args.to_vec(), custom.prompt, PromptEncoding::AsWritten)
    })
}

fn plain(
    agent: &str,
    program: PathBuf,
    args: Vec<String>,
    delivery: PromptDelivery,
    encoding: PromptEncoding,
) -> CommandSpec {
    CommandSpec {
        agent: agent.to_owned(),
        program,
        args,
        env: Vec::new(),
        env_remove: Vec::new(),
        delivery,
        encoding,
        session: SessionArgs::default(),
        session_at: 0,
        usage_file: None,
        leavings: &[],
        output: OutputFormat::Text,
    }
}

fn found(
    agent: &str,
    wanted: Wanted<'_>,
    seek: &dyn Fn(Wanted<'_>) -> Sought,
    remedy: &str,
) -> Result<PathBuf, AgentError> {
    let (agent, remedy) = (agent.to_owned(), remedy.to_owned());
    match seek(wanted) {
        Sought::Found(path) => Ok(path),
        Sought::NotExecutable(path) => Err(AgentError::NotExecutable { agent, path, remedy }),
        Sought::Nowhere => {
            Err(AgentError::NotInstalled { agent, program: wanted.program.to_owned(), remedy })
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn pairs(table: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    table.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
