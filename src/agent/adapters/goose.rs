//! goose: `goose run --output-format stream-json`, one event a line: messages, and `complete` at the end.
//!
//! Its exit code is 0 whatever happens, and it reports what failed as if the model had said it, in a message without an
//! id. `complete` counts tokens from the beginning of the session, and has none where no answer came to its end. The
//! session is not named in the stream: the name is ours.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::model::{OutcomeClass, Usage};

use super::super::known::{KnownAgent, ModelBy, PLAIN, Reports};
use super::super::lines::{Event, Line, as_count, object, word};
use super::super::reader::{Adapter, Closing, Conclusion, Failure, Told};
use super::super::{OutputFormat, SessionArgs, Sighting, Waiting};
use super::complaint::{complaint, flat};
use super::last_words::LastWords;
use super::refusals::Refusals;
use super::tool_call::{first_line, summary_of_call};
use super::wait_reason::wait_reason;

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "goose",
    native: &[
        "@aaif/goose-binary-linux-x64/bin/goose",
        "@aaif/goose-binary-linux-arm64/bin/goose",
        "@aaif/goose-binary-darwin-arm64/bin/goose",
        "@aaif/goose-binary-darwin-x64/bin/goose",
    ],
    head: &["run", "-q", "--output-format", "stream-json", "--with-builtin", "developer"],
    bypass_env: &[("GOOSE_MODE", "auto")],
    // Its warnings, without which nothing tells that it waits for the provider.
    env: &[("OTEL_LOGS_EXPORTER", "console"), ("OTEL_LOG_LEVEL", "warn")],
    model: ModelBy::Variable("GOOSE_MODEL"),
    session: SessionArgs { fresh: &["--name", "${session}"], resume: &["--resume", "--name", "${session}"] },
    tail: &["-i", "-"],
    output: OutputFormat::Goose,
    reports: Reports { tokens: true, cost: false },
    verified: Some("1.34.0"),
    login: "run `goose configure`",
    ..PLAIN
};

/// What it says in the model's place when it gives up.
const ERROR_MARK: &str = "Ran into this error";
/// The same when `--max-turns` is reached.
const TURNS_MARK: &str = "I've reached the maximum number of actions";
/// What a tool answers that the user's mode or the user does not let run.
const REFUSAL_MARKS: [&str; 2] = ["skipped in goose chat mode", "The user has declined to run this tool"];
/// How one of its warnings tells that it waits for the provider, and what follows the count of tries.
const RETRY_MARK: &str = "Request failed, retrying (";
/// What precedes how long it waits, in such a warning.
const DELAY_MARK: &str = "retry_delay: Some(";
/// What it writes to standard error when a permission would have to be asked for.
const APPROVAL_MARK: &str = "Tool approval required in non-interactive mode";

/// The reader of its output.
pub(super) fn reader() -> Box<dyn Adapter> {
    Box::new(Goose::default())
}

#[derive(Debug, Default)]
struct Goose {
    words: LastWords,
    refusals: Refusals,
    /// The tool of the last request: answers name none.
    tool: String,
    error: Option<Failure>,
    /// The same words, in a message that may be the model's: they count if the end shows that something went wrong.
    suspicion: Option<Failure>,
    approval: Option<String>,
    complete: Option<Completed>,
}

/// The last event.
#[derive(Debug)]
struct Completed {
    usage: Option<Usage>,
}

impl Adapter for Goose {
    fn stdout(&mut self, line: &Line<'_>, now: Timestamp, seen: &mut Vec<Sighting>) {
        if let Some((_, warning)) = line.text.split_once(RETRY_MARK).filter(|_| !line.text.starts_with('{')) {
            seen.push(Sighting::Waiting(waiting(warning, now)));
            return;
        }
        for event in line.events() {
            self.event(&event, now, seen);
        }
    }

    fn stderr(&mut self, line: &Line<'_>, _now: Timestamp, _seen: &mut Vec<Sighting>) {
        if line.text.contains(APPROVAL_MARK) {
            self.approval = Some(line.text.trim_start_matches("Error: ").to_owned());
        }
    }

    fn finish(&mut self, closing: &Closing<'_>) -> Told {
        let terminal = self.complete.as_ref().map(|_| "complete".to_owned());
        let usage = self.complete.as_ref().and_then(|complete| complete.usage);
        let conclusion = match (self.error.take(), self.approval.take(), &self.complete) {
            (Some(error), _, _) => Conclusion::Failed(error),
            (None, Some(detail), _) => Conclusion::Failed(Failure { class: OutcomeClass::Denied, detail }),
            (None, None, None) => complaint(closing).map_or(Conclusion::Missing, Conclusion::Failed),
            (None, None, Some(Completed { usage: None })) => {
                Conclusion::Failed(self.suspicion.take().unwrap_or_else(|| {
                    Failure::plain(
                        "it ended before the model's answer did: its final report counts no tokens",
                    )
                }))
            }
            (None, None, Some(Completed { usage: Some(_) })) => {
                self.refusals.failure().map_or(Conclusion::Finished, Conclusion::Failed)
            }
        };
        Told {
            text: self.words.text().to_owned(),
            conclusion,
            usage: usage.unwrap_or_default(),
            cumulative: usage,
            session: None,
            terminal,
        }
    }
}

impl Goose {
    fn event(&mut self, event: &Event, now: Timestamp, seen: &mut Vec<Sighting>) {
        match word(event, "type") {
            "message" => {
                self.complete = None;
                let Some(message) = object(event, "message") else { return };
                for part in message.get("content").and_then(Value::as_array).into_iter().flatten() {
                    if let Some(part) = part.as_object() {
                        self.part(message, part, now, seen);
                    }
                }
            }
            "complete" => {
                let usage = usage(event);
                seen.extend(usage.map(Sighting::Used));
                self.complete = Some(Completed { usage });
            }
            "error" => {
                let message = word(event, "error");
                let message = if message.is_empty() { word(event, "message") } else { message };
                self.error = Some(Failure::of(None, None, message, now));
            }
            other => seen.push(Sighting::Other(other.to_owned())),
        }
    }

    fn part(&mut self, message: &Event, part: &Event, now: Timestamp, seen: &mut Vec<Sighting>) {
        match word(part, "type") {
            "text" if word(message, "role") == "assistant" => {
                self.text(message.get("id").and_then(Value::as_str), word(part, "text"), now, seen);
            }
            "toolRequest" => {
                // It went on: what failed before has been got over.
                self.error = None;
                let call = object(part, "toolCall").and_then(|call| object(call, "value"));
                call.map_or("", |call| word(call, "name")).clone_into(&mut self.tool);
                let arguments = call.and_then(|call| object(call, "arguments"));
                seen.push(Sighting::ToolStarted {
                    id: Some(word(part, "id").to_owned()),
                    name: self.tool.clone(),
                    summary: arguments.map(summary_of_call).unwrap_or_default(),
                });
            }
            "toolResponse" => self.tool_ended(part, seen),
            other => seen.push(Sighting::Other(other.to_owned())),
        }
    }

    /// What a model says has the id of its message; what goose says in its place has none.
    fn text(&mut self, id: Option<&str>, text: &str, now: Timestamp, seen: &mut Vec<Sighting>) {
        let error = text.starts_with(ERROR_MARK).then(|| {
            // "Ran into this error: WHAT", and "... this error trying to DO: WHAT"; then advice in its own paragraph.
            let (_, what) = text.split_once(": ").unwrap_or(("", text));
            Failure::of(None, None, &flat(what.split("\n\n").next().unwrap_or(what)), now)
        });
        match id {
            None if error.is_some() => self.error = error,
            None if text.starts_with(TURNS_MARK) => {
                self.error = Some(Failure::plain("it reached its limit of turns (`--max-turns`)"));
            }
            Some(_) => {
                self.error = None;
                self.suspicion = error;
            }
            None => {}
        }
        self.words.hear(id.unwrap_or_default(), text);
        seen.push(Sighting::Said(text.to_owned()));
    }

    fn tool_ended(&mut self, part: &Event, seen: &mut Vec<Sighting>) {
        let empty = Event::new();
        let result = object(part, "toolResult").unwrap_or(&empty);
        let value = object(result, "value").unwrap_or(&empty);
        let failed = word(result, "status") != "success"
            || value.get("isError").and_then(Value::as_bool).unwrap_or(false);
        let contents = value.get("content").and_then(Value::as_array).into_iter().flatten();
        let said = contents
            .filter_map(Value::as_object)
            .map(|content| word(content, "text"))
            .find(|text| !text.is_empty())
            .unwrap_or_else(|| word(result, "error"));
        if REFUSAL_MARKS.iter().any(|mark| said.contains(mark)) {
            self.refusals.refused(&self.tool, "goose's mode does not let it run");
        } else if !failed {
            self.refusals.worked(&self.tool);
        }
        seen.push(Sighting::ToolEnded {
            id: Some(word(part, "id").to_owned()),
            failed,
            summary: first_line(said),
        });
    }
}

/// What the session has used; `None` where no answer of the model was counted.
fn usage(event: &Event) -> Option<Usage> {
    let counted = |name| event.get(name).filter(|value| value.is_number()).map(as_count);
    let total = counted("total_tokens");
    let output = counted("output_tokens");
    let input = counted("input_tokens").or_else(|| Some(total?.saturating_sub(output.unwrap_or(0))))?;
    Some(Usage { input_tokens: input, output_tokens: output.unwrap_or(0), ..Usage::default() })
}

/// `1/3): RateLimitExceeded { details: "...", retry_delay: Some(3600s) }`, as it follows the mark.
fn waiting(warning: &str, now: Timestamp) -> Waiting {
    let (counted, why) = warning.split_once("):").unwrap_or((warning, ""));
    let (attempt, of) = counted.split_once('/').unwrap_or((counted, ""));
    let delay = why.split_once(DELAY_MARK).and_then(|(_, delay)| delay.split_once("s)"));
    let until = delay
        .and_then(|(seconds, _)| seconds.parse::<f64>().ok())
        .and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok())
        .and_then(|delay| now.checked_add(delay).ok());
    Waiting { reason: wait_reason(why), attempt: attempt.parse().ok(), of: of.parse().ok(), until }
}
