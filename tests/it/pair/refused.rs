//! Work that must not leave: the seat that refuses it says so on the remote, keeps the work, and goes on with it when a
//! person has mended it, unless somebody else has taken the turn meanwhile.

use rstest::rstest;

use crate::support::{Ended, Ending, Fault, Machine, Orchestrator, Pair, SYNC, Scheme, Service, start_role};

/// A token that the scan knows, put together here so that this file has none.
fn token() -> String {
    ["ghp_", "4kQ9zR2mX7pL1vN8", "bT6yW3cJ5hF0dSgAeUiO"].concat()
}

const SECRETS: &str = "refused to publish what looks like secrets";

/// A file that this seat publishes.
fn leak(role: &str) -> &'static str {
    if role == "galph" { "plans/leak.md" } else { "src/leak.rs" }
}

/// What an agent does that its seat must not publish, and what a person does about it.
struct Case {
    script: String,
    says: &'static str,
    reason: &'static str,
    mend: fn(&Machine, &str),
}

fn case(name: &str, role: &str) -> Case {
    match name {
        "secret" => Case {
            script: format!("work; echo 'key {}' > {}", token(), leak(role)),
            says: "work holds what looks like secrets, and nothing is committed",
            reason: SECRETS,
            mend: |machine, role| machine.write(leak(role), "no key\n"),
        },
        "secret in a commit" => Case {
            script: format!(
                "work; echo 'key {}' > {1}; git add {1}; git commit --quiet --message=mine -- {1}",
                token(),
                leak(role)
            ),
            says: "its agent",
            reason: SECRETS,
            mend: |machine, role| {
                let claim = machine.git(&["log", "-1", "--format=%H", "--grep=status=running"]);
                machine.git(&["reset", "--quiet", "--soft", claim.trim()]);
                machine.git(&["reset", "--quiet", "--", leak(role)]);
                machine.write(leak(role), "no key\n");
            },
        },
        "protected" => Case {
            script: "work; echo '# mine' >> orchestration.yaml".to_owned(),
            says: "work cannot be committed:\n    orchestration.yaml",
            reason: "refused to publish the work as it is",
            mend: |machine, _| drop(machine.git(&["checkout", "--quiet", "--", "orchestration.yaml"])),
        },
        _ => unreachable!("{name}"),
    }
}

/// Runs both seats until the agent of one has done what is refused; its end and the other's.
fn refused(pair: &Pair, role: &str, script: &str) -> [Ended; 2] {
    pair.seat(role).script_once(role, script);
    let [galph, ralph] = ["galph", "ralph"].map(|role| pair.start(role, 1, None)).map(Orchestrator::wait);
    if role == "galph" { [galph, ralph] } else { [ralph, galph] }
}

/// Ends the iteration from the seat whose work was refused and is mended now.
fn go_on(pair: &Pair, role: &str) {
    let own = pair.start(role, 1, None);
    if role == "galph" {
        pair.await_status("waiting-ralph");
        pair.start("ralph", 1, None).wait().assert_code(0);
    }
    own.wait().assert_code(0);
}

fn failure(pair: &Pair) -> serde_json::Value {
    let state = pair.state().unwrap();
    assert_eq!(
        (&state["status"], &state["holder"]),
        (&"failed".into(), &serde_json::Value::Null),
        "{state:#}"
    );
    state["failure"].clone()
}

/// Nothing of it ever reached the remote, neither in the branch nor beside it.
fn assert_never_left(pair: &Pair, text: &str) {
    let found = pair.git(&["log", "--all", "--format=%H %s", &format!("-S{text}")]);
    assert_eq!(found, "", "{text} is in the remote's history");
    assert!(!pair.git(&["log", "--all", "--format=%B"]).contains(text));
    let states = pair.git(&["log", "--all", "--patch", "--format=", "--", "sync/state.json"]);
    assert!(!states.contains("leak") && !states.contains("orchestration"), "a path is named in the state");
}

#[rstest]
fn what_must_not_leave_is_told_to_the_other_side_and_published_when_it_is_mended(
    #[values("galph", "ralph")] role: &str,
    #[values("secret", "secret in a commit", "protected")] name: &str,
    #[values(Scheme::Path, Scheme::Daemon)] scheme: Scheme,
) {
    let pair = Pair::new(scheme);
    let case = case(name, role);
    let again = format!("`baton run --mode role --role {role}`");
    let [own, other] = refused(&pair, role, &case.script);
    let own = own.assert_code(5).assert_says(&again);
    let own = if name == "secret in a commit" { own.assert_says("mine") } else { own.assert_says(case.says) };
    assert!(!own.stderr.contains(&token()) && !own.stdout.contains(&token()));
    let failure = failure(&pair);
    let host = failure["host"].as_str().unwrap();
    assert_eq!((&failure["reason"], &failure["waits"]), (&case.reason.into(), &true.into()));
    other
        .assert_code(5)
        .assert_says(&format!("{role}'s turn of iteration 1 failed on {host}: {}", case.reason))
        .assert_says(&format!("a person mends it on {host}, and {again} there publishes it"));
    let person = pair.clone_machine("person");
    let status = person.baton(&["status"]).assert_code(0).stdout;
    assert!(status.contains(&format!("{role}'s last turn failed on {host}: {}", case.reason)), "{status}");
    let status = pair.seat(role).baton(&["status"]).assert_code(0).stdout;
    assert!(
        status.contains("it publishes the open turn's work, once what was refused is mended"),
        "{status}"
    );

    let doctor = pair.seat(role).baton(&["doctor"]).stdout;
    assert!(!doctor.contains("was taken away"), "{doctor}");

    // Not mended, it is refused again, and the branch does not fill with that.
    let tip = pair.tip();
    pair.start(role, 1, None).wait().assert_code(5);
    assert_eq!(pair.tip(), tip);
    (case.mend)(pair.seat(role), role);
    go_on(&pair, role);
    pair.assert_undisturbed(1);
    assert_never_left(&pair, &token());
    let usage = pair.state().unwrap()["usage"].clone();
    assert_eq!((&usage["galph"]["turns"], &usage["ralph"]["turns"]), (&1.into(), &1.into()), "counted once");
}

#[test]
fn another_clone_of_the_seat_does_not_pay_for_the_turn_again_unasked() {
    let pair = Pair::configured(Scheme::Path, 3, SYNC);
    let [own, _] = refused(&pair, "galph", &case("secret", "galph").script);
    own.assert_code(5);
    let host = failure(&pair)["host"].as_str().unwrap().to_owned();
    let third = &pair.machines()[2];
    start_role(third, "galph", &["--sync-loops=1"], None)
        .wait()
        .assert_code(5)
        .assert_says(&format!(
            "its work waits on {host}: `baton run --mode role --role galph` there goes on with it"
        ))
        .assert_says("`baton takeover galph` gives that work up");
    let ticked = third.baton(&["tick", "--role=galph", "--retry-failed", "--exit-code"]).assert_code(5);
    assert!(ticked.stdout.contains(SECRETS), "{}", ticked.stdout);
    assert_eq!(pair.notes().starts.len(), 1);
}

#[test]
fn a_refused_turn_that_was_taken_over_meanwhile_is_fenced_off_and_its_work_kept() {
    let pair = Pair::configured(Scheme::Path, 3, SYNC);
    let [own, _] = refused(&pair, "galph", &case("secret", "galph").script);
    own.assert_code(5);
    let turn = failure(&pair)["turn"].as_str().unwrap().to_owned();
    let person = pair.clone_machine("person");
    let warned = person.baton(&["takeover", "galph"]);
    let warned = warned.assert_says("its work waits on").assert_says(SECRETS);
    assert_ne!(warned.code, Some(0));
    person.baton(&["takeover", "galph", "--yes"]).assert_code(0);
    let other = start_role(&pair.machines()[2], "galph", &["--sync-loops=1"], None);
    let ralph = pair.start("ralph", 1, None);
    other.wait().assert_code(0);
    ralph.wait().assert_code(0);
    // Mended or not: it is another's by now.
    pair.galph().write(leak("galph"), "no key\n");
    let tip = pair.tip();
    let name = format!("refs/baton-rescue/{turn}/work");
    pair.start("galph", 1, None).wait().assert_code(6).assert_says(&name);
    assert_eq!(pair.tip(), tip);
    assert_eq!(pair.galph().git(&["show", &format!("{name}:{}", leak("galph"))]), "no key\n");
    let account = pair.history().account_with(&pair.notes());
    account.assert_iterations(1);
    let endings: Vec<Ending> = account.turns.iter().map(|turn| turn.ending).collect();
    assert_eq!(endings, [Ending::Failed, Ending::Passed, Ending::Passed]);
    assert_never_left(&pair, &token());
    assert_eq!(pair.git(&["ls-tree", "-r", "--name-only", "main", leak("galph")]), "");
}

/// Killed between what is written down and what is told: nothing is done twice, and the other side is told in the end.
#[rstest]
fn a_kill_around_a_refusal_changes_nothing(
    #[values("committed:effect", "published:effect", "published:pushed", "published:accepted")] place: &str,
    #[values("galph", "ralph")] role: &str,
) {
    let pair = Pair::new(Scheme::Path);
    let case = case("secret", role);
    pair.seat(role).script_once(role, &case.script);
    let at_refusal = (place == "committed:effect").then_some(place);
    let ralph = (role == "ralph").then(|| pair.start("galph", 1, None));
    let own = pair.start(role, 1, at_refusal).wait();
    if at_refusal.is_some() {
        own.assert_killed();
        assert_eq!(pair.state().unwrap()["status"], format!("running-{role}"));
        pair.start(role, 1, None).wait().assert_code(5);
    } else {
        own.assert_code(5);
    }
    assert_eq!(failure(&pair)["waits"], true);
    if let Some(galph) = ralph {
        galph.wait().assert_code(5);
    }
    (case.mend)(pair.seat(role), role);
    if at_refusal.is_none() {
        pair.start(role, 1, Some(place)).wait().assert_killed();
    }
    go_on(&pair, role);
    pair.assert_undisturbed(1);
}

/// Where the remote cannot be told, the person here is, and the next start makes up for it.
#[rstest]
#[case::lost(Fault::DropAnswer, 1)]
#[case::gone(Fault::Close, 30)]
fn a_refusal_that_does_not_get_through_is_told_by_the_next_start(#[case] fault: Fault, #[case] times: usize) {
    let pair = Pair::new(Scheme::Daemon);
    pair.galph().script_once("galph", &case("secret", "galph").script);
    // The first state and the claim go well.
    pair.server().spare(Service::Push, 2);
    (0..times).for_each(|_| pair.server().next(Service::Push, fault));
    let own = pair.start("galph", 1, None).wait().assert_code(5);
    if fault == Fault::Close {
        own.assert_says("the other side could not be told that this turn is refused");
        assert_eq!(pair.state().unwrap()["status"], "running-galph");
        pair.server().be_good();
        pair.start("galph", 1, None).wait().assert_code(5);
    }
    assert_eq!(failure(&pair)["reason"], SECRETS);
    (case("secret", "galph").mend)(pair.galph(), "galph");
    go_on(&pair, "galph");
    pair.assert_undisturbed(1);
}
