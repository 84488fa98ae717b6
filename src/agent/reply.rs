//! What an agent's captured output means.

use jiff::Timestamp;

use crate::model::{OutcomeClass, Usage};

use super::Waiting;

/// How much of an agent's reply is kept: the end of it, which holds the conclusion.
pub const MAX_REPLY_BYTES: usize = 256 * 1024;

const MAX_DETAIL_CHARACTERS: usize = 300;

/// What an agent said, and how its run is classed.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The reply's text, at most [`MAX_REPLY_BYTES`] of it (a little more where bytes were not UTF-8).
    pub text: String,
    /// The class, as far as the output tells. The caller knows of limits and of the work tree.
    pub class: OutcomeClass,
    /// What the agent says that this turn used; the caller adds turns and time. Where a CLI tells only of its whole
    /// session, it is that: ask [`usage_since`](Self::usage_since).
    pub usage: Usage,
    /// What the session has used since it began, for CLIs that count so. To be kept for the session's next turn.
    pub cumulative: Option<Usage>,
    /// Names the session, to resume it.
    pub session: Option<String>,
    /// When a usage limit ends.
    pub resume_at: Option<Timestamp>,
    /// The event by which the agent reported its own end, in the CLI's words. Text has none.
    pub terminal: Option<String>,
    /// Why it failed, for people: one line.
    pub detail: Option<String>,
    /// What it was waiting for when its output ended; `None` where it went on after its last wait.
    pub waiting: Option<Waiting>,
}

impl Reply {
    /// What this turn used, given what its session had used before ([`cumulative`](Self::cumulative) of the turn before it
    /// in the same session; `None` for a fresh one). A count that went back was begun anew, and is the turn's own.
    #[must_use]
    pub fn usage_since(&self, before: Option<&Usage>) -> Usage {
        let (Some(now), Some(before)) = (self.cumulative, before) else { return self.usage };
        let differences = (
            now.input_tokens.checked_sub(before.input_tokens),
            now.output_tokens.checked_sub(before.output_tokens),
        );
        let (Some(input_tokens), Some(output_tokens)) = differences else { return self.usage };
        Usage {
            input_tokens,
            output_tokens,
            cached_tokens: now.cached_tokens.saturating_sub(before.cached_tokens),
            cost_usd: match (now.cost_usd, before.cost_usd) {
                (Some(now), Some(before)) => Some((now - before).max(0.0)),
                (now, _) => now,
            },
            ..self.usage
        }
    }
}

/// The end of a stream of bytes, bounded.
#[derive(Debug)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    limit: usize,
}

impl Tail {
    pub(super) const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let wanted = &bytes[bytes.len().saturating_sub(self.limit)..];
        self.bytes.extend_from_slice(wanted);
        // Cut seldom: moving the rest each time would cost more than the bytes.
        if self.bytes.len() > 2 * self.limit {
            self.bytes.drain(..self.bytes.len() - self.limit);
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// One line of an agent's text as it may stand in a message: trimmed, bounded, control characters escaped.
pub(super) fn shown(line: &str) -> String {
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
pub(super) fn lossy_end(bytes: &[u8], limit: usize) -> String {
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

    fn used(input: u64, output: u64, cost: Option<f64>) -> Usage {
        Usage { input_tokens: input, output_tokens: output, cost_usd: cost, ..Usage::default() }
    }

    fn reply(usage: Usage, cumulative: Option<Usage>) -> Reply {
        Reply {
            text: String::new(),
            class: OutcomeClass::Ok,
            usage,
            cumulative,
            session: None,
            resume_at: None,
            terminal: None,
            detail: None,
            waiting: None,
        }
    }

    #[test]
    fn a_turn_in_a_resumed_session_is_charged_what_the_session_grew_by() {
        let before = used(2468, 112, Some(0.5));
        let now = reply(used(3702, 168, Some(0.75)), Some(used(3702, 168, Some(0.75))));
        assert_eq!(now.usage_since(Some(&before)), used(1234, 56, Some(0.25)));
        assert_eq!(now.usage_since(None), now.usage);
    }

    #[test]
    fn a_count_that_went_back_was_begun_anew() {
        let now = reply(used(10, 5, None), Some(used(10, 5, None)));
        assert_eq!(now.usage_since(Some(&used(2468, 112, None))), used(10, 5, None));
    }

    #[test]
    fn a_turn_that_is_counted_by_itself_needs_nothing_from_before() {
        let now = reply(used(10, 5, None), None);
        assert_eq!(now.usage_since(Some(&used(3, 1, None))), used(10, 5, None));
    }

    #[test]
    fn the_end_of_a_long_stream_is_kept_in_bounded_memory() {
        let mut tail = Tail::new(10);
        for chunk in [b"0123456789abc".as_slice(), b"d", b"efghij", b"klm"] {
            tail.push(chunk);
            assert!(tail.bytes().len() <= 20);
        }
        assert!(tail.bytes().ends_with(b"defghijklm"));
    }

    proptest! {
        #[test]
        fn the_end_of_bytes_is_no_longer_than_wanted(bytes in prop::collection::vec(any::<u8>(), 0..600), limit in 0_usize..300) {
            // A replacement character takes three bytes where one was.
            prop_assert!(lossy_end(&bytes, limit).len() <= limit * 3);
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
