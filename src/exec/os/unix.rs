//! Unix other than Linux: no subreaper, no pidfd, and the process table through `ps`.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process, test_kill_process};

use crate::exec::process_table::{ProcessEntry, parse_ps};

/// There is no such thing here: orphans go to the first process.
#[expect(clippy::unnecessary_wraps, reason = "the signature is Linux's, where it can fail")]
pub(in crate::exec) fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

/// A process by its id alone, which may be given to another once it has ended.
#[derive(Debug)]
pub(in crate::exec) struct Pinned(Pid);

impl Pinned {
    /// Looks whether there is such a process.
    pub(in crate::exec) fn open(pid: i32) -> io::Result<Option<Self>> {
        let Some(pid) = Pid::from_raw(pid) else { return Ok(None) };
        match test_kill_process(pid) {
            Ok(()) => Ok(Some(Self(pid))),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a signal; a process that has ended is no error.
    pub(in crate::exec) fn signal(&self, signal: Signal) -> io::Result<()> {
        match kill_process(self.0, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// There is no event: callers look again from time to time.
    pub(in crate::exec) fn end_event(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Every process that `ps` shows.
pub(in crate::exec) fn processes() -> io::Result<Vec<ProcessEntry>> {
    let output =
        duct::cmd!("ps", "-A", "-o", "pid=,ppid=,pgid=,sess=,stat=,time=,comm=").stderr_null().read()?;
    Ok(parse_ps(&output))
}

/// One process, if there is such a one.
pub(in crate::exec) fn process(pid: i32) -> io::Result<Option<ProcessEntry>> {
    Ok(processes()?.into_iter().find(|entry| entry.pid == pid))
}

/// The same; ids are not given out in order everywhere.
pub(in crate::exec) fn processes_since(_pid: i32) -> io::Result<Vec<ProcessEntry>> {
    processes()
}

/// Environments of other processes cannot be read in a portable way.
pub(in crate::exec) fn carries_marker(_pid: i32, _is_marker: impl Fn(&[u8]) -> bool) -> bool {
    false
}

/// The ids of this process's children.
pub(in crate::exec) fn own_children() -> io::Result<Vec<i32>> {
    let own = getpid().as_raw_nonzero().get();
    Ok(processes()?.into_iter().filter(|entry| entry.parent == own).map(|entry| entry.pid).collect())
}

/// Not known here.
pub(in crate::exec) fn children_cpu() -> Option<Duration> {
    None
}
