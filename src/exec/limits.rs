//! When an attempt has run too long or done nothing for too long: decisions only, no clock and no look at processes.
//!
//! Output proves life. Without output, the processor time of the process tree is sampled now and then; a tree that
//! uses less than one percent of a processor between two samples is idle.

use std::collections::BTreeMap;
use std::time::Duration;

use super::exit_record::Ended;
use super::process_table::TICKS_PER_SECOND;

/// Processor time in ticks by process id.
pub(super) type CpuSample = BTreeMap<i32, u64>;

/// The longest time between two samples.
const SAMPLE_EVERY: Duration = Duration::from_secs(30);
/// Samples in one idle limit, where that is shorter.
const SAMPLES_PER_LIMIT: u32 = 4;

/// The limits of one attempt and what has been seen of it. All times count from the agent's start.
#[derive(Debug)]
pub(super) struct Limits {
    wall: Option<Duration>,
    idle: Option<Duration>,
    last_active: Duration,
    sample: Option<(Duration, CpuSample)>,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing until then; `None`: no limit is set.
    Later(Option<Duration>),
    /// A sample of the processor time is to be taken.
    Sample,
    /// A limit is reached.
    Over(Ended),
}

impl Limits {
    pub(super) fn new(wall: Option<Duration>, idle: Option<Duration>) -> Self {
        Self { wall, idle, last_active: Duration::ZERO, sample: None }
    }

    /// Output was seen.
    pub(super) fn note_output(&mut self, now: Duration) {
        self.last_active = now;
    }

    /// A sample was taken.
    pub(super) fn note_sample(&mut self, now: Duration, sample: CpuSample) {
        if let Some((before, old)) = &self.sample
            && *before >= self.last_active
            && is_busy(old, &sample, now.saturating_sub(*before))
        {
            self.last_active = now;
        }
        self.sample = Some((now, sample));
    }

    /// What is to be done at this time.
    pub(super) fn decide_due(&self, now: Duration) -> Due {
        if self.wall.is_some_and(|wall| now >= wall) {
            return Due::Over(Ended::WallLimit);
        }
        let Some(idle) = self.idle else { return Due::Later(self.wall) };
        let sampled = self.sample.as_ref().map(|(at, _)| *at).filter(|at| *at >= self.last_active);
        if sampled.is_some_and(|at| at >= self.last_active + idle) {
            return Due::Over(Ended::IdleLimit);
        }
        let next = sampled.unwrap_or(self.last_active) + (idle / SAMPLES_PER_LIMIT).min(SAMPLE_EVERY);
        if now >= next {
            return Due::Sample;
        }
        Due::Later(Some(self.wall.map_or(next, |wall| wall.min(next))))
    }
}

fn is_busy(old: &CpuSample, new: &CpuSample, elapsed: Duration) -> bool {
    let ticks: u64 =
        new.iter().map(|(pid, ticks)| ticks.saturating_sub(old.get(pid).copied().unwrap_or(0))).sum();
    u128::from(ticks) * 1_000 / u128::from(TICKS_PER_SECOND) * 100 > elapsed.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Runs the clock over an attempt whose output and processor use are functions of the second.
    ///
    /// As in life, the clock has moved on whenever it is looked at again.
    fn ends_at(mut limits: Limits, prints: fn(u64) -> bool, ticks: fn(u64) -> u64) -> Option<(u64, Ended)> {
        let mut used = 0;
        for second in 0..20_000 {
            used += ticks(second);
            if prints(second) {
                limits.note_output(secs(second));
            }
            for look in 0.. {
                let now = secs(second) + Duration::from_micros(look);
                match limits.decide_due(now) {
                    Due::Later(_) => break,
                    Due::Sample => limits.note_sample(now, CpuSample::from([(7, used)])),
                    Due::Over(ended) => return Some((second, ended)),
                }
            }
        }
        None
    }

    #[rstest]
    #[case::prints_always(|_| true, |_| 0, None)]
    #[case::prints_every_nineteen_minutes(|s| s % 1_140 == 0, |_| 0, None)]
    #[case::computes_in_silence(|_| false, |_| 50, None)]
    #[case::silent_and_still(|_| false, |_| 0, Some((1_200, Ended::IdleLimit)))]
    #[case::only_timers_tick(|_| false, |s| u64::from(s % 10 == 0), Some((1_200, Ended::IdleLimit)))]
    #[case::still_after_output(|s| s < 100, |_| 0, Some((1_299, Ended::IdleLimit)))]
    fn an_attempt_is_idle_without_output_and_without_processor_time(
        #[case] prints: fn(u64) -> bool,
        #[case] ticks: fn(u64) -> u64,
        #[case] expected: Option<(u64, Ended)>,
    ) {
        let ended = ends_at(Limits::new(None, Some(secs(1_200))), prints, ticks);
        match (ended, expected) {
            (Some((at, by)), Some((from, expected_by))) => {
                assert_eq!(by, expected_by);
                assert!((from..=from + 60).contains(&at), "ended at {at}");
            }
            (ended, expected) => assert_eq!(ended, expected),
        }
    }

    #[test]
    fn the_wall_limit_holds_however_busy_the_attempt_is() {
        let ended = ends_at(Limits::new(Some(secs(7_200)), Some(secs(1_200))), |_| true, |_| 100);
        assert_eq!(ended, Some((7_200, Ended::WallLimit)));
    }

    #[test]
    fn an_attempt_without_limits_asks_for_nothing() {
        assert_eq!(Limits::new(None, None).decide_due(secs(1_000_000)), Due::Later(None));
    }
}
