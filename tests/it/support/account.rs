//! The rules of the protocol, written down a second time: what the commits of a branch may do to the state, and what the
//! turns came to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::history::Entry;

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Passed,
    Failed,
    Released,
    TakenOver,
    Open,
}

/// A claim and its end.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// The turn's name; the earlier implementation has none.
    pub(crate) id: Option<String>,
    pub(crate) actor: String,
    pub(crate) iteration: u64,
    pub(crate) ending: Ending,
}

/// What the turns of a branch came to, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) turns: Vec<Turn>,
    /// The state at the end.
    pub(crate) state: Value,
}

impl Account {
    /// The turns that have passed.
    pub(crate) fn passed(&self) -> impl Iterator<Item = &Turn> {
        self.turns.iter().filter(|turn| turn.ending == Ending::Passed)
    }

    /// How many turns came to this end.
    pub(crate) fn count(&self, ending: Ending) -> usize {
        self.turns.iter().filter(|turn| turn.ending == ending).count()
    }

    pub(crate) fn takeovers(&self) -> usize {
        self.count(Ending::TakenOver)
    }

    /// Asserts a state at rest after so many whole iterations, and that every turn of the other claims was given back.
    #[track_caller]
    pub(crate) fn assert_iterations(&self, done: u64) -> &Self {
        let state = &self.state;
        let seen = (&state["iteration"], &state["expected_actor"], &state["status"], &state["holder"]);
        let null = Value::Null;
        assert_eq!(seen, (&(done + 1).into(), &"galph".into(), &"complete".into(), &null), "{state:#}");
        assert_eq!(self.passed().count() as u64, 2 * done, "{self:#?}");
        self
    }
}

/// The fields of the earlier implementation; everything that it writes has no others.
pub(super) const NINE: [&str; 9] = [
    "iteration",
    "expected_actor",
    "status",
    "last_update",
    "lease_expires_at",
    "galph_commit",
    "ralph_commit",
    "last_prompt",
    "last_prompt_actor",
];

fn text<'v>(state: &'v Value, name: &str) -> &'v str {
    state[name].as_str().unwrap_or_default()
}

fn number(state: &Value, name: &str) -> u64 {
    state[name].as_u64().unwrap_or_default()
}

/// Whether the earlier implementation has written it.
fn is_earlier(state: &Value) -> bool {
    state["schema_version"].is_null()
}

fn runner(state: &Value) -> Option<&str> {
    text(state, "status").strip_prefix("running-")
}

fn other(actor: &str) -> &'static str {
    if actor == "galph" { "ralph" } else { "galph" }
}

/// Judges the commits, each after its parents; the error names the first that breaks a rule.
pub(super) fn judge(entries: &[Entry]) -> Result<Account, String> {
    let mut judging = Judging::default();
    for entry in entries {
        judging.take(entry).map_err(|broken| {
            format!("{} `{}`: {broken}", &entry.id[..8.min(entry.id.len())], entry.subject)
        })?;
    }
    judging.account.state = judging.last.unwrap_or_default();
    Ok(judging.account)
}

#[derive(Default)]
struct Judging {
    account: Account,
    /// The newest state of the chain.
    last: Option<Value>,
    /// The state before the claim that is open.
    before_claim: Option<Value>,
    states: BTreeMap<String, Option<Value>>,
    tokens: BTreeSet<String>,
    epoch: u64,
    ids: Vec<String>,
}

/// A rule that may be broken.
fn rule(holds: bool, says: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(says()) }
}

/// Whether a field is as it should be.
fn field(state: &Value, name: &str, wanted: impl Into<Value>) -> Result<(), String> {
    let wanted = wanted.into();
    rule(state[name] == wanted, || format!("`{name}` is {} instead of {wanted}", state[name]))
}

impl Judging {
    fn take(&mut self, entry: &Entry) -> Result<(), String> {
        let before = entry.parents.first().and_then(|parent| self.states.get(parent).cloned().flatten());
        self.states.insert(entry.id.clone(), entry.state.clone());
        self.ids.push(entry.id.clone());
        if !entry.is_sync() {
            // A person may set the pair up by a commit of their own, and what a merge brings is looked at by itself.
            let set_up = before.is_none() && self.last.is_none();
            rule(set_up || entry.parents.len() > 1 || before == entry.state, || {
                "a commit that is none of the pair's changes the state".to_owned()
            })?;
            if set_up {
                self.last.clone_from(&entry.state);
            }
            return Ok(());
        }
        rule(before == self.last, || "it does not follow the state before it".to_owned())?;
        let Some(after) = entry.state.clone() else { return Err("it has no readable state".to_owned()) };
        self.known_words(&after)?;
        match &before {
            None => Self::initial(entry, &after)?,
            Some(before) => self.change(entry, before, &after)?,
        }
        if let Some(token) = after["token"].as_str()
            && before.as_ref().is_none_or(|before| before["token"] != after["token"])
        {
            rule(self.tokens.insert(token.to_owned()), || format!("token {token} was used before"))?;
        }
        self.last = Some(after);
        Ok(())
    }

    fn known_words(&self, state: &Value) -> Result<(), String> {
        let statuses = ["idle", "running-galph", "waiting-ralph", "running-ralph", "complete", "failed"];
        rule(statuses.contains(&text(state, "status")), || format!("status {}", state["status"]))?;
        rule(["galph", "ralph"].contains(&text(state, "expected_actor")), || {
            format!("expected_actor {}", state["expected_actor"])
        })?;
        let at_rest = runner(state).is_none();
        rule(is_earlier(state) || at_rest == state["holder"].is_null(), || {
            format!("status {} with holder {}", state["status"], state["holder"])
        })?;
        rule(state["failure"].is_null() || text(state, "status") == "failed", || {
            format!("status {} with failure {}", state["status"], state["failure"])
        })?;
        rule(is_earlier(state) || number(state, "epoch") >= self.epoch, || {
            format!("epoch {} after {}", state["epoch"], self.epoch)
        })
    }

    fn initial(entry: &Entry, state: &Value) -> Result<(), String> {
        subject(entry, "[SYNC init] actor=galph status=idle")?;
        field(state, "iteration", 1)?;
        field(state, "status", "idle")?;
        field(state, "expected_actor", "galph")
    }

    fn change(&mut self, entry: &Entry, before: &Value, after: &Value) -> Result<(), String> {
        rule(is_earlier(after) || entry.paths == ["sync/state.json"], || {
            format!("it changes {:?}", entry.paths)
        })?;
        match (runner(before), runner(after)) {
            (None, Some(actor)) => self.claim(entry, actor, before, after),
            (Some(_), Some(actor)) if before["token"] != after["token"] || is_earlier(after) => {
                self.claim_over(entry, actor, before, after)
            }
            (Some(actor), None) => self.stamp(entry, actor, before, after),
            (None, None)
                if before["token"] != after["token"] && !is_earlier(before) && !is_earlier(after) =>
            {
                self.by_hand(entry, before, after)
            }
            (Some(_), Some(_)) | (None, None) => Self::other_fields(before, after),
        }
    }

    fn claim(&mut self, entry: &Entry, actor: &str, before: &Value, after: &Value) -> Result<(), String> {
        subject(entry, &format!("[SYNC i={}] actor={actor} status=running", number(before, "iteration")))?;
        field(before, "expected_actor", actor)?;
        let holds = before["holds"].as_array().map_or(&[][..], Vec::as_slice);
        rule(is_earlier(after) || holds.iter().all(|hold| !hold["until"].is_null()), || {
            "it was made while a hold stood".to_owned()
        })?;
        rule(before["exit"] != true, || "it was made after everybody was asked to stop".to_owned())?;
        self.before_claim = Some(before.clone());
        self.open(entry, actor, before, after)
    }

    /// A takeover; the earlier implementation claims its own seat's running turn again without a word.
    fn claim_over(
        &mut self,
        entry: &Entry,
        actor: &str,
        before: &Value,
        after: &Value,
    ) -> Result<(), String> {
        rule(runner(before) == Some(actor), || "it takes the other seat's turn".to_owned())?;
        let words = if is_earlier(after) {
            rule(is_earlier(before), || "the earlier side claims over a living claim of ours".to_owned())?;
            ""
        } else {
            " reason=takeover"
        };
        subject(
            entry,
            &format!("[SYNC i={}] actor={actor} status=running{words}", number(before, "iteration")),
        )?;
        self.end(Ending::TakenOver)?;
        self.open(entry, actor, before, after)
    }

    fn open(&mut self, entry: &Entry, actor: &str, before: &Value, after: &Value) -> Result<(), String> {
        field(after, "expected_actor", actor)?;
        field(after, "iteration", number(before, "iteration"))?;
        let mut id = None;
        if !is_earlier(after) {
            field(after, "epoch", self.epoch + 1)?;
            self.epoch += 1;
            let holder = text(&after["holder"], "id");
            says(entry, &format!("Baton-Turn: {holder}"))?;
            says(entry, "[skip ci]")?;
            id = Some(holder.to_owned());
            if let Some(known) = self.account.turns.iter().position(|turn| turn.id == id) {
                return self.go_on(known, holder, before);
            }
        }
        let iteration = number(after, "iteration");
        self.account.turns.push(Turn { id, actor: actor.to_owned(), iteration, ending: Ending::Open });
        Ok(())
    }

    /// The newest turn again, whose work was refused where it was done, and waited there.
    fn go_on(&mut self, known: usize, holder: &str, before: &Value) -> Result<(), String> {
        let refused = before["failure"]["waits"] == true && text(&before["failure"], "turn") == holder;
        let newest = known + 1 == self.account.turns.len();
        rule(refused && newest, || format!("turn {holder} is claimed a second time"))?;
        self.account.turns[known].ending = Ending::Open;
        Ok(())
    }

    fn end(&mut self, ending: Ending) -> Result<(), String> {
        let last = self.account.turns.last_mut().filter(|turn| turn.ending == Ending::Open);
        let Some(turn) = last else { return Err("no turn is open".to_owned()) };
        turn.ending = ending;
        Ok(())
    }

    fn stamp(&mut self, entry: &Entry, actor: &str, before: &Value, after: &Value) -> Result<(), String> {
        let iteration = number(before, "iteration");
        let head = |iteration: u64| format!("[SYNC i={iteration}] actor={actor}");
        let passed = other(actor) == text(after, "expected_actor");
        let (ending, says_so) = if passed {
            let (status, moves_to) =
                if actor == "galph" { ("waiting-ralph", iteration) } else { ("complete", iteration + 1) };
            field(after, "status", status)?;
            field(after, "iteration", moves_to)?;
            (Ending::Passed, format!("{} → next={} status=ok", head(moves_to), other(actor)))
        } else if text(after, "status") == "failed" && !entry.subject.contains("released") {
            (Ending::Failed, format!("{} status=fail", head(iteration)))
        } else {
            let before_claim = self.before_claim.as_ref().map_or("", |state| text(state, "status"));
            field(after, "status", before_claim)?;
            // A person took it away, and with it the right to end it: that is a claim of its own.
            let taken = entry.subject.ends_with(" reason=takeover");
            self.epoch += u64::from(taken);
            let ending = if taken { Ending::TakenOver } else { Ending::Released };
            (ending, format!("{} status=released", head(iteration)))
        };
        let rest = entry.subject.strip_prefix(&says_so);
        let Some(rest) = rest else { return Err(format!("the subject should begin `{says_so}`")) };
        if !passed {
            field(after, "expected_actor", actor)?;
            field(after, "iteration", iteration)?;
        }
        let name = format!("{actor}_commit");
        if matches!(ending, Ending::Passed | Ending::Failed) {
            let sha = text(after, &name);
            rule(rest == format!(" {name}={sha}"), || format!("the subject names{rest}, the state {sha}"))?;
            let known = self.ids.iter().any(|id| !sha.is_empty() && id.starts_with(sha));
            rule(known || is_earlier(after), || format!("{sha} is no commit of the branch"))?;
        }
        if !is_earlier(after) {
            rule(before["token"] != after["token"], || "it keeps the claim's token".to_owned())?;
            rule(!is_earlier(before), || "it ends a claim of the earlier side".to_owned())?;
            field(after, "epoch", self.epoch)?;
            says(entry, &format!("Baton-Turn: {}", text(&before["holder"], "id")))?;
        }
        self.end(ending)
    }

    fn by_hand(&mut self, entry: &Entry, before: &Value, after: &Value) -> Result<(), String> {
        if entry.subject.ends_with(" status=released reason=takeover") {
            // The work of a refused turn is given up: a claim and its end in one.
            rule(before["failure"]["waits"] == true, || "nobody has the turn that is taken away".to_owned())?;
            field(after, "expected_actor", text(before, "expected_actor"))?;
            field(after, "iteration", number(before, "iteration"))?;
            self.epoch += 1;
            return Ok(());
        }
        let actor = other(text(after, "expected_actor"));
        let moved = number(after, "iteration") - number(before, "iteration");
        rule(moved == u64::from(text(after, "status") == "complete"), || format!("moves by {moved}"))?;
        let head = format!("[SYNC i={}] actor=", number(after, "iteration"));
        rule(entry.subject.starts_with(&head), || format!("a pass by {actor} should begin `{head}`"))
    }

    /// Holds and exit may change under any token, and with them what counts for them.
    fn other_fields(before: &Value, after: &Value) -> Result<(), String> {
        let may = [
            "holds",
            "exit",
            "exit_reason",
            "interruptions",
            "last_update",
            "schema_version",
            "epoch",
            "usage",
            "token",
        ];
        for name in NINE.iter().chain(&["holder"]).filter(|name| !may.contains(name)) {
            rule(before[name] == after[name], || format!("`{name}` changes under the same token"))?;
        }
        Ok(())
    }
}

fn subject(entry: &Entry, wanted: &str) -> Result<(), String> {
    rule(entry.subject == wanted, || format!("the subject should be `{wanted}`"))
}

fn says(entry: &Entry, line: &str) -> Result<(), String> {
    rule(entry.body.lines().any(|found| found == line), || format!("the body does not say `{line}`"))
}
