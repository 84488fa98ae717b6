//! What a person sees while turns run: live output and a spinner on a terminal, plain lines in a pipe.

use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::preview::render_preview;
use crate::agent::Sighting;
use crate::attempt::Stream;
use crate::cli::Output;
use crate::model::Span;
use crate::runner::{Event, Observer, TurnOrigin};

use super::live::Live;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Nothing but warnings.
    Quiet,
    /// The agent's output as it comes, and a spinner below it.
    Terminal,
    /// Lines of ours and the agent's, with a heartbeat where one is asked for.
    Plain {
        /// How often; `None`: never.
        heartbeat: Option<Duration>,
    },
}

impl Style {
    pub(crate) fn of(quiet: bool, output: Output, heartbeat_secs: u64) -> Self {
        if quiet {
            Self::Quiet
        } else if output.stderr_is_terminal {
            Self::Terminal
        } else {
            let heartbeat = (heartbeat_secs > 0).then(|| Duration::from_secs(heartbeat_secs));
            Self::Plain { heartbeat }
        }
    }
}

/// Shows turns on standard error.
pub(crate) struct Progress {
    style: Style,
    output: Output,
    bar: ProgressBar,
    what: String,
    said: Duration,
    partial: Vec<u8>,
    live: Live,
    place: String,
}

/// An unfinished line longer than this is shown as it is.
const LONGEST_LINE: usize = 8 * 1024;

impl Progress {
    pub(crate) fn new(style: Style, output: Output) -> Self {
        let bar = if style == Style::Terminal { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if style == Style::Terminal {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
        }
        Self {
            style,
            output,
            bar,
            what: String::new(),
            said: Duration::ZERO,
            partial: Vec::new(),
            live: Live::default(),
            place: String::new(),
        }
    }

    /// Names logs and summaries by whole paths: the turns are taken elsewhere than here.
    #[must_use]
    pub(crate) fn with_logs_below(mut self, root: &Path) -> Self {
        self.place = format!("{}/", root.display());
        self
    }

    /// Takes the spinner away.
    pub(crate) fn finish(&mut self) {
        self.flush_partial();
        self.bar.finish_and_clear();
    }

    fn line(&self, text: &str) {
        match self.style {
            Style::Quiet => {}
            Style::Terminal => self.bar.suspend(|| self.output.note(text)),
            Style::Plain { .. } => self.output.note(text),
        }
    }

    fn flush_partial(&mut self) {
        if !self.partial.is_empty() {
            let text = String::from_utf8_lossy(&self.partial).into_owned();
            self.partial.clear();
            self.line(&format!("  | {}", printable(&text)));
        }
    }

    fn show_line(&mut self, line: &[u8]) {
        self.partial.extend_from_slice(line);
        self.flush_partial();
    }
}

impl Observer for Progress {
    fn event(&mut self, event: &Event<'_>) {
        self.flush_partial();
        if let Event::Warning { text } = event {
            // A warning is for everyone, `--quiet` or not.
            return self.bar.suspend(|| self.output.note(format!("warning: {text}")));
        }
        if let Event::Preview { preview } = event {
            // It was asked for: a result, not progress.
            return self.bar.suspend(|| self.output.say(render_preview(preview)));
        }
        if let Some(what) = waiting_for(event) {
            self.what = what;
            self.said = Duration::ZERO;
            self.live = Live::default();
        }
        self.line(&describe(event, &self.place));
    }

    fn output(&mut self, _stream: Stream, bytes: &[u8]) {
        if self.style == Style::Quiet {
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(line) => self.show_line(line),
                None if self.partial.len() + piece.len() > LONGEST_LINE => self.show_line(piece),
                None => self.partial.extend_from_slice(piece),
            }
        }
    }

    fn sighting(&mut self, sighting: &Sighting) {
        if let Some(line) = self.live.take(sighting) {
            self.line(&line);
        }
    }

    fn tick(&mut self, elapsed: Duration, quiet: Duration) {
        match self.style {
            Style::Quiet | Style::Plain { heartbeat: None } => {}
            Style::Terminal => {
                let live = self.live.in_words();
                self.bar.set_message(format!("{} {}{live}{}", self.what, whole(elapsed), silence(quiet)));
                self.bar.tick();
            }
            Style::Plain { heartbeat: Some(every) } => {
                if elapsed.saturating_sub(self.said) >= every {
                    self.said = elapsed;
                    let live = self.live.in_words();
                    self.line(&format!("  {} {}{live}{}", self.what, whole(elapsed), silence(quiet)));
                }
            }
        }
    }
}

fn whole(duration: Duration) -> Span {
    Span::from_secs(duration.as_secs())
}

fn silence(quiet: Duration) -> String {
    if quiet < Duration::from_secs(10) { String::new() } else { format!(", silent for {}", whole(quiet)) }
}

/// What runs after this event, for the spinner and the heartbeat.
fn waiting_for(event: &Event<'_>) -> Option<String> {
    match event {
        Event::AgentRunning { agent, .. } => Some(format!("{agent} is running")),
        Event::Verifying { name } => Some(format!("verifying `{name}`")),
        Event::Waiting { reason, until } => Some(format!("waiting until {until}: {reason}")),
        Event::AwaitingTurn { what } => Some((*what).to_owned()),
        Event::Offline { why, .. } => Some(format!("offline: {why}")),
        Event::Claimed { .. }
        | Event::Selected { .. }
        | Event::Verified { .. }
        | Event::Committed { .. }
        | Event::Preview { .. }
        | Event::Ended { .. }
        | Event::Warning { .. } => None,
    }
}

/// An event as a line; `place` goes before the paths in it.
fn describe(event: &Event<'_>, place: &str) -> String {
    match event {
        Event::Claimed { actor, iteration, turn, origin } => {
            let verb = match origin {
                TurnOrigin::Here => "takes",
                TurnOrigin::Resumed => "goes on with",
            };
            format!("{actor} {verb} turn {turn} (iteration {iteration})")
        }
        Event::Selected { prompt, source, reason } => format!("  prompt {prompt} ({source}: {reason})"),
        Event::AgentRunning { agent, log, origin } => match origin {
            TurnOrigin::Here => format!("  {agent} runs, log {place}{log}"),
            TurnOrigin::Resumed => format!("  {agent} still runs and is watched again, log {place}{log}"),
        },
        Event::Verifying { name } => format!("  verify `{name}`"),
        Event::Verified { name, result } => format!("  verify `{name}`: {result}"),
        Event::Committed { commit, subject } => format!("  commit {commit} {subject}"),
        Event::Preview { preview } => render_preview(preview),
        Event::Ended { actor, class, detail, wall, summary, .. } => {
            let why = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            let summary = if summary.is_empty() { String::new() } else { format!(", {place}{summary}") };
            format!("  {actor} ended {class} after {:.1} s{why}{summary}", wall.as_secs_f64())
        }
        Event::Warning { text } => format!("warning: {text}"),
        Event::Waiting { reason, until } => format!("waiting until {until}: {reason}"),
        Event::AwaitingTurn { what } => (*what).to_owned(),
        Event::Offline { why, again_in } => {
            format!("{why}; trying again in {:.1} s", again_in.as_secs_f64())
        }
    }
}

/// Agent output must not move the cursor or ring bells on somebody's terminal; colours stay out as well.
pub(super) fn printable(line: &str) -> String {
    line.trim_end_matches('\r')
        .chars()
        .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Actor, OutcomeClass, TurnId};
    use rstest::rstest;

    #[rstest]
    #[case(
        Event::Claimed { actor: Actor::Galph, iteration: 3, turn: TurnId::from_parts(0, 1), origin: TurnOrigin::Here },
        "galph takes turn 00000000000000000000000001 (iteration 3)"
    )]
    #[case(
        Event::Selected { prompt: "main.md", source: "router_off", reason: "why" },
        "  prompt main.md (router_off: why)"
    )]
    #[case(
        Event::AgentRunning { agent: "claude", log: "logs/x.log", origin: TurnOrigin::Resumed },
        "  claude still runs and is watched again, log logs/x.log"
    )]
    #[case(
        Event::Ended {
            actor: Actor::Ralph, iteration: 3, class: OutcomeClass::Failed, detail: "exit code 1",
            wall: Duration::from_millis(1_250), summary: "logs/s.md"
        },
        "  ralph ended failed after 1.2 s: exit code 1, logs/s.md"
    )]
    fn events_are_told_in_a_line(#[case] event: Event<'_>, #[case] line: &str) {
        assert_eq!(describe(&event, ""), line);
        assert_eq!(describe(&event, "/w/"), line.replace("logs/", "/w/logs/"));
    }

    #[test]
    fn control_characters_of_an_agent_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\r"), "a\u{fffd}[31mb");
    }
}
