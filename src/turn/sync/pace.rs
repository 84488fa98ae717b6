//! How long to wait before the next look and before the next try. The dice are rolled by the caller.

use std::time::Duration;

/// The longest wait after an error, unless the interval itself is longer.
const ERROR_CAP: Duration = Duration::from_mins(1);

/// After a change the next looks come sooner: this part of the interval, then twice that, up to the interval.
const EAGER: u32 = 8;

/// The shortest wait between two looks: who is asked to look all the time still leaves the machine to the agents.
const SHORTEST: Duration = Duration::from_millis(4);

/// The rhythm of a waiting seat.
///
/// Looks are an interval apart; sooner right after a change, since short turns follow each other; later than the last
/// look took, so that a slow remote is not asked all the time; and ever later while looks fail.
#[derive(Debug, Clone)]
pub struct Pace {
    interval: Duration,
    eager: Duration,
    failures: u32,
    took: Duration,
}

impl Pace {
    /// A rhythm of this interval.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { interval, eager: interval / EAGER, failures: 0, took: Duration::ZERO }
    }

    /// A look that succeeded and found something new.
    pub fn saw_change(&mut self, took: Duration) {
        (self.failures, self.took, self.eager) = (0, took, self.interval / EAGER);
    }

    /// A look that succeeded and found what there was before.
    pub fn saw_nothing_new(&mut self, took: Duration) {
        (self.failures, self.took) = (0, took);
        self.eager = self.eager.saturating_mul(2).min(self.interval);
    }

    /// A look that failed and may succeed later.
    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// How many looks in a row have failed.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// The wait before the next look; `random` is any number.
    pub fn wait(&self, random: u64) -> Duration {
        let plain = if self.failures == 0 {
            self.eager.max(self.took).max(SHORTEST)
        } else {
            let cap = ERROR_CAP.max(self.interval);
            doubled(self.interval.max(Duration::from_millis(100)), self.failures).min(cap)
        };
        jittered(plain, random)
    }
}

/// The waits between tries of one push.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    tries: u32,
    first: Duration,
    made: u32,
}

impl Backoff {
    /// For pushes that lost a race: five tries, the first wait about 100 ms, each twice as long as the one before.
    #[must_use]
    pub const fn for_push() -> Self {
        Self { tries: 5, first: Duration::from_millis(100), made: 0 }
    }

    /// Counts a try that did not succeed. The wait before the next one; `None`: it was the last.
    pub fn next_wait(&mut self, random: u64) -> Option<Duration> {
        self.made = self.made.saturating_add(1);
        (self.made < self.tries).then(|| jittered(doubled(self.first, self.made - 1), random))
    }
}

/// The waits between tries of a publication that others' pushes have overtaken: each of them is progress of theirs and makes
/// ours possible again, so that it is the time that ends it and not the number of tries.
#[derive(Debug, Clone, Copy)]
pub struct Contest {
    limit: Duration,
    lost: u32,
}

impl Contest {
    /// The longest that one publication may lose.
    pub const LIMIT: Duration = Duration::from_mins(10);
    const FIRST: Duration = Duration::from_millis(50);
    /// Whoever waits longer loses to those who do not.
    const LONGEST: Duration = Duration::from_secs(2);

    /// One that ends after [`Self::LIMIT`], sooner where `limit` says so.
    #[must_use]
    pub fn new(limit: Option<Duration>) -> Self {
        Self { limit: limit.map_or(Self::LIMIT, |limit| limit.min(Self::LIMIT)), lost: 0 }
    }

    /// How often it was lost so far.
    pub const fn lost(&self) -> u32 {
        self.lost
    }

    /// Counts a try that was overtaken. The wait before the next one; `None`: the time is over.
    pub fn next_wait(&mut self, elapsed: Duration, random: u64) -> Option<Duration> {
        let plain = doubled(Self::FIRST, self.lost.min(16)).min(Self::LONGEST);
        self.lost = self.lost.saturating_add(1);
        (elapsed < self.limit).then(|| jittered(plain, random))
    }
}

fn doubled(base: Duration, times: u32) -> Duration {
    base.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX))
}

/// Between three quarters and five quarters of the wait, so that machines that began together do not stay so.
fn jittered(wait: Duration, random: u64) -> Duration {
    let thousandths = u32::try_from(random % 501).unwrap_or(0);
    wait.saturating_mul(750 + thousandths) / 1000
}
