//! SIGTERM at every point of a turn: the role ends with its state saved, the other side waits on, the next start goes on.

use std::sync::Mutex;

use crate::support::{Ending, Pair, Scheme, start_role};

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
