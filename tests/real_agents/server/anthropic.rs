//! Anthropic's Messages.

use std::io;

use serde_json::{Value, json};

use super::behaviour::Refusal;
use super::http::Answer;
use super::tools::{array, decide_call, last_words};
use super::{Behaviour, CACHED_TOKENS, FINAL, INPUT_TOKENS, OUTPUT_TOKENS, fresh_id};

pub(super) fn answer(to: &mut Answer<'_>, behaviour: Behaviour, body: &Value, text: &str) -> io::Result<()> {
    let was_called = array(&body["messages"])
        .iter()
        .any(|message| array(&message["content"]).iter().any(|block| block["type"] == "tool_result"));
    let call = decide_call(behaviour, body, text, was_called);
    let usage = |output: u64| {
        json!({
            "input_tokens": INPUT_TOKENS, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": CACHED_TOKENS, "output_tokens": output,
        })
    };
    let stop = if call.is_some() { "tool_use" } else { "end_turn" };
    let blocks = match &call {
        Some(call) => vec![
            json!({ "type": "text", "text": "I will use a tool." }),
            json!({ "type": "tool_use", "id": fresh_id("toolu"), "name": call.name, "input": call.arguments }),
        ],
        None => vec![json!({ "type": "text", "text": FINAL })],
    };
    let mut message = json!({
        "id": fresh_id("msg"), "type": "message", "role": "assistant", "model": body["model"], "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(1),
    });
    if body["stream"] != json!(true) {
        message["content"] = json!(blocks);
        message["stop_reason"] = json!(stop);
        message["usage"] = usage(OUTPUT_TOKENS);
        return to.whole(behaviour, &message);
    }
    to.begin_events()?;
    let mut send = |event: Value| to.event(event["type"].as_str(), &event).map(|()| event);
    send(json!({ "type": "message_start", "message": message }))?;
    for (index, block) in blocks.iter().enumerate() {
        let (empty, deltas) = if block["type"] == "text" {
            let words = if call.is_some() {
                vec![block["text"].as_str().unwrap_or_default().to_owned()]
            } else {
                last_words(behaviour, FINAL)
            };
            let deltas =
                words.into_iter().map(|word| json!({ "type": "text_delta", "text": word })).collect();
            (json!({ "type": "text", "text": "" }), deltas)
        } else {
            let mut empty = block.clone();
            empty["input"] = json!({});
            let input = block["input"].to_string();
            (empty, vec![json!({ "type": "input_json_delta", "partial_json": input })])
        };
        to.event(
            Some("content_block_start"),
            &json!({ "type": "content_block_start", "index": index, "content_block": empty }),
        )?;
        let deltas: Vec<Value> = deltas;
        for (count, delta) in deltas.into_iter().enumerate() {
            let event = json!({ "type": "content_block_delta", "index": index, "delta": delta });
            to.event(Some("content_block_delta"), &event)?;
            match behaviour {
                Behaviour::Slow => to.pause()?,
                Behaviour::Cut if count == 3 => return to.drop_connection(),
                _ => {}
            }
        }
        to.event(Some("content_block_stop"), &json!({ "type": "content_block_stop", "index": index }))?;
    }
    to.event(
        Some("message_delta"),
        &json!({
            "type": "message_delta", "delta": { "stop_reason": stop, "stop_sequence": null },
            "usage": usage(OUTPUT_TOKENS),
        }),
    )?;
    to.event(Some("message_stop"), &json!({ "type": "message_stop" }))?;
    to.end_events()
}

pub(super) fn refuse(refusal: Refusal) -> (Vec<(String, String)>, Value) {
    let (kind, message) = match refusal {
        Refusal::BadRequest => ("invalid_request_error", "messages: at least one message is required"),
        Refusal::Unauthorized => ("authentication_error", "invalid x-api-key"),
        Refusal::Forbidden => ("permission_error", "Your API key may not use this resource"),
        Refusal::RateLimit => ("rate_limit_error", "This request would exceed your account's rate limit"),
        Refusal::Quota => ("rate_limit_error", "usage limit reached"),
        Refusal::ContextTooLong => {
            ("invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum")
        }
        Refusal::ServerError => ("api_error", "Internal server error"),
        Refusal::Overloaded => ("overloaded_error", "Overloaded"),
    };
    let mut headers = refusal.headers();
    if refusal == Refusal::Quota {
        let reset = jiff::Timestamp::now().as_second() + 3600;
        headers.extend([
            ("anthropic-ratelimit-unified-status".to_owned(), "rejected".to_owned()),
            ("anthropic-ratelimit-unified-reset".to_owned(), reset.to_string()),
            ("anthropic-ratelimit-unified-representative-claim".to_owned(), "five_hour".to_owned()),
        ]);
    }
    (
        headers,
        json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_1" }),
    )
}
