//! The earlier implementation's side of a pair: it pulls by rebase, knows nine fields of the state (it reads `exit` too) and
//! drops all others, claims its own running turn again after a crash, ignores holds, and pushes plainly.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::account::NINE;
use super::machine::Machine;

/// Between two pulls.
const POLL: Duration = Duration::from_millis(20);
/// A pair that makes no progress for so long hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// One seat of it, in a clone in which nothing is uncommitted.
pub(crate) struct Peer<'m> {
    machine: &'m Machine,
    role: &'m str,
}

impl<'m> Peer<'m> {
    pub(crate) fn new(machine: &'m Machine, role: &'m str) -> Self {
        machine.git(&["config", "pull.rebase", "true"]);
        Self { machine, role }
    }

    fn other(&self) -> &'static str {
        if self.role == "galph" { "ralph" } else { "galph" }
    }

    /// Takes turns until it has taken so many, then, as galph, waits for the other's last. It stops before a turn when it
    /// is asked to.
    pub(crate) fn run(&self, turns: u64) -> Result<(), String> {
        let mut since = Instant::now();
        let mut taken = 0;
        loop {
            let state = self.pull()?;
            if state.is_none() && self.role == "galph" {
                self.initialise()?;
                continue;
            }
            let is_mine = state.as_ref().is_some_and(|state| state["expected_actor"] == self.role);
            if state.as_ref().is_some_and(|state| state["exit"] == true)
                || (taken == turns && (is_mine || self.role == "ralph"))
            {
                return Ok(());
            }
            match state {
                Some(state) if is_mine => {
                    self.claim(&state)?;
                    self.work(&state)?;
                    self.stamp(true)?;
                    taken += 1;
                    since = Instant::now();
                }
                None | Some(_) => {
                    if since.elapsed() > PATIENCE {
                        return Err("the other side does not come to its turn".to_owned());
                    }
                    std::thread::sleep(POLL);
                }
            }
        }
    }

    /// Pulls, and says what the state is.
    pub(crate) fn pull(&self) -> Result<Option<Value>, String> {
        self.machine.try_git(&["pull", "--quiet", "--rebase", "origin", "main"])?;
        Ok(self.read())
    }

    fn read(&self) -> Option<Value> {
        self.machine.read("sync/state.json").map(|text| serde_json::from_str(&text).unwrap())
    }

    fn initialise(&self) -> Result<(), String> {
        let first = json!({ "iteration": 1, "expected_actor": "galph", "status": "idle" });
        self.write(&first, "[SYNC init] actor=galph status=idle")
    }

    /// Takes the turn, whatever the state says of who runs.
    pub(crate) fn claim(&self, state: &Value) -> Result<(), String> {
        let mut next = state.clone();
        next["status"] = format!("running-{}", self.role).into();
        self.write(&next, &format!("[SYNC i={}] actor={} status=running", state["iteration"], self.role))
    }

    /// Runs the scripted agent and commits what it has made.
    pub(crate) fn work(&self, state: &Value) -> Result<(), String> {
        let iteration = state["iteration"].to_string();
        let ended = Command::new("sh")
            .args(["-c", ". \"$FAKE_DIR/agent\""])
            .current_dir(self.machine.root())
            .env_clear()
            .envs(self.machine.environment())
            .env("BATON_ACTOR", self.role)
            .env("BATON_ITERATION", &iteration)
            .env("BATON_TURN", format!("earlier-{}-{iteration}", self.role))
            .env("BATON_PROMPT", "main.md")
            .output()
            .unwrap();
        assert!(ended.status.success(), "{ended:?}");
        self.machine.try_git(&["add", "--all"])?;
        let message = format!("--message={} AUTO: work (iter={iteration})", self.role.to_uppercase());
        self.machine.try_git(&["commit", "--quiet", &message]).map(drop)
    }

    /// Ends the turn.
    pub(crate) fn stamp(&self, is_ok: bool) -> Result<(), String> {
        let Some(mut next) = self.pull()? else { return Err("the state has vanished".to_owned()) };
        let head = self.machine.git(&["rev-parse", "--short", "HEAD"]).trim().to_owned();
        let mut iteration = next["iteration"].as_u64().unwrap();
        if is_ok && self.role == "ralph" {
            iteration += 1;
        }
        let (status, handoff, word) = match (is_ok, self.role) {
            (true, "galph") => ("waiting-ralph", " → next=ralph", "ok"),
            (true, _) => ("complete", " → next=galph", "ok"),
            (false, _) => ("failed", "", "fail"),
        };
        next["iteration"] = iteration.into();
        next["status"] = status.into();
        if is_ok {
            next["expected_actor"] = self.other().into();
        }
        let commit = format!("{}_commit", self.role);
        next[&commit] = head.clone().into();
        let subject =
            format!("[SYNC i={iteration}] actor={}{handoff} status={word} {commit}={head}", self.role);
        self.write(&next, &subject)
    }

    /// Writes what it knows of the state, commits it, and pushes.
    fn write(&self, state: &Value, subject: &str) -> Result<(), String> {
        let now = Value::from("2026-01-01T00:00:00Z");
        let mut known = Map::new();
        for name in NINE {
            let value = if name == "last_update" { now.clone() } else { state[name].clone() };
            known.insert(name.to_owned(), value);
        }
        if state["exit"] == true {
            known.insert("exit".to_owned(), true.into());
            known.insert("exit_reason".to_owned(), state["exit_reason"].clone());
        }
        let text = serde_json::to_string_pretty(&Value::Object(known)).unwrap() + "\n";
        self.machine.write("sync/state.json", &text);
        self.machine.try_git(&["add", "sync/state.json"])?;
        self.machine.try_git(&["commit", "--quiet", &format!("--message={subject}")])?;
        self.machine.try_git(&["push", "--quiet", "origin", "HEAD:main"]).map(drop)
    }
}
