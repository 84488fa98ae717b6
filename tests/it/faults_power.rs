//! Loss of power: a run under `strace` is replayed onto a model of a disk, the power is cut after each call that changed
//! anything, and the same command is started on what is left.
//!
//! Only with the feature `faults`: recording needs `strace`, and the cuts take minutes.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;

use crate::power::{
    Disk, Image, Node, Reading, agents_that_ended, assert_replayed, lock_in_the_way, materialise, traced,
};
use crate::support::{Git, Workspace, say};

const LOOP: [&str; 1] = ["--sync-loops=1"];
/// What is on the disk that loses its power; the agent's notes are kept elsewhere.
const OURS: [&str; 2] = ["repo", "home"];
const ONE_CHECK: &str = "verify:\n  - { name: first, run: 'CHECK=first; . \"$FAKE_DIR/check\"' }\n";

/// What the disk may hold after a cut, and what had truly happened until then.
struct Loss {
    call: usize,
    /// That call, without what it wrote.
    event: String,
    reading: Reading,
    image: Image,
    /// The agent's notes, which are kept elsewhere.
    effects: Vec<u8>,
    /// Agents whose end was durable.
    ended: usize,
}

/// A recorded run.
struct Recording {
    workspace: Workspace,
    /// Cuts after which the image differs from that of the cut before, under some reading.
    cuts: usize,
    losses: Vec<Loss>,
}

fn record(git: Git) -> Recording {
    let workspace = Workspace::configured(git, ONE_CHECK);
    let base = workspace.base().to_owned();
    let mut disk = Disk::snapshot(&base);
    let events = traced(&workspace.root(), |wrapper| {
        workspace.start_under(wrapper, &LOOP, None).wait().assert_code(0);
        workspace.assert_whole(1);
    });

    let (mut cuts, mut losses, mut seen) = (0, Vec::new(), BTreeSet::new());
    for (call, event) in events.iter().enumerate() {
        if !disk.apply(event) {
            continue;
        }
        let before = losses.len();
        for reading in Reading::ALL {
            let mut image = disk.after_power_loss(reading);
            image.retain(|path, _| OURS.iter().any(|ours| path.starts_with(ours)));
            let written = disk.written();
            let effects = match written.get(Path::new("fake/effects")) {
                Some(Node::File(content)) => content.bytes.clone(),
                Some(Node::Directory | Node::Symlink(_)) | None => Vec::new(),
            };
            let mut hasher = DefaultHasher::new();
            (&image, &effects).hash(&mut hasher);
            if seen.insert(hasher.finish()) {
                let ended = agents_that_ended(&image, &written);
                losses.push(Loss { call, event: event.to_string(), reading, image, effects, ended });
            }
        }
        cuts += usize::from(losses.len() > before);
    }
    assert_replayed(&disk.written(), &base, &OURS);
    Recording { workspace, cuts, losses }
}

/// What is wrong after this loss; else how many locks a person had to remove.
fn restart(workspace: &Workspace, loss: &Loss) -> Result<usize, String> {
    materialise(&loss.image, workspace.base(), &OURS);
    fs::write(workspace.base().join("fake/effects"), &loss.effects).unwrap();
    let before = workspace.effects().starts().len();
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut locks = 0;
        let said = loop {
            let ended = workspace.start_under(&[], &LOOP, Some(("BATON_BOOT_ID", "after the loss"))).wait();
            let Some(lock) = lock_in_the_way(&ended) else { break ended.assert_code(0).stderr };
            assert!(locks < 3, "one lock after the other: {}", lock.display());
            fs::remove_file(lock).unwrap();
            locks += 1;
        };
        let done = workspace.state()["iteration"].as_u64().unwrap() - 1;
        assert!((1..=2).contains(&done), "{done} iterations");
        workspace.assert_whole(done);
        let starts = workspace.effects().starts().len();
        // Once a turn; once more where an agent was started and its end was not durable.
        let most = usize::try_from(2 * done).unwrap() + before - loss.ended.min(before);
        assert!(starts <= most, "{starts} starts, at most {most} are due; it said:\n{said}");
        locks
    }));
    checked.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// One thread a mode; each image is checked at the place where the run was recorded, since records hold its paths.
fn cut_power(name: &str, git: Git, (cuts, at_least): (usize, usize)) {
    let mut recording = record(git);
    let images = recording.losses.len();
    // A little below what was counted: threads interleave differently each time.
    assert!(recording.cuts >= cuts && images >= at_least, "{} cuts, {images} images", recording.cuts);
    // For whoever mends a violation: only the cuts after calls on such paths.
    if let Ok(part) = std::env::var("BATON_POWER_ONLY") {
        recording.losses.retain(|loss| loss.event.contains(&part));
        say(&format!("{name}: only {} images, after calls on paths with `{part}`", recording.losses.len()));
    }
    let mut checked: BTreeMap<Reading, usize> = BTreeMap::new();
    let (mut locked, mut wrong) = (0, 0);
    for loss in recording.losses.drain(..) {
        match restart(&recording.workspace, &loss) {
            Ok(locks) => locked += usize::from(locks > 0),
            Err(what) => {
                wrong += 1;
                say(&format!(
                    "== {name}, after call {} ({}), {}:\n{what}",
                    loss.call,
                    loss.event,
                    loss.reading.name()
                ));
            }
        }
        *checked.entry(loss.reading).or_default() += 1;
    }
    let by_reading: Vec<String> =
        checked.iter().map(|(reading, count)| format!("{count} ({})", reading.name())).collect();
    let cuts = recording.cuts;
    say(&format!(
        "{name}: {cuts} cuts, {images} images, {locked} with a lock of git: {}",
        by_reading.join(", ")
    ));
    assert_eq!(wrong, 0, "violations, each told above");
}

#[test]
fn a_loss_of_power_with_git_loses_nothing_that_was_paid_for() {
    cut_power("with git", Git::Used, (450, 800));
}

#[test]
fn a_loss_of_power_without_git_loses_nothing_that_was_paid_for() {
    cut_power("--no-git", Git::Avoided, (250, 450));
}
