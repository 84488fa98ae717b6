//! Two machines over a bare repository on the same disk: what passing the turn costs. The floor is what no hand-over can do
//! without: one push of one commit, by git.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::measure::{Cost, cost, median, middle, millis};
use crate::table;
use crate::workspace::{Workspace, succeed};

const ROUNDS: usize = 3;
const LONG: u32 = 11;
const ITERATIONS: f64 = (LONG - 1) as f64;
const PUSHES: u32 = 10;
const TICKS: u32 = 10;

/// Two clones and what they share.
struct Pair {
    first: Workspace,
    hub: PathBuf,
    clones: [PathBuf; 2],
}

impl Pair {
    fn new(first: Workspace) -> Self {
        let base = first.root.parent().unwrap().to_owned();
        let (hub, clones) = (base.join("hub.git"), [base.join("laptop"), base.join("box")]);
        let shown = |path: &Path| path.display().to_string();
        // A directory without a file would not reach the clones.
        fs::write(first.root.join("docs/fix_plan.md"), "the plan\n").unwrap();
        first.git(&["add", "docs"]);
        first.git(&["commit", "--quiet", "--message=plan"]);
        first.git(&["clone", "--quiet", "--bare", ".", &shown(&hub)]);
        for clone in &clones {
            first.git(&["clone", "--quiet", &shown(&hub), &shown(clone)]);
        }
        Self { first, hub, clones }
    }

    fn baton(&self, clone: &Path, arguments: &[&str]) -> Command {
        let mut command = self.first.baton(arguments);
        command.current_dir(clone);
        command
    }

    fn start(&self, clone: &Path, role: &str, loops: u32, poll: &str) -> Child {
        let count = loops.to_string();
        let arguments = ["run", "--quiet", "--mode", "role", "--role", role, "--agent", "edit"];
        let mut command = self.baton(clone, &arguments);
        command.args(["--sync-loops", &count, "--poll-interval", poll, "--max-wait-sec", "120"]);
        command.spawn().unwrap()
    }

    /// Both seats, so many iterations.
    fn run_loops(&self, loops: u32, poll: &str) {
        let seats = [(&self.clones[0], "galph"), (&self.clones[1], "ralph")];
        for child in seats.map(|(clone, role)| self.start(clone, role, loops, poll)) {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// A commit that is new each time, pushed by git.
    fn push_alone(&self, number: u32) {
        let clone = &self.clones[0];
        let git = |arguments: &[&str]| {
            let mut command = self.first.command("git");
            command.current_dir(clone).args(arguments);
            let output = command.stdout(std::process::Stdio::piped()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let message = format!("push {number} {}", std::process::id());
        let commit = git(&["commit-tree", "HEAD^{tree}", "-p", "origin/main", "-m", &message]);
        git(&["push", "--quiet", "origin", &format!("+{commit}:refs/heads/floor")]);
    }

    fn make_alone(&self) {
        let mut command = self.first.command("git");
        command.current_dir(&self.clones[0]);
        command.args(["commit-tree", "HEAD^{tree}", "-p", "origin/main", "-m", "nothing"]);
        succeed(command);
    }
}

pub(crate) fn run() {
    let small = measure(&Pair::new(Workspace::with_git()), "a small repository", "0");
    measure(&Pair::new(Workspace::with_git()), "a small repository, looking once a second", "1");
    let large = Workspace::with_git();
    crate::large::grow(&large);
    let large = measure(&Pair::new(large), "20,000 files and 20,000 commits", "0");
    table::fact("an iteration in the large repository, of the small one", large.wall / small.wall, "times");
    idle_tick();
}

fn measure(pair: &Pair, what: &str, poll: &str) -> Cost {
    pair.run_loops(1, poll);
    let (mut iterations, mut pushes, mut handoffs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let short = cost(|| pair.run_loops(1, poll));
        let long = cost(|| pair.run_loops(LONG, poll));
        // Apart: the watching costs processor time too.
        let watch = Watch::start(&pair.hub);
        pair.run_loops(LONG, poll);
        handoffs.extend(watch.handoffs());
        iterations.push(long.beyond(short, ITERATIONS));
        let make = cost(|| (0..PUSHES).for_each(|_| pair.make_alone()));
        let first = u32::try_from(round).unwrap() * PUSHES;
        let push = cost(|| (first..first + PUSHES).for_each(|number| pair.push_alone(number)));
        pushes.push(push.beyond(make, f64::from(PUSHES)));
    }
    let (iteration, push) = (middle(&iterations), middle(&pushes));
    let floor = Cost { wall: push.wall * 4.0, cpu: push.cpu * 4.0 };
    table::heading(&format!("Two machines over a bare repository on the same disk: {what}"));
    table::begin_costs();
    table::row("four pushes of one commit, by git", floor, None);
    table::row("an iteration of both seats, with four pushes", iteration, Some(floor));
    let median = median(handoffs);
    table::fact("from one side's hand-over to the other side's claim, median", median, "ms");
    table::fact("the same, of one push by git", median / push.wall, "times");
    iteration
}

/// A tick that is not this seat's turn, as a whole process.
fn idle_tick() {
    let pair = Pair::new(Workspace::with_git());
    pair.run_loops(1, "0");
    let tick = || succeed(pair.baton(&pair.clones[1], &["tick", "--role", "ralph"]));
    tick();
    let ticks: Vec<Cost> = (0..TICKS).map(|_| cost(tick)).collect();
    table::heading("A tick with nothing to do");
    table::begin_costs();
    let version = || succeed(pair.baton(&pair.clones[1], &["--version"]));
    let floors: Vec<Cost> = (0..TICKS).map(|_| cost(version)).collect();
    let floor = middle(&floors);
    table::row("`baton --version`", floor, None);
    table::row("`baton tick`, the other side's turn", middle(&ticks), Some(floor));
    let status = || succeed(pair.baton(&pair.clones[1], &["status"]));
    let shown: Vec<Cost> = (0..TICKS).map(|_| cost(status)).collect();
    table::row("`baton status`, which looks at the remote", middle(&shown), Some(floor));
}

/// Notes when the branch of the bare repository moves.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<Instant>>,
}

impl Watch {
    fn start(hub: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (asked, file) = (stop.clone(), hub.join("refs/heads/main"));
        let thread = std::thread::spawn(move || {
            let (mut moves, mut last) = (Vec::new(), fs::read(&file).ok());
            while !asked.load(Ordering::Relaxed) {
                let now = fs::read(&file).ok();
                if now.is_some() && now != last {
                    moves.push(Instant::now());
                    last = now;
                }
                std::thread::sleep(Duration::from_micros(200));
            }
            moves
        });
        Self { stop, thread }
    }

    /// The branch moves for a claim, a hand-over, a claim, and so on.
    fn handoffs(self) -> Vec<f64> {
        self.stop.store(true, Ordering::Relaxed);
        let moves = self.thread.join().unwrap();
        moves[1..].chunks_exact(2).map(|pair| millis(pair[1] - pair[0])).collect()
    }
}
