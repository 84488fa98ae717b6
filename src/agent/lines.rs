//! Bytes become lines, and lines the JSON objects in them. Bounded: of a line that has no end, the beginning is kept.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// How much of one line is kept. What is beyond it is dropped, so that the line is no JSON any more.
pub(super) const MAX_LINE_BYTES: usize = 1024 * 1024;

/// An event of a stream.
pub(super) type Event = Map<String, Value>;

/// Splits a stream of bytes into lines.
#[derive(Debug, Default)]
pub(super) struct LineSplitter {
    kept: Vec<u8>,
    /// The line is longer than what is kept of it.
    is_cut: bool,
}

/// One line, without its end.
#[derive(Debug, Clone)]
pub(super) struct Line<'a> {
    /// Its text; what was not UTF-8 is replaced.
    pub(super) text: Cow<'a, str>,
    /// Whether it was longer.
    pub(super) is_cut: bool,
}

impl LineSplitter {
    /// Takes bytes in and calls `each` for every line that they end.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&Line<'_>)) {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            self.keep(&rest[..at]);
            self.end_line(&mut each);
            rest = &rest[at + 1..];
        }
        self.keep(rest);
    }

    /// The last line, which nothing has ended.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&Line<'_>)) {
        if !self.kept.is_empty() {
            self.end_line(&mut each);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE_BYTES - self.kept.len();
        self.is_cut |= bytes.len() > room;
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self, each: &mut impl FnMut(&Line<'_>)) {
        let line = self.kept.strip_suffix(b"\r").unwrap_or(&self.kept);
        each(&Line { text: String::from_utf8_lossy(line), is_cut: self.is_cut });
        self.kept.clear();
        // What one long line took is not held for ever.
        self.kept.shrink_to(64 * 1024);
        self.is_cut = false;
    }
}

impl Line<'_> {
    /// The JSON objects of this line in their order, whatever stands before, between or after them. Of an object that
    /// is broken nothing is taken, in particular nothing that lies inside it: that may be what a tool wrote.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rest: &str = &self.text;
        while let Some(at) = object_start(rest) {
            let mut values = serde_json::Deserializer::from_str(&rest[at..]).into_iter::<Event>();
            match values.next() {
                Some(Ok(event)) => events.push(event),
                Some(Err(_)) | None => break,
            }
            rest = &rest[at + values.byte_offset()..];
        }
        events
    }
}

/// Where an object with members begins.
fn object_start(text: &str) -> Option<usize> {
    text.match_indices('{').map(|(at, _)| at).find(|at| text[at + 1..].trim_start().starts_with('"'))
}

/// The value of a text member; `""` where there is none.
pub(super) fn word<'a>(event: &'a Event, name: &str) -> &'a str {
    event.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The value of a counting member; 0 where there is none. Numbers with a fraction are rounded down.
pub(super) fn count(event: &Event, name: &str) -> u64 {
    event.get(name).map_or(0, as_count)
}

/// A number that counts something; 0 for what is none.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "such a cast saturates")]
pub(super) fn as_count(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_f64().map(|number| number as u64)).unwrap_or(0)
}

/// A member that is an object.
pub(super) fn object<'a>(event: &'a Event, name: &str) -> Option<&'a Event> {
    event.get(name).and_then(Value::as_object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn lines(chunks: &[&[u8]]) -> Vec<(String, bool)> {
        let mut seen = Vec::new();
        let mut splitter = LineSplitter::default();
        for chunk in chunks {
            splitter.push(chunk, |line| seen.push((line.text.clone().into_owned(), line.is_cut)));
        }
        splitter.finish(|line| seen.push((line.text.clone().into_owned(), line.is_cut)));
        seen
    }

    fn events(text: &str) -> Vec<String> {
        let line = Line { text: text.into(), is_cut: false };
        line.events().into_iter().map(|event| Value::Object(event).to_string()).collect()
    }

    #[test]
    fn lines_end_with_or_without_a_carriage_return_or_not_at_all() {
        let seen = lines(&[b"a\r", b"\n\nb", b"c\nlast"]);
        let whole = |text: &str| (text.to_owned(), false);
        assert_eq!(seen, ["a", "", "bc", "last"].map(whole));
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        assert_eq!(lines(&[b"a\xffb\n"]), [("a\u{fffd}b".to_owned(), false)]);
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_one_is_whole() {
        let long = vec![b'x'; MAX_LINE_BYTES];
        let seen = lines(&[&long, b"yz", &long, b"\nnext\n"]);
        assert_eq!(seen[0].0.len(), MAX_LINE_BYTES);
        assert_eq!((seen[0].1, &seen[1]), (true, &("next".to_owned(), false)));
    }

    #[rstest]
    #[case::plain(r#"{"a":1}"#, &[r#"{"a":1}"#])]
    #[case::after_words(r#"Yes — what?{"a":1}"#, &[r#"{"a":1}"#])]
    #[case::after_braces(r#"{debug} {} [x] { "a":1}"#, &[r#"{"a":1}"#])]
    #[case::two(r#"{"a":1}{"b":2} end"#, &[r#"{"a":1}"#, r#"{"b":2}"#])]
    #[case::after_an_escape("\u{1b}[0m{\"a\":1}\u{1b}[0m", &[r#"{"a":1}"#])]
    #[case::inside_a_broken_one(r#"{"type":"x","input":{"type":"result"}"#, &[])]
    #[case::interleaved(r#"{"type":"x{"type":"result"}"#, &[])]
    #[case::none("just words", &[])]
    #[case::list(r"[1,2]", &[])]
    fn objects_are_found_in_a_line(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(events(text), expected);
    }

    #[rstest]
    #[case(r#"{"n":3}"#, 3)]
    #[case(r#"{"n":3.9}"#, 3)]
    #[case(r#"{"n":-1}"#, 0)]
    #[case(r#"{"n":1e300}"#, u64::MAX)]
    #[case(r#"{"n":"3"}"#, 0)]
    #[case(r"{}", 0)]
    fn counts_are_read_from_any_number(#[case] text: &str, #[case] expected: u64) {
        let event: Event = serde_json::from_str(text).unwrap();
        assert_eq!(count(&event, "n"), expected);
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_split_does_not_matter(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            at in 0_usize..200,
        ) {
            let at = at.min(bytes.len());
            prop_assert_eq!(lines(&[&bytes]), lines(&[&bytes[..at], &bytes[at..]]));
        }
    }
}
