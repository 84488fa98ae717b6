//! A hermetic workspace, the real binary in it, and a scripted agent whose deeds are noted outside the repository.
//!
//! Nothing here looks at the program's own records: what happened is read from git, from the agent's notes and from
//! `/proc`.

mod claude;
mod effects;
mod machine;
mod process;
mod table;
mod workspace;

pub(crate) use claude::Claude;
pub(crate) use effects::{Deed, Effects};
pub(crate) use machine::Machine;
pub(crate) use process::{Ended, Orchestrator, await_event};
pub(crate) use table::{check_table, check_table_in};
pub(crate) use workspace::{Git, Workspace, made_files, read_all};
