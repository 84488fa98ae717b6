//! The sources are read, and what the architecture says about them is enforced: imports point downward only, pure
//! modules stay pure, every module says what it is for, files stay small.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use source::{Reading, read};

const PURE: [&str; 6] = ["route", "turn", "publish", "plan", "govern", "agent"];

/// What each module may import, itself aside. Modules that are yet to come have their line already.
fn table() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut table: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut row = |module, may: &[&'static str]| {
        table.insert(module, may.iter().copied().collect());
    };
    let pure_and_model = [PURE.as_slice(), &["model"]].concat();
    let edges = ["exec", "repo", "state", "ledger"];
    let below_notify = [pure_and_model.as_slice(), &["ambient", "config", "durable"], &edges].concat();

    row("model", &[]);
    row("ambient", &["model"]);
    row("durable", &[]);
    for pure in PURE {
        row(pure, &["model"]);
    }
    row("config", &pure_and_model);
    for edge in edges {
        row(edge, &["model", "ambient", "publish", "config", "durable"]);
    }
    row("notify", &below_notify);
    let mut below = [below_notify.as_slice(), &["notify"]].concat();
    for driver in ["attempt", "engine", "runner", "mode", "control"] {
        row(driver, &below);
        below.push(driver);
    }
    row("web", &["model", "ledger", "control"]);
    row("tui", &["model", "ledger", "control"]);
    row("cli", &[below.as_slice(), &["web", "tui"]].concat());
    table
}

/// What a pure module may not touch: paths of the standard library that reach the world.
const IMPURE: [&str; 9] = ["fs", "net", "process", "env", "thread", "io", "os", "sync", "time"];
/// Names of those that do not: errors of others are carried as data, durations are numbers, and below `os::unix` a
/// pure module finds only the bytes of names.
const HARMLESS: [&str; 4] = ["time::Duration", "io::ErrorKind", "sync::LazyLock", "os::unix"];

const MAX_LINES: usize = 400;
/// Files that may be longer, each with its reason.
const LONGER: [(&str, &str); 0] = [];

struct Source {
    /// Below `src`, such as `cli/init.rs`.
    name: String,
    text: String,
    reading: Reading,
}

impl Source {
    fn module(&self) -> &str {
        let first = self.name.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    fn is_root(&self) -> bool {
        ["lib.rs", "main.rs"].contains(&self.name.as_str())
    }

    fn is_test(&self) -> bool {
        self.name.ends_with("/tests.rs") || self.name.contains("/tests/")
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    find(&root, &mut files);
    files.sort();
    assert!(files.len() > 10, "only {} files were examined", files.len());
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let reading = read(&text, module_depth(&name));
            Source { name, text, reading }
        })
        .collect()
}

fn find(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// How many modules deep a file is: `lib.rs` 0, `cli/mod.rs` 1, `cli/init.rs` 2.
fn module_depth(name: &str) -> usize {
    let stem = name.trim_end_matches(".rs").trim_end_matches("/mod");
    if ["lib", "main"].contains(&stem) { 0 } else { stem.split('/').count() }
}

fn complain(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn imports_point_downward_only() {
    let table = table();
    let mut problems = Vec::new();
    let mut examined = 0;
    for source in sources().iter().filter(|source| !source.is_root()) {
        let module = source.module();
        let Some(may) = table.get(module) else {
            problems.push(format!(
                "src/{}: `{module}` has no row in the table of tests/it/layers.rs",
                source.name
            ));
            continue;
        };
        for import in &source.reading.crate_imports {
            examined += 1;
            let place = format!("src/{}:{}", source.name, import.line);
            let wanted = import.name.as_str();
            if wanted != module && !table.contains_key(wanted) {
                problems.push(format!(
                    "{place}: `crate::{wanted}` is no module of the table: name the module that owns it"
                ));
            } else if wanted != module && !may.contains(wanted) {
                problems
                    .push(format!("{place}: `{module}` may not import `{wanted}`; it may import {may:?}"));
            }
        }
        for line in &source.reading.supers_to_root {
            problems.push(format!(
                "src/{}:{line}: `super` reaches the crate's root: write `crate::`",
                source.name
            ));
        }
    }
    assert!(examined > 5, "only {examined} imports were examined");
    complain(&problems);
}

#[test]
fn pure_modules_do_not_touch_the_world() {
    let mut problems = Vec::new();
    let mut examined = 0;
    for source in &sources() {
        let is_pure = PURE.contains(&source.module()) || source.module() == "model";
        if !is_pure || source.is_test() {
            continue;
        }
        examined += 1;
        for import in &source.reading.std_imports {
            let is_harmless = HARMLESS.contains(&import.name.as_str());
            if !is_harmless && IMPURE.contains(&import.name.split("::").next().unwrap()) {
                problems.push(format!(
                    "src/{}:{}: `{}` is pure and may not use `std::{}`",
                    source.name,
                    import.line,
                    source.module(),
                    import.name
                ));
            }
        }
    }
    assert!(examined > 10, "only {examined} files were examined");
    complain(&problems);
}

#[test]
fn the_crate_declares_what_the_table_knows_and_each_module_says_what_it_is_for() {
    let sources = sources();
    let root = sources.iter().find(|source| source.name == "lib.rs").unwrap();
    let declared: BTreeSet<&str> = root
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')))
        .collect();
    let present: BTreeSet<&str> =
        sources.iter().filter(|source| !source.is_root()).map(Source::module).collect();
    assert_eq!(declared, present, "what lib.rs declares is what lies in src/");

    let mut problems = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        if !source.text.starts_with("//! ") {
            problems.push(format!("src/{}: the file must begin with `//!` and what it is for", source.name));
        }
    }
    complain(&problems);
}

#[test]
fn files_stay_small() {
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let lines = source.reading.lines_without_tests;
        let limit = if source.name == "main.rs" { 29 } else { MAX_LINES };
        let is_excepted = LONGER.iter().any(|(name, _)| *name == source.name);
        if lines > limit && !is_excepted {
            problems.push(format!("src/{}: {lines} lines without tests, the limit is {limit}", source.name));
        } else if lines <= limit && is_excepted {
            problems.push(format!("src/{}: is not longer any more: take it off the list", source.name));
        }
    }
    complain(&problems);
}
