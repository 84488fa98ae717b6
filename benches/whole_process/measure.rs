//! Wall time, processor time, peak memory of a running process, medians.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

/// Ticks of the processor times in `/proc`, a second.
const TICKS: f64 = 100.0;

/// What something took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Wall time, in milliseconds.
    pub(crate) wall: f64,
    /// Processor time of this process and of the children that ended meanwhile, in milliseconds; known in steps of 10.
    pub(crate) cpu: f64,
}

impl Cost {
    /// What `self` took more than `less`, spread over `count` pieces of work.
    pub(crate) fn beyond(self, less: Self, count: f64) -> Self {
        Self { wall: (self.wall - less.wall) / count, cpu: (self.cpu - less.cpu) / count }
    }

    /// One of `count` pieces of work.
    pub(crate) fn each(self, count: f64) -> Self {
        self.beyond(Self { wall: 0.0, cpu: 0.0 }, count)
    }
}

/// Runs something once.
pub(crate) fn cost(work: impl FnOnce()) -> Cost {
    let cpu = processor_time();
    let clock = Instant::now();
    work();
    Cost { wall: millis(clock.elapsed()), cpu: processor_time() - cpu }
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The median; of no numbers it is not a number.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => numbers[count / 2],
        count => f64::midpoint(numbers[count / 2 - 1], numbers[count / 2]),
    }
}

/// The median of the wall times, which others on the machine disturb; the mean of the processor times, which are known
/// in coarse steps only.
pub(crate) fn middle(costs: &[Cost]) -> Cost {
    let sum: f64 = costs.iter().map(|cost| cost.cpu).sum();
    Cost { wall: median(costs.iter().map(|cost| cost.wall).collect()), cpu: sum / costs.len() as f64 }
}

/// Not a number where the system does not tell.
fn processor_time() -> f64 {
    let read = || {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let ticks: f64 =
            fields.split(' ').skip(11).take(4).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        Some(ticks / TICKS * 1000.0)
    };
    read().unwrap_or(f64::NAN)
}

/// The most memory that a process and its supervisor had resident, in megabytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peaks {
    pub(crate) orchestrator: f64,
    pub(crate) supervisor: f64,
}

/// Waits for a `baton run` and looks at it all the while. The system keeps the peak, so that a look may come late,
/// but not after the end.
pub(crate) fn watch_peaks(child: &mut Child) -> Peaks {
    let mut peaks = Peaks::default();
    while child.try_wait().unwrap().is_none() {
        peaks.orchestrator = peaks.orchestrator.max(peak(child.id()));
        for pid in children(child.id()) {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if command.split(|byte| *byte == 0).any(|word| word == b"__supervise") {
                peaks.supervisor = peaks.supervisor.max(peak(pid));
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    peaks
}

fn peak(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
