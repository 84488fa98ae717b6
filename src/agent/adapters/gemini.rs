//! Gemini CLI. It reports its end and its tokens; of waiting for the provider it tells on standard error only.

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{OutcomeClass, Usage};

use super::super::known::{KnownAgent, PLAIN, Reports};
use super::super::lines::{Event, Line, count, object, word};
use super::super::reader::{Adapter, Closing, Conclusion, Failure, HowEnded, Told};
use super::super::reset_time::find_reset_time;
use super::super::{OutputFormat, SessionArgs, Sighting, WaitReason, Waiting};
use super::tool_call::{first_line, summary_of_call, summary_of_result};

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "gemini",
    head: &["-o", "stream-json"],
    bypass: &["--yolo", "--skip-trust"],
    session: SessionArgs { fresh: &["--session-id", "${session}"], resume: &["--resume", "${session}"] },
    // Otherwise the process that is started is the parent of the one that works, and ignores signals.
    env: &[("GEMINI_CLI_NO_RELAUNCH", "true"), ("GEMINI_TELEMETRY_ENABLED", "false")],
    output: OutputFormat::Gemini,
    reports: Reports { tokens: true, cost: false },
    verified: Some("0.61.0"),
    login: "run `gemini` and sign in, or set `GEMINI_API_KEY`",
    ..PLAIN
};

/// Exit codes with a meaning of their own; others after an error are the HTTP status modulo 256.
const NOT_LOGGED_IN: i32 = 41;
const NOT_TRUSTED: i32 = 55;

/// How it begins the message of an error of the provider.
const ERROR_MARK: &str = "[API Error: ";

/// Reads the stream of one attempt.
#[derive(Debug, Default)]
pub(super) struct Gemini {
    session: Option<String>,
    said: String,
    /// The last event was a piece of the agent's message, and the next piece belongs to it.
    is_saying: bool,
    result: Option<Event>,
}

/// The reader of its output.
pub(super) fn reader() -> Gemini {
    Gemini::default()
}

impl Gemini {
    fn event(&mut self, event: Event, seen: &mut Vec<Sighting>) {
        let kind = word(&event, "type").to_owned();
        let was_saying = std::mem::take(&mut self.is_saying);
        match kind.as_str() {
            "init" => {
                self.result = None;
                let session = word(&event, "session_id");
                self.session = Some(session.to_owned());
                seen.push(Sighting::Session(session.to_owned()));
            }
            "message" if word(&event, "role") == "assistant" => {
                self.result = None;
                self.is_saying = event.get("delta") == Some(&Value::Bool(true));
                if !(was_saying && self.is_saying) {
                    self.said.clear();
                }
                let text = word(&event, "content");
                self.said.push_str(text);
                seen.push(Sighting::Said(text.to_owned()));
            }
            "tool_use" => {
                self.result = None;
                seen.push(Sighting::ToolStarted {
                    id: identity(&event),
                    name: word(&event, "tool_name").to_owned(),
                    summary: object(&event, "parameters").map(summary_of_call).unwrap_or_default(),
                });
            }
            "tool_result" => {
                self.result = None;
                let told =
                    event.get("output").filter(|output| !output.is_null()).or_else(|| event.get("error"));
                seen.push(Sighting::ToolEnded {
                    id: identity(&event),
                    failed: word(&event, "status") == "error",
                    summary: told.map(summary_of_result).unwrap_or_default(),
                });
            }
            "result" => {
                seen.push(Sighting::Used(reported_usage(&event)));
                self.result = Some(event);
            }
            _ => seen.push(Sighting::Other(kind)),
        }
    }

    fn told(&mut self, text: String, result: &Event, conclusion: Conclusion) -> Told {
        Told {
            text,
            conclusion,
            usage: reported_usage(result),
            cumulative: None,
            session: self.session.take(),
            terminal: Some(format!("result {}", word(result, "status")).trim_end().to_owned()),
        }
    }
}

impl Adapter for Gemini {
    fn stdout(&mut self, line: &Line<'_>, _now: Timestamp, seen: &mut Vec<Sighting>) {
        for event in line.events() {
            self.event(event, seen);
        }
    }

    fn stderr(&mut self, line: &Line<'_>, now: Timestamp, seen: &mut Vec<Sighting>) {
        seen.extend(waiting(&line.text, now));
    }

    fn finish(&mut self, closing: &Closing<'_>) -> Told {
        let said = std::mem::take(&mut self.said);
        if let Some(result) = self.result.take() {
            let conclusion = match (word(&result, "status"), object(&result, "error")) {
                ("success", None) => Conclusion::Finished,
                (_, error) => Conclusion::Failed(reported_failure(error, closing)),
            };
            return self.told(said, &result, conclusion);
        }
        if let Some(document) = whole_document(closing.stdout) {
            self.session = Some(word(&document, "session_id").to_owned());
            let conclusion = object(&document, "error").map_or(Conclusion::Finished, |error| {
                Conclusion::Failed(reported_failure(Some(error), closing))
            });
            let mut told = self.told(word(&document, "response").to_owned(), &document, conclusion);
            told.terminal = Some("response".to_owned());
            return told;
        }
        Told {
            text: said,
            conclusion: unreported(closing).map_or(Conclusion::Missing, Conclusion::Failed),
            usage: Usage::default(),
            cumulative: None,
            session: self.session.take(),
            terminal: None,
        }
    }
}

/// Failures that it tells by exit code, without a report.
fn unreported(closing: &Closing<'_>) -> Option<Failure> {
    let last = closing.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let class = match closing.ended {
        HowEnded::Code(NOT_LOGGED_IN) => OutcomeClass::Auth,
        HowEnded::Code(NOT_TRUSTED) => OutcomeClass::Denied,
        HowEnded::Code(_) | HowEnded::Signal(_) | HowEnded::Vanished => return None,
    };
    Some(Failure { class, detail: without_escapes(last) })
}

fn reported_failure(error: Option<&Event>, closing: &Closing<'_>) -> Failure {
    let kind = error.map(|error| word(error, "type")).filter(|kind| !["", "unknown", "Error"].contains(kind));
    let message = error.map(|error| word(error, "message")).unwrap_or_default();
    let message = message.strip_prefix(ERROR_MARK).unwrap_or(message);
    let status =
        error.and_then(|error| error.get("code")?.as_u64()).and_then(|code| u16::try_from(code).ok());
    let mut failure =
        Failure::of(status.or_else(|| status_of_exit(closing.ended)), kind, message, closing.at);
    failure.detail =
        message_in_json(message).unwrap_or_else(|| first_line(message).trim_end_matches(']').to_owned());
    failure
}

/// It exits with the HTTP status, of which the system keeps eight bits.
fn status_of_exit(ended: HowEnded) -> Option<u16> {
    match ended {
        HowEnded::Code(code @ 144..=247) => u16::try_from(code + 256).ok(),
        HowEnded::Code(_) | HowEnded::Signal(_) | HowEnded::Vanished => None,
    }
}

/// `{"error":{"code":401,"message":"...","status":"UNAUTHENTICATED"}}` says it best by code, status and message.
fn message_in_json(message: &str) -> Option<String> {
    let line = Line { text: message.into(), is_cut: false };
    let document = line.events().into_iter().next()?;
    let error = object(&document, "error")?;
    let parts = [
        count(error, "code").to_string(),
        word(error, "status").to_owned(),
        word(error, "message").to_owned(),
    ];
    Some(parts.into_iter().filter(|part| !part.is_empty() && part != "0").collect::<Vec<_>>().join(" "))
}

/// `Attempt 3 failed with status 429. Retrying with backoff...`, `Attempt 7 failed: ... Retrying after 32019ms...`.
fn waiting(line: &str, now: Timestamp) -> Option<Sighting> {
    let delay = line.find("Retrying ").map(|at| line[at..].to_ascii_lowercase());
    let attempt = line.strip_prefix("Attempt ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    if (attempt.is_none() && delay.is_none()) || line.contains("Max attempts reached") {
        return None;
    }
    let reason = if line.contains("429") || line.contains("quota") {
        WaitReason::RateLimit
    } else if line.contains("503") || line.contains("overloaded") {
        WaitReason::Overloaded
    } else {
        WaitReason::Retry
    };
    let until = delay.and_then(|text| find_reset_time(&text.replace("retrying", "retry"), now));
    Some(Sighting::Waiting(Waiting { reason, attempt, of: None, until }))
}

/// The document that `-o json` writes instead of a stream.
fn whole_document(stdout: &str) -> Option<Event> {
    let start = if stdout.starts_with('{') { 0 } else { stdout.find("\n{")? + 1 };
    let document = serde_json::from_str::<Event>(stdout.get(start..)?.trim_end()).ok()?;
    (document.contains_key("response") || document.contains_key("error")).then_some(document)
}

/// From the stream's `stats`, or from the document's, which are by model.
fn reported_usage(result: &Event) -> Usage {
    let Some(stats) = object(result, "stats") else { return Usage::default() };
    if stats.contains_key("input_tokens") {
        return Usage {
            input_tokens: count(stats, "input_tokens"),
            output_tokens: count(stats, "output_tokens"),
            cached_tokens: count(stats, "cached"),
            ..Usage::default()
        };
    }
    let models = object(stats, "models").into_iter().flat_map(Event::values);
    let tokens = models.filter_map(|model| model.get("tokens")?.as_object());
    tokens.fold(Usage::default(), |sum, tokens| {
        sum.plus(Usage {
            input_tokens: count(tokens, "prompt"),
            output_tokens: count(tokens, "candidates").saturating_add(count(tokens, "thoughts")),
            cached_tokens: count(tokens, "cached"),
            ..Usage::default()
        })
    })
}

fn identity(event: &Event) -> Option<String> {
    event.get("tool_id").and_then(Value::as_str).map(str::to_owned)
}

/// Text without the escapes that colour it.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..at]);
        rest = rest[at + 2..]
            .trim_start_matches(|c: char| !c.is_ascii_alphabetic())
            .get(1..)
            .unwrap_or_default();
    }
    plain + rest
}
