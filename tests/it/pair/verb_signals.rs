//! A signal to a verb that waits for a remote which never answers: it ends at once, says what it knows, and leaves no git
//! behind.

use rstest::rstest;
use rustix::process::Signal;

use crate::support::{Fault, Service, await_event};

use super::signals::patient_pair;

/// A verb is told that nothing was changed, and leaves no git behind.
#[rstest]
fn a_signal_ends_a_verb_whose_look_hangs(
    #[values("git2", "cli")] backend: &str,
    #[values(
        &["status"],
        &["usage"],
        &["doctor", "--remote"],
        &["hold", "set", "pause", "--reason=lunch"],
        &["stop"],
        &["pass", "galph", "ok"],
        &["takeover", "galph", "--yes"]
    )]
    words: &[&str],
) {
    let pair = patient_pair(backend);
    let galph = pair.start("galph", 1, None);
    pair.await_status("waiting-ralph");
    galph.signal(Signal::TERM);
    galph.wait();
    let machine = pair.galph();
    let (server, tip) = (pair.server(), pair.tip());
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        server.always(None, Fault::Hang);
        let before = server.traffic().looks;
        let asking = machine.spawn(&[], words, None);
        await_event("the look", || (server.traffic().looks > before).then_some(()));
        asking.signal(signal);
        let ended = asking.wait().assert_code(code);
        match words[0] {
            "doctor" => ended.assert_says("error: stopped by a signal\n"),
            "status" | "usage" => ended.assert_says("was not waited for: this process was asked to stop\n"),
            _ => ended
                .assert_says("was not waited for: this process was asked to stop\n")
                .assert_says("help: nothing was changed; `baton status --offline` tells what was seen last"),
        };
        machine.assert_nobody_runs();
        server.be_good();
        assert_eq!(pair.tip(), tip);
        machine.baton(&["status"]).assert_code(0);
    }
}

/// Whether a change that was cut off has arrived, nobody says who does not know.
#[rstest]
fn a_signal_ends_a_verb_whose_push_hangs(
    #[values("git2", "cli")] backend: &str,
    #[values(Fault::Hang, Fault::SwallowAnswer)] fault: Fault,
) {
    let pair = patient_pair(backend);
    let galph = pair.start("galph", 1, None);
    pair.await_status("waiting-ralph");
    galph.signal(Signal::TERM);
    galph.wait();
    let (server, machine) = (pair.server(), pair.galph());
    server.next(Service::Push, fault);
    // Not even the look after it is answered.
    let asking = machine.spawn(&[], &["hold", "set", "pause", "--reason=lunch"], None);
    await_event("the push", || server.is_spent().then_some(()));
    server.always(None, Fault::Hang);
    asking.signal(Signal::INT);
    asking.wait().assert_code(130).assert_says(
        "help: whether the change has arrived is not known: `baton status` tells, when the remote answers",
    );
    machine.assert_nobody_runs();
    server.be_good();
    let holds = pair.state().unwrap()["holds"].as_array().unwrap().len();
    assert!(holds <= 1, "{holds}");
    machine.baton(&["status"]).assert_code(0);
}
