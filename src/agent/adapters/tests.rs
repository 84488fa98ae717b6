//! What no recording has: errors that were not provoked, and streams that contradict themselves. Lines are shortened to what
//! is read of them.

use jiff::Timestamp;
use rstest::rstest;

use crate::agent::{End, HowEnded, OutputFormat, Reader, Reply};
use crate::model::{OutcomeClass, Stream};

fn reply(format: OutputFormat, stdout: &[&str], stderr: &str, exit: i32) -> Reply {
    let at: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let mut reader = Reader::of_format(format);
    reader.push(Stream::Stdout, stdout.join("\n").as_bytes(), at);
    reader.push(Stream::Stderr, stderr.as_bytes(), at);
    reader.finish(&End { ended: HowEnded::Code(exit), signalled_by_us: false, at, usage_file: None })
}

fn told(reply: &Reply) -> String {
    let class = match reply.class {
        OutcomeClass::Limited { until: Some(until) } => format!("limited until {until}"),
        class => class.to_string(),
    };
    format!("{class}: {}", reply.detail.as_deref().unwrap_or(&reply.text))
}

const REJECTED: &str = r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795279800,"rateLimitType":"five_hour"}}"#;
const RETRY: &str =
    r#"{"type":"system","subtype":"api_retry","attempt":1,"error_status":429,"error":"rate_limit"}"#;
const REFUSED: &str = r#"{"type":"assistant","error":"rate_limit","message":{"model":"<synthetic>","content":[{"type":"text","text":"x"}]}}"#;
const GOOD: &str =
    r#"{"type":"result","subtype":"success","is_error":false,"result":"done","permission_denials":[]}"#;

#[rstest]
#[case::wrong_key(
    &[r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":401,"result":"Invalid API key · Fix external API key"}"#], 1,
    "auth: Invalid API key · Fix external API key"
)]
#[case::plan_limit_with_its_time(
    &[REJECTED, REFUSED, r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"You've hit your session limit · resets 6:50pm (UTC)"}"#], 1,
    "limited until 2026-11-21T16:50:00Z: You've hit your session limit · resets 6:50pm (UTC)"
)]
#[case::plan_limit_in_words(
    &[r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"You've hit your weekly limit · resets 6:50pm (UTC)"}"#], 1,
    "limited until 2026-11-21T18:50:00Z: You've hit your weekly limit · resets 6:50pm (UTC)"
)]
#[case::plan_limit_in_another_zone(
    &[r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"You've hit your limit · resets 6:50pm (Europe/Berlin)"}"#], 1,
    "limited: You've hit your limit · resets 6:50pm (Europe/Berlin)"
)]
#[case::not_worth_trying_again(
    &[REFUSED, r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"API Error: Request rejected (429) · slow down"}"#], 1,
    "limited: API Error: Request rejected (429) · slow down"
)]
#[case::too_fast(
    &[RETRY, REFUSED, r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"API Error: Request rejected (429) · slow down"}"#], 1,
    "overloaded: API Error: Request rejected (429) · slow down"
)]
#[case::overloaded(
    &[r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":529,"result":"API Error: Repeated 529 Overloaded errors"}"#], 1,
    "overloaded: API Error: Repeated 529 Overloaded errors"
)]
#[case::too_long(
    &[r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":400,"result":"Prompt is too long"}"#], 1,
    "failed: Prompt is too long"
)]
#[case::unreachable(
    &[r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":null,"result":"API Error: Unable to connect to API (ECONNREFUSED)"}"#], 1,
    "overloaded: API Error: Unable to connect to API (ECONNREFUSED)"
)]
#[case::an_error_that_is_called_a_success(
    &[r#"{"type":"result","subtype":"success","is_error":false,"api_error_status":500,"result":"API Error: 500 x"}"#], 0,
    "overloaded: API Error: 500 x"
)]
#[case::the_budget_is_spent(
    &[r#"{"type":"result","subtype":"error_max_budget_usd","is_error":true,"errors":["Reached maximum budget ($0.02)"]}"#], 1,
    "failed: error_max_budget_usd: Reached maximum budget ($0.02)"
)]
#[case::no_such_session(
    &[r#"{"type":"result","subtype":"error_during_execution","is_error":true,"errors":["No conversation found with session ID: 1"]}"#], 1,
    "failed: error_during_execution: No conversation found with session ID: 1"
)]
#[case::a_question_to_nobody(
    &[r#"{"type":"result","subtype":"success","is_error":false,"result":"done","permission_denials":[{"tool_name":"AskUserQuestion"}]}"#], 0,
    "ok: done"
)]
#[case::a_report_that_the_exit_code_contradicts(&[GOOD], 3, "failed: it reported success, but ended with exit code 3")]
#[case::work_after_the_report(
    &[GOOD, r#"{"type":"assistant","message":{"content":[{"type":"text","text":"and then"}]}}"#], 0,
    "failed: it ended without its final report, with exit code 0"
)]
#[case::words_before_the_report(&[&GOOD.replacen('{', "\u{1b}[?25h words {", 1), GOOD], 0, "ok: done")]
#[case::unknown_events(&[r#"{"type":"novelty","x":[1]}"#, "[1,2]", "3", GOOD], 0, "ok: done")]
#[case::an_unknown_report(
    &[r#"{"type":"result","subtype":"paused","result":"later"}"#], 0,
    "failed: its final report says `paused`: later"
)]
fn claude(#[case] stdout: &[&str], #[case] exit: i32, #[case] expected: &str) {
    assert_eq!(told(&reply(OutputFormat::Claude, stdout, "", exit)), expected);
}

fn qwen_result(text: &str) -> String {
    format!(
        r#"{{"type":"result","subtype":"success","is_error":false,"result":"{text}","permission_denials":[]}}"#
    )
}

#[rstest]
#[case(
    "[API Error: 429 You exceeded your current quota, please check your plan.]",
    "limited: 429 You exceeded your current quota, please check your plan."
)]
#[case("I begin.\\n[API Error: 503 no upstream]", "overloaded: 503 no upstream")]
#[case(
    "[API Error: Connection error. (cause: fetch failed)]",
    "overloaded: Connection error. (cause: fetch failed)"
)]
#[case(
    "[API Error: 400 Your input exceeds the context window of this model.]",
    "failed: 400 Your input exceeds the context window of this model."
)]
#[case("It no longer says [API Error: 401 x]", "ok: It no longer says [API Error: 401 x]")]
fn qwen(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(told(&reply(OutputFormat::Qwen, &[&qwen_result(text)], "", 0)), expected);
}

#[rstest]
#[case::quota(
    r#"{"type":"result","status":"error","error":{"type":"TerminalQuotaError","message":"You have exhausted your daily quota on this model."}}"#, "", 173,
    "limited: You have exhausted your daily quota on this model."
)]
#[case::by_exit_code(
    r#"{"type":"result","status":"error","error":{"type":"unknown","message":"[API Error: no words]"}}"#,
    "",
    247,
    "overloaded: no words"
)]
#[case::not_logged_in(
    "",
    "Please set an Auth method in your settings.json\n",
    41,
    "auth: Please set an Auth method in your settings.json"
)]
#[case::without_an_error(r#"{"type":"result","status":"error"}"#, "", 1, "failed: ")]
#[case::called_ok(
    r#"{"type":"result","status":"success","error":{"message":"fetch failed"}}"#,
    "",
    0,
    "overloaded: fetch failed"
)]
#[case::died(
    "",
    "An unexpected critical error occurred: heap\n",
    134,
    "failed: it ended without its final report, with exit code 134: An unexpected critical error occurred: heap"
)]
fn gemini(#[case] stdout: &str, #[case] stderr: &str, #[case] exit: i32, #[case] expected: &str) {
    assert_eq!(told(&reply(OutputFormat::Gemini, &[stdout], stderr, exit)), expected);
}

#[test]
fn amp_and_cursor_are_read_as_their_documentation_says() {
    let done = r#"{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"T-1"}"#;
    let failed = r#"{"type":"result","subtype":"error_during_execution","is_error":true,"error":"429 insufficient credits","session_id":"T-1"}"#;
    let amp = reply(OutputFormat::Amp, &[done], "", 0);
    assert_eq!((told(&amp).as_str(), amp.session.as_deref()), ("ok: done", Some("T-1")));
    assert_eq!(
        told(&reply(OutputFormat::Amp, &[failed], "", 1)),
        "limited: error_during_execution: 429 insufficient credits"
    );
    assert_eq!(told(&reply(OutputFormat::CursorAgent, &[done], "", 0)), "ok: done");
    assert_eq!(
        told(&reply(
            OutputFormat::CursorAgent,
            &[],
            "Error: Authentication required. Please run 'cursor-agent login'.",
            1
        )),
        "auth: it ended without its final report, with exit code 1: Error: Authentication required. Please run 'cursor-agent login'."
    );
}

#[test]
fn cursors_tool_calls_are_seen() {
    use crate::agent::Sighting;
    let mut reader = Reader::of_format(OutputFormat::CursorAgent);
    let lines = concat!(
        r#"{"type":"tool_call","subtype":"started","call_id":"c","tool_call":{"writeToolCall":{"args":{"path":"a.txt"}}}}"#,
        "\n",
        r#"{"type":"tool_call","subtype":"completed","call_id":"c","tool_call":{"writeToolCall":{"result":{"rejected":{"message":"no"}}}}}"#,
        "\n"
    );
    assert_eq!(
        reader.push(Stream::Stdout, lines.as_bytes(), Timestamp::UNIX_EPOCH),
        [
            Sighting::ToolStarted {
                id: Some("c".to_owned()),
                name: "write".to_owned(),
                summary: "a.txt".to_owned()
            },
            Sighting::ToolEnded { id: Some("c".to_owned()), failed: true, summary: "no".to_owned() },
        ]
    );
}
