//! What a running agent does, in lines and in one phrase for the spinner.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::agent::{Sighting, WaitReason, Waiting};
use crate::model::Usage;

use super::progress::printable;

/// As much of a tool's call as one line has room for.
const SHOWN_CHARACTERS: usize = 160;

/// What was seen of an agent so far.
#[derive(Debug, Default)]
pub(super) struct Live {
    used: Usage,
    tool: Option<String>,
    waiting: Option<Waiting>,
    /// The tools that run, by the identifier of their call.
    calls: BTreeMap<String, String>,
}

impl Live {
    /// Takes one sighting in, and says what of it deserves a line.
    pub(super) fn take(&mut self, sighting: &Sighting) -> Option<String> {
        if !matches!(sighting, Sighting::Session(_) | Sighting::Other(_) | Sighting::Waiting(_)) {
            self.waiting = None;
        }
        match sighting {
            Sighting::Said(text) if text.trim().is_empty() => None,
            Sighting::Said(text) => {
                let lines: Vec<String> =
                    text.trim_end().lines().map(|line| format!("  | {}", printable(line))).collect();
                Some(lines.join("\n"))
            }
            Sighting::ToolStarted { id, name, summary } => {
                let call = cut(&printable(format!("{name} {}", summary.replace('\n', " ")).trim()));
                if let Some(id) = id {
                    self.calls.insert(id.clone(), call.clone());
                }
                self.tool = Some(cut(&printable(name)));
                Some(format!("  > {call}"))
            }
            Sighting::ToolEnded { id, failed, summary } => {
                self.tool = None;
                let call = id.as_ref().and_then(|id| self.calls.remove(id));
                if !failed {
                    return None;
                }
                let call = call.map(|call| format!(" of `{call}`")).unwrap_or_default();
                let why = cut(&printable(summary.lines().next().unwrap_or_default()));
                Some(format!("  ! failure{call}: {why}"))
            }
            Sighting::Used(usage) => {
                self.used = *usage;
                None
            }
            Sighting::Waiting(waiting) => {
                let is_news = self.waiting.as_ref() != Some(waiting);
                self.waiting = Some(waiting.clone());
                is_news.then(|| format!("  ~ {}", waiting_in_words(waiting)))
            }
            Sighting::Session(_) | Sighting::Other(_) => None,
        }
    }

    /// The phrase after the elapsed time; empty or with a comma in front.
    pub(super) fn in_words(&self) -> String {
        let mut words = String::new();
        if self.used.tokens() > 0 {
            let _ = write!(words, ", {} tokens", in_thousands(self.used.tokens()));
        }
        if let Some(cost) = self.used.cost_usd {
            let _ = write!(words, ", ${cost:.2}");
        }
        match (&self.waiting, &self.tool) {
            (Some(waiting), _) => {
                let _ = write!(words, ", {}", waiting_in_words(waiting));
            }
            (None, Some(tool)) => {
                let _ = write!(words, ", in {tool}");
            }
            (None, None) => {}
        }
        words
    }
}

fn waiting_in_words(waiting: &Waiting) -> String {
    let mut words = String::from(match waiting.reason {
        WaitReason::RateLimit => "waits for a rate limit",
        WaitReason::Overloaded => "waits for an overloaded provider",
        WaitReason::Retry => "tries again after an error",
    });
    match (waiting.attempt, waiting.of) {
        (Some(attempt), Some(of)) => {
            let _ = write!(words, " (try {attempt} of {of})");
        }
        (Some(attempt), None) => {
            let _ = write!(words, " (try {attempt})");
        }
        (None, _) => {}
    }
    if let Some(until) = waiting.until {
        let _ = write!(words, " until {}", until.strftime("%Y-%m-%dT%H:%M:%SZ"));
    }
    words
}

/// A count of tokens as people say it: `950`, `12.3k`, `1.4M`.
pub(crate) fn in_thousands(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let number = count as f64;
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{:.1}k", number / 1e3),
        _ => format!("{:.1}M", number / 1e6),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARACTERS {
        return text.to_owned();
    }
    text.chars().take(SHOWN_CHARACTERS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn tool(name: &str, summary: &str) -> Sighting {
        Sighting::ToolStarted { id: Some("1".into()), name: name.into(), summary: summary.into() }
    }

    fn waiting() -> Waiting {
        Waiting {
            reason: WaitReason::RateLimit,
            attempt: Some(2),
            of: Some(10),
            until: Some(jiff::Timestamp::UNIX_EPOCH),
        }
    }

    #[rstest]
    #[case(Sighting::Said("a\nb\u{1b}[0m\n".into()), Some("  | a\n  | b\u{fffd}[0m"))]
    #[case(Sighting::Said(" \n".into()), None)]
    #[case(tool("Bash", "cargo test\n--lib"), Some("  > Bash cargo test --lib"))]
    #[case(
        Sighting::Waiting(waiting()),
        Some("  ~ waits for a rate limit (try 2 of 10) until 1970-01-01T00:00:00Z")
    )]
    #[case(Sighting::Used(Usage::default()), None)]
    #[case(Sighting::Session("x".into()), None)]
    fn a_sighting_becomes_a_line_or_none(#[case] sighting: Sighting, #[case] line: Option<&str>) {
        assert_eq!(Live::default().take(&sighting).as_deref(), line);
    }

    #[test]
    fn a_failed_tool_is_named() {
        let mut live = Live::default();
        live.take(&tool("Bash", "make"));
        let ended =
            Sighting::ToolEnded { id: Some("1".into()), failed: true, summary: "no rule\nat all".into() };
        assert_eq!(live.take(&ended).as_deref(), Some("  ! failure of `Bash make`: no rule"));
    }

    #[test]
    fn the_phrase_says_what_it_costs_and_what_it_is_at() {
        let mut live = Live::default();
        assert_eq!(live.in_words(), "");
        let used =
            Usage { input_tokens: 12_000, output_tokens: 345, cost_usd: Some(0.126), ..Usage::default() };
        live.take(&Sighting::Used(used));
        live.take(&tool("Bash", "make"));
        assert_eq!(live.in_words(), ", 12.3k tokens, $0.13, in Bash");
        live.take(&Sighting::Waiting(waiting()));
        assert_eq!(
            live.in_words(),
            ", 12.3k tokens, $0.13, waits for a rate limit (try 2 of 10) until 1970-01-01T00:00:00Z"
        );
        live.take(&Sighting::Said("on we go".into()));
        assert_eq!(live.in_words(), ", 12.3k tokens, $0.13, in Bash");
    }
}
