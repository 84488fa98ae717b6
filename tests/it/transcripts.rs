//! Recorded output of agent CLIs, read again: `tests/fixtures/agents/CLI/CASE.stdout` and `.stderr`, with a table `cases.txt`
//! of what each means. And what holds for any output at all.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use baton::agent::{End, HowEnded, OutputFormat, Reader, Reply, Sighting};
use baton::model::{OutcomeClass, Stream};
use jiff::Timestamp;
use proptest::prelude::*;
use rstest::rstest;

/// The formats in which an agent reports its own end, and nothing comes after. Without the report a run never counts as a
/// success. What aider writes goes on after its report of an answer.
const WITH_REPORT: [OutputFormat; 9] = [
    OutputFormat::Claude,
    OutputFormat::Gemini,
    OutputFormat::Qwen,
    OutputFormat::Amp,
    OutputFormat::CursorAgent,
    OutputFormat::Codex,
    OutputFormat::Opencode,
    OutputFormat::Copilot,
    OutputFormat::Goose,
];

/// When the recordings ended, near enough.
fn at() -> Timestamp {
    "2026-11-20T18:00:00Z".parse().unwrap()
}

fn folder(cli: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/agents").join(cli)
}

/// A row of a table: `case | format | how it ended | what is expected`.
struct Case {
    name: String,
    format: OutputFormat,
    ended: HowEnded,
    signalled_by_us: bool,
    expected: String,
}

fn cases(cli: &str) -> Vec<Case> {
    let table = fs::read_to_string(folder(cli).join("cases.txt")).unwrap();
    let rows = table.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    rows.map(|row| {
        let columns: Vec<&str> = row.splitn(4, '|').map(str::trim).collect();
        let words: Vec<&str> = columns[2].split(' ').collect();
        let number: i32 = words[1].parse().unwrap();
        Case {
            name: columns[0].to_owned(),
            format: columns[1].parse().unwrap(),
            ended: if words[0] == "signal" { HowEnded::Signal(number) } else { HowEnded::Code(number) },
            signalled_by_us: words.get(2) == Some(&"ours"),
            expected: columns[3].to_owned(),
        }
    })
    .collect()
}

fn recorded(cli: &str, case: &str) -> (Vec<u8>, Vec<u8>) {
    let file = |end: &str| fs::read(folder(cli).join(format!("{case}.{end}"))).unwrap_or_default();
    (file("stdout"), file("stderr"))
}

fn usage_file(cli: &str, case: &str) -> Option<Vec<u8>> {
    fs::read(folder(cli).join(format!("{case}.usage.json"))).ok()
}

fn read(format: OutputFormat, stdout: &[u8], stderr: &[u8], end: &End<'_>) -> Reply {
    let mut reader = Reader::of_format(format);
    reader.push(Stream::Stdout, stdout, at());
    reader.push(Stream::Stderr, stderr, at());
    reader.finish(end)
}

const fn code(code: i32) -> HowEnded {
    HowEnded::Code(code)
}

fn end(ended: HowEnded) -> End<'static> {
    End { ended, signalled_by_us: false, at: at(), usage_file: None }
}

/// Class, tokens (input, of which cached, output), cost, session, terminal event, reason or reply.
fn told(reply: &Reply) -> String {
    let class = match reply.class {
        OutcomeClass::Limited { until: Some(until) } => format!("limited until {until}"),
        class => class.to_string(),
    };
    let used = &reply.usage;
    let mut line = format!("{class} | {} ({}) {}", used.input_tokens, used.cached_tokens, used.output_tokens);
    if let Some(cost) = used.cost_usd {
        write!(line, " ${cost:.4}").unwrap();
    }
    if let Some(total) = reply.cumulative {
        write!(line, " of {} ({}) {}", total.input_tokens, total.cached_tokens, total.output_tokens).unwrap();
    }
    let session = reply.session.as_deref().map_or("-", |session| session.get(..8).unwrap_or(session));
    let terminal = reply.terminal.as_deref().unwrap_or("-");
    let said = reply.detail.clone().unwrap_or_else(|| reply.text.trim().replace('\n', "\\n"));
    write!(line, " | {session} | {terminal} | {said}").unwrap();
    line
}

#[rstest]
#[case("claude")]
#[case("gemini")]
#[case("qwen")]
#[case("codex")]
#[case("opencode")]
#[case("copilot")]
#[case("goose")]
#[case("aider")]
fn every_recording_means_what_its_table_says(#[case] cli: &str) {
    let (mut wanted, mut found) = (String::new(), String::new());
    let mut named: Vec<String> = Vec::new();
    for case in cases(cli) {
        let (stdout, stderr) = recorded(cli, &case.name);
        let usage_file = usage_file(cli, &case.name);
        let end = End {
            signalled_by_us: case.signalled_by_us,
            usage_file: usage_file.as_deref(),
            ..end(case.ended)
        };
        let whole = read(case.format, &stdout, &stderr, &end);
        let mut reader = Reader::of_format(case.format);
        for piece in stdout.chunks(7) {
            reader.push(Stream::Stdout, piece, at());
        }
        for piece in stderr.chunks(7) {
            reader.push(Stream::Stderr, piece, at());
        }
        assert_eq!(reader.finish(&end), whole, "{cli}/{}: live and afterwards", case.name);
        writeln!(wanted, "{}: {}", case.name, case.expected).unwrap();
        writeln!(found, "{}: {}", case.name, told(&whole)).unwrap();
        named.push(case.name);
    }
    assert_eq!(found, wanted, "\n{cli} as it is read:\n{found}");
    let mut lying: Vec<String> = fs::read_dir(folder(cli))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".stdout").map(str::to_owned))
        .collect();
    lying.sort();
    named.sort();
    assert_eq!(named, lying, "every recording of {cli} has its row");
}

#[rstest]
#[case("claude")]
#[case("gemini")]
#[case("qwen")]
#[case("codex")]
#[case("opencode")]
#[case("copilot")]
#[case("goose")]
#[case("aider")]
fn a_recording_that_is_cut_short_is_never_a_success(#[case] cli: &str) {
    for case in cases(cli).into_iter().filter(|case| WITH_REPORT.contains(&case.format)) {
        let (stdout, _) = recorded(cli, &case.name);
        let whole = stdout.trim_ascii_end().len();
        let near_a_line_end = |length: usize| stdout[length.saturating_sub(2)..=length].contains(&b'\n');
        // Of long recordings not every cut: each one is read from the beginning.
        let cuts = (0..whole).filter(|length| whole < 3000 || length % 97 == 0 || near_a_line_end(*length));
        for length in cuts.chain(whole.checked_sub(1)) {
            let reply = read(case.format, &stdout[..length], b"", &end(code(0)));
            assert_ne!(reply.class, OutcomeClass::Ok, "{cli}/{}, the first {length} bytes", case.name);
        }
    }
}

#[rstest]
#[case("claude")]
#[case("gemini")]
#[case("qwen")]
#[case("codex")]
#[case("opencode")]
#[case("copilot")]
#[case("goose")]
#[case("aider")]
fn what_was_signalled_is_never_a_success(#[case] cli: &str) {
    for case in cases(cli) {
        let (stdout, stderr) = recorded(cli, &case.name);
        for ended in [code(0), code(143), HowEnded::Signal(15)] {
            let ours = End { signalled_by_us: true, ..end(ended) };
            assert_eq!(read(case.format, &stdout, &stderr, &ours).class, OutcomeClass::Interrupted);
        }
        let vanished = read(case.format, &stdout, &stderr, &end(HowEnded::Vanished));
        assert_eq!(vanished.class, OutcomeClass::Interrupted);
        let by_others = read(case.format, &stdout, &stderr, &end(HowEnded::Signal(9)));
        assert_ne!(by_others.class, OutcomeClass::Ok);
    }
}

fn seen(cli: &str, case: &str, format: OutputFormat) -> Vec<String> {
    let (stdout, stderr) = recorded(cli, case);
    let mut reader = Reader::of_format(format);
    let mut seen = reader.push(Stream::Stdout, &stdout, at());
    seen.extend(reader.push(Stream::Stderr, &stderr, at()));
    seen.iter().map(shown).collect()
}

fn shown(sighting: &Sighting) -> String {
    match sighting {
        Sighting::Said(text) => format!("says {text}"),
        Sighting::ToolStarted { name, summary, .. } => format!("calls {name}: {summary}"),
        Sighting::ToolEnded { failed, summary, .. } => {
            format!("{}: {summary}", if *failed { "refused or failed" } else { "done" })
        }
        Sighting::Used(usage) => format!("used {} and {}", usage.input_tokens, usage.output_tokens),
        Sighting::Waiting(waiting) => format!(
            "waits: {:?} {} of {} until {}",
            waiting.reason,
            waiting.attempt.map_or("?".to_owned(), |attempt| attempt.to_string()),
            waiting.of.map_or("?".to_owned(), |of| of.to_string()),
            waiting.until.map_or("?".to_owned(), |until| until.to_string()),
        ),
        Sighting::Session(id) => format!("session {}", &id[..8]),
        Sighting::Other(name) => format!("({name})"),
    }
}

#[test]
fn the_work_of_an_agent_is_seen_as_it_goes() {
    assert_eq!(
        seen("claude", "ok", OutputFormat::Claude),
        [
            "session c54a1dcd",
            "says I will write the file.",
            "used 1434 and 1",
            "calls Write: /home/user/project/hello.txt",
            "used 1434 and 1",
            "done: File created successfully at: /home/user/project/hello.txt (file state is current in your context — no need to \
             Read it back)",
            "says Done: wrote the file.",
            "used 2868 and 2",
            "used 2868 and 112",
        ]
    );
    assert_eq!(
        seen("gemini", "ok", OutputFormat::Gemini),
        [
            "session 0f1d5d1d",
            "(message)",
            "says I will write the file.",
            "calls write_file: /home/user/project/hello.txt",
            "done: ",
            "says Done: wrote the file.",
            "used 2468 and 112",
        ]
    );
}

#[test]
fn waiting_for_the_provider_is_seen_as_such() {
    let waits = |cli, case, format| {
        seen(cli, case, format).into_iter().filter(|line| line.starts_with("waits")).collect::<Vec<_>>()
    };
    assert_eq!(
        waits("claude", "e429", OutputFormat::Claude),
        [
            "waits: RateLimit 1 of 2 until 2026-11-20T18:00:02Z",
            "waits: RateLimit 2 of 2 until 2026-11-20T18:00:02Z"
        ]
    );
    let gemini = waits("gemini", "e429full", OutputFormat::Gemini);
    assert!(gemini.len() >= 9, "{gemini:#?}");
    assert!(gemini.iter().any(|line| line.contains("until 2026-11-20T18:00:3")), "{gemini:#?}");
}

/// Text that looks like the streams' own, with surprises in it.
fn any_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        prop::sample::select(WORDS.to_vec()).prop_map(|word| format!("\"{word}\"")),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((prop::sample::select(NAMES.to_vec()), inner), 0..6).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

const NAMES: [&str; 40] = [
    "type",
    "subtype",
    "message",
    "content",
    "usage",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "session_id",
    "result",
    "is_error",
    "api_error_status",
    "permission_denials",
    "tool_name",
    "tool_input",
    "total_cost_usd",
    "modelUsage",
    "role",
    "text",
    "id",
    "name",
    "input",
    "error",
    "errors",
    "status",
    "stats",
    "code",
    "models",
    "tokens",
    "delta",
    "item",
    "part",
    "data",
    "thread_id",
    "sessionID",
    "exitCode",
    "rate_limit_info",
    "resetsAt",
    "tool_call",
    "retry_delay_ms",
];
const WORDS: [&str; 36] = [
    "result",
    "success",
    "error",
    "assistant",
    "user",
    "system",
    "init",
    "api_retry",
    "rate_limit_event",
    "rejected",
    "message",
    "text",
    "tool_use",
    "tool_result",
    "tool_call",
    "started",
    "completed",
    "rate_limit",
    "overloaded",
    "error_max_turns",
    "complete",
    "turn.completed",
    "turn.failed",
    "thread.started",
    "item.completed",
    "step_finish",
    "stop",
    "session.error",
    "[API Error: 429 x]",
    "resets 6:50pm (UTC)",
    "retry after 9999999999999999999s",
    "resets 99:99pm (utc+99:99)",
    "limit reached|1999999999999",
    "é",
    "",
    "Ran into this error: 401",
];

fn lines_like_a_stream() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![9 => any_value(), 1 => ".{0,30}"], 0..8)
        .prop_map(|lines| lines.join("\n"))
}

fn any_format() -> impl Strategy<Value = OutputFormat> {
    prop::sample::select(OutputFormat::ALL.to_vec())
}

fn any_recording() -> impl Strategy<Value = Vec<u8>> {
    let all: Vec<Vec<u8>> = ["claude", "gemini", "qwen", "codex", "opencode", "copilot", "goose", "aider"]
        .into_iter()
        .flat_map(|cli| cases(cli).into_iter().map(move |case| recorded(cli, &case.name).0))
        .collect();
    prop::sample::select(all)
}

fn is_bounded(reply: &Reply) -> bool {
    reply.text.len() <= 3 * baton::agent::MAX_REPLY_BYTES
        && reply.detail.as_ref().is_none_or(|detail| !detail.contains(char::is_control))
}

proptest! {
    #[test]
    fn any_bytes_are_read_by_every_format(
        format in any_format(),
        stdout in prop::collection::vec(any::<u8>(), 0..400),
        stderr in prop::collection::vec(any::<u8>(), 0..100),
        exit in -1_i32..256,
    ) {
        let reply = read(format, &stdout, &stderr, &end(code(exit)));
        prop_assert!(is_bounded(&reply));
        prop_assert!(reply.class != OutcomeClass::Ok || !WITH_REPORT.contains(&format));
        let usage_file = End { usage_file: Some(&stdout), ..end(code(exit)) };
        prop_assert!(is_bounded(&read(format, &stderr, &stdout, &usage_file)));
    }

    #[test]
    fn lines_that_look_like_a_stream_are_read_by_every_format(
        format in any_format(),
        text in lines_like_a_stream(),
        exit in 0_i32..2,
    ) {
        let reply = read(format, text.as_bytes(), text.as_bytes(), &end(code(exit)));
        prop_assert!(is_bounded(&reply));
        if WITH_REPORT.contains(&format) && reply.class == OutcomeClass::Ok {
            prop_assert!(reply.terminal.is_some() && exit == 0);
        }
        let ours = End { signalled_by_us: true, ..end(code(exit)) };
        prop_assert_eq!(read(format, text.as_bytes(), b"", &ours).class, OutcomeClass::Interrupted);
    }

    #[test]
    fn two_recordings_in_one_stream_are_read(
        format in any_format(),
        (one, other) in (any_recording(), any_recording()),
        pieces in prop::collection::vec((any::<bool>(), 1_usize..400), 0..60),
    ) {
        let (mut one, mut other) = (one.as_slice(), other.as_slice());
        let mut mixed = Vec::new();
        for (first, length) in pieces {
            let from = if first { &mut one } else { &mut other };
            let (piece, rest) = from.split_at(length.min(from.len()));
            mixed.extend_from_slice(piece);
            *from = rest;
        }
        let reply = read(format, &mixed, b"", &end(code(0)));
        prop_assert!(is_bounded(&reply));
        if WITH_REPORT.contains(&format) && reply.class == OutcomeClass::Ok {
            prop_assert!(reply.terminal.is_some());
        }
    }
}

#[test]
fn a_line_without_end_is_read_in_bounded_memory() {
    let chunk = vec![b'x'; 1 << 20];
    for format in OutputFormat::ALL {
        let mut reader = Reader::of_format(format);
        reader.push(Stream::Stdout, b"{\"type\":\"", at());
        for _ in 0..40 {
            assert_eq!(reader.push(Stream::Stdout, &chunk, at()), []);
        }
        let reply = reader.finish(&end(code(0)));
        assert!(is_bounded(&reply), "{format}");
    }
}
