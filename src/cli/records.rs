//! Finding a workspace's records by path alone: opening the repository costs more than all else that `status` does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::ambient::Ambient;
use crate::ledger::{Home, IsolatedPlace, Locked};
use crate::model::Actor;

/// Where records were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Records {
    /// The directory.
    pub(crate) home: Home,
    /// Whose they are.
    pub(crate) kind: RecordsKind,
}

/// Which runs wrote the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordsKind {
    /// Runs that use the repository.
    Git,
    /// Runs with `--no-git`.
    NoGit,
}

impl RecordsKind {
    /// What `baton run` is given to use these records.
    pub(crate) const fn flag(self) -> &'static str {
        match self {
            Self::Git => "",
            Self::NoGit => " --no-git",
        }
    }
}

/// The records of a workspace, or `None` where nothing was run yet. Where there are some of runs with git and some
/// without, the ones that a live process holds count, else the ones that were written last.
pub(crate) fn find_records(root: &Path, ambient: &Ambient) -> Option<Records> {
    // The records of an isolated loop are found also where its tree has lost its link to git.
    let isolated = IsolatedPlace::around(root).map(|place| place.home());
    let with_git = isolated.or_else(|| find_git_dir(root).map(|git_dir| Home::in_git_dir(&git_dir)));
    let with_git = with_git.map(|home| (home, RecordsKind::Git));
    let without = Home::in_state_directory(root, ambient).ok().map(|home| (home, RecordsKind::NoGit));
    with_git
        .into_iter()
        .chain(without)
        .filter(|(home, _)| home.root().is_dir())
        .map(|(home, kind)| Records { home, kind })
        .max_by_key(|records| {
            let held = Actor::ALL.iter().any(|seat| records.home.seat_is_taken(*seat) == Locked::Yes);
            (held, last_written(&records.home.ledger()), records.kind == RecordsKind::Git)
        })
}

fn last_written(ledger: &Path) -> Option<SystemTime> {
    let mut log = ledger.as_os_str().to_owned();
    log.push("-wal");
    let written = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    written(ledger).max(written(Path::new(&log)))
}

/// The git directory of the work tree that holds `root`: `.git`, or where the file of that name points to.
pub(crate) fn find_git_dir(root: &Path) -> Option<PathBuf> {
    let (top, entry) = root.ancestors().find_map(|folder| {
        let entry = folder.join(".git");
        entry.symlink_metadata().is_ok().then_some((folder, entry))
    })?;
    if entry.is_dir() {
        return Some(entry);
    }
    let text = fs::read_to_string(&entry).ok()?;
    let target = top.join(text.strip_prefix("gitdir:")?.trim());
    target.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn ambient(home: &Path) -> Ambient {
        let env: BTreeMap<_, _> = [("HOME".into(), home.as_os_str().to_owned())].into();
        Ambient::fixed(jiff::Timestamp::UNIX_EPOCH, env)
    }

    #[test]
    fn the_git_directory_is_what_git_itself_says_also_in_a_linked_work_tree() {
        let scratch = tempfile::tempdir().unwrap();
        let base = scratch.path().canonicalize().unwrap();
        let repository = git2::Repository::init(base.join("repo")).unwrap();
        let author = git2::Signature::new("T", "t@example.org", &git2::Time::new(0, 0)).unwrap();
        let tree = repository.find_tree(repository.index().unwrap().write_tree().unwrap()).unwrap();
        repository.commit(Some("HEAD"), &author, &author, "first", &tree, &[]).unwrap();
        let linked = repository.worktree("linked", &base.join("linked"), None).unwrap();
        let opened = git2::Repository::open_from_worktree(&linked).unwrap();

        fs::create_dir_all(base.join("repo/below")).unwrap();
        assert_eq!(find_git_dir(&base.join("repo/below")).unwrap(), base.join("repo/.git"));
        assert_eq!(
            Home::in_git_dir(&find_git_dir(&base.join("linked")).unwrap()),
            Home::in_git_dir(opened.path())
        );
    }

    #[test]
    fn records_of_runs_without_git_are_found_and_the_held_ones_win() {
        let scratch = tempfile::tempdir().unwrap();
        let base = scratch.path().canonicalize().unwrap();
        let root = base.join("repo");
        git2::Repository::init(&root).unwrap();
        let ambient = ambient(&base);
        assert_eq!(find_records(&root, &ambient), None);

        let with_git = Home::in_git_dir(&root.join(".git"));
        with_git.create().unwrap();
        assert_eq!(find_records(&root, &ambient).unwrap().kind, RecordsKind::Git);
        let without = Home::in_state_directory(&root, &ambient).unwrap();
        without.create().unwrap();
        assert_eq!(find_records(&root, &ambient).unwrap().kind, RecordsKind::Git);
        let _held = without.lock_seat(Actor::Ralph, &ambient).unwrap();
        assert_eq!(find_records(&root, &ambient).unwrap().kind, RecordsKind::NoGit);
    }
}
