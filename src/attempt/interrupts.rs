//! The signals that ask this process to stop: SIGINT, SIGTERM, SIGHUP, all alike; the second one means at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What has been asked of this process so far.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    interrupt: AtomicUsize,
    terminate: AtomicUsize,
}

/// What was asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterruptSignal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM or SIGHUP.
    Terminate,
}

impl Interrupts {
    /// Takes the signals over for this process. A thread of its own counts them, so that none is lost.
    pub fn install() -> io::Result<Self> {
        let interrupts = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let counts = Arc::clone(&interrupts.counts);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                let count = if signal == SIGINT { &counts.interrupt } else { &counts.terminate };
                count.fetch_add(1, Ordering::SeqCst);
            }
        })?;
        Ok(interrupts)
    }

    /// How many signals have come.
    pub fn count(&self) -> usize {
        self.counts.interrupt.load(Ordering::SeqCst) + self.counts.terminate.load(Ordering::SeqCst)
    }

    /// What was asked, if anything was.
    pub fn pending(&self) -> Option<InterruptSignal> {
        if self.counts.interrupt.load(Ordering::SeqCst) > 0 {
            Some(InterruptSignal::Interrupt)
        } else {
            (self.counts.terminate.load(Ordering::SeqCst) > 0).then_some(InterruptSignal::Terminate)
        }
    }
}
