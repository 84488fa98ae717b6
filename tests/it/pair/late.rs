//! Work that is found unfit only when it is to be handed over, since others have pushed or a hook says no: the other side is
//! told as of any refused work, and when a person has mended it, it is published without another agent.

use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;

use crate::support::{
    Ended, Ending, Fault, Machine, Orchestrator, Pair, SYNC, Scheme, Service, start_role, wait_for_both,
};

/// A token that the scan knows, put together here so that this file has none.
fn token() -> String {
    ["ghp_", "4kQ9zR2mX7pL1vN8", "bT6yW3cJ5hF0dSgAeUiO"].concat()
}

const CONFLICT: &str = "met a conflict with what others have pushed";
const HOOK: &str = "was kept from pushing the work by a hook";
const DECLINED: &str = "was not allowed to push the work";

/// What both change, and what the turn makes of it.
fn contested(role: &str) -> (&'static str, &'static str) {
    if role == "galph" { ("docs/fix_plan.md", "iteration 1\n") } else { ("src/counter.rs", "1\n") }
}

fn again(role: &str) -> String {
    format!("`baton run --mode role --role {role}`")
}

/// A person pushes to the contested file while the agent works; how both sides ended.
fn conflict(pair: &Pair, role: &str) -> [Ended; 2] {
    conflict_with(pair, role, "work; wait_for_release")
}

fn conflict_with(pair: &Pair, role: &str, script: &str) -> [Ended; 2] {
    pair.seat(role).prepare_release();
    pair.seat(role).script_once(role, script);
    let started = ["galph", "ralph"].map(|role| pair.start(role, 1, None));
    pair.seat(role).await_waiting(role);
    push(&pair.clone_machine("somebody"), contested(role).0, "theirs\n");
    pair.seat(role).release();
    let [galph, ralph] = started.map(Orchestrator::wait);
    if role == "galph" { [galph, ralph] } else { [ralph, galph] }
}

fn push(person: &Machine, path: &str, content: &str) {
    person.write(path, content);
    person.git(&["add", "--", path]);
    person.git(&["commit", "--quiet", "--message=by a person", "--", path]);
    person.git(&["push", "--quiet", "origin", "main"]);
}

/// A person begins what they were told; their own changes are put aside.
fn begin_rebase(machine: &Machine) {
    machine.git(&["stash", "--quiet"]);
    machine.try_git(&["pull", "--quiet", "--rebase", "origin", "main"]).unwrap_err();
}

/// Gives a machine a hook that looks at what is to be pushed.
fn write_pre_push(machine: &Machine, script: &str) {
    let hooks = machine.root().join(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    let hook = hooks.join("pre-push");
    std::fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn end_rebase(machine: &Machine, path: &str, content: &str) {
    machine.write(path, content);
    machine.git(&["add", "--", path]);
    machine.git(&["-c", "core.editor=true", "rebase", "--continue"]);
    machine.git(&["stash", "pop", "--quiet", "--index"]);
}

fn resolve(pair: &Pair, role: &str) {
    let (path, content) = contested(role);
    begin_rebase(pair.seat(role));
    end_rebase(pair.seat(role), path, content);
}

/// The remote says that the turn has failed here, and why.
#[track_caller]
fn assert_told(pair: &Pair, reason: &str) -> serde_json::Value {
    let state = pair.state().unwrap();
    let null = serde_json::Value::Null;
    assert_eq!((&state["status"], &state["holder"]), (&"failed".into(), &null), "{state:#}");
    let failure = state["failure"].clone();
    assert_eq!((&failure["reason"], &failure["waits"]), (&reason.into(), &true.into()));
    failure
}

/// The other side has ended, and says where to go.
#[track_caller]
fn assert_ended_by(other: Ended, role: &str, failure: &serde_json::Value, reason: &str) {
    let host = failure["host"].as_str().unwrap();
    other
        .assert_code(5)
        .assert_says(&format!("{role}'s turn of iteration 1 failed on {host}: {reason}"))
        .assert_says(&format!("a person mends it on {host}, and {} there publishes it", again(role)));
}

/// Ends the iteration from the seat whose work is mended now: each agent was started once, and each turn is counted once.
fn assert_goes_on(pair: &Pair, role: &str) {
    let own = pair.start(role, 1, None);
    if role == "galph" {
        pair.await_status("waiting-ralph");
        pair.start("ralph", 1, None).wait().assert_code(0);
    }
    own.wait().assert_code(0);
    pair.assert_undisturbed(1);
    assert_eq!(pair.seat(role).head(), pair.seat(role).git(&["rev-parse", "origin/main"]).trim());
    let usage = pair.state().unwrap()["usage"].clone();
    assert_eq!((&usage["galph"]["turns"], &usage["ralph"]["turns"]), (&1.into(), &1.into()), "counted once");
}

#[rstest]
fn a_conflict_is_told_to_the_other_side_and_the_work_published_when_it_is_resolved(
    #[values("galph", "ralph")] role: &str,
    #[values(Scheme::Path, Scheme::Daemon)] scheme: Scheme,
) {
    let pair = Pair::new(scheme);
    let (path, _) = contested(role);
    let [own, other] = conflict(&pair, role);
    own.assert_code(5)
        .assert_says(&format!("both change:\n    {path}"))
        .assert_says("`git pull --rebase origin main`")
        .assert_says("`git stash` before it, `git stash pop --index` after it")
        .assert_says(&format!("then {}: it goes on with the publication", again(role)));
    let failure = assert_told(&pair, CONFLICT);
    assert_ended_by(other, role, &failure, CONFLICT);
    let status = pair.seat(role).baton(&["status"]).assert_code(0).stdout;
    assert!(
        status.contains("it publishes the open turn's work, once what was refused is mended"),
        "{status}"
    );
    let doctor = pair.seat(role).baton(&["doctor"]).stdout;
    assert!(!doctor.contains("was taken away"), "{doctor}");
    // The same again as long as nobody has resolved it, and the branch does not fill with that.
    let tip = pair.tip();
    pair.start(role, 1, None).wait().assert_code(5).assert_says(path);
    let ticked = pair.seat(role).baton(&["tick", &format!("--role={role}"), "--exit-code"]).assert_code(5);
    assert!(ticked.stdout.contains(CONFLICT), "{}", ticked.stdout);
    assert_eq!(pair.tip(), tip);
    resolve(&pair, role);
    assert_goes_on(&pair, role);
}

/// By habit, people merge instead of rebasing.
#[test]
fn a_conflict_may_be_resolved_by_a_merge_too() {
    let pair = Pair::new(Scheme::Path);
    let [own, _] = conflict(&pair, "ralph");
    own.assert_code(5);
    let (path, content) = contested("ralph");
    let machine = pair.ralph();
    machine.git(&["stash", "--quiet"]);
    machine.try_git(&["pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main"]).unwrap_err();
    machine.write(path, content);
    machine.git(&["add", "--", path]);
    machine.git(&["commit", "--quiet", "--no-edit"]);
    machine.git(&["stash", "pop", "--quiet", "--index"]);
    assert_goes_on(&pair, "ralph");
}

/// What others push between the resolution and the publication is taken along like any other push.
#[test]
fn what_others_push_after_a_conflict_was_resolved_is_kept_below_the_work() {
    let pair = Pair::new(Scheme::Path);
    let [own, _] = conflict(&pair, "ralph");
    own.assert_code(5);
    resolve(&pair, "ralph");
    let person = pair.clone_machine("person");
    push(&person, "own/other.txt", "theirs\n");
    person.baton(&["hold", "set", "pause", "--reason=a look"]).assert_code(0);
    pair.start("ralph", 1, None).wait().assert_code(4);
    let held = pair.state().unwrap();
    person.baton(&["hold", "clear", held["holds"][0]["id"].as_str().unwrap()]).assert_code(0);
    assert_goes_on(&pair, "ralph");
    assert_eq!(pair.git(&["show", "main:own/other.txt"]), "theirs\n");
}

/// Half a rebase is half the work.
#[test]
fn a_rebase_that_is_not_finished_is_named_and_nothing_is_published() {
    let pair = Pair::new(Scheme::Path);
    let [own, _] = conflict_with(&pair, "ralph", "work; echo more > docs/more.md; wait_for_release");
    own.assert_code(5);
    // The first of the two commits fits, the second does not.
    begin_rebase(pair.ralph());
    let tip = pair.tip();
    pair.start("ralph", 1, None).wait().assert_code(2).assert_says("rebase");
    assert_eq!(pair.tip(), tip);
    let (path, content) = contested("ralph");
    end_rebase(pair.ralph(), path, content);
    assert_goes_on(&pair, "ralph");
    assert_eq!(pair.git(&["show", "main:docs/more.md"]), "more\n");
}

/// Whoever takes the remote's branch instead of the work has not resolved anything: the work is not given up in silence.
#[test]
fn work_that_was_dropped_from_the_branch_is_not_taken_for_published() {
    let pair = Pair::new(Scheme::Path);
    let [own, _] = conflict(&pair, "ralph");
    own.assert_code(5);
    let machine = pair.ralph();
    let work = machine.head();
    machine.git(&["stash", "--quiet"]);
    machine.git(&["fetch", "--quiet", "origin"]);
    machine.git(&["reset", "--quiet", "--hard", "origin/main"]);
    machine.git(&["stash", "pop", "--quiet", "--index"]);
    pair.start("ralph", 1, None).wait().assert_code(5).assert_says("src/counter.rs");
    assert_eq!(pair.state().unwrap()["status"], "failed");
    machine.git(&["stash", "--quiet"]);
    machine.git(&["reset", "--quiet", "--hard", &work]);
    machine.git(&["stash", "pop", "--quiet", "--index"]);
    resolve(&pair, "ralph");
    assert_goes_on(&pair, "ralph");
}

#[test]
fn a_secret_that_comes_in_with_the_resolution_is_refused_and_told() {
    let pair = Pair::new(Scheme::Path);
    let [own, _] = conflict(&pair, "ralph");
    own.assert_code(5);
    let (path, content) = contested("ralph");
    begin_rebase(pair.ralph());
    end_rebase(pair.ralph(), path, &format!("1 // {}\n", token()));
    let refused = pair.start("ralph", 1, None).wait().assert_code(5);
    assert!(!refused.stderr.contains(&token()));
    let refused = refused
        .assert_says("ralph's work holds what looks like secrets, and nothing is published:\n    commit ")
        .assert_says("it goes on with the publication, the agent is not run again");
    // What it tells to do, done.
    let reset = refused.stderr.lines().find(|line| line.contains("git reset --soft")).unwrap();
    let machine = pair.ralph();
    machine.git(&["stash", "--quiet"]);
    let onto = reset.split_whitespace().nth(3).unwrap().to_owned();
    machine.git(&["reset", "--quiet", "--soft", &onto]);
    machine.write(path, content);
    machine.git(&["add", "--", path]);
    machine.git(&["commit", "--quiet", "--message=resolved"]);
    machine.git(&["stash", "pop", "--quiet", "--index"]);
    assert_goes_on(&pair, "ralph");
    assert_eq!(pair.git(&["log", "--all", "--format=%H", &format!("-S{}", token())]), "");
}

/// The user's own hook, and a rule of the server's, look at pushes of work.
#[rstest]
fn a_push_of_work_that_a_hook_forbids_is_told_and_published_when_it_is_mended(
    #[values("galph", "ralph")] role: &str,
    #[values("pre-push", "pre-receive")] hook: &str,
) {
    let pair = Pair::new(Scheme::Path);
    let (path, content) = contested(role);
    pair.seat(role).script_once(role, &format!("work; echo ugly >> {path}"));
    let reason = if hook == "pre-push" { HOOK } else { DECLINED };
    let forbid = format!(
        "new=$(cut -d' ' -f2); git show $new:{path} | grep -q ugly || exit 0; echo it is ugly >&2; exit 1"
    );
    if hook == "pre-push" {
        write_pre_push(pair.seat(role), &forbid);
    } else {
        pair.write_hook(hook, &forbid);
    }
    let started = ["galph", "ralph"].map(|role| pair.start(role, 1, None));
    let [galph, ralph] = started.map(Orchestrator::wait);
    let [own, other] = if role == "galph" { [galph, ralph] } else { [ralph, galph] };
    own.assert_code(5).assert_says("it is ugly").assert_says(&format!("then {}", again(role)));
    let failure = assert_told(&pair, reason);
    assert_ended_by(other, role, &failure, reason);
    // Not mended, it is refused again.
    let tip = pair.tip();
    pair.start(role, 1, None).wait().assert_code(5).assert_says("it is ugly");
    assert_eq!(pair.tip(), tip);
    let ticked = pair.seat(role).baton(&["tick", &format!("--role={role}"), "--exit-code"]).assert_code(5);
    assert!(ticked.stdout.contains(reason), "{}", ticked.stdout);
    // A person mends it in a commit of their own.
    let machine = pair.seat(role);
    machine.write(path, content);
    machine.git(&["commit", "--quiet", "--message=less ugly", "--", path]);
    assert_goes_on(&pair, role);
    assert_eq!(pair.history().subjects().iter().filter(|subject| **subject == "less ugly").count(), 1);
}

#[test]
fn a_conflict_whose_turn_was_taken_over_is_fenced_off_and_its_work_kept() {
    let pair = Pair::configured(Scheme::Path, 3, SYNC);
    let [own, _] = conflict(&pair, "galph");
    own.assert_code(5);
    let turn = assert_told(&pair, CONFLICT)["turn"].as_str().unwrap().to_owned();
    let third = &pair.machines()[2];
    start_role(third, "galph", &["--sync-loops=1"], None).wait().assert_code(5).assert_says(CONFLICT);
    let person = pair.clone_machine("person");
    person.baton(&["takeover", "galph"]).assert_code(2).assert_says(CONFLICT);
    person.baton(&["takeover", "galph", "--yes"]).assert_code(0);
    let both = [start_role(third, "galph", &["--sync-loops=1"], None), pair.start("ralph", 1, None)];
    for ended in wait_for_both(both) {
        ended.assert_code(0);
    }
    let tip = pair.tip();
    let name = format!("refs/baton-rescue/{turn}/work");
    pair.start("galph", 1, None).wait().assert_code(6).assert_says(&name);
    assert_eq!(pair.tip(), tip);
    let (path, content) = contested("galph");
    assert_eq!(pair.galph().git(&["show", &format!("{name}:{path}")]), content);
    let account = pair.history().account_with(&pair.notes());
    account.assert_iterations(1);
    let endings: Vec<Ending> = account.turns.iter().map(|turn| turn.ending).collect();
    assert_eq!(endings, [Ending::Failed, Ending::Passed, Ending::Passed]);
}

/// Killed before the first push, and again between what is written down of the conflict and what is told.
#[test]
fn a_kill_before_a_conflict_is_told_is_made_up_for_by_the_next_start() {
    let pair = Pair::new(Scheme::Path);
    pair.galph().prepare_release();
    pair.galph().script_once("galph", "work; wait_for_release");
    let place = Some("published:effect");
    let (own, ralph) = (pair.start("galph", 1, place), pair.start("ralph", 1, None));
    pair.galph().await_waiting("galph");
    push(&pair.clone_machine("somebody"), contested("galph").0, "theirs\n");
    pair.galph().release();
    own.wait().assert_killed();
    pair.start("galph", 1, place).wait().assert_killed();
    assert_eq!(pair.state().unwrap()["status"], "running-galph");
    pair.start("galph", 1, None).wait().assert_code(5);
    let failure = assert_told(&pair, CONFLICT);
    assert_ended_by(ralph.wait(), "galph", &failure, CONFLICT);
    resolve(&pair, "galph");
    assert_goes_on(&pair, "galph");
}

/// The remote takes the word of the conflict, and the answer is lost.
#[test]
fn a_conflict_that_was_told_without_an_answer_is_told_once() {
    let pair = Pair::new(Scheme::Daemon);
    // The first state, the claim, and the push of the work go well; that of the conflict is not answered.
    pair.server().spare(Service::Push, 3);
    pair.server().next(Service::Push, Fault::DropAnswer);
    let [own, _] = conflict(&pair, "galph");
    own.assert_code(5);
    assert_told(&pair, CONFLICT);
    let told = |subject: &&&str| subject.contains("status=fail");
    assert_eq!(pair.history().subjects().iter().filter(told).count(), 1);
    resolve(&pair, "galph");
    assert_goes_on(&pair, "galph");
}

/// Killed around the refusal, or around the publication after it: nothing is done twice.
#[rstest]
fn a_kill_around_a_conflict_changes_nothing(
    #[values("galph", "ralph")] role: &str,
    #[values("published:effect", "published:pushed", "published:accepted")] place: &str,
) {
    let pair = Pair::new(Scheme::Path);
    let [own, _] = conflict(&pair, role);
    own.assert_code(5);
    resolve(&pair, role);
    pair.start(role, 1, Some(place)).wait().assert_killed();
    assert_goes_on(&pair, role);
}
