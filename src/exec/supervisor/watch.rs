//! From the agent's start to the end of the last process it left: the one loop of the supervisor.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};

use super::agent::{Agent, AgentCommand, reap_all};
use super::capture::Capture;
use super::orchestrator::Orchestrator;
use super::signals::Signals;
use crate::ambient::{Ambient, Stopwatch};
use crate::exec::exit_record::EXIT_VERSION;
use crate::exec::limits::{Due, Limits};
use crate::exec::sweep::{Family, Firmness, Reach, Sweep, sample_cpu, sweep};
use crate::exec::{Ended, ExitRecord, How, SpawnFailure, Spec, Stream, os};

/// How long a background process may hold the output open after the agent's end.
const END_OF_FILE_WITHIN: Duration = Duration::from_secs(1);
/// Within that time the system cannot have given out all process ids and begun anew.
const NO_WRAP_WITHIN: Duration = Duration::from_secs(1);

/// How far the end of the agent has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    No,
    Asked { kill_at: Duration },
    Killed,
}

struct Watch<'a> {
    spec: &'a Spec,
    agent: Agent,
    /// From then on its number may be given to another group.
    agent_has_ended: bool,
    capture: Capture,
    signals: &'a Signals,
    orchestrator: &'a mut Orchestrator,
    clock: Stopwatch,
    limits: Limits,
    stopping: Stopping,
    ended_by: Option<Ended>,
}

/// Starts the agent, watches it to its end, ends what it left, and says how it was.
pub(super) fn run(
    spec: &Spec,
    command: Result<AgentCommand, SpawnFailure>,
    mut capture: Capture,
    signals: &Signals,
    orchestrator: &mut Orchestrator,
    ambient: &Ambient,
) -> io::Result<ExitRecord> {
    let started_at = ambient.now();
    let clock = ambient.stopwatch();
    let ends = capture.open()?;
    let agent = match command.and_then(|command| command.start(ends)) {
        Ok(agent) => agent,
        Err(failure) => {
            return Ok(never_ran(spec, How::SpawnFailed(failure), Ended::Itself, started_at));
        }
    };
    let mut watch = Watch {
        spec,
        agent,
        agent_has_ended: false,
        capture,
        signals,
        orchestrator,
        clock,
        limits: Limits::new(spec.wall_limit, spec.idle_limit),
        stopping: Stopping::No,
        ended_by: None,
    };
    let how = watch.until_agent_ends()?;
    let wall = clock.elapsed();
    let ended_at = ambient.now();
    let childless = watch.until_output_ends()?;
    let swept = watch.sweep(childless, wall, ambient)?;
    watch.capture.drain_rest()?;
    watch.note_signals();
    watch.capture.sync();
    Ok(ExitRecord {
        version: EXIT_VERSION,
        attempt: spec.attempt,
        how,
        ended_by: watch.ended_by.unwrap_or(Ended::Itself),
        started_at,
        ended_at,
        wall,
        cpu: os::children_cpu(),
        stdout_bytes: watch.capture.kept(Stream::Stdout),
        stderr_bytes: watch.capture.kept(Stream::Stderr),
        dropped_bytes: watch.capture.dropped(),
        capture_error: watch.capture.into_error(),
        swept: swept.swept,
        swept_count: swept.count,
        survivors: swept.survivors,
    })
}

/// The record of an attempt whose agent was not started.
pub(super) fn never_ran(spec: &Spec, how: How, ended_by: Ended, at: Timestamp) -> ExitRecord {
    ExitRecord {
        version: EXIT_VERSION,
        attempt: spec.attempt,
        how,
        ended_by,
        started_at: at,
        ended_at: at,
        wall: Duration::ZERO,
        cpu: None,
        stdout_bytes: 0,
        stderr_bytes: 0,
        dropped_bytes: 0,
        capture_error: None,
        swept: Vec::new(),
        swept_count: 0,
        survivors: Vec::new(),
    }
}

impl Watch<'_> {
    fn until_agent_ends(&mut self) -> io::Result<How> {
        loop {
            let timeout = self.meet_deadlines();
            if !self.turn(timeout)? {
                continue;
            }
            self.signals.clear_child_event();
            match self.agent.try_wait()? {
                Some(how) => {
                    self.agent_has_ended = true;
                    return Ok(how);
                }
                None => self.agent.reap_adopted(),
            }
        }
    }

    /// Does what is due now and says how long nothing will be; `None`: for ever.
    fn meet_deadlines(&mut self) -> Option<Duration> {
        loop {
            let now = self.clock.elapsed();
            match self.stopping {
                Stopping::Killed => return None,
                Stopping::Asked { kill_at } if now >= kill_at => self.kill(),
                Stopping::Asked { kill_at } => return Some(kill_at.saturating_sub(now)),
                Stopping::No => match self.limits.decide_due(now) {
                    Due::Later(at) => return at.map(|at| at.saturating_sub(now)),
                    Due::Over(ended) => {
                        self.ended_by.get_or_insert(ended);
                        self.ask(now);
                    }
                    Due::Sample => {
                        let sample = sample_cpu(&self.family(Reach::All));
                        self.limits.note_sample(now, sample);
                    }
                },
            }
        }
    }

    /// Waits for events and serves output and signals; `true` when a child has ended.
    fn turn(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        let timeout = timeout.map(os::timespec);
        let mut fds = vec![
            PollFd::from_borrowed_fd(self.signals.stop_event(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.child_event(), PollFlags::IN),
        ];
        let streams: Vec<Stream> = [Stream::Stdout, Stream::Stderr]
            .into_iter()
            .filter(|stream| self.capture.pipe(*stream).is_some())
            .collect();
        fds.extend(
            streams
                .iter()
                .filter_map(|stream| self.capture.pipe(*stream))
                .map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN)),
        );
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        let mut came = 0;
        for (stream, ready) in streams.into_iter().zip(&ready[2..]) {
            if *ready {
                came += self.capture.drain(stream)?;
            }
        }
        if came > 0 {
            self.limits.note_output(self.clock.elapsed());
            self.orchestrator.tell_output();
        }
        if ready[0] {
            self.obey_signals();
        }
        Ok(ready[1])
    }

    fn obey_signals(&mut self) {
        let Some(request) = self.signals.take_stop_request() else { return };
        self.ended_by.get_or_insert(Ended::Cancelled { signal: request.signal });
        match self.stopping {
            Stopping::No if !request.at_once => self.ask(self.clock.elapsed()),
            Stopping::No | Stopping::Asked { .. } => self.kill(),
            Stopping::Killed => {}
        }
    }

    /// Signals that came when there was nothing left to stop: the attempt is not `ok` all the same.
    fn note_signals(&mut self) {
        if let Some(request) = self.signals.take_stop_request() {
            self.ended_by.get_or_insert(Ended::Cancelled { signal: request.signal });
        }
    }

    fn ask(&mut self, now: Duration) {
        if !self.agent_has_ended {
            self.agent.ask_to_stop(self.spec.stop_signal);
        }
        self.stopping = Stopping::Asked { kill_at: now + self.spec.grace };
    }

    fn kill(&mut self) {
        if !self.agent_has_ended {
            self.agent.kill();
        }
        self.stopping = Stopping::Killed;
    }

    /// After the agent: reads on until the end of file, but no longer than a background process may take. Says
    /// whether no child is left.
    fn until_output_ends(&mut self) -> io::Result<bool> {
        let until = self.clock.elapsed() + END_OF_FILE_WITHIN;
        loop {
            if reap_all() {
                return Ok(true);
            }
            let left = until.saturating_sub(self.clock.elapsed());
            if self.capture.is_at_end() || left.is_zero() || self.stopping == Stopping::Killed {
                return Ok(false);
            }
            if self.turn(Some(left))? {
                self.signals.clear_child_event();
            }
        }
    }

    /// Ends whatever is left. The absence of children proves that no descendant lives; a short look at the
    /// youngest processes is then for those that others started in the attempt's name.
    fn sweep(&mut self, childless: bool, wall: Duration, ambient: &Ambient) -> io::Result<Sweep> {
        let reach =
            if childless && wall < NO_WRAP_WITHIN { Reach::Since(self.agent.pid()) } else { Reach::All };
        let firmness =
            if self.stopping == Stopping::Killed { Firmness::KillAtOnce } else { Firmness::AskFirst };
        sweep(&self.family(reach), firmness, ambient, || {
            reap_all();
        })
    }

    fn family(&self, reach: Reach) -> Family {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        Family { attempt: self.spec.attempt, session: Some(own), reach }
    }
}
