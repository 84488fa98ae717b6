//! Codex: `codex exec --json`, one event a line.
//!
//! A turn ends with `turn.completed` or `turn.failed`. An `error` event may be one of several tries ("Reconnecting..."),
//! and an item of type `error` is a warning. There is no HTTP status beside the message, no cost, and usage is
//! counted from the beginning of the thread.

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{OutcomeClass, Usage};

use super::super::known::{KnownAgent, PLAIN, Reports};
use super::super::lines::{Event, Line, count, object, word};
use super::super::provider_error::classify_error;
use super::super::reader::{Adapter, Closing, Conclusion, Failure, Told};
use super::super::{OutputFormat, SessionArgs, Sighting, Waiting};
use super::complaint::{complaint, flat};
use super::refusals::Refusals;
use super::tool_call::first_line;
use super::wait_reason::wait_reason;

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "codex",
    // The script of the npm package stays as a parent on some versions of Node.
    native: &[
        "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
        "@openai/codex-linux-arm64/vendor/aarch64-unknown-linux-musl/bin/codex",
        "@openai/codex-darwin-arm64/vendor/aarch64-apple-darwin/bin/codex",
        "@openai/codex-darwin-x64/vendor/x86_64-apple-darwin/bin/codex",
    ],
    // Its plugins ask the network for updates, at every start.
    head: &[
        "exec",
        "--json",
        "--skip-git-repo-check",
        "--disable",
        "plugins",
        "-c",
        "check_for_update_on_startup=false",
    ],
    bypass: &["--dangerously-bypass-approvals-and-sandbox"],
    // Without a word about it, its sandbox is read-only: nothing could be written, and it would report success.
    guarded: &["-c", "sandbox_mode=\"workspace-write\""],
    session: SessionArgs { fresh: &[], resume: &["resume", "${session}"] },
    tail: &["-"],
    output: OutputFormat::Codex,
    reports: Reports { tokens: true, cost: false },
    verified: Some("0.169.0"),
    login: "run `codex login`",
    ..PLAIN
};

const RECONNECTING: &str = "Reconnecting...";

/// The reader of its output.
pub(super) fn reader() -> Box<dyn Adapter> {
    Box::new(Codex::default())
}

#[derive(Debug, Default)]
struct Codex {
    session: Option<String>,
    text: String,
    usage: Option<Usage>,
    refusals: Refusals,
    error: Option<Failure>,
    ended: Option<Ended>,
}

#[derive(Debug)]
enum Ended {
    Completed,
    Failed(Failure),
}

impl Adapter for Codex {
    fn stdout(&mut self, line: &Line<'_>, now: Timestamp, seen: &mut Vec<Sighting>) {
        for event in line.events() {
            self.event(&event, now, seen);
        }
    }

    fn finish(&mut self, closing: &Closing<'_>) -> Told {
        let (conclusion, terminal) = match (&self.ended, &self.error) {
            (Some(Ended::Completed), _) => (
                self.refusals.failure().map_or(Conclusion::Finished, Conclusion::Failed),
                Some("turn.completed"),
            ),
            (Some(Ended::Failed(failure)), _) => (Conclusion::Failed(failure.clone()), Some("turn.failed")),
            (None, Some(error)) => (Conclusion::Failed(error.clone()), None),
            (None, None) => (complaint(closing).map_or(Conclusion::Missing, Conclusion::Failed), None),
        };
        Told {
            text: std::mem::take(&mut self.text),
            conclusion,
            usage: self.usage.unwrap_or_default(),
            cumulative: self.usage,
            session: self.session.take(),
            terminal: terminal.map(str::to_owned),
        }
    }
}

impl Codex {
    fn event(&mut self, event: &Event, now: Timestamp, seen: &mut Vec<Sighting>) {
        match word(event, "type") {
            "thread.started" => {
                let id = word(event, "thread_id").to_owned();
                seen.push(Sighting::Session(id.clone()));
                self.session = Some(id);
            }
            "turn.started" => {
                self.ended = None;
                self.error = None;
            }
            "item.started" => {
                self.ended = None;
                started(event, seen);
            }
            "item.completed" => self.item_completed(event, seen),
            "error" => self.error(word(event, "message"), now, seen),
            "turn.completed" => {
                self.ended = Some(Ended::Completed);
                if let Some(usage) = object(event, "usage").map(usage) {
                    self.usage = Some(usage);
                    seen.push(Sighting::Used(usage));
                }
            }
            "turn.failed" => {
                let message = object(event, "error").map_or("", |error| word(error, "message"));
                let message = if message.is_empty() { "it reported that its turn failed" } else { message };
                self.ended = Some(Ended::Failed(failure(message, now)));
            }
            other => seen.push(Sighting::Other(other.to_owned())),
        }
    }

    fn error(&mut self, message: &str, now: Timestamp, seen: &mut Vec<Sighting>) {
        match message.strip_prefix(RECONNECTING) {
            Some(tries) => seen.push(Sighting::Waiting(waiting(tries, now))),
            None => self.error = Some(failure(message, now)),
        }
    }

    fn item_completed(&mut self, event: &Event, seen: &mut Vec<Sighting>) {
        let Some(item) = object(event, "item") else { return };
        let kind = word(item, "type");
        match kind {
            "agent_message" => {
                self.ended = None;
                word(item, "text").clone_into(&mut self.text);
                seen.push(Sighting::Said(self.text.clone()));
            }
            "error" | "reasoning" | "todo_list" => seen.push(Sighting::Other(kind.to_owned())),
            _ => {
                let status = word(item, "status");
                match status {
                    "declined" => self.refusals.refused(kind, &subject(item)),
                    "completed" => self.refusals.worked(kind),
                    _ => {}
                }
                seen.push(Sighting::ToolEnded {
                    id: Some(word(item, "id").to_owned()),
                    failed: matches!(status, "failed" | "declined"),
                    summary: first_line(word(item, "aggregated_output")),
                });
            }
        }
    }
}

fn started(event: &Event, seen: &mut Vec<Sighting>) {
    let Some(item) = object(event, "item") else { return };
    seen.push(Sighting::ToolStarted {
        id: Some(word(item, "id").to_owned()),
        name: word(item, "type").to_owned(),
        summary: subject(item),
    });
}

/// What an item is about.
fn subject(item: &Event) -> String {
    let change = item.get("changes").and_then(Value::as_array).and_then(|changes| changes.first());
    let path = change.and_then(Value::as_object).map_or("", |change| word(change, "path"));
    let known = [word(item, "command"), path, word(item, "tool"), word(item, "query")];
    first_line(known.into_iter().find(|text| !text.is_empty()).unwrap_or_default())
}

/// A failure by its message. Of a request that the provider called bad (400), the message is the provider's whole answer.
fn failure(message: &str, now: Timestamp) -> Failure {
    let answer: Option<Event> = serde_json::from_str(message).ok();
    let Some(error) = answer.as_ref().and_then(|answer| object(answer, "error")) else {
        return Failure::of(None, None, &flat(message), now);
    };
    let kind = [word(error, "code"), word(error, "type")].into_iter().find(|kind| !kind.is_empty());
    Failure::of(Some(400), kind, &flat(word(error, "message")), now)
}

/// ` 2/5 (why)`, as it follows the word that it is trying again.
fn waiting(tries: &str, now: Timestamp) -> Waiting {
    let (counted, why) = tries.split_once('(').unwrap_or((tries, ""));
    let (attempt, of) = counted.trim().split_once('/').unwrap_or((counted, ""));
    let until = match classify_error(None, None, why, now) {
        OutcomeClass::Limited { until } => until,
        _ => None,
    };
    Waiting {
        reason: wait_reason(why),
        attempt: attempt.trim().parse().ok(),
        of: of.trim().parse().ok(),
        until,
    }
}

fn usage(usage: &Event) -> Usage {
    Usage {
        input_tokens: count(usage, "input_tokens"),
        output_tokens: count(usage, "output_tokens"),
        cached_tokens: count(usage, "cached_input_tokens"),
        ..Usage::default()
    }
}
