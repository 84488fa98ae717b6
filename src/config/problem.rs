//! What is wrong with a configuration, and where.

use std::fmt;
use std::sync::Arc;

use super::origin::Origin;
use super::yaml::SyntaxError;

/// One problem, with its place, its line and a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place as it is shown; a file's name alone where the whole file is meant.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// The line of the file, where there is one.
    pub excerpt: Option<Excerpt>,
    /// What to do.
    pub help: Option<String>,
}

/// A line of a file with a mark under one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// From 1.
    pub line: u64,
    /// From 1, in characters of `text`.
    pub column: u64,
    /// The line, cut to what can be shown.
    pub text: String,
}

/// The longest excerpt, in characters.
const EXCERPT_WIDTH: usize = 100;

impl Excerpt {
    /// The excerpt of a place, if the source has that line.
    pub(super) fn of(source: &str, line: u64, column: u64) -> Option<Self> {
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        let whole = source.lines().nth(index)?;
        let before = usize::try_from(column.saturating_sub(1)).ok()?;
        let skipped = before.saturating_sub(EXCERPT_WIDTH / 2);
        let text: String = whole
            .chars()
            .skip(skipped)
            .take(EXCERPT_WIDTH)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let column = u64::try_from(before - skipped + 1).ok()?;
        Some(Self { line, column, text: text.trim_end().to_owned() })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        if let Some(Excerpt { line, column, text }) = &self.excerpt {
            let number = line.to_string();
            let margin = " ".repeat(number.len());
            let indent = " ".repeat(usize::try_from(column.saturating_sub(1)).unwrap_or(0));
            write!(f, "\n  {number} | {text}\n  {margin} | {indent}^")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// The configuration is refused: all that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// A refusal for these problems; there is at least one.
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// What is wrong, in the order of discovery.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "{only}"),
            several => {
                write!(f, "the configuration has {} problems", several.len())?;
                several.iter().try_for_each(|problem| write!(f, "\n\n{problem}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// Collects problems while a configuration is read.
#[derive(Debug, Default)]
pub(super) struct Problems {
    sources: Vec<(Arc<str>, String)>,
    found: Vec<Problem>,
}

impl Problems {
    /// Makes a file's text available for excerpts, under the name by which origins know it.
    pub(super) fn add_source(&mut self, file: &Arc<str>, text: String) {
        self.sources.push((Arc::clone(file), text));
    }

    /// Notes a problem with a whole file.
    pub(super) fn add_file(&mut self, file: &str, message: impl Into<String>, help: Option<&str>) {
        self.found.push(Problem {
            place: file.to_owned(),
            message: message.into(),
            excerpt: None,
            help: help.map(str::to_owned),
        });
    }

    /// Notes a problem.
    pub(super) fn add(&mut self, origin: &Origin, message: impl Into<String>, help: Option<String>) {
        let excerpt = match origin {
            Origin::File { file, line, column } => self
                .sources
                .iter()
                .find(|(name, _)| name == file)
                .and_then(|(_, text)| Excerpt::of(text, *line, *column)),
            Origin::BuiltIn | Origin::Environment(_) | Origin::Flag(_) => None,
        };
        self.found.push(Problem { place: origin.to_string(), message: message.into(), excerpt, help });
    }

    /// Notes that a file is not the YAML that we read.
    pub(super) fn add_syntax(&mut self, file: &Arc<str>, error: SyntaxError) {
        let SyntaxError { line, column, message, help } = error;
        if line == 0 {
            self.add_file(file, message, help.as_deref());
        } else {
            self.add(&Origin::File { file: Arc::clone(file), line, column }, message, help);
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them.
    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}
