//! GitHub Copilot CLI: `copilot --output-format json`, one event a line, each with its payload in `data`.
//!
//! The last line is `result`, with the exit code and the session. What went wrong is in `session.error`. Tokens are only in
//! the file that `--usage-output-file` names, and count from the beginning of the session; there is no cost.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::model::Usage;

use super::super::known::{KnownAgent, PLAIN, Reports};
use super::super::lines::{Event, Line, count, object, word};
use super::super::reader::{Adapter, Closing, Conclusion, Failure, Told};
use super::super::{OutputFormat, SessionArgs, Sighting, WaitReason, Waiting};
use super::complaint::{complaint, flat};
use super::refusals::Refusals;
use super::tool_call::{first_line, summary_of_call};

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "copilot",
    // The loader of the npm package leaves the program that it has started alive when it is ended.
    native: &[
        "@github/copilot-linux-x64/copilot",
        "@github/copilot-linux-arm64/copilot",
        "@github/copilot-darwin-arm64/copilot",
        "@github/copilot-darwin-x64/copilot",
    ],
    head: &[
        "--output-format",
        "json",
        "--no-ask-user",
        "--disable-builtin-mcps",
        "--usage-output-file",
        "${attempt_dir}/usage.json",
    ],
    bypass: &["--allow-all"],
    env: &[("COPILOT_AUTO_UPDATE", "false")],
    session: SessionArgs { fresh: &["--session-id", "${session}"], resume: &["--resume=${session}"] },
    output: OutputFormat::Copilot,
    reports: Reports { tokens: true, cost: false },
    usage_file: Some("usage.json"),
    verified: Some("1.0.102"),
    login: "run `copilot` and `/login`, or set `GH_TOKEN`",
    ..PLAIN
};

/// How many calls are remembered until they end.
const MAX_OPEN_CALLS: usize = 256;

/// The reader of its output.
pub(super) fn reader() -> Box<dyn Adapter> {
    Box::new(Copilot::default())
}

#[derive(Debug, Default)]
struct Copilot {
    session: Option<String>,
    text: String,
    /// Calls that run, and their tools: the end of a call does not name its tool.
    calls: VecDeque<(String, String)>,
    refusals: Refusals,
    /// The status and the number of the last call of the model that failed.
    failed_call: Option<(Option<u16>, u64)>,
    error: Option<Failure>,
    exit_code: Option<i64>,
}

impl Adapter for Copilot {
    fn stdout(&mut self, line: &Line<'_>, now: Timestamp, seen: &mut Vec<Sighting>) {
        for event in line.events() {
            self.event(&event, now, seen);
        }
    }

    fn finish(&mut self, closing: &Closing<'_>) -> Told {
        let used = closing.usage_file.and_then(read_usage);
        let conclusion = match (self.exit_code, self.error.take()) {
            (_, Some(error)) => Conclusion::Failed(error),
            (None, None) => complaint(closing).map_or(Conclusion::Missing, Conclusion::Failed),
            (Some(0), None) => self.refusals.failure().map_or(Conclusion::Finished, Conclusion::Failed),
            (Some(code), None) => {
                Conclusion::Failed(Failure::plain(format!("it reported exit code {code} and no reason")))
            }
        };
        Told {
            text: std::mem::take(&mut self.text),
            conclusion,
            usage: used.unwrap_or_default(),
            cumulative: used,
            session: self.session.take(),
            terminal: self.exit_code.map(|_| "result".to_owned()),
        }
    }
}

impl Copilot {
    fn event(&mut self, event: &Event, now: Timestamp, seen: &mut Vec<Sighting>) {
        let empty = Event::new();
        let data = object(event, "data").unwrap_or(&empty);
        match word(event, "type") {
            "assistant.turn_start" => self.exit_code = None,
            "assistant.message" => {
                // It went on: what failed before has been got over.
                self.error = None;
                let text = word(data, "content");
                if !text.is_empty() {
                    text.clone_into(&mut self.text);
                    seen.push(Sighting::Said(text.to_owned()));
                }
            }
            "tool.execution_start" => self.tool_started(data, seen),
            "tool.execution_complete" => self.tool_ended(data, seen),
            "model.call_failure" => self.failed_call = Some((status(data), count(data, "retryAttempt"))),
            "assistant.turn_retry" => seen.push(Sighting::Waiting(self.waiting(word(data, "reason")))),
            "session.error" => {
                let kind = Some(word(data, "errorType")).filter(|kind| !kind.is_empty());
                self.error = Some(Failure::of(status(data), kind, &flat(word(data, "message")), now));
            }
            "result" => {
                self.exit_code =
                    Some(event.get("exitCode").and_then(serde_json::Value::as_i64).unwrap_or(-1));
                let id = word(event, "sessionId").to_owned();
                seen.push(Sighting::Session(id.clone()));
                self.session = Some(id);
            }
            other => seen.push(Sighting::Other(other.to_owned())),
        }
    }

    fn tool_started(&mut self, data: &Event, seen: &mut Vec<Sighting>) {
        let (id, name) = (word(data, "toolCallId").to_owned(), word(data, "toolName").to_owned());
        if self.calls.len() == MAX_OPEN_CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back((id.clone(), name.clone()));
        let summary = object(data, "arguments").map(summary_of_call).unwrap_or_default();
        seen.push(Sighting::ToolStarted { id: Some(id), name, summary });
    }

    fn tool_ended(&mut self, data: &Event, seen: &mut Vec<Sighting>) {
        let id = word(data, "toolCallId");
        let at = self.calls.iter().position(|(call, _)| call == id);
        let tool =
            at.and_then(|at| self.calls.remove(at)).map_or_else(|| "unknown".to_owned(), |(_, tool)| tool);
        let succeeded = data.get("success").and_then(serde_json::Value::as_bool).unwrap_or(false);
        let said = object(data, "error").map_or_else(
            || object(data, "result").map_or("", |result| word(result, "content")),
            |error| word(error, "message"),
        );
        let code = object(data, "error").map_or("", |error| word(error, "code"));
        if succeeded {
            self.refusals.worked(&tool);
        } else if matches!(code, "denied" | "rejected") || said.starts_with("Permission denied") {
            self.refusals.refused(&tool, said);
        }
        seen.push(Sighting::ToolEnded {
            id: Some(id.to_owned()),
            failed: !succeeded,
            summary: first_line(said),
        });
    }

    fn waiting(&mut self, reason: &str) -> Waiting {
        let (status, retry) = self.failed_call.take().unwrap_or((None, 0));
        let reason = match (status, reason) {
            (Some(429), _) | (_, "rate_limit") => WaitReason::RateLimit,
            (Some(503 | 529), _) => WaitReason::Overloaded,
            _ => WaitReason::Retry,
        };
        Waiting { reason, attempt: Some(retry + 1), of: None, until: None }
    }
}

fn status(data: &Event) -> Option<u16> {
    data.get("statusCode").and_then(serde_json::Value::as_u64).and_then(|code| u16::try_from(code).ok())
}

/// The sum over the models. Their input includes what came from the cache.
fn read_usage(content: &[u8]) -> Option<Usage> {
    let file: Event = serde_json::from_slice(content).ok()?;
    let models = object(&file, "modelMetrics")?;
    Some(models.values().filter_map(|model| object(model.as_object()?, "usage")).fold(
        Usage::default(),
        |sum, usage| {
            sum.plus(Usage {
                input_tokens: count(usage, "inputTokens"),
                output_tokens: count(usage, "outputTokens"),
                cached_tokens: count(usage, "cacheReadTokens"),
                ..Usage::default()
            })
        },
    ))
}
