//! Google's generateContent.

use std::io;

use serde_json::{Value, json};

use super::behaviour::Refusal;
use super::http::Answer;
use super::tools::{array, decide_call, last_words};
use super::{Behaviour, CACHED_TOKENS, FINAL, INPUT_TOKENS, OUTPUT_TOKENS};

pub(super) fn answer(
    to: &mut Answer<'_>,
    behaviour: Behaviour,
    body: &Value,
    text: &str,
    path: &str,
) -> io::Result<()> {
    let was_called = array(&body["contents"])
        .iter()
        .any(|content| array(&content["parts"]).iter().any(|part| part["functionResponse"].is_object()));
    let wants_json = body["generationConfig"]["responseMimeType"] == "application/json";
    let parts = if wants_json {
        // The agent asks itself who is to speak next, and which model is to answer.
        let answer = json!({ "next_speaker": "user", "reasoning": "done", "model_choice": "flash" });
        vec![json!({ "text": answer.to_string() })]
    } else {
        match decide_call(behaviour, body, text, was_called) {
            Some(call) => vec![
                json!({ "text": "I will use a tool." }),
                json!({
                    "functionCall": { "name": call.name, "args": call.arguments }, "thoughtSignature": "c2ln",
                }),
            ],
            None => vec![json!({ "text": FINAL })],
        }
    };
    if !path.contains("streamGenerateContent") {
        return to.whole(behaviour, &piece(&json!(parts), Some("STOP")));
    }
    to.begin_events()?;
    if matches!(behaviour, Behaviour::Slow | Behaviour::Cut) {
        for (count, word) in last_words(behaviour, FINAL).into_iter().enumerate() {
            to.event(None, &piece(&json!([{ "text": word }]), None))?;
            if behaviour == Behaviour::Slow {
                to.pause()?;
            } else if count == 3 {
                return to.drop_connection();
            }
        }
    }
    to.event(None, &piece(&json!(parts), Some("STOP")))?;
    to.end_events()
}

fn piece(parts: &Value, finish: Option<&str>) -> Value {
    let mut candidate = json!({ "index": 0, "content": { "role": "model", "parts": parts } });
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    json!({
        "candidates": [candidate], "modelVersion": "fake-model", "responseId": "r1",
        "usageMetadata": {
            "promptTokenCount": INPUT_TOKENS, "candidatesTokenCount": OUTPUT_TOKENS,
            "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS, "cachedContentTokenCount": CACHED_TOKENS,
            "thoughtsTokenCount": 0,
        },
    })
}

pub(super) fn refuse(refusal: Refusal) -> (Vec<(String, String)>, Value) {
    let (status, message) = match refusal {
        Refusal::BadRequest => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
        Refusal::Unauthorized => ("UNAUTHENTICATED", "API key not valid. Please pass a valid API key."),
        Refusal::Forbidden => ("PERMISSION_DENIED", "The caller does not have permission"),
        Refusal::RateLimit => ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
        Refusal::Quota => ("RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan."),
        Refusal::ContextTooLong => (
            "INVALID_ARGUMENT",
            "The input token count (2500000) exceeds the maximum number of tokens allowed.",
        ),
        Refusal::ServerError => ("INTERNAL", "An internal error has occurred."),
        Refusal::Overloaded => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    };
    let details = match refusal {
        Refusal::RateLimit => {
            json!([{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s" }])
        }
        Refusal::Quota => json!([{
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{
                "quotaMetric": "generativelanguage.googleapis.com/generate_requests",
                "quotaId": "GenerateRequestsPerDayPerProjectPerModel",
            }],
        }]),
        _ => json!([]),
    };
    let code = refusal.status();
    let error = json!({ "code": code, "message": message, "status": status, "details": details });
    (refusal.headers(), json!({ "error": error }))
}
