//! The two processes of the demonstration: started, listened to, and ended together.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::ambient::{Ambient, Stopwatch};
use crate::attempt::{InterruptSignal, Interrupts};
use crate::cli::Output;
use crate::exec::{Companion, Spoken};
use crate::model::Actor;

use super::layout::Layout;

/// How long nothing said is waited for before signals and ends are looked at.
const SLICE: Duration = Duration::from_millis(20);
/// Where one seat has failed the other finds that on the remote, and ends by itself; after this it is asked to.
const FAREWELL: Duration = Duration::from_secs(2);
/// A seat that was asked to stop gives its turn back; one that takes longer than this is killed.
const GRACE: Duration = Duration::from_secs(20);
/// What a seat's own children keep open of its streams is not waited for longer than this.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A seat's process.
pub(super) struct Seat {
    pub(super) actor: Actor,
    companion: Companion,
    /// How it ended, if it has.
    pub(super) status: Option<ExitStatus>,
    /// What it wrote to its standard output.
    pub(super) results: Vec<String>,
}

/// How a seat is started.
pub(super) struct SeatOrder {
    pub(super) actor: Actor,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) directory: PathBuf,
}

/// Both seats.
pub(super) struct Seats {
    pub(super) seats: Vec<Seat>,
    said: Receiver<(Actor, Spoken)>,
}

/// Why the seats ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeatsEnd {
    /// Both by themselves, with exit code 0.
    Done,
    /// At least one failed, and the other ended with it.
    Failed,
    /// A signal stopped this process, and with it both.
    Interrupted(InterruptSignal),
}

impl Seats {
    /// Starts them. If one cannot be started, none is left.
    pub(super) fn start(orders: Vec<SeatOrder>, ambient: &Ambient) -> std::io::Result<Self> {
        let (sender, said) = channel();
        let seats =
            orders.into_iter().map(|order| Seat::start(order, &sender, ambient)).collect::<Result<_, _>>()?;
        Ok(Self { seats, said })
    }

    /// Shows their lines until both have ended. Signals are passed on; where one seat fails, the other does not go on.
    pub(super) fn watch(
        &mut self,
        interrupts: &Interrupts,
        ambient: &Ambient,
        layout: Layout,
        output: Output,
    ) -> std::io::Result<SeatsEnd> {
        let mut passed_on = 0;
        let mut failed: Option<Stopwatch> = None;
        let mut asked: Option<Stopwatch> = None;
        loop {
            let heard = self.hear(layout, output);
            if interrupts.count() > passed_on {
                passed_on += 1;
                asked.get_or_insert_with(|| ambient.stopwatch());
                self.signal(match interrupts.pending() {
                    Some(InterruptSignal::Interrupt) => Signal::INT,
                    Some(InterruptSignal::Terminate) | None => Signal::TERM,
                });
            }
            if self.look()? == Found::Failure {
                failed.get_or_insert_with(|| ambient.stopwatch());
            }
            if asked.is_none() && failed.is_some_and(|clock| clock.elapsed() > FAREWELL) {
                asked = Some(ambient.stopwatch());
                self.signal(Signal::TERM);
            }
            if asked.is_some_and(|clock| clock.elapsed() > GRACE) {
                self.signal(Signal::KILL);
            }
            if self.seats.iter().all(|seat| seat.status.is_some()) {
                break;
            }
            if heard == Heard::Closed {
                thread::sleep(SLICE);
            }
        }
        let clock = ambient.stopwatch();
        while self.hear(layout, output) != Heard::Closed && clock.elapsed() < LAST_WORDS {}
        Ok(match (interrupts.pending(), failed) {
            (Some(signal), _) => SeatsEnd::Interrupted(signal),
            (None, Some(_)) => SeatsEnd::Failed,
            (None, None) => SeatsEnd::Done,
        })
    }

    fn hear(&mut self, layout: Layout, output: Output) -> Heard {
        match self.said.recv_timeout(SLICE) {
            Ok((actor, Spoken::Note(line))) => output.note(layout.place(actor, &line)),
            Ok((actor, Spoken::Result(line))) => {
                let speaker = self.seats.iter_mut().find(|seat| seat.actor == actor);
                if let Some(seat) = speaker {
                    seat.results.push(line);
                }
            }
            Err(RecvTimeoutError::Timeout) => return Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => return Heard::Closed,
        }
        Heard::Line
    }

    fn look(&mut self) -> std::io::Result<Found> {
        let mut found = Found::NoFailure;
        for seat in self.seats.iter_mut().filter(|seat| seat.status.is_none()) {
            seat.status = seat.companion.ended()?;
            if seat.status.is_some_and(|status| !status.success()) {
                found = Found::Failure;
            }
        }
        Ok(found)
    }

    fn signal(&self, signal: Signal) {
        self.seats.iter().for_each(|seat| seat.companion.signal(signal));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Line,
    Nothing,
    /// Nobody can say anything any more.
    Closed,
}

/// What a look at the processes has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    NoFailure,
    Failure,
}

impl Seat {
    fn start(order: SeatOrder, sender: &Sender<(Actor, Spoken)>, ambient: &Ambient) -> std::io::Result<Self> {
        let SeatOrder { actor, program, arguments, directory } = order;
        let sender = sender.clone();
        // Nobody listens any more: nothing is lost.
        let hear = move |spoken| drop(sender.send((actor, spoken)));
        let companion = Companion::start(&program, &arguments, &directory, ambient.env(), hear)?;
        Ok(Self { actor, companion, status: None, results: Vec::new() })
    }
}
