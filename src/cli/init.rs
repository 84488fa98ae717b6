//! `baton init`: makes a workspace of an existing directory. It creates what is missing and overwrites nothing.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::ambient::Ambient;
use crate::repo::{Repo, RepoError};

use super::failures::repo_failure;
use super::{Context, Exit, Failure};

/// What `baton init` writes, by its place in the workspace.
const FILES: [(&str, &str); 7] = [
    ("orchestration.yaml", include_str!("init/orchestration.yaml")),
    ("prompts/supervisor.md", include_str!("../../prompts/supervisor.md")),
    ("prompts/main.md", include_str!("../../prompts/main.md")),
    ("prompts/reviewer.md", include_str!("../../prompts/reviewer.md")),
    ("prompts/router.md", include_str!("../../prompts/router.md")),
    ("docs/fix_plan.md", include_str!("init/fix_plan.md")),
    ("input.md", include_str!("init/input.md")),
];
const STATE_DIRECTORY: &str = "sync";
/// What baton writes while it runs, and git must not see.
const EXCLUDED: [&str; 2] = [".baton", "logs"];

/// Make a workspace here: configuration, prompts, a plan. Nothing is overwritten
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Touch no git repository
    #[arg(long)]
    no_git: bool,
}

/// Creates what is missing and says, file by file, what was created and what was kept.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let git =
        if args.no_git { Git::NotWanted } else { find_repository(&context.directory, &context.ambient)? };
    context.output.say(write_workspace(&context.directory, git)?);
    Ok(Exit::Done)
}

/// The repository that the workspace lies in.
#[derive(Debug)]
enum Git {
    NotWanted,
    None,
    At(Box<Repo>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Created,
    Kept,
}

/// What was done, for people.
#[derive(Debug)]
struct Report {
    root: PathBuf,
    made: Vec<(&'static str, Made)>,
    git: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Workspace in {}", self.root.display())?;
        for (name, made) in &self.made {
            let word = match made {
                Made::Created => "created",
                Made::Kept => "kept",
            };
            writeln!(f, "  {word:<8} {name}")?;
        }
        writeln!(f, "{}", self.git)?;
        write!(
            f,
            "Next: write what you want done into docs/fix_plan.md, name your tests under `verify` in\n\
             orchestration.yaml, commit all of it, then `baton run`."
        )
    }
}

fn write_workspace(root: &Path, git: Git) -> Result<Report, Failure> {
    let mut made = Vec::with_capacity(FILES.len() + 1);
    for (name, content) in FILES {
        made.push((name, write_file(root, Path::new(name), content)?));
    }
    made.push(("sync/", write_directory(root, Path::new(STATE_DIRECTORY))?));
    let git = match git {
        Git::NotWanted => "git: left alone, as asked; run with `--no-git` to keep it so.".to_owned(),
        Git::None => {
            "git: there is no repository here. `git init` makes one, so that each turn becomes commits;\n\
                      without it, run with `--no-git`: nothing is committed and nothing can be taken back."
                .to_owned()
        }
        Git::At(repo) => write_exclusion(&repo)?,
    };
    Ok(Report { root: root.to_owned(), made, git })
}

fn write_file(root: &Path, name: &Path, content: &str) -> Result<Made, Failure> {
    let refuse = |error: &io::Error| cannot_create(root, name, error);
    let target = root.join(name);
    let parent = name.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        write_directory(root, parent)?;
    }
    if let Some(made) = look_at_file(root, name)? {
        return Ok(made);
    }
    // By a temporary file, so that a crash leaves no half of a prompt that would then be kept for ever.
    let mut file = tempfile::Builder::new()
        .prefix(".baton-init-")
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(parent.map_or_else(|| root.to_owned(), |parent| root.join(parent)))
        .map_err(|error| refuse(&error))?;
    file.write_all(content.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| refuse(&error))?;
    match file.persist_noclobber(target) {
        Ok(_) => Ok(Made::Created),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(Made::Kept),
        Err(error) => Err(refuse(&error.error)),
    }
}

/// What stands where a file is wanted; `None` if nothing does.
fn look_at_file(root: &Path, name: &Path) -> Result<Option<Made>, Failure> {
    let target = root.join(name);
    match fs::symlink_metadata(&target) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot_create(root, name, &error)),
        Ok(found) if found.is_file() => return Ok(Some(Made::Kept)),
        Ok(_) => {}
    }
    match fs::metadata(&target) {
        Ok(found) if found.is_file() => Ok(Some(Made::Kept)),
        Ok(_) => Err(in_the_way(root, name, "it is not a file")),
        Err(_) => Err(in_the_way(root, name, "it is a symbolic link that leads nowhere")),
    }
}

fn write_directory(root: &Path, name: &Path) -> Result<Made, Failure> {
    let target = root.join(name);
    match fs::create_dir(&target) {
        Ok(()) => return Ok(Made::Created),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(cannot_create(root, name, &error)),
    }
    match target.canonicalize() {
        Ok(real) if !real.is_dir() => Err(in_the_way(root, name, "it is not a directory")),
        Ok(real) if !real.starts_with(root) => {
            Err(in_the_way(root, name, "it is a symbolic link that leads out of the workspace"))
        }
        Ok(_) => Ok(Made::Kept),
        Err(_) => Err(in_the_way(root, name, "it is a symbolic link that leads nowhere")),
    }
}

fn cannot_create(root: &Path, name: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(
        Exit::Operational,
        format!("cannot create `{}` in `{}`: {error}", name.display(), root.display()),
    );
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            failure.help("make the directory writable for you, or choose another with `-C DIR`")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            failure.help("free some space and run `baton init` again: it goes on where it stopped")
        }
        _ => failure.help("run `baton init` again when this is mended: what exists is kept"),
    }
}

fn in_the_way(root: &Path, name: &Path, what: &str) -> Failure {
    Failure::new(Exit::Usage, format!("cannot use `{}` in `{}`: {what}", name.display(), root.display()))
        .help("move it away and run `baton init` again: what else exists is kept")
}

/// The repository whose work tree begins in `directory`.
fn find_repository(directory: &Path, ambient: &Ambient) -> Result<Git, Failure> {
    let repo = match Repo::open(directory, ambient) {
        Ok(repo) => repo,
        // A `.git` that leads nowhere is not the same as no repository.
        Err(RepoError::NotARepository { .. }) if fs::symlink_metadata(directory.join(".git")).is_err() => {
            return Ok(Git::None);
        }
        Err(RepoError::NotARepository { .. }) => {
            let message = format!("`{}` leads to no git repository", directory.join(".git").display());
            return Err(Failure::new(Exit::Usage, message)
                .help("mend it until `git status` works there, or leave git alone with `--no-git`"));
        }
        Err(error) => return Err(repo_failure(&error)),
    };
    if repo.root() == directory {
        return Ok(Git::At(Box::new(repo)));
    }
    Err(Failure::new(
        Exit::Usage,
        format!("`{}` is not the top of its git repository `{}`", directory.display(), repo.root().display()),
    )
    .help(format!("a workspace is a whole repository: `baton -C {} init`", repo.root().display()))
    .help("or leave git alone with `--no-git`"))
}

/// Keeps what baton writes while it runs out of git's sight, without touching a tracked file.
fn write_exclusion(repo: &Repo) -> Result<String, Failure> {
    let patterns = EXCLUDED.map(|directory| repo.exclude_pattern(directory));
    let added = repo.exclude(&patterns.each_ref().map(String::as_str)).map_err(|error| {
        repo_failure(&error).help("or add `/.baton/` and `/logs/` to `.gitignore` yourself")
    })?;
    let shown = |patterns: &[&str]| {
        patterns.iter().map(|pattern| pattern.trim_start_matches('/')).collect::<Vec<_>>().join(" and ")
    };
    Ok(if added.is_empty() {
        format!("git: {} are excluded already.", shown(&patterns.each_ref().map(String::as_str)))
    } else {
        format!("git: excluded {} through info/exclude; no tracked file was touched.", shown(&added))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn scratch() -> (TempDir, PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        (scratch, root)
    }

    fn init(root: &Path) -> Result<String, String> {
        find_repository(root, &Ambient::real())
            .and_then(|git| write_workspace(root, git))
            .map(|report| report.to_string())
            .map_err(|failure| failure.to_string())
            .map(|text| text.replace(root.to_str().unwrap(), "/ws"))
            .map_err(|text| text.replace(root.to_str().unwrap(), "/ws"))
    }

    #[test]
    fn a_new_repository_gets_everything_and_is_told_so_file_by_file() {
        let (_scratch, root) = scratch();
        git2::Repository::init(&root).unwrap();
        insta::assert_snapshot!(init(&root).unwrap(), @r"
        Workspace in /ws
          created  orchestration.yaml
          created  prompts/supervisor.md
          created  prompts/main.md
          created  prompts/reviewer.md
          created  prompts/router.md
          created  docs/fix_plan.md
          created  input.md
          created  sync/
        git: excluded .baton/ and logs/ through info/exclude; no tracked file was touched.
        Next: write what you want done into docs/fix_plan.md, name your tests under `verify` in
        orchestration.yaml, commit all of it, then `baton run`.
        ");
        assert!(!root.join("sync/state.json").exists());
    }

    #[test]
    fn the_second_time_everything_is_kept_byte_for_byte() {
        let (_scratch, root) = scratch();
        git2::Repository::init(&root).unwrap();
        fs::create_dir(root.join("prompts")).unwrap();
        fs::write(root.join("prompts/main.md"), "mine\n").unwrap();
        let first = init(&root).unwrap();
        assert!(first.contains("  kept     prompts/main.md\n  created  prompts/reviewer.md\n"), "{first}");
        let exclude = root.join(".git/info/exclude");
        let before = fs::read(&exclude).unwrap();

        insta::assert_snapshot!(init(&root).unwrap(), @r"
        Workspace in /ws
          kept     orchestration.yaml
          kept     prompts/supervisor.md
          kept     prompts/main.md
          kept     prompts/reviewer.md
          kept     prompts/router.md
          kept     docs/fix_plan.md
          kept     input.md
          kept     sync/
        git: .baton/ and logs/ are excluded already.
        Next: write what you want done into docs/fix_plan.md, name your tests under `verify` in
        orchestration.yaml, commit all of it, then `baton run`.
        ");
        assert_eq!(fs::read_to_string(root.join("prompts/main.md")).unwrap(), "mine\n");
        assert_eq!(fs::read(&exclude).unwrap(), before);
    }

    #[test]
    fn git_does_not_see_the_excluded_directories() {
        let (_scratch, root) = scratch();
        let repository = git2::Repository::init(&root).unwrap();
        fs::write(root.join(".git/info/exclude"), "# no newline at the end\n/logs/").unwrap();
        let said = init(&root).unwrap();
        assert!(said.contains("git: excluded .baton/ through info/exclude"), "{said}");
        for directory in [".baton", "logs"] {
            fs::create_dir(root.join(directory)).unwrap();
            fs::write(root.join(directory).join("file"), "").unwrap();
            assert!(repository.status_should_ignore(Path::new(directory).join("file").as_path()).unwrap());
        }
        assert!(!repository.status_should_ignore(Path::new("prompts/main.md")).unwrap());
    }

    #[test]
    fn a_linked_work_tree_excludes_in_the_shared_git_directory() {
        let (_scratch, root) = scratch();
        let main = root.join("main");
        let repository = git2::Repository::init(&main).unwrap();
        let nobody = git2::Signature::now("nobody", "nobody@example.invalid").unwrap();
        let tree = repository.find_tree(repository.index().unwrap().write_tree().unwrap()).unwrap();
        repository.commit(Some("HEAD"), &nobody, &nobody, "begin", &tree, &[]).unwrap();
        let linked = root.join("linked");
        repository.worktree("linked", &linked, None).unwrap();

        init(&linked).unwrap();
        let text = fs::read_to_string(main.join(".git/info/exclude")).unwrap();
        assert!(text.contains("/.baton/\n/logs/\n"), "{text}");
    }

    #[test]
    fn without_a_repository_it_says_so_and_what_no_git_means() {
        let (_scratch, root) = scratch();
        let said = init(&root).unwrap();
        let git: Vec<&str> = said.lines().skip(9).take(2).collect();
        assert_eq!(
            git.join("\n"),
            "git: there is no repository here. `git init` makes one, so that each turn becomes commits;\n\
             without it, run with `--no-git`: nothing is committed and nothing can be taken back."
        );
        assert!(root.join("prompts/main.md").is_file());
    }

    #[test]
    fn a_repository_is_left_alone_when_that_is_asked() {
        let (_scratch, root) = scratch();
        git2::Repository::init(&root).unwrap();
        let before = fs::read(root.join(".git/info/exclude")).unwrap();
        let said = write_workspace(&root, Git::NotWanted).unwrap().to_string();
        assert!(said.contains("\ngit: left alone, as asked; run with `--no-git` to keep it so.\n"), "{said}");
        assert_eq!(fs::read(root.join(".git/info/exclude")).unwrap(), before);
    }

    #[test]
    fn a_directory_inside_a_repository_is_refused_before_anything_is_written() {
        let (_scratch, root) = scratch();
        git2::Repository::init(&root).unwrap();
        let inner = root.join("inner");
        fs::create_dir(&inner).unwrap();
        let refused = find_repository(&inner, &Ambient::real())
            .unwrap_err()
            .to_string()
            .replace(root.to_str().unwrap(), "/ws");
        assert_eq!(
            refused,
            "error: `/ws/inner` is not the top of its git repository `/ws`\n  \
             help: a workspace is a whole repository: `baton -C /ws init`\n  \
             help: or leave git alone with `--no-git`"
        );
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 0);
    }

    #[test]
    fn a_bare_repository_is_refused() {
        let (_scratch, root) = scratch();
        git2::Repository::init_bare(&root).unwrap();
        assert_eq!(
            init(&root).unwrap_err(),
            "error: `/ws/` is a bare repository, without a work tree; use a clone of it"
        );
    }

    #[test]
    fn a_broken_repository_is_named() {
        let (_scratch, root) = scratch();
        fs::write(root.join(".git"), "gitdir: /nowhere/at/all\n").unwrap();
        assert_eq!(
            init(&root).unwrap_err(),
            "error: `/ws/.git` leads to no git repository\n  \
             help: mend it until `git status` works there, or leave git alone with `--no-git`"
        );
    }

    #[test]
    fn a_link_that_leads_out_of_the_workspace_is_not_followed() {
        let (_scratch, root) = scratch();
        let (_elsewhere, outside) = scratch();
        symlink(&outside, root.join("prompts")).unwrap();
        assert_eq!(
            init(&root).unwrap_err(),
            "error: cannot use `prompts` in `/ws`: it is a symbolic link that leads out of the workspace\n  \
             help: move it away and run `baton init` again: what else exists is kept"
        );
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn a_link_that_stays_in_the_workspace_is_followed() {
        let (_scratch, root) = scratch();
        fs::create_dir(root.join("real")).unwrap();
        symlink("real", root.join("prompts")).unwrap();
        init(&root).unwrap();
        assert!(root.join("real/main.md").is_file());
    }

    #[test]
    fn a_dangling_link_in_place_of_a_file_is_neither_kept_nor_written_through() {
        let (_scratch, root) = scratch();
        symlink(root.join("missing"), root.join("input.md")).unwrap();
        assert_eq!(
            init(&root).unwrap_err(),
            "error: cannot use `input.md` in `/ws`: it is a symbolic link that leads nowhere\n  \
             help: move it away and run `baton init` again: what else exists is kept"
        );
        assert!(!root.join("missing").exists());
    }

    #[test]
    fn a_file_where_a_directory_is_needed_and_the_reverse_are_named() {
        let (_scratch, root) = scratch();
        fs::create_dir(root.join("orchestration.yaml")).unwrap();
        let refused = init(&root).unwrap_err();
        assert!(
            refused.starts_with("error: cannot use `orchestration.yaml` in `/ws`: it is not a file\n"),
            "{refused}"
        );
        fs::remove_dir(root.join("orchestration.yaml")).unwrap();
        fs::write(root.join("docs"), "").unwrap();
        let refused = init(&root).unwrap_err();
        assert!(
            refused.starts_with("error: cannot use `docs` in `/ws`: it is not a directory\n"),
            "{refused}"
        );
    }

    #[test]
    fn a_directory_that_is_not_writable_is_named_with_the_reason() {
        let denied = io::Error::from_raw_os_error(rustix::io::Errno::ACCESS.raw_os_error());
        let failure = cannot_create(Path::new("/ws"), Path::new("orchestration.yaml"), &denied);
        assert_eq!(failure.exit, Exit::Operational);
        assert_eq!(
            failure.to_string(),
            "error: cannot create `orchestration.yaml` in `/ws`: Permission denied (os error 13)\n  \
             help: make the directory writable for you, or choose another with `-C DIR`"
        );
    }

    #[test]
    fn created_files_have_the_permissions_that_the_user_gives_new_files() {
        let (_scratch, root) = scratch();
        init(&root).unwrap();
        fs::write(root.join("by-hand"), "").unwrap();
        let mode = |name: &str| fs::metadata(root.join(name)).unwrap().permissions().mode();
        assert_eq!(mode("input.md"), mode("by-hand"));
    }
}
