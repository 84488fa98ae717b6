//! Text without a form: standard output is the reply, and the exit code decides, but for lines that are known to mean
//! failure.

use jiff::Timestamp;

use crate::model::Usage;

use super::super::Sighting;
use super::super::lines::Line;
use super::super::reader::{Adapter, Closing, Conclusion, Failure, HowEnded, Told};
use super::super::reply::shown;

/// How many of the last lines are looked at for a mark of failure: the conclusion, not the work before it.
const MARKED_LINES: usize = 8;
/// A line that says that the failure before it was not the end.
const RETRY_MARK: &str = "Retrying in ";

/// The reader of plain text.
#[derive(Debug)]
pub(super) struct Text {
    failure_marks: &'static [&'static str],
}

impl Text {
    pub(super) const fn new(failure_marks: &'static [&'static str]) -> Self {
        Self { failure_marks }
    }

    fn failure_line<'a>(&self, text: &'a str) -> Option<&'a str> {
        text.lines()
            .rev()
            .filter(|line| !line.trim().is_empty())
            .take(MARKED_LINES)
            .take_while(|line| !line.starts_with(RETRY_MARK))
            .find(|line| self.failure_marks.iter().any(|mark| line.starts_with(mark)))
    }
}

impl Adapter for Text {
    fn stdout(&mut self, line: &Line<'_>, _now: Timestamp, seen: &mut Vec<Sighting>) {
        if !line.text.trim().is_empty() {
            seen.push(Sighting::Said(line.text.clone().into_owned()));
        }
    }

    fn finish(&mut self, closing: &Closing<'_>) -> Told {
        let marked = match closing.ended {
            HowEnded::Code(0) => self.failure_line(closing.stdout),
            HowEnded::Code(_) | HowEnded::Signal(_) | HowEnded::Vanished => None,
        };
        Told {
            text: closing.stdout.to_owned(),
            conclusion: marked.map_or(Conclusion::ByExitCode, |line| {
                Conclusion::Failed(Failure::plain(format!("exit code 0, but it says: {}", shown(line))))
            }),
            usage: Usage::default(),
            cumulative: None,
            session: None,
            terminal: None,
        }
    }
}
