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
    /// Where it is shown among the others: file by file, from top to bottom, what is in no file at the end.
    rank: (usize, u64, u64),
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
        let length = whole.chars().count();
        let skipped = if length <= EXCERPT_WIDTH { 0 } else { before.saturating_sub(EXCERPT_WIDTH / 2) };
        let mut text: String = whole
            .chars()
            .skip(skipped)
            .take(EXCERPT_WIDTH)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        text.truncate(text.trim_end().len());
        if length > skipped + EXCERPT_WIDTH {
            text.push('…');
        }
        let column = u64::try_from(before - skipped + 1).ok()?;
        Some(Self { line, column, text })
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
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.rank);
        Self { problems }
    }

    /// What is wrong, file by file, from top to bottom.
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
            rank: (self.sources.len(), 0, 0),
        });
    }

    /// Notes a problem.
    pub(super) fn add(&mut self, origin: &Origin, message: impl Into<String>, help: Option<String>) {
        let (excerpt, rank) = match origin {
            Origin::File { file, line, column } => {
                let source = self.sources.iter().position(|(name, _)| name == file);
                let excerpt = source.and_then(|index| Excerpt::of(&self.sources[index].1, *line, *column));
                (excerpt, (source.unwrap_or(usize::MAX), *line, *column))
            }
            Origin::BuiltIn | Origin::Environment(_) | Origin::Flag(_) => (None, (usize::MAX, 0, 0)),
        };
        let place = origin.to_string();
        self.found.push(Problem { place, message: message.into(), excerpt, help, rank });
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
