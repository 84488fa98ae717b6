//! An agent that writes a CLI's event stream, seen through `baton run`: the class comes from its report, not from its
//! exit code, and what it used is counted.

use rstest::rstest;

use crate::support::{Ended, Git, Workspace};

/// A loop of one iteration in which both seats do their work and write a recorded stream of Claude Code.
fn with_streams(galph: &str, ralph: &str) -> (Workspace, Ended) {
    let workspace = Workspace::new(Git::Used);
    let configuration = workspace.read("orchestration.yaml").unwrap();
    assert!(configuration.contains("output: text"), "{configuration}");
    workspace.write("orchestration.yaml", &configuration.replace("output: text", "output: claude"));
    workspace.git(&["commit", "--quiet", "--message=stream", "orchestration.yaml"]);
    for (seat, end) in [("galph", galph), ("ralph", ralph)] {
        workspace.script_once(seat, &format!("work >/dev/null; {end}"));
    }
    let ended = workspace.run(&["--sync-loops=1"]);
    (workspace, ended)
}

fn recorded(case: &str) -> String {
    format!("cat '{}/tests/fixtures/agents/claude/{case}.stdout'", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_report_of_the_end_makes_a_turn_and_its_usage_is_counted() {
    let (workspace, ended) = with_streams(&recorded("ok"), &recorded("resume"));
    ended.assert_code(0);
    let usage = &workspace.state()["usage"];
    let count = |seat: &str, name: &str| usage[seat][name].as_u64();
    assert_eq!(count("galph", "input_tokens"), Some(2868));
    assert_eq!(count("galph", "cached_tokens"), Some(400));
    assert_eq!(count("ralph", "output_tokens"), Some(56));
    assert_eq!(usage["ralph"]["cost_usd"].as_f64(), Some(0.004_602_000_000_000_001));
}

#[rstest]
#[case::an_error_with_exit_code_0("nokey", "exit 0", "auth", "Not logged in · Please run /login")]
#[case::a_refused_permission("noperm", "exit 0", "denied", "it was refused the permission for: Write")]
#[case::no_report("sigterm", "exit 0", "failed", "it ended without its final report, with exit code 0")]
fn an_exit_code_of_0_proves_nothing(
    #[case] recording: &str,
    #[case] exit: &str,
    #[case] class: &str,
    #[case] reason: &str,
) {
    let (workspace, ended) = with_streams(&recorded("ok"), &format!("{}; {exit}", recorded(recording)));
    let ended = ended.assert_code(5);
    assert_eq!(workspace.state()["status"], "failed");
    assert!(ended.stderr.contains(class) && ended.stderr.contains(reason), "{}", ended.stderr);
}

const RETRY: &str = r#"{"type":"system","subtype":"api_retry","attempt":2,"max_retries":6,"retry_delay_ms":0,"error_status":529,"error":"overloaded"}"#;

#[test]
fn without_a_terminal_what_the_agent_does_is_told_in_lines() {
    let galph = format!("echo '{RETRY}'; {}", recorded("ok"));
    let (_workspace, ended) = with_streams(&galph, &recorded("resume"));
    let marks = ["  > ", "  | ", "  ~ "];
    let told = ended.stderr.lines().filter(|line| marks.iter().any(|mark| line.starts_with(mark)));
    // Until when it waits depends on the clock.
    let shown: Vec<&str> = told.map(|line| line.split(" until ").next().unwrap()).collect();
    assert_eq!(
        shown,
        [
            "  ~ waits for an overloaded provider (try 2 of 6)",
            "  | I will write the file.",
            "  > Write /home/user/project/hello.txt",
            "  | Done: wrote the file.",
            "  | Done: wrote the file.",
        ],
        "{}",
        ended.stderr
    );
}
