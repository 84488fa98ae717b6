//! `info/exclude`: git's ignore file that is nobody's to commit.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};

use super::error::RepoError;
use super::open::Repo;

impl Repo {
    /// Makes sure that each of `patterns` (such as `/logs/`) is a line of the shared `info/exclude`; appends
    /// those that are missing in one write, and leaves what is there as it is.
    ///
    /// Returns the patterns that were appended.
    pub fn exclude<'a>(&self, patterns: &[&'a str]) -> Result<Vec<&'a str>, RepoError> {
        let path = self.common_dir().join("info/exclude");
        let failed = |doing| {
            let path = path.clone();
            move |source| RepoError::Io { doing, path, source }
        };
        let present = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed("read")(error)),
        };
        let has = |pattern: &str| {
            present
                .split(|&byte| byte == b'\n')
                .any(|line| line.strip_suffix(b"\r").unwrap_or(line) == pattern.as_bytes())
        };
        let mut missing: Vec<&str> = Vec::new();
        for &pattern in patterns {
            if !has(pattern) && !missing.contains(&pattern) {
                missing.push(pattern);
            }
        }
        if missing.is_empty() {
            return Ok(missing);
        }
        let mut addition = String::new();
        if !present.is_empty() && !present.ends_with(b"\n") {
            addition.push('\n');
        }
        for pattern in &missing {
            addition.push_str(pattern);
            addition.push('\n');
        }
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(failed("create the directory of"))?;
        }
        let mut file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed("open"))?;
        file.write_all(addition.as_bytes()).map_err(failed("write"))?;
        file.sync_all().map_err(failed("sync"))?;
        Ok(missing)
    }

    /// The pattern that excludes a directory of the workspace, given relative to it.
    pub fn exclude_pattern(&self, directory: &str) -> String {
        let directory = directory.trim_matches('/');
        match self.prefix().to_string() {
            prefix if prefix.is_empty() => format!("/{directory}/"),
            prefix => format!("/{prefix}/{directory}/"),
        }
    }
}
