//! The integration tests: one binary, one file a behaviour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and starts the processes and reads the clock that it checks against"
)]

mod agent_actions;
mod agent_replies;
mod agent_streams;
mod agents;
mod backend;
mod backend_turns;
mod bad_input;
mod beside;
mod combined;
mod demo;
mod doctor_agents;
mod doctor_remote;
mod exec;
mod exec_faults;
mod exec_support;
mod faults;
mod faults_agent;
mod faults_disk;
mod faults_kill;
#[cfg(feature = "faults")]
mod faults_power;
mod faults_state;
mod help;
mod isolation;
mod layers;
mod night;
mod odd_repositories;
mod pair;
mod power;
mod publishing;
mod scratch;
mod secrets;
mod seeing;
mod shared_verbs;
mod shell_agent;
mod support;
mod tick;
mod transcripts;
mod usage;
