//! Errors told outside a stream's own report: what a CLI wrote to standard error when it could not even begin (an unknown
//! session, a bad setting, no key).

use super::super::reader::{Closing, Failure, HowEnded};

/// The failure that the last `Error: ...` line on standard error tells of, for a process that ended with another exit code
/// than 0.
pub(super) fn complaint(closing: &Closing<'_>) -> Option<Failure> {
    let HowEnded::Code(code) = closing.ended else { return None };
    let mut lines = closing.stderr.lines().rev().map(without_colours);
    let error = lines.find(|line| line.starts_with("Error: ") || line.starts_with("error: "))?;
    let failure = Failure::of(None, None, &error, closing.at);
    (code != 0).then(|| Failure { detail: format!("exit code {code}: {error}"), ..failure })
}

/// An error of several lines as one.
pub(super) fn flat(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// A line without the sequences that colour it.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';').map_or(part.len(), |at| at + 1);
        plain.push_str(part.get(end..).unwrap_or_default());
    }
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OutcomeClass;
    use rstest::rstest;

    #[rstest]
    #[case(
        1,
        "\u{1b}[91m\u{1b}[1mError: \u{1b}[0mSession not found",
        Some("exit code 1: Error: Session not found")
    )]
    #[case(2, "warning\nerror: no such flag\n\nUsage: x", Some("exit code 2: error: no such flag"))]
    #[case(0, "Error: but it went on", None)]
    #[case(1, "nothing of the kind", None)]
    #[case(1, "\u{1b}[é", None)]
    fn the_error_line_is_found(#[case] code: i32, #[case] stderr: &str, #[case] detail: Option<&str>) {
        let closing = Closing {
            ended: HowEnded::Code(code),
            at: "2026-11-21T12:00:00Z".parse().unwrap(),
            stdout: "",
            stderr,
            usage_file: None,
        };
        let found = complaint(&closing);
        assert_eq!(found.as_ref().map(|failure| failure.detail.as_str()), detail);
        assert!(found.is_none_or(|failure| failure.class == OutcomeClass::Failed));
    }
}
