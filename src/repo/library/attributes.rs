//! Whether anything tells attributes of a path. Where nothing does, libgit2 need not be asked, which looks at every file of
//! attributes anew for each attribute.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use git2::Config;

use super::open::Library;
use crate::publish::RepoPath;

/// The name of a file of attributes in a work tree.
pub(super) const NAME: &str = ".gitattributes";
/// Where libgit2 looks for the attributes of everybody on this machine.
const OF_THE_MACHINE: &str = "/etc/gitattributes";

/// The files of attributes of one moment.
pub(super) struct AttributeFiles<'a> {
    library: &'a Library,
    /// One that is outside of the work tree tells of all paths.
    pub(super) is_outside: bool,
    /// Directories that were looked at, and whether there is one.
    known: HashMap<PathBuf, bool>,
}

impl<'a> AttributeFiles<'a> {
    pub(super) fn new(library: &'a Library, config: &Config) -> Self {
        let is_outside = library.attribute_files_outside(config).iter().any(|file| is_there(file));
        Self { library, is_outside, known: HashMap::new() }
    }

    /// Whether one could say anything about the path: in a directory above it, as a file or in libgit2's copy of the index,
    /// or outside of the work tree.
    pub(super) fn may_tell(&mut self, path: &RepoPath) -> bool {
        self.is_outside || path.as_path().ancestors().skip(1).any(|directory| self.has_one(directory))
    }

    fn has_one(&mut self, directory: &Path) -> bool {
        if let Some(&known) = self.known.get(directory) {
            return known;
        }
        let path = directory.join(NAME);
        // What cannot be read is left to libgit2, which says why.
        let found = is_there(&self.library.place.root.join(&path))
            || !self.library.git.index().is_ok_and(|index| index.get_path(&path, 0).is_none());
        self.known.insert(directory.to_owned(), found);
        found
    }
}

impl Library {
    /// Those that are no part of the work tree; they need not exist.
    pub(super) fn attribute_files_outside(&self, config: &Config) -> Vec<PathBuf> {
        let env = |name: &str| self.place.ambient.path_var(name);
        let configured = config.get_path("core.attributesfile").ok();
        let of_the_user = configured.or_else(|| {
            let home = env("XDG_CONFIG_HOME").or_else(|| env("HOME").map(|home| home.join(".config")));
            home.map(|home| home.join("git/attributes"))
        });
        let mut files = vec![self.place.common_dir.join("info/attributes"), OF_THE_MACHINE.into()];
        files.extend(of_the_user);
        files
    }
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::publish::DirtyRecord;
    use crate::repo::testing::{TestRepo, Way, publish};

    const ASKED: &str = "*.txt text eol=crlf\n";

    fn beside(repo: &TestRepo, path: &str, text: &str) {
        let path = repo.root.with_file_name(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Each is alone in telling that the line ends of the file are git's to convert.
    #[rstest]
    #[case::at_the_root(|test: &mut TestRepo| test.write(".gitattributes", ASKED))]
    #[case::beside_the_file(|test: &mut TestRepo| test.write("d/e/.gitattributes", ASKED))]
    #[case::between(|test: &mut TestRepo| test.write("d/.gitattributes", ASKED))]
    #[case::by_a_link(|test: &mut TestRepo| {
        beside(test, "told", ASKED);
        std::os::unix::fs::symlink("../told", test.root.join(".gitattributes")).unwrap();
    })]
    #[case::in_the_index_alone(|test: &mut TestRepo| {
        test.write("d/.gitattributes", ASKED);
        test.git(&["add", "d/.gitattributes"]);
        test.git(&["commit", "-qm", "attributes"]);
        test.remove("d/.gitattributes");
    })]
    #[case::of_the_repository(|test: &mut TestRepo| test.write(".git/info/attributes", ASKED))]
    #[case::of_the_user(|test: &mut TestRepo| {
        beside(test, "mine", ASKED);
        test.git(&["config", "core.attributesfile", test.root.with_file_name("mine").to_str().unwrap()]);
    })]
    fn every_file_of_attributes_counts(
        #[case] tell: fn(&mut TestRepo),
        #[values(Way::Library, Way::LibraryAlone)] way: Way,
    ) {
        let mut test = TestRepo::with(&[("d/e/kept", "1\n")]);
        let plain = may_tell(&test, "d/e/new.txt");
        assert!(!plain);
        tell(&mut test);
        assert!(may_tell(&test, "d/e/new.txt"));
        if test.git(&["check-attr", "text", "d/e/new.txt"]).ends_with(": unspecified\n") {
            // git follows no link there.
            return;
        }
        test.write("d/e/new.txt", "1\r\n");
        let _ = publish(&test.open_as(way), &DirtyRecord::default());
        assert_eq!(test.git(&["show", "HEAD:d/e/new.txt"]), "1\n");
    }

    fn may_tell(test: &TestRepo, path: &str) -> bool {
        let library = Library::open(&test.root, &test.ambient()).unwrap();
        let config = library.git.config().unwrap();
        AttributeFiles::new(&library, &config).may_tell(&path.into())
    }

    /// libgit2 looks in the home of this process, so that only the look can be shown here.
    #[test]
    fn that_of_the_user_at_home_counts() {
        let test = TestRepo::with(&[]);
        beside(&test, "home/.config/git/attributes", ASKED);
        assert!(may_tell(&test, "a"));
    }

    #[test]
    fn those_of_other_directories_do_not_count() {
        let test = TestRepo::with(&[("other/.gitattributes", ASKED), ("d/e/.gitattributes.txt", "1")]);
        assert!(!may_tell(&test, "d/e/new.txt"));
        assert!(may_tell(&test, "other/below/new.txt"));
    }
}
