//! aider: text on standard output, of which some lines are known.
//!
//! An answer of the model is followed by a line with its tokens. Without such a line there was no answer, whatever the exit
//! code, which is 0 also after errors. An error of the provider begins a line with its class; "Retrying in" after it says
//! that it was not the end.

use jiff::{SignedDuration, Timestamp};

use crate::model::Usage;

use super::super::known::{KnownAgent, PLAIN, Reports};
use super::super::lines::Line;
use super::super::reader::{Adapter, Closing, Conclusion, Failure, HowEnded, Told};
use super::super::{OutputFormat, PromptDelivery, Sighting, WaitReason, Waiting};
use super::aider_report::{Report, read_report};
use super::last_words::LastWords;
use super::tool_call::first_line;
use super::wait_reason::wait_reason;

/// How it is started.
pub(super) const AGENT: KnownAgent = KnownAgent {
    name: "aider",
    head: &[
        "--no-stream",
        "--no-pretty",
        "--no-check-update",
        "--no-show-release-notes",
        "--no-show-model-warnings",
        "--no-gitignore",
        "--no-detect-urls",
        "--no-auto-commits",
        // Else these lie in the work tree.
        "--chat-history-file",
        "${attempt_dir}/aider.chat.md",
        "--input-history-file",
        "${attempt_dir}/aider.input",
        "--llm-history-file",
        "${attempt_dir}/aider.llm",
    ],
    bypass: &["--yes-always"],
    tail: &["--message-file", "${prompt_file}"],
    env: &[
        ("AIDER_ANALYTICS_DISABLE", "true"),
        ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
        // It breaks lines at the width of a terminal, known ones too.
        ("COLUMNS", "4000"),
    ],
    // On standard input it would hold a conversation.
    delivery: PromptDelivery::File,
    // Its map of the repository; the histories that a person's own sessions leave.
    leavings: &[
        ".aider.tags.cache.v*/",
        ".aider.chat.history.md",
        ".aider.input.history",
        ".aider.llm.history",
    ],
    output: OutputFormat::Aider,
    reports: Reports { tokens: true, cost: true },
    verified: Some("0.86.2"),
    login: "set the provider's key, such as `OPENAI_API_KEY`",
    ..PLAIN
};

const BANNER: &str = "Aider v";
const ERROR: &str = "litellm.";
const RETRY: &str = "Retrying in ";
const REPORT: &str = "Tokens: ";
const COST: &str = "Cost: ";
const EXHAUSTED: &str = "has hit a token limit!";
/// Of an error's text, this many lines after the first are read: it may have been broken into lines.
const MAX_ERROR_LINES: usize = 4;

/// The reader of its output.
pub(super) fn reader() -> Box<dyn Adapter> {
    Box::new(Aider::default())
}

#[derive(Debug, Default)]
struct Aider {
    part: Part,
    words: LastWords,
    messages: u64,
    answer: Option<String>,
    /// A report that goes on in the next line.
    report: Option<String>,
    usage: Usage,
    /// What the whole run has cost, as it last said.
    cost: Option<f64>,
    error: Option<ProviderError>,
    exhausted: Option<String>,
}

/// Where in the output a line stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Before or in the lines about itself.
    #[default]
    Opening,
    /// In its lines about itself, which end with an empty one.
    Banner,
    /// In an answer, or in what follows one.
    Talk,
    /// In an error, with the number of lines that it has had.
    Error(usize),
}

#[derive(Debug)]
struct ProviderError {
    kind: String,
    text: String,
}

impl Adapter for Aider {
    fn stdout(&mut self, line: &Line<'_>, now: Timestamp, seen: &mut Vec<Sighting>) {
        let text: &str = &line.text;
        if self.continues_report(text, seen) {
            return;
        }
        if text.starts_with(BANNER) && self.part == Part::Opening {
            self.part = Part::Banner;
        } else if let Some(error) = provider_error(text) {
            self.error = Some(error);
            self.part = Part::Error(0);
        } else if let Some(delay) = text.strip_prefix(RETRY) {
            let error = self.error.take();
            seen.push(Sighting::Waiting(waiting(error.as_ref(), delay, now)));
            self.part = Part::Talk;
        } else if text.starts_with(REPORT) {
            self.take_report(text, seen);
        } else if text.ends_with(EXHAUSTED) {
            self.exhausted = Some(text.to_owned());
        } else {
            self.plain_line(text, seen);
        }
    }

    fn finish(&mut self, closing: &Closing<'_>) -> Told {
        self.end_report(&mut Vec::new());
        let conclusion = if let Some(error) = &self.error {
            let said = format!("litellm.{}: {}", error.kind, error.text);
            Conclusion::Failed(Failure::of(status_of(&error.kind), Some(&error.kind), &said, closing.at))
        } else if let Some(exhausted) = self.exhausted.take() {
            Conclusion::Failed(Failure::plain(exhausted))
        } else if self.answer.is_some() {
            Conclusion::Finished
        } else {
            match closing.ended {
                HowEnded::Code(0) => {
                    let last = closing.stdout.lines().rev().find(|line| !line.trim().is_empty());
                    let last = last.map(|line| format!(": {}", first_line(line))).unwrap_or_default();
                    Conclusion::Failed(Failure::plain(format!(
                        "it ended without an answer of the model{last}"
                    )))
                }
                HowEnded::Code(_) | HowEnded::Signal(_) | HowEnded::Vanished => Conclusion::Missing,
            }
        };
        let terminal = self.answer.as_ref().filter(|_| self.error.is_none()).map(|_| "Tokens".to_owned());
        Told {
            text: self.answer.take().unwrap_or_else(|| self.words.text().to_owned()),
            conclusion,
            usage: Usage { cost_usd: self.cost, ..self.usage },
            cumulative: None,
            session: None,
            terminal,
        }
    }
}

impl Aider {
    fn plain_line(&mut self, text: &str, seen: &mut Vec<Sighting>) {
        match self.part {
            Part::Banner => {
                if text.trim().is_empty() {
                    self.part = Part::Talk;
                    self.words = LastWords::default();
                }
                return;
            }
            Part::Error(lines) => {
                if text.trim().is_empty() || lines == MAX_ERROR_LINES {
                    self.part = Part::Talk;
                } else {
                    self.part = Part::Error(lines + 1);
                    if let Some(error) = &mut self.error {
                        error.text = format!("{} {}", error.text.trim(), text.trim());
                    }
                }
                return;
            }
            Part::Opening | Part::Talk => {}
        }
        self.words.hear(&self.messages.to_string(), &format!("{text}\n"));
        if !text.trim().is_empty() {
            seen.push(Sighting::Said(text.to_owned()));
        }
    }

    /// A report may be broken into two lines: within its words, or before the cost.
    fn continues_report(&mut self, text: &str, seen: &mut Vec<Sighting>) -> bool {
        let Some(begun) = self.report.take() else { return false };
        let whole = format!("{begun} {}", text.trim());
        let ends_in_its_cost = begun.contains(COST) && !is_whole_with_cost(&begun);
        if text.starts_with(COST) || !is_whole(&begun) || ends_in_its_cost {
            self.report = Some(whole);
            if self.report.as_deref().is_some_and(is_whole_with_cost) || text.trim().is_empty() {
                self.end_report(seen);
            }
            return true;
        }
        self.report = Some(begun);
        self.end_report(seen);
        false
    }

    fn take_report(&mut self, text: &str, seen: &mut Vec<Sighting>) {
        self.report = Some(text.trim().to_owned());
        if is_whole_with_cost(text.trim()) {
            self.end_report(seen);
        }
    }

    /// The answer before this report has come to its end.
    fn end_report(&mut self, seen: &mut Vec<Sighting>) {
        let Some(Report { usage, message_cost, session_cost }) =
            self.report.take().as_deref().and_then(read_report)
        else {
            return;
        };
        self.usage = self.usage.plus(usage);
        // Its own sum has been rounded once, ours would be with every message.
        self.cost = session_cost.or_else(|| Some(self.cost.unwrap_or(0.0) + message_cost?)).or(self.cost);
        seen.push(Sighting::Used(Usage { cost_usd: self.cost, ..self.usage }));
        self.answer = Some(self.words.text().trim().to_owned());
        self.error = None;
        self.exhausted = None;
        self.messages += 1;
        self.part = Part::Talk;
    }
}

fn is_whole(report: &str) -> bool {
    report.contains(" received.")
}

fn is_whole_with_cost(report: &str) -> bool {
    report.ends_with(" session.")
}

/// `litellm.RateLimitError: ...` at the beginning of a line.
fn provider_error(text: &str) -> Option<ProviderError> {
    let (kind, text) = text.strip_prefix(ERROR)?.split_once(':')?;
    let is_a_class = !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric());
    is_a_class.then(|| ProviderError { kind: kind.to_owned(), text: text.trim().to_owned() })
}

/// The HTTP status that a class of error stands for, where it is one.
fn status_of(kind: &str) -> Option<u16> {
    match kind {
        "AuthenticationError" => Some(401),
        "PermissionDeniedError" => Some(403),
        "NotFoundError" => Some(404),
        "RateLimitError" => Some(429),
        "InternalServerError" => Some(500),
        "ServiceUnavailableError" => Some(503),
        _ => None,
    }
}

/// `2.0 seconds...`, after an error.
fn waiting(error: Option<&ProviderError>, delay: &str, now: Timestamp) -> Waiting {
    let reason =
        error.map_or(WaitReason::Retry, |error| wait_reason(&format!("{} {}", error.kind, error.text)));
    let seconds = delay.split(' ').next().and_then(|number| number.parse::<f64>().ok());
    let until = seconds
        .and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok())
        .and_then(|delay| now.checked_add(delay).ok());
    Waiting { reason, attempt: None, of: None, until }
}
