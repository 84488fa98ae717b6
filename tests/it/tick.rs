//! `baton tick`: one look, at most one turn, never a wait; on two machines that share a remote.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Ended, Machine, Orchestrator, Pair, SYNC, Scheme};

const NOW: &str = "2026-11-21T06:30:00Z";

fn start(machine: &Machine, role: &str, more: &[&str], environment: &[(&str, &str)]) -> Orchestrator {
    let words = [&["tick", "--role", role], more].concat();
    let now = [("BATON_FIXED_NOW", NOW)];
    machine.spawn(&[], &words, now.into_iter().chain(environment.iter().copied()))
}

fn tick(machine: &Machine, role: &str, more: &[&str]) -> Ended {
    start(machine, role, more, &[]).wait()
}

/// What a tick without a turn says, with and without the exit code that tells.
#[track_caller]
fn assert_idle(machine: &Machine, role: &str, code: i32, said: &str) {
    let plain = tick(machine, role, &[]).assert_code(0);
    assert_eq!(plain.stdout, format!("{NOW} {role}: nothing to do: {said}\n"));
    assert_eq!(plain.stderr, "");
    tick(machine, role, &["--exit-code"]).assert_code(code);
}

fn record(machine: &Machine, role: &str) -> Value {
    let path = machine.root().join(format!(".git/baton/ticks-{role}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Changes the state on the remote, as a person does who pushes.
fn change_state(pair: &Pair, change: impl FnOnce(&mut Value)) {
    let person = pair.clone_machine("person");
    let mut state = person.state();
    change(&mut state);
    person.write("sync/state.json", &serde_json::to_string_pretty(&state).unwrap());
    person.git(&["commit", "--quiet", "--all", "--message=by hand"]);
    person.git(&["push", "--quiet", "origin", "main"]);
    fs::remove_dir_all(person.base()).unwrap();
}

#[test]
fn ticks_of_both_seats_take_their_turns_and_nothing_else() {
    let pair = Pair::new(Scheme::Path);
    assert_idle(pair.ralph(), "ralph", 3, "galph has not written the first state yet");
    let first = tick(pair.galph(), "galph", &[]).assert_code(0);
    assert!(
        first.stdout.starts_with(&format!("{NOW} galph: turn "))
            && first.stdout.ends_with(" of iteration 1 ended ok: supervisor.md, fake, 1 commit(s), 0s\n"),
        "{first:?}"
    );
    assert_idle(pair.galph(), "galph", 3, "it is ralph's turn (iteration 1)");
    let second = tick(pair.ralph(), "ralph", &["--json"]).assert_code(0);
    let document: Value = serde_json::from_str(&second.stdout).unwrap();
    assert_eq!((&document["result"], &document["exit_code"]), (&json!("turn"), &json!(0)));
    assert_eq!(document["turns"][0]["class"], "ok");
    assert_eq!(
        document["state"],
        json!({"iteration": 1, "expected_actor": "ralph", "status": "waiting-ralph"})
    );
    pair.assert_undisturbed(1);
    let status =
        pair.galph().spawn(&[], &["status"], [("BATON_FIXED_NOW", NOW)]).wait().assert_code(0).stdout;
    let told = format!(
        "\nTicks       galph: last {NOW} (just now): galph: nothing to do: it is ralph's turn (iteration 1); 3 so far\n"
    );
    assert!(status.contains(&told), "{status}");
    let kept = record(pair.galph(), "galph");
    assert_eq!((&kept["count"], &kept["last"], &kept["turn"]), (&json!(3), &json!("nothing"), &json!(NOW)));
}

#[test]
fn what_keeps_a_seat_from_its_turn_is_one_line() {
    let pair = Pair::new(Scheme::Path);
    tick(pair.galph(), "galph", &[]).assert_code(0);
    change_state(&pair, |state| {
        state["holds"] = json!([{
            "id": "01JD5F3Z8K0000000000000000", "kind": "pause", "reason": "lunch", "since": NOW, "until": null
        }]);
    });
    let held = "held: lunch (pause), `baton hold clear 01JD5F3Z8K0000000000000000`";
    assert_idle(pair.ralph(), "ralph", 4, held);
    change_state(&pair, |state| {
        state["holds"] = json!([]);
        state["exit"] = true.into();
        state["exit_reason"] = "enough".into();
    });
    assert_idle(pair.ralph(), "ralph", 0, "stopped: enough (`baton stop --clear` lets the turns go on)");
    change_state(&pair, |state| {
        state["exit"] = false.into();
        state["status"] = "failed".into();
    });
    let failed = "ralph's turn of iteration 1 failed; on its machine `baton tick --role ralph --retry-failed` or \
                  `baton run --mode role --role ralph` takes it again";
    assert_idle(pair.galph(), "galph", 5, failed);
    assert_idle(pair.ralph(), "ralph", 5, failed);
    assert_eq!(pair.notes().starts.len(), 1);
    tick(pair.ralph(), "ralph", &["--retry-failed"]).assert_code(0);
    assert_eq!(pair.state().unwrap()["status"], "complete");
}

#[test]
fn a_failed_turn_ends_as_that_of_a_run_does() {
    let pair = Pair::new(Scheme::Path);
    pair.galph().script_once("galph", "exit 3");
    let failed = tick(pair.galph(), "galph", &[]).assert_code(5);
    assert!(failed.stdout.contains(" ended failed ("), "{failed:?}");
    assert!(
        failed.stderr.ends_with(
            "error: the agent's turn ended `failed`: exit code 3, without a word\n  \
             help: the log and the summary lie under `logs`; `baton run --mode role --role galph` takes the turn again\n"
        ),
        "{failed:?}"
    );
    assert_eq!(pair.state().unwrap()["status"], "failed");
}

#[test]
fn of_ticks_that_overlap_one_acts() {
    let pair = Pair::new(Scheme::Path);
    pair.galph().prepare_release();
    pair.galph().script_once("galph", "wait_for_release; work");
    let first = start(pair.galph(), "galph", &[], &[]);
    pair.galph().await_waiting("galph");
    let busy = tick(pair.galph(), "galph", &[]).assert_code(0);
    let (before, after) = busy.stdout.split_once("(pid ").unwrap();
    assert_eq!(before, format!("{NOW} galph: nothing to do: this seat is taken by another baton here "));
    assert!(after.contains(" since 2026-11-21T06:30:00Z)"), "{after}");
    tick(pair.galph(), "galph", &["--exit-code"]).assert_code(1);
    // The other seat of this clone looks, and sees that its turn has not come.
    let other = tick(pair.galph(), "ralph", &["--exit-code"]).assert_code(3);
    assert!(other.stdout.contains("ralph: nothing to do: galph's turn runs on "), "{other:?}");
    pair.galph().release();
    first.wait().assert_code(0);
    let kept = record(pair.galph(), "galph");
    assert_eq!((&kept["count"], &kept["overlapped"], &kept["last"]), (&json!(3), &json!(2), &json!("turn")));
    assert_eq!(pair.notes().starts.len(), 1);
    pair.assert_sound();
}

#[test]
fn two_clones_tick_the_same_seat_at_once_and_one_agent_starts() {
    let pair = Pair::new(Scheme::Path);
    tick(pair.galph(), "galph", &[]).assert_code(0);
    tick(pair.ralph(), "ralph", &[]).assert_code(0);
    for iteration in 2..=4 {
        let started: Vec<Orchestrator> =
            pair.machines().iter().map(|machine| start(machine, "galph", &["--json"], &[])).collect();
        let results: Vec<String> = started
            .into_iter()
            .map(|running| {
                let ended = running.wait().assert_code(0);
                serde_json::from_str::<Value>(&ended.stdout).unwrap()["result"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(results.iter().filter(|result| *result == "turn").count(), 1, "{results:?}");
        tick(pair.ralph(), "ralph", &[]).assert_code(0);
        assert_eq!(pair.state().unwrap()["iteration"], iteration + 1);
    }
    pair.assert_undisturbed(4);
}

#[test]
fn offline_is_one_line_and_the_next_tick_looks_again() {
    let pair = Pair::new(Scheme::Daemon);
    tick(pair.galph(), "galph", &[]).assert_code(0);
    pair.cut();
    let offline = tick(pair.ralph(), "ralph", &[]).assert_code(0);
    assert!(offline.stdout.starts_with(&format!("{NOW} ralph: nothing to do: offline: ")), "{offline:?}");
    assert_eq!(offline.stdout.lines().count(), 1);
    tick(pair.ralph(), "ralph", &["--exit-code"]).assert_code(1);
    assert_eq!(record(pair.ralph(), "ralph")["offline"], 2);
    pair.heal();
    tick(pair.ralph(), "ralph", &[]).assert_code(0);
    pair.assert_undisturbed(1);
    assert_eq!(record(pair.ralph(), "ralph")["offline"], 0);
}

#[test]
fn a_tick_with_nothing_to_do_makes_one_connection_and_leaves_the_tree_alone() {
    let pair = Pair::new(Scheme::Daemon);
    tick(pair.galph(), "galph", &[]).assert_code(0);
    let (before, head) = (pair.server().traffic(), pair.galph().head());
    tick(pair.galph(), "galph", &[]).assert_code(0);
    let after = pair.server().traffic();
    assert_eq!((after.looks - before.looks, after.pushes - before.pushes), (1, 0));
    assert_eq!(pair.galph().head(), head);
    pair.assert_machines_are_whole();
}

/// The crash points are compiled into debug builds only.
#[cfg(debug_assertions)]
#[test]
fn the_next_tick_goes_on_with_what_a_killed_one_left() {
    for place in ["claimed:pushed", "claimed:accepted", "running:go", "running:done", "published:pushed"] {
        let pair = Pair::new(Scheme::Path);
        start(pair.galph(), "galph", &[], &[("BATON_CRASH_AT", place)]).wait().assert_killed();
        let next = tick(pair.galph(), "galph", &[]).assert_code(0);
        assert!(next.stdout.contains(" of iteration 1 ended ok: "), "{place}: {next:?}");
        assert_eq!(pair.notes().starts.len(), 1, "{place}");
        tick(pair.ralph(), "ralph", &[]).assert_code(0);
        pair.assert_undisturbed(1);
    }
}

/// The crash points are compiled into debug builds only.
#[cfg(debug_assertions)]
#[test]
fn a_turn_whose_holder_is_gone_is_taken_over_by_ticks_that_watched_long_enough() {
    let sync = "sync: { poll_interval: 20ms, takeover: after_lease, lease: 60s }\n";
    let pair = Pair::configured(Scheme::Path, 2, sync);
    start(pair.galph(), "galph", &[], &[("BATON_CRASH_AT", "running:effect")]).wait().assert_killed();
    let elsewhere = |uptime: &str| {
        let ended = start(pair.ralph(), "galph", &["--exit-code"], &[("BATON_UPTIME_PLUS", uptime)]).wait();
        (ended.code, ended.stdout)
    };
    let (code, said) = elsewhere("0");
    assert_eq!(code, Some(3));
    assert!(
        said.starts_with(&format!("{NOW} galph: nothing to do: galph's turn runs elsewhere on "))
            && said.ends_with("; if that is gone for good, `baton takeover galph`\n"),
        "{said}"
    );
    assert_eq!(elsewhere("60").0, Some(3));
    let (code, said) = elsewhere("120");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" of iteration 1 ended ok: "), "{said}");
    // Who comes back finds the turn taken away.
    tick(pair.galph(), "galph", &[]).assert_code(6);
    assert_eq!(pair.notes().starts.len(), 1);
    pair.assert_sound();
}

#[test]
fn without_a_remote_a_tick_says_what_to_do() {
    let pair = Pair::configured(Scheme::Path, 1, SYNC);
    let machine = &pair.machines()[0];
    machine.git(&["remote", "remove", "origin"]);
    let refused = tick(machine, "galph", &[]).assert_code(2);
    assert_eq!(refused.stdout, "");
    assert_eq!(
        refused.stderr,
        "error: there is no remote `origin`; add it with `git remote add origin <URL>`\n  \
         help: without one, `baton run` plays both seats here\n"
    );
    assert_eq!(record(machine, "galph")["last"], "failed");
    tick(machine, "galph", &["--branch", "other"])
        .assert_code(2)
        .assert_says("error: the branch is `main`, not `other` as asked for");
}

#[test]
fn a_tick_works_in_the_environment_that_cron_gives() {
    let pair = Pair::new(Scheme::Path);
    let words: Vec<String> = ["env", "-i", "PATH=/usr/bin:/bin", "SHELL=/bin/sh", "LOGNAME=somebody"]
        .into_iter()
        .map(str::to_owned)
        .chain(
            pair.galph()
                .environment()
                .into_iter()
                .filter(|(name, _)| ["FAKE_DIR", "PAIR_DIR", "PAIR_MACHINE"].contains(name))
                .map(|(name, value)| format!("{name}={value}")),
        )
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = pair.galph().spawn(&words, &["tick", "--role", "galph"], None).wait().assert_code(0);
    assert!(ended.stdout.contains(" galph: turn "), "{ended:?}");
    let warning = "warning: uncommitted before this turn, and left alone: ";
    assert!(ended.stderr.starts_with(warning) && ended.stderr.lines().count() == 1, "{ended:?}");
    pair.galph().git(&["config", "--unset", "user.email"]);
    tick(pair.ralph(), "ralph", &[]).assert_code(0);
    pair.galph()
        .spawn(&words, &["tick", "--role", "galph"], None)
        .wait()
        .assert_code(2)
        .assert_says("error: git does not know who you are: user.email is not set");
}
