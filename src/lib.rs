//! `baton`: two coding agents, one repository, strict turns.
//!
//! This is the map of the house. Imports point downward only, in this order; the `layers` test reads the
//! sources and enforces it.
//!
//! | module | what it is for |
//! |---|---|
//! | [`model`] | pure domain types: actor, state, status, outcome, usage, identifiers, durations |
//! | [`ambient`] | the clock, randomness, host name and environment: real and fixed |
//! | [`route`] | pure prompt routing: actor, state and settings to one decision |
//! | [`turn`] | pure turn machine: legal state transitions, phases, recovery from any journal prefix |
//! | [`publish`] | pure selection of what a turn commits, and why the rest is left alone |
//! | [`agent`] | pure adapters: a prompt to a command, captured output to a reply |
//! | [`config`] | `orchestration.yaml`: raw, resolved, with the origin of every value |
//! | [`durable`] | directories and file systems that outlast a loss of power |
//! | [`exec`] | supervised processes that outlive us: start, adopt, observe, terminate |
//! | [`state`] | reading and writing `sync/state.json`, durably |
//! | [`repo`] | git: open, guard the branch, record what is dirty, commit by category |
//! | [`ledger`] | SQLite record of turns, phases, attempts and events |
//! | [`attempt`] | runs one prompt with one agent and classifies the outcome |
//! | [`runner`] | `run_turn`: the one path that all modes share, and its journal |
//! | [`mode`] | combined, role, tick and solo: thin drivers over the runner |
//! | [`cli`] | one file a verb; the only code that prints, reads arguments and picks exit codes |

pub mod agent;
pub mod ambient;
pub mod attempt;
pub mod cli;
pub mod config;
pub mod durable;
pub mod exec;
pub mod ledger;
pub mod mode;
pub mod model;
pub mod publish;
pub mod repo;
pub mod route;
pub mod runner;
pub mod state;
pub mod turn;
