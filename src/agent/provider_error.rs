//! What a provider's refusal means, by its status, its kind and its words. Judged here for all CLIs, so that an answer that
//! nobody has seen yet is judged by what it says.
//!
//! The statuses come first where they leave no doubt. Words come first where providers use one status for different
//! things: 429 is a limit of a minute or of a month, 400 may be a wrong key or an empty account.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use regex_automata::meta::Regex;

use crate::model::OutcomeClass;

use super::reset_time::{find_reset_time, pattern};

/// How much of a message is looked at.
const MAX_MESSAGE_BYTES: usize = 8 * 1024;

/// A limit that ends sooner than this is one of pace, not of an account.
const SHORT_WAIT: SignedDuration = SignedDuration::from_mins(10);

/// The request does not fit: the same request never will.
const TOO_LONG: [&str; 15] = [
    "context_length",
    "context length",
    "context window",
    "contextwindow",
    "contextoverflow",
    "maximum context",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "input token count",
    "maximum number of tokens",
    "string too long",
    "string_above_max_length",
    "request too large",
    "request_too_large",
];

/// What the account may use is used up.
const EXHAUSTED: [&str; 41] = [
    "insufficient_quota",
    "insufficient quota",
    "quota exceeded",
    "quota_exceeded",
    "quota exhausted",
    "quota_exhausted",
    "quota limit",
    "quota will reset",
    "exceeded your current quota",
    "exceeded your quota",
    "exhausted your",
    "terminalquota",
    "per day",
    "perday",
    "usage limit",
    "usage_limit",
    "usagelimit",
    "session limit",
    "daily limit",
    "weekly limit",
    "monthly limit",
    "hour limit",
    "spend limit",
    "spending limit",
    "billing hard limit",
    "billing_hard_limit",
    "billing_error",
    "billing_not_active",
    "credit balance",
    "insufficient credits",
    "insufficient_credits",
    "insufficient balance",
    "insufficient_balance",
    "insufficient funds",
    "more credits",
    "out of credits",
    "no credits",
    "payment required",
    "premium request",
    "budget has been exceeded",
    "exceededbudget",
];

/// A limit of a minute, in whatever words the limit itself is told.
const PACE: [&str; 7] = ["per minute", "per min", "perminute", "per second", "persecond", "(rpm)", "(tpm)"];

/// Nobody is logged in, or the key is not accepted.
const CREDENTIALS: [&str; 47] = [
    "authentication_error",
    "authentication_failed",
    "authentication failed",
    "authenticationerror",
    "authentication required",
    "invalid authentication",
    "could not resolve authentication",
    "not authenticated",
    "unauthenticated",
    "unauthorized",
    "unauthorised",
    "permission_error",
    "permissiondenied",
    "permission_denied",
    "x-api-key",
    "invalid api key",
    "invalid_api_key",
    "incorrect api key",
    "api key not valid",
    "api key not found",
    "api key is not set",
    "api key is required",
    "api key expired",
    "api_key_invalid",
    "api_key client option must be set",
    "missing api key",
    "no api key",
    "invalid bearer token",
    "invalid token",
    "invalid_grant",
    "token expired",
    "token_expired",
    "token has expired",
    "token revoked",
    "token has been revoked",
    "refresh token",
    "no auth credentials",
    "no auth",
    "set an auth method",
    "not logged in",
    "please log in",
    "please login",
    "run /login",
    "login required",
    "not signed in",
    "please sign in",
    "account is not active",
];

/// Too many requests at once; also what is left of 429 when nothing tells more.
const RATE: [&str; 9] = [
    "rate limit",
    "rate_limit",
    "rate-limit",
    "ratelimit",
    "too many requests",
    "toomanyrequests",
    "resource_exhausted",
    "resource exhausted",
    "throttl",
];

/// The provider is in trouble, or cannot be reached: later the same request may well be served.
const TROUBLE: [&str; 54] = [
    "overloaded",
    "high demand",
    "at capacity",
    "no capacity",
    "over capacity",
    "out of capacity",
    "unavailable",
    "internal server error",
    "internalservererror",
    "internal_server_error",
    "internal error",
    "server_error",
    "servererror",
    "server error",
    "server had an error",
    "api_error",
    "bad gateway",
    "gateway timeout",
    "gateway time-out",
    "econnrefused",
    "econnreset",
    "econnaborted",
    "enotfound",
    "etimedout",
    "eai_again",
    "ehostunreach",
    "enetunreach",
    "epipe",
    "getaddrinfo",
    "dns",
    "could not resolve host",
    "failed to lookup address",
    "name resolution",
    "network is unreachable",
    "network error",
    "fetch failed",
    "socket hang up",
    "other side closed",
    "premature close",
    "stream disconnected",
    "stream closed",
    "decoding response body",
    "unexpected eof",
    "incomplete chunked read",
    "error sending request",
    "apiconnection",
    "connection error",
    "connection refused",
    "connection reset",
    "connection closed",
    "connection timed out",
    "connection was closed",
    "unable to connect",
    "request timed out",
];

/// Where a message names the status: `status 401`, `"code":429`, `API Error: 500 ...`, `HTTP/1.1 503`, `rejected (429)`.
static STATUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(concat!(
        r#"(?:status|code|error|https?(?:/[0-9.]+)?)["']?(?: code)?["']?[:= ]{0,3}\(?(?:[1-5][0-9][0-9])(?:[^0-9.]|\.[^0-9]|$)"#,
        r"|\([45][0-9][0-9]\)|^\W{0,2}[45][0-9][0-9][ :]",
    ))
});

/// The class of an error. Whatever is known is given: the HTTP status, the provider's or the CLI's word for the kind of
/// error, the message. `now` is when it was said: delays and times of day are counted from there.
///
/// | class | meaning |
/// |---|---|
/// | `auth` | a person must log in, or mend the key |
/// | `limited` | what the account may use is used up until a time, or until it is paid |
/// | `overloaded` | too fast, the provider in trouble (5xx), or not reachable: later it may work |
/// | `failed` | anything else: the same request would fail again |
#[must_use]
pub fn classify_error(
    status: Option<u16>,
    kind: Option<&str>,
    message: &str,
    now: Timestamp,
) -> OutcomeClass {
    let text = format!("{} {}", kind.unwrap_or_default(), beginning(message)).to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    let status = status.filter(|status| *status >= 400).or_else(|| status_in(&text));
    if says(&TOO_LONG) {
        return OutcomeClass::Failed;
    }
    let until = find_reset_time(&text, now);
    let waits_long = until.is_some_and(|until| until.duration_since(now) > SHORT_WAIT);
    let is_exhausted = says(&EXHAUSTED) || says_limit_of_yours(&text) || status == Some(402);
    let is_pace = says(&PACE) && !says(&["per day", "perday"]);
    // A plan's limit is told with many statuses, but a server in trouble is not a plan.
    let may_be_limit = status.is_none_or(|status| matches!(status, 400 | 402 | 403 | 413 | 429));
    if may_be_limit && is_exhausted && (!is_pace || waits_long) {
        return OutcomeClass::Limited { until };
    }
    match status {
        Some(401 | 403 | 407) => OutcomeClass::Auth,
        Some(429) if waits_long => OutcomeClass::Limited { until },
        Some(408 | 425 | 429 | 500 | 502..=504 | 507 | 509 | 520..=530 | 598 | 599) => {
            OutcomeClass::Overloaded
        }
        None if says(&RATE) && waits_long => OutcomeClass::Limited { until },
        None if says(&RATE) => OutcomeClass::Overloaded,
        // Google answers a wrong key with 400.
        Some(400) | None if says(&CREDENTIALS) => OutcomeClass::Auth,
        None if says(&TROUBLE) => OutcomeClass::Overloaded,
        Some(_) | None => OutcomeClass::Failed,
    }
}

/// `You've hit your limit`, `You have reached your 5-hour limit`, `Opus limit reached`.
fn says_limit_of_yours(text: &str) -> bool {
    let close = |start: &str, end: &str| {
        text.match_indices(start).any(|(at, _)| {
            let rest = &text[at + start.len()..];
            rest.find(end).is_some_and(|distance| distance < 40 && !rest[..distance].contains("rate"))
        })
    };
    close("hit your", "limit") || close("reached your", "limit") || text.contains("limit reached ∙")
}

/// The status that a message names.
fn status_in(text: &str) -> Option<u16> {
    let found = STATUS.as_ref()?.find(text)?;
    let digits: String = text[found.range()]
        .chars()
        .rev()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    let status = digits.chars().rev().collect::<String>().parse().ok()?;
    (400..600).contains(&status).then_some(status)
}

fn beginning(message: &str) -> &str {
    let mut end = message.len().min(MAX_MESSAGE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn class(status: u16, kind: &str, message: &str) -> String {
        let status = (status > 0).then_some(status);
        match classify_error(status, (!kind.is_empty()).then_some(kind), message, now()) {
            OutcomeClass::Limited { until: Some(until) } => format!("limited until {until}"),
            class => class.to_string(),
        }
    }

    #[rstest]
    // Anthropic
    #[case(401, "authentication_error", "invalid x-api-key", "auth")]
    #[case(0, "authentication_failed", "Not logged in · Please run /login", "auth")]
    #[case(
        0,
        "",
        "OAuth token has expired. Please obtain a new token or refresh your existing token.",
        "auth"
    )]
    #[case(
        403,
        "permission_error",
        "Your API key does not have permission to use the specified resource.",
        "auth"
    )]
    #[case(
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API.",
        "limited"
    )]
    #[case(
        429,
        "rate_limit_error",
        "This request would exceed your account's rate limit. Please try again later.",
        "overloaded"
    )]
    #[case(
        429,
        "rate_limit_error",
        "This request would exceed the rate limit for your organization of 30,000 input tokens per minute.",
        "overloaded"
    )]
    #[case(
        429,
        "rate_limit",
        "You've hit your session limit · resets 6:50pm (UTC)",
        "limited until 2026-11-21T18:50:00Z"
    )]
    #[case(0, "", "Claude AI usage limit reached|1795200658", "limited until 2026-11-20T18:50:58Z")]
    #[case(0, "", "You've hit your limit · resets 3am (UTC)", "limited until 2026-11-22T03:00:00Z")]
    #[case(529, "overloaded_error", "Overloaded", "overloaded")]
    #[case(500, "api_error", "Internal server error", "overloaded")]
    #[case(400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum", "failed")]
    #[case(404, "not_found_error", "model: claude-nonesuch", "failed")]
    #[case(413, "request_too_large", "Request exceeds the maximum allowed number of bytes.", "failed")]
    // OpenAI
    #[case(401, "invalid_request_error", "Incorrect API key provided: sk-dummy.", "auth")]
    #[case(0, "", "unexpected status 401 Unauthorized: Incorrect API key provided", "auth")]
    #[case(
        429,
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
        "limited"
    )]
    #[case(
        429,
        "requests",
        "Rate limit reached for m on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 2s.",
        "overloaded"
    )]
    #[case(
        429,
        "tokens",
        "Rate limit reached for m on tokens per day (TPD): Limit 9, Used 9. Please try again in 7h12m0s.",
        "limited until 2026-11-21T19:12:00Z"
    )]
    #[case(0, "", "exceeded retry limit, last status: 429 Too Many Requests", "overloaded")]
    #[case(
        0,
        "",
        "You've hit your usage limit. Upgrade to Pro or try again in 3 hours 5 minutes.",
        "limited until 2026-11-21T15:05:00Z"
    )]
    #[case(
        0,
        "",
        "We're currently experiencing high demand, which may cause temporary errors.",
        "overloaded"
    )]
    #[case(429, "billing_hard_limit_reached", "Billing hard limit has been reached", "limited")]
    #[case(400, "context_length_exceeded", "Your input exceeds the context window of this model.", "failed")]
    #[case(404, "model_not_found", "The model `x` does not exist or you do not have access to it.", "failed")]
    #[case(500, "server_error", "The server had an error while processing your request", "overloaded")]
    #[case(0, "", "stream disconnected before completion: error sending request for url", "overloaded")]
    // Google
    #[case(
        0,
        "",
        r#"[API Error: {"error":{"code":401,"message":"no","status":"UNAUTHENTICATED","details":[]}}]"#,
        "auth"
    )]
    #[case(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "auth")]
    #[case(403, "PERMISSION_DENIED", "The caller does not have permission", "auth")]
    #[case(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", "overloaded")]
    #[case(
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for metric: generate_content_requests, limit: 10, quotaId: GenerateRequestsPerMinutePerProject. Please retry in 34.07s.",
        "overloaded"
    )]
    #[case(
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for quotaId GenerateRequestsPerDayPerProjectPerModel",
        "limited"
    )]
    #[case(0, "", "You have exhausted your daily quota on this model.", "limited")]
    #[case(
        0,
        "",
        "You have exhausted your capacity on this model. Your quota will reset after 5h2m3s.",
        "limited until 2026-11-21T17:02:03Z"
    )]
    #[case(0, "UNAVAILABLE", "The model is overloaded. Please try again later.", "overloaded")]
    #[case(0, "", "Please set an Auth method in your settings.json or specify GEMINI_API_KEY", "auth")]
    #[case(
        400,
        "INVALID_ARGUMENT",
        "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).",
        "failed"
    )]
    // LiteLLM, OpenRouter, others
    #[case(
        0,
        "",
        "litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided",
        "auth"
    )]
    #[case(0, "", "litellm.RateLimitError: RateLimitError: OpenAIException - slow down", "overloaded")]
    #[case(
        0,
        "",
        "litellm.InternalServerError: InternalServerError: OpenAIException - The server had an error",
        "overloaded"
    )]
    #[case(0, "", "litellm.ContextWindowExceededError: too much", "failed")]
    #[case(0, "", "litellm.BadRequestError: LLM Provider NOT provided", "failed")]
    #[case(0, "", "litellm.APIConnectionError: Connection error.", "overloaded")]
    #[case(0, "", "litellm.BudgetExceededError: Budget has been exceeded! Current cost: 10", "limited")]
    #[case(402, "", "Insufficient credits. Add more using https://openrouter.ai/credits", "limited")]
    #[case(0, "", "402 This request requires more credits, or fewer max_tokens.", "limited")]
    #[case(
        429,
        "",
        "Rate limit exceeded: free-models-per-day. retry-after: 3600",
        "limited until 2026-11-21T13:00:00Z"
    )]
    #[case(429, "", "", "overloaded")]
    #[case(403, "", "You have exceeded your monthly limit", "limited")]
    #[case(502, "", "<html>Bad gateway</html>", "overloaded")]
    #[case(503, "", "upstream connect error", "overloaded")]
    #[case(501, "", "not implemented", "failed")]
    #[case(422, "", "unprocessable", "failed")]
    // The network
    #[case(0, "", "connect ECONNREFUSED 127.0.0.1:8765", "overloaded")]
    #[case(0, "", "getaddrinfo EAI_AGAIN api.example.com", "overloaded")]
    #[case(0, "", "TypeError: fetch failed", "overloaded")]
    #[case(0, "", "Request timed out", "overloaded")]
    // Nothing of a provider
    #[case(0, "", "", "failed")]
    #[case(0, "", "No input provided via stdin.", "failed")]
    #[case(0, "", "EACCES: permission denied, open '/etc/x'", "failed")]
    #[case(0, "", "line 429 of file code 1401 in 500 files", "failed")]
    #[case(0, "", "Reached maximum number of turns (2)", "failed")]
    #[case(200, "", "rate limit", "overloaded")]
    fn errors_are_classed_by_their_meaning(
        #[case] status: u16,
        #[case] kind: &str,
        #[case] message: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(class(status, kind, message), expected);
    }

    #[test]
    fn the_pattern_of_a_status_is_one() {
        assert!(STATUS.is_some());
    }

    proptest! {
        #[test]
        fn any_words_have_a_class(status in proptest::option::of(any::<u16>()), kind in ".{0,20}", message in ".{0,200}") {
            let class = classify_error(status, Some(&kind), &message, now());
            let own = matches!(
                class,
                OutcomeClass::Auth | OutcomeClass::Failed | OutcomeClass::Limited { .. } | OutcomeClass::Overloaded
            );
            prop_assert!(own, "{class}");
        }
    }
}
