//! One line of the report.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use serde_json::json;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// A person should know.
    Warn,
    /// Turns cannot be taken, or not safely.
    Fail,
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) name: &'static str,
    pub(super) what: String,
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Ok, name, what: what.into(), remedy: None }
    }

    pub(super) fn warn(name: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warn, name, what: what.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn fail(name: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Fail, name, what: what.into(), remedy: None }
    }

    #[must_use]
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        write!(f, "{level:<5}{}: {}", self.name, self.what.replace('\n', "\n     "))?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n     remedy: {remedy}"),
            None => Ok(()),
        }
    }
}

/// The report for people: repairs, findings, and what they come to.
pub(super) fn in_words(repairs: &[String], findings: &[Finding]) -> String {
    let mut lines: Vec<String> = repairs.iter().map(|repair| format!("fixed {repair}")).collect();
    lines.extend(findings.iter().map(Finding::to_string));
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    lines.push(match (count(Level::Fail), count(Level::Warn)) {
        (0, 0) => "Everything is in order.".to_owned(),
        (0, 1) => "Turns can be taken; 1 thing should be looked at.".to_owned(),
        (0, warnings) => format!("Turns can be taken; {warnings} things should be looked at."),
        (1, _) => "1 thing must be put right before turns can be taken.".to_owned(),
        (failures, _) => format!("{failures} things must be put right before turns can be taken."),
    });
    lines.join("\n")
}

/// The report as one JSON document.
pub(super) fn as_json(root: &Path, repairs: &[String], findings: &[Finding]) -> String {
    let healthy = findings.iter().all(|finding| finding.level != Level::Fail);
    json!({ "workspace": root.display().to_string(), "healthy": healthy, "fixed": repairs, "checks": findings })
        .to_string()
}
