//! The harness itself: what it is to find, it finds.

use std::time::{Duration, Instant};

use rstest::rstest;

use crate::support::{Ending, Fault, History, Pair, Peer, Scheme, Service};

/// A pair of the earlier implementation on both sides.
fn earlier_pair(scheme: Scheme, iterations: u64) -> Pair {
    let pair = Pair::configured(scheme, 0, "");
    let machines = ["galph", "ralph"].map(|role| (role, pair.clone_machine(role)));
    std::thread::scope(|scope| {
        let running = machines
            .iter()
            .map(|(role, machine)| scope.spawn(move || Peer::new(machine, role).run(iterations)))
            .collect::<Vec<_>>();
        for run in running {
            assert_eq!(run.join().unwrap(), Ok(()));
        }
    });
    pair
}

#[rstest]
fn two_earlier_sides_make_a_history_that_breaks_no_rule(
    #[values(Scheme::Path, Scheme::File, Scheme::Daemon)] scheme: Scheme,
) {
    let pair = earlier_pair(scheme, 2);
    let account = pair.history().account_with(&pair.notes());
    let turns: Vec<(&str, u64)> =
        account.passed().map(|turn| (turn.actor.as_str(), turn.iteration)).collect();
    assert_eq!(turns, [("galph", 1), ("ralph", 1), ("galph", 2), ("ralph", 2)]);
    assert_eq!((account.state["iteration"].as_u64(), account.count(Ending::Open)), (Some(3), 0));
    assert_eq!(pair.notes().starts.len(), 4);
}

/// What the judge says of a history.
fn judged(history: &History) -> String {
    let said = std::panic::catch_unwind(|| drop(history.account())).unwrap_err();
    said.downcast_ref::<String>().unwrap().lines().next().unwrap().split_once(' ').unwrap().1.to_owned()
}

/// The number of the first commit with this subject.
fn at(history: &History, subject: &str) -> usize {
    history.subjects().iter().position(|found| *found == subject).unwrap()
}

#[test]
fn the_judge_finds_what_breaks_a_rule() {
    type Change = fn(&mut History);
    let changes: [(&str, Change); 5] = [
        (
            "`[SYNC i=1] actor=galph status=running`: `expected_actor` is \"ralph\" instead of \"galph\"",
            |history| {
                let first = at(history, "[SYNC init] actor=galph status=idle");
                let state = history.entries[first].state.as_mut().unwrap();
                state["expected_actor"] = "ralph".into();
                // As if a person had said who starts.
                history.entries[first].subject = "set up".to_owned();
            },
        ),
        ("`[SYNC i=1] actor=ralph status=running`: it does not follow the state before it", |history| {
            let claim = at(history, "[SYNC i=1] actor=ralph status=running");
            history.entries[claim].parents = vec![history.entries[claim - 3].id.clone()];
        }),
        ("`work`: a commit that is none of the pair's changes the state", |history| {
            let claim = at(history, "[SYNC i=1] actor=ralph status=running");
            history.entries[claim].subject = "work".to_owned();
        }),
        (
            "`[SYNC i=2] actor=ralph → next=galph`: the subject should begin `[SYNC i=2] actor=ralph → next=galph status=ok`",
            |history| {
                let stamp = history
                    .subjects()
                    .iter()
                    .position(|found| found.starts_with("[SYNC i=2] actor=ralph →"))
                    .unwrap();
                history.entries[stamp].subject = "[SYNC i=2] actor=ralph → next=galph".to_owned();
            },
        ),
        ("`[SYNC i=2] actor=ralph status=running`: status \"running\"", |history| {
            let claim = at(history, "[SYNC i=2] actor=ralph status=running");
            history.entries[claim].state.as_mut().unwrap()["status"] = "running".into();
        }),
    ];
    let pair = earlier_pair(Scheme::Path, 2);
    for (says, change) in changes {
        let mut history = pair.history();
        change(&mut history);
        assert_eq!(judged(&history), says);
    }
}

#[test]
fn the_judge_knows_what_the_agents_have_noted() {
    let pair = earlier_pair(Scheme::Path, 1);
    let history = pair.history();
    let contradicted = |change: fn(&mut crate::support::Notes)| {
        let mut notes = pair.notes();
        change(&mut notes);
        let said = std::panic::catch_unwind(|| drop(history.account_with(&notes))).unwrap_err();
        said.downcast_ref::<String>().unwrap().lines().next().unwrap().to_owned()
    };
    assert_eq!(
        contradicted(|notes| notes.starts[0].turn = "T".to_owned()),
        "the agent of T was started without a claim on the branch"
    );
    assert_eq!(contradicted(|notes| notes.beside.push("T".to_owned())), "the agent of T ran beside another");
    assert_eq!(
        contradicted(|notes| notes.starts.push(notes.starts[1].clone())),
        "the agent of earlier-ralph-1 was started 2 times"
    );
}

#[test]
fn an_agent_beside_another_is_noted() {
    let pair = Pair::configured(Scheme::Path, 0, "");
    let [one, other] = ["galph", "ralph"].map(|role| pair.clone_machine(role));
    let state = serde_json::json!({ "iteration": 1 });
    one.prepare_release();
    one.script_once("galph", "wait_for_release; work");
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| Peer::new(&one, "galph").work(&state));
        one.await_waiting("galph");
        Peer::new(&other, "ralph").work(&state).unwrap();
        one.release();
        slow.join().unwrap().unwrap();
    });
    assert_eq!(pair.notes().beside, ["earlier-ralph-1"]);
}

#[test]
fn the_server_misbehaves_as_it_is_told() {
    let pair = Pair::configured(Scheme::Daemon, 0, "");
    let (server, machine) = (pair.server(), pair.clone_machine("one"));
    let commit = || {
        machine.git(&["commit", "--quiet", "--allow-empty", "--message=more"]);
        machine.head()
    };
    let push = || machine.try_git(&["push", "--quiet", "origin", "main"]);
    let look = || machine.try_git(&["fetch", "--quiet", "origin"]);

    let before = server.traffic();
    look().unwrap();
    assert_eq!(server.traffic().looks, before.looks + 1);

    for fault in [Fault::Close, Fault::CutAfter(60)] {
        server.next(Service::Push, fault);
        let (tip, _) = (pair.tip(), commit());
        push().unwrap_err();
        assert_eq!(pair.tip(), tip, "{fault:?}");
    }
    server.next(Service::Push, Fault::DropAnswer);
    let new = commit();
    push().unwrap_err();
    crate::support::await_event("the push", || (pair.tip() == new).then_some(()));
    assert!(server.is_spent());

    server.always(None, Fault::Close);
    look().unwrap_err();
    server.be_good();
    look().unwrap();

    server.cut();
    let refused = look().unwrap_err();
    assert!(refused.contains("Connection refused"), "{refused}");
    server.heal();
    look().unwrap();

    let before = server.traffic();
    server.delay_round_trips(Duration::from_millis(100));
    let since = Instant::now();
    look().unwrap();
    let (took, trips) = (since.elapsed(), server.traffic().round_trips - before.round_trips);
    assert!(trips >= 2, "{trips} round trips");
    assert!(took >= Duration::from_millis(100) * u32::try_from(trips).unwrap(), "{trips} in {took:?}");
}
