//! What each CLI is put through. In all of them nothing may be left alive: the bench looks when it is dropped.

use rustix::process::Signal;

use super::bench::{Bench, Ended};
use super::clis::Cli;
use super::server::{Behaviour, CACHED_TOKENS, CONTENT, INPUT_TOKENS, OUTPUT_TOKENS, Refusal};
use super::table::Row;

const ONE_TURN: [&str; 6] = ["run", "--mode", "solo", "--role", "ralph", "--sync-loops=1"];
/// A hold ends the run at once, and a CLI that retries in silence is not waited for longer than this.
const SHORT: &str =
    "limits: { max_wait: 0s }\nturn: { idle_limit: 30s, wall_limit: 150s, grace_period: 2s }\n";

/// The classes that a turn may end with, each with the exit code of `baton run`.
type Expected = &'static [(&'static str, i32)];

fn note(scenario: &str, cli: Cli, bench: &Bench, ended: &Ended) -> Row {
    let turn = bench.last_turn();
    let row = Row {
        scenario: scenario.to_owned(),
        cli: cli.name.to_owned(),
        class: turn["class"].as_str().unwrap_or("none").to_owned(),
        exit: ended.code.unwrap_or(-1),
        seconds: ended.wall.as_secs_f64(),
        detail: turn["detail"].as_str().unwrap_or_default().to_owned(),
    };
    println!("{row:?}");
    row.keep();
    row
}

fn check(scenario: &str, cli: Cli, bench: &Bench, ended: &Ended, expected: Expected) {
    let row = note(scenario, cli, bench, ended);
    assert!(expected.contains(&(row.class.as_str(), row.exit)), "{row:?}\n{}", ended.said);
}

fn refused(scenario: &str, cli: Cli, behaviour: Behaviour, expected: Expected) -> Bench {
    let bench = Bench::new(cli, behaviour, SHORT);
    let head = bench.git(&["rev-parse", "HEAD"]);
    let ended = bench.baton(&["run", "--sync-loops=1"]);
    check(scenario, cli, &bench, &ended, expected);
    assert_eq!(bench.git(&["rev-parse", "HEAD"]), head, "{}", ended.said);
    bench
}

const AUTH: Expected = &[("auth", 5)];
const LIMITED: Expected = &[("limited", 4)];
const OVERLOADED: Expected = &[("overloaded", 4)];
const FAILED: Expected = &[("failed", 5)];
/// A dropped connection may be called either; it must not pass for an answer.
const CUT: Expected = &[("failed", 5), ("overloaded", 4)];
const STALLED: Expected = &[("stalled", 5), ("timed_out", 5)];

pub(super) fn good(cli: Cli) {
    let bench = Bench::new(cli, Behaviour::Good, "");
    let ended = bench.baton(&ONE_TURN);
    check("good", cli, &bench, &ended, &[("ok", 0)]);
    assert_eq!(bench.git(&["show", "HEAD:src/made.txt"]), CONTENT, "{}", ended.said);
    assert_eq!(bench.git(&["diff", "--name-only", "HEAD~1", "HEAD"]), "src/made.txt\n");
}

/// Two answers were given: what was used is what they said, however the CLI reports it.
pub(super) fn usage(cli: Cli) {
    let bench = Bench::new(cli, Behaviour::Good, "");
    let ended = bench.baton(&["run", "--sync-loops=1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let spent = &bench.status()["spend"]["galph"];
    let answers = u64::try_from(bench.server.seen().len()).unwrap() / 2;
    let number = |name: &str| spent[name].as_u64().unwrap();
    // aider rounds, and what a CLI asks beside the conversation may be left out of its account.
    let (input, output) = (number("input_tokens"), number("output_tokens"));
    let is_near = |found: u64, one: u64| found >= one * 9 / 10 && found <= one * answers * 11 / 10;
    // Some interfaces count what came from a cache apart.
    assert!(
        is_near(input, INPUT_TOKENS) || is_near(input, INPUT_TOKENS + CACHED_TOKENS),
        "{input} input tokens in {answers} answers"
    );
    assert!(is_near(output, OUTPUT_TOKENS), "{output} output tokens in {answers} answers");
    assert!(number("cached_tokens") <= CACHED_TOKENS * answers);
}

pub(super) fn unauthorized(cli: Cli) {
    refused("unauthorized", cli, Behaviour::Refuse(Refusal::Unauthorized), AUTH);
}

pub(super) fn quota(cli: Cli) {
    refused("quota", cli, Behaviour::Refuse(Refusal::Quota), LIMITED);
}

/// The limit of a plan, which says when it ends: the hold is until then.
pub(super) fn plan_limit(cli: Cli) {
    let bench = refused("plan-limit", cli.on_a_plan(), Behaviour::Refuse(Refusal::Quota), LIMITED);
    let until = bench.state()["holds"][0]["until"].as_str().unwrap().parse().unwrap();
    let wait = jiff::Timestamp::duration_since(until, jiff::Timestamp::now());
    assert!(
        wait > jiff::SignedDuration::from_mins(50) && wait < jiff::SignedDuration::from_mins(61),
        "{wait}"
    );
}

pub(super) fn overloaded(cli: Cli) {
    refused("overloaded", cli, Behaviour::Refuse(Refusal::Overloaded), OVERLOADED);
}

pub(super) fn server_error(cli: Cli) {
    refused("server-error", cli, Behaviour::Refuse(Refusal::ServerError), OVERLOADED);
}

pub(super) fn context(cli: Cli) {
    refused("context", cli, Behaviour::Refuse(Refusal::ContextTooLong), FAILED);
}

pub(super) fn cut(cli: Cli) {
    refused("cut", cli, Behaviour::Cut, CUT);
}

pub(super) fn hang(cli: Cli) {
    let bench =
        Bench::new(cli, Behaviour::Hang, "turn: { idle_limit: 10s, wall_limit: 40s, grace_period: 2s }\n");
    let ended = bench.baton(&["run", "--sync-loops=1"]);
    check("hang", cli, &bench, &ended, STALLED);
}

pub(super) fn denied(cli: Cli) {
    let bench = Bench::new(cli.asking(), Behaviour::Good, SHORT);
    bench.ask_for("main", &bench.root().with_file_name("elsewhere.txt"));
    let ended = bench.baton(&ONE_TURN);
    check("denied", cli, &bench, &ended, cli.denial);
    assert!(!bench.root().with_file_name("elsewhere.txt").exists());
}

fn signalled(scenario: &str, cli: Cli, signal: Signal, expected: Expected) {
    let bench = Bench::new(cli, Behaviour::LongTool, SHORT);
    let started = bench.start(&["run", "--sync-loops=1"]);
    bench.await_long_tool();
    started.signal(signal);
    let ended = started.wait();
    check(scenario, cli, &bench, &ended, expected);
    assert_eq!(bench.left_alive(), Vec::<String>::new(), "{}", ended.said);
    assert_eq!(bench.status()["state"]["status"], "idle");
}

pub(super) fn sigterm(cli: Cli) {
    signalled("sigterm", cli, Signal::TERM, &[("interrupted", 143)]);
}

pub(super) fn sigint(cli: Cli) {
    signalled("sigint", cli, Signal::INT, &[("interrupted", 130)]);
}

/// The second `baton` watches the same agent: the model is not asked from the beginning again.
pub(super) fn adopted(cli: Cli) {
    let bench = Bench::new(cli, Behaviour::LongTool, "turn: { grace_period: 2s }\n");
    let started = bench.start(&ONE_TURN);
    bench.await_long_tool();
    started.signal(Signal::KILL);
    assert_eq!(started.wait().signal, Some(Signal::KILL.as_raw()));
    let beginnings = bench.beginnings();
    let again = bench.start(&ONE_TURN);
    again.await_words("watch");
    bench.end_long_tool();
    let ended = again.wait();
    note("adopted", cli, &bench, &ended);
    assert_eq!(bench.beginnings(), beginnings, "{}", ended.said);
    assert_eq!(bench.left_alive(), Vec::<String>::new());
}

/// The second turn of a seat goes on in the session of its first one: the model hears of both prompts.
pub(super) fn resumed(cli: Cli) {
    let bench = Bench::new(cli, Behaviour::Talk, "turn: { session: resume }\nno_progress: { turns: 0 }\n");
    let ended = bench.baton(&["run", "--sync-loops=2"]);
    let row = note("resumed", cli, &bench, &ended);
    assert_eq!(row.exit, 0, "{}", ended.said);
    assert_eq!(bench.server.seen().iter().map(|seen| seen.prompts).max(), Some(2), "{}", ended.said);
    let spent = &bench.status()["spend"]["total"];
    let input = spent["input_tokens"].as_u64().unwrap();
    let answers = u64::try_from(bench.server.seen().len()).unwrap();
    assert!(
        input <= (INPUT_TOKENS + CACHED_TOKENS) * answers * 11 / 10,
        "{input} input tokens in {answers} answers"
    );
}
