//! Memory and time when an agent writes 500 MB: it must be flat, and close to a bare copy from a pipe into a file.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

use crate::measure::{Cost, Peaks, cost, median, middle, watch_peaks};
use crate::table;
use crate::workspace::Workspace;

const ROUNDS: usize = 5;
const TURN: [&str; 10] =
    ["run", "--quiet", "--no-git", "--mode", "solo", "--role", "ralph", "--sync-loops", "1", "--agent"];

pub(crate) fn run() {
    let workspace = Workspace::new();
    let mut found: [Vec<Cost>; 3] = Default::default();
    let (mut loud, mut quiet) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        found[0].push(cost(|| copy_from_pipe(&workspace, 1)));
        found[1].push(cost(|| copy_from_pipe(&workspace, 2)));
        found[2].push(cost(|| loud.push(run_watched(&workspace, "flood"))));
        quiet.push(run_watched(&workspace, "stub"));
        remove_output(&workspace);
    }
    let [floor, twice, turn] = found.map(|costs| middle(&costs));
    table::heading("An agent that writes 500 MB");
    table::begin_costs();
    table::row("the agent into a pipe, copied into a file, fdatasync", floor, None);
    table::row("the same into two files, as a turn has a capture and a log", twice, Some(floor));
    table::row("a whole `baton run` of one turn", turn, Some(floor));
    println!();
    let peak = |peaks: &[Peaks], which: fn(&Peaks) -> f64| median(peaks.iter().map(which).collect());
    let orchestrator: fn(&Peaks) -> f64 = |peaks| peaks.orchestrator;
    let supervisor: fn(&Peaks) -> f64 = |peaks| peaks.supervisor;
    table::fact("peak memory, orchestrator, quiet agent", peak(&quiet, orchestrator), "MB");
    table::fact("peak memory, orchestrator, 500 MB of output", peak(&loud, orchestrator), "MB");
    table::fact("peak memory, supervisor, 500 MB of output", peak(&loud, supervisor), "MB");
}

/// Each round finds the same memory free for the file system's cache.
fn remove_output(workspace: &Workspace) {
    let copies = (0..2).map(|copy| workspace.root.join(format!("copy-{copy}")));
    copies.for_each(|copy| std::fs::remove_file(copy).unwrap());
    std::fs::remove_dir_all(workspace.root.join("logs")).unwrap();
    std::fs::remove_dir_all(workspace.home().join(".local")).unwrap();
}

fn run_watched(workspace: &Workspace, agent: &str) -> Peaks {
    let mut command = workspace.baton(&TURN);
    let mut child = command.arg(agent).stderr(Stdio::null()).spawn().unwrap();
    let peaks = watch_peaks(&mut child);
    assert!(child.wait().unwrap().success());
    peaks
}

fn copy_from_pipe(workspace: &Workspace, copies: usize) {
    let mut command = workspace.command(&workspace.agent);
    let mut child =
        command.args(["flood", "500"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut pipe = child.stdout.take().unwrap();
    let create = |copy| File::create(workspace.root.join(format!("copy-{copy}"))).unwrap();
    let mut files: Vec<File> = (0..copies).map(create).collect();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match pipe.read(&mut buffer).unwrap() {
            0 => break,
            count => files.iter_mut().for_each(|file| file.write_all(&buffer[..count]).unwrap()),
        }
    }
    files[0].sync_data().unwrap();
    assert!(child.wait().unwrap().success());
}
