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
        Self { fixed_now, env }
    }

    /// Surroundings for a test: a stopped clock and this environment only.
    #[must_use]
    pub fn fixed(now: Timestamp, env: BTreeMap<OsString, OsString>) -> Self {
        Self { fixed_now: Some(now), env }
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
