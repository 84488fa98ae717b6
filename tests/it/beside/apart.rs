//! `turn.isolation: worktree`: the person, in a tree of their own, ends just where they would have ended alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use super::person::Person;
use super::{ITERATIONS, ITERATIONS_A_RUN, for_each_seed};
use crate::support::{Git, Workspace, made_files, read_all};

/// Does one thing of everything that a person does.
fn act(person: &mut Person) {
    person.deeds += 1;
    let number = person.deeds;
    match person.dice.roll(16) {
        0..=2 => person.save(&format!("own/{number}.txt")),
        3 => {
            if let Some(path) = person.some_file() {
                person.save(&path);
            }
        }
        4 => person
            .save(["docs/fix_plan.md", "mine.txt", "src/counter.rs"][usize::try_from(number % 3).unwrap()]),
        5 => {
            if let Some(path) = person.some_file() {
                person.delete(&path);
            }
        }
        6 => {
            if let Some(path) = person.some_file() {
                person.git(&["add", "--", &path]);
            }
        }
        7 => drop(person.git(&["add", "--all"])),
        8 => drop(person.try_git(&["commit", "--quiet", "--message=a person's, staged"])),
        9 => drop(person.try_git(&["commit", "--quiet", "--all", "--message=a person's, all"])),
        10 => drop(person.try_git(&["stash", "push", "--quiet", "--include-untracked"])),
        11 => drop(person.try_git(&["stash", "push", "--quiet", "--keep-index"])),
        12 | 13 => {
            // A pop that conflicts is undone; the entry stays.
            if person.try_git(&["stash", "pop", "--quiet"]).is_err()
                && !person.git(&["ls-files", "--unmerged"]).is_empty()
            {
                person.git(&["reset", "--quiet", "--hard"]);
            }
        }
        14 => {
            let branch = if person.dice.roll(2) == 0 { "main" } else { "mine" };
            drop(person.try_git(&["switch", "--quiet", branch]));
        }
        _ => drop(person.try_git(&["switch", "--quiet", "--create", &format!("side-{number}")])),
    }
}

/// All that is a person's, byte for byte.
#[derive(Debug, PartialEq, Eq)]
struct Theirs {
    files: BTreeMap<PathBuf, Vec<u8>>,
    index: String,
    head: String,
    /// Commits by their names, which hold content, authors, times and histories.
    branches: String,
    stashes: String,
}

fn theirs(person: &mut Person, root: &Path) -> Theirs {
    let files = read_all(root)
        .into_iter()
        .map(|(path, content)| (path.strip_prefix(root).unwrap().to_owned(), content));
    let mut branches =
        person.git(&["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags"]);
    branches =
        branches.lines().filter(|line| !line.starts_with("refs/heads/loop ")).collect::<Vec<_>>().join("\n");
    Theirs {
        files: files.filter(|(path, _)| !path.starts_with(".git")).collect(),
        index: person.git(&["ls-files", "--stage", "-z"]),
        head: person.git(&["symbolic-ref", "HEAD"]),
        branches,
        stashes: person.git(&["stash", "list", "--format=%H %gs"]),
    }
}

#[test]
fn a_person_in_a_tree_of_their_own_ends_where_they_would_have_ended_alone() {
    for_each_seed(|seed| {
        let workspace = Workspace::new(Git::Used);
        workspace.git(&["branch", "loop"]);
        workspace.git(&["branch", "mine"]);
        let first = workspace.head();
        let alone = workspace.base().join("alone");
        let copied = Command::new("cp").arg("-a").arg(workspace.root()).arg(&alone).status().unwrap();
        assert!(copied.success());

        let mut person = Person::new(&workspace.root(), workspace.environment(), seed);
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let working = scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    act(&mut person);
                }
            });
            let ends = EndsWhenDropped(&ended);
            for _ in 0..ITERATIONS / ITERATIONS_A_RUN {
                let loops = format!("--sync-loops={ITERATIONS_A_RUN}");
                workspace.run(&["--isolation=worktree", "--branch=loop", &loops]).assert_code(0);
            }
            drop(ends);
            working.join().unwrap();
        });

        // git alone is the judge: the same deeds in a copy beside which no loop ran.
        let mut other = Person::new(&alone, workspace.environment(), seed);
        for _ in 0..person.deeds {
            act(&mut other);
        }
        let (was, is) = (theirs(&mut other, &alone), theirs(&mut person, &workspace.root()));
        assert!(
            was == is,
            "seed {seed}: after {} deeds, alone:\n{was:#?}\nbeside the loop:\n{is:#?}",
            person.deeds
        );
        assert_branch_is_the_agents(&workspace, &first);
        format!(
            "{} deeds beside {} turns, {} refusals of locks",
            person.deeds,
            2 * ITERATIONS,
            person.refusals
        )
    });
}

/// So that the other thread ends although an assertion fails here.
pub(super) struct EndsWhenDropped<'a>(pub(super) &'a AtomicBool);

impl Drop for EndsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The branch holds what the agents made, and the agents were started once a claim.
fn assert_branch_is_the_agents(workspace: &Workspace, first: &str) {
    let made = made_files(ITERATIONS);
    let expected: Vec<String> = made.iter().map(|(path, content)| format!("{path}\n{content}")).collect();
    let changed = workspace.git(&["diff", "--name-only", first, "loop"]);
    let found: Vec<String> = changed
        .lines()
        .map(|path| format!("{path}\n{}", workspace.git(&["show", &format!("loop:{path}")])))
        .collect();
    assert_eq!(found, expected);
    let commits = workspace.git(&["rev-list", "--count", &format!("{first}..loop")]);
    assert_eq!(commits.trim(), (2 * ITERATIONS).to_string());
    assert_started_once_a_turn(workspace, ITERATIONS);
    workspace.git(&["fsck", "--strict", "--no-progress"]);
}

/// From the agents' own notes.
pub(super) fn assert_started_once_a_turn(workspace: &Workspace, iterations: u64) {
    let effects = workspace.effects();
    for iteration in 1..=iterations {
        for seat in ["galph", "ralph"] {
            assert_eq!(effects.starts_of(seat, iteration).len(), 1, "{seat} in iteration {iteration}");
        }
    }
    assert_eq!(effects.starts().len() as u64, 2 * iterations);
    workspace.assert_nobody_runs();
}
