//! Coding agents as data: which one takes a turn, the command that it becomes, and what its output means.
//!
//! Pure: nothing is started and no file is looked for. Whether a program is installed is asked through a function that
//! the caller passes in; what a process wrote is passed in as bytes. The caller does this, in order:
//!
//! 1. [`decide_agent`] names the agent and says why.
//! 2. [`resolve`] makes a [`CommandSpec`] of the name, before the claim, since it fails for what is not installed.
//! 3. [`CommandSpec::prompt_content`] is what goes into the prompt file; [`CommandSpec::invocation`] is what `exec` runs.
//! 4. [`read_reply`] makes a [`Reply`] of the captured output.
//!
//! Neighbours: `config` reads `agent:` into [`Choice`], [`CustomCommand`] and [`AgentOptions`]; `attempt` does the four
//! steps. An agent CLI is one line of the table in `registry`; an adapter that reads its event stream will be one file
//! beside it. Until then every agent is judged as a text command: by its exit code, by marks of errors that are known
//! to leave with exit code 0, and by whether we signalled it. What no text shows (refused permissions, usage limits)
//! is not told apart yet.

mod choice;
mod command;
mod error;
mod registry;
mod reply;
pub mod shell;
#[cfg(test)]
mod tests;

pub use choice::{Because, Choice, Chosen, decide_agent, parse_prompt_agents, parse_role, parse_role_agents};
pub use command::{
    CommandSpec, CustomCommand, Invocation, OutputFormat, ParseOutputFormatError, Places, PromptDelivery,
    PromptEncoding, Stdin,
};
pub use error::{AgentError, ChoiceError};
pub use registry::{AgentOptions, Permission, Sought, check_command, check_options, known_agents, resolve};
pub use reply::{Captured, HowEnded, MAX_REPLY_BYTES, Reply, read_reply};
