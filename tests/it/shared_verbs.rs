//! The people's verbs where the state is shared through a remote: what is changed in one clone, the other sees.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Ended, Machine, Pair, SYNC, Scheme, await_event, start_role};

const NOW: &str = "2026-11-21T06:30:00Z";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const TURN: &str = "01JD5F3Z8K0000000000000000";

/// Two clones with a person's uncommitted changes, and ralph's turn of iteration 3 at rest on the remote. The second clone
/// was made before that.
fn pair() -> Pair {
    pair_with(&json!({
        "iteration": 3, "expected_actor": "ralph", "status": "waiting-ralph", "last_update": "2026-11-21T06:25:00Z",
        "schema_version": 1, "epoch": 5, "token": TOKEN,
        "usage": { "galph": { "turns": 3, "wall_seconds": 75.0 }, "ralph": { "turns": 2, "wall_seconds": 60.0 } },
    }))
}

fn pair_with(state: &Value) -> Pair {
    let pair = Pair::configured(Scheme::Path, 2, SYNC);
    publish(pair.galph(), state);
    pair
}

/// Commits and pushes a state, as the other side would have.
fn publish(machine: &Machine, state: &Value) {
    machine.write("sync/state.json", &(serde_json::to_string_pretty(state).unwrap() + "\n"));
    machine.git(&["add", "sync/state.json"]);
    machine.git(&["commit", "--quiet", "--message=state", "--", "sync/state.json"]);
    machine.git(&["push", "--quiet", "origin", "main"]);
}

fn run_at(machine: &Machine, now: &str, arguments: &[&str]) -> Ended {
    machine.spawn(&[], arguments, [("BATON_FIXED_NOW", now)]).wait()
}

/// What a verb says, with what differs from run to run replaced.
#[track_caller]
fn says(pair: &Pair, machine: &Machine, arguments: &[&str]) -> String {
    let ended = run_at(machine, NOW, arguments).assert_code(0);
    plain(pair, machine, &format!("{}{}", ended.stdout, ended.stderr))
}

/// With what exit code a verb refuses, and in which words.
#[track_caller]
fn refuses(pair: &Pair, machine: &Machine, arguments: &[&str]) -> (i32, String) {
    let ended = run_at(machine, NOW, arguments);
    assert_eq!(ended.stdout, "");
    (ended.code.unwrap(), plain(pair, machine, &ended.stderr))
}

fn plain(pair: &Pair, machine: &Machine, text: &str) -> String {
    let tip = fs::exists(pair.remote()).unwrap().then(|| pair.tip());
    let text = text
        .replace(&machine.root().display().to_string(), "/ws")
        .replace(&pair.remote().display().to_string(), "/origin.git");
    match tip {
        Some(tip) => text.replace(&tip[..7], "TIP"),
        None => text,
    }
}

/// The newest commit on the remote, whole.
fn message(pair: &Pair) -> String {
    pair.git(&["log", "-1", "--format=%B", "main"]).trim_end().to_owned()
}

/// The identifier of the only hold there.
fn only_hold(pair: &Pair) -> String {
    let state = pair.state().unwrap();
    assert_eq!(state["holds"].as_array().unwrap().len(), 1, "{state:#}");
    state["holds"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_hold_set_in_one_clone_is_seen_and_cleared_in_the_other() {
    let pair = pair();
    let (one, two) = (pair.galph(), pair.ralph());
    let said = says(&pair, one, &["hold", "set", "pause", "--reason", "wait for me"]);
    let id = only_hold(&pair);
    assert_eq!(said, format!("Held: {id} pause: wait for me\nPublished on `main` of `origin` as TIP.\n"));
    assert_eq!(message(&pair), "[SYNC i=3] hold=pause set\n\n[skip ci]");
    assert_eq!((one.head(), one.git(&["status", "--porcelain", "sync"])), (pair.tip(), String::new()));

    // This clone has never heard of a state.
    assert_eq!(two.read("sync/state.json"), None);
    assert_eq!(says(&pair, two, &["hold", "list"]), format!("{id} pause: wait for me, since {NOW}\n"));
    let before = pair.state().unwrap();
    assert_eq!(
        says(&pair, two, &["hold", "clear", &id.to_lowercase()]),
        format!(
            "Cleared hold {id}; no other stands. A side that waits goes on by itself; `baton run --mode role` starts one.\n\
             Published on `main` of `origin` as TIP.\n"
        )
    );
    assert_eq!(message(&pair), "[SYNC i=3] hold=pause cleared\n\n[skip ci]");
    assert_eq!((two.head(), two.state()), (pair.tip(), pair.state().unwrap()));
    let after = pair.state().unwrap();
    for kept in ["iteration", "expected_actor", "status", "token", "epoch", "usage"] {
        assert_eq!(before[kept], after[kept], "{kept}");
    }
    assert_eq!(says(&pair, one, &["hold", "list"]), "No holds.\n");
    pair.assert_machines_are_whole();
}

#[test]
fn a_stop_is_asked_for_and_withdrawn_from_any_clone() {
    let pair = pair();
    assert_eq!(
        says(&pair, pair.ralph(), &["stop", "--reason", "enough"]),
        "Nobody takes another turn: enough\nClear it with `baton stop --clear`.\n\
         Published on `main` of `origin` as TIP.\n"
    );
    assert_eq!(message(&pair), "[SYNC i=3] exit=set\n\n[skip ci]");
    let loop_there = start_role(pair.galph(), "galph", &["--sync-loops=1"], None).wait();
    loop_there.assert_code(0);
    assert_eq!(pair.state().unwrap()["exit_reason"], "enough");
    let document: Value =
        serde_json::from_str(&says(&pair, pair.galph(), &["stop", "--clear", "--json"])).unwrap();
    assert_eq!(document["done"], "Both sides may take turns again; `baton run --mode role` goes on.");
    assert_eq!(
        document["shared"],
        json!({ "remote": "origin", "branch": "main", "commit": "TIP", "branch_stays": null })
    );
    assert_eq!(document["state"]["exit"], false);
    assert_eq!(message(&pair), "[SYNC i=3] exit=cleared\n\n[skip ci]");
    pair.assert_machines_are_whole();
}

#[test]
fn a_handoff_by_hand_names_the_commit_that_the_remote_had() {
    let pair = pair();
    let tip = pair.tip();
    assert_eq!(
        says(&pair, pair.ralph(), &["pass", "ralph", "ok", "--allow-dirty"]),
        "Stamped by hand: ralph passed. It is galph's turn now, iteration 4, status `complete`.\n\
         Published on `main` of `origin` as TIP.\n\
         note: `--allow-dirty` has no effect: what is changed here is never touched, and never in the way\n"
    );
    assert_eq!(
        message(&pair),
        format!("[SYNC i=4] actor=ralph → next=galph status=ok ralph_commit={}", &tip[..7])
    );
    let tip = pair.tip();
    says(&pair, pair.galph(), &["pass", "galph", "fail"]);
    assert_eq!(
        message(&pair),
        format!("[SYNC i=4] actor=galph status=fail galph_commit={}\n\n[skip ci]", &tip[..7])
    );
    assert_eq!(pair.state().unwrap()["status"], "failed");
    pair.assert_machines_are_whole();
}

#[test]
fn the_branch_stays_where_it_is_while_something_of_the_persons_is_in_the_way() {
    let pair = pair();
    let one = pair.galph();
    let set = ["hold", "set", "pause", "--reason", "r"];
    let note = |pair: &Pair, arguments: &[&str]| {
        let ended = run_at(one, NOW, arguments).assert_code(0);
        plain(pair, one, &ended.stderr)
    };
    let before = one.head();
    assert_eq!(note(&pair, &[&set[..], &["--no-pull"]].concat()), "");
    assert_eq!(one.head(), before);

    one.write("sync/state.json", "mine");
    assert_eq!(
        note(&pair, &set),
        "note: `main` here stays where it is: what is new changes files that are changed here: sync/state.json; \
         `git pull --rebase origin main` brings it up to date\n"
    );
    assert_eq!((one.head(), one.read("sync/state.json").as_deref()), (before, Some("mine")));
    one.git(&["checkout", "--", "sync/state.json"]);

    one.git(&["commit", "--quiet", "--allow-empty", "--message=mine", "--only"]);
    let mine = one.head();
    assert_eq!(
        note(&pair, &set),
        "note: `main` here stays where it is: it has commits that `origin` has not; \
         `git pull --rebase origin main` brings it up to date\n"
    );
    assert_eq!(one.head(), mine);
    assert_eq!(pair.state().unwrap()["holds"].as_array().unwrap().len(), 3);
    pair.assert_machines_are_whole();
}

#[test]
fn the_file_here_alone_is_changed_where_that_is_asked_for() {
    let pair = pair();
    let (one, tip) = (pair.galph(), pair.tip());
    let note = "note: only sync/state.json here was changed: the other side does not see it, and `baton run --mode role` \
                does not start here until `git checkout -- sync/state.json` takes it back\n";
    assert_eq!(
        says(&pair, one, &["pass", "ralph", "ok", "--no-push"]),
        format!(
            "Stamped by hand: ralph passed. It is galph's turn now, iteration 4, status `complete`.\n{note}"
        )
    );
    assert_eq!(one.state()["status"], "complete");
    let said = says(&pair, one, &["hold", "set", "pause", "--reason", "r", "--local"]);
    assert!(said.ends_with(note), "{said}");
    assert_eq!((pair.tip(), one.head()), (tip.clone(), tip));
    let refused = start_role(one, "galph", &["--sync-loops=1"], None);
    // It waits for ralph: the state there is untouched.
    await_event("the wait for ralph", || refused.stderr().contains("waiting for ralph").then_some(()));
    refused.signal(Signal::TERM);
    refused.wait().assert_code(143);
}

#[test]
fn without_the_remote_nothing_is_changed_and_what_was_seen_last_is_told() {
    let pair = pair();
    let one = pair.galph();
    says(&pair, one, &["hold", "list"]);
    let tip = pair.tip();
    pair.cut();
    let before = one.state();
    for verb in [
        &["hold", "set", "pause", "--reason", "r"][..],
        &["hold", "list"],
        &["stop"],
        &["pass", "ralph", "ok"],
        &["takeover", "ralph"],
    ] {
        insta::allow_duplicates! {
            let (code, said) = refuses(&pair, one, verb);
            assert_eq!(code, 1);
            insta::assert_snapshot!(said, @r"
        error: there is no repository at /origin.git (the remote `origin`), or not for us: '/origin.git' does not appear to be a git repository; check the address with `git remote get-url origin`, and change it with `git remote set-url origin <URL>`
          help: nothing was changed; `baton status --offline` tells what was seen last
            ");
        }
    }
    assert_eq!(one.state(), before);
    let seen = |arguments: &[&str]| seen(&says(&pair, one, arguments)).replace(&tip[..7], "TIP");
    insta::assert_snapshot!(seen(&["status"]), @r"
    Workspace   /ws
    Turn        ralph (engineer), iteration 3
                waiting-ralph since 2026-11-21T06:25:00Z (5 min ago)
    Shared      `main` of `origin` (/origin.git), as seen last, fetched THEN
                not looked at now: there is no repository at /origin.git (the remote `origin`), or not for us: '/origin.git' does not appear to be a git repository; check the address with `git remote get-url origin`, and change it with `git remote set-url origin <URL>`
                newest commit TIP: state
                the state was changed 2026-11-21T06:25:00Z (5 min ago)
    Spend       galph 3 turns, 1 min 15 s
                ralph 2 turns, 1 min
                total 5 turns, 2 min 15 s
    Next        baton run --mode role --role ralph
                (on the machine that plays this seat: it takes ralph's turn of iteration 3)
    ");
    insta::assert_snapshot!(seen(&["status", "--offline"]), @r"
    Workspace   /ws
    Turn        ralph (engineer), iteration 3
                waiting-ralph since 2026-11-21T06:25:00Z (5 min ago)
    Shared      `main` of `origin` (/origin.git), as seen last, fetched THEN
                newest commit TIP: state
                the state was changed 2026-11-21T06:25:00Z (5 min ago)
    Spend       galph 3 turns, 1 min 15 s
                ralph 2 turns, 1 min
                total 5 turns, 2 min 15 s
    Next        baton run --mode role --role ralph
                (on the machine that plays this seat: it takes ralph's turn of iteration 3)
    ");
    // Where nothing was ever seen, there is nothing to tell.
    let two = pair.ralph();
    assert_eq!(refuses(&pair, two, &["stop"]).0, 2);
}

/// When something was fetched is another time in each run.
fn seen(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(", fetched ") {
        Some((before, _)) => format!("{before}, fetched THEN"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_agent_stops_the_loop_in_its_copy_and_decides_nothing_else() {
    let pair = pair();
    let (one, tip) = (pair.galph(), pair.tip());
    let agent = |arguments: &[&str]| one.spawn(&[], arguments, [("BATON_ATTEMPT", TURN)]).wait();
    let refused = agent(&["hold", "set", "pause", "--reason", "r"]).assert_code(2);
    assert_eq!(
        refused.stderr,
        "error: an agent cannot set a hold where the state is shared through a remote (BATON_ATTEMPT is set)\n  \
         help: `baton stop --reason TEXT` ends the loop after this turn, and the reply can say why\n"
    );
    for verb in [&["pass", "ralph", "ok"][..], &["takeover", "ralph", "--yes"], &["hold", "clear", "x"]] {
        agent(verb).assert_code(2).assert_says("is a person's decision");
    }
    let stopped = agent(&["stop", "--reason", "done"]).assert_code(0);
    assert_eq!(stopped.stdout, "Nobody takes another turn: done\nClear it with `baton stop --clear`.\n");
    assert_eq!((pair.tip(), one.state()["exit_reason"].as_str()), (tip, Some("done")));
}

#[test]
fn a_detached_head_says_that_the_branch_is_not_known() {
    let pair = pair();
    pair.galph().git(&["checkout", "--quiet", "--detach"]);
    for verb in [&["stop"][..], &["status"]] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(refuses(&pair, pair.galph(), verb).1, @r"
            error: HEAD is detached at TIP, on no branch; run `git switch <branch>` (or `git switch -c <new branch>`)
              help: `--local` looks at the state file here and nothing else
            ");
        }
    }
    says(&pair, pair.galph(), &["status", "--local"]);
}

/// Ralph's turn, claimed a while ago on another machine.
fn running() -> Value {
    json!({
        "iteration": 3, "expected_actor": "ralph", "status": "running-ralph", "last_update": "2026-11-21T06:00:00Z",
        "lease_expires_at": "2026-11-21T06:10:00Z", "schema_version": 1, "epoch": 5, "token": TOKEN,
        "holder": { "id": TURN, "host": "far-away", "pid": 7, "since": "2026-11-21T06:00:00Z" },
    })
}

/// A sign of life of the machine that holds the turn.
fn renew_lease(machine: &Machine) {
    let tree = machine.git(&["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let text = format!("Sign of life\n\nBaton-Turn: {TURN}\nBaton-Token: {TOKEN}\n");
    let commit = machine.git(&["commit-tree", tree.trim(), "-m", &text]);
    machine.git(&["push", "--quiet", "origin", &format!("{}:refs/baton/main/lease", commit.trim())]);
}

#[test]
fn a_takeover_tells_what_is_known_of_the_lease_and_the_next_run_claims() {
    let pair = pair_with(&running());
    let two = pair.ralph();
    let refused = |uptime: &str| {
        let environment = [("BATON_FIXED_NOW", NOW), ("BATON_UPTIME_PLUS", uptime)];
        let ended = two.spawn(&[], &["takeover", "ralph"], environment).wait().assert_code(2);
        // Seconds pass while the test runs.
        let digits =
            |text: &str| text.replace("1 min 41 s", "1 min 40 s").replace("1 min 42 s", "1 min 40 s");
        digits(&ended.stderr)
    };
    insta::assert_snapshot!(refused("0"), @r"
    error: ralph's turn was not taken over: the holder is on far-away, and from here it cannot be seen whether it lives: if it does, its work is refused; and this clone has not watched its lease before: a holder that lives renews it every 2 min 30 s, so look again after that
      help: if you are sure, `baton takeover ralph --yes`
    ");
    insta::assert_snapshot!(refused("100"), @r"
    error: ralph's turn was not taken over: the holder is on far-away, and from here it cannot be seen whether it lives: if it does, its work is refused; and its lease was not renewed in the 1 min 40 s that this clone has watched; it counts as gone after 12 min 30 s
      help: if you are sure, `baton takeover ralph --yes`
    ");
    renew_lease(pair.galph());
    insta::assert_snapshot!(refused("100"), @r"
    error: ralph's turn was not taken over: the holder is on far-away, and from here it cannot be seen whether it lives: if it does, its work is refused; and its lease was renewed since this clone looked last, so it lives
      help: if you are sure, `baton takeover ralph --yes`
    ");
    let expired = refused("2000");
    assert!(expired.contains("its lease has run out: it was not renewed in the 31 min "), "{expired}");
    let status: Value = serde_json::from_str(
        &two.spawn(&[], &["status", "--json"], [("BATON_UPTIME_PLUS", "2000")]).wait().stdout,
    )
    .unwrap();
    assert_eq!(status["shared"]["lease"]["expired"], true, "{status:#}");
    assert_eq!(status["next"]["command"], "baton takeover ralph");
    assert_eq!(pair.state().unwrap()["status"], "running-ralph");

    assert_eq!(
        says(&pair, two, &["takeover", "ralph", "--yes"]),
        "ralph's turn of iteration 3 was taken away; its holder, if it lives, publishes nothing any more.\n\
         Next: `baton run --mode role --role ralph` claims it again.\n\
         Published on `main` of `origin` as TIP.\n"
    );
    assert_eq!(
        message(&pair),
        format!("[SYNC i=3] actor=ralph status=released reason=takeover\n\n[skip ci]\n\nBaton-Turn: {TURN}")
    );
    let state = pair.state().unwrap();
    assert_eq!(
        (&state["status"], &state["epoch"], &state["holder"]),
        (&"waiting-ralph".into(), &6.into(), &Value::Null)
    );
    start_role(two, "ralph", &["--sync-loops=1"], None).wait().assert_code(0);
    assert_eq!(pair.state().unwrap()["iteration"], 4);
    let (code, said) = refuses(&pair, two, &["takeover", "ralph"]);
    assert_eq!(
        (code, said.as_str()),
        (
            2,
            "error: ralph's turn is not running: status is `complete`\n  \
             help: only a running turn is taken over; `baton status` says what to do next\n"
        )
    );
    pair.assert_machines_are_whole();
}

#[test]
fn a_running_turn_is_stamped_over_by_force_only_and_a_peer_without_a_token_is_named() {
    let pair = pair_with(&running());
    assert_eq!(
        refuses(&pair, pair.ralph(), &["pass", "ralph", "ok"]),
        (
            6,
            "error: a turn is running: status is `running-ralph`, held by far-away (pid 7) since 2026-11-21T06:00:00Z\n  \
             help: wait for it to end; `baton status` tells what it does\n  \
             help: `--force` stamps over it: the turn is fenced off, and nothing of it is published any more\n"
                .to_owned()
        )
    );
    let said = says(&pair, pair.ralph(), &["pass", "ralph", "fail", "--force"]);
    assert!(
        said.starts_with("ralph's running turn is fenced off: it publishes nothing any more.\n"),
        "{said}"
    );
    assert!(message(&pair).ends_with(&format!("\n\nBaton-Turn: {TURN}")));

    let pair = pair_with(&json!({ "iteration": 3, "expected_actor": "ralph", "status": "running-ralph" }));
    assert_eq!(
        refuses(&pair, pair.ralph(), &["takeover", "ralph"]),
        (
            2,
            "error: ralph's turn was not taken over: the state names no holder: the earlier scripts may be running, and \
             they do not notice that a turn was taken away\n  help: if you are sure, `baton takeover ralph --yes`\n"
                .to_owned()
        )
    );
    let said = says(&pair, pair.ralph(), &["hold", "set", "pause", "--reason", "r"]);
    assert!(
        said.ends_with(
            "note: the other side runs the earlier scripts, which know no holds: they take their turn all the same, and \
             baton's side passes them none while the hold stands; `baton stop` binds both\n"
        ),
        "{said}"
    );
}

#[test]
fn holds_that_are_set_while_a_turn_is_stamped_stay_and_so_does_the_stamp() {
    let pair = Pair::new(Scheme::Path);
    pair.galph().prepare_release();
    pair.galph().script_once("galph", "wait_for_release; work");
    let galph = pair.start("galph", 1, None);
    pair.galph().await_waiting("galph");
    let third = pair.clone_machine("m3");
    let set = |machine: &Machine, reason: &str| {
        machine.spawn(&[], &["hold", "set", "pause", "--reason", reason], None)
    };
    set(pair.ralph(), "before").wait().assert_code(0);
    pair.galph().release();
    let racing = ["one", "two", "three"].map(|reason| set(&third, reason));
    let also = set(pair.ralph(), "four");
    for one in racing.into_iter().chain([also]) {
        one.wait().assert_code(0);
    }
    let state = pair.await_status("waiting-ralph");
    let mut reasons: Vec<&str> =
        state["holds"].as_array().unwrap().iter().map(|hold| hold["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["before", "four", "one", "three", "two"]);
    galph.signal(Signal::TERM);
    galph.wait().assert_code(143);
    pair.assert_sound();
}

#[test]
fn a_turn_that_was_taken_away_while_its_agent_worked_publishes_nothing() {
    let pair = Pair::new(Scheme::Path);
    pair.galph().prepare_release();
    pair.galph().script_once("galph", "wait_for_release; work");
    let galph = pair.start("galph", 1, None);
    pair.galph().await_waiting("galph");
    let here: Value = serde_json::from_str(&pair.galph().baton(&["status", "--json"]).stdout).unwrap();
    let there: Value = serde_json::from_str(&pair.ralph().baton(&["status", "--json"]).stdout).unwrap();
    let life = |document: &Value| document["holder"]["life"].clone();
    assert_eq!((life(&here), life(&there)), ("alive_here".into(), "elsewhere".into()));
    pair.galph()
        .baton(&["takeover", "galph"])
        .assert_code(2)
        .assert_says("galph's turn is running on this machine, and its process lives");

    pair.ralph().baton(&["takeover", "galph", "--yes", "--no-pull"]).assert_code(0);
    let tip = pair.tip();
    pair.galph().release();
    galph.wait().assert_code(6);
    assert_eq!((pair.tip(), pair.state().unwrap()["status"].as_str()), (tip, Some("idle")));
    pair.assert_machines_are_whole();
}

#[test]
fn status_tells_from_any_clone_how_the_pair_stands() {
    let pair = pair_with(&running());
    insta::assert_snapshot!(says(&pair, pair.ralph(), &["status"]), @r"
    Workspace   /ws
    Turn        ralph (engineer), iteration 3
                running-ralph since 2026-11-21T06:00:00Z (30 min ago)
    Shared      `main` of `origin` (/origin.git), looked at just now
                newest commit TIP: state
                the state was changed 2026-11-21T06:00:00Z (30 min ago)
                the branch here is 1 commit behind
    Holder      far-away pid 7, since 2026-11-21T06:00:00Z; on another machine: from here it cannot be seen whether it lives
    Lease       this clone has not watched its lease before: a holder that lives renews it every 2 min 30 s, so look again after that
    Spend       galph 0 turns, 0.0 s
                ralph 0 turns, 0.0 s
                total 0 turns, 0.0 s
    Next        baton takeover ralph
                (only if far-away is gone for good; else wait for its turn to end)
    ");
    says(&pair, pair.ralph(), &["hold", "set", "approval", "--reason", "look first", "--no-pull"]);
    let held = says(&pair, pair.galph(), &["status"]);
    insta::assert_snapshot!(held.replace(&only_hold(&pair), "ID"), @r"
    Workspace   /ws
    Turn        ralph (engineer), iteration 3
                running-ralph since 2026-11-21T06:00:00Z (30 min ago)
    Shared      `main` of `origin` (/origin.git), looked at just now
                newest commit TIP: [SYNC i=3] hold=approval set
                the state was changed 2026-11-21T06:30:00Z (just now)
                the branch here is 1 commit behind
    Holder      far-away pid 7, since 2026-11-21T06:00:00Z; on another machine: from here it cannot be seen whether it lives
    Blocked     approval: look first
                clear with `baton hold clear ID`
    Spend       galph 0 turns, 0.0 s
                ralph 0 turns, 0.0 s
                total 0 turns, 0.0 s
    Next        baton takeover ralph
                (only if far-away is gone for good; else wait for its turn to end)
    ");
}

#[test]
fn status_knows_the_seat_that_a_clone_plays_and_what_it_has_published_itself() {
    let pair = Pair::new(Scheme::Path);
    for ended in pair.run(1) {
        ended.assert_code(0);
    }
    let next = |machine: &Machine, arguments: &[&str]| {
        let said = machine.baton(&[&["status", "--json"], arguments].concat()).assert_code(0).stdout;
        let document: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(document["shared"]["ahead"], 0, "{document:#}");
        (document["next"]["command"].clone(), document["next"]["why"].clone())
    };
    let (galph, ralph) = ("baton run --mode role --role galph", "baton run --mode role --role ralph");
    assert_eq!(next(pair.galph(), &[]), (galph.into(), "it takes galph's turn of iteration 2".into()));
    let waits = (ralph.into(), "it waits for galph to take its turn of iteration 2".into());
    assert_eq!(next(pair.ralph(), &[]), waits);
    assert_eq!(next(pair.ralph(), &["--offline"]), waits);
}

#[test]
fn what_is_no_state_on_the_remote_is_an_error_with_its_place() {
    let pair = pair();
    let one = pair.galph();
    one.write("sync/state.json", "{\n  \"iteration\": 3,");
    one.git(&["commit", "--quiet", "--message=broken", "--", "sync/state.json"]);
    one.git(&["push", "--quiet", "origin", "main"]);
    for verb in [&["stop"][..], &["status"], &["hold", "list"]] {
        let (code, said) = refuses(&pair, one, verb);
        assert_eq!(code, 2);
        assert!(
            said.starts_with(
                "error: origin/main:sync/state.json:2:17: not a valid turn state: EOF while parsing a value\n"
            ),
            "{said}"
        );
    }
}

#[test]
fn usage_tells_what_both_seats_have_used() {
    let pair = pair();
    let two = pair.ralph();
    insta::assert_snapshot!(says(&pair, two, &["usage"]), @r"
    Workspace   /ws
    No turn has ended here yet.
    State       5 turn(s), 0 tokens, cost - in sync/state.json on `main` of `origin`, the account of both machines
                galph 3 turn(s), 0 tokens, cost -
                ralph 2 turn(s), 0 tokens, cost -
                5 turn(s) more than this ledger tells of: another machine's turns, or those of an earlier ledger that was removed
    Budget      none is set (`budget.run`, `budget.total`)
    ");
    let document: Value = serde_json::from_str(&says(&pair, two, &["usage", "--offline", "--json"])).unwrap();
    assert_eq!(document["shared"], json!({ "remote": "origin", "branch": "main", "online": false }));
    assert_eq!(document["state"]["total"]["turns"], 5);
}
