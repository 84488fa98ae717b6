//! Linux: child subreaper, pidfds and `/proc`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal, set_child_subreaper};

use crate::exec::process_table::{ProcessEntry, TICKS_PER_SECOND, children_ticks, parse_stat};

/// Beyond this many candidates, reading the whole table is not dearer than asking one by one.
const FEW: i32 = 64;

/// Makes this process the new parent of every descendant that loses its own.
pub(in crate::exec) fn adopt_orphans() -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    Ok(())
}

/// A process that stays itself: its id cannot be given to another while this is held.
#[derive(Debug)]
pub(in crate::exec) struct Pinned(OwnedFd);

impl Pinned {
    /// Pins a process; `None` when there is none.
    pub(in crate::exec) fn open(pid: i32) -> io::Result<Option<Self>> {
        let Some(pid) = Pid::from_raw(pid) else { return Ok(None) };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => Ok(Some(Self(fd))),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a signal; a process that has ended is no error.
    pub(in crate::exec) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.0, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the signature is that of the systems without such an event"
    )]
    /// Becomes readable when the process has ended.
    pub(in crate::exec) fn end_event(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

/// Every process that can be seen.
pub(in crate::exec) fn processes() -> io::Result<Vec<ProcessEntry>> {
    let mut table = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
            table.extend(read_process(pid));
        }
    }
    Ok(table)
}

/// The processes that were given their ids after `pid` was; only right while ids have not wrapped around.
pub(in crate::exec) fn processes_since(pid: i32) -> io::Result<Vec<ProcessEntry>> {
    match newest_pid() {
        Some(newest) if newest >= pid && newest - pid <= FEW => {
            Ok((pid..=newest).filter_map(read_process).collect())
        }
        _ => processes(),
    }
}

/// The id that was given out last, in this process's namespace.
fn newest_pid() -> Option<i32> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_ascii_whitespace().nth(4)?.parse().ok()
}

/// One process, if there is such a one.
#[expect(clippy::unnecessary_wraps, reason = "the signature is that of the systems where it can fail")]
pub(in crate::exec) fn process(pid: i32) -> io::Result<Option<ProcessEntry>> {
    Ok(read_process(pid))
}

fn read_process(pid: i32) -> Option<ProcessEntry> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&stat)
}

/// Whether a process carries this attempt in its environment's marker. Other users' processes cannot be read.
pub(in crate::exec) fn carries_marker(pid: i32, is_marker: impl Fn(&[u8]) -> bool) -> bool {
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(is_marker))
}

/// The ids of this process's children; all of them are its own thread's, since it has only one.
pub(in crate::exec) fn own_children() -> io::Result<Vec<i32>> {
    let own = getpid().as_raw_nonzero().get();
    match std::fs::read_to_string(format!("/proc/self/task/{own}/children")) {
        Ok(text) => Ok(text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()),
        // Kernels may be built without that file.
        Err(_) => {
            Ok(processes()?.into_iter().filter(|entry| entry.parent == own).map(|entry| entry.pid).collect())
        }
    }
}

/// Processor time of the children that were waited for, and of theirs.
pub(in crate::exec) fn children_cpu() -> Option<Duration> {
    let ticks = children_ticks(&std::fs::read("/proc/self/stat").ok()?)?;
    Some(Duration::from_millis(ticks.saturating_mul(1000 / TICKS_PER_SECOND)))
}
