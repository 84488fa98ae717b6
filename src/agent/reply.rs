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
