//! Writing to standard output and standard error. A reader that has gone away is not an error.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write, stderr, stdout};

use super::{Exit, Failure};

/// The two streams of this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Whether standard error is a terminal that a person watches.
    pub(crate) stderr_is_terminal: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { stderr_is_terminal: stderr().is_terminal() }
    }

    /// One line of result on standard output.
    #[expect(clippy::unused_self, reason = "only who was given the output may print")]
    pub(crate) fn say(self, line: impl Display) {
        // A closed pipe (`baton logs | head`) means that the reader has seen enough.
        let _ = writeln!(stdout().lock(), "{line}");
    }

    /// A document on standard output, written piece by piece.
    #[expect(clippy::unused_self, reason = "an `Output` is the right to print")]
    pub(crate) fn stream(
        self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Exit, Failure> {
        let mut out = BufWriter::new(stdout().lock());
        match write(&mut out).and_then(|()| out.flush()) {
            Ok(()) => Ok(Exit::Done),
            // The reader has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
            Err(error) => {
                Err(Failure::new(Exit::Operational, "cannot write to standard output").caused_by(error))
            }
        }
    }

    /// One line of progress or warning on standard error.
    #[expect(clippy::unused_self, reason = "only who was given the output may print")]
    pub(crate) fn note(self, line: impl Display) {
        let _ = writeln!(stderr().lock(), "{line}");
    }

    /// A failure on standard error.
    pub(crate) fn fail(self, failure: &Failure) {
        self.note(failure);
    }
}
