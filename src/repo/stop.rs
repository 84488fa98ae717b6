//! What makes a wait for somebody else's answer end early: a person who wants this process to stop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long an answer is still waited for once this process was asked to stop. A push that the server is about to take
/// should get its chance: cut off, nobody knows what became of it. A second request ends the wait at once.
const GRACE: Duration = Duration::from_secs(2);

/// How often in a wait it is looked whether this process was asked to stop.
const SLICE: Duration = Duration::from_millis(50);

/// Tells how often this process was asked to stop so far. The built-in value: never.
#[derive(Clone, Default)]
pub struct StopSign(Option<Arc<dyn Fn() -> usize + Send + Sync>>);

impl StopSign {
    /// A sign that asks this.
    pub fn new(count: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(count)))
    }

    fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |count| count())
    }

    /// As much of a wait of this length may pass before it is looked at again.
    pub(super) fn slice(&self, wait: Duration) -> Duration {
        if self.0.is_some() { wait.min(SLICE) } else { wait }
    }

    /// A wait that begins now.
    pub(super) fn watch(&self) -> StopWatch<'_> {
        let count = self.count();
        StopWatch { sign: self, count, asked_at: (count > 0).then_some(Duration::ZERO) }
    }
}

impl fmt::Debug for StopSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopSign").field(&self.count()).finish()
    }
}

/// A wait that may have to end early.
#[derive(Debug)]
pub(super) struct StopWatch<'s> {
    sign: &'s StopSign,
    /// How often it was asked so far.
    count: usize,
    /// When in this wait it was asked first; at its beginning where that was before.
    asked_at: Option<Duration>,
}

impl StopWatch<'_> {
    /// Whether to wait no longer, after so much of the wait.
    pub(super) fn is_over(&mut self, elapsed: Duration) -> bool {
        let count = self.sign.count();
        let new = count - self.count;
        self.count = count;
        let is_second = new > usize::from(self.asked_at.is_none());
        if new > 0 {
            self.asked_at.get_or_insert(elapsed);
        }
        is_second || self.asked_at.is_some_and(|at| elapsed.saturating_sub(at) >= GRACE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn counted() -> (Arc<AtomicUsize>, StopSign) {
        let count = Arc::new(AtomicUsize::new(0));
        let asked = Arc::clone(&count);
        (count, StopSign::new(move || asked.load(Ordering::SeqCst)))
    }

    #[test]
    fn nobody_asks_and_nothing_ends() {
        let sign = StopSign::default();
        assert!(!sign.watch().is_over(Duration::MAX));
    }

    #[test]
    fn the_first_request_leaves_a_moment_and_the_second_none() {
        let (count, sign) = counted();
        let mut watch = sign.watch();
        assert!(!watch.is_over(ms(9_000)));
        count.store(1, Ordering::SeqCst);
        assert!(!watch.is_over(ms(9_100)));
        assert!(!watch.is_over(ms(11_099)));
        assert!(watch.is_over(ms(11_100)));
        let mut other = sign.watch();
        assert!(!other.is_over(ms(10)), "one that begins later has its moment too: the turn is given back");
        count.store(2, Ordering::SeqCst);
        assert!(other.is_over(ms(20)));
    }

    #[test]
    fn two_at_once_end_it_at_once() {
        let (count, sign) = counted();
        let mut watch = sign.watch();
        count.store(2, Ordering::SeqCst);
        assert!(watch.is_over(ms(5)));
    }
}
