//! What a person sees and changes from outside of a turn: `status`, `logs`, `doctor`, `hold`, `stop`, `pass`, `takeover`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use baton::ledger::Home;
use baton::model::Actor;
use serde_json::Value;

const NOW: &str = "2026-11-21T06:30:00Z";

/// A repository with a workspace whose two seats are played by the built-in `shell` agent.
struct Site {
    root: PathBuf,
    home: PathBuf,
    _directory: tempfile::TempDir,
}

impl Site {
    /// Nothing but an empty directory.
    fn bare() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        let site = Self { root: base.join("ws"), home: base.join("home"), _directory: directory };
        fs::create_dir_all(&site.root).unwrap();
        fs::create_dir_all(&site.home).unwrap();
        site
    }

    fn new() -> Self {
        let site = Self::bare();
        site.write("orchestration.yaml", "agent: { default: shell }\n");
        site.write("prompts/supervisor.md", "```sh\necho plan\necho planned >> docs/fix_plan.md\n```\n");
        site.write("prompts/main.md", "```sh\necho work\necho code >> code.txt\n```\n");
        site.write("docs/fix_plan.md", "- [ ] one\n");
        site.git(&["init", "-q", "-b", "main"]);
        site.git(&["config", "user.name", "Tester"]);
        site.git(&["config", "user.email", "tester@example.org"]);
        site.git(&["add", "-A"]);
        site.git(&["commit", "-q", "-m", "first"]);
        site
    }

    /// The same, after one iteration.
    fn after_an_iteration() -> Self {
        let site = Self::new();
        let output = site.baton(&["run", "--sync-loops", "1"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        site
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &self.home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("BATON_FIXED_NOW", NOW)
            .stdin(Stdio::null());
        command
    }

    fn git(&self, args: &[&str]) {
        assert!(self.command("git").args(args).status().unwrap().success());
    }

    fn baton(&self, args: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_baton")).args(args).output().unwrap()
    }

    /// What a verb that succeeds prints.
    fn says(&self, args: &[&str]) -> String {
        let output = self.baton(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What a verb that fails prints, with its exit code.
    fn refuses(&self, args: &[&str]) -> (i32, String) {
        let output = self.baton(args);
        (output.status.code().unwrap(), text(&output.stderr).replace(self.root.to_str().unwrap(), "/ws"))
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.says(args)).unwrap()
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.root.join("sync/state.json")).unwrap()).unwrap()
    }

    fn change_state(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        change(&mut state);
        self.write("sync/state.json", &serde_json::to_string_pretty(&state).unwrap());
    }

    fn records(&self) -> Home {
        Home::in_git_dir(&self.root.join(".git"))
    }

    /// Every file below the workspace with its size and time of change.
    fn listing(&self) -> Vec<String> {
        fn list(directory: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                let metadata = entry.metadata().unwrap();
                found.push(format!(
                    "{} {} {:?}",
                    entry.path().display(),
                    metadata.len(),
                    metadata.modified().unwrap()
                ));
                if metadata.is_dir() {
                    list(&entry.path(), found);
                }
            }
        }
        let mut found = Vec::new();
        list(&self.root, &mut found);
        list(&self.home, &mut found);
        found.sort();
        found
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn status_tells_the_last_turns_and_changes_nothing() {
    let site = Site::after_an_iteration();
    let before = site.listing();
    let shown = site.says(&["status"]);
    assert!(
        shown.contains("Turn        galph (supervisor), iteration 2\n            complete since"),
        "{shown}"
    );
    assert!(shown.contains("Last turn   ralph, iteration 1: ok"), "{shown}");
    assert!(shown.contains("Before it   galph, iteration 1: ok"), "{shown}");
    assert!(
        shown.ends_with("Next        baton run\n            (it takes galph's turn of iteration 2)\n"),
        "{shown}"
    );
    let document = site.json(&["status", "--json"]);
    assert_eq!(document["state"]["iteration"], 2);
    assert_eq!(document["last_turns"][0]["commits"].as_array().unwrap().len(), 1);
    assert_eq!(document["next"]["command"], "baton run");
    assert_eq!(site.listing(), before);
}

#[test]
fn status_needs_neither_a_state_nor_a_repository() {
    let site = Site::bare();
    assert_eq!(
        site.says(&["status"]).replace(site.root.to_str().unwrap(), "/ws"),
        "Workspace   /ws\n\
         Turn        galph, iteration 1: there is no sync/state.json yet\n\
         Next        baton init\n            (there is no workspace here yet)\n"
    );
    assert_eq!(site.json(&["status", "--json"])["state"], Value::Null);
    assert_eq!(fs::read_dir(&site.root).unwrap().count(), 0);
}

#[test]
fn status_of_an_unreadable_state_names_the_place_and_the_remedy() {
    let site = Site::new();
    site.write("sync/state.json", "{\n  \"iteration\": 4,");
    assert_eq!(
        site.refuses(&["status"]),
        (
            2,
            "error: sync/state.json:2:17: not a valid turn state: EOF while parsing a value\n  \
             help: `baton doctor --fix` restores the newest valid version; nothing is reset\n"
                .to_owned()
        )
    );
}

#[test]
fn status_sees_a_live_holder_by_its_lock() {
    let site = Site::after_an_iteration();
    let ambient = baton::ambient::Ambient::real();
    let lock = site.records().lock_seat(Actor::Galph, &ambient).unwrap();
    assert_eq!(site.json(&["status", "--json"])["seats"]["galph"], "taken");
    drop(lock);
    assert_eq!(site.json(&["status", "--json"])["seats"]["galph"], "free");
}

#[test]
fn logs_are_interleaved_and_carry_their_commits() {
    let site = Site::after_an_iteration();
    let shown = site.says(&["logs"]);
    let (galph, ralph) =
        (shown.find("===== galph iteration 1:").unwrap(), shown.find("===== ralph iteration 1:").unwrap());
    assert!(galph < ralph, "{shown}");
    assert!(shown.contains("\nplan\n") && shown.contains("\nwork\n"), "{shown}");
    let document = site.json(&["logs", "--json", "--roles", "ralph"]);
    assert_eq!(document["count"], 1);
    assert_eq!(document["logs"][0]["role"], "ralph");
    assert!(document["logs"][0]["commit"].is_string(), "{document}");
    let xml = site.says(&["logs", "--format", "xml", "--source", "summaries"]);
    assert!(
        xml.starts_with("<logs prefix=\"logs/main\" count=\"2\" source=\"summaries\">\n<log role=\"galph\""),
        "{xml}"
    );
}

#[test]
fn without_logs_it_says_so() {
    let site = Site::new();
    let output = site.baton(&["logs"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
    assert_eq!(text(&output.stderr), "No logs in logs/main: nothing has been run in this workspace yet.\n");
    fs::create_dir_all(site.root.join("logs/other")).unwrap();
    let output = site.baton(&["logs", "--json"]);
    assert_eq!(
        text(&output.stderr),
        "No logs in logs/main: there are some of other: choose with `--branch`.\n"
    );
    assert_eq!(
        text(&output.stdout),
        "{\"prefix\":\"logs/main\",\"count\":0,\"source\":\"logs\",\"elsewhere\":[],\"logs\":[]}\n"
    );
}

#[test]
fn doctor_finds_a_workspace_that_works_in_order_and_changes_nothing() {
    let site = Site::after_an_iteration();
    let before = site.listing();
    let shown = site.says(&["doctor"]);
    for line in [
        "ok   configuration: valid\n",
        "ok   repository: on main at ",
        "ok   identity: Tester <tester@example.org>\n",
        "ok   excludes: /.baton/ and /logs/ are out of git's sight\n",
        "ok   prompts: main.md, supervisor.md in prompts\n",
        "ok   agent of galph: shell, by --agent or agent.default: ",
        "ok   state: iteration 2, galph's turn, status complete\n",
        "ok   seat of ralph: free\n",
        "ok   attempts: none without a turn\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert_eq!(site.json(&["doctor", "--json"])["healthy"], true);
    assert_eq!(site.listing(), before);
}

#[test]
fn doctor_names_all_that_is_wrong_with_its_remedy() {
    let site = Site::new();
    site.write("orchestration.yaml", "agent: { default: no-such-agent }\nmain_prompt: gone.md\n");
    site.git(&["checkout", "-q", "--detach"]);
    let output = site.baton(&["doctor"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("fail repository: HEAD is detached at "), "{shown}");
    site.write("orchestration.yaml", "agent: { default: shell }\nmain_prompt: gone.md\n");
    let shown = text(&site.baton(&["doctor"]).stdout);
    assert!(
        shown.contains(
            "fail prompts: prompts/gone.md: no such prompt\n     remedy: write it, or name another in orchestration.yaml; `baton init` writes default ones\n"
        ),
        "{shown}"
    );
    assert!(
        shown.contains("warn excludes: /.baton/ and /logs/ is not in ") || shown.contains("ok   excludes"),
        "{shown}"
    );
}

#[test]
fn doctor_restores_an_unreadable_state_from_the_journal_and_keeps_the_broken_one() {
    let site = Site::after_an_iteration();
    let before = site.state();
    site.write("sync/state.json", "<<<<<<< HEAD\n");
    let found = text(&site.baton(&["doctor"]).stdout);
    assert!(found.contains("fail state: sync/state.json:1:1: not a valid turn state: a merge conflict marker\n     remedy: `baton doctor --fix` restores the stamp of ralph's turn "), "{found}");
    let fixed = site.says(&["doctor", "--fix"]);
    assert!(
        fixed.starts_with("fixed state: sync/state.json restored from the stamp of ralph's turn "),
        "{fixed}"
    );
    assert!(
        fixed.contains(": iteration 2, galph's turn, status complete; the broken file is kept beside it as state.json.broken-20261121T063000Z; holds and stops set by hand since then are not in it\n"),
        "{fixed}"
    );
    assert_eq!(site.state(), before);
    let kept = fs::read_to_string(site.root.join("sync/state.json.broken-20261121T063000Z")).unwrap();
    assert_eq!(kept, "<<<<<<< HEAD\n");
    assert!(site.baton(&["run", "--sync-loops", "1"]).status.success());
    assert_eq!(site.state()["iteration"], 3);
}

#[test]
fn doctor_restores_from_git_where_there_is_no_journal_and_never_guesses() {
    let site = Site::new();
    site.write("sync/state.json", "{");
    let output = site.baton(&["doctor", "--fix"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains("remedy: no valid version is in the journal or in git: mend sync/state.json by hand; it is never reset\n"), "{shown}");
    assert_eq!(fs::read_to_string(site.root.join("sync/state.json")).unwrap(), "{");

    site.write(
        "sync/state.json",
        "{\n  \"iteration\": 7,\n  \"expected_actor\": \"ralph\",\n  \"status\": \"waiting-ralph\"\n}\n",
    );
    site.git(&["add", "-f", "sync/state.json"]);
    site.git(&["commit", "-q", "-m", "state"]);
    site.write("sync/state.json", "{");
    let fixed = site.says(&["doctor", "--fix"]);
    assert!(fixed.contains("fixed state: sync/state.json restored from the version of commit "), "{fixed}");
    assert_eq!(site.state()["iteration"], 7);
}

#[test]
fn doctor_repairs_nothing_while_a_baton_is_at_work() {
    let site = Site::after_an_iteration();
    site.write("sync/state.json", "{");
    let ambient = baton::ambient::Ambient::real();
    let _lock = site.records().lock_seat(Actor::Ralph, &ambient).unwrap();
    let (exit, message) = site.refuses(&["doctor", "--fix"]);
    assert_eq!(exit, 1);
    assert!(
        message.starts_with("error: /ws/.git/baton/ralph.lock: another baton is at work here (pid "),
        "{message}"
    );
    assert!(
        message.ends_with(
            "\n  help: `--fix` changes nothing while a turn may run: let it end, or stop it, and try again\n"
        ),
        "{message}"
    );
    assert_eq!(fs::read_to_string(site.root.join("sync/state.json")).unwrap(), "{");
}

#[test]
fn a_journal_that_cannot_be_read_is_told_and_no_attempt_is_called_an_orphan() {
    let site = Site::after_an_iteration();
    let attempt = site.records().attempts().join("01JD5F3Z8K0000000000000000");
    fs::create_dir_all(&attempt).unwrap();
    for name in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(site.records().root().join(name));
    }
    fs::write(site.records().ledger(), "this is not a database, it is text".repeat(50)).unwrap();
    let shown = site.says(&["status"]).replace(site.root.to_str().unwrap(), "/ws");
    assert!(
        shown.contains(
            "Records     problem: cannot open the ledger /ws/.git/baton/ledger.db: file is not a database"
        ),
        "{shown}"
    );
    let output = site.baton(&["doctor", "--fix"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!attempt.join("exit.json").exists());
    let shown = text(&site.baton(&["doctor"]).stdout);
    assert!(shown.contains("fail records: cannot open the ledger "), "{shown}");
    assert!(shown.contains("fail attempts: cannot open the ledger "), "{shown}");
}

#[test]
fn doctor_sweeps_an_attempt_that_vanished_without_a_turn() {
    let site = Site::after_an_iteration();
    let id = "01JD5F3Z8K0000000000000000";
    let attempt = site.records().attempts().join(id);
    fs::create_dir_all(&attempt).unwrap();
    fs::write(attempt.join("lock"), "supervisor 999999\nstarted\n").unwrap();
    let shown = site.says(&["doctor"]);
    assert!(
        shown.contains(&format!(
            "warn attempts: {id} vanished without a result and belongs to no open turn\n"
        )),
        "{shown}"
    );
    let fixed = site.says(&["doctor", "--fix"]);
    assert!(
        fixed.starts_with(&format!("fixed attempt {id}: marked as abandoned, 0 processes ended\n")),
        "{fixed}"
    );
    assert!(fixed.contains("ok   attempts: none without a turn\n"), "{fixed}");
}

#[test]
fn a_hold_stops_the_loop_until_it_is_cleared() {
    let site = Site::after_an_iteration();
    assert_eq!(site.says(&["hold", "list"]), "No holds.\n");
    let set = site.says(&["hold", "set", "pause", "--reason", "wait for me"]);
    assert!(set.starts_with("Held: ") && set.ends_with(" pause: wait for me\n"), "{set}");
    assert_eq!(site.baton(&["run", "--sync-loops", "1"]).status.code(), Some(4));
    let id = site.json(&["hold", "list", "--json"])["holds"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(site.json(&["status", "--json"])["next"]["command"], format!("baton hold clear {id}"));
    assert_eq!(
        site.says(&["hold", "clear", &id]),
        format!("Cleared hold {id}; no other stands. `baton run` goes on.\n")
    );
    assert!(site.baton(&["run", "--sync-loops", "1"]).status.success());
    let timed = site.json(&["hold", "set", "limit", "--reason", "r", "--for", "2h", "--json"]);
    assert_eq!(timed["state"]["holds"][0]["until"], "2026-11-21T08:30:00Z");
}

#[test]
fn stop_ends_the_loop_before_the_next_turn_until_it_is_cleared() {
    let site = Site::after_an_iteration();
    assert_eq!(
        site.says(&["stop", "--reason", "enough"]),
        "Nobody takes another turn: enough\nClear it with `baton stop --clear`.\n"
    );
    assert!(site.baton(&["run", "--sync-loops", "1"]).status.success());
    assert_eq!(site.state()["iteration"], 2);
    assert_eq!(site.says(&["stop", "--clear"]), "Both sides may take turns again; `baton run` goes on.\n");
    assert!(site.baton(&["run", "--sync-loops", "1"]).status.success());
    assert_eq!(site.state()["iteration"], 3);
}

#[test]
fn a_handoff_by_hand_is_stamped_with_the_commit() {
    let site = Site::after_an_iteration();
    assert_eq!(
        site.says(&["pass", "galph", "ok"]),
        "Stamped by hand: galph passed. It is ralph's turn now, iteration 2, status `waiting-ralph`.\n"
    );
    assert_eq!(
        site.says(&["pass", "ralph", "fail"]),
        "Stamped by hand: ralph failed. It is ralph's turn now, iteration 2, status `failed`.\n"
    );
    assert!(site.state()["ralph_commit"].as_str().unwrap().len() >= 7);
}

#[test]
fn a_running_turn_is_taken_over_only_after_a_warning_and_can_then_be_claimed() {
    let site = Site::after_an_iteration();
    assert_eq!(
        site.refuses(&["takeover", "galph"]),
        (
            2,
            "error: galph's turn is not running: status is `complete`\n  \
             help: only a running turn is taken over; `baton status` says what to do next\n"
                .to_owned()
        )
    );
    site.change_state(|state| {
        state["status"] = "running-galph".into();
        state["token"] = "0".repeat(32).into();
        state["holder"] =
            serde_json::json!({"id": "x", "host": "somewhere-else", "pid": 1, "since": "2026-11-21T06:00:00Z"});
    });
    let (exit, message) = site.refuses(&["pass", "galph", "ok"]);
    assert_eq!(exit, 6, "{message}");
    let (exit, message) = site.refuses(&["takeover", "galph"]);
    assert_eq!(exit, 2);
    assert!(message.contains("the holder is on somewhere-else"), "{message}");
    assert_eq!(site.state()["status"], "running-galph");
    assert_eq!(
        site.says(&["takeover", "galph", "--yes"]),
        "galph's turn of iteration 2 was taken away; its holder, if it lives, publishes nothing any more.\n\
         Next: `baton run` claims it again.\n"
    );
    let state = site.state();
    assert_eq!((&state["status"], &state["holder"]), (&"complete".into(), &Value::Null));
    assert!(site.baton(&["run", "--sync-loops", "1"]).status.success());
    assert_eq!(site.state()["iteration"], 3);
}

/// The crash points are compiled into debug builds only.
#[cfg(debug_assertions)]
#[test]
fn a_turn_that_can_go_on_is_told_and_is_not_taken_away_unasked() {
    let site = Site::new();
    let crashed = site
        .command(env!("CARGO_BIN_EXE_baton"))
        .args(["run", "--sync-loops", "1"])
        .env("BATON_CRASH_AT", "running:done")
        .output()
        .unwrap();
    assert!(!crashed.status.success());
    let document = site.json(&["status", "--json"]);
    assert_eq!(document["open_turns"][0]["agent"], "finished");
    assert_eq!(document["holder"]["life"], "gone_here");
    assert_eq!(
        document["next"]["why"],
        "it goes on with the open turn; its agent has finished and is not run again"
    );
    let found = site.says(&["doctor"]);
    assert!(found.contains(" of iteration 1 is open, in `running`, and its process is gone\n     remedy: `baton run` goes on with it; nothing that was done is done again\n"), "{found}");
    assert!(found.contains("ok   attempts: none without a turn\n"), "{found}");

    let (exit, message) = site.refuses(&["takeover", "galph"]);
    assert_eq!(exit, 2);
    assert_eq!(
        message,
        "error: galph's turn was not taken over: galph's turn was begun here and can be gone on with: `baton run` does so, \
         and what its agent has done is not lost\n  help: if you are sure, `baton takeover galph --yes`\n"
    );
    assert!(site.says(&["takeover", "galph", "--yes"]).ends_with(
        "Next: `baton run` ends what is left of the turn here (exit 6), and the one after it claims again.\n"
    ));
    assert_eq!(site.json(&["status", "--json"])["open_turns"][0]["taken_away"], true);
    assert_eq!(site.baton(&["run", "--sync-loops", "1"]).status.code(), Some(6));
    assert!(site.baton(&["run", "--sync-loops", "1"]).status.success());
    assert_eq!(site.state()["iteration"], 2);
}

/// The crash points are compiled into debug builds only.
#[cfg(debug_assertions)]
#[test]
fn an_agent_that_outlived_its_turns_journal_is_told_and_ended() {
    let site = Site::new();
    site.write("prompts/supervisor.md", "```sh\nexec sleep 600\n```\n");
    site.git(&["commit", "-q", "-a", "-m", "slow"]);
    let crashed = site
        .command(env!("CARGO_BIN_EXE_baton"))
        .args(["run", "--sync-loops", "1"])
        .env("BATON_CRASH_AT", "running:go")
        .output()
        .unwrap();
    assert!(!crashed.status.success());
    let document = site.json(&["status", "--json"]);
    assert_eq!(document["open_turns"][0]["agent"], "alive", "{document}");
    assert_eq!(document["next"]["why"], "it goes on with the open turn, whose agent still runs");

    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(site.records().root().join(name));
    }
    let found = site.says(&["doctor"]);
    assert!(found.contains(" runs and belongs to no open turn (supervisor pid "), "{found}");
    let fixed = site.says(&["doctor", "--fix"]);
    assert!(fixed.contains(": it ran without a turn and was ended\n"), "{fixed}");
    assert!(fixed.contains("ok   attempts: none without a turn\n"), "{fixed}");
}

#[test]
fn what_needs_a_state_says_that_there_is_none_and_makes_none() {
    let site = Site::new();
    for verb in [
        &["stop"][..],
        &["pass", "galph", "ok"],
        &["takeover", "galph"],
        &["hold", "list"],
        &["hold", "set", "pause", "--reason", "r"],
        &["hold", "clear", "01JD5F3Z8K0000000000000000"],
    ] {
        assert_eq!(
            site.refuses(verb),
            (
                2,
                "error: there is no state in `/ws`: sync/state.json does not exist\n  \
                 help: `baton run` makes it with the first turn\n  \
                 help: `-C DIR` chooses another workspace, `--state-file FILE` another file\n"
                    .to_owned()
            ),
            "{verb:?}"
        );
    }
    assert!(!site.root.join("sync").exists());
}

#[test]
fn an_agent_cannot_decide_what_is_a_persons() {
    let site = Site::after_an_iteration();
    let before = site.state();
    for (verb, name) in [
        (&["pass", "galph", "ok"][..], "pass"),
        (&["takeover", "galph", "--yes"], "takeover"),
        (&["hold", "clear", "x"], "hold clear"),
    ] {
        let output = site
            .command(env!("CARGO_BIN_EXE_baton"))
            .env("BATON_ATTEMPT", "01JD5F3Z8K0000000000000000")
            .args(verb)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(
            text(&output.stderr),
            format!(
                "error: `baton {name}` is a person's decision, and this is an agent's turn (BATON_ATTEMPT is set)\n  \
                 help: end the turn, and say in your reply what a person should do\n"
            )
        );
    }
    assert_eq!(site.state(), before);
}
