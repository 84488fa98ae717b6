//! What each CLI is put through.

use rstest::rstest;

use super::bench::Bench;
use super::clis::{AIDER, CLAUDE, CODEX, COPILOT, Cli, GEMINI, GOOSE, OPENCODE, QWEN};
use super::server::{Behaviour, CONTENT};

#[rstest]
#[case::claude(CLAUDE)]
#[case::codex(CODEX)]
#[case::opencode(OPENCODE)]
#[case::gemini(GEMINI)]
#[case::copilot(COPILOT)]
#[case::qwen(QWEN)]
#[case::goose(GOOSE)]
#[case::aider(AIDER)]
fn a_turn_writes_a_file_that_is_committed(#[case] cli: Cli) {
    let bench = Bench::new(cli, Behaviour::Good, "");
    let ended = bench.baton(&["run", "--mode", "solo", "--role", "ralph", "--sync-loops", "1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert_eq!(bench.git(&["show", "HEAD:src/made.txt"]), CONTENT, "{}", ended.said);
    assert_eq!(bench.left_alive(), Vec::<String>::new());
}
