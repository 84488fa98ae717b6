//! The shared tree: the person and the agents write into the same directory, and docs/publishing.md says whose is what.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use baton::model::TurnId;

use super::apart::{EndsWhenDropped, assert_started_once_a_turn};
use super::person::Person;
use super::{ITERATIONS, ITERATIONS_A_RUN, for_each_seed};
use crate::support::{Ended, Git, Workspace, made_files};

/// A stop asks the person to do something; more of them than this for one turn is no progress.
const STOPS_IN_A_ROW: u32 = 50;

/// Does one thing; no switches, which stop the turn, and no work on the agents' files.
fn act(person: &mut Person) {
    person.deeds += 1;
    let number = person.deeds;
    match person.dice.roll(40) {
        0..=12 => person.save(&format!("own/{number}.txt")),
        13 | 14 => {
            if let Some(path) = person.some_file() {
                person.save(&path);
            }
        }
        15 => {
            if let Some(path) = person.some_file() {
                person.delete(&path);
            }
        }
        16..=25 => {
            if let Some(path) = person.some_file() {
                stage(person, &path);
            }
        }
        26..=36 => commit(person),
        37 | 38 => {
            let push = ["stash", "push", "--quiet", "--include-untracked", "--", "own"];
            drop(person.try_git(&push));
            // An entry may have been made although the rest was refused.
            let now = entries(person);
            let new = now.len().saturating_sub(person.stashes.len());
            assert_eq!(now[..now.len() - new], person.stashes, "entries are gone");
            person.stashes = now;
            if new > 0 {
                person.staged.clear();
            }
        }
        _ => {
            if person.stashes.is_empty() {
                return;
            }
            let popped = person.try_git(&["stash", "pop", "--quiet"]).is_ok();
            // It puts its own entries into the index, also where it then fails at an untracked file.
            let staged = std::mem::take(&mut person.staged);
            for (path, content) in staged {
                if person.try_git(&["show", &format!(":{path}")]).as_ref() == Ok(&content) {
                    person.staged.insert(path, content);
                }
            }
            if popped {
                person.stashes.pop();
            } else {
                // A conflict is resolved in favour of what is committed; the entry stays.
                let unmerged = person.git(&["diff", "--name-only", "--diff-filter=U"]);
                for path in unmerged.lines() {
                    if person.try_git(&["checkout", "--quiet", "HEAD", "--", path]).is_err() {
                        // It is not committed any more: the conflict is with its removal.
                        stage(person, path);
                    }
                }
            }
        }
    }
}

/// The stash entries now, the newest last.
fn entries(person: &mut Person) -> Vec<String> {
    let list = person.git(&["stash", "list", "--format=%H"]);
    list.lines().rev().map(str::to_owned).collect()
}

/// `git add`, and what the index then holds.
fn stage(person: &mut Person, path: &str) {
    if person.try_git(&["add", "--", path]).is_ok()
        && let Some(content) = person.read(path)
    {
        person.staged.insert(path.to_owned(), content);
    }
}

fn commit(person: &mut Person) {
    if person.try_git(&["commit", "--quiet", "--message=a person's"]).is_ok() {
        person.staged.clear();
    }
}

/// Does what a stop asks for: the commands that it names, else what is named is committed by hand.
fn follow(person: &mut Person, ended: &Ended) {
    person.deeds += 1;
    let mut followed = 0;
    for line in ended.stderr.lines().filter(|line| line.starts_with("    ")) {
        let (path, problem) = line.trim().split_once(": ").unwrap();
        // An agent's file that a person's commit undid (see `Person::put_back`) is committed as the agent left it.
        if problem.contains("it holds what the stash entry") || !path.starts_with("own/") {
            person.put_back.insert(path.to_owned());
            stage(person, path);
            commit(person);
        } else {
            let command = problem.rsplit('`').nth(1).unwrap_or_else(|| panic!("no command in: {line}"));
            person.give_up(path);
            let words: Vec<&str> = command.split(' ').collect();
            match words.as_slice() {
                ["git", arguments @ ..] => drop(person.git(arguments)),
                ["rm", "--", path] => person.delete(path),
                _ => panic!("what is this: {line}"),
            }
        }
        followed += 1;
    }
    assert!(followed > 0, "it stopped, and names nothing to do:\n{}", ended.stderr);
}

#[test]
fn a_person_in_the_shared_tree_loses_nothing_and_only_what_they_saved_in_a_turn_is_published() {
    for_each_seed(|seed| {
        let workspace = Workspace::new(Git::Used);
        let first = workspace.head();
        let person = Mutex::new(Person::new(&workspace.root(), workspace.environment(), seed));
        let ended = AtomicBool::new(false);
        let mut stops = Vec::new();
        std::thread::scope(|scope| {
            let working = scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    act(&mut person.lock().unwrap());
                    // Else the lock is never anybody else's.
                    std::thread::yield_now();
                }
            });
            let ends = EndsWhenDropped(&ended);
            stops = run_and_follow(&workspace, &person);
            drop(ends);
            working.join().unwrap();
        });
        let mut person = person.into_inner().unwrap();
        assert_agents_work_is_published(&workspace, &person);
        assert_nothing_is_lost(&workspace, &mut person);
        assert_published_was_saved_in_the_turn(&workspace, &person, &first);
        workspace.git(&["fsck", "--strict", "--no-progress"]);
        format!(
            "{} deeds beside {} turns, {} refusals of locks, {} stops",
            person.deeds,
            2 * ITERATIONS,
            person.refusals,
            stops.len()
        )
    });
}

/// Runs until all iterations are done; the stops on the way.
fn run_and_follow(workspace: &Workspace, person: &Mutex<Person>) -> Vec<String> {
    let mut stops = Vec::new();
    let mut in_a_row = 0;
    let mut done = 0;
    while done < ITERATIONS {
        let loops = format!("--sync-loops={}", ITERATIONS_A_RUN.min(ITERATIONS - done));
        let ended = workspace.run(&[&loops]);
        person.lock().unwrap().diary.note(&format!("{ended:?}"));
        let now = workspace.state()["iteration"].as_u64().unwrap() - 1;
        in_a_row = if now > done { 0 } else { in_a_row + 1 };
        done = now;
        match ended.code {
            Some(0) => {}
            Some(5) => {
                follow(&mut person.lock().unwrap(), &ended);
                stops.push(ended.stderr);
            }
            _ => panic!("{ended:?}"),
        }
        assert!(in_a_row < STOPS_IN_A_ROW, "no progress:\n{}", stops.join("\n"));
    }
    stops
}

/// The agents' work is in the tree and published, each change committed once.
///
/// `git stash` writes back the index that it has read before it took the lock. What a commit of ours refreshed in between is
/// lost from it, and the person's next `git commit` undoes that: git's own race, in their commit. So the last commit of a
/// turn counts where HEAD differs.
fn assert_agents_work_is_published(workspace: &Workspace, person: &Person) {
    for (path, content) in made_files(ITERATIONS) {
        let at = |commit: &str| workspace.try_git(&["show", &format!("{commit}:{path}")]).ok();
        if person.put_back.contains(&path) {
            let commits = workspace.git(&["log", "--format=%H", "--", &path]);
            assert!(
                commits.lines().any(|it| at(it).as_ref() == Some(&content)),
                "{path} was never published"
            );
            continue;
        }
        let turns = workspace.git(&["log", "--format=%H", "--grep=^Baton-Turn: ", "--", &path]);
        assert_eq!(workspace.read(&path).as_ref(), Some(&content), "{path}");
        let newest = turns.lines().next().unwrap_or_else(|| panic!("{path} is in no turn's commit"));
        assert!([at("HEAD"), at(newest)].contains(&Some(content)), "{path} is published otherwise");
    }
    let log = workspace.git(&["log", "--format=commit %H %s", "--name-only", "--no-renames"]);
    for iteration in 1..=ITERATIONS {
        for path in [format!("plans/plan-{iteration}.md"), format!("src/made-{iteration}.rs")] {
            let (by_person, by_baton): (Vec<_>, Vec<_>) = log
                .split("commit ")
                .filter(|commit| commit.lines().any(|line| line == path))
                .partition(|commit| commit.contains(" a person's\n"));
            assert!(by_baton.len() - by_person.len().min(1) <= 1 && !by_baton.is_empty(), "{path}:\n{log}");
        }
    }
    assert_started_once_a_turn(workspace, ITERATIONS);
}

/// What the person saved and did not overwrite is in the tree, the index, a stash, a commit or a copy; what they staged
/// is staged, unless a newer version of it was committed; their stash entries are there.
fn assert_nothing_is_lost(workspace: &Workspace, person: &mut Person) {
    let mut kept: BTreeSet<String> = BTreeSet::new();
    for path in person.files() {
        kept.extend(person.read(&path));
    }
    for line in workspace.git(&["ls-files", "--stage", "own"]).lines() {
        kept.insert(workspace.git(&["cat-file", "blob", line.split(' ').nth(1).unwrap()]));
    }
    let objects = workspace.git(&["rev-list", "--objects", "--all", "--reflog"]);
    for line in objects.lines().filter(|line| line.contains(" own/")) {
        kept.insert(workspace.git(&["cat-file", "-p", line.split(' ').next().unwrap()]));
    }
    let lost: Vec<_> =
        person.saved.iter().filter(|saved| !saved.given_up && !kept.contains(&saved.content)).collect();
    assert!(lost.is_empty(), "lost: {lost:#?}");

    for (path, content) in person.staged.clone() {
        let staged = person.try_git(&["show", &format!(":{path}")]).ok();
        let committed = person.try_git(&["show", &format!("HEAD:{path}")]).ok();
        assert!(
            staged.as_ref() == Some(&content) || staged == committed,
            "{path} is not staged any more: {staged:?} is, {content:?} was"
        );
    }
    assert_eq!(entries(person), person.stashes, "the stash list is another");
    for (name, content) in [("mine.txt", "a person changed this"), ("scratch.txt", "a note")] {
        assert_eq!(workspace.read(name).as_deref(), Some(content));
    }
}

/// What was dirty before a claim and stayed as it was is not in that turn's commits.
fn assert_published_was_saved_in_the_turn(workspace: &Workspace, person: &Person, first: &str) {
    let log = workspace.git(&[
        "log",
        "--format=%H %(trailers:key=Baton-Turn,valueonly,separator=)",
        &format!("{first}..HEAD"),
    ]);
    for line in log.lines() {
        let (commit, turn) = line.split_once(' ').unwrap();
        if turn.is_empty() {
            continue;
        }
        let turn: TurnId = turn.parse().unwrap();
        let claimed = u64::try_from(turn.bits() >> 80).unwrap();
        let changed =
            workspace.git(&["diff-tree", "-r", "--no-commit-id", "--no-renames", "--name-status", commit]);
        for change in changed.lines() {
            let (kind, path) = change.split_once('\t').unwrap();
            if !path.starts_with("own/") {
                let of_agents = ["plans/", "src/", "docs/"].iter().any(|of| path.starts_with(of));
                assert!(of_agents, "{path} is published, and nobody's work");
                continue;
            }
            if kind == "D" {
                continue;
            }
            let content = workspace.git(&["show", &format!("{commit}:{path}")]);
            let saved = person.saved.iter().find(|saved| saved.content == content && saved.path == path);
            let saved =
                saved.unwrap_or_else(|| panic!("{path} is published as nobody saved it: {content:?}"));
            assert!(
                saved.at >= claimed,
                "{path} was saved {} ms before the turn that publishes it",
                claimed - saved.at
            );
        }
    }
}

/// The turn waits at its commit; the person goes back, and so does the turn, without its agent.
#[test]
fn a_person_who_switches_branches_stops_the_turn_which_then_goes_on() {
    let workspace = Workspace::new(Git::Used);
    workspace.prepare_release();
    workspace.script_once("ralph", "wait_for_release; work");
    let running = workspace.start(&["--sync-loops=1"], None);
    workspace.await_waiting("ralph");
    workspace.git(&["switch", "--quiet", "--create", "mine"]);
    workspace.release();
    let stopped = "the branch was switched from main to mine during the turn: `git switch main`";
    running.wait().assert_code(5).assert_says(stopped);
    workspace.git(&["switch", "--quiet", "main"]);
    workspace.git(&["branch", "--quiet", "--delete", "mine"]);
    workspace.run(&["--sync-loops=1"]).assert_code(0);
    workspace.assert_whole(1);
    assert_started_once_a_turn(&workspace, 1);
}

/// What docs/publishing.md says of a person's edits, one by one.
#[test]
fn edits_in_ralphs_turn_are_published_and_what_was_there_before_is_not() {
    let workspace = Workspace::new(Git::Used);
    workspace.prepare_release();
    workspace.script_once("galph", "wait_for_release; work");
    let running = workspace.start(&["--sync-loops=1"], None);
    workspace.await_waiting("galph");
    workspace.write("own/in-galphs.txt", "a person\n");
    workspace.script_once("ralph", "wait_for_release; work");
    workspace.release();
    workspace.await_waiting("ralph");
    workspace.write("own/in-ralphs.txt", "a person\n");
    workspace.release();
    running.wait().assert_code(0);
    assert_eq!(workspace.git(&["ls-tree", "-r", "--name-only", "HEAD", "own"]), "own/in-ralphs.txt\n");
    assert_eq!(workspace.read("own/in-galphs.txt").as_deref(), Some("a person\n"));
    workspace.assert_persons_files();
}
