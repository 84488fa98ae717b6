//! What the network does not do now is tried again, for as long as the configuration allows.

use std::time::Duration;

use super::super::RunnerError;
use super::super::observer::Event;
use super::super::turn::Runner;
use super::error::SyncError;
use crate::ambient::Stopwatch;
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

/// Tries in a row that the network has spoiled.
#[derive(Debug)]
pub(in super::super) struct Outage {
    since: Stopwatch,
    pause: Duration,
}

impl Runner<'_> {
    /// Tries again while the network refuses, with growing pauses; any other error ends it at once.
    pub(in super::super) fn patiently<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, RunnerError>,
    ) -> Result<Patiently<T>, RunnerError> {
        let mut outage = None;
        loop {
            match attempt(self) {
                Ok(done) => return Ok(Patiently::Done(done)),
                Err(error) => {
                    if let Patiently::Interrupted = self.sit_out(&mut outage, error)? {
                        return Ok(Patiently::Interrupted);
                    }
                }
            }
        }
    }

    /// Waits after a try that the network has spoiled, longer each time; any other error is handed back.
    pub(in super::super) fn sit_out(
        &mut self,
        outage: &mut Option<Outage>,
        error: RunnerError,
    ) -> Result<Patiently<()>, RunnerError> {
        let Patience::Until(limit) = self.patience else { return Err(error) };
        if !error.is_outage() {
            return Err(error);
        }
        if self.interrupts.pending().is_some() {
            return Ok(Patiently::Interrupted);
        }
        let began = || Outage { since: self.ambient.stopwatch(), pause: FIRST_PAUSE };
        let outage = outage.get_or_insert_with(began);
        let pause = outage.pause;
        let why = super::super::select::error_chain(&error);
        let waited = outage.since.elapsed();
        if limit.is_some_and(|limit| waited + pause > limit) {
            let waited = Span::from_secs(waited.as_secs());
            return Err(SyncError::WaitedTooLong { waited, why }.into());
        }
        outage.pause = (pause * 2).min(LONGEST_PAUSE);
        self.observer.event(&Event::Offline { why: &why, again_in: pause });
        Ok(if self.pause(pause) { Patiently::Done(()) } else { Patiently::Interrupted })
    }

    /// The configured longest wait; `None`: there is none.
    pub(super) const fn longest_wait(&self) -> Option<Duration> {
        match self.patience {
            Patience::None => None,
            Patience::Until(limit) => limit,
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
