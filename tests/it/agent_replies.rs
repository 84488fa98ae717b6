//! What codex, opencode, copilot, goose and aider may say and no recording has: limits with an end, refusals that were got
//! over, errors in the middle, reports that contradict themselves. Judged by meaning.

use baton::agent::{End, HowEnded, OutputFormat, Reader, Reply, Sighting, WaitReason};
use baton::model::{OutcomeClass, Stream, Usage};
use jiff::Timestamp;
use rstest::rstest;

use crate::support::{Git, Workspace};

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn read(format: &str, lines: &[&str], exit: i32, usage_file: Option<&str>) -> Reply {
    let format: OutputFormat = format.parse().unwrap();
    let mut reader = Reader::of_format(format);
    for line in lines {
        reader.push(Stream::Stdout, format!("{line}\n").as_bytes(), now());
    }
    reader.finish(&End {
        ended: HowEnded::Code(exit),
        signalled_by_us: false,
        at: now(),
        usage_file: usage_file.map(str::as_bytes),
    })
}

fn class(reply: &Reply) -> String {
    match reply.class {
        OutcomeClass::Limited { until: Some(until) } => format!("limited until {until}"),
        class => class.to_string(),
    }
}

const CODEX_DONE: &str =
    r#"{"type":"turn.completed","usage":{"input_tokens":10,"cached_input_tokens":4,"output_tokens":2}}"#;
const CODEX_SAYS: &str =
    r#"{"type":"item.completed","item":{"id":"i","type":"agent_message","text":"Done."}}"#;
const CODEX_DECLINED: &str = r#"{"type":"item.completed","item":{"id":"i","type":"command_execution","command":"touch x","status":"declined"}}"#;
const CODEX_RAN: &str = r#"{"type":"item.completed","item":{"id":"i","type":"command_execution","command":"touch y","status":"completed"}}"#;

#[rstest]
#[case::done(&[CODEX_SAYS, CODEX_DONE], 0, "ok")]
#[case::no_report(&[CODEX_SAYS], 0, "failed")]
#[case::a_report_and_another_exit_code(&[CODEX_SAYS, CODEX_DONE], 1, "failed")]
#[case::it_went_on_after_its_report(&[CODEX_DONE, CODEX_SAYS], 0, "failed")]
#[case::refused(&[CODEX_DECLINED, CODEX_SAYS, CODEX_DONE], 0, "denied")]
#[case::refused_and_found_another_way(&[CODEX_DECLINED, CODEX_RAN, CODEX_SAYS, CODEX_DONE], 0, "ok")]
#[case::retried(&[r#"{"type":"error","message":"Reconnecting... 1/5 (unexpected status 503)"}"#, CODEX_SAYS, CODEX_DONE], 0, "ok")]
#[case::a_warning(&[r#"{"type":"item.completed","item":{"type":"error","message":"429"}}"#, CODEX_SAYS, CODEX_DONE], 0, "ok")]
#[case::a_second_turn(&[r#"{"type":"turn.failed","error":{"message":"x"}}"#, r#"{"type":"turn.started"}"#, CODEX_DONE], 0, "ok")]
#[case::plan(&[r#"{"type":"turn.failed","error":{"message":"You've hit your usage limit. Upgrade to Pro or try again in 3 hours 5 minutes."}}"#], 1, "limited until 2026-11-21T15:05:00Z")]
#[case::overloaded(&[r#"{"type":"turn.failed","error":{"message":"unexpected status 529 <unknown>: Overloaded, url: http://x/v1"}}"#], 1, "overloaded")]
#[case::key_named_in_a_bad_request(&[r#"{"type":"error","message":"{\"error\":{\"message\":\"API key not valid.\",\"type\":\"invalid_request_error\"}}"}"#], 1, "auth")]
#[case::nothing(&[], 0, "failed")]
fn codex(#[case] lines: &[&str], #[case] exit: i32, #[case] expected: &str) {
    let reply = read("codex", lines, exit, None);
    assert_eq!(class(&reply), expected, "{reply:?}");
}

const STEP: &str = r#"{"type":"step_start","sessionID":"s","part":{}}"#;
const STOP: &str = r#"{"type":"step_finish","sessionID":"s","part":{"reason":"stop","tokens":{"input":5,"output":2,"reasoning":1,"cache":{"read":3,"write":2}},"cost":0.25}}"#;
const CALLS: &str = r#"{"type":"step_finish","sessionID":"s","part":{"reason":"tool-calls","tokens":{"input":5,"output":2,"reasoning":1,"cache":{"read":3,"write":2}},"cost":0.25}}"#;
const RULE: &str = r#"{"type":"tool_use","sessionID":"s","part":{"tool":"bash","callID":"c","state":{"status":"error","error":"The user has specified a rule which prevents you from using this specific tool call."}}}"#;
const BROKEN_TOOL: &str = r#"{"type":"tool_use","sessionID":"s","part":{"tool":"bash","callID":"c","state":{"status":"error","error":"exit 1"}}}"#;
const OPENCODE_ERROR: &str =
    r#"{"type":"error","sessionID":"s","error":{"name":"APIError","data":{"message":"x","statusCode":500}}}"#;

#[rstest]
#[case::done(&[STEP, CALLS, STEP, STOP], 0, "ok")]
#[case::in_the_middle_of_a_step(&[STEP, STOP, STEP], 0, "failed")]
#[case::after_tool_calls(&[STEP, BROKEN_TOOL, CALLS], 0, "failed")]
#[case::refused_and_no_more_said(&[STEP, RULE, CALLS], 0, "denied")]
#[case::refused_and_concluded(&[STEP, RULE, CALLS, STEP, STOP], 0, "ok")]
#[case::an_error_and_then_more(&[STEP, OPENCODE_ERROR, STEP, STOP], 0, "ok")]
#[case::an_error_in_the_end(&[STEP, STOP, OPENCODE_ERROR], 0, "overloaded")]
#[case::cut_off(&[STEP, r#"{"type":"step_finish","part":{"reason":"length"}}"#], 0, "failed")]
#[case::filtered(&[STEP, r#"{"type":"step_finish","part":{"reason":"content-filter"}}"#], 0, "failed")]
#[case::end_in_a_header(&[r#"{"type":"error","error":{"name":"APIError","data":{"message":"Slow down","statusCode":429,"responseHeaders":{"retry-after":"3600"}}}}"#], 1, "limited until 2026-11-21T13:00:00Z")]
#[case::unreachable(&[r#"{"type":"error","error":{"name":"UnknownError","data":{"message":"Unable to connect. Is the computer able to access the url?"}}}"#], 1, "overloaded")]
#[case::another_exit_code(&[STEP, STOP], 1, "failed")]
fn opencode(#[case] lines: &[&str], #[case] exit: i32, #[case] expected: &str) {
    let reply = read("opencode", lines, exit, None);
    assert_eq!(class(&reply), expected, "{reply:?}");
}

#[test]
fn opencode_counts_by_step_and_its_input_is_what_no_cache_had() {
    let reply = read("opencode", &[STEP, CALLS, STEP, STOP], 0, None);
    let expected = Usage {
        input_tokens: 20,
        cached_tokens: 6,
        output_tokens: 6,
        cost_usd: Some(0.5),
        ..Usage::default()
    };
    assert_eq!((reply.usage, reply.cumulative), (expected, None));
}

const COPILOT_SAYS: &str = r#"{"type":"assistant.message","data":{"content":"Done."}}"#;
const RESULT: &str = r#"{"type":"result","sessionId":"11111111-2222","exitCode":0,"usage":{}}"#;
const COPILOT_CALL: &str = r#"{"type":"tool.execution_start","data":{"toolCallId":"1","toolName":"bash","arguments":{"command":"make"}}}"#;
const COPILOT_DENIED: &str = r#"{"type":"tool.execution_complete","data":{"toolCallId":"1","success":false,"error":{"message":"Permission denied and could not request permission from user","code":"denied"}}}"#;
const COPILOT_WORKED: &str = r#"{"type":"tool.execution_complete","data":{"toolCallId":"1","success":true,"result":{"content":"ok"}}}"#;

#[rstest]
#[case::done(&[COPILOT_SAYS, RESULT], 0, "ok")]
#[case::no_report(&[COPILOT_SAYS], 0, "failed")]
#[case::report_of_a_failure(&[r#"{"type":"result","sessionId":"x","exitCode":1}"#], 0, "failed")]
#[case::report_without_a_code(&[r#"{"type":"result","sessionId":"x"}"#], 0, "failed")]
#[case::refused(&[COPILOT_CALL, COPILOT_DENIED, COPILOT_SAYS, RESULT], 0, "denied")]
#[case::refused_once(&[COPILOT_CALL, COPILOT_DENIED, COPILOT_CALL, COPILOT_WORKED, COPILOT_SAYS, RESULT], 0, "ok")]
#[case::got_over(&[r#"{"type":"session.error","data":{"errorType":"query","message":"x","statusCode":500}}"#, COPILOT_SAYS, RESULT], 0, "ok")]
#[case::an_error_and_exit_code_0(&[COPILOT_SAYS, r#"{"type":"session.error","data":{"errorType":"query","message":"x","statusCode":500}}"#, RESULT], 0, "overloaded")]
#[case::plan(&[r#"{"type":"session.error","data":{"errorType":"quota","message":"You have no quota for premium requests left.","statusCode":402}}"#, RESULT], 1, "limited")]
#[case::not_logged_in(&[r#"{"type":"session.error","data":{"errorType":"authentication","message":"No authentication information found."}}"#, RESULT], 1, "auth")]
fn copilot(#[case] lines: &[&str], #[case] exit: i32, #[case] expected: &str) {
    let reply = read("copilot", lines, exit, None);
    assert_eq!(class(&reply), expected, "{reply:?}");
}

#[test]
fn copilots_tokens_are_those_of_all_models_in_its_file_and_of_the_whole_session() {
    let file = r#"{"modelMetrics":{"a":{"usage":{"inputTokens":10,"outputTokens":2,"cacheReadTokens":5}},"b":{"usage":{"inputTokens":1,"outputTokens":1}},"c":7}}"#;
    let reply = read("copilot", &[COPILOT_SAYS, RESULT], 0, Some(file));
    let all = Usage { input_tokens: 11, output_tokens: 3, cached_tokens: 5, ..Usage::default() };
    assert_eq!(reply.cumulative, Some(all));
    let before = Usage { input_tokens: 4, output_tokens: 1, cached_tokens: 5, ..Usage::default() };
    let turn = Usage { input_tokens: 7, output_tokens: 2, ..Usage::default() };
    assert_eq!(reply.usage_since(Some(&before)), turn);
    for broken in ["", "{", "[]", "{\"modelMetrics\":3}"] {
        assert_eq!(read("copilot", &[COPILOT_SAYS, RESULT], 0, Some(broken)).cumulative, None);
    }
}

const GOOSE_SAYS: &str = r#"{"type":"message","message":{"id":"a","role":"assistant","content":[{"type":"text","text":"Done."}]}}"#;
const COMPLETE: &str = r#"{"type":"complete","total_tokens":12,"input_tokens":10,"output_tokens":2}"#;
const UNCOUNTED: &str = r#"{"type":"complete","total_tokens":null}"#;
const GOOSE_QUOTES: &str = r#"{"type":"message","message":{"id":"a","role":"assistant","content":[{"type":"text","text":"Ran into this error: Status: 401, and mended it."}]}}"#;
const GOOSE_ERROR: &str = r#"{"type":"message","message":{"id":null,"role":"assistant","content":[{"type":"text","text":"Ran into this error: Rate limit exceeded: You exceeded your current quota.\n\nPlease retry if you think this is a transient or recoverable error."}]}}"#;
const GOOSE_ASKED: &str = r#"{"type":"message","message":{"id":"u","role":"user","content":[{"type":"text","text":"Ran into this error: 401"}]}}"#;

#[rstest]
#[case::done(&[GOOSE_SAYS, COMPLETE], 0, "ok")]
#[case::no_report(&[GOOSE_SAYS], 0, "failed")]
#[case::nothing_counted(&[GOOSE_SAYS, UNCOUNTED], 0, "failed")]
#[case::words_before_the_report(&[GOOSE_SAYS, r#"Yes?{"type":"complete","total_tokens":12}"#], 0, "ok")]
#[case::it_went_on_after_its_report(&[COMPLETE, GOOSE_SAYS], 0, "failed")]
#[case::plan(&[GOOSE_ERROR, UNCOUNTED], 0, "limited")]
#[case::an_error_in_a_session_that_has_counted(&[GOOSE_SAYS, GOOSE_ERROR, COMPLETE], 0, "limited")]
#[case::an_error_and_then_more(&[GOOSE_ERROR, GOOSE_SAYS, COMPLETE], 0, "ok")]
#[case::the_model_quotes_an_error(&[GOOSE_QUOTES, COMPLETE], 0, "ok")]
#[case::the_words_of_an_error_and_nothing_counted(&[GOOSE_QUOTES, UNCOUNTED], 0, "auth")]
#[case::the_prompt_quotes_an_error(&[GOOSE_ASKED, GOOSE_SAYS, COMPLETE], 0, "ok")]
#[case::an_error_event(&[r#"{"type":"error","error":"Authentication failed. Status: 403"}"#], 1, "auth")]
fn goose(#[case] lines: &[&str], #[case] exit: i32, #[case] expected: &str) {
    let reply = read("goose", lines, exit, None);
    assert_eq!(class(&reply), expected, "{reply:?}");
}

const TALK: &[&str] = &["Aider v0.86.2", "Model: m", "", "I will.", ""];
const REPORT: &str = "Tokens: 1.2k sent, 56 received. Cost: $0.0045 message, $0.0045 session.";

#[rstest]
#[case::done(&[REPORT, "", "Applied edit to x"], 0, "ok")]
#[case::no_answer(&[], 0, "failed")]
#[case::another_exit_code(&[REPORT], 1, "failed")]
#[case::retried(&["litellm.RateLimitError: slow", "Retrying in 0.2 seconds...", "Here.", REPORT], 0, "ok")]
#[case::while_it_waits(&["litellm.RateLimitError: slow", "Retrying in 0.2 seconds..."], 0, "failed")]
#[case::an_error_after_an_answer(&[REPORT, "litellm.AuthenticationError: no key"], 0, "auth")]
#[case::the_answer_quotes_an_error(&["litellm.AuthenticationError: is what I mended", REPORT], 0, "ok")]
#[case::plan(&["litellm.RateLimitError: RateLimitError: OpenAIException - You exceeded your", "current quota, please check your plan."], 0, "limited")]
#[case::until(&["litellm.RateLimitError: AnthropicException - usage limit reached, try again in 4h"], 0, "limited until 2026-11-21T16:00:00Z")]
#[case::forbidden(&["litellm.PermissionDeniedError: no"], 0, "auth")]
#[case::too_long(&["litellm.ContextWindowExceededError: ContextWindowExceededError: 300k"], 0, "failed")]
#[case::token_limit(&[REPORT, "", "Model m has hit a token limit!", "Token counts below are approximate."], 0, "failed")]
#[case::unavailable(&["litellm.ServiceUnavailableError: x"], 0, "overloaded")]
fn aider(#[case] lines: &[&str], #[case] exit: i32, #[case] expected: &str) {
    let reply = read("aider", &[TALK, lines].concat(), exit, None);
    assert_eq!(class(&reply), expected, "{reply:?}");
}

#[test]
fn aider_adds_up_its_answers_and_the_last_one_is_the_reply() {
    let second = "Tokens: 2.0k sent, 1.5k cache hit, 44 received.";
    let reply = read(
        "aider",
        &[TALK, &[REPORT, "Yes.", second, "Cost: $0.01 message, $0.02 session."]].concat(),
        0,
        None,
    );
    let expected = Usage {
        input_tokens: 3200,
        cached_tokens: 1500,
        output_tokens: 100,
        cost_usd: Some(0.02),
        ..Usage::default()
    };
    assert_eq!((reply.text.as_str(), reply.usage), ("Yes.", expected));
}

#[rstest]
#[case(&["Tokens: 1.2k sent, 56 received. Cost: $0.0045", "message, $0.0045 session."])]
#[case(&["Tokens: 1.2k sent, 0 cache hit, 56", "received. Cost: $0.0045 message, $0.0045 session."])]
#[case(&["Tokens: 1.2k sent, 56 received.", "Cost: $0.0045 message, $0.0045 session."])]
fn aiders_report_is_read_where_a_narrow_terminal_has_broken_it(#[case] lines: &[&str]) {
    let reply = read("aider", &[TALK, lines].concat(), 0, None);
    let read = (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cost_usd);
    assert_eq!((class(&reply).as_str(), read), ("ok", (1200, 56, Some(0.0045))));
    assert_eq!(reply.text, "I will.");
}

#[test]
fn aider_without_the_line_about_its_answer_is_never_a_success() {
    let whole = [TALK, &[REPORT]].concat().join("\n");
    let reported = whole.find(" received.").unwrap() + " received".len();
    for length in 0..=reported {
        let reply = read("aider", &[&whole[..length]], 0, None);
        assert_ne!(reply.class, OutcomeClass::Ok, "{}", &whole[..length]);
    }
}

fn seen(format: &str, lines: &[&str]) -> Vec<Sighting> {
    let mut reader = Reader::of_format(format.parse().unwrap());
    lines.iter().flat_map(|line| reader.push(Stream::Stdout, format!("{line}\n").as_bytes(), now())).collect()
}

#[rstest]
#[case("codex", &[r#"{"type":"error","message":"Reconnecting... 2/5 (exceeded retry limit, last status: 429 Too Many Requests)"}"#], "RateLimit, Some(2) of Some(5) until None")]
#[case("codex", &[r#"{"type":"error","message":"Reconnecting... 1/5 (unexpected status 503 Service Unavailable)"}"#], "Overloaded, Some(1) of Some(5) until None")]
#[case("codex", &[r#"{"type":"error","message":"Reconnecting..."}"#], "Retry, None of None until None")]
#[case("copilot", &[r#"{"type":"model.call_failure","data":{"statusCode":429,"retryAttempt":2}}"#, r#"{"type":"assistant.turn_retry","data":{"reason":"rate_limit"}}"#], "RateLimit, Some(3) of None until None")]
#[case("aider", &["litellm.InternalServerError: x", "Retrying in 2.0 seconds..."], "Retry, None of None until Some(2026-11-21T12:00:02Z)")]
fn waiting_is_seen_with_its_reason(#[case] format: &str, #[case] lines: &[&str], #[case] expected: &str) {
    let waits: Vec<_> = seen(format, lines)
        .into_iter()
        .filter_map(|sighting| match sighting {
            Sighting::Waiting(wait) => {
                Some(format!("{:?}, {:?} of {:?} until {:?}", wait.reason, wait.attempt, wait.of, wait.until))
            }
            _ => None,
        })
        .collect();
    assert_eq!(waits, [expected]);
}

/// Both seats do their work and write a recording of this CLI, with exit code 0; galph's is `galph`'s.
fn run(cli: &str, galph: &str, ralph: &str) -> (Workspace, crate::support::Ended) {
    let workspace = Workspace::new(Git::Used);
    let configuration = workspace.read("orchestration.yaml").unwrap();
    workspace.write("orchestration.yaml", &configuration.replace("output: text", &format!("output: {cli}")));
    workspace.git(&["commit", "--quiet", "--message=stream", "orchestration.yaml"]);
    for (seat, case) in [("galph", galph), ("ralph", ralph)] {
        let recording = format!("{}/tests/fixtures/agents/{cli}/{case}", env!("CARGO_MANIFEST_DIR"));
        workspace.script_once(seat, &format!("work >/dev/null; cat '{recording}.stdout'; exit 0"));
    }
    let ended = workspace.run(&["--sync-loops=1"]);
    (workspace, ended)
}

#[rstest]
#[case("codex", "ok", 2468, 400, 112)]
#[case("opencode", "ok2", 2468, 400, 112)]
#[case("goose", "ok", 2468, 0, 112)]
#[case("aider", "ok2", 1200, 0, 56)]
fn a_loop_counts_what_its_agents_used(
    #[case] cli: &str,
    #[case] recording: &str,
    #[case] input: u64,
    #[case] cached: u64,
    #[case] output: u64,
) {
    let (workspace, ended) = run(cli, recording, recording);
    ended.assert_code(0);
    for seat in ["galph", "ralph"] {
        let usage = &workspace.state()["usage"][seat];
        let count = |name: &str| usage[name].as_u64();
        let counts = (count("input_tokens"), count("cached_tokens"), count("output_tokens"));
        assert_eq!(counts, (Some(input), Some(cached), Some(output)), "{seat}");
    }
}

#[rstest]
#[case("codex", "ok", "e403", "auth")]
#[case("opencode", "ok2", "noauto-outside", "denied")]
#[case("copilot", "ok", "noallow", "denied")]
#[case("goose", "ok", "e401", "auth")]
#[case("goose", "ok", "maxturns", "failed")]
#[case("aider", "ok2", "e401", "auth")]
fn a_loop_stops_at_what_an_exit_code_of_0_hides(
    #[case] cli: &str,
    #[case] good: &str,
    #[case] bad: &str,
    #[case] class: &str,
) {
    let (workspace, ended) = run(cli, good, bad);
    let ended = ended.assert_code(5);
    assert_eq!(workspace.state()["status"], "failed");
    assert!(ended.stderr.contains(&format!("ended `{class}`")), "{}", ended.stderr);
}

/// What they were waiting for when they were ended, from recordings of an account without quota.
#[rstest]
#[case("goose", Stream::Stdout, WaitReason::RateLimit, Some(1), Some("2026-11-21T13:00:00Z"))]
#[case("opencode", Stream::Stderr, WaitReason::RateLimit, None, None)]
#[case("qwen", Stream::Stdout, WaitReason::RateLimit, None, None)]
fn an_agent_that_waits_in_its_log_only_is_heard(
    #[case] agent: &str,
    #[case] stream: Stream,
    #[case] reason: WaitReason,
    #[case] attempt: Option<u64>,
    #[case] until: Option<&str>,
) {
    let name = if stream == Stream::Stdout { "stdout" } else { "stderr" };
    let path = format!("{}/tests/fixtures/agents/{agent}/quota-wait.{name}", env!("CARGO_MANIFEST_DIR"));
    let mut reader = Reader::of_format(agent.parse().unwrap());
    reader.push(stream, &std::fs::read(path).unwrap(), now());
    let end = End { ended: HowEnded::Signal(15), signalled_by_us: true, at: now(), usage_file: None };
    let waiting = reader.finish(&end).waiting.unwrap();
    let until = until.map(|until| until.parse::<Timestamp>().unwrap());
    assert_eq!((waiting.reason, waiting.attempt, waiting.until), (reason, attempt, until));
}

const QWEN_UNCOUNTED: &str = r#"{"type":"assistant","message":{"id":"m","content":[{"type":"text","text":"x"}],"usage":{"input_tokens":0,"output_tokens":0}}}"#;
const QWEN_COUNTED: &str = r#"{"type":"assistant","message":{"id":"m","content":[{"type":"text","text":"x"}],"usage":{"input_tokens":9,"output_tokens":1}}}"#;
const QWEN_ENDS_IN_AN_ERROR: &str = r#"{"type":"result","subtype":"success","is_error":false,"result":"The log says [API Error: 503 no upstream]"}"#;

#[rstest]
#[case::the_connection_broke(QWEN_UNCOUNTED, "overloaded")]
#[case::the_model_speaks_of_errors(QWEN_COUNTED, "ok")]
fn an_error_at_the_end_of_qwens_reply_counts_where_no_tokens_were_counted(
    #[case] message: &str,
    #[case] expected: &str,
) {
    let reply = read("qwen", &[message, QWEN_ENDS_IN_AN_ERROR], 0, None);
    assert_eq!(class(&reply), expected, "{reply:?}");
}
