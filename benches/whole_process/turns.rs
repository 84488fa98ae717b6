//! What a turn costs without git, over running its agent: the difference between a short and a long loop, less the
//! agent alone; beside it the durable writes of which a turn makes several.

use crate::floors::{Appended, Committed, Created, Replaced};
use crate::measure::{Cost, cost, middle};
use crate::table;
use crate::workspace::Workspace;

const ROUNDS: usize = 15;
/// Not more than the turns whose attempts are kept. Some file systems look at every inode that was freed in the last
/// minute when they give out a new one: many prunings a second would measure that, and nothing that a loop of real
/// agents sees.
const LONG: u32 = 19;
/// Two turns an iteration, of which the short loop has one.
const TURNS: u32 = (LONG - 1) * 2;
const WRITES: u32 = 50;

pub(crate) fn run() {
    let disk = crate::scratch();
    let mut appended = Appended::create(disk.path());
    let replaced = Replaced::create(disk.path());
    let committed = Committed::create(disk.path());
    let mut created = Created::create(disk.path());
    let workspaces: Vec<Workspace> = (0..ROUNDS).map(|_| Workspace::new()).collect();
    let mut found: [Vec<Cost>; 8] = Default::default();
    for workspace in &workspaces {
        let short = cost(|| workspace.run_loops(1, &["--no-git"]));
        let agent = cost(|| repeat(TURNS, || workspace.run_agent_alone(&[]))).each(f64::from(TURNS));
        let long = cost(|| workspace.run_loops(LONG, &["--no-git"]));
        let turn = long.beyond(short, f64::from(TURNS));
        found[0].push(agent);
        found[1].push(turn);
        found[2].push(turn.beyond(agent, 1.0));
        found[3].push(cost(|| repeat(WRITES, || appended.write())).each(f64::from(WRITES)));
        found[4].push(cost(|| repeat(WRITES, || replaced.write())).each(f64::from(WRITES)));
        found[5].push(cost(|| repeat(WRITES, || committed.write())).each(f64::from(WRITES)));
        found[6].push(cost(|| repeat(WRITES, || created.write())).each(f64::from(WRITES)));
        let mut bare = || {
            repeat(3, || committed.write());
            repeat(3, || replaced.write());
            appended.write();
            repeat(8, || created.write());
        };
        found[7].push(cost(|| repeat(TURNS, &mut bare)).each(f64::from(TURNS)));
    }
    let [agent, turn, over, appended, replaced, committed, created, bare] = found.map(|costs| middle(&costs));
    table::heading("A turn without git");
    table::begin_costs();
    table::row("the agent alone, its prompt on standard input", agent, None);
    table::row("a turn of the loop, agent included", turn, Some(agent));
    table::row("the turn over the agent", over, Some(agent));
    table::row("the writes of a turn alone: 10 fsyncs, 11 new files", bare, None);
    table::row("the turn over the agent and over its writes", over.beyond(bare, 1.0), Some(agent));
    table::row("a durable append: fdatasync", appended, None);
    table::row("a durable replacement: new file, rename, directory", replaced, Some(appended));
    table::row("a durable SQLite commit", committed, Some(appended));
    table::row("a new file, not durable", created, Some(appended));
}

fn repeat(count: u32, mut work: impl FnMut()) {
    for _ in 0..count {
        work();
    }
}
