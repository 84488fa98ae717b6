//! What a person reads when a verb fails: what happened, why, and what to do next.

use std::error::Error;
use std::fmt;

use super::Exit;
use crate::attempt::InterruptSignal;
use crate::publish::secret::Masker;

/// A failure as it is shown: `error`, `caused by` and `help` lines, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the process ends.
    pub(crate) exit: Exit,
    message: String,
    causes: Vec<String>,
    help: Vec<String>,
}

impl Failure {
    /// A failure with its headline.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), help: Vec::new() }
    }

    /// A failure whose headline is the error's text and whose causes are its sources.
    pub(crate) fn from_error(exit: Exit, error: &dyn Error) -> Self {
        let mut failure = Self::new(exit, error.to_string());
        failure.push_chain(error.source());
        if failure.is_of_a_full_disk() {
            return failure.help("free some space, then the same command goes on");
        }
        failure
    }

    /// By its words: git and SQLite pass on no more than those.
    fn is_of_a_full_disk(&self) -> bool {
        std::iter::once(&self.message).chain(&self.causes).any(|text| {
            let text = text.to_ascii_lowercase();
            text.contains("no space left") || text.contains("disk is full") || text.contains("quota exceeded")
        })
    }

    /// Adds a cause, and the causes of that cause.
    pub(crate) fn caused_by(mut self, error: impl Error) -> Self {
        self.push_chain(Some(&error));
        self
    }

    /// Adds what to do next.
    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// The same, to which a signal has led.
    pub(crate) fn stopped_by(self, signal: InterruptSignal) -> Self {
        Self { exit: Exit::by(signal), ..self }
    }

    /// Whether a signal has led to it.
    pub(crate) const fn is_stop(&self) -> bool {
        matches!(self.exit, Exit::Interrupted | Exit::Terminated)
    }

    /// The same without secrets: errors may carry the words of an agent.
    pub(crate) fn masked(mut self, masker: &Masker) -> Self {
        let texts = std::iter::once(&mut self.message).chain(&mut self.causes).chain(&mut self.help);
        texts.for_each(|text| masker.mask_in_place(text));
        self
    }

    /// The message and its causes, without help, for a place inside a report.
    pub(crate) fn in_one_line(&self) -> String {
        std::iter::once(&self.message).chain(&self.causes).map(String::as_str).collect::<Vec<_>>().join(": ")
    }

    fn push_chain(&mut self, mut next: Option<&dyn Error>) {
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {cause}")?;
        }
        for help in &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}
