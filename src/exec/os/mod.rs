//! What differs between systems. Linux gives all that the module promises; other Unix gives the lock, the process
//! group and a look at the process table through `ps`, which is the weaker promise: what has left its parent and
//! cleared its environment may live on there.

use std::time::Duration;

use rustix::event::Timespec;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod unix;

#[cfg(target_os = "linux")]
pub(super) use linux::{
    Pinned, adopt_orphans, carries_marker, children_cpu, own_children, process, processes, processes_since,
};
#[cfg(not(target_os = "linux"))]
pub(super) use unix::{
    Pinned, adopt_orphans, carries_marker, children_cpu, own_children, process, processes, processes_since,
};

/// A duration for `poll`, never shorter than asked.
pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
