//! Time limits for what libgit2 does over a network.
//!
//! libgit2 waits for ever unless told otherwise, and a server that sends a byte now and then would keep it waiting even so. So
//! its sockets get limits, once, and each call runs in a thread that is left behind where it has not ended in time; the
//! sockets' limits end it too.

use std::sync::Once;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

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

/// Runs a job that may open sockets; `None`: it has not ended in time, and whatever it holds is gone with it.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    job: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<Option<T>> {
    limit_sockets(limit);
    let (sender, receiver) = channel();
    let work = move || {
        // Nobody waits for it any more where this fails.
        let _ = sender.send(job());
    };
    std::thread::Builder::new().name("baton-remote".to_owned()).spawn(work)?;
    match receiver.recv_timeout(limit) {
        Ok(result) => Ok(Some(result)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(std::io::Error::other("the thread panicked")),
    }
}
