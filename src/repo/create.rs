//! New repositories for demonstrations: one with a first commit, or a bare one and its clones. None that exists is touched,
//! and no git has to be installed.

use std::fs;
use std::path::Path;

use git2::build::{CheckoutBuilder, TreeUpdateBuilder};
use git2::{FileMode, Repository, RepositoryInitOptions, Signature};

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
    create_empty_directory(directory)?;
    let git = initialised(directory, beginning).map_err(failed)?;
    set_person(&git, beginning.person).map_err(failed)?;
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

/// Makes a bare repository in `directory`, which must be empty or absent, with the first commit on its branch.
///
/// Its configuration is its own: no templates. Writes are not made durable.
pub fn create_bare(directory: &Path, beginning: &Beginning<'_>) -> Result<(), RepoError> {
    let failed = |source| RepoError::Git { doing: "make a repository", place: directory.to_owned(), source };
    create_empty_directory(directory)?;
    let mut options = RepositoryInitOptions::new();
    options.bare(true).no_reinit(true).external_template(false).initial_head(beginning.branch);
    let write = || {
        let git = Repository::init_opts(directory, &options)?;
        let mut update = TreeUpdateBuilder::new();
        for (name, text) in beginning.files {
            update.upsert(*name, git.blob(text.as_bytes())?, FileMode::Blob);
        }
        let empty = git.find_tree(git.treebuilder(None)?.write()?)?;
        let tree = git.find_tree(update.create_updated(&git, &empty)?)?;
        let by = Signature::now(&beginning.person.name, &beginning.person.email)?;
        git.commit(Some("HEAD"), &by, &by, beginning.message, &tree, &[]).map(|_| ())
    };
    write().map_err(failed)
}

/// Makes a clone of the bare repository `remote`, an absolute path, in `directory`, which must be empty or absent:
/// `origin` is where it comes from, its branch is checked out and follows the one there.
///
/// `beginning` says which branch, and who is put on the clone's commits.
pub fn clone_of(
    remote: &Path,
    directory: &Path,
    beginning: &Beginning<'_>,
    ambient: &Ambient,
) -> Result<Repo, RepoError> {
    let failed = |source| RepoError::Git { doing: "make a clone", place: directory.to_owned(), source };
    create_empty_directory(directory)?;
    let git = initialised(directory, beginning).map_err(failed)?;
    set_person(&git, beginning.person).map_err(failed)?;
    git.remote("origin", &remote.to_string_lossy()).map_err(failed)?;
    let directory = fs::canonicalize(directory).map_err(|source| RepoError::Io {
        doing: "open",
        path: directory.to_owned(),
        source,
    })?;
    // With the configuration that this handle has, no filter or conversion of the person's changes what is checked out.
    Library::open(&directory, ambient)?.check_out_first(beginning.branch)?;
    Repo::open(&directory, ambient)
}

/// Makes the directory where there is none; refuses one that holds something.
pub fn create_empty_directory(directory: &Path) -> Result<(), RepoError> {
    let io = |doing| move |source| RepoError::Io { doing, path: directory.to_owned(), source };
    fs::create_dir_all(directory).map_err(io("create"))?;
    let mut entries = fs::read_dir(directory).map_err(io("read"))?;
    if entries.next().is_some() {
        return Err(RepoError::NotEmpty { directory: directory.to_owned() });
    }
    Ok(())
}

fn initialised(directory: &Path, beginning: &Beginning<'_>) -> Result<Repository, git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.no_reinit(true).external_template(false).initial_head(beginning.branch);
    Repository::init_opts(directory, &options)
}

fn set_person(git: &Repository, person: &Person) -> Result<(), git2::Error> {
    let mut own = git.config()?.open_level(git2::ConfigLevel::Local)?;
    own.set_str("user.name", &person.name)?;
    own.set_str("user.email", &person.email)
}

impl Library {
    /// Fetches `origin` into a repository without commits, and checks its branch out.
    fn check_out_first(&self, branch: &str) -> Result<(), RepoError> {
        let fetch_and_check_out = || {
            let git = &self.git;
            git.find_remote("origin")?.fetch(&[] as &[&str], None, None)?;
            let tip = git.find_reference(&format!("refs/remotes/origin/{branch}"))?.peel_to_commit()?;
            git.branch(branch, &tip, false)?.set_upstream(Some(&format!("origin/{branch}")))?;
            git.checkout_head(Some(CheckoutBuilder::new().force()))
        };
        fetch_and_check_out().map_err(self.failed("make a clone"))
    }

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
    fn a_clone_of_a_new_bare_repository_is_as_git_would_have_made_it() {
        let mut test = TestRepo::unborn();
        let remote = test.root.with_file_name("made.git");
        test.root = test.root.with_file_name("a clone");
        let person = person();
        let beginning = beginning(&person);
        create_bare(&remote, &beginning).unwrap();
        clone_of(&remote, &test.root, &beginning, &test.ambient()).unwrap();
        assert_eq!(test.git(&["status", "--short", "--branch"]), "## main...origin/main\n");
        assert_eq!(
            test.git(&["log", "--format=%an <%ae> %s", "--name-only"]),
            "Somebody <somebody@example.org> The beginning\n\na b.txt\ndeep/er/file\n"
        );
        assert_eq!(test.git(&["config", "--local", "user.email"]), "somebody@example.org\n");
        assert_eq!(test.git(&["pull", "--ff-only"]), "Already up to date.\n");
        test.assert_sound();
        let error = create_bare(&remote, &beginning).unwrap_err();
        assert!(matches!(error, RepoError::NotEmpty { .. }), "{error}");
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
