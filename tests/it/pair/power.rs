//! Loss of power on one machine of two: a turn of a role is recorded under `strace`, the power of its disk is cut after each call
//! that changed anything, and the role goes on with what is left. The remote is another machine: it has what it had taken.
//!
//! Only with the feature `faults`, see `faults_power`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;

use rstest::rstest;
use rustix::process::Signal;

use crate::power::{
    Disk, Image, Node, Reading, agents_that_ended, assert_replayed, lock_in_the_way, materialise, traced,
};
use crate::support::{CHECKS, Pair, SYNC, Scheme, say};

use super::kills::other;

/// What the machine under test has on its disk.
fn ours(role: &str) -> [String; 2] {
    let machine = if role == "galph" { "m1" } else { "m2" };
    [format!("{machine}/repo"), format!("{machine}/home")]
}

/// What others hold, as it was at the moment of the cut: the remote, and the agents' notes.
fn others(role: &str) -> [String; 2] {
    let machine = if role == "galph" { "m1" } else { "m2" };
    ["origin.git".to_owned(), format!("{machine}/fake/effects")]
}

const NOTES: &str = "pair/effects";

struct Loss {
    call: usize,
    event: String,
    reading: Reading,
    image: Image,
    notes: BTreeMap<String, Vec<u8>>,
    ended: usize,
}

fn is_below(path: &Path, names: &[String]) -> bool {
    names.iter().any(|name| path.starts_with(name))
}

fn content_at(image: &Image, path: &str) -> Vec<u8> {
    match image.get(Path::new(path)) {
        Some(Node::File(content)) => content.bytes.clone(),
        Some(Node::Directory | Node::Symlink(_)) | None => Vec::new(),
    }
}

/// A pair in which it is this role's turn.
fn pair_before(role: &str) -> Pair {
    let pair = Pair::configured(Scheme::Path, 2, &format!("{SYNC}{CHECKS}"));
    if role == "ralph" {
        let galph = pair.start("galph", 1, None);
        pair.await_status("waiting-ralph");
        galph.signal(Signal::TERM);
        galph.wait();
    }
    pair
}

/// A recorded turn.
struct Recording {
    cuts: usize,
    losses: Vec<Loss>,
    /// The other machine, which does nothing meanwhile.
    beside: Image,
}

/// The turn of the role, and what every cut leaves of it.
fn record(pair: &Pair, role: &str) -> Recording {
    let base = pair.base();
    let (ours, others) = (ours(role), others(role));
    let role_word = format!("--role={role}");
    let mut disk = Disk::snapshot(base);
    let mut beside = disk.written();
    beside.retain(|path, _| is_below(path, &self::ours(other(role))));
    let events = traced(&pair.seat(role).root(), |wrapper| {
        pair.seat(role).spawn(wrapper, &["tick", &role_word], None).wait().assert_code(0);
    });
    let (mut cuts, mut losses, mut seen) = (0, Vec::new(), BTreeSet::new());
    for (call, event) in events.iter().enumerate() {
        if !disk.apply(event) {
            continue;
        }
        let before = losses.len();
        let written = disk.written();
        let notes: BTreeMap<String, Vec<u8>> =
            [NOTES, &others[1]].iter().map(|path| ((*path).to_owned(), content_at(&written, path))).collect();
        for reading in Reading::ALL {
            let mut image = disk.after_power_loss(reading);
            image.retain(|path, _| is_below(path, &ours));
            // What receives a push there lives on, and takes its locks with it.
            let is_lock = |path: &Path| path.extension().is_some_and(|extension| extension == "lock");
            let remote = written.iter().filter(|(path, _)| path.starts_with(&others[0]) && !is_lock(path));
            image.extend(remote.map(|(path, node)| (path.clone(), node.clone())));
            let mut hasher = DefaultHasher::new();
            (&image, &notes).hash(&mut hasher);
            if seen.insert(hasher.finish()) {
                let ended = agents_that_ended(&image, &written);
                let notes = notes.clone();
                losses.push(Loss { call, event: event.to_string(), reading, image, notes, ended });
            }
        }
        cuts += usize::from(losses.len() > before);
    }
    let compared: Vec<&str> = ours.iter().chain(&others[..1]).map(String::as_str).collect();
    assert_replayed(&disk.written(), base, &compared);
    Recording { cuts, losses, beside }
}

/// What is wrong after this loss; else how many locks a person had to remove.
fn restart(pair: &Pair, role: &str, loss: &Loss, beside: &Image) -> Result<usize, String> {
    let put = |image: &Image, places: &[&String]| {
        materialise(image, pair.base(), &places.iter().map(|place| place.as_str()).collect::<Vec<_>>());
    };
    let ([repo, home], [remote, _]) = (ours(role), others(role));
    put(&loss.image, &[&repo, &home, &remote]);
    let [repo, home] = ours(other(role));
    put(beside, &[&repo, &home]);
    for (path, content) in &loss.notes {
        fs::write(pair.base().join(path), content).unwrap();
    }
    let before = pair.seat(role).effects().starts().len();
    let passed_before = u64::from(role == "ralph");
    let mut said = String::new();
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut locks = 0;
        // A tick that ends what was begun leaves the next turn to the next tick.
        for _ in 0..3 {
            loop {
                let role_word = format!("--role={role}");
                let boot = Some(("BATON_BOOT_ID", "after the loss"));
                let ended = pair.seat(role).spawn(&[], &["tick", &role_word], boot).wait();
                let Some(lock) = lock_in_the_way(&ended) else {
                    let ended = ended.assert_code(0);
                    said += &ended.stdout;
                    said += &ended.stderr;
                    break;
                };
                assert!(locks < 3, "one lock after the other: {}", lock.display());
                fs::remove_file(lock).unwrap();
                locks += 1;
            }
        }
        let due = passed_before + 1;
        let starts = pair.seat(role).effects().starts().len();
        pair.assert_machines_are_whole();
        let account = pair.history().account_with(&pair.notes());
        assert_eq!(account.passed().count() as u64, due, "{account:#?}");
        // Once; once more where the agent was started and its end was not durable.
        let most = 1 + before - loss.ended.min(before);
        assert!(starts <= most, "{starts} starts, at most {most} are due");
        locks
    }));
    checked.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("{}\nit said:\n{said}", text.unwrap_or_default())
    })
}

#[rstest]
fn a_loss_of_power_in_a_roles_turn_loses_nothing_that_was_paid_for(#[values("galph", "ralph")] role: &str) {
    let pair = pair_before(role);
    let Recording { cuts, mut losses, beside } = record(&pair, role);
    let images = losses.len();
    assert!(cuts >= 200 && images >= 300, "{cuts} cuts, {images} images");
    // For whoever mends a violation, or has little time: only the cuts after calls on such paths, or each n-th image.
    if let Ok(part) = std::env::var("BATON_POWER_ONLY") {
        losses.retain(|loss| loss.event.contains(&part));
    }
    let stride = std::env::var("BATON_POWER_EVERY").map_or(1, |text| text.parse().unwrap());
    let (mut checked, mut locked, mut wrong) = (0, 0, 0);
    for loss in losses.drain(..).step_by(stride) {
        checked += 1;
        match restart(&pair, role, &loss, &beside) {
            Ok(locks) => locked += usize::from(locks > 0),
            Err(what) => {
                wrong += 1;
                let (call, event, reading) = (loss.call, &loss.event, loss.reading.name());
                say(&format!("== {role}, after call {call} ({event}), {reading}:\n{what}"));
            }
        }
    }
    say(&format!("{role}: {cuts} cuts, {images} images, {checked} checked, {locked} with a lock of git"));
    assert_eq!(wrong, 0, "violations, each told above");
}
