//! Breadth-first through all that can happen, each moment once; what goes wrong first is told with the shortest way there.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use super::arena::Arena;
use super::world::{Act, Game, World};

/// What was searched.
#[derive(Debug, Default)]
pub(super) struct Searched {
    pub(super) moments: usize,
    pub(super) steps: u64,
    /// Steps from the start; the search was complete where `closed`.
    pub(super) depth: usize,
    pub(super) closed: bool,
    pub(super) wrong: Option<(String, Vec<Act>)>,
    /// What was decided at least once.
    pub(super) decided: BTreeSet<String>,
}

/// How far to search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) depth: usize,
    /// Each so many-th moment is asked whether the pair recovers from there.
    pub(super) recover_every: usize,
}

pub(super) fn search(game: &Game, bounds: Bounds) -> Searched {
    let mut arena = Arena::default();
    let start = game.start(&mut arena);
    // Fingerprints of 128 bits stand for the moments: two of a million moments share one with a chance of 1 in 10^26.
    let mut known: HashSet<u128> = HashSet::new();
    let mut ways: Vec<(usize, Act)> = Vec::new();
    known.insert(fingerprint(&start));
    let mut frontier = vec![(usize::MAX, start)];
    let mut searched = Searched { moments: 1, ..Searched::default() };
    for depth in 0..bounds.depth {
        let mut following = Vec::new();
        for (place, world) in &frontier {
            for act in game.acts(world) {
                searched.steps += 1;
                let outcome = game.next(&mut arena, world, act).and_then(|next| {
                    let Some(next) = next else { return Ok(None) };
                    if !known.insert(fingerprint(&next)) {
                        return Ok(None);
                    }
                    searched.moments += 1;
                    if searched.moments.is_multiple_of(bounds.recover_every) {
                        game.recovers(&mut arena, &next)?;
                    }
                    Ok(Some(next))
                });
                match outcome {
                    Ok(None) => {}
                    Ok(Some(next)) => {
                        ways.push((*place, act));
                        following.push((ways.len() - 1, next));
                    }
                    Err(wrong) => {
                        let mut way = vec![act];
                        let mut at = *place;
                        while at != usize::MAX {
                            way.push(ways[at].1);
                            at = ways[at].0;
                        }
                        way.reverse();
                        searched.wrong = Some((wrong, way));
                        searched.decided = arena.decided;
                        return searched;
                    }
                }
            }
        }
        searched.depth = depth + 1;
        if following.is_empty() {
            searched.closed = true;
            break;
        }
        frontier = following;
    }
    searched.decided = arena.decided;
    searched
}

fn fingerprint(world: &World) -> u128 {
    let hashers = BuildHasherDefault::<DefaultHasher>::default();
    let (low, high) = (hashers.hash_one(world), hashers.hash_one((0x9e37_79b9_7f4a_7c15_u64, world)));
    u128::from(high) << 64 | u128::from(low)
}
