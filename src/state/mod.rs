//! Reading and writing `sync/state.json`: strictly, durably, and never by guessing.
//!
//! What a legal change is, `turn` decides; this room only moves bytes. An unreadable file is an error with its place,
//! never a reset.

mod file;
mod format;

pub use file::{Restored, StateError, StateFile};
pub use format::{FormatError, parse, render, wire};
