//! What the world tells us unasked: the clock, randomness, the host's name, the environment.
//!
//! Everything else takes an [`Ambient`] and never asks the system itself, so that a test can fix all four.
#![expect(clippy::disallowed_methods, reason = "this module owns the clock and the environment")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::model::{AttemptId, HoldId, Token, TurnId};

/// The surroundings of a process.
#[derive(Debug, Clone)]
pub struct Ambient {
    fixed_now: Option<Timestamp>,
    fixed_uptime: Option<Duration>,
    env: BTreeMap<OsString, OsString>,
}

impl Ambient {
    /// The real surroundings. `BATON_FIXED_NOW` (RFC 3339) stops the clock, for reproducible output.
    #[must_use]
    pub fn real() -> Self {
        let env: BTreeMap<_, _> = std::env::vars_os().collect();
        let fixed_now = env
            .get(OsStr::new("BATON_FIXED_NOW"))
            .and_then(|text| text.to_str())
            .and_then(|text| text.parse().ok());
        Self { fixed_now, fixed_uptime: None, env }
    }

    /// Surroundings for a test: a stopped clock, a machine that has just booted, and this environment only.
    #[must_use]
    pub fn fixed(now: Timestamp, env: BTreeMap<OsString, OsString>) -> Self {
        Self { fixed_now: Some(now), fixed_uptime: Some(Duration::ZERO), env }
    }

    /// The same surroundings, this long after the machine booted, for a test.
    #[must_use]
    pub fn with_uptime(self, uptime: Duration) -> Self {
        Self { fixed_uptime: Some(uptime), ..self }
    }

    /// The same surroundings with another environment.
    #[must_use]
    pub fn with_env(self, env: BTreeMap<OsString, OsString>) -> Self {
        Self { env, ..self }
    }

    /// The wall clock, for records and display.
    pub fn now(&self) -> Timestamp {
        self.fixed_now.unwrap_or_else(Timestamp::now)
    }

    /// A stopwatch on the monotonic clock, never stopped.
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// The environment that was inherited.
    pub fn env(&self) -> &BTreeMap<OsString, OsString> {
        &self.env
    }

    /// One variable, if it is set and is UTF-8.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.get(OsStr::new(name)).and_then(|value| value.to_str())
    }

    /// One variable as a path, if it is set and not empty.
    pub fn path_var(&self, name: &str) -> Option<PathBuf> {
        self.env.get(OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The host's name; `unknown-host` if the system has none.
    pub fn host(&self) -> String {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if name.is_empty() { "unknown-host".to_owned() } else { name }
    }

    /// Identifies this boot of the machine: what was alive before another boot is gone. Empty where unknown.
    ///
    /// In debug builds `BATON_BOOT_ID` gives another one, so that a test can be a machine that was switched off.
    pub fn boot_id(&self) -> String {
        if cfg!(debug_assertions)
            && let Some(id) = self.var("BATON_BOOT_ID")
        {
            return id.to_owned();
        }
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    }

    /// The time since this machine booted; sleep counts where the system can tell it. It is never compared with
    /// another machine's.
    ///
    /// In debug builds `BATON_UPTIME_PLUS` (seconds) is added, so that a test can let time pass.
    pub fn uptime(&self) -> Duration {
        let plus = self.var("BATON_UPTIME_PLUS").filter(|_| cfg!(debug_assertions));
        let plus = Duration::from_secs(plus.and_then(|text| text.parse().ok()).unwrap_or(0));
        self.fixed_uptime.unwrap_or_else(boot_clock).saturating_add(plus)
    }

    /// A number that nobody can guess.
    pub fn random(&self) -> u64 {
        u64::try_from(random_u128() >> 64).unwrap_or_default()
    }

    /// A new turn identifier.
    pub fn new_turn_id(&self) -> TurnId {
        TurnId::from_parts(self.unix_millis(), random_u128())
    }

    /// A new attempt identifier.
    pub fn new_attempt_id(&self) -> AttemptId {
        AttemptId::from_parts(self.unix_millis(), random_u128())
    }

    /// A new hold identifier.
    pub fn new_hold_id(&self) -> HoldId {
        HoldId::from_parts(self.unix_millis(), random_u128())
    }

    /// A new fencing token.
    pub fn new_token(&self) -> Token {
        Token::from_random(random_u128())
    }

    fn unix_millis(&self) -> u64 {
        u64::try_from(self.now().as_millisecond()).unwrap_or(0)
    }
}

fn boot_clock() -> Duration {
    // Elsewhere than on Linux the monotonic clock is the nearest that there is: it may stand still in sleep.
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
}

/// Measures elapsed time on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Time since the stopwatch was started.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// 128 bits of the operating system's randomness.
///
/// # Panics
/// When the system has no randomness at all: a token that could repeat would break fencing.
#[expect(
    clippy::expect_used,
    reason = "without randomness fencing tokens could repeat; stopping is the safe end"
)]
fn random_u128() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    u128::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(env: &[(&str, &str)]) -> Ambient {
        let env = env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        Ambient::fixed(Timestamp::UNIX_EPOCH, env)
    }

    #[test]
    fn the_time_since_boot_runs_on_and_is_what_a_test_says_it_is() {
        let real = Ambient::real();
        let (first, second) = (real.uptime(), real.uptime());
        assert!(Duration::ZERO < first && first <= second, "{first:?} {second:?}");
        assert_eq!(fixed(&[]).uptime(), Duration::ZERO);
        let later = fixed(&[("BATON_UPTIME_PLUS", "600")]).with_uptime(Duration::from_secs(5));
        assert_eq!(later.uptime(), Duration::from_secs(605));
    }
}
