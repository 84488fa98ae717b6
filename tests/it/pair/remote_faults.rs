//! The remote refuses, hangs, is cut, or does everything and says nothing: at the first state, at a claim, at a publication,
//! and while a side waits.

use std::sync::Mutex;
use std::time::Duration;

use rstest::rstest;

use crate::support::{Fault, Pair, SYNC, Scheme, Service};

/// So that what hangs is given up soon.
const IMPATIENT: &str = "git: { timeout: 1s, backend: BACKEND }\n";

/// What each push of the first iteration is.
const PUSHES: [&str; 5] =
    ["the first state", "galph's claim", "galph's work", "ralph's claim", "ralph's work"];

const FAULTS: &[Fault] = if cfg!(feature = "faults") {
    &[
        Fault::Close,
        Fault::Hang,
        Fault::CutAfter(0),
        Fault::CutAfter(100),
        Fault::CutAfter(300),
        Fault::CutAfter(500),
        Fault::StarveAfter(250),
        Fault::StarveAfter(400),
        Fault::CutAfterListing,
        Fault::DropAnswer,
        Fault::SwallowAnswer,
    ]
} else {
    &[Fault::Close, Fault::CutAfter(300), Fault::StarveAfter(400), Fault::CutAfterListing, Fault::DropAnswer]
};

fn impatient_pair(backend: &str) -> Pair {
    Pair::configured(Scheme::Daemon, 2, &format!("{SYNC}{}", IMPATIENT.replace("BACKEND", backend)))
}

/// Each of these, three at a time.
fn for_each<T: Send>(items: Vec<T>, experiment: impl Fn(T) + Sync) {
    let queue = Mutex::new(items.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some(item) = next else { return };
                    experiment(item);
                }
            });
        }
    });
}

#[rstest]
fn a_push_whose_answer_does_not_come_is_looked_for_and_done_once(#[values("git2", "cli")] backend: &str) {
    let cells: Vec<(usize, Fault)> =
        (0..PUSHES.len()).flat_map(|push| FAULTS.iter().map(move |fault| (push, *fault))).collect();
    for_each(cells, |(push, fault)| {
        let pair = impatient_pair(backend);
        pair.server().spare(Service::Push, push);
        pair.server().next(Service::Push, fault);
        for ended in pair.run(1) {
            assert_eq!(ended.code, Some(0), "{fault:?} at {}: {}", PUSHES[push], ended.stderr);
        }
        assert!(pair.server().is_spent(), "{fault:?} at {}", PUSHES[push]);
        pair.assert_undisturbed(1);
    });
}

#[rstest]
fn looks_that_fail_are_made_again(
    #[values("git2", "cli")] backend: &str,
    #[values(Fault::Close, Fault::CutAfter(20), Fault::DropAnswer)] fault: Fault,
) {
    let pair = impatient_pair(backend);
    for _ in 0..4 {
        pair.server().next(Service::Look, fault);
        pair.server().spare(Service::Look, 2);
    }
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(1);
}

/// The hang of a look ends by the time limit, and the side goes on.
#[rstest]
fn a_look_that_hangs_ends_by_the_time_limit(#[values("git2", "cli")] backend: &str) {
    let pair = impatient_pair(backend);
    pair.server().next(Service::Look, Fault::Hang);
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    assert!(pair.server().is_spent());
    pair.assert_undisturbed(1);
}

#[rstest]
fn a_remote_that_is_away_for_a_while_is_waited_for(
    #[values(Scheme::Path, Scheme::Daemon)] scheme: Scheme,
    #[values("git2", "cli")] backend: &str,
) {
    let pair = Pair::configured(scheme, 2, &format!("{SYNC}git: {{ backend: {backend} }}\n"));
    pair.ralph().prepare_release();
    pair.ralph().script_once("ralph", "work; wait_for_release");
    let [mut galph, mut ralph] = ["galph", "ralph"].map(|role| pair.start(role, 1, None));
    pair.ralph().await_waiting("ralph");
    // Galph waits, ralph works.
    pair.cut();
    galph.await_says("trying again in");
    pair.ralph().release();
    ralph.await_says("trying again in");
    pair.heal();
    galph.wait().assert_code(0);
    ralph.wait().assert_code(0);
    pair.assert_undisturbed(1);
}

#[test]
fn a_wait_for_the_network_ends_where_it_was_given_an_end() {
    let pair = Pair::new(Scheme::Daemon);
    pair.cut();
    let started = crate::support::start_role(pair.galph(), "galph", &["--max-wait-sec=1"], None);
    let said = started.wait().assert_code(1).stderr;
    assert!(said.contains("waited") && said.contains("`sync.max_wait`"), "{said}");
    assert_eq!(pair.notes().starts.len(), 0);
}

/// A server that moves the ref and dies before it says so; the next pushes find it sound.
#[rstest]
fn a_server_that_is_killed_after_it_has_taken_a_push_has_taken_it(
    #[values(Scheme::Path, Scheme::File)] scheme: Scheme,
    #[values(0, 1, 2, 3, 4)] push: usize,
) {
    let pair = Pair::new(scheme);
    // The hook's parent is receive-pack, or the shell that git starts hooks with has replaced itself.
    let kill = "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) > count\n\
                [ \"$n\" = PUSH ] && kill -9 $PPID; :";
    pair.write_hook("post-receive", &kill.replace("PUSH", &push.to_string()));
    for ended in pair.run(1) {
        assert_eq!(ended.code, Some(0), "{}: {}", PUSHES[push], ended.stderr);
    }
    pair.assert_undisturbed(1);
}

#[rstest]
fn a_server_that_refuses_is_named_and_what_is_done_waits(
    #[values(Scheme::Path, Scheme::Daemon)] scheme: Scheme,
    #[values("git2", "cli")] backend: &str,
) {
    let pair = Pair::configured(scheme, 2, &format!("{SYNC}git: {{ backend: {backend} }}\n"));
    pair.ralph().prepare_release();
    pair.ralph().script_once("ralph", "work; wait_for_release");
    let [galph, ralph] = ["galph", "ralph"].map(|role| pair.start(role, 1, None));
    pair.ralph().await_waiting("ralph");
    pair.write_hook("pre-receive", "echo 'the branch is frozen' >&2; exit 1");
    pair.ralph().release();
    let ended =
        ralph.wait().assert_code(5).assert_says("the other side could not be told that this turn is refused");
    let said = ended.stderr;
    assert!(said.contains("the branch is frozen") || said.contains("pre-receive hook declined"), "{said}");
    pair.remove_hook("pre-receive");
    let restart = pair.start("ralph", 1, None);
    restart.wait().assert_code(0).assert_says("ralph goes on with turn");
    galph.wait().assert_code(0);
    pair.assert_undisturbed(1);
}

#[rstest]
fn a_server_that_refuses_the_claim_costs_nothing(#[values(Scheme::Path, Scheme::Daemon)] scheme: Scheme) {
    let pair = Pair::new(scheme);
    pair.write_hook("pre-receive", "exit 1");
    let before = pair.galph().head();
    pair.start("galph", 1, None).wait().assert_code(1);
    assert_eq!((pair.galph().head(), pair.notes().starts.len()), (before, 0));
    pair.assert_machines_are_whole();
    pair.remove_hook("pre-receive");
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(1);
}

#[rstest]
fn a_slow_remote_is_only_slow(#[values("git2", "cli")] backend: &str) {
    let pair = Pair::configured(Scheme::Daemon, 2, &format!("{SYNC}git: {{ backend: {backend} }}\n"));
    pair.server().delay_round_trips(Duration::from_millis(50));
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(1);
}

/// A lock that a killed server process has left keeps every push away until it is gone.
#[test]
fn a_stale_lock_on_the_server_is_told_and_left_alone() {
    let pair = Pair::new(Scheme::Path);
    let lock = pair.remote().join("refs/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let said = pair.start("galph", 1, None).wait().assert_code(1).stderr;
    assert!(said.contains("lock"), "{said}");
    assert!(lock.exists());
    std::fs::remove_file(&lock).unwrap();
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(1);
}
