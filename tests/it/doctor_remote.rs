//! `baton doctor` where the turn is passed through a remote, and `baton doctor --cron`.

use std::fs;

use serde_json::Value;

use crate::support::{Ended, Machine, Pair, Peer, SYNC, Scheme};

fn doctor(machine: &Machine, more: &[&str]) -> Ended {
    machine.spawn(&[], &[&["doctor"], more].concat(), None).wait()
}

#[track_caller]
fn assert_tells(ended: &Ended, lines: &str) {
    assert!(ended.stdout.contains(lines), "`{lines}` is not in:\n{}", ended.stdout);
}

fn tick(machine: &Machine, role: &str) {
    machine.baton(&["tick", "--role", role]).assert_code(0);
}

/// A commit by a person on the remote.
fn publish(pair: &Pair, path: &str, content: Option<&str>) {
    let person = pair.clone_machine("person");
    match content {
        Some(content) => person.write(path, content),
        None => fs::remove_file(person.root().join(path)).unwrap(),
    }
    person.git(&["add", "--all"]);
    person.git(&["commit", "--quiet", "--message=by hand"]);
    person.git(&["push", "--quiet", "origin", "main"]);
    fs::remove_dir_all(person.base()).unwrap();
}

#[test]
fn a_pair_in_order_is_told_line_by_line() {
    let pair = Pair::new(Scheme::Path);
    let before = doctor(pair.galph(), &[]).assert_code(0);
    assert_tells(
        &before,
        "ok   remote: `origin` is not asked: the state here is not shared through it (`baton doctor --remote` asks it)\n",
    );
    let asked = doctor(pair.galph(), &["--remote"]).assert_code(0);
    assert_tells(&asked, "ok   remote state: no sync/state.json there yet; galph's first turn writes it\n");
    tick(pair.galph(), "galph");
    let after = doctor(pair.galph(), &[]).assert_code(0);
    let url = pair.url();
    assert_tells(
        &after,
        &format!(
            "ok   remote: `main` of `origin` ({url})\n     \
             looks: built-in (git2): nothing here needs the installed git\n     pushes: installed ("
        ),
    );
    assert_tells(&after, "\nok   remote look: it answered in ");
    assert_tells(
        &after,
        " ms\nok   remote branch: `main` here is where `origin` is\n\
         ok   remote push: a dry run was let in\n\
         ok   remote state: iteration 1, ralph's turn, status waiting-ralph\n\
         ok   lease: no turn runs\n",
    );
    assert_tells(&after, "\nok   ticks of galph: last ");
    let offline = doctor(pair.galph(), &["--offline"]).assert_code(0);
    assert_tells(&offline, "; not asked\n");
    assert!(!offline.stdout.contains("remote look"));
}

#[test]
fn how_the_branch_here_stands_to_the_one_there_is_told() {
    let pair = Pair::new(Scheme::Path);
    tick(pair.galph(), "galph");
    assert_tells(
        &doctor(pair.ralph(), &["--remote"]).assert_code(0),
        "ok   remote branch: `main` here is 4 commit(s) behind; the next turn brings them\n",
    );
    pair.galph().git(&["commit", "--quiet", "--only", "--message=mine", "mine.txt"]);
    assert_tells(
        &doctor(pair.galph(), &[]).assert_code(0),
        "warn remote branch: `main` here is 1 commit(s) ahead of `origin`; 1 of no turn, the oldest mine\n     \
         remedy: `git pull --rebase origin main` and `git push origin main` publish them; otherwise no turn is taken here \
         without `--publish-existing`\n",
    );
    publish(&pair, "theirs.txt", Some("x"));
    assert_tells(
        &doctor(pair.galph(), &[]).assert_code(0),
        "warn remote branch: `main` here and on `origin` have parted: 1 commit(s) here, 1 there; 1 of no turn, the oldest \
         mine\n",
    );
    pair.galph().git(&["switch", "--quiet", "--create", "elsewhere"]);
    assert_tells(
        &doctor(pair.galph(), &[]).assert_code(1),
        "fail remote branch: `origin` has no branch `elsewhere`\n     \
         remedy: `git push -u origin elsewhere` puts it there\n",
    );
}

#[test]
fn a_remote_that_does_not_answer_or_is_not_there_fails_in_its_words() {
    let pair = Pair::new(Scheme::Daemon);
    tick(pair.galph(), "galph");
    pair.cut();
    let cut = doctor(pair.galph(), &[]).assert_code(1);
    assert_tells(&cut, "\nfail remote look: cannot reach the remote `origin` (git://127.0.0.1:");
    pair.heal();
    pair.galph().git(&["remote", "remove", "origin"]);
    assert_tells(
        &doctor(pair.galph(), &[]).assert_code(1),
        "\nfail remote: there is no remote `origin`; add it with `git remote add origin <URL>`\n",
    );
}

#[test]
fn a_state_that_nobody_can_read_is_put_back_on_the_remote() {
    for broken in [Some("{ \"iteration\": 1,\n<<<<<<< ours\n"), None] {
        let pair = Pair::configured(Scheme::Path, 2, SYNC);
        tick(pair.galph(), "galph");
        let valid = pair.git(&["rev-parse", "--short", "main"]).trim().to_owned();
        let state = pair.git(&["show", "main:sync/state.json"]);
        publish(&pair, "sync/state.json", broken);
        let found = doctor(pair.ralph(), &["--remote"]).assert_code(1);
        let what = match broken {
            Some(_) => "origin/main:sync/state.json:2:1: not a valid turn state: ",
            None => "sync/state.json is gone from `main` there\n",
        };
        assert_tells(&found, &format!("\nfail remote state: {what}"));
        // Where nothing tells that the state is shared, the flag that was given is told.
        let flag = if broken.is_some() { "" } else { " --remote" };
        assert_tells(
            &found,
            &format!(
                "\n     remedy: `baton doctor --fix{flag}` puts the version of commit {valid} back on top\n"
            ),
        );
        let fixed = doctor(pair.ralph(), &["--fix", "--remote"]).assert_code(0);
        assert!(
            fixed.stdout.contains(&format!(
                "fixed remote state: origin/main:sync/state.json restored from commit {valid}: iteration 1, ralph's turn, \
                 status waiting-ralph; holds and stops set since then are not in it\n"
            )),
            "{fixed:?}"
        );
        assert_eq!(pair.git(&["show", "main:sync/state.json"]), state);
        assert_eq!(pair.git(&["log", "-1", "--format=%s", "main"]), "[SYNC i=1] state=restored\n");
        let commits = pair.git(&["rev-list", "--count", "main"]);
        doctor(pair.galph(), &["--fix"]).assert_code(0);
        assert_eq!(pair.git(&["rev-list", "--count", "main"]), commits, "it is put back once");
        tick(pair.ralph(), "ralph");
        assert_eq!(pair.state().unwrap()["iteration"], 2);
    }
}

/// The crash points are compiled into debug builds only.
#[cfg(debug_assertions)]
#[test]
fn a_turn_that_runs_elsewhere_is_told_with_its_lease_and_an_open_one_with_what_goes_on() {
    let pair = Pair::configured(Scheme::Path, 2, "sync: { poll_interval: 20ms, lease: 60s }\n");
    let words = ["tick", "--role", "galph"];
    pair.galph().spawn(&[], &words, [("BATON_CRASH_AT", "running:effect")]).wait().assert_killed();
    let elsewhere = doctor(pair.ralph(), &["--remote"]).assert_code(0);
    assert_tells(&elsewhere, "\nok   lease: galph's turn runs on ");
    assert_tells(
        &elsewhere,
        "; its lease is the claim itself, is watched unchanged here for 0 s, and counts as lost after 1 min 15 s\n",
    );
    let open = doctor(pair.galph(), &[]).assert_code(0);
    assert_tells(
        &open,
        " of iteration 1 is open, in `running`, and its process is gone\n     remedy: `baton tick --role galph` or `baton run --mode role --role galph` goes on with it; nothing that was done is done again\n",
    );
    // The other clone takes it over by hand, as a person's edit of the state does.
    let mut state = pair.state().unwrap();
    state["status"] = "idle".into();
    state["holder"] = Value::Null;
    state["token"] = "f".repeat(32).into();
    publish(&pair, "sync/state.json", Some(&serde_json::to_string_pretty(&state).unwrap()));
    let taken = doctor(pair.galph(), &[]).assert_code(0);
    assert_tells(
        &taken,
        " was taken away on `origin`\n     remedy: `baton tick --role galph` or a run of it keeps its commits under refs/baton-rescue/",
    );
}

#[test]
fn the_earlier_scripts_on_the_other_side_are_told() {
    let pair = Pair::new(Scheme::Path);
    tick(pair.galph(), "galph");
    let clone = pair.clone_machine("peer");
    let peer = Peer::new(&clone, "ralph");
    let state = peer.pull().unwrap().unwrap();
    peer.claim(&state).unwrap();
    let running = doctor(pair.galph(), &[]).assert_code(0);
    assert_tells(
        &running,
        "ok   lease: ralph's turn runs; the earlier scripts run it, which give no sign of life\n",
    );
    assert_tells(&running, "warn peer: the earlier scripts wrote the state, and run ralph's turn: ");
    peer.stamp(true).unwrap();
    assert_tells(
        &doctor(pair.galph(), &[]).assert_code(0),
        "warn peer: the earlier scripts wrote the state: they keep nine fields, and holds do not bind them\n     \
         remedy: `baton stop` is what they heed; the baton is not passed to them while a hold stands\n",
    );
}

#[test]
fn what_cron_would_find_is_told_with_the_lines_for_it() {
    let pair = Pair::new(Scheme::Path);
    let machine = pair.galph();
    let tools = machine.base().join("tools");
    fs::create_dir(&tools).unwrap();
    for (name, content) in
        [("helper", "#!/usr/bin/env special-runtime\n"), ("special-runtime", "#!/bin/sh\n")]
    {
        fs::write(tools.join(name), content).unwrap();
        std::process::Command::new("chmod").arg("+x").arg(tools.join(name)).status().unwrap();
    }
    let tools = tools.display().to_string();
    machine.write(
        "orchestration.yaml",
        &format!("agent: {{ default: own, commands: {{ own: {{ command: [{tools}/helper], prompt: stdin, output: text }} }} }}\n"),
    );
    let path = format!("{}:{tools}", std::env::var("PATH").unwrap());
    let environment = [("PATH", path.as_str()), ("MY_API_KEY", "secret"), ("SUPERVISOR_AGENT", "own")];
    let found = machine.spawn(&[], &["doctor", "--cron"], environment).wait().assert_code(1);
    let home = machine.base().join("home").display().to_string();
    let root = machine.root().display().to_string();
    assert!(
        found.stdout.starts_with(&format!(
            "ok   HOME: {home}\n\
             warn environment: set here, and not by cron: MY_API_KEY, SUPERVISOR_AGENT\n     \
             remedy: what the turns need goes to the head of the crontab, a line `NAME=value` each, or into files that git \
             and the agents read\n\
             fail interpreter of galph's agent: {tools}/helper is run by `special-runtime`, which is not in /usr/bin:/bin\n     \
             remedy: a line at the head of the crontab: `PATH={tools}:/usr/bin:/bin`\n"
        )),
        "{found:?}"
    );
    assert_tells(&found, "\nok   remote look: it answered in ");
    let baton = fs::canonicalize(env!("CARGO_BIN_EXE_baton")).unwrap().display().to_string();
    for role in ["galph", "ralph"] {
        assert_tells(
            &found,
            &format!(
                "\nok   crontab for {role}: */5 * * * * cd {root} && {baton} tick --role {role} \
                 >>{root}/.git/baton-cron.log 2>&1\n"
            ),
        );
    }
    assert!(!found.stdout.contains("secret"));
}

#[test]
fn logs_are_told_with_the_handoff_and_with_what_lies_elsewhere() {
    let pair = Pair::new(Scheme::Path);
    for _ in 0..2 {
        tick(pair.galph(), "galph");
        tick(pair.ralph(), "ralph");
    }
    // A look shows what the other side has done since.
    doctor(pair.galph(), &[]).assert_code(0);
    let shown = pair.galph().baton(&["logs", "--ls-paths", "plans"]).assert_code(0);
    let stamps = pair.git(&["log", "--format=%h %s", "--abbrev=8", "--grep=actor=galph → next", "main"]);
    for stamp in stamps.lines() {
        let line = format!(".log, commit {stamp} =====\n");
        assert!(shown.stdout.contains(&line), "{line}{}", shown.stdout);
    }
    let newest = stamps.lines().next().unwrap().split(' ').next().unwrap();
    let listing = shown.stdout.split(&format!("----- plans at {newest} -----\n")).nth(1).unwrap();
    let made: Vec<&str> = listing.lines().filter(|line| line.starts_with("plans/plan-")).collect();
    assert_eq!(made, ["plans/plan-1.md", "plans/plan-2.md"]);
    assert_eq!(
        shown.stderr,
        "note: ralph's logs of iteration 1-2 are on the machine that took those turns, not in this clone\n"
    );
    let xml = pair.galph().baton(&["logs", "-n", "1", "--format", "xml"]).assert_code(0).stdout;
    assert!(
        xml.contains(&format!(
            "<ls path=\"plans\" commit=\"{newest}\"><![CDATA[plans/plan-1.md\nplans/plan-2.md"
        )),
        "{xml}"
    );
    let json = pair.galph().baton(&["logs", "-n", "1", "--json"]).assert_code(0).stdout;
    let document: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["logs"][0]["commit"], newest);
    assert_eq!(
        document["elsewhere"][0],
        "ralph's logs of iteration 2 are on the machine that took those turns, not in this clone"
    );
}
