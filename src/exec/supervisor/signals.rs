//! Signals as events. Handlers of our own also undo what was inherited: a signal that is ignored (under nohup, or
//! in the background of a script) stays ignored in every child, one with a handler is reset to its default.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::signal::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2,
    SIGXFSZ,
};
use signal_hook::{flag, low_level::pipe};

/// The signals that end the attempt.
const STOPPING: [i32; 4] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT];
/// Signals that mean nothing here and that an agent must not inherit as ignored. A full disk quota (SIGXFSZ) is
/// then an error of `write` and does not end the supervisor.
const RESET: [i32; 8] = [SIGALRM, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGXFSZ];

/// The supervisor's signals.
pub(super) struct Signals {
    stop: UnixStream,
    child: UnixStream,
    received: [(i32, Arc<AtomicBool>); 4],
}

/// What was asked by signals since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StopRequest {
    /// One of the signals.
    pub(super) signal: i32,
    /// Whether it is to end at once: SIGQUIT, or more than one signal.
    pub(super) at_once: bool,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        let (stop, stop_writer) = UnixStream::pair()?;
        let (child, child_writer) = UnixStream::pair()?;
        stop.set_nonblocking(true)?;
        child.set_nonblocking(true)?;
        let received = STOPPING.map(|signal| (signal, Arc::new(AtomicBool::new(false))));
        for (signal, flag) in &received {
            // The flag first: whoever is woken by the pipe finds it set.
            flag::register(*signal, Arc::clone(flag))?;
            pipe::register(*signal, stop_writer.try_clone()?)?;
        }
        pipe::register(SIGCHLD, child_writer)?;
        let unused = Arc::new(AtomicBool::new(false));
        for signal in RESET {
            flag::register(signal, Arc::clone(&unused))?;
        }
        Ok(Self { stop, child, received })
    }

    /// Readable when there is a request to stop.
    pub(super) fn stop_event(&self) -> BorrowedFd<'_> {
        self.stop.as_fd()
    }

    /// Readable when a child has ended.
    pub(super) fn child_event(&self) -> BorrowedFd<'_> {
        self.child.as_fd()
    }

    /// The requests since the last call.
    pub(super) fn take_stop_request(&self) -> Option<StopRequest> {
        let count = drain(&self.stop);
        let mut signals = Vec::new();
        for (signal, flag) in &self.received {
            if flag.swap(false, Ordering::SeqCst) {
                signals.push(*signal);
            }
        }
        let signal = *signals.first()?;
        Some(StopRequest { signal, at_once: count > 1 || signals.len() > 1 || signal == SIGQUIT })
    }

    /// Forgets the ends of children that were announced.
    pub(super) fn clear_child_event(&self) {
        drain(&self.child);
    }
}

fn drain(mut pipe: &UnixStream) -> usize {
    let mut bytes = [0; 64];
    let mut count = 0;
    while let Ok(read @ 1..) = pipe.read(&mut bytes) {
        count += read;
        if read < bytes.len() {
            break;
        }
    }
    count
}
