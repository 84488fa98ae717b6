//! A hermetic workspace, the real binary in it, and a scripted agent whose deeds are noted outside the repository.
//!
//! Nothing here looks at the program's own records: what happened is read from git, from the agent's notes and from
//! `/proc`.

mod account;
mod claude;
mod dice;
mod effects;
mod faulty;
mod history;
mod machine;
mod nine_field_peer;
mod notes;
mod pair;
mod process;
mod table;
mod web;
mod workspace;

pub(crate) use account::Ending;
pub(crate) use claude::Claude;
pub(crate) use dice::Dice;
pub(crate) use effects::{Deed, Effects};
pub(crate) use faulty::{Fault, Service};
pub(crate) use history::History;
pub(crate) use machine::Machine;
pub(crate) use nine_field_peer::Peer;
pub(crate) use notes::Notes;
pub(crate) use pair::{Pair, SYNC, Scheme, start_role, wait_for_both};
pub(crate) use process::{Ended, Orchestrator, await_event};
pub(crate) use table::{check_table, check_table_in, say};
pub(crate) use workspace::{CHECKS, Git, Workspace, made_files, read_all};
