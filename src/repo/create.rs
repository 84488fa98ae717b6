//! A new repository with a first commit, for demonstrations. It never touches one that exists.

use std::fs;
use std::path::Path;

use git2::{Repository, RepositoryInitOptions};

use super::error::RepoError;
use super::library::Library;
use super::open::Repo;
use super::preflight::Person;
use crate::ambient::Ambient;

/// What a new repository begins with.
#[derive(Debug, Clone, Copy)]
pub struct Beginning<'a> {
    /// Its branch.
    pub branch: &'a str,
    /// Who is put on its commits, by its own configuration.
    pub person: &'a Person,
    /// The files of the first commit: path below the root, with `/`, and text.
    pub files: &'a [(&'a str, &'a str)],
    /// The first commit's message.
    pub message: &'a str,
}

/// Makes a repository in `directory`, which must be empty or absent, writes the files and commits them.
///
/// Neither templates nor configuration outside the repository have a say in it, as far as `ambient` keeps them out.
pub fn create(directory: &Path, beginning: &Beginning<'_>, ambient: &Ambient) -> Result<Repo, RepoError> {
    let failed = |source| RepoError::Git { doing: "make a repository", place: directory.to_owned(), source };
    let io = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| RepoError::Io { doing, path, source }
    };
    fs::create_dir_all(directory).map_err(io("create", directory))?;
    let mut entries = fs::read_dir(directory).map_err(io("read", directory))?;
    if entries.next().is_some() {
        return Err(RepoError::NotEmpty { directory: directory.to_owned() });
    }
    let mut options = RepositoryInitOptions::new();
    options.no_reinit(true).external_template(false).initial_head(beginning.branch);
    let git = Repository::init_opts(directory, &options).map_err(failed)?;
    let mut own =
        git.config().and_then(|config| config.open_level(git2::ConfigLevel::Local)).map_err(failed)?;
    own.set_str("user.name", &beginning.person.name).map_err(failed)?;
    own.set_str("user.email", &beginning.person.email).map_err(failed)?;
    for (name, text) in beginning.files {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io("create", parent))?;
        }
        fs::write(&path, text).map_err(io("write", &path))?;
    }
    let directory = fs::canonicalize(directory).map_err(io("open", directory))?;
    Library::open(&directory, ambient)?.commit_first(beginning)?;
    Repo::open(&directory, ambient)
}

impl Library {
    fn commit_first(&self, beginning: &Beginning<'_>) -> Result<(), RepoError> {
        let failed = self.failed("make the first commit");
        let mut index = self.git.index().map_err(&failed)?;
        for (name, _) in beginning.files {
            index.add_path(Path::new(name)).map_err(&failed)?;
        }
        index.write().map_err(&failed)?;
        let tree = index.write_tree().and_then(|tree| self.git.find_tree(tree)).map_err(&failed)?;
        let signature = self.signature(beginning.person)?;
        self.git
            .commit(Some("HEAD"), &signature, &signature, beginning.message, &tree, &[])
            .map_err(&failed)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::TestRepo;

    fn person() -> Person {
        Person { name: "Somebody".to_owned(), email: "somebody@example.org".to_owned() }
    }

    const FILES: [(&str, &str); 2] = [("a b.txt", "text\n"), ("deep/er/file", "x")];

    fn beginning(person: &Person) -> Beginning<'_> {
        Beginning { branch: "main", person, files: &FILES, message: "The beginning" }
    }

    #[test]
    fn a_new_repository_has_one_commit_and_nothing_else_to_commit() {
        let mut test = TestRepo::unborn();
        test.root = test.root.with_file_name("made here");
        let person = person();
        create(&test.root, &beginning(&person), &test.ambient()).unwrap();
        assert_eq!(test.status(), "");
        assert_eq!(test.git(&["symbolic-ref", "HEAD"]), "refs/heads/main\n");
        assert_eq!(
            test.git(&["log", "--format=%an <%ae> %s", "--name-only"]),
            "Somebody <somebody@example.org> The beginning\n\na b.txt\ndeep/er/file\n"
        );
        assert_eq!(test.git(&["config", "--local", "user.email"]), "somebody@example.org\n");
        test.assert_sound();
    }

    #[test]
    fn a_directory_that_holds_something_is_refused_and_left_as_it_is() {
        let test = TestRepo::unborn();
        let place = test.root.with_file_name("full");
        fs::create_dir(&place).unwrap();
        fs::write(place.join("mine"), "").unwrap();
        let person = person();
        let error = create(&place, &beginning(&person), &test.ambient()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` is not empty; name an empty directory, or one that does not exist",
                place.display()
            )
        );
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
    }
}
