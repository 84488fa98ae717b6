//! What a disk holds after a loss of power, replayed from the system calls of a run.

mod disk;
mod trace;

pub(crate) use disk::{Disk, Image, Node, Reading};
pub(crate) use trace::{Event, parse_trace};
