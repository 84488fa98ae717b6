//! SIGTERM at every point of a turn: the role ends with its state saved, the other side waits on, the next start goes on.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;

use rstest::rstest;
use rustix::process::Signal;

use crate::support::{
    Ending, Fault, Machine, Orchestrator, Pair, SYNC, Scheme, Service, await_event, start_role,
};

use super::kills::POINTS;

const SIGNALS: &[(&str, i32)] =
    if cfg!(feature = "faults") { &[("TERM", 143), ("INT", 130), ("HUP", 143)] } else { &[("TERM", 143)] };

/// Signals one role at a place, starts it again, and lets the pair come to its end.
fn signal_and_restart(role: &str, place: &str, (signal, code): (&str, i32)) {
    let pair = Pair::new(Scheme::Path);
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
    let signalled = start_role(pair.seat(role), role, &["--sync-loops=2"], fault);
    let beside = pair.start(other, 2, None);
    let ended = signalled.wait();
    assert_eq!(ended.code, Some(code), "{role} {at}: {}", ended.stderr);
    pair.seat(role).assert_nobody_runs();
    pair.seat(role).forget_script(role);
    let done = pair.history().account().passed().filter(|turn| turn.actor == role).count() as u64;
    // A turn that was begun counts for the start that ends it.
    let again = pair.start(role, 2 - done, None);
    let (again, beside) = (again.wait(), beside.wait());
    assert_eq!(
        (again.code, beside.code),
        (Some(0), Some(0)),
        "{role} {at}: {}{}",
        again.stderr,
        beside.stderr
    );
    let account = pair.assert_sound();
    account.assert_iterations(2);
    assert!(account.count(Ending::Released) <= 1, "{role} {at}: {account:#?}");
}

#[test]
fn a_signal_ends_a_role_with_its_state_saved_wherever_it_comes() {
    let cells: Vec<(&str, &str, (&str, i32))> = ["galph", "ralph"]
        .into_iter()
        .flat_map(|role| POINTS.iter().map(move |(place, _)| (role, *place)))
        .flat_map(|(role, place)| SIGNALS.iter().map(move |signal| (role, place, *signal)))
        .collect();
    let queue = Mutex::new(cells.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((role, place, signal)) = next else { return };
                    signal_and_restart(role, place, signal);
                }
            });
        }
    });
}

/// Longer than any test is waited for: what ends sooner was ended by the signal.
const PATIENT: &str = "git: { timeout: 1h, backend: BACKEND }\n";

fn patient_pair(backend: &str) -> Pair {
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
    // A zombie, which only its new parent can remove, has no command line any more.
    await_event("the end of ssh", || {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.is_empty().then_some(())
    });
}
