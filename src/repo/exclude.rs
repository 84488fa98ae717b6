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
            crate::durable::create_directories(directory, 0o777)
                .map_err(failed("create the directory of"))?;
        }
        let mut file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed("open"))?;
        file.write_all(addition.as_bytes()).map_err(failed("write"))?;
        file.sync_all().map_err(failed("sync"))?;
        Ok(missing)
    }

    /// The pattern that excludes a directory of the workspace, given relative to it.
    pub fn exclude_pattern(&self, directory: &str) -> String {
        let directory = directory.trim_start_matches("./").trim_matches('/');
        let prefix = String::from_utf8_lossy(self.prefix().as_bytes()).into_owned();
        let place = if prefix.is_empty() { directory.to_owned() } else { format!("{prefix}/{directory}") };
        let special = |character: char| matches!(character, '*' | '?' | '[' | '\\');
        let mut pattern = String::from("/");
        for character in place.chars() {
            if special(character) {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern + "/"
    }
}

#[cfg(test)]
mod tests {
    use crate::repo::testing::TestRepo;

    #[test]
    fn patterns_are_appended_once_after_what_the_user_wrote() {
        let test = TestRepo::with(&[]);
        test.write(".git/info/exclude", "# mine\r\n/logs/\r\n*.o");
        let repo = test.open();
        assert_eq!(repo.exclude(&["/.baton/", "/logs/", "/.baton/"]).unwrap(), ["/.baton/"]);
        assert!(repo.exclude(&["/.baton/", "/logs/"]).unwrap().is_empty());
        let written = std::fs::read_to_string(test.root.join(".git/info/exclude")).unwrap();
        assert_eq!(written, "# mine\r\n/logs/\r\n*.o\n/.baton/\n");
        test.write(".baton/x", "x");
        assert!(repo.dirty().unwrap().is_empty());
    }

    #[test]
    fn a_missing_file_and_directory_are_made() {
        let test = TestRepo::with(&[]);
        std::fs::remove_dir_all(test.root.join(".git/info")).unwrap();
        test.open().exclude(&["/.baton/"]).unwrap();
        assert_eq!(std::fs::read_to_string(test.root.join(".git/info/exclude")).unwrap(), "/.baton/\n");
    }

    #[test]
    fn a_pattern_is_anchored_at_the_workspace() {
        let test = TestRepo::with(&[("sub/a", "1")]);
        assert_eq!(test.open().exclude_pattern("logs"), "/logs/");
        let repo = test.try_open(&test.root.join("sub")).unwrap();
        assert_eq!(repo.exclude_pattern("./logs/"), "/sub/logs/");
        repo.exclude(&[&repo.exclude_pattern("logs")]).unwrap();
        test.write("sub/logs/x", "x");
        assert_eq!(test.status(), "");
    }

    #[test]
    fn a_linked_work_tree_uses_the_shared_file() {
        let test = TestRepo::with(&[]);
        test.git(&["worktree", "add", "-q", "../side"]);
        test.try_open(&test.root.with_file_name("side")).unwrap().exclude(&["/.baton/"]).unwrap();
        test.write(".baton/x", "x");
        assert_eq!(test.status(), "");
    }
}
