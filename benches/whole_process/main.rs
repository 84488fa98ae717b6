//! Whole-process benchmarks: what baton costs on top of what cannot be avoided.
//!
//! Every number stands beside its floor: the least that the same work costs without baton, measured in the same run,
//! round by round, in turns. A number without its floor says more about the machine than about the program.
//!
//! `cargo bench --bench whole_process` runs all sections, `-- turns` only the one that is named: `turns`, `git`,
//! `large`, `memory`, `start`, `sync`. Nothing here asserts a time.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark times, starts processes and prints; whatever fails ends it"
)]

mod floors;
mod git;
mod large;
mod measure;
mod memory;
mod start;
mod sync;
mod table;
mod turns;
mod workspace;

use std::path::Path;

/// On the disk that has the build directory: a file system in memory would make every fsync free.
fn scratch() -> tempfile::TempDir {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(base).unwrap();
    tempfile::tempdir_in(base).unwrap()
}

fn main() {
    // Cargo adds `--bench`; the other words are names of sections.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let sections: [(&str, fn()); 6] = [
        ("turns", turns::run),
        ("git", git::run),
        ("large", large::run),
        ("memory", memory::run),
        ("start", start::run),
        ("sync", sync::run),
    ];
    for (name, run) in sections {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            run();
        }
    }
}
