//! Follows a running attempt: shows what it writes, passes on what a person asks, and waits for its end.

use std::time::Duration;

use super::{AttemptError, Interrupts, Stream};
use crate::ambient::Ambient;
use crate::exec::{self, ExecError, ExitRecord, Follower, Progress, Running, Urgency};
use crate::model::AttemptId;

/// How often a watcher hears of an attempt that is silent.
const TICK: Duration = Duration::from_millis(100);
const CHUNK: usize = 64 * 1024;

/// What is seen of a running attempt.
#[derive(Debug)]
pub enum Glimpse<'a> {
    /// It wrote something.
    Output {
        /// Where.
        stream: Stream,
        /// What.
        bytes: &'a [u8],
    },
    /// It is still running.
    Tick {
        /// Since it is watched.
        elapsed: Duration,
        /// Since it last wrote something.
        quiet: Duration,
    },
}

/// Watches an attempt to its end. A first interruption asks it to stop, a second one ends it at once.
pub fn watch(
    mut running: Running,
    attempt: AttemptId,
    interrupts: &Interrupts,
    ambient: &Ambient,
    mut see: impl FnMut(Glimpse<'_>),
) -> Result<ExitRecord, AttemptError> {
    let dir = running.dir().clone();
    let mut follower = Follower::new(&dir, 0, 0);
    let mut buffer = vec![0; CHUNK];
    let watched = ambient.stopwatch();
    let mut quiet = ambient.stopwatch();
    let mut passed_on = 0;
    loop {
        // First of all: what was asked before the agent was up is not to wait until it has ended.
        pass_on(&running, interrupts, &mut passed_on)?;
        let progress = running.wait(Some(TICK), None)?;
        if show_output(&mut follower, &mut buffer, &mut see)? {
            quiet = ambient.stopwatch();
        }
        if progress == Progress::Ended {
            // What was written between the last look and the end.
            show_output(&mut follower, &mut buffer, &mut see)?;
            return match running.collect() {
                // Its supervisor was killed under our eyes: what it left alive is ended, and nobody saw its end.
                Err(ExecError::Vanished { .. }) => Ok(exec::abandon(&dir, attempt, ambient)?.record),
                collected => Ok(collected?),
            };
        }
        see(Glimpse::Tick { elapsed: watched.elapsed(), quiet: quiet.elapsed() });
    }
}

fn show_output(
    follower: &mut Follower,
    buffer: &mut [u8],
    see: &mut impl FnMut(Glimpse<'_>),
) -> Result<bool, AttemptError> {
    let mut seen = false;
    for stream in [Stream::Stdout, Stream::Stderr] {
        loop {
            let count = follower.read(stream, buffer)?;
            if count == 0 {
                break;
            }
            seen = true;
            see(Glimpse::Output { stream, bytes: &buffer[..count] });
        }
    }
    Ok(seen)
}

fn pass_on(running: &Running, interrupts: &Interrupts, passed_on: &mut usize) -> Result<(), AttemptError> {
    let count = interrupts.count().min(2);
    while *passed_on < count {
        let urgency = if *passed_on == 0 { Urgency::Graceful } else { Urgency::Now };
        running.cancel(urgency)?;
        *passed_on += 1;
    }
    Ok(())
}
