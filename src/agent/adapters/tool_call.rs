//! What a tool call is about, in one line: the same for all CLIs, whose tools differ but take the same things.

use serde_json::Value;

use super::super::lines::Event;

const MAX_CHARACTERS: usize = 200;

/// Names of arguments that say most, best first.
const TELLING: [&str; 18] = [
    "command",
    "cmd",
    "file_path",
    "filePath",
    "absolute_path",
    "target_file",
    "path",
    "pattern",
    "query",
    "url",
    "glob_pattern",
    "notebook_path",
    "dir_path",
    "description",
    "skill",
    "subject",
    "name",
    "prompt",
];

/// What a call is about, from its arguments.
pub(super) fn summary_of_call(input: &Event) -> String {
    let told = TELLING
        .iter()
        .find_map(|name| input.get(*name).and_then(words))
        .or_else(|| input.values().find_map(words));
    told.as_deref().map(first_line).unwrap_or_default()
}

/// The first line of what a tool said: a text, or a list of blocks with texts.
pub(super) fn summary_of_result(content: &Value) -> String {
    match content {
        Value::String(text) => first_line(text),
        Value::Array(blocks) => {
            blocks.iter().find_map(|block| block.get("text")?.as_str()).map(first_line).unwrap_or_default()
        }
        Value::Object(object) => ["text", "output", "message", "error"]
            .iter()
            .find_map(|name| object.get(*name)?.as_str())
            .map(first_line)
            .unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

/// The first line that is not blank, cut.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut cut: String = line.chars().take(MAX_CHARACTERS).collect();
    if cut.len() < line.len() {
        cut.push('…');
    }
    cut
}

/// A text, or a list of texts such as a command with its arguments.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(list) => {
            let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            texts.filter(|texts| !texts.is_empty()).map(|texts| texts.join(" "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(r#"{"description":"run","command":"ls -l\nls"}"#, "ls -l")]
    #[case(r#"{"command":["bash","-c","ls"]}"#, "bash -c ls")]
    #[case(r#"{"content":"text","file_path":"/a/b"}"#, "/a/b")]
    #[case(r#"{"unheard_of":"x"}"#, "x")]
    #[case(r#"{"count":3}"#, "")]
    #[case("{}", "")]
    fn a_call_is_told_by_its_most_telling_argument(#[case] input: &str, #[case] expected: &str) {
        assert_eq!(summary_of_call(&serde_json::from_str(input).unwrap()), expected);
    }

    #[rstest]
    #[case(r#""\n one\ntwo""#, "one")]
    #[case(r#"[{"type":"text","text":"a"}]"#, "a")]
    #[case(r#"{"output":"b"}"#, "b")]
    #[case("7", "")]
    fn a_result_is_told_by_its_first_line(#[case] content: &str, #[case] expected: &str) {
        assert_eq!(summary_of_result(&serde_json::from_str(content).unwrap()), expected);
    }

    #[test]
    fn long_lines_are_cut() {
        assert_eq!(first_line(&"é".repeat(201)), format!("{}…", "é".repeat(200)));
    }
}
