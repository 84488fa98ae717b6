//! Cursor's CLI, by its documentation: Claude Code's stream with tool calls of its own and without usage. After a failure it
//! writes no report, only a message on standard error. Not measured, since it cannot be installed from a registry.

use jiff::Timestamp;
use serde_json::Value;

use super::super::known::{KnownAgent, PLAIN};
use super::super::lines::{Event, Line, object, word};
use super::super::reader::{Adapter, Closing, Told};
use super::super::{OutputFormat, SessionArgs, Sighting};
use super::messages::{Dialect, Messages, PLAIN_DIALECT};
use super::tool_call::{summary_of_call, summary_of_result};

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "cursor-agent",
    head: &["-p", "--output-format", "stream-json"],
    bypass: &["--force"],
    session: SessionArgs { fresh: &[], resume: &["--resume", "${session}"] },
    output: OutputFormat::CursorAgent,
    login: "run `cursor-agent login`, or set `CURSOR_API_KEY`",
    ..PLAIN
};

/// The reader of its output.
#[derive(Debug)]
pub(super) struct CursorAgent(Messages);

/// The reader of its output.
pub(super) fn reader() -> CursorAgent {
    CursorAgent(Messages::new(Dialect { cached_apart: false, ..PLAIN_DIALECT }))
}

impl Adapter for CursorAgent {
    fn stdout(&mut self, line: &Line<'_>, now: Timestamp, seen: &mut Vec<Sighting>) {
        for event in line.events() {
            if word(&event, "type") == "tool_call" {
                seen.extend(tool_call(&event));
            } else {
                self.0.event(event, now, seen);
            }
        }
    }

    fn finish(&mut self, closing: &Closing<'_>) -> Told {
        self.0.finish(closing)
    }
}

/// `{"subtype":"started","call_id":...,"tool_call":{"writeToolCall":{"args":{...},"result":{"success":{...}}}}}`.
fn tool_call(event: &Event) -> Option<Sighting> {
    let (name, call) =
        object(event, "tool_call")?.iter().find_map(|(name, call)| Some((name, call.as_object()?)))?;
    let id = event.get("call_id").and_then(Value::as_str).map(str::to_owned);
    if word(event, "subtype") == "completed" {
        let result = object(call, "result");
        return Some(Sighting::ToolEnded {
            id,
            failed: result.is_some_and(|result| !result.contains_key("success")),
            summary: result
                .and_then(|result| result.values().next())
                .map(summary_of_result)
                .unwrap_or_default(),
        });
    }
    let name = match word(call, "name") {
        "" => name.strip_suffix("ToolCall").unwrap_or(name),
        own => own,
    };
    let summary = object(call, "args").map_or_else(|| word(call, "arguments").to_owned(), summary_of_call);
    Some(Sighting::ToolStarted { id, name: name.to_owned(), summary })
}
