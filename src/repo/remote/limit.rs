//! Time limits for what libgit2 does over a network.
//!
//! libgit2 waits for ever unless told otherwise, and a server that sends a byte now and then would keep it waiting even so. So
//! its sockets get limits, once, and each call runs in a thread that is left behind where it has not ended in time; the
//! sockets' limits end it too.

use std::sync::Once;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::super::stop::StopSign;
use crate::ambient::Ambient;

/// Sets the limits of libgit2's sockets, once in this process.
#[expect(unsafe_code, reason = "libgit2 has global settings only; see the proof")]
fn limit_sockets(limit: Duration) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let milliseconds = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).max(1);
        // SAFETY: both write a C `int` that libgit2 reads only when it opens a socket. This crate opens sockets by libgit2
        // only in `within`, after `call_once` has returned, which orders the write before every such read; and
        // nobody writes again.
        unsafe {
            let _ = git2::opts::set_server_connect_timeout_in_milliseconds(milliseconds);
            let _ = git2::opts::set_server_timeout_in_milliseconds(milliseconds);
        }
    });
}

/// What came of a job.
pub(super) enum Within<T> {
    Done(T),
    /// It has not ended in time, and whatever it holds is gone with it.
    TooLong,
    /// The same, since this process was asked to stop.
    Stopped,
}

/// Runs a job that may open sockets.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    stop: &StopSign,
    ambient: &Ambient,
    job: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<Within<T>> {
    limit_sockets(limit);
    let (sender, receiver) = channel();
    let work = move || {
        // Nobody waits for it any more where this fails.
        let _ = sender.send(job());
    };
    std::thread::Builder::new().name("baton-remote".to_owned()).spawn(work)?;
    let (running, mut stop_watch) = (ambient.stopwatch(), stop.watch());
    let mut elapsed = Duration::ZERO;
    loop {
        match receiver.recv_timeout(stop.slice(limit.saturating_sub(elapsed))) {
            Ok(result) => return Ok(Within::Done(result)),
            Err(RecvTimeoutError::Disconnected) => return Err(std::io::Error::other("the thread panicked")),
            Err(RecvTimeoutError::Timeout) => elapsed = running.elapsed(),
        }
        if elapsed >= limit {
            return Ok(Within::TooLong);
        }
        if stop_watch.is_over(elapsed) {
            return Ok(Within::Stopped);
        }
    }
}
