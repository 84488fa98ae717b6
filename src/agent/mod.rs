//! Coding agents as data: which one takes a turn, the command that it becomes, and what its output means.
//!
//! Pure: nothing is started and no file is looked for. Whether a program is installed is asked through a function that
//! the caller passes in; what a process wrote is passed in as bytes; times are passed in. The caller does this, in order:
//!
//! 1. [`decide_agent`] names the agent and says why.
//! 2. [`resolve`] makes a [`CommandSpec`] of the name, before the claim, since it fails for what is not installed.
//! 3. [`CommandSpec::prompt_content`] is what goes into the prompt file; [`CommandSpec::invocation`] is what `exec` runs,
//!    in a fresh session or, by its id, in an earlier one ([`SessionWish`]).
//! 4. A [`Reader`] takes the bytes as they come and answers with [`Sighting`]s for whoever watches.
//! 5. [`Reader::finish`] makes a [`Reply`]: text, class, usage, session. After a crash a new reader reads the whole
//!    capture again and says the same.
//!
//! Neighbours: `config` reads `agent:` into [`Choice`], [`CustomCommand`] and [`AgentOptions`]; `attempt` does the
//! steps. An agent CLI is one file in `adapters`: how it is started (`AGENT`, a value of `known::KnownAgent`) and how its
//! output is read (`reader()`, an implementation of `reader::Adapter`). What a provider's refusal means is judged for all
//! of them in one place, [`classify_error`].

mod adapters;
mod choice;
mod command;
mod error;
mod format;
mod known;
mod lines;
mod provider_error;
mod reader;
mod registry;
mod reply;
mod reset_time;
mod session;
pub mod shell;
mod sighting;
#[cfg(test)]
mod tests;

pub use choice::{Because, Choice, Chosen, decide_agent, parse_prompt_agents, parse_role, parse_role_agents};
pub use command::{CommandSpec, CustomCommand, Invocation, Places, PromptDelivery, PromptEncoding, Stdin};
pub use error::{AgentError, ChoiceError};
pub use format::{OutputFormat, ParseOutputFormatError};
pub use known::Reports;
pub use provider_error::classify_error;
pub use reader::{End, HowEnded, Reader};
pub use registry::{
    AgentOptions, Permission, Sought, Wanted, check_command, check_options, known_agents, login_remedy,
    resolve,
};
pub use reply::{MAX_REPLY_BYTES, Reply};
pub use session::{SessionArgs, SessionWish, session_id};
pub use sighting::{Sighting, WaitReason, Waiting};
