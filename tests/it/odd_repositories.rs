//! Repositories that are not as most are: one iteration by the real binary in each, and git says what came of it.
//!
//! `docs/repositories.md` holds the table; `BATON_WRITE_TABLES=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

use crate::scratch::Scratch;
use crate::support::check_table_in;

mod rows;

use rows::{Odd, ROWS};

/// One row's repository, made by its script.
fn made(odd: &Odd) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("prompts/main.md", format!("Work.\n\n```sh\n{}\n```\n", odd.agent));
    scratch.git(&["commit", "--quiet", "--all", "--message=what the agent does"]);
    shell(&scratch, odd.setup);
    scratch
}

fn shell(scratch: &Scratch, script: &str) {
    let output = scratch.command(Path::new("sh")).args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What git says in the row's directory; a repository without a commit says nothing.
fn ask(scratch: &Scratch, odd: &Odd, arguments: &[&str]) -> String {
    let git =
        scratch.command(Path::new("git")).arg("-C").arg(odd.directory).args(arguments).output().unwrap();
    String::from_utf8(git.stdout).unwrap()
}

fn outcome(odd: &Odd) -> [String; 4] {
    let scratch = made(odd);
    let head = ask(&scratch, odd, &["rev-parse", "HEAD"]);
    let index = std::fs::read(scratch.root().join(".git/index")).unwrap_or_default();
    let locks = ask(&scratch, odd, &["rev-parse", "--git-path", "index.lock"]);
    let locked = scratch.exists(locks.trim());
    let run = scratch.baton(&["-C", odd.directory, "run", "--sync-loops=1"]);
    assert_eq!(scratch.exists(locks.trim()), locked, "{}: the lock was touched", odd.name);
    let committed = if head.contains("HEAD") {
        String::new()
    } else {
        let range = format!("{}..HEAD", head.trim());
        ask(&scratch, odd, &["log", "--reverse", "--format=", "--name-status", &range])
    };
    if run.code == Some(2) {
        assert_eq!(
            std::fs::read(scratch.root().join(".git/index")).unwrap_or_default(),
            index,
            "{}",
            odd.name
        );
    }
    let status = ask(&scratch, odd, &["status", "--porcelain", "--", "."]);
    let left: Vec<&str> = status.lines().filter(|line| !line.ends_with("sync/")).collect();
    let said = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: ") || line.contains("warning: ") || line.starts_with("    "))
        .map(str::trim)
        .filter(|line| !line.contains("no fsync"))
        .collect::<Vec<_>>()
        .join("; ");
    let sound =
        scratch.command(Path::new("git")).args(["fsck", "--strict", "--no-progress"]).output().unwrap();
    assert!(sound.status.success(), "{}: {}", odd.name, String::from_utf8_lossy(&sound.stderr));
    let code = run.code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
    let said = match head.get(..7) {
        Some(short) => said.replace(short, "ID"),
        None => said,
    };
    let said = said.replace(scratch.root().parent().unwrap().to_str().unwrap(), "");
    [code, committed.lines().collect::<Vec<_>>().join("; "), left.join("; "), said]
}

#[test]
fn each_odd_repository_has_its_outcome() {
    let outcomes: Mutex<Vec<Option<[String; 4]>>> = Mutex::new(vec![None; ROWS.len()]);
    let queue = Mutex::new(0..ROWS.len());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some(row) = next else { return };
                    let outcome = outcome(&ROWS[row]);
                    outcomes.lock().unwrap()[row] = Some(outcome);
                }
            });
        }
    });
    let mut table =
        "| the repository, and what the agent does there | exit | committed | left uncommitted | said |\n\
         |---|---|---|---|---|\n"
            .to_owned();
    for (odd, outcome) in ROWS.iter().zip(outcomes.into_inner().unwrap()) {
        let [code, committed, left, said] = outcome.unwrap().map(|cell| in_a_cell(&cell));
        let _ = writeln!(table, "| {} | {code} | {committed} | {left} | {said} |", odd.name);
    }
    check_table_in("docs/repositories.md", "odd-repositories", &table);
}

fn in_a_cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\t', '\n'], " ").replace('<', "&lt;")
}

/// Its time is told, and asserted by nobody.
#[cfg(feature = "faults")]
#[test]
#[expect(clippy::disallowed_macros, reason = "for whoever runs it by hand: a time is told, never asserted")]
fn a_hundred_thousand_files_are_looped_over() {
    let scratch = Scratch::new();
    for directory in 0..1000 {
        let path = scratch.root().join(format!("many/{directory}"));
        std::fs::create_dir_all(&path).unwrap();
        for file in 0..100 {
            std::fs::write(path.join(format!("{file}.txt")), format!("{directory} {file}\n")).unwrap();
        }
    }
    scratch.git(&["add", "--all"]);
    scratch.git(&["commit", "--quiet", "--message=many"]);
    let since = std::time::Instant::now();
    let run = scratch.baton(&["run", "--sync-loops=2"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    println!("2 iterations over 100,000 files: {:.1} s", since.elapsed().as_secs_f64());
    assert_eq!(scratch.git(&["show", "HEAD:notes.txt"]), "ralph 1\nralph 2\n");
    assert_eq!(scratch.git(&["status", "--porcelain"]), "?? sync/\n");
}
