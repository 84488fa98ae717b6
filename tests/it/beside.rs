//! A person who works beside the loop with git: adds, stashes, edits, deletes, switches, commits. Nothing of theirs is
//! lost, and of theirs only that is published which docs/publishing.md says.
//!
//! By default few and short runs; with `--features faults` twenty seeds of a hundred turns of each kind.

mod apart;
mod person;
mod shared;

#[cfg(not(feature = "faults"))]
const SEEDS: u64 = 2;
#[cfg(not(feature = "faults"))]
const ITERATIONS: u64 = 5;
#[cfg(feature = "faults")]
const SEEDS: u64 = 20;
#[cfg(feature = "faults")]
const ITERATIONS: u64 = 50;

/// One run of `baton` takes so many iterations, so that it is bounded.
const ITERATIONS_A_RUN: u64 = 5;

/// Runs an experiment for each seed, two at a time; each says in one line what it saw.
#[expect(clippy::disallowed_macros, reason = "for whoever runs the seeds by hand")]
fn for_each_seed(experiment: impl Fn(u64) -> String + Sync) {
    let only: Option<u64> = std::env::var("BATON_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = (1..=SEEDS).filter(|seed| only.is_none_or(|only| only == *seed)).collect();
    let queue = std::sync::Mutex::new(seeds.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some(seed) = next else { return };
                    let since = std::time::Instant::now();
                    let saw = experiment(seed);
                    println!("seed {seed}: {saw} in {:.1} s", since.elapsed().as_secs_f64());
                }
            });
        }
    });
}
