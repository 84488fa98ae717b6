//! Keeps a running turn's lease alive: a thread that renews it now and then, from the claim to the stamp.
//!
//! It knows nothing of git: what a renewal does is the caller's. No answer of it ever stops the turn: who cannot renew
//! lets the agent finish, and the publication finds out whether the turn still is ours.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;

use crate::ambient::Ambient;

/// The longest sleep before the clocks are looked at again: after a machine's own sleep a renewal may be overdue.
const SLICE: Duration = Duration::from_secs(5);

/// After a failure the next try comes sooner, by this part of the usual time.
const SOONER: u32 = 4;

/// What became of one renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// The remote has it.
    Renewed,
    /// Another claim's lease stands there: this turn was taken over. There is no use in trying again.
    Superseded,
    /// The remote could not be reached, or would not take it.
    Offline {
        /// What was said.
        said: String,
    },
}

/// How the lease stands, as far as the thread knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeping {
    /// No renewal has been due yet: the claim itself is the lease.
    Fresh,
    /// The last renewal was taken.
    Kept,
    /// The turn was taken over.
    Superseded,
    /// No renewal has succeeded since then.
    Offline {
        /// When the first of them failed.
        since: Timestamp,
        /// What was said last.
        said: String,
    },
}

/// The thread. It ends with this value, after the renewal that is under way, if one is.
#[derive(Debug)]
pub struct LeaseKeeper {
    stop: Option<Sender<()>>,
    news: Receiver<Keeping>,
    last: Keeping,
    thread: Option<JoinHandle<()>>,
}

impl LeaseKeeper {
    /// Begins to call `renew`, for the first time after `every`: a turn that is shorter costs no renewal.
    pub fn start(
        renew: impl FnMut() -> Renewal + Send + 'static,
        every: Duration,
        ambient: &Ambient,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let (tell, news) = mpsc::channel();
        let ambient = ambient.clone();
        let thread = thread::Builder::new()
            .name("lease".to_owned())
            .spawn(move || keep(renew, every, &ambient, &stopped, &tell))?;
        Ok(Self { stop: Some(stop), news, last: Keeping::Fresh, thread: Some(thread) })
    }

    /// How the lease stands now; never waits.
    pub fn keeping(&mut self) -> &Keeping {
        if let Some(newest) = self.news.try_iter().last() {
            self.last = newest;
        }
        &self.last
    }

    /// Asks the thread to end and does not wait for it: no further renewal begins.
    pub fn stop(&mut self) {
        self.stop = None;
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported; the lease then runs out, which is the safe end.
            let _ = thread.join();
        }
    }
}

fn keep(
    mut renew: impl FnMut() -> Renewal,
    every: Duration,
    ambient: &Ambient,
    stopped: &Receiver<()>,
    tell: &Sender<Keeping>,
) {
    let mut wait = every;
    let mut offline_since = None;
    while sleep(wait, time_passed(ambient), stopped) == Slept::Whole {
        let keeping = match renew() {
            Renewal::Renewed => {
                (wait, offline_since) = (every, None);
                Keeping::Kept
            }
            Renewal::Superseded => Keeping::Superseded,
            Renewal::Offline { said } => {
                wait = every / SOONER;
                Keeping::Offline { since: *offline_since.get_or_insert_with(|| ambient.now()), said }
            }
        };
        let is_over = keeping == Keeping::Superseded;
        if tell.send(keeping).is_err() || is_over {
            return;
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Slept {
    Whole,
    Stopped,
}

/// Time from now on by two clocks: the one runs on while the machine sleeps, the other runs everywhere.
fn time_passed(ambient: &Ambient) -> impl Fn() -> Duration {
    let (clock, began) = (ambient.stopwatch(), ambient.uptime());
    move || clock.elapsed().max(ambient.uptime().saturating_sub(began))
}

fn sleep(wait: Duration, passed: impl Fn() -> Duration, stopped: &Receiver<()>) -> Slept {
    loop {
        let left = wait.saturating_sub(passed());
        match stopped.recv_timeout(left.min(SLICE)) {
            Err(RecvTimeoutError::Timeout) if left <= SLICE => return Slept::Whole,
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Slept::Stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(2);
    const LONG: Duration = Duration::from_hours(1);

    fn ambient() -> Ambient {
        Ambient::fixed(Timestamp::UNIX_EPOCH, std::collections::BTreeMap::new())
    }

    fn offline(said: &str) -> Renewal {
        Renewal::Offline { said: said.to_owned() }
    }

    /// Gives these answers in turn, and tells of each call.
    fn answers(answers: Vec<Renewal>) -> (impl FnMut() -> Renewal + Send, Receiver<usize>) {
        let (tell, called) = mpsc::channel();
        let mut calls = 0;
        let renew = move || {
            calls += 1;
            let _ = tell.send(calls);
            answers[(calls - 1).min(answers.len() - 1)].clone()
        };
        (renew, called)
    }

    fn wait_until(keeper: &mut LeaseKeeper, expected: &Keeping) {
        for _ in 0..20_000 {
            if keeper.keeping() == expected {
                return;
            }
            thread::yield_now();
            thread::sleep(Duration::from_millis(1));
        }
        panic!("{:?} never became {expected:?}", keeper.keeping());
    }

    #[test]
    fn a_turn_shorter_than_a_quarter_of_its_lease_renews_nothing_and_ends_at_once() {
        let (renew, called) = answers(vec![Renewal::Renewed]);
        let mut keeper = LeaseKeeper::start(renew, LONG, &ambient()).unwrap();
        assert_eq!(keeper.keeping(), &Keeping::Fresh);
        drop(keeper);
        assert!(called.recv().is_err(), "the thread has ended without a call");
    }

    #[test]
    fn a_lease_is_renewed_again_and_again() {
        let (renew, called) = answers(vec![Renewal::Renewed]);
        let mut keeper = LeaseKeeper::start(renew, SHORT, &ambient()).unwrap();
        for expected in 1..=3 {
            assert_eq!(called.recv().unwrap(), expected);
        }
        wait_until(&mut keeper, &Keeping::Kept);
        keeper.stop();
        drop(keeper);
        called.iter().for_each(drop);
    }

    #[test]
    fn who_is_offline_goes_on_trying_and_says_since_when() {
        let (renew, _called) = answers(vec![offline("no route"), offline("timed out")]);
        let mut keeper = LeaseKeeper::start(renew, SHORT, &ambient()).unwrap();
        let expected = Keeping::Offline { since: Timestamp::UNIX_EPOCH, said: "timed out".to_owned() };
        wait_until(&mut keeper, &expected);

        let (renew, _called) = answers(vec![offline("no route"), Renewal::Renewed]);
        let mut keeper = LeaseKeeper::start(renew, SHORT, &ambient()).unwrap();
        wait_until(&mut keeper, &Keeping::Kept);
    }

    #[test]
    fn who_was_taken_over_stops_renewing() {
        let (renew, called) = answers(vec![Renewal::Renewed, Renewal::Superseded]);
        let mut keeper = LeaseKeeper::start(renew, SHORT, &ambient()).unwrap();
        wait_until(&mut keeper, &Keeping::Superseded);
        assert_eq!(called.iter().count(), 2, "the thread has ended by itself");
        assert_eq!(keeper.keeping(), &Keeping::Superseded);
    }

    #[test]
    fn time_that_the_machine_slept_counts() {
        let (_stop, stopped) = mpsc::channel();
        assert_eq!(sleep(LONG, || LONG.saturating_sub(SHORT), &stopped), Slept::Whole);
    }
}
