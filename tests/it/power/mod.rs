//! What a disk holds after a loss of power, replayed from the system calls of a run.

#![cfg_attr(
    not(feature = "faults"),
    allow(
        dead_code,
        unused_imports,
        reason = "recording needs strace; without it only the replay itself is tested"
    )
)]

mod disk;
mod replay;
mod trace;

pub(crate) use disk::{Disk, Image, Node, Reading};
pub(crate) use replay::{agents_that_ended, assert_replayed, lock_in_the_way, materialise, traced};
