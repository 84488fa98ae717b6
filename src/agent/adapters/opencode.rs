//! opencode: `opencode run --format json`, one event a line, most with their payload in `part`.
//!
//! There is no final report. It has finished when its last step ended because the model stopped, and the process ended
//! with 0. Tokens and cost are told by step. While it tries again after a refusal of the provider it says nothing; only
//! its log tells, which is asked for on standard error.

use jiff::Timestamp;

use crate::model::Usage;

use super::super::known::{KnownAgent, PLAIN, Reports};
use super::super::lines::{Event, Line, count, object, word};
use super::super::reader::{Adapter, Closing, Conclusion, Failure, Told};
use super::super::{OutputFormat, SessionArgs, Sighting};
use super::complaint::{complaint, flat};
use super::last_words::LastWords;
use super::refusals::Refusals;
use super::tool_call::{first_line, summary_of_call};
use super::wait_reason::wait_after;

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "opencode",
    native: &[
        "opencode-linux-x64/bin/opencode",
        "opencode-linux-arm64/bin/opencode",
        "opencode-darwin-arm64/bin/opencode",
        "opencode-darwin-x64/bin/opencode",
    ],
    // A title of our own saves the model call that would make one; `--pure` keeps it from installing plugins.
    head: &["run", "--pure", "--format", "json", "--title", "baton", "--print-logs", "--log-level", "ERROR"],
    bypass: &["--auto"],
    env: &[("OPENCODE_DISABLE_AUTOUPDATE", "1")],
    session: SessionArgs { fresh: &[], resume: &["-s", "${session}"] },
    output: OutputFormat::Opencode,
    reports: Reports { tokens: true, cost: true },
    verified: Some("1.18.33"),
    login: "run `opencode auth login`",
    ..PLAIN
};

/// How an error begins that is none of the provider's: it consists of a server and a client, and the server failed.
const OWN_SERVER_MARK: &str = "Unexpected server error.";

/// How its log tells that a request failed. What it does next it does not say: it tries again, for hours if it was told to.
const REQUEST_MARK: &str = "message=\"stream error\"";
/// What precedes the reason in that line.
const REASON_MARK: &str = "error.error=\"";

/// The reader of its output.
pub(super) fn reader() -> Box<dyn Adapter> {
    Box::new(Opencode::default())
}

#[derive(Debug, Default)]
struct Opencode {
    session: Option<String>,
    words: LastWords,
    usage: Usage,
    refusals: Refusals,
    error: Option<Failure>,
    /// Why the last step ended; `None` while one runs.
    last_step: Option<String>,
}

impl Adapter for Opencode {
    fn stdout(&mut self, line: &Line<'_>, now: Timestamp, seen: &mut Vec<Sighting>) {
        for event in line.events() {
            self.event(&event, now, seen);
        }
    }

    fn stderr(&mut self, line: &Line<'_>, now: Timestamp, seen: &mut Vec<Sighting>) {
        let failed = line.text.split_once(REQUEST_MARK).map(|(_, rest)| rest);
        if let Some((_, reason)) = failed.and_then(|rest| rest.split_once(REASON_MARK)) {
            seen.extend(wait_after(reason.trim_end_matches('"'), now).map(Sighting::Waiting));
        }
    }

    fn finish(&mut self, closing: &Closing<'_>) -> Told {
        let terminal = self
            .last_step
            .as_deref()
            .filter(|_| self.error.is_none())
            .map(|reason| format!("step_finish: {reason}"));
        let conclusion = match (self.error.take(), self.last_step.as_deref()) {
            (Some(error), _) => Conclusion::Failed(error),
            (None, Some("stop")) => Conclusion::Finished,
            (None, Some("length")) => {
                Conclusion::Failed(Failure::plain("its answer was cut off at the model's output limit"))
            }
            (None, Some("content-filter")) => {
                Conclusion::Failed(Failure::plain("the provider's content filter ended its answer"))
            }
            // A refused call ends the run, without a word to the model or to us.
            (None, _) => {
                let failure = self.refusals.failure().or_else(|| complaint(closing));
                failure.map_or(Conclusion::Missing, Conclusion::Failed)
            }
        };
        Told {
            text: self.words.text().to_owned(),
            conclusion,
            usage: self.usage,
            cumulative: None,
            session: self.session.take(),
            terminal,
        }
    }
}

impl Opencode {
    fn event(&mut self, event: &Event, now: Timestamp, seen: &mut Vec<Sighting>) {
        let id = word(event, "sessionID");
        if self.session.is_none() && !id.is_empty() {
            self.session = Some(id.to_owned());
            seen.push(Sighting::Session(id.to_owned()));
        }
        let empty = Event::new();
        let part = object(event, "part").unwrap_or(&empty);
        match word(event, "type") {
            "step_start" => {
                self.last_step = None;
                self.error = None;
            }
            "text" => {
                self.last_step = None;
                let text = word(part, "text");
                self.words.hear(word(part, "messageID"), text);
                seen.push(Sighting::Said(text.to_owned()));
            }
            "tool_use" => self.tool(part, seen),
            "step_finish" => {
                self.last_step = Some(word(part, "reason").to_owned());
                self.usage = self.usage.plus(usage(part));
                seen.push(Sighting::Used(self.usage));
            }
            // Some errors come twice, the same both times.
            "error" => {
                self.error =
                    Some(object(event, "error").map_or_else(unexplained, |error| failure(error, now)));
            }
            other => seen.push(Sighting::Other(other.to_owned())),
        }
    }

    /// A call is told of when it has ended.
    fn tool(&mut self, part: &Event, seen: &mut Vec<Sighting>) {
        self.last_step = None;
        let empty = Event::new();
        let state = object(part, "state").unwrap_or(&empty);
        let (id, name) = (Some(word(part, "callID").to_owned()), word(part, "tool").to_owned());
        let failed = word(state, "status") == "error";
        let said = word(state, if failed { "error" } else { "output" });
        if !failed {
            self.refusals.worked(&name);
        } else if is_refusal(said) {
            self.refusals.refused(&name, said);
        }
        let summary = object(state, "input").map(summary_of_call).unwrap_or_default();
        seen.push(Sighting::ToolStarted { id: id.clone(), name, summary });
        seen.push(Sighting::ToolEnded { id, failed, summary: first_line(said) });
    }
}

/// Whether a call failed for want of a permission: asked for and rejected, or excluded by a rule.
fn is_refusal(said: &str) -> bool {
    ["rejected permission", "specified a rule which prevents"].iter().any(|mark| said.contains(mark))
}

fn unexplained() -> Failure {
    Failure::plain("it reported an error and no reason")
}

fn failure(error: &Event, now: Timestamp) -> Failure {
    let empty = Event::new();
    let data = object(error, "data").unwrap_or(&empty);
    let (name, message) = (word(error, "name"), flat(word(data, "message")));
    if message.starts_with(OWN_SERVER_MARK) {
        return Failure::plain(format!("{message} It may not know the model; its log has the reason."));
    }
    let detail = if message.is_empty() { name.to_owned() } else { message };
    let status = data.get("statusCode").and_then(serde_json::Value::as_u64);
    // A limit's end may be in the header alone.
    let delay = object(data, "responseHeaders").map_or("", |headers| word(headers, "retry-after"));
    let told = if delay.is_empty() { detail.clone() } else { format!("{detail} (retry-after: {delay})") };
    let status = status.and_then(|status| u16::try_from(status).ok());
    Failure { detail, ..Failure::of(status, Some(name), &told, now) }
}

/// One step's. Its `input` is what did not come from the cache and its `output` is without the reasoning; `total` is all.
fn usage(part: &Event) -> Usage {
    let empty = Event::new();
    let tokens = object(part, "tokens").unwrap_or(&empty);
    let cache = object(tokens, "cache").unwrap_or(&empty);
    let cached = count(cache, "read");
    let cost = part.get("cost").and_then(serde_json::Value::as_f64);
    Usage {
        input_tokens: count(tokens, "input").saturating_add(cached).saturating_add(count(cache, "write")),
        output_tokens: count(tokens, "output").saturating_add(count(tokens, "reasoning")),
        cached_tokens: cached,
        cost_usd: cost.filter(|cost| cost.is_finite() && *cost >= 0.0),
        ..Usage::default()
    }
}
