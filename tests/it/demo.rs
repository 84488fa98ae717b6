//! `baton demo` through the real program, with no git, no home and no configuration: what it leaves behind is examined, in
//! the bare repository and in the clone of each seat.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use git2::Repository;

/// All that the demonstration may ask of the machine.
const TOOLS: [&str; 13] =
    ["sh", "awk", "cat", "cut", "dirname", "grep", "head", "mv", "sed", "sort", "tail", "true", "wc"];
/// Longer than any demonstration takes on a busy machine.
const BOUND: Duration = Duration::from_mins(1);

/// A directory with these tools only, and room for demonstrations.
struct Place {
    root: PathBuf,
    _directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("bin")).unwrap();
        std::fs::create_dir(root.join("tmp")).unwrap();
        for tool in TOOLS {
            symlink(find(tool), root.join("bin").join(tool)).unwrap();
        }
        Self { root, _directory: directory }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env_clear().env("PATH", self.root.join("bin")).stdin(Stdio::null());
        command.env("TMPDIR", self.root.join("tmp"));
        command
    }

    fn demo(&self) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_baton"));
        command.arg("demo");
        command
    }

    fn text(&self, output: &Output) -> (Option<i32>, String, String) {
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec()).unwrap().replace(self.root.to_str().unwrap(), "/place")
        };
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// The last line of the program's tests in a directory, and whether they passed.
    fn tests_in(&self, directory: &Path) -> (bool, String) {
        let output = self.command("sh").arg(directory.join("tests/run.sh")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), text.lines().last().unwrap_or_default().to_owned())
    }

    /// The files of a commit, in a directory of their own.
    fn check_out(&self, repository: &Repository, commit: git2::Oid) -> PathBuf {
        let target = self.root.join(format!("checkout-{commit}"));
        std::fs::create_dir_all(&target).unwrap();
        let tree = repository.find_commit(commit).unwrap().tree().unwrap();
        let mut builder = git2::build::CheckoutBuilder::new();
        builder.target_dir(&target).force().update_index(false);
        repository.checkout_tree(tree.as_object(), Some(&mut builder)).unwrap();
        target
    }

    /// The state on the tip of a demonstration's bare repository.
    fn state_on(&self, remote: &Repository) -> serde_json::Value {
        let tip = remote.head().unwrap().peel_to_commit().unwrap();
        let checked_out = self.check_out(remote, tip.id());
        serde_json::from_slice(&std::fs::read(checked_out.join("sync/state.json")).unwrap()).unwrap()
    }

    fn demonstrations(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.root.join("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

fn find(tool: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|file| file.is_file()).unwrap()
}

/// From the first commit to HEAD.
fn history(repository: &Repository) -> Vec<git2::Commit<'_>> {
    let mut walk = repository.revwalk().unwrap();
    walk.push_head().unwrap();
    walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE).unwrap();
    walk.map(|id| repository.find_commit(id.unwrap()).unwrap()).collect()
}

fn changed_paths(repository: &Repository, commit: &git2::Commit<'_>) -> BTreeSet<String> {
    let parent = commit.parent(0).unwrap().tree().unwrap();
    let difference =
        repository.diff_tree_to_tree(Some(&parent), Some(&commit.tree().unwrap()), None).unwrap();
    difference.deltas().map(|delta| delta.new_file().path().unwrap().to_str().unwrap().to_owned()).collect()
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|&name| name.to_owned()).collect()
}

/// What the commits of the demonstration say, with the abbreviations that stand in the stamps, the oldest first.
fn expected_subjects(commits: &[git2::Commit<'_>]) -> Vec<String> {
    let (galph, ralph) = ("SUPERVISOR AUTO (prompt=", "RALPH AUTO (prompt=main.md)");
    let mut expected = vec![
        "A program with three features missing, and the tests that say so".to_owned(),
        "[SYNC init] actor=galph status=idle".to_owned(),
    ];
    // A stamp names the commit below it.
    let below = |expected: &Vec<String>| {
        commits.get(expected.len() - 1).map_or_else(String::new, |it| it.id().to_string()[..7].to_owned())
    };
    for (iteration, prompt) in [(1, "supervisor"), (2, "supervisor"), (3, "reviewer"), (4, "supervisor")] {
        let next = iteration + 1;
        expected.push(format!("[SYNC i={iteration}] actor=galph status=running"));
        expected.push(format!("{galph}{prompt}.md) (iter=0000{iteration}): doc/meta hygiene"));
        let work = below(&expected);
        expected.push(format!("[SYNC i={iteration}] actor=galph → next=ralph status=ok galph_commit={work}"));
        expected.push(format!("[SYNC i={iteration}] actor=ralph status=running"));
        expected.push(format!("{ralph} (iter=0000{iteration}): doc/meta hygiene"));
        expected.push(format!("{ralph} (iter=0000{iteration}): work"));
        let work = below(&expected);
        expected.push(format!("[SYNC i={next}] actor=ralph → next=galph status=ok ralph_commit={work}"));
    }
    expected.push("[SYNC i=5] actor=galph status=running".to_owned());
    let claim = below(&expected);
    expected.push(format!("[SYNC i=5] actor=galph → next=ralph status=ok galph_commit={claim}"));
    expected
}

fn dirty(repository: &Repository) -> Vec<String> {
    let mut options = git2::StatusOptions::new();
    options.include_untracked(true).include_ignored(false);
    let statuses = repository.statuses(Some(&mut options)).unwrap();
    statuses.iter().map(|entry| entry.path().unwrap().to_owned()).collect()
}

#[test]
fn two_seats_earn_completion_through_a_bare_repository_with_nothing_but_sh_and_its_tools() {
    let place = Place::new();
    let output = place.demo().args(["--dir", "a demo/with spaces"]).output().unwrap();
    let (code, stdout, stderr) = place.text(&output);
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    let root = place.root.join("a demo/with spaces");
    let remote = Repository::open_bare(root.join("remote.git")).unwrap();
    let commits = history(&remote);

    let subjects: Vec<String> =
        commits.iter().map(|commit| commit.summary().unwrap().unwrap().to_owned()).collect();
    assert_eq!(subjects, expected_subjects(&commits));
    let mut by_turn: BTreeMap<String, usize> = BTreeMap::new();
    for commit in &commits[1..] {
        let message = commit.message().unwrap();
        let subject = commit.summary().unwrap().unwrap();
        let allowed = if subject.starts_with("[SYNC") {
            names(&["sync/state.json"])
        } else if subject.ends_with(": work") {
            names(&["expenses.sh", "tests/run.sh", "tests/spelling.csv"])
        } else if subject.starts_with("RALPH") {
            names(&["docs/fix_plan.md"])
        } else {
            names(&["docs/fix_plan.md", "input.md"])
        };
        let paths = changed_paths(&remote, commit);
        assert!(!paths.is_empty() && paths.is_subset(&allowed), "{subject}: {paths:?}");
        assert_eq!(commit.parent_count(), 1, "{subject}");
        assert_eq!(commit.author().email().unwrap(), "demo@baton.invalid");
        if subject != "[SYNC init] actor=galph status=idle" {
            let turn = message.lines().find_map(|line| line.strip_prefix("Baton-Turn: ")).unwrap();
            *by_turn.entry(turn.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(by_turn.into_values().collect::<Vec<_>>(), [3, 4, 3, 4, 3, 4, 3, 4, 2]);

    assert_eq!(
        place.tests_in(&place.check_out(&remote, commits[0].id())),
        (false, "5 tests, 3 failed".to_owned())
    );
    let tip = commits.last().unwrap().id();
    let finished = place.check_out(&remote, tip);
    assert_eq!(place.tests_in(&finished), (true, "6 tests, 0 failed".to_owned()));
    let plan = std::fs::read_to_string(finished.join("docs/fix_plan.md")).unwrap();
    let boxes: Vec<&str> = plan.lines().filter_map(|line| line.strip_prefix("- [")).collect();
    assert_eq!(boxes.len(), 4);
    assert!(boxes.iter().all(|ticked| ticked.starts_with("x] ") && ticked.contains("(evidence: ")), "{plan}");

    let state = place.state_on(&remote);
    assert_eq!(state["exit"], true);
    let reason = "complete: 1 verify command(s) pass, every item of docs/fix_plan.md is ticked";
    assert_eq!(state["exit_reason"], reason);
    assert_eq!((&state["iteration"], &state["epoch"]), (&5.into(), &9.into()));
    assert_eq!(state["holder"], serde_json::Value::Null);
    assert_eq!(
        (&state["usage"]["galph"]["turns"], &state["usage"]["ralph"]["turns"]),
        (&5.into(), &4.into())
    );

    // Nothing is left lying about; both clones are where the remote is.
    for clone in ["laptop", "gpu-box"] {
        let clone = Repository::open(root.join(clone)).unwrap();
        assert_eq!(dirty(&clone), [""; 0]);
        assert_eq!(clone.head().unwrap().peel_to_commit().unwrap().id(), tip);
        assert_eq!(clone.head().unwrap().shorthand().unwrap(), "main");
        assert!(clone.path().join("baton/ledger.db").is_file());
    }
    let logs = |clone: &str, folder: &str| {
        std::fs::read_dir(root.join(clone).join("logs/main").join(folder)).map_or(0, Iterator::count)
    };
    assert_eq!((logs("laptop", "galph"), logs("laptop", "ralph")), (5, 0));
    assert_eq!((logs("gpu-box", "galph"), logs("gpu-box", "ralph")), (0, 4));

    let refusals = summaries_with(&root.join("laptop"), "- refused: these `verify` commands fail: tests");
    assert_eq!(refusals, ["iter-00002"], "the early promise, and only that");
    assert!(
        stdout.contains(
            "\nrefused in iteration 2: galph promised completion, but these `verify` commands fail: tests\n\
             granted in iteration 5: 1 verify command(s) pass, every item of docs/fix_plan.md is ticked\n"
        ),
        "{stdout}"
    );
    for (commit, subject) in commits[1..].iter().zip(&subjects[1..]) {
        let line = format!("\n  {} {subject}\n", &commit.id().to_string()[..7]);
        assert!(stdout.contains(&line), "{line} in {stdout}");
    }
    let ralph_s_end = format!("\nstopped: {reason} (`baton stop --clear` lets the turns go on)\n");
    assert!(stdout.contains(&ralph_s_end), "{stdout}");
    assert!(stdout.contains("\nRemove it with: rm -rf '/place/a demo/with spaces'\n"), "{stdout}");
    let is_of_a_seat = |line: &str| line.starts_with("galph | ") || line.starts_with("ralph | ");
    assert!(stderr.lines().all(is_of_a_seat), "{stderr}");
}

#[test]
fn one_process_plays_both_seats_where_it_is_asked_to() {
    let place = Place::new();
    let output = place.demo().args(["--combined", "--dir", "here"]).output().unwrap();
    let (code, stdout, stderr) = place.text(&output);
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    let root = place.root.join("here");
    let repository = Repository::open(&root).unwrap();
    let commits = history(&repository);
    let subjects: Vec<&str> = commits.iter().map(|commit| commit.summary().unwrap().unwrap()).collect();
    let expected: Vec<String> =
        expected_subjects(&[]).into_iter().filter(|subject| !subject.starts_with("[SYNC")).collect();
    assert_eq!(subjects, expected);
    let finished = place.check_out(&repository, commits.last().unwrap().id());
    assert_eq!(place.tests_in(&finished), (true, "6 tests, 0 failed".to_owned()));
    assert_eq!(dirty(&repository), ["sync/"], "only the state is not committed");
    assert_eq!(summaries_with(&root, "- refused: these `verify` commands fail: tests"), ["iter-00002"]);
    assert!(
        stdout.contains(
            "refused in iteration 2: galph promised completion, but these `verify` commands fail: tests\n"
        ),
        "{stdout}"
    );
    assert!(stdout.contains("\nRemove it with: rm -rf /place/here\n"), "{stdout}");
}

/// The iterations of galph's summaries that hold this line.
fn summaries_with(root: &Path, line: &str) -> Vec<String> {
    let folder = std::fs::read_dir(root.join("logs/main/galph-summaries")).unwrap();
    let mut found: Vec<String> = folder
        .map(|entry| entry.unwrap())
        .filter(|entry| std::fs::read_to_string(entry.path()).unwrap().lines().any(|seen| seen == line))
        .map(|entry| entry.file_name().to_str().unwrap()[..10].to_owned())
        .collect();
    found.sort();
    found
}

#[test]
fn the_user_s_settings_and_git_s_stay_outside_and_two_demos_do_not_meet() {
    let place = Place::new();
    let home = place.root.join("home");
    std::fs::create_dir_all(home.join(".config/baton")).unwrap();
    std::fs::write(home.join(".config/baton/config.yaml"), "no_such_key: 1\n").unwrap();
    std::fs::write(
        home.join(".gitconfig"),
        "[user]\n\tname = Somebody Else\n[core]\n\texcludesFile = ~/ignore\n",
    )
    .unwrap();
    std::fs::write(home.join("ignore"), "*.sh\n*.md\n").unwrap();
    let hostile = [
        ("GIT_DIR", "/nowhere"),
        ("GIT_INDEX_FILE", "/nowhere"),
        ("GIT_AUTHOR_NAME", "Somebody Else"),
        ("ORCHESTRATION_BRANCH", "other"),
        ("ORCHESTRATOR_MODE", "role"),
        ("ORCHESTRATOR_AGENT", "claude"),
        ("LOOP_AGENT_ROLE", "ralph=claude"),
        ("STATE_FILE", "elsewhere.json"),
        ("HEARTBEAT_SECS", "no number"),
    ];
    for _ in 0..2 {
        let mut command = place.demo();
        let output = command.arg("--quiet").env("HOME", &home).envs(hostile).output().unwrap();
        let (code, stdout, stderr) = place.text(&output);
        let refused = "galph | warning: galph's promise of completion is refused: these `verify` commands fail: tests\n";
        assert_eq!((code, stderr.as_str()), (Some(0), refused), "{stdout}");
    }
    let made = place.demonstrations();
    assert_eq!(made.len(), 2);
    for root in made {
        let repository = Repository::open_bare(root.join("remote.git")).unwrap();
        let commits = history(&repository);
        assert_eq!(commits.len(), 32);
        let strangers =
            commits.iter().filter(|commit| commit.author().name().unwrap() != "Baton Demo").count();
        assert_eq!(strangers, 0);
    }
}

#[test]
fn a_directory_that_holds_something_is_refused_and_left_as_it_is() {
    let place = Place::new();
    std::fs::create_dir(place.root.join("mine")).unwrap();
    std::fs::write(place.root.join("mine/file"), "").unwrap();
    let output = place.demo().args(["--dir", "mine"]).output().unwrap();
    let refusal = "error: `/place/mine` is not empty; name an empty directory, or one that does not exist\n";
    assert_eq!(place.text(&output), (Some(2), String::new(), refusal.to_owned()));
    assert_eq!(std::fs::read_dir(place.root.join("mine")).unwrap().count(), 1);
}

#[test]
fn a_temporary_directory_that_is_not_there_is_named() {
    let place = Place::new();
    let output = place.demo().env("TMPDIR", place.root.join("none")).output().unwrap();
    let (code, stdout, stderr) = place.text(&output);
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!((code, stdout.as_str(), lines.len()), (Some(1), "", 3), "{stderr}");
    assert_eq!(lines[0], "error: cannot make a directory in `/place/none`");
    assert!(lines[1].starts_with("  caused by: No such file or directory (os error 2)"), "{stderr}");
    assert_eq!(
        lines[2],
        "  help: name a directory with `--dir DIR`, or set TMPDIR to one that can be written"
    );
}

#[test]
fn a_demo_whose_tools_are_missing_fails_with_1_and_keeps_what_it_made() {
    let place = Place::new();
    std::fs::remove_file(place.root.join("bin/awk")).unwrap();
    let output = place.demo().args(["--quiet", "--dir", "here"]).output().unwrap();
    let (code, _, stderr) = place.text(&output);
    assert_eq!(code, Some(1), "{stderr}");
    // Ralph's tests cannot pass. Galph finds the failed turn on the remote, unless it is too slow and is asked to stop.
    let end_of_galph = if stderr.contains("galph ended with exit code 143") { 143 } else { 5 };
    assert!(
        stderr.ends_with(&format!(
            "The demonstration is kept: /place/here\nRemove it with: rm -rf /place/here\n\
             error: the demonstration ended before completion was earned: \
             galph ended with exit code {end_of_galph}, ralph ended with exit code 5\n  \
             help: the summaries under `laptop/logs` and `gpu-box/logs` tell what each turn did\n"
        )),
        "{stderr}"
    );
    let state = place.state_on(&Repository::open_bare(place.root.join("here/remote.git")).unwrap());
    assert_eq!((&state["status"], &state["expected_actor"]), (&"failed".into(), &"ralph".into()));
}

/// A demonstration in `here` whose first turn never ends, once that has begun.
fn start_endless(place: &Place) -> std::process::Child {
    let started = place.root.join("started");
    let slow = format!(
        "#!{}\n: >'{}'\nexec {} 600\n",
        find("sh").display(),
        started.display(),
        find("sleep").display()
    );
    let awk = place.root.join("bin/awk");
    std::fs::remove_file(&awk).unwrap();
    std::fs::write(&awk, slow).unwrap();
    std::fs::set_permissions(&awk, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = place.demo();
    command.args(["--dir", "here"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait_until("the first turn begins", || started.exists());
    let looked = place.root.join("here/gpu-box/.git/refs/baton/remote/heads/main");
    wait_until("ralph looks at the remote", || looked.exists());
    child
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < BOUND, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The processes that work below a directory.
fn processes_below(root: &Path) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid: &i32| {
            std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place.starts_with(root))
        })
        .collect()
}

#[test]
fn an_interrupted_demo_ends_both_seats_with_their_state_saved_and_says_where_all_is() {
    let place = Place::new();
    let child = start_endless(&place);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let (code, _, stderr) = place.text(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(130), "{stderr}");
    assert!(
        stderr.ends_with(
            "error: stopped by a signal, with the state saved\n  \
             help: `baton run --mode role --role galph` in laptop/ and `baton run --mode role --role ralph` in gpu-box/ \
             go on from here\n\
             The demonstration is kept: /place/here\nRemove it with: rm -rf /place/here\n"
        ),
        "{stderr}"
    );
    for seat in ["galph", "ralph"] {
        let saved = format!("{seat} | error: stopped by a signal, with the state saved\n");
        let goes_on = format!("{seat} |   help: `baton run --mode role --role {seat}` goes on from here\n");
        assert!(stderr.contains(&saved) && stderr.contains(&goes_on), "{stderr}");
    }
    let state = place.state_on(&Repository::open_bare(place.root.join("here/remote.git")).unwrap());
    assert_eq!((&state["status"], &state["holder"]), (&"idle".into(), &serde_json::Value::Null));
    wait_until("all processes are gone", || processes_below(&place.root.join("here")).is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_seat_that_is_killed_takes_the_other_with_it() {
    let place = Place::new();
    let child = start_endless(&place);
    let gpu_box = place.root.join("here/gpu-box");
    let ralph = processes_below(&gpu_box);
    let pid = rustix::process::Pid::from_raw(ralph[0]).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let (code, _, stderr) = place.text(&child.wait_with_output().unwrap());
    assert_eq!((code, ralph.len()), (Some(1), 1), "{stderr}");
    assert!(
        stderr.contains(
            "\nerror: the demonstration ended before completion was earned: \
             galph ended with exit code 143, ralph was ended by signal: 9 (SIGKILL)\n"
        ),
        "{stderr}"
    );
    wait_until("all processes are gone", || processes_below(&place.root.join("here")).is_empty());
}
