//! The program that the built-in `shell` agent makes of a prompt, run by the real `sh`.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use baton::agent::shell;
use rstest::rstest;

fn run_in(directory: &Path, prompt: &str) -> Output {
    let file = directory.join("prompt.sh");
    std::fs::write(&file, shell::script(prompt).unwrap()).unwrap();
    Command::new("sh").arg(&file).current_dir(directory).stdin(Stdio::null()).output().unwrap()
}

fn run(prompt: &str) -> (i32, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let output = run_in(directory.path(), prompt);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn blocks(sources: &[&str]) -> String {
    let mut prompt = String::new();
    for source in sources {
        prompt += &["Then:\n\n```sh\n", source, "\n```\n"].concat();
    }
    prompt
}

#[test]
fn blocks_run_in_order_and_standard_output_is_theirs_alone() {
    let (code, stdout, stderr) = run(&blocks(&["echo one", "echo '<promise>'; echo \"it's two\""]));
    assert_eq!((code, stdout.as_str()), (0, "one\n<promise>\nit's two\n"));
    assert_eq!(
        stderr,
        "baton: block 1 of 2 (line 3 of the prompt)\nbaton: block 2 of 2 (line 8 of the prompt)\n"
    );
}

#[test]
fn the_first_failure_stops_the_program_with_its_exit_code() {
    let (code, stdout, stderr) = run(&blocks(&["echo one", "echo two; (exit 7); echo never", "echo never"]));
    assert_eq!((code, stdout.as_str()), (7, "one\ntwo\n"));
    assert!(
        stderr.ends_with("baton: block 2 of 3 (line 8 of the prompt) failed with exit code 7\n"),
        "{stderr}"
    );
}

#[rstest]
#[case::a_failing_command("false\necho never", 1)]
#[case::a_missing_program("no-such-program-anywhere\necho never", 127)]
#[case::an_exit("exit 3\necho never", 3)]
#[case::a_syntax_error("if then", 2)]
#[case::an_unbalanced_quote("echo 'never", 2)]
#[case::a_closing_bracket(")\necho never", 2)]
fn whatever_makes_a_block_fail_stops_the_program(#[case] source: &str, #[case] code: i32) {
    let (seen, stdout, _) = run(&blocks(&[source, "echo never"]));
    assert_eq!((seen, stdout.as_str()), (code, ""));
}

#[test]
fn a_block_leaves_nothing_to_the_next_but_its_files() {
    let first = "left=behind; cd /; umask 077; set -f; exit 0";
    let (code, stdout, _) =
        run(&blocks(&[first, "echo \"<${left-nothing}>\"; test -f prompt.sh; echo p*.sh"]));
    assert_eq!((code, stdout.as_str()), (0, "<nothing>\nprompt.sh\n"));
}

#[test]
fn what_tests_a_command_does_not_end_the_block() {
    let (code, stdout, _) =
        run(&blocks(&["if false; then :; fi\nfalse || echo on\ncat <<'X'\n$not 'a' \"b\"\nX"]));
    assert_eq!((code, stdout.as_str()), (0, "on\n$not 'a' \"b\"\n"));
}

#[test]
fn a_block_may_be_larger_than_an_argument() {
    let long = format!("x={}\necho ${{#x}}", "y".repeat(300_000));
    assert_eq!(run(&blocks(&[&long])), (0, "300000\n".to_owned(), run(&blocks(&["true"])).2));
}
