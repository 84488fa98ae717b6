//! What a tool call is about, in one line.

use super::super::lines::{Event, word};

/// More of a line than this is not held.
const MAX_CHARACTERS: usize = 200;

/// The first line that says something, cut.
pub(super) fn one_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().take(MAX_CHARACTERS).collect()
}

/// A text of several lines as one, for a message.
pub(super) fn flat(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// The argument of a tool call that tells most, by the names that CLIs give to them.
pub(super) fn of_arguments(arguments: &Event) -> String {
    const TELLING: [&str; 9] =
        ["command", "cmd", "path", "filePath", "file_path", "pattern", "query", "url", "description"];
    let found = TELLING.iter().map(|name| word(arguments, name)).find(|text| !text.is_empty());
    one_line(found.unwrap_or_default())
}
