//! The orchestrator is killed at every point of a turn; the same command again must bring the work to its end.
//!
//! `docs/reliability.md` holds the table that comes of it; `BATON_WRITE_TABLES=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use rstest::rstest;

use crate::support::{Effects, Ended, Git, Workspace, await_event, check_table};

const LOOP: [&str; 1] = ["--sync-loops=1"];

/// The points of a turn at which a debug build can kill itself, and what each of them lies between.
pub(crate) const POINTS: &[(&str, &str)] = &[
    ("claimed:begin", "before the claim is journalled"),
    ("claimed:effect", "claim journalled, state not written"),
    ("claimed:done", "state written"),
    ("selected:begin", "before the selection"),
    ("selected:done", "prompt selected, not journalled"),
    ("baseline:begin", "before the first `verify` run"),
    ("baseline:effect", "its attempts journalled"),
    ("baseline:go", "first command started"),
    ("baseline:checked", "first command ended"),
    ("baseline:checked#2", "second command ended"),
    ("baseline:done", "results not journalled"),
    ("running:begin", "before the attempt"),
    ("running:submitted", "supervisor booting, attempt not journalled"),
    ("running:effect", "attempt journalled"),
    ("running:ready", "supervisor waits for its go"),
    ("running:go", "agent started"),
    ("running:done", "agent ended, result not journalled"),
    ("verified:begin", "before the `verify` commands"),
    ("verified:effect", "their attempts journalled"),
    ("verified:go", "first command started"),
    ("verified:checked", "first command ended"),
    ("verified:checked#2", "second command ended"),
    ("verified:done", "results not journalled"),
    ("committed:begin", "before the commits"),
    ("committed:effect", "commits journalled, not made"),
    ("committed:done", "commits made, not journalled"),
    ("stamped:begin", "before the stamp"),
    ("stamped:effect", "stamp journalled, state not written"),
    ("stamped:done", "state written"),
    ("close:begin", "turn not closed"),
    ("close:done", "turn closed"),
];

const ROUTER_POINTS: &[(&str, &str)] = &[
    ("selected:begin", "before the router prompt"),
    ("selected:submitted", "supervisor booting, attempt not journalled"),
    ("selected:effect", "attempt journalled"),
    ("selected:ready", "supervisor waits for its go"),
    ("selected:go", "router prompt started"),
    ("selected:done", "reply there, selection not journalled"),
];

const ROUTER: &str = "router: { enabled: true, prompt: router.md }\n";

/// Whose turn is cut, and what the agent runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Galph,
    Ralph,
    Router,
}

impl Cut {
    const fn name(self) -> &'static str {
        match self {
            Self::Galph => "galph",
            Self::Ralph => "ralph",
            Self::Router => "galph, router prompt",
        }
    }

    fn starts(self, effects: &Effects) -> usize {
        match self {
            Self::Galph => effects.starts_of("galph", 1).len(),
            Self::Ralph => effects.starts_of("ralph", 1).len(),
            Self::Router => effects.router_starts().len(),
        }
    }
}

#[test]
fn an_undisturbed_run_is_what_every_other_is_compared_with() {
    for git in [Git::Used, Git::Avoided] {
        let workspace = Workspace::with_checks(git);
        workspace.run(&["--sync-loops=2"]).assert_code(0);
        workspace.assert_whole(2);
        let effects = workspace.effects();
        assert_eq!(effects.starts().len(), 4);
        assert_eq!(effects.checks().len(), 8);
    }
}

#[test]
fn a_killed_orchestrator_repeats_nothing_and_loses_nothing_wherever_it_is_killed() {
    let rows = rows();
    let outcomes = in_parallel(&rows, kill_and_restart);
    check_table("crash-points", &render("killed at", "the same command again", &rows, &outcomes));
}

/// What came of each row, by its number and whether git was used.
type Outcomes = BTreeMap<(usize, bool), String>;

fn in_parallel(rows: &[Row], experiment: impl Fn(&Row, Git) -> String + Sync) -> Outcomes {
    let todo: Vec<(usize, Git)> = (0..rows.len())
        .flat_map(|row| [(row, Git::Used), (row, Git::Avoided)])
        .filter(|(row, git)| *git == Git::Used || !rows[*row].place.starts_with("committed"))
        .collect();
    let queue = Mutex::new(todo.into_iter());
    let outcomes = Mutex::new(Outcomes::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((row, git)) = next else { return };
                    let outcome = experiment(&rows[row], git);
                    outcomes.lock().unwrap().insert((row, git == Git::Used), outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    assert_eq!((rows.len(), outcomes.len()), (56, 106), "rows, and cells with `--no-git`");
    outcomes
}

fn render(fault: &str, happened: &str, rows: &[Row], outcomes: &Outcomes) -> String {
    let mut table = format!("| turn of | {fault} | that is | {happened} |\n|---|---|---|---|\n");
    for (index, row) in rows.iter().enumerate() {
        let with_git = &outcomes[&(index, true)];
        let without = match outcomes.get(&(index, false)) {
            None => " (`--no-git` has no such phase)".to_owned(),
            Some(same) if same == with_git => String::new(),
            Some(other) => format!("; with `--no-git`: {other}"),
        };
        let Row { cut, place, meaning, .. } = row;
        let _ = writeln!(table, "| {} | `{place}` | {meaning} | {with_git}{without} |", cut.name());
    }
    table
}

fn workspace_for(row: &Row, git: Git) -> Workspace {
    match row.cut {
        Cut::Router => Workspace::configured(git, ROUTER),
        Cut::Galph | Cut::Ralph => Workspace::with_checks(git),
    }
}

#[test]
fn a_signal_ends_the_loop_with_its_state_saved_wherever_it_comes() {
    let rows: Vec<Row> = rows();
    let outcomes = in_parallel(&rows, |row, git| {
        let mut seen = SIGNALS.iter().map(|signal| signal_and_restart(row, git, *signal));
        let first = seen.next().unwrap();
        seen.for_each(|other| assert_eq!(other, first, "{}, {git:?}", row.place));
        first
    });
    check_table(
        "signal-points",
        &render("a SIGTERM at", "what it does, and the next start", &rows, &outcomes),
    );
}

/// Each with its exit code; the default suite takes the first at each place, and all of them in mid-run.
const SIGNALS: &[(&str, i32)] =
    if cfg!(feature = "faults") { &[("TERM", 143), ("INT", 130), ("HUP", 143)] } else { &[("TERM", 143)] };

fn signal_and_restart(row: &Row, git: Git, (signal, code): (&str, i32)) -> String {
    let workspace = workspace_for(row, git);
    let place = row.place.split('#').next().unwrap();
    let seat = match row.cut {
        Cut::Galph => "galph",
        Cut::Ralph => "ralph",
        Cut::Router => "router",
    };
    // The agent must not be done before the signal has reached it.
    let around_the_start = ["submitted", "effect", "ready", "go"].iter().any(|edge| place.ends_with(edge))
        && (place.starts_with("running") || place.starts_with("selected"));
    if around_the_start {
        workspace.prepare_release();
        workspace.script_once(seat, "wait_for_release");
    }
    let at = format!("{signal}@{}", row.crash_at);
    workspace.run_signalled(&LOOP, &at).assert_code(code).assert_says("with the state saved");
    workspace.assert_nobody_runs();
    workspace.forget_script(seat);
    let state = workspace.state();
    let status = state["status"].as_str().unwrap();
    let before = row.cut.starts(&workspace.effects());
    workspace.run(&LOOP).assert_code(0);
    let was_over = row.cut == Cut::Ralph && status == "complete";
    let iterations = if was_over { 2 } else { 1 };
    workspace.assert_whole(iterations);
    let after = row.cut.starts(&workspace.effects());
    let given_back =
        matches!((row.cut, status), (Cut::Galph | Cut::Router, "idle") | (Cut::Ralph, "waiting-ralph"));
    match (given_back, before, after) {
        (true, _, _) if around_the_start => {
            assert_eq!(after, before + 1, "{place}");
            "the agent is stopped or not even started, the turn given back; it is taken anew".to_owned()
        }
        (true, 0, 1) => "the turn is given back, nothing was started; it is taken anew".to_owned(),
        (false, 1, 1) if status.starts_with("running") => {
            "the turn waits; it goes on from there, what was run is not run again".to_owned()
        }
        (false, 1, 1) => "the turn is brought to its end; the next one is taken".to_owned(),
        other => panic!("{place}, {git:?}: {other:?}, {state:#}"),
    }
}

/// The solo mode keeps no state: only its journal tells a restart what happened.
#[test]
fn a_killed_solo_run_repeats_nothing_either() {
    let points = POINTS.iter().filter(|(place, _)| !place.starts_with("stamped"));
    for (place, _) in points {
        for git in [Git::Used, Git::Avoided] {
            if git == Git::Avoided && place.starts_with("committed") {
                continue;
            }
            let workspace = Workspace::with_checks(git);
            let solo = ["--mode=solo", "--role=ralph", "--sync-loops=1"];
            workspace.crash(&solo, place);
            if *place == "running:go" {
                await_event("the agent's start", || (!workspace.effects().starts().is_empty()).then_some(()));
            }
            workspace.run(&solo).assert_code(0);
            workspace.assert_nobody_runs();
            workspace.assert_persons_files();
            // The run that was over is counted by the run that was killed.
            let runs = if *place == "close:done" { 2 } else { 1 };
            assert_eq!(workspace.effects().starts().len(), runs, "{place}, {git:?}");
            assert_eq!(workspace.read("sync/state.json"), None);
            if git == Git::Used {
                assert_eq!(workspace.git(&["rev-list", "--count", "HEAD"]).trim(), "2", "{place}");
                workspace.assert_index_is_the_persons();
            }
        }
    }
}

#[test]
fn a_turn_of_the_other_seat_that_is_finished_first_does_not_count_as_this_ones() {
    let workspace = Workspace::new(Git::Used);
    workspace.crash(&["--mode=solo", "--role=ralph", "--sync-loops=1"], "running:done");
    workspace.run(&["--mode=solo", "--role=galph", "--sync-loops=1"]).assert_code(0);
    let effects = workspace.effects();
    assert_eq!((effects.starts_of("ralph", 1).len(), effects.starts_of("galph", 1).len()), (1, 1));
}

#[test]
fn a_solo_turn_that_is_finished_first_is_no_iteration_of_the_loop() {
    let workspace = Workspace::new(Git::Used);
    workspace.crash(&["--mode=solo", "--role=ralph", "--sync-loops=1"], "running:done");
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_iterations(1);
    assert_eq!(workspace.effects().starts().len(), 3);
}

#[test]
fn a_turn_whose_every_restart_is_killed_too_still_starts_its_agent_once() {
    for git in [Git::Used, Git::Avoided] {
        let workspace = Workspace::with_checks(git);
        let mut killed = 0;
        for (place, _) in POINTS {
            let ended = workspace.start(&LOOP, Some(place)).wait();
            if ended.signal.is_some() {
                killed += 1;
            } else {
                ended.assert_code(0);
            }
            if workspace.state_is_complete() {
                break;
            }
        }
        assert!(killed > 8, "only {killed} restarts were killed");
        workspace.run(&LOOP).assert_code(0);
        let done = workspace.state()["iteration"].as_u64().unwrap() - 1;
        workspace.assert_whole(done);
        assert_eq!(workspace.effects().starts().len() as u64, 2 * done);
    }
}

#[test]
fn a_kill_between_the_commit_and_the_index_leaves_no_reverse_change_staged() {
    let workspace = Workspace::new(Git::Used);
    workspace.crash(&LOOP, "committed:effect#2");
    let index = workspace.root().join(".git/index");
    let before_the_commit = std::fs::read(&index).unwrap();
    workspace.crash(&LOOP, "committed:done");
    std::fs::write(&index, before_the_commit).unwrap();
    assert_ne!(workspace.git(&["diff", "--cached", "--name-status"]), "A\tstaged.txt\n");
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
}

#[rstest]
fn the_agents_own_commit_is_there_once_whatever_is_killed_beside_it(
    #[values("begin", "effect", "done")] edge: &str,
) {
    let workspace = Workspace::new(Git::Used);
    let own = "work; git add src; git commit -qm 'by the agent' src; echo more > src/more.rs";
    workspace.script_once("ralph", own);
    workspace.crash(&LOOP, &format!("committed:{edge}#2"));
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_iterations(1);
    workspace.assert_nobody_runs();
    workspace.assert_persons_files();
    workspace.assert_index_is_the_persons();
    assert_eq!(workspace.effects().starts().len(), 2);
    let log = workspace.git(&["log", "--reverse", "--format=commit %s", "--name-only", "HEAD~2.."]);
    let expected = "commit by the agent\n\nsrc/counter.rs\nsrc/made-1.rs\n\
         commit RALPH AUTO (prompt=main.md) (iter=00001): work\n\nsrc/more.rs\n";
    assert_eq!(log, expected);
    assert_eq!(workspace.git(&["rev-list", "--count", "HEAD"]), "4\n");
    workspace.git(&["fsck", "--strict", "--no-progress"]);
}

#[rstest]
fn commits_of_all_four_categories_are_there_once_wherever_they_are_cut(
    #[values("begin", "effect", "done")] edge: &str,
) {
    let workspace = Workspace::new(Git::Used);
    workspace.write("tests/fixtures/golden.json", "[]\n");
    workspace.git(&["add", "tests"]);
    workspace.git(&["commit", "--quiet", "--message=a fixture", "--", "tests"]);
    let script = "work; mkdir -p plans/active/reports; echo 3 ms > plans/active/reports/step.txt\n\
        echo '[1]' > tests/fixtures/golden.json; echo '- [x] step' >> docs/fix_plan.md";
    workspace.script_once("ralph", script);
    workspace.crash(&LOOP, &format!("committed:{edge}#2"));
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_iterations(1);
    workspace.assert_nobody_runs();
    workspace.assert_persons_files();
    workspace.assert_index_is_the_persons();
    assert_eq!(workspace.effects().starts().len(), 2);
    let log = workspace.git(&["log", "--reverse", "--format=> %s", "--name-only", "HEAD~4.."]);
    let lines: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
    let subject = |category: &str| format!("> RALPH AUTO (prompt=main.md) (iter=00001): {category}");
    let expected = [
        &subject("reports evidence"),
        "plans/active/reports/step.txt",
        &subject("tracked outputs"),
        "tests/fixtures/golden.json",
        &subject("doc/meta hygiene"),
        "docs/fix_plan.md",
        &subject("work"),
        "src/counter.rs",
        "src/made-1.rs",
    ];
    assert_eq!(lines, expected);
    assert_eq!(workspace.git(&["rev-list", "--count", "HEAD"]), "7\n");
    workspace.git(&["fsck", "--strict", "--no-progress"]);
}

/// A killed git leaves its lock; going on past it would leave the index behind the commits for good.
#[test]
fn a_lock_of_the_index_left_after_the_commit_is_named_and_the_index_brought_up_when_it_is_gone() {
    let workspace = Workspace::new(Git::Used);
    workspace.crash(&LOOP, "committed:effect#2");
    let index = workspace.root().join(".git/index");
    let before_the_commit = std::fs::read(&index).unwrap();
    workspace.crash(&LOOP, "committed:done");
    std::fs::write(&index, before_the_commit).unwrap();
    let lock = workspace.root().join(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    workspace.run(&LOOP).assert_code(5).assert_says(&format!(
        "error: ralph's work cannot be committed:\n    `{}` exists: another git is at work there, or was killed; if no git \
         is running in this repository, remove the file and start again\n",
        lock.canonicalize().unwrap().display()
    ));
    std::fs::remove_file(&lock).unwrap();
    workspace.run(&LOOP).assert_code(0);
    workspace.assert_whole(1);
}

struct Row {
    cut: Cut,
    /// As the table shows it.
    place: &'static str,
    /// As `BATON_CRASH_AT` names it: ralph's turn is the second of the run.
    crash_at: String,
    meaning: &'static str,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (cut, points) in [(Cut::Galph, POINTS), (Cut::Router, ROUTER_POINTS), (Cut::Ralph, POINTS)] {
        for &(place, meaning) in points {
            let of_checks = place.starts_with("baseline") || place.starts_with("verified");
            let crash_at = match cut {
                // Only ralph's turn is verified.
                Cut::Galph if of_checks => continue,
                Cut::Ralph if of_checks => place.to_owned(),
                Cut::Ralph => format!("{place}#2"),
                Cut::Galph | Cut::Router => place.to_owned(),
            };
            rows.push(Row { cut, place, crash_at, meaning });
        }
    }
    rows
}

fn kill_and_restart(row: &Row, git: Git) -> String {
    let workspace = workspace_for(row, git);
    workspace.crash(&LOOP, &row.crash_at);
    let place = row.place.split('#').next().unwrap();
    if matches!(place, "running:go" | "selected:go") {
        // The agent outlives the kill; how soon it is up is its own affair.
        await_event("the agent's start", || (row.cut.starts(&workspace.effects()) == 1).then_some(()));
    }
    let before = row.cut.starts(&workspace.effects());
    let restart = workspace.run(&LOOP).assert_code(0);
    // When the whole iteration was over before the kill, the same command runs another.
    let iterations = if row.cut == Cut::Ralph && place == "close:done" { 2 } else { 1 };
    workspace.assert_whole(iterations);
    let effects = workspace.effects();
    for iteration in 1..=iterations {
        for seat in ["galph", "ralph"] {
            let starts = effects.starts_of(seat, iteration);
            assert_eq!(starts.len(), 1, "{seat} at {place}, {git:?}: {starts:?}\n{}", restart.stderr);
        }
    }
    // A `verify` command may run twice, but none is lost, repeated or left alone here.
    let checks = if row.cut == Cut::Router { 0 } else { 4 * iterations };
    assert_eq!(effects.checks().len() as u64, checks, "{place}");
    assert_eq!(effects.router_starts().len(), usize::from(row.cut == Cut::Router), "{place}");
    describe(row.cut, before, &effects, &restart)
}

/// What happened, in words, from the agent's notes and what the restart said.
fn describe(cut: Cut, before: usize, effects: &Effects, restart: &Ended) -> String {
    let what = if cut == Cut::Router { "the router prompt" } else { "the agent" };
    let resumed: Option<String> = restart.stderr.lines().find_map(|line| {
        let (_, rest) = line.split_once(" goes on with turn ")?;
        rest.split_whitespace().next().map(str::to_owned)
    });
    let started_in = match cut {
        Cut::Router => effects.router_starts().remove(0).turn,
        Cut::Galph => effects.starts_of("galph", 1).remove(0).turn,
        Cut::Ralph => effects.starts_of("ralph", 1).remove(0).turn,
    };
    match (before, resumed) {
        (0, None) => format!("nothing had happened; the turn is taken, {what} started once"),
        (0, Some(turn)) if turn == started_in => format!("the turn goes on, {what} is started once"),
        (0, Some(_)) => {
            format!("the claim had not happened and is void; the turn is taken, {what} started once")
        }
        (1, Some(turn)) if turn == started_in => format!("the turn goes on; {what} is not started again"),
        (1, None) => "the turn was over; the next one is taken".to_owned(),
        (starts, resumed) => panic!("{starts} starts before, {started_in} started, {resumed:?} resumed"),
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(manifest.join("docs/reliability.md")).unwrap();
    let named: Vec<(&str, &str)> = page
        .split('`')
        .filter(|text| text.starts_with("faults"))
        .filter_map(|text| text.split_once("::"))
        .filter(|(_, test)| !test.is_empty())
        .collect();
    assert!(named.len() > 30, "{named:?}");
    for (file, test) in named {
        let source = std::fs::read_to_string(manifest.join(format!("tests/it/{file}.rs"))).unwrap();
        assert!(source.contains(&format!("fn {test}(")), "there is no {file}::{test}");
    }
}
