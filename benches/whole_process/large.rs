//! What a turn costs in a repository of 20,000 files and 20,000 commits. The floor is what no turn can do without:
//! looking at all files once, one durable commit, and the refresh of its path in the index.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use git2::{Repository, StatusOptions};

use crate::measure::{Cost, cost, middle};
use crate::table;
use crate::workspace::Workspace;

const FILES: usize = 20_000;
const COMMITS: usize = 20_000;
const ROUNDS: usize = 5;
const LONG: u32 = 6;
const TURNS: u32 = (LONG - 1) * 2;
/// Each is measured so often in a round.
const FLOORS: u32 = 5;

pub(crate) fn run() {
    let workspace = Workspace::with_git();
    grow(&workspace);
    let plain = Repository::open(&workspace.root).unwrap();
    let loops = |count| workspace.run_loops(count, &["--agent", "edit"]);
    loops(2);
    let mut found: [Vec<Cost>; 5] = Default::default();
    for _ in 0..ROUNDS {
        let short = cost(|| loops(1));
        let long = cost(|| loops(LONG));
        found[0].push(long.beyond(short, f64::from(TURNS)));
        let each = f64::from(FLOORS);
        found[1].push(cost(|| (0..FLOORS).for_each(|_| scan_by_library(&plain))).each(each));
        found[2]
            .push(cost(|| (0..FLOORS).for_each(|_| workspace.git(&["status", "--porcelain"]))).each(each));
        found[3].push(cost(|| (0..FLOORS).for_each(|_| refresh(&workspace))).each(each));
        found[4].push(cost(|| (0..FLOORS).for_each(|_| commit(&workspace))).each(each));
    }
    let [turn, by_library, by_git, refresh, commit] = found.map(|costs| middle(&costs));
    // The cheaper of the two ways to look at all files.
    let scan = if by_library.wall < by_git.wall { by_library } else { by_git };
    let floor =
        Cost { wall: scan.wall + refresh.wall + commit.wall, cpu: scan.cpu + refresh.cpu + commit.cpu };
    table::heading("A turn with git in a repository of 20,000 files and 20,000 commits, one file changed");
    table::begin_costs();
    table::row("a status scan by libgit2", by_library, None);
    table::row("`git status --porcelain`", by_git, None);
    table::row("the refresh of one path in the index, by `git update-index`", refresh, None);
    table::row("one durable commit, by `git commit`", commit, None);
    table::row("the cheaper scan, the refresh and the commit", floor, None);
    table::row("a turn of the loop, agent and commit included", turn, Some(floor));
}

/// Commits upon the first one, so that the loop's files stay as they are.
pub(crate) fn grow(workspace: &Workspace) {
    let mut stream = String::new();
    for number in 0..COMMITS {
        let text = format!("line {number}\n");
        let path = number % FILES;
        let _ = write!(
            stream,
            "commit refs/heads/main\ncommitter bench <bench@localhost> {} +0000\ndata 4\nmore\n",
            1_700_000_000 + number
        );
        if number == 0 {
            stream.push_str("from refs/heads/main^0\n");
        }
        let _ = write!(
            stream,
            "M 100644 inline src/{:03}/{:03}/file-{path:05}.txt\ndata {}\n{text}\n",
            path / 400,
            path / 20,
            text.len()
        );
    }
    let mut command = workspace.command("git");
    let mut child = command.args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    workspace.git(&["reset", "--quiet", "--hard"]);
    workspace.git(&["gc", "--quiet"]);
}

fn scan_by_library(repository: &Repository) {
    let mut options = StatusOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(true);
    repository.statuses(Some(&mut options)).unwrap();
}

fn refresh(workspace: &Workspace) {
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(workspace.root.join("refreshed.txt"))
        .unwrap()
        .write_all(b"another line\n")
        .unwrap();
    workspace.git(&["update-index", "--add", "refreshed.txt"]);
}

fn commit(workspace: &Workspace) {
    let durable = ["-c", "core.fsync=committed,loose-object,reference", "-c", "core.fsyncMethod=fsync"];
    workspace.git(&[&durable[..], &["commit", "--quiet", "--allow-empty", "--message=floor"]].concat());
}
