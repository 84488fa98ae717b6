//! The line to the process that submitted the attempt; it may die at any time, and nobody may mind.

use std::io::{self, stdin, stdout};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{Errno, read, write};

use super::signals::{Signals, StopRequest};
use crate::exec::prepared::{GO, READY};

/// Standard input and standard output of this process.
pub(super) struct Orchestrator {
    listens: bool,
}

/// What was heard while waiting for the go.
pub(super) enum Word {
    /// The agent is to be started.
    Go,
    /// The submitter is gone or changed its mind.
    Withdrawn,
    /// A signal came first.
    Stop(StopRequest),
}

impl Orchestrator {
    /// Says that the supervisor is ready.
    pub(super) fn of_this_process() -> io::Result<Self> {
        // A reader that does not read must never hold up the supervisor.
        fcntl_setfl(stdout(), OFlags::NONBLOCK)?;
        let mut orchestrator = Self { listens: true };
        orchestrator.tell(READY);
        Ok(orchestrator)
    }

    /// Waits for the word to start the agent. A signal weighs more than a go that came beside it.
    #[expect(clippy::unused_self, reason = "the line exists once it was said that the supervisor is ready")]
    pub(super) fn await_go(&self, signals: &Signals) -> io::Result<Word> {
        loop {
            let input = stdin();
            let mut fds = [
                PollFd::new(&input, PollFlags::IN),
                PollFd::from_borrowed_fd(signals.stop_event(), PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            if !fds[1].revents().is_empty()
                && let Some(request) = signals.take_stop_request()
            {
                return Ok(Word::Stop(request));
            }
            if !fds[0].revents().is_empty() {
                let mut byte = [0];
                let go = read(&input, &mut byte)? == 1 && byte[0] == GO;
                return Ok(if go { Word::Go } else { Word::Withdrawn });
            }
        }
    }

    /// Says that there is new output; a reader that is behind has enough such news already.
    pub(super) fn tell_output(&mut self) {
        self.tell(b'o');
    }

    fn tell(&mut self, word: u8) {
        if self.listens && write(stdout(), &[word]) == Err(Errno::PIPE) {
            self.listens = false;
        }
    }
}
