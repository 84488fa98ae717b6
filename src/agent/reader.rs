//! Reads an agent's output as it comes, for the live view and for the verdict: both are made by the same reader.

use jiff::Timestamp;

use crate::model::{OutcomeClass, Stream, Usage};

use super::adapters::adapter;
use super::lines::LineSplitter;
use super::provider_error::classify_error;
use super::reply::{MAX_REPLY_BYTES, Reply, Tail, lossy_end, shown};
use super::{CommandSpec, OutputFormat, Sighting, Waiting};

/// How much of the end of standard error is kept.
const MAX_STDERR_BYTES: usize = 64 * 1024;

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

/// All that is known of an attempt's end beside its output.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// How the process ended.
    pub ended: HowEnded,
    /// Whether we, or the attempt's supervisor, signalled it: whatever it says then is not its own conclusion.
    pub signalled_by_us: bool,
    /// When it ended. Times of day that the output names are taken from there.
    pub at: Timestamp,
    /// The content of [`CommandSpec::usage_file`], where there is one.
    pub usage_file: Option<&'a [u8]>,
}

/// Reads one attempt's output. Its memory is bounded whatever is written, and no bytes are fatal.
#[derive(Debug)]
pub struct Reader {
    adapter: Box<dyn Adapter>,
    stdout: LineSplitter,
    stderr: LineSplitter,
    stdout_end: Tail,
    stderr_end: Tail,
    waiting: Option<Waiting>,
}

/// One CLI's way of telling. Lines come in the order of their stream; between the streams there is no order.
pub(super) trait Adapter: std::fmt::Debug + Send {
    /// A line of standard output.
    fn stdout(&mut self, line: &super::lines::Line<'_>, now: Timestamp, seen: &mut Vec<Sighting>);

    /// A line of standard error.
    fn stderr(&mut self, _line: &super::lines::Line<'_>, _now: Timestamp, _seen: &mut Vec<Sighting>) {}

    /// What all of it meant. Signals of ours and vanished processes need no thought: the reader judges them.
    fn finish(&mut self, closing: &Closing<'_>) -> Told;
}

/// What an adapter may look at in the end.
#[derive(Debug)]
pub(super) struct Closing<'a> {
    pub(super) ended: HowEnded,
    pub(super) at: Timestamp,
    /// The end of standard output, for what is no event.
    pub(super) stdout: &'a str,
    /// The end of standard error.
    pub(super) stderr: &'a str,
    /// What [`CommandSpec::usage_file`] holds.
    pub(super) usage_file: Option<&'a [u8]>,
}

/// What an agent's output says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    /// The reply: the agent's last words.
    pub(super) text: String,
    pub(super) conclusion: Conclusion,
    /// What this turn used, as well as the stream tells.
    pub(super) usage: Usage,
    /// What the session has used since it began, where that is what the CLI reports.
    pub(super) cumulative: Option<Usage>,
    pub(super) session: Option<String>,
    /// The event by which the agent reported its end.
    pub(super) terminal: Option<String>,
}

/// What the stream says about the agent's success.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Conclusion {
    /// It reported that it has finished.
    Finished,
    /// It reported that it failed.
    Failed(Failure),
    /// It has no report of its end, though the format has one.
    Missing,
    /// The format has no such report: the exit code decides.
    ByExitCode,
}

/// A failure and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) class: OutcomeClass,
    /// Why, for people; of any length and characters.
    pub(super) detail: String,
}

impl Failure {
    /// A failure of the provider or of the agent, by what was said about it.
    pub(super) fn of(status: Option<u16>, kind: Option<&str>, message: &str, now: Timestamp) -> Self {
        Self { class: classify_error(status, kind, message, now), detail: message.to_owned() }
    }

    /// A failure of the agent itself, which nobody else has caused.
    pub(super) fn plain(detail: impl Into<String>) -> Self {
        Self { class: OutcomeClass::Failed, detail: detail.into() }
    }
}

impl Reader {
    /// A reader of a command's output.
    #[must_use]
    pub fn new(command: &CommandSpec) -> Self {
        Self::of_format(command.output)
    }

    /// A reader of a format.
    #[must_use]
    pub fn of_format(format: OutputFormat) -> Self {
        Self {
            adapter: adapter(format),
            stdout: LineSplitter::default(),
            stderr: LineSplitter::default(),
            stdout_end: Tail::new(MAX_REPLY_BYTES),
            stderr_end: Tail::new(MAX_STDERR_BYTES),
            waiting: None,
        }
    }

    /// Takes in what was written, and says what it shows. `now` is when it was seen: delays are counted from it.
    pub fn push(&mut self, stream: Stream, bytes: &[u8], now: Timestamp) -> Vec<Sighting> {
        let mut seen = Vec::new();
        let adapter = &mut self.adapter;
        match stream {
            Stream::Stdout => {
                self.stdout_end.push(bytes);
                self.stdout.push(bytes, |line| adapter.stdout(line, now, &mut seen));
            }
            Stream::Stderr => {
                self.stderr_end.push(bytes);
                self.stderr.push(bytes, |line| adapter.stderr(line, now, &mut seen));
            }
        }
        for sighting in &seen {
            self.waiting = still_waiting(self.waiting.take(), sighting);
        }
        seen
    }

    /// What all of it meant.
    #[must_use]
    pub fn finish(mut self, end: &End<'_>) -> Reply {
        let adapter = &mut self.adapter;
        let mut seen = Vec::new();
        self.stdout.finish(|line| adapter.stdout(line, end.at, &mut seen));
        self.stderr.finish(|line| adapter.stderr(line, end.at, &mut seen));
        for sighting in &seen {
            self.waiting = still_waiting(self.waiting.take(), sighting);
        }
        let stdout = lossy_end(self.stdout_end.bytes(), MAX_REPLY_BYTES);
        let stderr = lossy_end(self.stderr_end.bytes(), MAX_STDERR_BYTES);
        let told = adapter.finish(&Closing {
            ended: end.ended,
            at: end.at,
            stdout: &stdout,
            stderr: &stderr,
            usage_file: end.usage_file,
        });
        let failure = judge(&told.conclusion, end, &stdout, &stderr);
        let class = failure.as_ref().map_or(OutcomeClass::Ok, |failure| failure.class);
        Reply {
            text: lossy_end(told.text.as_bytes(), MAX_REPLY_BYTES),
            class,
            usage: told.usage,
            cumulative: told.cumulative,
            session: told.session.filter(|id| !id.is_empty()),
            resume_at: match class {
                OutcomeClass::Limited { until } => until,
                _ => None,
            },
            terminal: told.terminal,
            detail: failure.map(|failure| shown(&failure.detail)),
            waiting: self.waiting,
        }
    }
}

/// A wait is over when the agent says or does something again.
fn still_waiting(before: Option<Waiting>, sighting: &Sighting) -> Option<Waiting> {
    match sighting {
        Sighting::Waiting(waiting) => Some(waiting.clone()),
        Sighting::Said(_) | Sighting::ToolStarted { .. } | Sighting::ToolEnded { .. } | Sighting::Used(_) => {
            None
        }
        Sighting::Session(_) | Sighting::Other(_) => before,
    }
}

/// What is against calling it a success.
fn judge(conclusion: &Conclusion, end: &End<'_>, stdout: &str, stderr: &str) -> Option<Failure> {
    let interrupted =
        |detail: &str| Some(Failure { class: OutcomeClass::Interrupted, detail: detail.to_owned() });
    if end.signalled_by_us {
        return interrupted("it was stopped from outside");
    }
    if end.ended == HowEnded::Vanished {
        return interrupted("it vanished, and nobody saw how it ended");
    }
    match (conclusion, end.ended) {
        (Conclusion::Failed(failure), _) => Some(failure.clone()),
        (Conclusion::Finished | Conclusion::ByExitCode, HowEnded::Code(0)) => None,
        // Its report and its end contradict each other: not to be believed unseen.
        (Conclusion::Finished, ended) => {
            Some(Failure::plain(format!("it reported success, but ended with {}", said(ended))))
        }
        (Conclusion::ByExitCode, ended) => Some(Failure::plain(with_last_line(&said(ended), stdout, stderr))),
        (Conclusion::Missing, HowEnded::Code(0)) => {
            Some(Failure::plain("it ended without its final report, with exit code 0"))
        }
        (Conclusion::Missing, HowEnded::Code(code)) => {
            let last = last_line(stderr).unwrap_or_default();
            let detail = with_last_line(
                &format!("it ended without its final report, with exit code {code}"),
                "",
                stderr,
            );
            Some(Failure { class: classify_error(None, None, last, end.at), detail })
        }
        (Conclusion::Missing, ended) => {
            Some(Failure::plain(format!("it ended without its final report, {}", said(ended))))
        }
    }
}

fn said(ended: HowEnded) -> String {
    match ended {
        HowEnded::Code(code) => format!("exit code {code}"),
        HowEnded::Signal(signal) => format!("killed by signal {signal}"),
        HowEnded::Vanished => "nobody saw how".to_owned(),
    }
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().rev().find(|line| !line.trim().is_empty())
}

fn with_last_line(what: &str, stdout: &str, stderr: &str) -> String {
    match last_line(stderr).or_else(|| last_line(stdout)) {
        Some(line) => format!("{what}: {}", line.trim()),
        None => format!("{what}, without a word"),
    }
}
