//! What the network does not do now is tried again, for as long as the configuration allows.

use std::time::Duration;

use super::super::RunnerError;
use super::super::observer::Event;
use super::super::turn::Runner;
use super::error::SyncError;
use crate::model::Span;

/// The first pause after a failed connection, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a pause lasts before signals are looked at.
const SLICE: Duration = Duration::from_millis(50);

/// What became of something that was tried until the network allowed it.
#[derive(Debug)]
pub(in super::super) enum Patiently<T> {
    /// It was done.
    Done(T),
    /// A signal came first.
    Interrupted,
}

/// How long a network that does not answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patience {
    /// Not at all: a single look.
    #[default]
    None,
    /// As long as this; `None`: without limit.
    Until(Option<Duration>),
}

impl Runner<'_> {
    /// Tries again while the network refuses, with growing pauses; any other error ends it at once.
    pub(in super::super) fn patiently<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, RunnerError>,
    ) -> Result<Patiently<T>, RunnerError> {
        let waiting = self.ambient.stopwatch();
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match attempt(self) {
                Ok(done) => return Ok(Patiently::Done(done)),
                Err(error) if error.is_outage() => error,
                Err(error) => return Err(error),
            };
            let Patience::Until(limit) = self.patience else { return Err(error) };
            if limit.is_some_and(|limit| waiting.elapsed() + pause > limit) {
                let why = super::super::select::error_chain(&error);
                let waited = Span::from_secs(waiting.elapsed().as_secs());
                return Err(SyncError::WaitedTooLong { waited, why }.into());
            }
            let why = super::super::select::error_chain(&error);
            self.observer.event(&Event::Offline { why: &why, again_in: pause });
            if !self.pause(pause) {
                return Ok(Patiently::Interrupted);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits; `false`: a signal came.
    pub(in super::super) fn pause(&mut self, duration: Duration) -> bool {
        let clock = self.ambient.stopwatch();
        loop {
            if self.interrupts.pending().is_some() {
                return false;
            }
            let left = duration.saturating_sub(clock.elapsed());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(SLICE));
        }
    }
}
