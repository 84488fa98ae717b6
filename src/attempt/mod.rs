//! Runs one prompt with one agent, or one command, under supervision, and says how it ended.
//!
//! `agent` makes the command and reads the reply, `exec` runs and watches the process; here the two meet. Nothing is
//! recorded here: the journal is the runner's.

mod interrupts;
mod outcome;
mod seek;
mod specification;
mod watch;

pub use crate::exec::Stream;
pub use interrupts::{InterruptSignal, Interrupts};
pub use outcome::{AgentOutcome, close_reading};
pub use seek::seek_program;
pub use specification::{
    AgentOrder, AttemptError, CommandOrder, Limits, plan_environment, write_agent_spec, write_command_spec,
};
pub use watch::{Glimpse, watch};
