//! Texts without their secrets.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use super::find::find_secrets;

/// A shorter value would be found in half of all words.
const SHORTEST: usize = 6;

/// Replaces secrets by `[masked:…]`: what the rules find, and values that were told.
#[derive(Debug, Clone, Default)]
pub struct Masker {
    values: Option<AhoCorasick>,
    names: Vec<String>,
}

/// A variable whose value is too short to be masked; its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of `{0}` is shorter than 6 bytes and is not masked: it would be found in ordinary words")]
pub struct TooShort(pub String);

impl Masker {
    /// Masks these values by name, and what the rules find. A value of several lines is masked line by line. Empty
    /// values are left out; too short ones are returned.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = (String, Vec<u8>)>) -> (Self, Vec<TooShort>) {
        let (mut names, mut patterns, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value) in values {
            let trimmed = value.trim_ascii();
            let long: Vec<&[u8]> = trimmed
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::trim_ascii)
                .filter(|line| line.len() >= SHORTEST)
                .collect();
            if long.is_empty() && !trimmed.is_empty() {
                refused.push(TooShort(name));
                continue;
            }
            names.extend(long.iter().map(|_| name.clone()));
            patterns.extend(long.into_iter().map(<[u8]>::to_vec));
        }
        let values = (!patterns.is_empty())
            .then(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns).ok())
            .flatten();
        (Self { values, names }, refused)
    }

    /// The text without secrets.
    pub fn mask(&self, text: &str) -> String {
        match self.mask_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => text.to_owned(),
            Cow::Owned(masked) => String::from_utf8_lossy(&masked).into_owned(),
        }
    }

    /// The same for a text that is kept.
    pub fn mask_in_place(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask_bytes(text.as_bytes()) {
            *text = String::from_utf8_lossy(&masked).into_owned();
        }
    }

    /// The strings of a JSON value without secrets; its keys stay.
    pub fn mask_json(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => self.mask_in_place(text),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.mask_json(item)),
            serde_json::Value::Object(entries) => {
                entries.values_mut().for_each(|value| self.mask_json(value));
            }
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
        }
    }

    /// The bytes without secrets.
    pub fn mask_bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let spans = self.spans(bytes);
        if spans.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut masked = Vec::with_capacity(bytes.len());
        let mut end = 0;
        for (span, label) in spans {
            masked.extend_from_slice(&bytes[end..span.start]);
            masked.extend_from_slice(format!("[masked:{label}]").as_bytes());
            end = span.end;
        }
        masked.extend_from_slice(&bytes[end..]);
        Cow::Owned(masked)
    }

    /// What is masked, in order; what overlaps or touches is one.
    pub(super) fn spans(&self, bytes: &[u8]) -> Vec<(Range<usize>, String)> {
        let mut spans: Vec<(Range<usize>, String)> = Vec::new();
        if let Some(values) = &self.values {
            spans.extend(
                values
                    .find_iter(bytes)
                    .map(|hit| (hit.range(), format!("${}", self.names[hit.pattern().as_usize()]))),
            );
        }
        spans.extend(find_secrets(bytes).into_iter().map(|span| (span.secret, span.rule.id.to_owned())));
        spans.sort_by_key(|(span, _)| span.start);
        let mut apart: Vec<(Range<usize>, String)> = Vec::new();
        for (span, label) in spans {
            match apart.last_mut().filter(|(last, _)| last.end >= span.start) {
                Some((last, _)) => last.end = last.end.max(span.end),
                None => apart.push((span, label)),
            }
        }
        apart
    }
}
