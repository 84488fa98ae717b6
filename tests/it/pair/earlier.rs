//! The earlier implementation sits on the other side, either way round.

use rstest::rstest;
use rustix::process::Signal;

use crate::support::{Pair, Peer, SYNC, Scheme, await_event, start_role};

#[rstest]
fn the_earlier_side_and_ours_take_turns_with_each_other(
    #[values("galph", "ralph")] ours: &str,
    #[values(Scheme::Path, Scheme::Daemon)] scheme: Scheme,
) {
    let pair = Pair::configured(scheme, 1, SYNC);
    let theirs = if ours == "galph" { "ralph" } else { "galph" };
    let machine = pair.clone_machine("earlier");
    let started = start_role(&pair.machines()[0], ours, &["--sync-loops=3"], None);
    assert_eq!(Peer::new(&machine, theirs).run(3), Ok(()));
    started.wait().assert_code(0);
    let account = pair.assert_sound();
    account.assert_iterations(3);
    assert_eq!((account.turns.len(), pair.notes().starts.len()), (6, 6));
    if ours == "ralph" {
        // What the other side dropped was put back each time.
        assert_eq!(account.state["epoch"], 3);
        assert_eq!(account.state["usage"]["ralph"]["turns"], 3);
    }
}

/// Nobody knows whether it lives: only a person takes its turn away.
#[test]
fn a_running_turn_of_the_earlier_side_is_never_taken_over_unasked() {
    let more = "sync: { poll_interval: 20ms, lease: 100ms, takeover: after_lease }\n";
    let pair = Pair::configured(Scheme::Path, 1, more);
    let machine = pair.clone_machine("earlier");
    let peer = Peer::new(&machine, "galph");
    assert_eq!(peer.run(0), Ok(()));
    let state = peer.pull().unwrap().unwrap();
    peer.claim(&state).unwrap();
    let ours = start_role(&pair.machines()[0], "galph", &["--sync-loops=1"], None);
    await_event("it to wait", || ours.stderr().contains("galph's turn runs already").then_some(()));
    // Far beyond the lease, if there were one.
    let looks = std::time::Instant::now();
    await_event("the lease to be over", || (looks.elapsed().as_millis() > 600).then_some(()));
    ours.signal(Signal::TERM);
    ours.wait().assert_code(143);
    assert_eq!((pair.assert_sound().turns.len(), pair.notes().starts.len()), (1, 0));
}

/// It claims its own running turn again after a crash, and the judge sees that nothing of ours is harmed.
#[test]
fn an_earlier_side_that_claims_its_own_turn_again_after_a_crash_harms_nothing() {
    let pair = Pair::configured(Scheme::Path, 1, SYNC);
    let machine = pair.clone_machine("earlier");
    let ours = start_role(&pair.machines()[0], "ralph", &["--sync-loops=2"], None);
    let peer = Peer::new(&machine, "galph");
    assert_eq!(peer.run(1), Ok(()));
    let state = peer.pull().unwrap().unwrap();
    peer.claim(&state).unwrap();
    // It dies here; its next start knows nothing of the claim.
    assert_eq!(peer.run(1), Ok(()));
    ours.wait().assert_code(0);
    let account = pair.assert_sound();
    account.assert_iterations(2);
    assert_eq!((account.takeovers(), account.turns.len()), (1, 5));
}
