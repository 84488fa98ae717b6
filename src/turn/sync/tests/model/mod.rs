//! A check of the whole protocol by search: the real decisions and the real changes of the state, in every order in
//! which a few machines, a bad network, people and a peer of the earlier implementation can act.

mod arena;
mod mistakes;
mod refusal;
mod search;
mod walks;
mod world;

use std::rc::Rc;

use rstest::rstest;

use crate::model::Actor;
use arena::{Outcome, Person, Root};
use mistakes::Mistake;
use search::{Bounds, Searched, search};
use world::{Game, Left, Scenario};

const GALPH: Actor = Actor::Galph;
const RALPH: Actor = Actor::Ralph;

/// The whole matrix of faults was asked for.
const DEEP: bool = cfg!(feature = "faults");

/// Two clones in galph's seat and one in ralph's, on their own.
fn three_clones() -> Scenario {
    let more = u8::from(DEEP);
    Scenario {
        root: Root::Galph,
        machines: vec![GALPH, RALPH, GALPH],
        peer: None,
        left: Left { crashes: 1 + more, network: 2 + more, expiries: 1, people: 0, peer: 0, refusals: 0 },
        claims: 2,
        outcomes: &[Outcome::Pass, Outcome::Release],
        people: &[],
    }
}

/// A clone in each seat, and people who do whatever they can.
fn with_people() -> Scenario {
    let more = u8::from(DEEP);
    Scenario {
        root: Root::Ralph,
        machines: vec![RALPH, GALPH],
        left: Left { crashes: 1, network: 1 + more, expiries: 1, people: 2 + more, peer: 0, refusals: 0 },
        outcomes: &[Outcome::Pass, Outcome::Fail, Outcome::Release],
        people: &Person::ALL,
        ..three_clones()
    }
}

/// The earlier implementation in ralph's seat.
fn with_a_peer() -> Scenario {
    Scenario {
        machines: vec![GALPH, GALPH],
        peer: Some(RALPH),
        left: Left { crashes: 1, network: 1, expiries: 1, people: 1, peer: 4, refusals: 0 },
        people: &[Person::Hold, Person::Clear, Person::Exit],
        ..three_clones()
    }
}

/// The earlier implementation in the very seat in which a clone of ours sits.
fn with_a_peer_in_our_seat() -> Scenario {
    Scenario {
        root: Root::NineFields,
        machines: vec![GALPH, RALPH],
        peer: Some(GALPH),
        left: Left { crashes: 1, network: 1, expiries: 1, people: 1, peer: 4, refusals: 0 },
        people: &[Person::Hold, Person::Takeover],
        ..three_clones()
    }
}

/// Two clones in galph's seat, whose work may have to stay where it is, one in ralph's, and a person.
fn with_refusals() -> Scenario {
    let more = u8::from(DEEP);
    Scenario {
        left: Left {
            crashes: 1,
            network: 1 + more,
            expiries: 0,
            people: 1 + more,
            peer: 0,
            refusals: 1 + more,
        },
        outcomes: &[Outcome::Pass],
        people: &[Person::Takeover, Person::Commit, Person::Hold],
        ..three_clones()
    }
}

fn searched(scenario: Scenario, mistake: Mistake, bounds: Bounds) -> Searched {
    search(&Game { scenario: Rc::new(scenario), mistake }, bounds)
}

/// The depth and fewer moments than there are, by default and with all faults; and what must be met besides.
#[rstest]
#[case::three_clones(three_clones(), [16, 26], [30_000, 900_000], &["Takeover"])]
#[case::clones_and_people(with_people(), [11, 15], [40_000, 2_000_000], &["Rebuild", "Reclaim"])]
#[case::a_peer_in_the_other_seat(with_a_peer(), [13, 20], [80_000, 900_000], &["Takeover", "Rebuild"])]
#[case::a_peer_in_the_same_seat(with_a_peer_in_our_seat(), [14, 24], [80_000, 500_000], &["Rebuild", "Reclaim"])]
#[case::refused_work(with_refusals(), [14, 18], [30_000, 1_000_000], &["Rebuild", "Tell", "Stands"])]
fn no_order_of_events_breaks_a_rule(
    #[case] scenario: Scenario,
    #[case] depth: [usize; 2],
    #[case] at_least: [usize; 2],
    #[case] besides: &[&str],
) {
    let which = usize::from(DEEP);
    let bounds = Bounds { depth: depth[which], recover_every: [20, 200][which] };
    let searched = searched(scenario, Mistake::None, bounds);
    assert!(searched.wrong.is_none(), "{:#?}", searched.wrong);
    // Read by whoever runs it with `--nocapture`; the numbers are in docs/reliability.md.
    let (moments, steps) = (searched.moments, searched.steps);
    assert!(moments > at_least[which], "{moments} moments, {steps} steps");
    let_it_be_seen(&format!("{moments} moments, {steps} steps, depth {}", searched.depth));
    // A search that has not met a decision has shown nothing of it.
    for &decision in ["Claim", "Won", "Lost", "PushAgain", "Published", "Fenced"].iter().chain(besides) {
        assert!(searched.decided.contains(decision), "{decision} was not met: {:?}", searched.decided);
    }
}

#[expect(clippy::disallowed_macros, reason = "a test's own output")]
fn let_it_be_seen(text: &str) {
    println!("{text}");
}

/// Each mistake, after how many events it shows at the earliest (those of a recovery not counted), and how.
#[rstest]
#[case(Mistake::ClaimCountsUnknownAsWon, 2, "machine 0 believes in a claim that is nowhere")]
#[case(Mistake::ClaimTakesARefusalForTheTruth, 5, "nothing goes on from `running-galph`")]
#[case(Mistake::ClaimIgnoresTheToken, 1, "machine 2 believes in a claim that is nowhere")]
#[case(Mistake::ClaimsAnewInsteadOfAgain, 4, "nothing goes on from `running-galph`")]
#[case(Mistake::PublishCountsUnknownAsPublished, 6, "machine 0 believes published what is nowhere")]
#[case(Mistake::PublishTakesARefusalForTheTruth, 6, "nothing goes on from `running-galph`")]
#[case(Mistake::PublishIgnoresHistory, 7, "machine 0 believes lost what is published")]
#[case(Mistake::PublishIgnoresTheToken, 7, "publishes under another's token")]
#[case(Mistake::StampsTheStateThatItKnew, 9, "takes back what a person has set")]
#[case(Mistake::TakesOverUnderAHold, 4, "takes over what it must leave alone")]
#[case(Mistake::TakesOverWithoutAToken, 2, "takes over what it must leave alone")]
#[case(Mistake::ForgetsWhatAPeerDropped, 8, "epoch 1 follows epoch 1")]
#[case(Mistake::PushesBeforeTheJournal, 2, "nothing goes on from `running-galph`")]
#[case(Mistake::StartsBeforeTheJournal, 4, "starts the agent of one claim twice")]
#[case(Mistake::TakesWorkThatWaitsElsewhere, 6, "claims a turn whose work waits elsewhere")]
#[case(Mistake::PublishForgetsItsRefusal, 9, "nothing goes on from `failed`")]
#[case(Mistake::PublishForgetsItsClaim, 7, "nothing goes on from `running-galph`")]
#[case(Mistake::RefusalIgnoresWhatHasArrived, 8, "believes lost what is published")]
#[case(Mistake::RefusalIgnoresTheToken, 6, "believes told what nobody knows")]
fn every_mistake_is_found(#[case] mistake: Mistake, #[case] events: usize, #[case] leads_to: &str) {
    let bounds = Bounds { depth: events, recover_every: 1 };
    let found = [three_clones(), with_people(), with_a_peer(), with_a_peer_in_our_seat(), with_refusals()]
        .into_iter()
        .find_map(|scenario| searched(scenario, mistake, bounds).wrong);
    let (wrong, way) = found.expect("a mistake is found");
    assert!(wrong.contains(leads_to), "{wrong}");
    assert_eq!(way.len(), events, "{way:#?}");
}
