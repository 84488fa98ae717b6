//! Finds and ends what an attempt has left behind.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, getpid};

use super::exit_record::SweptProcess;
use super::os::{self, Pinned};
use super::process_table::ProcessEntry;
use super::{ATTEMPT_MARKER, limits};
use crate::ambient::{Ambient, Stopwatch};
use crate::model::AttemptId;

/// How many processes are named in the record.
const NAMED: usize = 32;
/// How long leftovers are given to end after SIGTERM, and in all after SIGKILL.
const POLITE: Duration = Duration::from_secs(1);
const FIRM: Duration = Duration::from_secs(5);
/// How long to wait where no event tells of an end.
const GLANCE: Duration = Duration::from_millis(20);

/// Which processes belong to an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    /// The attempt whose marker they carry.
    pub(super) attempt: AttemptId,
    /// The attempt's session, named after its supervisor.
    pub(super) session: Option<i32>,
    /// How far to look.
    pub(super) reach: Reach,
}

/// Which part of the process table can hold members of the family.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reach {
    /// Any process.
    All,
    /// Only processes that were started after this one.
    Since(i32),
}

/// How firmly to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Firmness {
    /// SIGTERM, a little time, then SIGKILL.
    AskFirst,
    /// SIGKILL.
    KillAtOnce,
}

/// What a sweep did.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    pub(super) swept: Vec<SweptProcess>,
    pub(super) count: u64,
    pub(super) survivors: Vec<SweptProcess>,
}

/// The members of a family that are alive: descendants, members of the session, carriers of the marker, and the
/// descendants of all these. Never this process or one above it.
fn plan_sweep<'table>(
    table: &'table [ProcessEntry],
    own: i32,
    session: Option<i32>,
    marked: &BTreeSet<i32>,
) -> Vec<&'table ProcessEntry> {
    let entry = |pid: i32| table.iter().find(|entry| entry.pid == pid);
    // A living leader that is not us got the number anew: then the session is somebody else's.
    let session = session.filter(|leader| *leader == own || entry(*leader).is_none_or(|entry| entry.zombie));
    let mut above = BTreeSet::from([own, 0, 1]);
    let mut next = entry(own);
    while let Some(entry_above) = next.filter(|entry| above.insert(entry.parent)) {
        next = entry(entry_above.parent);
    }
    // Only a supervisor has no children but its attempt's.
    let is_supervisor = session == Some(own);
    let mut family: BTreeSet<i32> = table
        .iter()
        .filter(|entry| {
            (is_supervisor && entry.parent == own)
                || session == Some(entry.session)
                || marked.contains(&entry.pid)
        })
        .map(|entry| entry.pid)
        .filter(|pid| !above.contains(pid))
        .collect();
    loop {
        let before = family.len();
        family.extend(
            table
                .iter()
                .filter(|entry| family.contains(&entry.parent) && !above.contains(&entry.pid))
                .map(|entry| entry.pid)
                .collect::<Vec<_>>(),
        );
        if family.len() == before {
            break;
        }
    }
    table.iter().filter(|entry| family.contains(&entry.pid) && !entry.zombie).collect()
}

/// Whether one `NAME=value` of an environment marks a process of this attempt.
fn is_marker_of(pair: &[u8], attempt: &str) -> bool {
    pair.strip_prefix(ATTEMPT_MARKER.as_bytes())
        .and_then(|rest| rest.strip_prefix(b"="))
        .is_some_and(|value| value.split(|byte| *byte == b':').any(|one| one == attempt.as_bytes()))
}

fn find(family: &Family) -> io::Result<Vec<ProcessEntry>> {
    let own = getpid().as_raw_nonzero().get();
    let table = match family.reach {
        Reach::All => os::processes()?,
        Reach::Since(pid) => os::processes_since(pid)?,
    };
    let attempt = family.attempt.to_string();
    let marked = table
        .iter()
        .filter(|entry| entry.pid != own && !entry.zombie)
        .filter(|entry| os::carries_marker(entry.pid, |pair| is_marker_of(pair, &attempt)))
        .map(|entry| entry.pid)
        .collect();
    Ok(plan_sweep(&table, own, family.session, &marked).into_iter().cloned().collect())
}

/// Processor time of each living member of the family, in ticks.
pub(super) fn sample_cpu(family: &Family) -> limits::CpuSample {
    let own = getpid().as_raw_nonzero().get();
    let Ok(table) = os::processes() else { return limits::CpuSample::new() };
    plan_sweep(&table, own, family.session, &BTreeSet::new())
        .into_iter()
        .map(|entry| (entry.pid, entry.cpu_ticks))
        .collect()
}

/// Ends every member of the family and waits, with a bound, until none is left. `reap` is called after each round
/// so that the caller collects the children that it has adopted.
pub(super) fn sweep(
    family: &Family,
    firmness: Firmness,
    ambient: &Ambient,
    mut reap: impl FnMut(),
) -> io::Result<Sweep> {
    let mut report = Sweep::default();
    let mut seen = BTreeSet::new();
    let clock = ambient.stopwatch();
    let polite = if firmness == Firmness::AskFirst { POLITE } else { Duration::ZERO };
    loop {
        reap();
        let alive = find(family)?;
        if alive.is_empty() {
            return Ok(report);
        }
        let elapsed = clock.elapsed();
        if elapsed >= polite + FIRM {
            report.survivors = alive.iter().take(NAMED).map(swept_process).collect();
            return Ok(report);
        }
        let asking = elapsed < polite;
        let mut ending = Vec::new();
        for entry in &alive {
            let Some(pinned) = pin(entry)? else { continue };
            let is_new = seen.insert((entry.pid, entry.start_ticks));
            if is_new {
                report.count += 1;
                if report.swept.len() < NAMED {
                    report.swept.push(swept_process(entry));
                }
            }
            // Another user's process cannot be signalled; it is reported as a survivor.
            let _ = match (asking, is_new) {
                (true, true) => pinned.signal(Signal::TERM).and_then(|()| pinned.signal(Signal::CONT)),
                (true, false) => Ok(()),
                (false, _) => pinned.signal(Signal::KILL),
            };
            ending.push(pinned);
        }
        let until = if asking { polite } else { polite + FIRM };
        await_end(&ending, clock, until);
    }
}

/// Pins a process and looks again whether it is still the one that was found.
fn pin(found: &ProcessEntry) -> io::Result<Option<Pinned>> {
    let Some(pinned) = Pinned::open(found.pid)? else { return Ok(None) };
    let same = os::process(found.pid)?.is_some_and(|now| now.start_ticks == found.start_ticks);
    Ok(same.then_some(pinned))
}

/// Waits until all of these have ended, or until the stopwatch shows `until`.
fn await_end(ending: &[Pinned], clock: Stopwatch, until: Duration) {
    for pinned in ending {
        let left = until.saturating_sub(clock.elapsed());
        if left.is_zero() {
            return;
        }
        match pinned.end_event() {
            Some(event) => {
                let _ =
                    poll(&mut [PollFd::from_borrowed_fd(event, PollFlags::IN)], Some(&os::timespec(left)));
            }
            None => {
                let _ = poll(&mut [], Some(&os::timespec(left.min(GLANCE))));
            }
        }
    }
}

fn swept_process(entry: &ProcessEntry) -> SweptProcess {
    SweptProcess { pid: entry.pid, name: entry.name.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn entry(pid: i32, parent: i32, session: i32) -> ProcessEntry {
        ProcessEntry {
            pid,
            parent,
            group: pid,
            session,
            zombie: false,
            cpu_ticks: 0,
            start_ticks: 1,
            name: "x".to_owned(),
        }
    }

    fn planned(table: &[ProcessEntry], session: Option<i32>, marked: &[i32]) -> Vec<i32> {
        let marked = marked.iter().copied().collect();
        plan_sweep(table, 50, session, &marked).iter().map(|entry| entry.pid).collect()
    }

    #[test]
    fn descendants_of_any_depth_and_session_belong_to_the_family() {
        let table =
            [entry(50, 2, 50), entry(60, 50, 60), entry(61, 60, 61), entry(62, 61, 62), entry(70, 2, 70)];
        assert_eq!(planned(&table, Some(50), &[]), [60, 61, 62]);
    }

    #[test]
    fn carriers_of_the_marker_and_their_children_belong_wherever_they_hang() {
        let table = [entry(50, 2, 50), entry(80, 1, 80), entry(81, 80, 81), entry(90, 1, 90)];
        assert_eq!(planned(&table, Some(50), &[80]), [80, 81]);
    }

    #[test]
    fn the_session_of_a_dead_supervisor_belongs() {
        let table = [entry(50, 2, 2), entry(31, 1, 30), entry(32, 1, 30)];
        assert_eq!(planned(&table, Some(30), &[]), [31, 32]);
    }

    #[test]
    fn a_session_number_that_was_given_anew_is_left_alone() {
        let table = [entry(50, 2, 2), entry(30, 1, 30), entry(31, 30, 30)];
        assert_eq!(planned(&table, Some(30), &[]), [] as [i32; 0]);
    }

    #[test]
    fn whoever_sweeps_ends_neither_itself_nor_what_is_above_it() {
        let table = [entry(1, 0, 1), entry(40, 1, 30), entry(50, 40, 30), entry(41, 40, 30)];
        assert_eq!(planned(&table, Some(30), &[40, 50]), [41]);
    }

    #[test]
    fn children_of_an_orchestrator_that_cleans_up_are_not_the_attempts() {
        let table = [entry(50, 2, 2), entry(60, 50, 60), entry(70, 50, 2)];
        assert_eq!(planned(&table, Some(30), &[]), [] as [i32; 0]);
    }

    #[test]
    fn the_dead_are_left_in_peace() {
        let mut dead = entry(60, 50, 50);
        dead.zombie = true;
        assert_eq!(planned(&[entry(50, 2, 50), dead, entry(61, 60, 50)], Some(50), &[]), [61]);
    }

    const ID: &str = "01JD0000000000000000000000";

    #[rstest]
    #[case("BATON_ATTEMPT=01JD0000000000000000000000", true)]
    #[case("BATON_ATTEMPT=other:01JD0000000000000000000000", true)]
    #[case("BATON_ATTEMPT=01JD0000000000000000000000:inner", true)]
    #[case("BATON_ATTEMPT=01JD0000000000000000000000X", false)]
    #[case("BATON_ATTEMPT_DIR=01JD0000000000000000000000", false)]
    #[case("XBATON_ATTEMPT=01JD0000000000000000000000", false)]
    #[case("BATON_ATTEMPT=", false)]
    #[case("", false)]
    fn the_marker_is_matched_whole(#[case] pair: &str, #[case] expected: bool) {
        assert_eq!(is_marker_of(pair.as_bytes(), ID), expected);
    }
}
