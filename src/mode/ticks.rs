//! What the ticks of a seat came to, kept between them: cron runs them unseen, and nobody else would know that none came,
//! or that they overlap.
//!
//! The record is for people. Nothing is decided by it; losing it loses a line of `baton status`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ledger::Home;
use crate::model::Actor;

/// As many gaps between ticks tell how often cron starts them.
const KEPT_STARTS: usize = 9;
/// Fewer gaps than these tell nothing.
const FEWEST_GAPS: usize = 3;

/// How a tick ended, as far as the record tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ticked {
    /// A turn was taken, or gone on with.
    Turn,
    /// The remote was asked, and there was nothing to do.
    Nothing,
    /// Another process was at work here.
    Overlapped,
    /// The remote could not be reached.
    Offline,
    /// An error that a person has to look at.
    Failed,
}

/// What is known of the ticks of one seat on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TickRecord {
    /// How many there were.
    pub count: u64,
    /// When the last ones began, oldest first.
    pub starts: Vec<Timestamp>,
    /// How the last one ended.
    pub last: Option<Ticked>,
    /// The same in words.
    pub said: String,
    /// When the remote answered last.
    pub answered: Option<Timestamp>,
    /// When a turn was taken last.
    pub turn: Option<Timestamp>,
    /// How many found another process at work.
    pub overlapped: u64,
    /// How many did not come, as the gaps between the others tell.
    pub missed: u64,
    /// How many in a row could not reach the remote.
    pub offline: u64,
}

impl TickRecord {
    /// The record after one more tick, which began at `began` and ended so. A clock that was set back begins the gaps
    /// anew.
    #[must_use]
    pub fn after(mut self, began: Timestamp, ticked: Ticked, said: &str) -> Self {
        if let (Some(last), Some(usual)) = (self.starts.last(), self.usual_gap()) {
            let gap = seconds_between(*last, began);
            // Cron is late by seconds, never by half of what lies between two ticks.
            if gap.saturating_mul(2) > usual.saturating_mul(3) {
                self.missed += (gap + usual / 2) / usual - 1;
            }
        }
        if self.starts.last().is_some_and(|last| *last > began) {
            self.starts.clear();
        }
        self.starts.push(began);
        let surplus = self.starts.len().saturating_sub(KEPT_STARTS);
        self.starts.drain(..surplus);
        self.count += 1;
        self.last = Some(ticked);
        said.clone_into(&mut self.said);
        match ticked {
            Ticked::Turn => (self.turn, self.answered, self.offline) = (Some(began), Some(began), 0),
            Ticked::Nothing => (self.answered, self.offline) = (Some(began), 0),
            Ticked::Overlapped => self.overlapped += 1,
            Ticked::Offline => self.offline += 1,
            Ticked::Failed => {}
        }
        self
    }

    /// How often ticks come, as the gaps between the last ones tell; `None` while they are too few.
    pub fn usual(&self) -> Option<Duration> {
        self.usual_gap().map(Duration::from_secs)
    }

    /// How long none has come, where that is longer than it should be: more than two of the usual gaps.
    pub fn silent(&self, now: Timestamp) -> Option<Duration> {
        let gap = seconds_between(*self.starts.last()?, now);
        let usual = self.usual_gap()?;
        (gap > usual.saturating_mul(2)).then(|| Duration::from_secs(gap))
    }

    /// The middle one of the last gaps, in seconds: a pause or a tick by hand does not move it.
    fn usual_gap(&self) -> Option<u64> {
        let mut gaps: Vec<u64> = self
            .starts
            .windows(2)
            .filter_map(|pair| Some(seconds_between(*pair.first()?, *pair.last()?)))
            .filter(|gap| *gap > 0)
            .collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().filter(|_| gaps.len() >= FEWEST_GAPS)
    }
}

fn seconds_between(one: Timestamp, other: Timestamp) -> u64 {
    u64::try_from(other.duration_since(one).as_secs()).unwrap_or(0)
}

/// Where one seat keeps its record.
#[derive(Debug, Clone)]
pub struct TickFile {
    path: PathBuf,
}

impl TickFile {
    /// In the records of a workspace.
    #[must_use]
    pub fn of(home: &Home, seat: Actor) -> Self {
        Self { path: home.root().join(format!("ticks-{seat}.json")) }
    }

    /// The record; `None` where there never was a tick, or what is there cannot be read.
    pub fn read(&self) -> Option<TickRecord> {
        serde_json::from_slice(&fs::read(&self.path).ok()?).ok()
    }

    /// Adds a tick to the record. Two that end at the same time are both counted.
    pub fn add(&self, began: Timestamp, ticked: Ticked, said: &str) -> io::Result<()> {
        let lock = File::create(self.path.with_extension("lock"))?;
        lock.lock()?;
        let record = self.read().unwrap_or_default().after(began, ticked, said);
        let temporary = self.path.with_extension("tmp");
        let mut bytes = serde_json::to_vec(&record)?;
        bytes.push(b'\n');
        let mut file = File::create(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        // That the newest is lost with the power does no harm; that half of one stays would.
        fs::rename(&temporary, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn ticks(seconds: &[i64]) -> TickRecord {
        seconds
            .iter()
            .fold(TickRecord::default(), |record, second| record.after(at(*second), Ticked::Nothing, "x"))
    }

    #[test]
    fn ticks_that_did_not_come_are_told_by_the_gaps_between_the_others() {
        let regular = ticks(&[0, 300, 601, 900, 1200]);
        assert_eq!((regular.count, regular.missed, regular.usual()), (5, 0, Some(Duration::from_mins(5))));
        let paused = regular.clone().after(at(1200 + 3600), Ticked::Nothing, "x");
        assert_eq!((paused.missed, paused.usual()), (11, Some(Duration::from_mins(5))));
        // One by hand in between is none too many.
        assert_eq!(regular.clone().after(at(1290), Ticked::Nothing, "x").missed, 0);
        assert_eq!(regular.silent(at(1700)), None);
        assert_eq!(regular.silent(at(4800)), Some(Duration::from_hours(1)));
        assert_eq!(ticks(&[0, 300, 5000]).missed, 0, "too few to tell");
        assert_eq!(ticks(&[600, 0, 300]).starts, [at(0), at(300)], "a clock that was set back");
    }

    #[test]
    fn each_kind_of_end_leaves_its_mark() {
        let ended = [Ticked::Turn, Ticked::Overlapped, Ticked::Offline, Ticked::Offline, Ticked::Failed];
        let record = ended.iter().zip(0..).fold(TickRecord::default(), |record, (ticked, minute)| {
            record.after(at(minute), *ticked, "said")
        });
        let seen = (record.turn, record.answered, record.overlapped, record.offline, record.last);
        assert_eq!(seen, (Some(at(0)), Some(at(0)), 1, 2, Some(Ticked::Failed)));
        assert_eq!(record.after(at(9), Ticked::Nothing, "x").offline, 0);
    }

    #[test]
    fn ticks_that_end_together_are_all_counted() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::in_git_dir(directory.path());
        home.create().unwrap();
        let file = TickFile::of(&home, Actor::Galph);
        assert_eq!(file.read(), None);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5).for_each(|n| file.add(at(n), Ticked::Overlapped, "busy").unwrap()));
            }
        });
        let record = file.read().unwrap();
        assert_eq!((record.count, record.overlapped, record.said.as_str()), (20, 20, "busy"));
        assert_eq!(TickFile::of(&home, Actor::Ralph).read(), None);
    }
}
