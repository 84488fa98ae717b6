//! Crash points: places where a test makes this process die as by `kill -9`, or signals it. In debug builds only.

#[cfg(debug_assertions)]
use std::collections::BTreeMap;

use crate::ambient::Ambient;
use crate::attempt::Interrupts;

/// Counts how often each place was passed.
#[derive(Debug, Default)]
pub(crate) struct CrashPoints {
    #[cfg(debug_assertions)]
    passed: BTreeMap<String, u32>,
}

impl CrashPoints {
    /// Dies here if `BATON_CRASH_AT` names this place: `running:done`, or `running:done#3` for the third passing. Is
    /// sent SIGTERM if `BATON_SIGNAL_AT` does, and goes on when that was heard.
    #[cfg(debug_assertions)]
    pub(crate) fn pass(&mut self, ambient: &Ambient, interrupts: &Interrupts, place: &str) {
        use rustix::process::{Signal, getpid, kill_process};

        let wanted = ["BATON_CRASH_AT", "BATON_SIGNAL_AT"].map(|name| ambient.var(name));
        if wanted == [None, None] {
            return;
        }
        let count = self.passed.entry(place.to_owned()).or_default();
        *count += 1;
        let [crash, signal] = wanted.map(|wanted| {
            let (name, nth) = wanted.map_or(("", "1"), |text| text.split_once('#').unwrap_or((text, "1")));
            name == place && nth.parse() == Ok(*count)
        });
        if crash {
            let _ = kill_process(getpid(), Signal::KILL);
            // The signal is on its way; nothing after this place may happen.
            loop {
                std::thread::park();
            }
        }
        if signal {
            let heard = interrupts.count();
            let _ = kill_process(getpid(), Signal::TERM);
            while interrupts.count() == heard {
                std::thread::yield_now();
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
    pub(crate) const fn pass(&mut self, _ambient: &Ambient, _interrupts: &Interrupts, _place: &str) {}
}

/// Dies here if `BATON_CRASH_AT` names this place, where no turn is under way yet.
pub(crate) fn crash_before_turns(ambient: &Ambient, place: &str) {
    #[cfg(debug_assertions)]
    if ambient.var("BATON_CRASH_AT").is_some_and(|wanted| wanted == place) {
        use rustix::process::{Signal, getpid, kill_process};

        let _ = kill_process(getpid(), Signal::KILL);
        loop {
            std::thread::park();
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = (ambient, place);
}
