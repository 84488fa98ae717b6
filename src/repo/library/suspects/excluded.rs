//! Directories that `info/exclude` names as they are, such as our own logs: git need not be asked about them where no rule can
//! take one in again.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::super::super::place::Place;
use crate::publish::RepoPath;

/// The file as it is now.
pub(super) struct Excluded<'a> {
    place: &'a Place,
    /// `None`: it takes something in again, or cannot be read.
    lines: Option<Vec<Vec<u8>>>,
}

impl<'a> Excluded<'a> {
    pub(super) fn now(place: &'a Place) -> Self {
        Self { place, lines: rules(&place.common_dir.join("info/exclude")) }
    }

    /// Whether git leaves this directory out with all that is below it. `false` where only git can tell.
    pub(super) fn covers(&self, path: &RepoPath) -> bool {
        let Some(lines) = &self.lines else { return false };
        let line = [b"/", path.as_bytes(), b"/"].concat();
        let is_plain = !line.iter().any(|byte| b"*?[\\".contains(byte));
        let is_directory =
            || self.place.absolute(path).symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        // The files of the directories above count for more than this one. Below it git does not look.
        let is_final = || {
            let mut above = path.as_path().ancestors().skip(1);
            above.all(|above| rules(&self.place.root.join(above).join(".gitignore")).is_some())
        };
        is_plain && lines.contains(&line) && is_directory() && is_final()
    }
}

/// The lines of a file of patterns, none where there is no file; `None` where one of them takes something in again.
fn rules(file: &Path) -> Option<Vec<Vec<u8>>> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(_) => return None,
    };
    let lines =
        text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec());
    let lines: Vec<Vec<u8>> = lines.collect();
    let takes_in = |line: &Vec<u8>| line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).starts_with(b"!");
    (!lines.iter().any(takes_in)).then_some(lines)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::super::open::Library;
    use crate::publish::RepoPath;
    use crate::repo::testing::TestRepo;

    const EXCLUDE: &str = ".git/info/exclude";

    /// A repository with a directory that is excluded as baton does it.
    fn with_logs() -> TestRepo {
        let test = TestRepo::with(&[("a", "1"), ("d/b", "1")]);
        test.write(EXCLUDE, "# mine\r\n/logs/\n/d/logs/\n");
        test.write("logs/x", "1");
        test.write("d/logs/x", "1");
        test
    }

    /// Whether it is known without git; what is known has to be what git says.
    fn is_known(test: &TestRepo, path: &str) -> bool {
        let library = Library::open(&test.root, &test.ambient()).unwrap();
        let covered = super::Excluded::now(&library.place).covers(&path.into());
        let status = test.git(&["status", "--porcelain", "--untracked-files=all", "--", path]);
        assert!(!covered || status.is_empty(), "{path}: {status}");
        covered
    }

    #[test]
    fn a_directory_that_is_excluded_by_its_name_is_known() {
        let test = with_logs();
        for path in ["logs", "d/logs"] {
            assert!(is_known(&test, path));
            let suspects = Library::open(&test.root, &test.ambient()).unwrap().suspects().unwrap();
            assert!(!suspects.unclear.contains(&RepoPath::from(path)), "{suspects:?}");
        }
        assert!(!is_known(&test, "d"));
        test.write("logs.txt", "1");
        assert!(!is_known(&test, "logs.txt"));
    }

    #[rstest]
    #[case::taken_in_beside_it(|test: &TestRepo| test.write(EXCLUDE, "/logs/\n!/logs/\n"))]
    #[case::taken_in_by_a_file_above(|test: &TestRepo| test.write(".gitignore", "*.o\n!logs\n"))]
    #[case::taken_in_after_a_mark(|test: &TestRepo| test.write(".gitignore", "\u{feff}!logs\n"))]
    #[case::told_by_a_directory(|test: &TestRepo| test.write(".gitignore/below", ""))]
    #[case::otherwise_excluded(|test: &TestRepo| test.write(EXCLUDE, "logs\n"))]
    #[case::no_directory(|test: &TestRepo| {
        std::fs::remove_dir_all(test.root.join("logs")).unwrap();
        test.write("logs", "1");
    })]
    #[case::a_link(|test: &TestRepo| {
        std::fs::remove_dir_all(test.root.join("logs")).unwrap();
        std::os::unix::fs::symlink("d", test.root.join("logs")).unwrap();
    })]
    fn git_is_asked_where_there_may_be_more_to_it(#[case] change: fn(&TestRepo)) {
        let test = with_logs();
        assert!(is_known(&test, "logs"));
        change(&test);
        assert!(!is_known(&test, "logs"));
    }

    #[test]
    fn what_a_file_between_takes_in_is_gits_to_tell() {
        let test = with_logs();
        test.write("d/.gitignore", "!logs/\n");
        assert!(!is_known(&test, "d/logs"));
        assert!(is_known(&test, "logs"));
    }
}
