//! Long random walks through bigger worlds than can be searched; a failing one is shrunk.

use std::rc::Rc;

use proptest::prelude::*;

use super::arena::{Arena, Outcome, Person, Root};
use super::mistakes::Mistake;
use super::world::{Game, Left, Scenario};
use crate::model::Actor;

fn crowd(root: Root, peer: Option<Actor>) -> Scenario {
    Scenario {
        root,
        machines: vec![Actor::Galph, Actor::Ralph, Actor::Galph, Actor::Ralph],
        peer,
        left: Left { crashes: 40, network: 40, expiries: 40, people: 40, peer: 40, refusals: 40 },
        claims: 9,
        outcomes: &[Outcome::Pass, Outcome::Fail, Outcome::Release],
        people: &Person::ALL,
    }
}

fn walk(game: &Game, choices: &[u16]) -> Result<u32, String> {
    let mut arena = Arena::default();
    let mut world = game.start(&mut arena);
    for &choice in choices {
        let acts = game.acts(&world);
        let Some(&act) = acts.get(usize::from(choice) % acts.len().max(1)) else { break };
        if let Some(next) = game.next(&mut arena, &world, act).map_err(|wrong| format!("{act:?}: {wrong}"))? {
            world = next;
        }
    }
    game.recovers(&mut arena, &world)?;
    Ok(world.passes(&arena))
}

fn any_game() -> impl Strategy<Value = Game> {
    let roots = prop_oneof![Just(Root::Galph), Just(Root::Ralph), Just(Root::NineFields)];
    let peers = prop_oneof![2 => Just(None), 1 => Just(Some(Actor::Galph)), 1 => Just(Some(Actor::Ralph))];
    (roots, peers)
        .prop_map(|(root, peer)| Game { scenario: Rc::new(crowd(root, peer)), mistake: Mistake::None })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(feature = "faults") { 4_000 } else { 64 }))]
    #[test]
    fn a_crowd_in_a_bad_network_breaks_no_rule(
        game in any_game(), choices in prop::collection::vec(any::<u16>(), 0..240)
    ) {
        prop_assert_eq!(walk(&game, &choices).map(|_| ()), Ok(()));
    }
}
