//! The agents that baton knows, and how a name becomes a command.
//!
//! One line of the table a CLI. An adapter that reads a CLI's event stream will change that line and add one file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{AgentError, CommandSpec, CustomCommand, OutputFormat, PromptDelivery, PromptEncoding};

/// Where a model's name goes.
#[derive(Debug, Clone, Copy)]
enum ModelBy {
    Flag(&'static str),
    Variable(&'static str),
}

/// A coding agent's CLI, run headless. Arguments come in this order: `head`, `bypass`, the model, the user's, `tail`.
struct KnownAgent {
    name: &'static str,
    head: &'static [&'static str],
    /// Without these the agent waits for, or is refused, the permission to work.
    bypass: &'static [&'static str],
    bypass_env: &'static [(&'static str, &'static str)],
    model: ModelBy,
    tail: &'static [&'static str],
    /// Stops what an unattended process must not do: update itself, or run on behind a relaunching parent.
    env: &'static [(&'static str, &'static str)],
    delivery: PromptDelivery,
    failure_marks: &'static [&'static str],
}

const PLAIN: KnownAgent = KnownAgent {
    name: "",
    head: &[],
    bypass: &[],
    bypass_env: &[],
    model: ModelBy::Flag("--model"),
    tail: &[],
    env: &[],
    delivery: PromptDelivery::Stdin,
    failure_marks: &[],
};

/// In the order in which `auto` looks for them.
const KNOWN: [KnownAgent; 8] = [
    KnownAgent {
        name: "claude",
        head: &["-p"],
        bypass: &["--dangerously-skip-permissions"],
        env: &[("DISABLE_AUTOUPDATER", "1")],
        ..PLAIN
    },
    KnownAgent {
        name: "codex",
        head: &["exec", "--skip-git-repo-check", "-c", "check_for_update_on_startup=false"],
        bypass: &["--dangerously-bypass-approvals-and-sandbox"],
        tail: &["-"],
        ..PLAIN
    },
    KnownAgent {
        name: "gemini",
        bypass: &["--yolo", "--skip-trust"],
        env: &[("GEMINI_CLI_NO_RELAUNCH", "true")],
        ..PLAIN
    },
    KnownAgent {
        name: "opencode",
        // A title of our own saves the model call that would make one.
        head: &["run", "--title", "baton"],
        bypass: &["--auto"],
        env: &[("OPENCODE_DISABLE_AUTOUPDATE", "1")],
        ..PLAIN
    },
    KnownAgent {
        name: "copilot",
        head: &["--no-ask-user"],
        bypass: &["--allow-all"],
        env: &[("COPILOT_AUTO_UPDATE", "false")],
        ..PLAIN
    },
    KnownAgent {
        name: "qwen",
        bypass: &["--yolo"],
        env: &[("QWEN_CODE_NO_RELAUNCH", "true")],
        failure_marks: &["[API Error: "],
        ..PLAIN
    },
    KnownAgent {
        name: "goose",
        head: &["run", "-q", "--with-builtin", "developer"],
        bypass_env: &[("GOOSE_MODE", "auto")],
        model: ModelBy::Variable("GOOSE_MODEL"),
        tail: &["-i", "-"],
        failure_marks: &["Ran into this error: "],
        ..PLAIN
    },
    KnownAgent {
        name: "aider",
        head: &[
            "--no-stream",
            "--no-pretty",
            "--no-check-update",
            "--no-show-release-notes",
            "--no-show-model-warnings",
            "--no-gitignore",
            "--no-detect-urls",
            "--no-auto-commits",
        ],
        bypass: &["--yes-always"],
        tail: &["--message-file", "${prompt_file}"],
        env: &[("AIDER_ANALYTICS_DISABLE", "true"), ("LITELLM_LOCAL_MODEL_COST_MAP", "True")],
        // On standard input it would hold a conversation.
        delivery: PromptDelivery::File,
        failure_marks: &[
            "litellm.APIConnectionError",
            "litellm.APIError",
            "litellm.AuthenticationError",
            "litellm.BadRequestError",
            "litellm.ContextWindowExceededError",
            "litellm.InternalServerError",
            "litellm.NotFoundError",
            "litellm.RateLimitError",
            "litellm.ServiceUnavailableError",
            "litellm.Timeout",
        ],
        ..PLAIN
    },
];

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

/// The known agents' names, in the order in which `auto` looks for them.
pub fn known_agents() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

/// The command of an agent: `auto`, `shell`, a known one, or one of `commands`.
///
/// `seek` looks for a program, given by name or as a path from the workspace, and answers with an absolute path. `auto` takes the first known agent that is installed; the
/// built-in `shell` is never taken unless it is named.
pub fn resolve(
    name: &str,
    seek: &dyn Fn(&str) -> Sought,
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
    seek: &dyn Fn(&str) -> Sought,
    options: &BTreeMap<String, AgentOptions>,
) -> Result<CommandSpec, AgentError> {
    for known in &KNOWN {
        match resolve_known(known, seek, options.get(known.name)) {
            Err(AgentError::NotInstalled { .. } | AgentError::NotExecutable { .. }) => {}
            decided => return decided,
        }
    }
    let looked_for = KNOWN
        .iter()
        .map(|known| options.get(known.name).and_then(|own| own.binary.as_deref()).unwrap_or(known.name));
    Err(AgentError::NoneInstalled { looked_for: listed(looked_for) })
}

fn resolve_known(
    known: &KnownAgent,
    seek: &dyn Fn(&str) -> Sought,
    options: Option<&AgentOptions>,
) -> Result<CommandSpec, AgentError> {
    let unset = AgentOptions::default();
    let options = options.unwrap_or(&unset);
    let sought = options.binary.as_deref().unwrap_or(known.name);
    let program = found(known.name, sought, seek, &format!("`agent.options.{}.binary`", known.name))?;

    let mut args = owned(known.head);
    let mut env: BTreeMap<String, String> = pairs(known.env).collect();
    if options.permission == Permission::Bypass {
        args.extend(owned(known.bypass));
        env.extend(pairs(known.bypass_env));
    }
    match (&options.model, known.model) {
        (None, _) => {}
        (Some(model), ModelBy::Flag(flag)) => args.extend([flag.to_owned(), model.clone()]),
        (Some(model), ModelBy::Variable(name)) => {
            env.insert(name.to_owned(), model.clone());
        }
    }
    args.extend(options.args.iter().cloned());
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
        output: OutputFormat::Text,
        failure_marks: known.failure_marks,
    })
}

fn resolve_shell(seek: &dyn Fn(&str) -> Sought) -> Result<CommandSpec, AgentError> {
    let program = found(SHELL, "sh", seek, "PATH to where it is")?;
    Ok(plain(SHELL, program, owned(&["${prompt_file}"]), PromptDelivery::File, PromptEncoding::ShellScript))
}

fn resolve_custom(
    name: &str,
    custom: &CustomCommand,
    seek: &dyn Fn(&str) -> Sought,
) -> Result<CommandSpec, AgentError> {
    let (sought, args) =
        custom.command.split_first().ok_or_else(|| AgentError::EmptyCommand { name: name.to_owned() })?;
    let program = found(name, sought, seek, &format!("the first word of `agent.commands.{name}.command`"))?;
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
        output: OutputFormat::Text,
        failure_marks: &[],
    }
}

fn found(
    agent: &str,
    program: &str,
    seek: &dyn Fn(&str) -> Sought,
    remedy: &str,
) -> Result<PathBuf, AgentError> {
    let (agent, remedy) = (agent.to_owned(), remedy.to_owned());
    match seek(program) {
        Sought::Found(path) => Ok(path),
        Sought::NotExecutable(path) => Err(AgentError::NotExecutable { agent, path, remedy }),
        Sought::Nowhere => Err(AgentError::NotInstalled { agent, program: program.to_owned(), remedy }),
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
