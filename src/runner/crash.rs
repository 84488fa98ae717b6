//! Crash points: places where a test makes this process die as by `kill -9`. Compiled into debug builds only.

#[cfg(debug_assertions)]
use std::collections::BTreeMap;

use crate::ambient::Ambient;

/// Counts how often each place was passed.
#[derive(Debug, Default)]
pub(crate) struct CrashPoints {
    #[cfg(debug_assertions)]
    passed: BTreeMap<String, u32>,
}

impl CrashPoints {
    /// Dies here if `BATON_CRASH_AT` names this place: `running:done`, or `running:done#3` for the third passing.
    #[cfg(debug_assertions)]
    pub(crate) fn pass(&mut self, ambient: &Ambient, place: &str) {
        let Some(wanted) = ambient.var("BATON_CRASH_AT") else { return };
        let count = self.passed.entry(place.to_owned()).or_default();
        *count += 1;
        let (name, nth) = wanted.split_once('#').unwrap_or((wanted, "1"));
        if name == place && nth.parse() == Ok(*count) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            // The signal is on its way; nothing after this place may happen.
            loop {
                std::thread::park();
            }
        }
    }

    /// Nothing, in a release.
    #[cfg(not(debug_assertions))]
    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "the same shape as in debug builds"
    )]
    pub(crate) const fn pass(&mut self, _ambient: &Ambient, _place: &str) {}
}
