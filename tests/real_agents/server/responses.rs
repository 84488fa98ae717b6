//! OpenAI's Responses.

use std::io;

use serde_json::{Value, json};

use super::http::Answer;
use super::tools::{array, decide_call, last_words};
use super::{Behaviour, CACHED_TOKENS, FINAL, INPUT_TOKENS, OUTPUT_TOKENS, fresh_id};

/// Events, numbered as the interface wants it.
struct Events<'a, 'b> {
    to: &'a mut Answer<'b>,
    next: u64,
}

impl Events<'_, '_> {
    fn send(&mut self, mut event: Value) -> io::Result<()> {
        event["sequence_number"] = json!(self.next);
        self.next += 1;
        self.to.event(event["type"].as_str(), &event)
    }
}

pub(super) fn answer(to: &mut Answer<'_>, behaviour: Behaviour, body: &Value, text: &str) -> io::Result<()> {
    let is_result = |item: &Value| item["type"].as_str().is_some_and(|kind| kind.ends_with("_call_output"));
    let was_called = array(&body["input"]).iter().any(is_result);
    let call = decide_call(behaviour, body, text, was_called);
    let item = match &call {
        Some(call) => json!({
            "type": "function_call", "id": fresh_id("fc"), "call_id": fresh_id("call"), "name": call.name,
            "arguments": call.arguments.to_string(), "status": "completed",
        }),
        None => json!({
            "type": "message", "id": fresh_id("msg"), "role": "assistant", "status": "completed",
            "content": [{ "type": "output_text", "text": FINAL, "annotations": [] }],
        }),
    };
    let begun = json!({
        "id": fresh_id("resp"), "object": "response", "created_at": 1, "status": "in_progress",
        "model": body["model"], "output": [],
    });
    let mut ended = begun.clone();
    ended["status"] = json!("completed");
    ended["output"] = json!([item]);
    ended["usage"] = json!({
        "input_tokens": INPUT_TOKENS, "input_tokens_details": { "cached_tokens": CACHED_TOKENS },
        "output_tokens": OUTPUT_TOKENS, "output_tokens_details": { "reasoning_tokens": 7 },
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    });
    if body["stream"] != json!(true) {
        return to.whole(behaviour, &ended);
    }
    to.begin_events()?;
    let mut events = Events { to, next: 0 };
    events.send(json!({ "type": "response.created", "response": begun }))?;
    let mut opening = item.clone();
    opening["status"] = json!("in_progress");
    opening[if call.is_some() { "arguments" } else { "content" }] =
        if call.is_some() { json!("") } else { json!([]) };
    events.send(json!({ "type": "response.output_item.added", "output_index": 0, "item": opening }))?;
    if call.is_some() {
        let place = json!({ "item_id": item["id"], "output_index": 0 });
        events.send(merged(
            &place,
            &json!({
                "type": "response.function_call_arguments.delta", "delta": item["arguments"],
            }),
        ))?;
        events.send(merged(
            &place,
            &json!({
                "type": "response.function_call_arguments.done", "arguments": item["arguments"],
            }),
        ))?;
    } else {
        let place = json!({ "item_id": item["id"], "output_index": 0, "content_index": 0 });
        let empty = json!({ "type": "output_text", "text": "", "annotations": [] });
        events.send(merged(&place, &json!({ "type": "response.content_part.added", "part": empty })))?;
        for (count, word) in last_words(behaviour, FINAL).into_iter().enumerate() {
            events.send(merged(&place, &json!({ "type": "response.output_text.delta", "delta": word })))?;
            match behaviour {
                Behaviour::Slow => events.to.pause()?,
                Behaviour::Cut if count == 3 => return events.to.drop_connection(),
                _ => {}
            }
        }
        events.send(merged(&place, &json!({ "type": "response.output_text.done", "text": FINAL })))?;
        events.send(merged(
            &place,
            &json!({ "type": "response.content_part.done", "part": item["content"][0] }),
        ))?;
    }
    events.send(json!({ "type": "response.output_item.done", "output_index": 0, "item": item }))?;
    events.send(json!({ "type": "response.completed", "response": ended }))?;
    to.end_events()
}

fn merged(first: &Value, second: &Value) -> Value {
    let mut whole = second.clone();
    if let (Some(whole), Some(first)) = (whole.as_object_mut(), first.as_object()) {
        whole.extend(first.clone());
    }
    whole
}
