//! Role mode with `turn.isolation: worktree`: the turns run on a branch of their own, in a work tree of their own, beside a
//! person on each machine.

use std::sync::Mutex;

use rstest::rstest;

use crate::support::{Machine, Orchestrator, Pair, Scheme, start_role, wait_for_both};

use super::kills::{POINTS, kill_in, other};

/// The points that are killed at in the default suite; all of them with the feature `faults`.
const SOME: [&str; 8] = [
    "claimed:pushed",
    "claimed:accepted",
    "running:go",
    "running:done",
    "committed:effect",
    "published:pushed",
    "published:accepted",
    "close:begin",
];

/// Where the work tree of the turns is made; nothing is claimed yet.
const TREE_POINTS: &[&str] = if cfg!(feature = "faults") {
    &["tree:begin", "tree:registered", "tree:joined", "tree:files", "tree:done"]
} else {
    &["tree:joined"]
};

fn tree_of(machine: &Machine) -> std::path::PathBuf {
    machine.root().join(".git/baton/worktrees/loop")
}

/// Asserts that the persons are where they were, and that the trees of the turns have nothing left over.
#[track_caller]
fn assert_persons_are_where_they_were(pair: &Pair) {
    let first = pair.git(&["rev-parse", "main"]);
    for machine in pair.machines() {
        assert_eq!(machine.git(&["symbolic-ref", "HEAD"]), "refs/heads/main\n");
        assert_eq!(machine.git(&["rev-parse", "HEAD"]), first);
        assert_eq!(machine.read("sync/state.json"), None);
        let tree = tree_of(machine).display().to_string();
        assert_eq!(machine.git(&["-C", &tree, "status", "--porcelain"]), "");
        assert_eq!(machine.git(&["-C", &tree, "symbolic-ref", "HEAD"]), "refs/heads/loop\n");
    }
}

#[rstest]
fn isolated_roles_take_turns_beside_a_person_on_each_machine(
    #[values(Scheme::Path, Scheme::File, Scheme::Daemon)] scheme: Scheme,
) {
    let pair = Pair::isolated(scheme);
    for ended in pair.run(2) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(2);
    assert_persons_are_where_they_were(&pair);
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(3);
}

#[test]
fn an_isolated_role_that_is_killed_anywhere_repeats_nothing_and_loses_nothing() {
    let cells: Vec<(&str, &str)> = POINTS
        .iter()
        .map(|(place, _)| *place)
        .filter(|place| cfg!(feature = "faults") || SOME.contains(place))
        .flat_map(|place| [("galph", place), ("ralph", place)])
        .collect();
    let queue = Mutex::new(cells.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((role, place)) = next else { return };
                    let pair = Pair::isolated(Scheme::Path);
                    kill_in(&pair, role, place);
                    assert_persons_are_where_they_were(&pair);
                }
            });
        }
    });
}

#[rstest]
fn an_isolated_role_that_is_killed_while_its_tree_is_made_makes_it_again(
    #[values("galph", "ralph")] role: &str,
) {
    for place in TREE_POINTS {
        let pair = Pair::isolated(Scheme::Path);
        let beside = pair.start(other(role), 1, None);
        pair.start(role, 1, Some(place)).wait().assert_killed();
        pair.start(role, 1, None).wait().assert_code(0);
        beside.wait().assert_code(0);
        pair.assert_undisturbed(1);
        assert_persons_are_where_they_were(&pair);
    }
}

/// An isolated pair in which this seat's agent has done its work and waits, and somebody with a clone of their own.
fn in_mid_turn(role: &str) -> (Pair, [Orchestrator; 2], Machine) {
    let pair = Pair::isolated(Scheme::Path);
    pair.seat(role).prepare_release();
    pair.seat(role).script_once(role, "work; wait_for_release");
    let started = ["galph", "ralph"].map(|role| pair.start(role, 1, None));
    pair.seat(role).await_waiting(role);
    let person = pair.clone_machine("person");
    person.git(&["switch", "--quiet", "loop"]);
    (pair, started, person)
}

fn commit(machine: &Machine, path: &str) {
    machine.write(path, "theirs\n");
    machine.git(&["add", "--", path]);
    machine.git(&["commit", "--quiet", "--message=by a person", "--", path]);
}

#[rstest]
fn people_on_the_branch_and_beside_it_keep_what_they_do(#[values("galph", "ralph")] role: &str) {
    let (pair, started, person) = in_mid_turn(role);
    commit(&person, "own/theirs.txt");
    person.git(&["push", "--quiet", "origin", "loop"]);
    // On the machine of the turn somebody goes on with `main`, and saves what the turn writes too.
    let machine = pair.seat(role);
    commit(machine, "own/beside.txt");
    machine.write("src/counter.rs", "mine\n");
    let on_main = machine.head();
    machine.release();
    for ended in wait_for_both(started) {
        ended.assert_code(0);
    }
    std::fs::remove_file(machine.root().join("src/counter.rs")).unwrap();
    pair.assert_undisturbed(1);
    assert_eq!(pair.git(&["show", "loop:own/theirs.txt"]), "theirs\n");
    assert_eq!((machine.head(), machine.read("own/beside.txt").as_deref()), (on_main, Some("theirs\n")));
    // And what the turns have made can be had.
    machine.git(&["stash", "push", "--quiet", "--include-untracked"]);
    machine.git(&["merge", "--quiet", "--no-edit", "loop"]);
    machine.git(&["stash", "pop", "--quiet", "--index"]);
    pair.assert_machines_are_whole();
}

/// The same seat on the branch that is checked out is a seat of another pair: it waits for that one's other side.
#[test]
fn a_role_on_the_persons_branch_does_not_touch_the_isolated_turn() {
    let (pair, started, _person) = in_mid_turn("ralph");
    let main = pair.git(&["rev-parse", "main"]);
    let plain = start_role(pair.ralph(), "ralph", &["--max-wait-sec=1", "--sync-loops=1"], None);
    plain.wait().assert_code(1).assert_says("waiting for galph to write the first state");
    assert_eq!(pair.git(&["rev-parse", "main"]), main);
    pair.ralph().release();
    for ended in wait_for_both(started) {
        ended.assert_code(0);
    }
    pair.assert_undisturbed(1);
}
