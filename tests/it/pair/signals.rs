//! A signal at every point of a turn, and while a role waits: it ends with its state saved, the other side lives on, and the
//! next start goes on.
//!
//! `docs/reliability.md` holds the table that comes of it; `BATON_WRITE_TABLES=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;

use rstest::rstest;
use rustix::process::Signal;

use crate::support::{
    Ended, Ending, Fault, Machine, Orchestrator, Pair, SYNC, Scheme, Service, await_event, check_table,
    start_role,
};

use super::kills::{is_of_checks, pair_for, rows};

/// Each with its exit code.
const SIGNALS: &[(&str, i32)] =
    if cfg!(feature = "faults") { &[("TERM", 143), ("INT", 130), ("HUP", 143)] } else { &[("TERM", 143)] };

const ITERATIONS: u64 = 2;

/// Signals one role at a place, starts it again, and lets the pair come to its end; says what became of the turn.
fn signal_and_restart(role: &str, place: &str, (signal, code): (&str, i32)) -> &'static str {
    let pair = pair_for(place, Scheme::Path);
    let other = if role == "galph" { "ralph" } else { "galph" };
    // The agent must not be done before the signal has reached it.
    let around_the_start =
        place.starts_with("running") && !place.ends_with("begin") && !place.ends_with("done");
    if around_the_start {
        pair.seat(role).prepare_release();
        pair.seat(role).script_once(role, "wait_for_release");
    }
    let at = format!("{signal}@{place}");
    let fault = Some(("BATON_SIGNAL_AT", at.as_str()));
    // The other side lives through all of it; where the turn was over, it does one iteration more.
    let loops = format!("--sync-loops={ITERATIONS}");
    let signalled = start_role(pair.seat(role), role, &[&loops], fault);
    let beside = pair.start(other, ITERATIONS, None);
    let ended = signalled.wait();
    assert_eq!(ended.code, Some(code), "{role} {at}: {}", ended.stderr);
    let ended = ended.assert_says("with the state saved");
    pair.seat(role).assert_nobody_runs();
    pair.seat(role).forget_script(role);
    let started = pair.seat(role).effects().starts().len();
    let account = pair.history().account();
    let passed = account.passed().filter(|turn| turn.actor == role).count() as u64;
    // A turn that was begun counts for the start that ends it.
    let again = pair.start(role, ITERATIONS - passed, None);
    let (again, beside) = (again.wait(), beside.wait());
    assert_eq!(
        (again.code, beside.code),
        (Some(0), Some(0)),
        "{role} {at}: {}{}",
        again.stderr,
        beside.stderr
    );
    let account = pair.assert_sound();
    account.assert_iterations(ITERATIONS);
    assert_checks(&pair, place);
    let given_back = account.count(Ending::Released);
    assert_eq!(account.turns.len() as u64, 2 * ITERATIONS + given_back as u64, "{role} {at}: {account:#?}");
    let in_vain = pair.notes().starts.len() as u64 - 2 * ITERATIONS;
    describe(&Left { around_the_start, passed, started, given_back, in_vain }, &ended, &again)
}

/// Each `verify` command ran once before and once after ralph's agent, and once more where a signal ended it, or where its
/// turn was given back.
#[track_caller]
fn assert_checks(pair: &Pair, place: &str) {
    let ran = pair.ralph().effects().checks().len() as u64;
    let due = if is_of_checks(place) { 4 * ITERATIONS } else { 0 };
    let more = match place {
        "verified:go" => 1,
        _ if place.starts_with("baseline") => 2,
        _ => 0,
    };
    assert!((due..=due + more).contains(&ran), "{place}: {ran} instead of {due}");
}

/// What a signal has left.
#[derive(Debug)]
struct Left {
    around_the_start: bool,
    /// Turns of the role that had passed then.
    passed: u64,
    /// Agents that it had started.
    started: usize,
    given_back: usize,
    /// Starts of an agent whose turn did not pass.
    in_vain: u64,
}

fn describe(left: &Left, ended: &Ended, again: &Ended) -> &'static str {
    let goes_on = again.stderr.contains(" goes on with turn ");
    match left {
        Left { around_the_start: true, given_back: 1, in_vain: 0 | 1, .. } if !goes_on => {
            "the agent is stopped or not even started, the turn given back; it is taken anew"
        }
        Left { given_back: 1, in_vain: 0, started: 0, .. } if !goes_on => {
            "the turn is given back, nothing was started; it is taken anew"
        }
        Left { passed: 0, given_back: 0, in_vain: 0, started: 0, .. } if goes_on => {
            "the claim waits; it goes on from there, the agent is started once"
        }
        Left { passed: 0, given_back: 0, in_vain: 0, started: 0, .. } => {
            "nothing had happened; the turn is taken, the agent started once"
        }
        Left { passed: 0, given_back: 0, in_vain: 0, started: 1, .. } if goes_on => {
            "the turn waits; it goes on from there, what was run is not run again"
        }
        Left { passed: 1, given_back: 0, in_vain: 0, started: 1, .. } if !goes_on => {
            "the turn is brought to its end; the next one is taken"
        }
        Left { .. } => panic!("{left:?}:\n{}\nand then:\n{}", ended.stderr, again.stderr),
    }
}

#[test]
fn a_signal_ends_a_role_with_its_state_saved_wherever_it_comes() {
    let rows = rows();
    let cells: Vec<(usize, (&str, i32))> =
        (0..rows.len()).flat_map(|row| SIGNALS.iter().map(move |signal| (row, *signal))).collect();
    let queue = Mutex::new(cells.into_iter());
    let outcomes = Mutex::new(BTreeMap::<usize, &str>::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((row, signal)) = next else { return };
                    let (role, place, _) = rows[row];
                    let outcome = signal_and_restart(role, place, signal);
                    let known = *outcomes.lock().unwrap().entry(row).or_insert(outcome);
                    assert_eq!(known, outcome, "{role} {place}: {} ends otherwise", signal.0);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    assert_eq!(outcomes.len(), rows.len());
    let mut table = "| turn of | a signal | what it does, and the next start |\n|---|---|---|\n".to_owned();
    // Neighbours that end alike share a line.
    let rows: Vec<(&str, &str, &str)> =
        rows.iter().enumerate().map(|(row, (role, place, _))| (*role, *place, outcomes[&row])).collect();
    for alike in rows.chunk_by(|one, next| (one.0, one.2) == (next.0, next.2)) {
        let ((role, first, outcome), (_, last, _)) = (alike[0], alike[alike.len() - 1]);
        let to = if first == last { String::new() } else { format!(" to `{last}`") };
        let _ = writeln!(table, "| {role} | `{first}`{to} | {outcome} |");
    }
    check_table("role-signal-points", &table);
}

/// What a role waits for when the signal comes.
#[derive(Debug, Clone, Copy)]
enum Awaits {
    TheOtherSide,
    TheNetwork,
    AHold,
}

#[rstest]
#[case(Signal::TERM, 143)]
#[case(Signal::INT, 130)]
#[case(Signal::HUP, 143)]
fn a_role_that_waits_ends_by_a_signal_and_has_changed_nothing(
    #[case] signal: Signal,
    #[case] code: i32,
    #[values(Awaits::TheOtherSide, Awaits::TheNetwork, Awaits::AHold)] awaits: Awaits,
) {
    let pair = Pair::new(Scheme::Path);
    pair.galph().prepare_release();
    pair.galph().script_once("galph", "work; wait_for_release");
    let galph = pair.start("galph", 1, None);
    pair.galph().await_waiting("galph");
    let mut ralph = pair.start("ralph", 1, None);
    ralph.await_says("waiting for galph");
    let person = pair.clone_machine("person");
    match awaits {
        Awaits::TheOtherSide => {}
        Awaits::TheNetwork => {
            pair.cut();
            ralph.await_says("trying again in");
        }
        Awaits::AHold => {
            person.baton(&["hold", "set", "pause", "--reason=a look at the plan"]).assert_code(0);
            pair.galph().release();
            ralph.await_says("held: a look at the plan");
        }
    }
    ralph.signal(signal);
    ralph.wait().assert_code(code).assert_says("with the state saved");
    match awaits {
        Awaits::TheOtherSide => pair.galph().release(),
        Awaits::TheNetwork => {
            pair.heal();
            pair.galph().release();
        }
        Awaits::AHold => {
            let held = pair.state().unwrap();
            let id = held["holds"][0]["id"].as_str().unwrap();
            person.baton(&["hold", "clear", id]).assert_code(0);
        }
    }
    pair.start("ralph", 1, None).wait().assert_code(0);
    galph.wait().assert_code(0);
    pair.assert_undisturbed(1);
}

/// An agent that ignores the first signal is ended by the second, however long its grace is, and the turn is given back.
#[rstest]
fn a_second_signal_to_a_role_ends_its_agent_at_once(
    #[values("galph", "ralph")] role: &str,
    #[values((Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 143))] signal: (Signal, i32),
) {
    let pair = Pair::new(Scheme::Path);
    // Longer than a test waits for anything.
    let person = pair.clone_machine("person");
    let patient = person.read("orchestration.yaml").unwrap().replace("300ms", "10m");
    person.write("orchestration.yaml", &patient);
    person.git(&["commit", "--quiet", "--message=patience", "orchestration.yaml"]);
    person.git(&["push", "--quiet", "origin", "main"]);
    pair.seat(role).git(&["pull", "--quiet", "--ff-only", "origin", "main"]);
    pair.seat(role).prepare_release();
    // The first signal is answered, so that the test knows when to send the second.
    pair.seat(role).script_once(role, "trap 'say obstinate' TERM; while :; do wait_for_release; done");
    let other = if role == "galph" { "ralph" } else { "galph" };
    let beside = pair.start(other, 1, None);
    let started = pair.start(role, 1, None);
    pair.seat(role).await_waiting(role);
    started.signal(signal.0);
    await_event("the first signal", || pair.seat(role).effects().has("obstinate").then_some(()));
    started.signal(signal.0);
    started.wait().assert_code(signal.1).assert_says("with the state saved");
    pair.seat(role).assert_nobody_runs();
    pair.start(role, 1, None).wait().assert_code(0);
    beside.wait().assert_code(0);
    let account = pair.assert_sound();
    account.assert_iterations(1);
    assert_eq!((account.count(Ending::Released), pair.notes().starts.len()), (1, 3));
}

/// Longer than any test is waited for: what ends sooner was ended by the signal.
const PATIENT: &str = "git: { timeout: 1h, backend: BACKEND }\n";

pub(super) fn patient_pair(backend: &str) -> Pair {
    Pair::configured(Scheme::Daemon, 2, &format!("{SYNC}{}", PATIENT.replace("BACKEND", backend)))
}

/// Signals a seat that waits for an answer which never comes.
fn assert_ends(machine: &Machine, waiting: Orchestrator, signal: Signal, times: u32) {
    (0..times).for_each(|_| waiting.signal(signal));
    let code = if signal == Signal::INT { 130 } else { 143 };
    waiting.wait().assert_code(code).assert_says("stopped by a signal, with the state saved");
    machine.assert_nobody_runs();
}

#[rstest]
fn a_signal_ends_a_look_that_hangs(
    #[values("git2", "cli")] backend: &str,
    #[values(Signal::INT, Signal::TERM, Signal::HUP)] signal: Signal,
    #[values(1, 2)] times: u32,
) {
    let pair = patient_pair(backend);
    let server = pair.server();
    server.always(None, Fault::Hang);
    let before = server.traffic().looks;
    let waiting = pair.start("ralph", 1, None);
    await_event("the look", || (server.traffic().looks > before).then_some(()));
    assert_ends(pair.ralph(), waiting, signal, times);
    let ticking = pair.galph().spawn(&[], &["tick", "--role=galph"], None);
    await_event("the tick's look", || (server.traffic().looks > before + 1).then_some(()));
    ticking.signal(signal);
    ticking.wait().assert_code(if signal == Signal::INT { 130 } else { 143 });
    pair.galph().assert_nobody_runs();
}

/// Whether a push that was cut off has arrived, the next start finds out: the turn is taken once.
#[rstest]
fn a_signal_ends_a_push_that_hangs_and_the_next_start_goes_on(
    #[values("git2", "cli")] backend: &str,
    #[values(Fault::Hang, Fault::SwallowAnswer)] fault: Fault,
    #[values(1, 2)] claim_or_work: usize,
) {
    let pair = patient_pair(backend);
    let server = pair.server();
    server.spare(Service::Push, claim_or_work);
    server.next(Service::Push, fault);
    let waiting = pair.start("galph", 1, None);
    await_event("the push", || server.is_spent().then_some(()));
    assert_ends(pair.galph(), waiting, Signal::TERM, 1);
    // What has arrived is found by a look: a claim was given back then, and a turn's work has been handed over.
    if pair.passed("galph") == 0 {
        let galph = pair.start("galph", 1, None);
        pair.await_status("waiting-ralph");
        pair.start("ralph", 1, None).wait().assert_code(0);
        galph.wait().assert_code(0);
    } else {
        pair.start("ralph", 1, None).wait().assert_code(0);
    }
    let account = pair.assert_sound();
    account.assert_iterations(1);
    assert!(account.count(Ending::Released) <= 1, "{account:#?}");
    assert_eq!(pair.notes().starts.len(), 2, "no agent was started twice");
}

#[test]
fn a_signal_ends_a_look_over_an_ssh_that_hangs_and_leaves_no_ssh() {
    let pair = Pair::configured(Scheme::Path, 2, &format!("{SYNC}{}", PATIENT.replace("BACKEND", "auto")));
    let machine = pair.ralph();
    let (ssh, seen) = (machine.base().join("ssh"), machine.base().join("ssh.seen"));
    std::fs::write(&ssh, format!("#!/bin/sh\necho $$ >> '{}'\nexec sleep 3600\n", seen.display())).unwrap();
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
    machine.git(&["remote", "set-url", "origin", "ssh://nowhere.invalid/repository.git"]);
    let command = ssh.display().to_string();
    let fault = Some(("GIT_SSH_COMMAND", command.as_str()));
    let waiting = start_role(machine, "ralph", &["--sync-loops=1"], fault);
    let pid = await_event("ssh", || {
        let seen = std::fs::read_to_string(&seen).ok()?;
        seen.lines().next()?.parse::<i32>().ok()
    });
    assert_ends(machine, waiting, Signal::INT, 1);
    await_end_of_ssh(pid);
    // A verb leaves none either.
    std::fs::remove_file(&seen).unwrap();
    let asking = machine.spawn(&[], &["status"], fault);
    let pid = await_event("ssh", || {
        let seen = std::fs::read_to_string(&seen).ok()?;
        seen.lines().next()?.parse::<i32>().ok()
    });
    asking.signal(Signal::TERM);
    asking.wait().assert_code(143);
    await_end_of_ssh(pid);
}

fn await_end_of_ssh(pid: i32) {
    // A zombie, which only its new parent can remove, has no command line any more.
    await_event("the end of ssh", || {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.is_empty().then_some(())
    });
}
