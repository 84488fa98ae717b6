//! OpenAI's Chat Completions, which most providers speak too.

use std::io;

use serde_json::{Value, json};

use super::behaviour::Refusal;
use super::http::Answer;
use super::tools::{array, decide_call, last_words, named_file};
use super::{Behaviour, CACHED_TOKENS, CONTENT, FINAL, INPUT_TOKENS, OUTPUT_TOKENS, fresh_id};

pub(super) fn answer(to: &mut Answer<'_>, behaviour: Behaviour, body: &Value, text: &str) -> io::Result<()> {
    let was_called = array(&body["messages"]).iter().any(|message| message["role"] == "tool");
    let call = decide_call(behaviour, body, text, was_called).map(|call| {
        json!({
            "id": fresh_id("call"), "type": "function",
            "function": { "name": call.name, "arguments": call.arguments.to_string() },
        })
    });
    let last = last_text(behaviour, body, text);
    let usage = json!({
        "prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS, "prompt_tokens_details": { "cached_tokens": CACHED_TOKENS },
    });
    let base = json!({ "id": fresh_id("chatcmpl"), "created": 1, "model": body["model"] });
    let finish = if call.is_some() { "tool_calls" } else { "stop" };
    if body["stream"] != json!(true) {
        let mut message = json!({ "role": "assistant", "content": last });
        if let Some(call) = call {
            message["content"] = Value::Null;
            message["tool_calls"] = json!([call]);
        }
        let choice = json!({ "index": 0, "message": message, "finish_reason": finish });
        return to.whole(behaviour, &with(&base, "chat.completion", &json!([choice]), &usage));
    }
    to.begin_events()?;
    let delta = |to: &mut Answer<'_>, delta: Value, finish: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        to.event(None, &with(&base, "chat.completion.chunk", &json!([choice]), &Value::Null))
    };
    delta(to, json!({ "role": "assistant", "content": "" }), None)?;
    if let Some(mut call) = call {
        call["index"] = json!(0);
        delta(to, json!({ "tool_calls": [call] }), None)?;
    } else {
        for (count, word) in last_words(behaviour, &last).into_iter().enumerate() {
            delta(to, json!({ "content": word }), None)?;
            match behaviour {
                Behaviour::Slow => to.pause()?,
                Behaviour::Cut if count == 3 => return to.drop_connection(),
                _ => {}
            }
        }
    }
    delta(to, json!({}), Some(finish))?;
    to.event(None, &with(&base, "chat.completion.chunk", &json!([]), &usage))?;
    to.chunk("data: [DONE]\n\n")?;
    to.end_events()
}

fn with(base: &Value, object: &str, choices: &Value, usage: &Value) -> Value {
    let mut whole = base.clone();
    whole["object"] = json!(object);
    whole["choices"] = choices.clone();
    if !usage.is_null() {
        whole["usage"] = usage.clone();
    }
    whole
}

/// An agent without tools reads its edits from the reply itself.
fn last_text(behaviour: Behaviour, body: &Value, text: &str) -> String {
    if behaviour != Behaviour::Good || !array(&body["tools"]).is_empty() || !text.contains("SEARCH/REPLACE") {
        return FINAL.to_owned();
    }
    let path = named_file(text);
    format!("I will make the file.\n\n{path}\n```\n<<<<<<< SEARCH\n=======\n{CONTENT}>>>>>>> REPLACE\n```\n")
}

pub(super) fn refuse(refusal: Refusal) -> (Vec<(String, String)>, Value) {
    let (kind, code, message) = match refusal {
        Refusal::BadRequest => ("invalid_request_error", Value::Null, "Invalid request"),
        Refusal::Unauthorized => {
            ("invalid_request_error", json!("invalid_api_key"), "Incorrect API key provided: sk-dummy.")
        }
        Refusal::Forbidden => ("invalid_request_error", Value::Null, "You may not use this model"),
        Refusal::RateLimit => (
            "requests",
            json!("rate_limit_exceeded"),
            "Rate limit reached on requests per min (RPM): Limit 3, Used 3. Please try again in 2s.",
        ),
        Refusal::Quota => (
            "insufficient_quota",
            json!("insufficient_quota"),
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        Refusal::ContextTooLong => (
            "invalid_request_error",
            json!("context_length_exceeded"),
            "Your input exceeds the context window of this model.",
        ),
        Refusal::ServerError => ("server_error", Value::Null, "The server had an error."),
        Refusal::Overloaded => ("server_error", Value::Null, "The engine is currently overloaded."),
    };
    let error = json!({ "message": message, "type": kind, "param": null, "code": code });
    (refusal.headers(), json!({ "error": error }))
}
