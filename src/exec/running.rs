//! Following an attempt that runs, ours or one that we found running.

use std::io::Read;
use std::os::fd::BorrowedFd;
use std::process::{Child, ChildStdout};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};

use super::observe::{peek_alive, was_started};
use super::os::{self, Pinned};
use super::{AttemptDir, ExecError, ExitRecord};
use crate::ambient::{Ambient, Stopwatch};

/// How often the files of an adopted attempt are looked at for new output; its end is an event all the same.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// An attempt whose agent may be running. Dropping it stops nothing: the attempt lives on and can be adopted.
#[derive(Debug)]
pub struct Running {
    dir: AttemptDir,
    link: Link,
    clock: Stopwatch,
    boot_id: String,
}

#[derive(Debug)]
enum Link {
    /// Our own child, which tells of output and of its end through a pipe.
    Child { child: Child, events: ChildStdout },
    /// Somebody else's child.
    Adopted { supervisor: Pinned, pid: i32, seen: u64 },
    /// It has ended.
    Ended { child: Option<Child> },
}

/// What a wait brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The supervisor has ended; [`Running::collect`] does not block any more.
    Ended,
    /// There may be new output.
    Output,
    /// The time has passed.
    TimedOut,
    /// The caller's own event came, or a signal interrupted the wait.
    Woken,
}

/// How an attempt is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// The stop signal, output drained all the while, SIGKILL after the grace. Asked twice, it is [`Urgency::Now`].
    Graceful,
    /// SIGKILL at once.
    Now,
}

/// Follows an attempt that this process did not start, or one that has ended.
pub fn adopt(dir: &AttemptDir, ambient: &Ambient) -> Result<Running, ExecError> {
    let link = match peek_alive(dir)? {
        None => Link::Ended { child: None },
        Some(pid) => match Pinned::open(pid).map_err(process_failed("follow", pid))? {
            // Only the lock's holder wrote that id: if it is held still, what was pinned is the holder.
            Some(supervisor) if peek_alive(dir)? == Some(pid) => Link::Adopted { supervisor, pid, seen: 0 },
            _ => Link::Ended { child: None },
        },
    };
    Ok(Running { dir: dir.clone(), link, clock: ambient.stopwatch(), boot_id: ambient.boot_id() })
}

impl Running {
    pub(super) fn of_child(
        dir: AttemptDir,
        child: Child,
        events: ChildStdout,
        clock: Stopwatch,
        boot_id: String,
    ) -> Self {
        Self { dir, link: Link::Child { child, events }, clock, boot_id }
    }

    /// The attempt's directory.
    pub fn dir(&self) -> &AttemptDir {
        &self.dir
    }

    /// Blocks until the supervisor ends, there is new output, `timeout` passes, or `wake` is readable.
    pub fn wait(
        &mut self,
        timeout: Option<Duration>,
        wake: Option<BorrowedFd<'_>>,
    ) -> Result<Progress, ExecError> {
        let progress = match &mut self.link {
            Link::Ended { .. } => return Ok(Progress::Ended),
            Link::Child { child, events } => wait_for_child(child, events, timeout, wake)?,
            Link::Adopted { supervisor, pid, seen } => {
                wait_for_adopted(&self.dir, supervisor, *pid, seen, self.clock, timeout, wake)?
            }
        };
        if progress == Progress::Ended {
            let ended = std::mem::replace(&mut self.link, Link::Ended { child: None });
            if let Link::Child { child, .. } = ended {
                self.link = Link::Ended { child: Some(child) };
            }
        }
        Ok(progress)
    }

    /// Asks the attempt to stop. It is then never `ok`. One that has ended is left alone.
    pub fn cancel(&self, urgency: Urgency) -> Result<(), ExecError> {
        let signal = match urgency {
            Urgency::Graceful => Signal::TERM,
            Urgency::Now => Signal::QUIT,
        };
        match &self.link {
            Link::Ended { .. } => Ok(()),
            Link::Adopted { supervisor, pid, .. } => {
                supervisor.signal(signal).map_err(process_failed("stop", *pid))
            }
            // Our child keeps its id until `collect` reaps it.
            Link::Child { child, .. } => match kill_process(Pid::from_child(child), signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
                Err(error) => Err(process_failed("stop", child_pid(child))(error.into())),
            },
        }
    }

    /// Waits for the end, however long that takes, and says how it was. [`ExecError::Vanished`] when the
    /// supervisor left no result: then [`abandon`](super::abandon) ends what it left behind.
    pub fn collect(mut self) -> Result<ExitRecord, ExecError> {
        while self.wait(None, None)? != Progress::Ended {}
        if let Link::Ended { child: Some(child) } = &mut self.link {
            let pid = child_pid(child);
            child.wait().map_err(process_failed("wait for", pid))?;
        }
        match self.dir.read_exit()? {
            Some(record) => Ok(record),
            None => Err(ExecError::Vanished {
                dir: self.dir.path().to_owned(),
                started: was_started(&self.dir, &self.boot_id)?,
            }),
        }
    }
}

fn wait_for_child(
    child: &Child,
    events: &mut ChildStdout,
    timeout: Option<Duration>,
    wake: Option<BorrowedFd<'_>>,
) -> Result<Progress, ExecError> {
    let failed = process_failed("hear from", child_pid(child));
    let (told, woken) = match poll_two(Some(PollFd::new(events, PollFlags::IN)), wake, timeout) {
        Ok(ready) => ready,
        Err(rustix::io::Errno::INTR) => return Ok(Progress::Woken),
        Err(error) => return Err(failed(error.into())),
    };
    if told {
        return match events.read(&mut [0; 4096]).map_err(failed)? {
            0 => Ok(Progress::Ended),
            _ => Ok(Progress::Output),
        };
    }
    Ok(if woken { Progress::Woken } else { Progress::TimedOut })
}

fn wait_for_adopted(
    dir: &AttemptDir,
    supervisor: &Pinned,
    pid: i32,
    seen: &mut u64,
    clock: Stopwatch,
    timeout: Option<Duration>,
    wake: Option<BorrowedFd<'_>>,
) -> Result<Progress, ExecError> {
    let until = timeout.map(|timeout| clock.elapsed() + timeout);
    loop {
        let size = output_size(dir);
        if size != *seen {
            *seen = size;
            return Ok(Progress::Output);
        }
        let Some(slice) = next_slice(until, clock) else { return Ok(Progress::TimedOut) };
        let end = supervisor.end_event().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let has_event = end.is_some();
        match poll_two(end, wake, Some(slice)) {
            Ok((true, _)) => return Ok(Progress::Ended),
            Ok((_, true)) | Err(rustix::io::Errno::INTR) => return Ok(Progress::Woken),
            Ok(_) if !has_event && peek_alive(dir)?.is_none() => return Ok(Progress::Ended),
            Ok(_) => {}
            Err(error) => return Err(process_failed("follow", pid)(error.into())),
        }
    }
}

/// How long to block before the next look; `None` when the time has passed.
fn next_slice(until: Option<Duration>, clock: Stopwatch) -> Option<Duration> {
    let Some(until) = until else { return Some(LOOK_EVERY) };
    let left = until.saturating_sub(clock.elapsed());
    (!left.is_zero()).then(|| left.min(LOOK_EVERY))
}

fn output_size(dir: &AttemptDir) -> u64 {
    [dir.stdout_path(), dir.stderr_path()]
        .iter()
        .filter_map(|path| std::fs::metadata(path).ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// Polls one or both and says which is ready.
fn poll_two(
    first: Option<PollFd<'_>>,
    second: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> rustix::io::Result<(bool, bool)> {
    let timeout = timeout.map(os::timespec);
    let has_first = first.is_some();
    let has_second = second.is_some();
    let mut fds: Vec<PollFd<'_>> =
        first.into_iter().chain(second.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))).collect();
    poll(&mut fds, timeout.as_ref())?;
    let first_ready = has_first && fds.first().is_some_and(|fd| !fd.revents().is_empty());
    let second_ready = has_second && fds.last().is_some_and(|fd| !fd.revents().is_empty());
    Ok((first_ready, second_ready))
}

fn child_pid(child: &Child) -> i32 {
    Pid::from_child(child).as_raw_nonzero().get()
}

fn process_failed(action: &'static str, pid: i32) -> impl FnOnce(std::io::Error) -> ExecError {
    move |source| ExecError::Process { action, pid, source }
}
