//! What a turn costs with git when its agent changes one file, beside the `git` program committing such a change.

use std::fs::OpenOptions;
use std::io::Write as _;

use crate::measure::{Cost, cost, middle};
use crate::table;
use crate::workspace::Workspace;

const ROUNDS: usize = 5;
const LONG: u32 = 21;
const TURNS: u32 = (LONG - 1) * 2;

pub(crate) fn run() {
    let workspace = Workspace::with_git();
    let plain = Workspace::with_git();
    let loops = |count| workspace.run_loops(count, &["--agent", "edit"]);
    loops(2);
    let mut found: [Vec<Cost>; 2] = Default::default();
    for _ in 0..ROUNDS {
        let short = cost(|| loops(1));
        let floor = cost(|| (0..TURNS).for_each(|_| commit_by_git(&plain)));
        let long = cost(|| loops(LONG));
        found[0].push(floor.each(f64::from(TURNS)));
        found[1].push(long.beyond(short, f64::from(TURNS)));
    }
    let [floor, turn] = found.map(|costs| middle(&costs));
    table::heading("A turn with git, one file changed");
    table::begin_costs();
    table::row("the agent alone, then `git add` and `git commit`", floor, None);
    table::row("a turn of the loop, agent and commit included", turn, Some(floor));
}

fn commit_by_git(plain: &Workspace) {
    plain.run_agent_alone(&[]);
    let mut file = OpenOptions::new().append(true).create(true).open(plain.root.join("work.txt")).unwrap();
    file.write_all(b"another line\n").unwrap();
    plain.git(&["add", "work.txt"]);
    plain.git(&["commit", "--quiet", "--message=work"]);
}
