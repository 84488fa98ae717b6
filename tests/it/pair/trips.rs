//! What a turn costs on a far remote: connections and round trips, counted by the server.

use std::time::{Duration, Instant};

use rstest::rstest;

use crate::support::{Pair, SYNC, Scheme, say};

/// Far enough that it is seen by whoever runs this.
const FAR: Duration = Duration::from_millis(50);

/// What the server has seen: connections, and how often a client spoke and was then answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    connections: usize,
    round_trips: usize,
}

impl Seen {
    fn now(pair: &Pair) -> Self {
        if let Some(web) = pair.web() {
            let (connections, requests) = web.traffic();
            return Self { connections, round_trips: requests };
        }
        let traffic = pair.server().traffic();
        Self { connections: traffic.looks + traffic.pushes, round_trips: traffic.round_trips }
    }

    const fn since(self, before: Self) -> Self {
        Self {
            connections: self.connections - before.connections,
            round_trips: self.round_trips - before.round_trips,
        }
    }
}

/// A machine alone with its turn: nobody else asks the server meanwhile.
#[rstest]
#[case(Scheme::Daemon, "git2", [(2, 4), (1, 2)])]
#[case(Scheme::Daemon, "cli", [(2, 5), (1, 2)])]
#[case(Scheme::Daemon, "auto", [(2, 4), (1, 2)])]
#[case(Scheme::Http, "git2", [(2, 4), (1, 2)])]
#[case(Scheme::Http, "cli", [(2, 5), (1, 2)])]
#[case(Scheme::Http, "auto", [(2, 4), (1, 2)])]
fn a_turn_makes_few_round_trips(
    #[case] scheme: Scheme,
    #[case] backend: &str,
    #[case] due: [(usize, usize); 2],
) {
    let pair = Pair::configured(scheme, 2, &format!("{SYNC}git: {{ backend: {backend} }}\n"));
    let galph = pair.start("galph", 1, None);
    pair.await_status("waiting-ralph");
    galph.signal(rustix::process::Signal::TERM);
    galph.wait();
    pair.ralph().prepare_release();
    pair.ralph().script_once("ralph", "work; wait_for_release");
    match pair.web() {
        Some(web) => web.delay_round_trips(FAR),
        None => pair.server().delay_round_trips(FAR),
    }
    let (before, since) = (Seen::now(&pair), Instant::now());
    let ralph = pair.start("ralph", 1, None);
    pair.ralph().await_waiting("ralph");
    let (claimed, claimed_after) = (Seen::now(&pair), since.elapsed());
    let since = Instant::now();
    pair.ralph().release();
    ralph.wait().assert_code(0);
    let (handed_over, handed_over_after) = (Seen::now(&pair), since.elapsed());
    let [seen_claim, seen_hand_over] = [claimed.since(before), handed_over.since(claimed)];
    say(&format!(
        "{scheme:?}, {backend}: to the agent's start {seen_claim:?} in {} ms, from its end {seen_hand_over:?} in {} ms",
        claimed_after.as_millis(),
        handed_over_after.as_millis()
    ));
    let pairs = [seen_claim, seen_hand_over].map(|seen| (seen.connections, seen.round_trips));
    assert_eq!(pairs, due, "connections and round trips of a claim and of a hand-over");
    pair.assert_undisturbed(1);
}
