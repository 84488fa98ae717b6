//! What an agent's captured output means.

use jiff::Timestamp;

use crate::model::{OutcomeClass, Usage};

use super::{CommandSpec, OutputFormat};

/// How much of an agent's reply is kept: the end of it, which holds the conclusion.
pub const MAX_REPLY_BYTES: usize = 256 * 1024;

const MAX_DETAIL_CHARACTERS: usize = 300;
/// How many of the last lines are looked at for a mark of failure: the conclusion, not the work before it.
const MARKED_LINES: usize = 8;
/// A line that says that the failure before it was not the end.
const RETRY_MARK: &str = "Retrying in ";

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HowEnded {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// Nobody knows: it vanished with its supervisor.
    Vanished,
}

/// What was captured of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Captured<'a> {
    /// Standard output; its last [`MAX_REPLY_BYTES`] are enough for text.
    pub stdout: &'a [u8],
    /// Standard error, or its end.
    pub stderr: &'a [u8],
    /// How the process ended.
    pub ended: HowEnded,
    /// Whether we, or the attempt's supervisor, signalled it: whatever it says then is not its own conclusion.
    pub signalled_by_us: bool,
}

/// What an agent said, and how its run is classed.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The reply's text, at most [`MAX_REPLY_BYTES`] of it (a little more where bytes were not UTF-8).
    pub text: String,
    /// The class, as far as the output tells. The caller knows of limits and of the work tree.
    pub class: OutcomeClass,
    /// What the agent says that it used; the caller adds turns and time.
    pub usage: Usage,
    /// Names the session, to resume it.
    pub session: Option<String>,
    /// When a usage limit ends.
    pub resume_at: Option<Timestamp>,
    /// Whether the agent reported its own end. Text has no such report.
    pub terminal: bool,
    /// Why it failed, for people: one line.
    pub detail: Option<String>,
}

/// Reads an agent's captured output. Any bytes are read, none are fatal.
#[must_use]
pub fn read_reply(spec: &CommandSpec, captured: &Captured<'_>) -> Reply {
    match spec.output {
        OutputFormat::Text => read_text(spec.failure_marks, captured),
    }
}

fn read_text(failure_marks: &[&str], captured: &Captured<'_>) -> Reply {
    let text = lossy_end(captured.stdout, MAX_REPLY_BYTES);
    let (class, detail) = classify_text(&text, failure_marks, captured);
    Reply { text, class, usage: Usage::default(), session: None, resume_at: None, terminal: false, detail }
}

fn classify_text(
    text: &str,
    failure_marks: &[&str],
    captured: &Captured<'_>,
) -> (OutcomeClass, Option<String>) {
    if captured.signalled_by_us {
        return (OutcomeClass::Interrupted, Some("it was stopped from outside".to_owned()));
    }
    match captured.ended {
        HowEnded::Code(0) => match failure_line(text, failure_marks) {
            None => (OutcomeClass::Ok, None),
            Some(line) => (OutcomeClass::Failed, Some(format!("exit code 0, but it says: {}", shown(line)))),
        },
        HowEnded::Code(code) => {
            (OutcomeClass::Failed, Some(with_last_line(&format!("exit code {code}"), text, captured)))
        }
        HowEnded::Signal(signal) => (
            OutcomeClass::Failed,
            Some(with_last_line(&format!("killed by signal {signal}"), text, captured)),
        ),
        HowEnded::Vanished => {
            (OutcomeClass::Interrupted, Some("it vanished, and nobody saw how it ended".to_owned()))
        }
    }
}

fn failure_line<'a>(text: &'a str, failure_marks: &[&str]) -> Option<&'a str> {
    let is_marked = |line: &str| failure_marks.iter().any(|mark| line.starts_with(mark));
    text.lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(MARKED_LINES)
        .take_while(|line| !line.starts_with(RETRY_MARK))
        .find(|line| is_marked(line))
}

fn with_last_line(what: &str, text: &str, captured: &Captured<'_>) -> String {
    let errors = lossy_end(captured.stderr, MAX_REPLY_BYTES);
    let last = |text: &str| text.lines().rev().find(|line| !line.trim().is_empty()).map(shown);
    match last(&errors).or_else(|| last(text)) {
        Some(line) => format!("{what}: {line}"),
        None => format!("{what}, without a word"),
    }
}

/// One line of an agent's text as it may stand in a message: trimmed, bounded, control characters escaped.
fn shown(line: &str) -> String {
    let mut shown: String = line
        .trim()
        .chars()
        .take(MAX_DETAIL_CHARACTERS)
        .flat_map(|c| if c.is_control() { c.escape_debug().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if line.trim().chars().nth(MAX_DETAIL_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

/// The end of some bytes as text, beginning at a character where they are UTF-8.
fn lossy_end(bytes: &[u8], limit: usize) -> String {
    let mut start = bytes.len().saturating_sub(limit);
    if start > 0 {
        let is_continuation = |byte: &u8| byte & 0b1100_0000 == 0b1000_0000;
        start += bytes[start..].iter().take(3).take_while(|byte| is_continuation(byte)).count();
    }
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn text(stdout: &[u8], stderr: &[u8], ended: HowEnded) -> Reply {
        read_text(&["[API Error: "], &Captured { stdout, stderr, ended, signalled_by_us: false })
    }

    #[test]
    fn exit_code_0_is_ok_and_standard_output_is_the_reply() {
        let reply = text(b"done\n<promise>COMPLETE</promise>\n", b"a warning\n", HowEnded::Code(0));
        assert_eq!(reply.class, OutcomeClass::Ok);
        assert_eq!(reply.text, "done\n<promise>COMPLETE</promise>\n");
        assert_eq!((reply.terminal, reply.detail, reply.session), (false, None, None));
    }

    #[rstest]
    #[case(HowEnded::Code(7), "", "first\nno such model\n\n", "exit code 7: no such model")]
    #[case(HowEnded::Code(1), "it is on stdout\n", " \n", "exit code 1: it is on stdout")]
    #[case(HowEnded::Code(-1), "", "", "exit code -1, without a word")]
    #[case(HowEnded::Signal(9), "", "", "killed by signal 9, without a word")]
    #[case(HowEnded::Code(1), "", "\u{1b}[31mred\u{1b}[0m", "exit code 1: \\u{1b}[31mred\\u{1b}[0m")]
    #[case(
        HowEnded::Code(0),
        "x\n[API Error: 401 no key]\n",
        "",
        "exit code 0, but it says: [API Error: 401 no key]"
    )]
    fn what_ends_otherwise_has_failed_and_says_why_in_one_line(
        #[case] ended: HowEnded,
        #[case] stdout: &str,
        #[case] stderr: &str,
        #[case] detail: &str,
    ) {
        let reply = text(stdout.as_bytes(), stderr.as_bytes(), ended);
        assert_eq!(reply.class, OutcomeClass::Failed);
        assert_eq!(reply.detail.as_deref(), Some(detail));
    }

    #[rstest]
    #[case(HowEnded::Code(0))]
    #[case(HowEnded::Code(1))]
    #[case(HowEnded::Signal(15))]
    fn what_we_signalled_is_interrupted_whatever_it_says(#[case] ended: HowEnded) {
        let captured = Captured { stdout: b"all is well\n", stderr: b"", ended, signalled_by_us: true };
        let reply = read_text(&[], &captured);
        assert_eq!(reply.class, OutcomeClass::Interrupted);
        assert_eq!(reply.detail.as_deref(), Some("it was stopped from outside"));
    }

    #[test]
    fn what_vanished_is_interrupted() {
        let reply = text(b"all is well\n", b"", HowEnded::Vanished);
        assert_eq!(reply.class, OutcomeClass::Interrupted);
        assert_eq!(reply.detail.as_deref(), Some("it vanished, and nobody saw how it ended"));
    }

    #[rstest]
    #[case::followed_by_a_retry("[API Error: 429]\nRetrying in 2.0 seconds...\nhere you are\n")]
    #[case::long_before_the_end("[API Error: 429] is what I mended\n1\n2\n3\n4\n5\n6\n7\n8\n")]
    #[case::inside_a_line("I saw [API Error: 429]\n")]
    fn a_mark_of_failure_that_is_not_the_conclusion_does_not_count(#[case] stdout: &str) {
        assert_eq!(text(stdout.as_bytes(), b"", HowEnded::Code(0)).class, OutcomeClass::Ok);
    }

    #[test]
    fn a_long_reply_keeps_its_end_from_a_whole_character_on() {
        let stdout = format!("{}é{}", "x".repeat(10), "y".repeat(MAX_REPLY_BYTES - 1));
        let reply = text(stdout.as_bytes(), b"", HowEnded::Code(0));
        assert_eq!(reply.text, "y".repeat(MAX_REPLY_BYTES - 1));
    }

    #[test]
    fn a_long_last_line_is_cut_and_says_so() {
        let detail = text(b"", "z".repeat(5000).as_bytes(), HowEnded::Code(1)).detail.unwrap();
        assert_eq!(detail, format!("exit code 1: {}…", "z".repeat(MAX_DETAIL_CHARACTERS)));
    }

    proptest! {
        #[test]
        fn any_bytes_cut_anywhere_are_read(
            stdout in prop::collection::vec(any::<u8>(), 0..600),
            stderr in prop::collection::vec(any::<u8>(), 0..200),
            limit in 0_usize..300,
            code in -1_i32..3,
            signalled_by_us in any::<bool>(),
        ) {
            let captured = Captured { stdout: &stdout, stderr: &stderr, ended: HowEnded::Code(code), signalled_by_us };
            let reply = read_text(&["[API Error: "], &captured);
            prop_assert_eq!(reply.class == OutcomeClass::Ok, code == 0 && !signalled_by_us);
            prop_assert!(reply.detail.is_none_or(|detail| !detail.contains(char::is_control)));
            // A replacement character takes three bytes where one was.
            prop_assert!(lossy_end(&stdout, limit).len() <= limit * 3);
        }

        #[test]
        fn the_end_of_valid_text_is_valid_text(whole in "\\PC{0,60}", limit in 1_usize..40) {
            let end = lossy_end(whole.as_bytes(), limit);
            prop_assert!(whole.ends_with(&end));
            prop_assert!(end.len() <= limit);
            prop_assert!(end.len() + 3 >= limit.min(whole.len()));
        }
    }
}
