//! Signals to this process: a verb that asks a remote ends by them within seconds, and takes git and ssh with it.

use std::cell::OnceCell;
use std::rc::Rc;

use super::{Exit, Failure};
use crate::attempt::{InterruptSignal, Interrupts};
use crate::repo::StopSign;

/// The signals to this process. Until they are taken over, they end it as they end any other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals(Rc<OnceCell<Interrupts>>);

impl Signals {
    /// Counts them from now on.
    pub(crate) fn take_over(&self) -> Result<Interrupts, Failure> {
        if let Some(interrupts) = self.0.get() {
            return Ok(interrupts.clone());
        }
        let interrupts = Interrupts::install().map_err(|error| {
            Failure::new(Exit::Operational, "cannot take over the signals of this process").caused_by(error)
        })?;
        Ok(self.0.get_or_init(|| interrupts).clone())
    }

    /// Counts them from now on, and ends by them the waits for a remote's answer.
    pub(super) fn sign(&self) -> Result<StopSign, Failure> {
        let interrupts = self.take_over()?;
        Ok(StopSign::new(move || interrupts.count()))
    }

    /// A failure whose exit code is the signal's, where one has come.
    pub(super) fn judge(&self, failure: Failure) -> Failure {
        match self.came() {
            Some(signal) if failure.exit == Exit::Operational => failure.stopped_by(signal),
            _ => failure,
        }
    }

    /// Whoever wants this process to stop does not want it to begin anything more.
    pub(super) fn go_on(&self) -> Result<(), Failure> {
        match self.came() {
            None => Ok(()),
            Some(signal) => Err(Failure::new(Exit::by(signal), "stopped by a signal")),
        }
    }

    fn came(&self) -> Option<InterruptSignal> {
        self.0.get().and_then(Interrupts::pending)
    }
}
