//! Why a turn has no agent. All of these are found before the claim and end with exit code 2.

use std::path::PathBuf;

use crate::model::ParsePromptNameError;

use super::shell::ShellPromptError;

/// Why an agent's name does not become a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// No such agent.
    #[error("unknown agent `{}`: expected {expected}; any other CLI is declared under `agent.commands`", .name.escape_debug())]
    Unknown {
        /// What was named.
        name: String,
        /// Every name that would do.
        expected: String,
    },
    /// `auto`, and none of the known agents is there.
    #[error(
        "no coding agent is installed: looked for {looked_for}; install one of them, set `agent.options.NAME.binary` to where it is, or \
         declare another CLI under `agent.commands` and name it with `--agent`"
    )]
    NoneInstalled {
        /// The programs that were sought, in order.
        looked_for: String,
    },
    /// The agent's program is nowhere.
    #[error("the agent `{agent}` is not installed: `{program}` was not found; install it, or set {remedy}")]
    NotInstalled {
        /// The agent.
        agent: String,
        /// The program that was sought.
        program: String,
        /// The setting that says where it is.
        remedy: String,
    },
    /// The agent's program is a file that cannot be run.
    #[error("the agent `{agent}` cannot be started: `{}` is not executable; run `chmod +x` on it, or set {remedy}", .path.display())]
    NotExecutable {
        /// The agent.
        agent: String,
        /// The file.
        path: PathBuf,
        /// The setting that says where it is.
        remedy: String,
    },
    /// A custom command takes a name that has a meaning already.
    #[error(
        "`agent.commands.{name}`: `{name}` is the name of a built-in agent; give the command another name"
    )]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A custom command without a program.
    #[error(
        "`agent.commands.{name}.command` is empty: write the program and its arguments, such as [\"my-agent\", \"--headless\"]"
    )]
    EmptyCommand {
        /// The name.
        name: String,
    },
    /// A custom command that is given the prompt as a file and does not say where.
    #[error(
        "`agent.commands.{name}.command` takes its prompt as a file, and none of its arguments has `${{prompt_file}}`: add it"
    )]
    NoPromptFile {
        /// The name.
        name: String,
    },
    /// Options for what is not a known agent.
    #[error("`agent.options.{}`: expected one of {expected}", .name.escape_debug())]
    OptionsOfUnknown {
        /// The name.
        name: String,
        /// The known agents.
        expected: String,
    },
    /// A prompt that does not fit into one argument.
    #[error(
        "the prompt is {bytes} bytes long, and the agent `{agent}` takes it as an argument, which is limited to {limit}; let it read \
         `stdin` or `file` (`agent.commands.{agent}.prompt`)"
    )]
    PromptTooLong {
        /// The agent.
        agent: String,
        /// The prompt's length.
        bytes: usize,
        /// What an argument can hold.
        limit: usize,
    },
    /// A prompt with a NUL byte cannot be an argument.
    #[error(
        "the prompt has a NUL byte, and the agent `{agent}` takes it as an argument: is the prompt a text file?"
    )]
    PromptHasNul {
        /// The agent.
        agent: String,
    },
    /// A session is to be resumed, and the CLI cannot.
    #[error("the agent `{agent}` cannot resume a session: let each of its turns begin anew")]
    CannotResume {
        /// The agent.
        agent: String,
    },
    /// The prompt is not one that the `shell` agent can run.
    #[error("the agent `shell` cannot run this prompt")]
    Shell {
        /// Why.
        #[source]
        source: ShellPromptError,
    },
}

/// Why the text of `--agent-role` or `--agent-prompt` is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// An entry that is not `key=agent`.
    #[error("`{}` is not of the form `{form}`: write `{form}`, several separated by commas", .entry.escape_debug())]
    NotAPair {
        /// The entry.
        entry: String,
        /// What is expected.
        form: &'static str,
    },
    /// A role that is neither seat.
    #[error("unknown role `{}`: expected `galph` (or `supervisor`) or `ralph` (or `loop`, `engineer`)", .0.escape_debug())]
    UnknownRole(String),
    /// The same key twice.
    #[error("`{key}` is given two agents, `{first}` and `{second}`: name it once")]
    Twice {
        /// The role or prompt, in its canonical form.
        key: String,
        /// The earlier agent.
        first: String,
        /// The later agent.
        second: String,
    },
    /// A prompt name that cannot be one.
    #[error(transparent)]
    PromptName(#[from] ParsePromptNameError),
}
