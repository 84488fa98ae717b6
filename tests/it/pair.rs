//! Role mode with real processes: two and more machines, one remote, and whatever may come between them.
//!
//! What happened is read from the bare repository, from the notes of the scripted agents, and from `/proc`. By default
//! short runs; `--features faults` runs the whole matrices.

mod earlier;
mod fenced;
mod happy;
mod harness;
mod isolated;
mod kills;
mod late;
mod long;
mod people;
#[cfg(feature = "faults")]
mod power;
mod races;
mod refused;
mod remote_faults;
mod signals;
mod trips;
mod verb_signals;
mod verbs;
