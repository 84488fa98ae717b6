//! The name of a prompt: a path below the prompts folder, in one canonical spelling.
//!
//! Routing, the choice of an agent and the configuration compare names, so there is one way to write each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes: the name becomes part of a log file's name, and file systems end at 255.
pub const MAX_PROMPT_NAME_BYTES: usize = 200;

/// A prompt below the prompts folder.
///
/// Invariants: ends in `.md`, is relative, has no `.`, `..` or empty component, no backslash and no control
/// character, and is at most [`MAX_PROMPT_NAME_BYTES`] long. Joined to the prompts folder it stays inside, symbolic
/// links aside.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PromptName(String);

impl PromptName {
    /// The name, `.md` included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as part of a file name: without `.md`, folders joined by `-`.
    pub fn label(&self) -> String {
        self.0.strip_suffix(".md").unwrap_or(&self.0).replace('/', "-")
    }
}

impl fmt::Display for PromptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<PromptName> for String {
    fn from(name: PromptName) -> Self {
        name.0
    }
}

impl TryFrom<String> for PromptName {
    type Error = ParsePromptNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The text does not name a prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a prompt name: {problem}", .given.escape_debug())]
pub struct ParsePromptNameError {
    /// What was given, cut to a length that can be shown.
    pub given: String,
    /// What is wrong with it.
    pub problem: PromptNameProblem,
}

/// What is wrong with a prompt's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PromptNameProblem {
    /// Nothing is left of it.
    #[error("it is empty; write a file below the prompts folder, such as `main.md`")]
    Empty,
    /// It starts at the root of the file system.
    #[error("it is absolute; write it relative to the prompts folder, such as `main.md`")]
    Absolute,
    /// It has a `..` component.
    #[error("it leaves the prompts folder by `..`; move the file into the prompts folder")]
    Leaves,
    /// It has a backslash.
    #[error("it has a backslash; write folders with `/`")]
    Backslash,
    /// It has a newline, a NUL or another control character.
    #[error("it has a control character; name one file, on one line")]
    ControlCharacter,
    /// It ends in `/`.
    #[error("it names a folder; name a file in it")]
    Folder,
    /// It names a plan, which a turn cannot run yet.
    #[error("it names a plan, and plans cannot be a turn's body in this version; name a `.md` file")]
    Plan,
    /// It is longer than [`MAX_PROMPT_NAME_BYTES`].
    #[error("it is longer than {MAX_PROMPT_NAME_BYTES} bytes; give the file a shorter name")]
    TooLong,
}

impl FromStr for PromptName {
    type Err = ParsePromptNameError;

    /// Surrounding blanks, leading `prompts/` and `.` components are dropped, and `.md` is added where it is
    /// missing. Unicode and inner spaces are kept.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        canonical(text.trim_matches(' '))
            .map(Self)
            .map_err(|problem| ParsePromptNameError { given: text.chars().take(80).collect(), problem })
    }
}

fn canonical(text: &str) -> Result<String, PromptNameProblem> {
    use PromptNameProblem as Problem;
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(Problem::ControlCharacter);
    }
    if text.contains('\\') {
        return Err(Problem::Backslash);
    }
    if text.starts_with('/') {
        return Err(Problem::Absolute);
    }
    let mut components: Vec<&str> =
        text.split('/').filter(|component| !component.is_empty() && *component != ".").collect();
    if components.contains(&"..") {
        return Err(Problem::Leaves);
    }
    let leading = components.iter().take_while(|component| **component == "prompts").count();
    components.drain(..leading.min(components.len().saturating_sub(1)));
    let joined = components.join("/");
    let is_bare_folder = text.ends_with('/') || text.ends_with("/.");
    if joined.is_empty() || (joined == "prompts" && is_bare_folder) {
        return Err(Problem::Empty);
    }
    if is_bare_folder {
        return Err(Problem::Folder);
    }
    let last = components.last().copied().unwrap_or_default();
    if [".yaml", ".yml", ".json"].iter().any(|suffix| last.to_ascii_lowercase().ends_with(suffix)) {
        return Err(Problem::Plan);
    }
    if last == ".md" {
        return Err(Problem::Empty);
    }
    let name = format!("{}.md", joined.strip_suffix(".md").unwrap_or(&joined));
    if name.len() > MAX_PROMPT_NAME_BYTES { Err(Problem::TooLong) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use std::path::{Component, Path};

    #[rstest]
    #[case("main", "main.md")]
    #[case("main.md", "main.md")]
    #[case("prompts/main.md", "main.md")]
    #[case("./prompts//main", "main.md")]
    #[case("  main.md ", "main.md")]
    #[case("deep/./er/main", "deep/er/main.md")]
    #[case("prompts/prompts/main", "main.md")]
    #[case("prompts", "prompts.md")]
    #[case("my plan é 計画", "my plan é 計画.md")]
    #[case(".hidden", ".hidden.md")]
    #[case("..main", "..main.md")]
    #[case("notes.json.md", "notes.json.md")]
    #[case("main.MD", "main.MD.md")]
    fn a_name_has_one_canonical_spelling(#[case] given: &str, #[case] canonical: &str) {
        assert_eq!(given.parse::<PromptName>().unwrap().as_str(), canonical);
    }

    #[rstest]
    #[case(
        "",
        "`` is not a prompt name: it is empty; write a file below the prompts folder, such as `main.md`"
    )]
    #[case(
        "prompts/",
        "`prompts/` is not a prompt name: it is empty; write a file below the prompts folder, such as `main.md`"
    )]
    #[case(
        ".md",
        "`.md` is not a prompt name: it is empty; write a file below the prompts folder, such as `main.md`"
    )]
    #[case(
        "/etc/passwd",
        "`/etc/passwd` is not a prompt name: it is absolute; write it relative to the prompts folder, such as `main.md`"
    )]
    #[case(
        "../main.md",
        "`../main.md` is not a prompt name: it leaves the prompts folder by `..`; move the file into the prompts folder"
    )]
    #[case(
        "prompts/../../x",
        "`prompts/../../x` is not a prompt name: it leaves the prompts folder by `..`; move the file into the prompts folder"
    )]
    #[case("a\\b", r"`a\\b` is not a prompt name: it has a backslash; write folders with `/`")]
    #[case("main.md\nreviewer.md", r"`main.md\nreviewer.md` is not a prompt name: it has a control character; name one file, on one line")]
    #[case(
        "main\0.md",
        r"`main\0.md` is not a prompt name: it has a control character; name one file, on one line"
    )]
    #[case("deep/", "`deep/` is not a prompt name: it names a folder; name a file in it")]
    #[case(
        "nightly.yaml",
        "`nightly.yaml` is not a prompt name: it names a plan, and plans cannot be a turn's body in this version; name a `.md` file"
    )]
    fn what_is_not_a_prompt_name_is_refused_with_a_remedy(#[case] given: &str, #[case] text: &str) {
        assert_eq!(given.parse::<PromptName>().unwrap_err().to_string(), text);
    }

    #[test]
    fn a_name_that_is_too_long_is_refused_and_not_echoed_whole() {
        let error = "é".repeat(150).parse::<PromptName>().unwrap_err();
        assert_eq!(error.problem, PromptNameProblem::TooLong);
        assert_eq!(error.given.chars().count(), 80);
        assert!("x".repeat(MAX_PROMPT_NAME_BYTES - 3).parse::<PromptName>().is_ok());
        assert!("x".repeat(MAX_PROMPT_NAME_BYTES - 2).parse::<PromptName>().is_err());
    }

    #[test]
    fn a_label_is_one_file_name_component() {
        assert_eq!("deep/main".parse::<PromptName>().unwrap().label(), "deep-main");
    }

    proptest! {
        #[test]
        fn an_accepted_name_stays_below_the_prompts_folder(text in "[a-z./\\\\ \n\0é]{0,24}|\\PC{0,40}|(\\./|prompts/|a/|main){0,5}") {
            if let Ok(name) = text.parse::<PromptName>() {
                let only_normal = Path::new(name.as_str()).components().all(|c| matches!(c, Component::Normal(_)));
                prop_assert!(only_normal, "{name}");
                prop_assert!(name.as_str().strip_suffix(".md").is_some());
                prop_assert_eq!(name.as_str().parse::<PromptName>().unwrap(), name);
            }
        }
    }
}
