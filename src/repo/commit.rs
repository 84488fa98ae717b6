//! Commits by category, from HEAD's tree plus the chosen paths.

use std::collections::BTreeMap;

use git2::{ErrorCode, Oid};

use super::content::ContentReader;
use super::error::{GitLock, RepoError};
use super::head::Head;
use super::index::{IndexRefresh, LOCK_PAUSE, Refreshed, WorkTree};
use super::object::{object_id, oid};
use super::open::Repo;
use super::preflight::Identity;
use super::tree::{TreeChange, TreeDifference, edit_tree, tree_difference, write_to};
use crate::model::TurnId;
use crate::publish::{Batch, ObjectId, RepoPath};

/// A commit in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: ObjectId,
    /// The first line of its message.
    pub subject: String,
    /// The turn whose trailer it carries.
    pub turn: Option<TurnId>,
}

/// One commit to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPlan {
    /// What it changes.
    pub batch: Batch,
    /// Its message; with the turn's trailer, or a restart cannot recognise it.
    pub message: String,
}

/// What to commit on top of what.
#[derive(Debug, Clone, Copy)]
pub struct CommitOrder<'a> {
    /// HEAD as it was when the selection was made; it must not have moved.
    pub head: &'a Head,
    /// The commits, in their order.
    pub plans: &'a [CommitPlan],
    /// Who is put on them.
    pub identity: &'a Identity,
}

/// What was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Committed {
    /// One for each plan that changed something, in order, each with its plan's batch.
    pub commits: Vec<(ObjectId, Batch)>,
    /// What became of the index.
    pub index: IndexRefresh,
}

impl Repo {
    /// Commits each plan's paths as the work tree holds them, and moves the branch once, by compare-and-swap:
    /// either all of the commits are on it or none. Then refreshes just those paths in the index.
    ///
    /// Any path that is not as it was selected stops everything before the branch moves. When this returns `Ok`,
    /// objects and branch are on disk.
    pub fn commit(&self, order: CommitOrder<'_>) -> Result<Committed, RepoError> {
        let moved = |branch: &str| RepoError::BranchMoved {
            branch: branch.to_owned(),
            expected: order.head.commit.clone(),
        };
        let Some(branch) = order.head.branch.as_deref() else {
            return Err(RepoError::DetachedHead { commit: order.head.short.clone() });
        };
        let now = self.head()?;
        if now.branch.as_deref() != Some(branch) || now.commit != order.head.commit {
            return Err(moved(branch));
        }
        let changes = self.store_all(order.plans)?;
        let failed = self.failed("make a commit");
        let base = oid(&order.head.commit).map_err(&failed)?;
        let author = self.signature(&order.identity.author)?;
        let committer = self.signature(&order.identity.committer)?;
        let mut tip = self.git.find_commit(base).map_err(&failed)?;
        let mut commits = Vec::new();
        let mut refreshed: BTreeMap<RepoPath, Refreshed> = BTreeMap::new();
        for (plan, changes) in order.plans.iter().zip(&changes) {
            let parent_tree = tip.tree().map_err(&failed)?;
            let tree = edit_tree(&self.git, &parent_tree, changes, &write_to(&self.git)).map_err(&failed)?;
            if tree == parent_tree.id() {
                continue;
            }
            let tree = self.git.find_tree(tree).map_err(&failed)?;
            merge_difference(
                &mut refreshed,
                tree_difference(&self.git, &parent_tree, &tree).map_err(&failed)?,
            );
            let id =
                self.git.commit(None, &author, &committer, &plan.message, &tree, &[&tip]).map_err(&failed)?;
            tip = self.git.find_commit(id).map_err(&failed)?;
            commits.push((object_id(id), plan.batch.clone()));
        }
        if commits.is_empty() {
            return Ok(Committed { commits, index: IndexRefresh::Done { superseded: Vec::new() } });
        }
        let log = format!("baton: {} commits", commits.len());
        // libgit2 syncs the directory that an object is put into, not the one in which it made that directory.
        let objects = self.common_dir().join("objects");
        std::fs::File::open(&objects)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| RepoError::Io { doing: "sync", path: objects, source })?;
        // Under the lock of the index: nobody makes a commit of the index of before on top of ours.
        let index = self.prepare_index(&refreshed, WorkTree::JustRead);
        self.move_branch(branch, base, tip.id(), &log)?;
        Ok(Committed { commits, index: index.put_in_place() })
    }

    /// Compare-and-swap; another git's lock is waited for, with a limit.
    fn move_branch(&self, branch: &str, from: Oid, to: Oid, log: &str) -> Result<(), RepoError> {
        let reference = format!("refs/heads/{branch}");
        let waiting = self.ambient.stopwatch();
        loop {
            match self.git.reference_matching(&reference, to, true, from, log) {
                Ok(_) => return Ok(()),
                Err(error) if error.code() == ErrorCode::Modified => {
                    let expected = object_id(from);
                    return Err(RepoError::BranchMoved { branch: branch.to_owned(), expected });
                }
                Err(error) if error.code() == ErrorCode::Locked => {
                    if waiting.elapsed() > self.lock_patience {
                        let path = self.common_dir().join(format!("{reference}.lock"));
                        return Err(RepoError::Locked { lock: GitLock { path } });
                    }
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(error) => return Err(self.failed("move the branch")(error)),
            }
        }
    }

    /// Every blob is stored and compared before any tree is made.
    fn store_all(&self, plans: &[CommitPlan]) -> Result<Vec<BTreeMap<RepoPath, TreeChange>>, RepoError> {
        let mut reader = ContentReader::new(self)?;
        let mut stored = Vec::with_capacity(plans.len());
        for plan in plans {
            let mut changes = BTreeMap::new();
            for (path, selected) in &plan.batch.paths {
                let stale = || RepoError::ChangedSinceSelected { path: path.clone() };
                let change = match &selected.content {
                    Some(blob) => {
                        let id = reader.store(path, blob, selected.head.as_ref())?.ok_or_else(stale)?;
                        TreeChange::Put { id, mode: blob.mode }
                    }
                    None if reader.is_absent(path) => TreeChange::Remove,
                    None => return Err(stale()),
                };
                changes.insert(path.clone(), change);
            }
            stored.push(changes);
        }
        Ok(stored)
    }

    /// The commits since `base` that carry the trailer of `turn`, oldest first: after a crash, they tell a turn
    /// whose branch moved from one that has nothing committed.
    pub fn find_commits(&self, base: &ObjectId, turn: TurnId) -> Result<Vec<Commit>, RepoError> {
        let mut commits = self.commits_since(base)?;
        commits.retain(|commit| commit.turn == Some(turn));
        Ok(commits)
    }

    /// Does what a kill between commit and refresh left undone: brings the index entries of these commits' paths
    /// up to date where they still hold what was there before. Entries that were staged since stay.
    pub fn refresh_index_after(&self, commits: &[Commit]) -> Result<IndexRefresh, RepoError> {
        let failed = self.failed("compare commits");
        let mut refreshed = BTreeMap::new();
        for commit in commits {
            let commit = oid(&commit.id).and_then(|id| self.git.find_commit(id)).map_err(&failed)?;
            let tree = commit.tree().map_err(&failed)?;
            let parent = commit.parent(0).and_then(|parent| parent.tree()).map_err(&failed)?;
            merge_difference(&mut refreshed, tree_difference(&self.git, &parent, &tree).map_err(&failed)?);
        }
        Ok(self.refresh_index(&refreshed, WorkTree::Unknown))
    }
}

/// Adds a later commit's changes: the newest version counts, and the version before the first of them.
fn merge_difference(refreshed: &mut BTreeMap<RepoPath, Refreshed>, difference: TreeDifference) {
    for (path, (new, old)) in difference {
        refreshed.entry(path).and_modify(|earlier| earlier.new = new).or_insert(Refreshed { new, old });
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rstest::rstest;

    use super::*;
    use crate::publish::{DirtyRecord, LeftReason, RefusedReason};
    use crate::repo::IndexBackend;
    use crate::repo::testing::{TestRepo, commit, paths, plans, publish, try_publish, turn};

    fn open(repo: &TestRepo, backend: Backend) -> Repo {
        match backend {
            Backend::Git => repo.open(),
            Backend::BuiltIn => repo.open_built_in(),
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Backend {
        Git,
        BuiltIn,
    }

    #[test]
    fn git_is_found_where_it_is_installed() {
        let test = TestRepo::with(&[]);
        assert!(matches!(test.open().index_backend, IndexBackend::Git(_)));
    }

    #[rstest]
    fn additions_changes_deletions_and_renames_are_committed_and_status_is_clean(
        #[values(Backend::Git, Backend::BuiltIn)] backend: Backend,
    ) {
        let test = TestRepo::with(&[("a/deep/one", "1"), ("gone", "g"), ("old", "moved"), ("keep", "k")]);
        let repo = open(&test, backend);
        let before = repo.dirty().unwrap();
        test.write("a/deep/one", "changed");
        test.write("a/deep/er/two", "2");
        test.remove("gone");
        test.remove("old");
        test.write("new", "moved");
        let (_, committed) = publish(&repo, &before);
        assert_eq!(committed.index, IndexRefresh::Done { superseded: Vec::new() });
        assert_eq!(test.status(), "");
        assert_eq!(
            test.git(&["log", "-1", "--format=%B", "--no-renames", "--name-status"]),
            "RALPH AUTO (prompt=main.md) (iter=00003): work\n\n\
             A a/deep/er/two\nM a/deep/one\nD gone\nR old -> new\n\n\
             Baton-Turn: 01JD5F3Z8K0000000000000000\n\n\n\
             A\ta/deep/er/two\nM\ta/deep/one\nD\tgone\nA\tnew\nD\told\n"
        );
        test.assert_sound();
    }

    #[rstest]
    fn each_category_is_a_commit_of_its_own(#[values(Backend::Git, Backend::BuiltIn)] backend: Backend) {
        let test = TestRepo::with(&[("lib.rs", "1")]);
        let repo = open(&test, backend);
        let before = repo.dirty().unwrap();
        test.write("lib.rs", "2");
        test.write("docs/fix_plan.md", "- [x] it\n");
        let (_, committed) = publish(&repo, &before);
        assert_eq!(committed.commits.len(), 2);
        assert_eq!(
            test.git(&["log", "--format=%s", "--name-only", "--reverse", "HEAD~2.."]),
            "RALPH AUTO (prompt=main.md) (iter=00003): doc/meta hygiene\n\ndocs/fix_plan.md\n\
             RALPH AUTO (prompt=main.md) (iter=00003): work\n\nlib.rs\n"
        );
        assert_eq!(test.git(&["reflog", "-1", "--format=%gs"]), "baton: 2 commits\n");
        test.assert_sound();
    }

    #[rstest]
    fn what_the_user_staged_stays_staged_and_is_not_committed(
        #[values(Backend::Git, Backend::BuiltIn)] backend: Backend,
    ) {
        let test = TestRepo::with(&[("lib.rs", "1"), ("both", "0"), ("dirty", "0")]);
        test.write("staged", "secret plan");
        test.write("both", "staged");
        test.git(&["add", "staged", "both"]);
        test.write("both", "and more");
        test.write("dirty", "half done");
        let was = test.status();
        assert_eq!(was, "MM both\n M dirty\nA  staged\n");
        let repo = open(&test, backend);
        let before = repo.dirty().unwrap();
        test.write("lib.rs", "2");
        let (selection, _) = publish(&repo, &before);
        assert_eq!(paths(&selection), ["lib.rs"]);
        assert_eq!(selection.left.len(), 3);
        assert!(selection.left.values().all(|reason| *reason == LeftReason::DirtyBefore));
        assert_eq!(test.status(), was);
        assert_eq!(test.git(&["show", "--format=", "--name-only", "HEAD"]), "lib.rs\n");
        assert_eq!(test.git(&["show", ":both"]), "staged");
    }

    #[rstest]
    #[case::changed_again("dirty", Some("more"))]
    #[case::reverted("dirty", Some("0"))]
    #[case::deleted("dirty", None)]
    #[case::staged_then_changed("staged", Some("more"))]
    fn a_path_that_was_dirty_and_changed_stops_the_turn(#[case] path: &str, #[case] text: Option<&str>) {
        let test = TestRepo::with(&[("dirty", "0")]);
        test.write("dirty", "half done");
        test.write("staged", "s");
        test.git(&["add", "staged"]);
        let repo = test.open();
        let before = repo.dirty().unwrap();
        match text {
            Some(text) => test.write(path, text),
            None => test.remove(path),
        }
        let now = repo.dirty_since(&before).unwrap();
        let selection = crate::publish::decide_selection(
            &before,
            &now,
            crate::model::Actor::Ralph,
            &crate::repo::testing::rules(),
        );
        let refused: Vec<_> = selection.refused.into_iter().collect();
        assert_eq!(refused, [(path.into(), RefusedReason::ChangedWhileDirty)]);
    }

    #[rstest]
    fn modes_and_links_are_committed_as_they_are(#[values(Backend::Git, Backend::BuiltIn)] backend: Backend) {
        let test = TestRepo::with(&[("run.sh", "#!/bin/sh\n"), ("file", "f"), ("dir/a", "a")]);
        let repo = open(&test, backend);
        let before = repo.dirty().unwrap();
        std::fs::set_permissions(test.root.join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
        symlink("nowhere/at all", test.root.join("dangling")).unwrap();
        test.remove("file");
        symlink("run.sh", test.root.join("file")).unwrap();
        std::fs::create_dir(test.root.join("elsewhere")).unwrap();
        test.write("elsewhere/a", "a");
        std::fs::remove_dir_all(test.root.join("dir")).unwrap();
        symlink("elsewhere", test.root.join("dir")).unwrap();
        let (_, committed) = publish(&repo, &before);
        assert_eq!(committed.index, IndexRefresh::Done { superseded: Vec::new() });
        assert_eq!(test.status(), "");
        let tree = test.git(&["ls-tree", "-r", "--format=%(objectmode) %(path)", "HEAD"]);
        assert_eq!(tree, "120000 dangling\n120000 dir\n100644 elsewhere/a\n120000 file\n100755 run.sh\n");
        test.assert_sound();
    }

    #[rstest]
    fn files_and_directories_may_change_places(#[values(Backend::Git, Backend::BuiltIn)] backend: Backend) {
        let test = TestRepo::with(&[("plain", "p"), ("dir/x", "x"), ("dir/y.md", "y")]);
        let repo = open(&test, backend);
        let before = repo.dirty().unwrap();
        test.remove("plain");
        test.write("plain/inside", "i");
        std::fs::remove_dir_all(test.root.join("dir")).unwrap();
        test.write("dir", "now a file");
        let (_, committed) = publish(&repo, &before);
        assert_eq!(committed.index, IndexRefresh::Done { superseded: Vec::new() });
        assert_eq!(test.status(), "");
        assert_eq!(test.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "dir\nplain/inside\n");
        test.assert_sound();
    }

    #[rstest]
    fn names_may_be_any_bytes(#[values(Backend::Git, Backend::BuiltIn)] backend: Backend) {
        let test = TestRepo::with(&[("x", "x")]);
        let repo = open(&test, backend);
        let before = repo.dirty().unwrap();
        let names: [&[u8]; 6] = [b"two\nlines", b"\xff\xfe", b" lead", b"quo\"te", b"d\xc3/\xa9", b"-rf"];
        for name in names {
            let path = test.root.join(std::ffi::OsStr::from_bytes(name));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let (selection, _) = publish(&repo, &before);
        assert_eq!(selection.batches[0].paths.len(), names.len());
        assert_eq!(test.status(), "");
        assert_eq!(test.run(&["ls-tree", "-rz", "--name-only", "HEAD"]).stdout.split(|b| *b == 0).count(), 8);
        test.assert_sound();
    }

    #[test]
    fn a_workspace_below_the_root_commits_only_what_is_its_own() {
        let test = TestRepo::with(&[("other/a", "1"), ("work/b", "1"), ("work/sync/x", "1")]);
        let repo = test.try_open(&test.root.join("work")).unwrap();
        assert_eq!(*repo.prefix(), "work".into());
        let before = repo.dirty().unwrap();
        test.write("other/a", "2");
        test.write("work/b", "2");
        test.write("work/docs/fix_plan.md", "plan");
        test.write("work/logs/l", "log");
        let (selection, committed) = publish(&repo, &before);
        assert_eq!(paths(&selection), ["work/docs/fix_plan.md", "work/b"]);
        assert_eq!(committed.commits.len(), 2);
        assert_eq!(selection.left[&"other/a".into()], LeftReason::OutsideWorkspace);
        assert_eq!(selection.left[&"work/logs/l".into()], LeftReason::Logs);
        assert_eq!(test.status(), " M other/a\n?? work/logs/\n");
        test.write("work/sync/x", "2");
        let (selection, _) = try_publish(&repo, &before);
        assert_eq!(selection.refused[&"work/sync/x".into()], RefusedReason::Protected);
    }

    #[rstest]
    fn line_endings_are_converted_as_git_does(#[values(Backend::Git, Backend::BuiltIn)] backend: Backend) {
        let test =
            TestRepo::with(&[(".gitattributes", "*.txt text eol=crlf\n*.bin -text\n"), ("a.txt", "1\r\n")]);
        let repo = open(&test, backend);
        let before = repo.dirty().unwrap();
        assert!(before.is_empty());
        test.write("a.txt", "1\r\n2\r\n");
        test.write("b.txt", "b\r\n");
        test.write("c.bin", "c\r\n");
        let objects = test.git(&["count-objects"]);
        repo.dirty().unwrap();
        assert_eq!(test.git(&["count-objects"]), objects);
        let _ = publish(&repo, &before);
        assert_eq!(test.status(), "");
        assert_eq!(test.git(&["show", "HEAD:a.txt"]), "1\n2\n");
        assert_eq!(test.git(&["show", "HEAD:b.txt"]), "b\n");
        assert_eq!(test.git(&["show", "HEAD:c.bin"]), "c\r\n");
    }

    #[test]
    fn autocrlf_is_applied_from_the_configuration() {
        let test = TestRepo::with(&[("a", "1\n")]);
        test.git(&["config", "core.autocrlf", "input"]);
        let repo = test.open();
        test.write("b", "b\r\n");
        let _ = publish(&repo, &DirtyRecord::default());
        assert_eq!(test.git(&["show", "HEAD:b"]), "b\n");
        assert_eq!(test.status(), "");
    }

    #[test]
    fn a_file_that_needs_a_filter_is_left_alone_and_said_so() {
        let test = TestRepo::with(&[(".gitattributes", "*.big filter=lfs\n")]);
        let repo = test.open();
        test.write("model.big", "weights");
        let (selection, _) = publish(&repo, &DirtyRecord::default());
        let reason = &selection.left[&"model.big".into()];
        assert_eq!(*reason, LeftReason::Filter("lfs".into()));
        assert_eq!(reason.to_string(), "it needs the git filter `lfs`, which would not be applied");
    }

    #[test]
    fn a_path_that_changes_after_the_selection_stops_everything() {
        let test = TestRepo::with(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let repo = test.open();
        for path in ["a", "b"] {
            test.write(path, "2");
        }
        test.remove("c");
        let now = repo.dirty().unwrap();
        let selection = crate::publish::decide_selection(
            &DirtyRecord::default(),
            &now,
            crate::model::Actor::Ralph,
            &crate::repo::testing::rules(),
        );
        let head = repo.head().unwrap();
        for (path, text) in [("b", "3"), ("c", "back")] {
            test.write(path, text);
            let error = commit(&repo, &selection).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "`{path}` changed while it was being committed; nothing was committed, and the work tree is as it was"
                )
            );
            assert_eq!(repo.head().unwrap(), head);
            test.write("b", "2");
        }
    }

    #[test]
    fn a_branch_that_moved_since_the_selection_is_not_overwritten() {
        let test = TestRepo::with(&[("a", "1")]);
        let repo = test.open();
        test.write("a", "2");
        let (head, identity) = (repo.head().unwrap(), repo.identity().unwrap());
        let selection = crate::publish::decide_selection(
            &DirtyRecord::default(),
            &repo.dirty().unwrap(),
            crate::model::Actor::Ralph,
            &crate::repo::testing::rules(),
        );
        test.git(&["commit", "-q", "--allow-empty", "-m", "theirs"]);
        let order = CommitOrder { head: &head, plans: &plans(&selection), identity: &identity };
        let error = repo.commit(order).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the branch `main` moved from {} while its next commit was made; nothing was committed, and the work tree is as it was",
                head.commit
            )
        );
        assert_eq!(test.git(&["log", "-1", "--format=%s"]), "theirs\n");
    }

    #[test]
    fn a_locked_branch_is_reported_and_its_lock_kept() {
        let test = TestRepo::with(&[("a", "1")]);
        let repo = test.open();
        test.write("a", "2");
        let lock = test.root.join(".git/refs/heads/main.lock");
        std::fs::write(&lock, "").unwrap();
        let error = try_publish(&repo, &DirtyRecord::default()).1.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` exists: another git is at work there, or was killed; if no git is running in this repository, remove the file and start again",
                lock.display()
            )
        );
        assert!(lock.exists());
    }

    #[rstest]
    fn an_index_that_stays_locked_leaves_the_commit_and_can_be_refreshed_later(
        #[values(Backend::Git, Backend::BuiltIn)] backend: Backend,
    ) {
        let test = TestRepo::with(&[("a", "1"), ("gone", "1"), ("user", "1")]);
        let repo = open(&test, backend);
        let base = repo.head().unwrap().commit;
        test.write("a", "2");
        test.write("new", "n");
        test.remove("gone");
        let lock = test.root.join(".git/index.lock");
        std::fs::write(&lock, "").unwrap();
        let (_, committed) = publish(&repo, &DirtyRecord::default());
        assert!(matches!(&committed.index, IndexRefresh::Failed { reason } if reason.contains("index.lock")));
        assert!(lock.exists());
        std::fs::remove_file(&lock).unwrap();
        // What a restart does, after the user has staged and edited in the meantime.
        test.write("user", "2");
        test.git(&["add", "user"]);
        test.write("new", "edited later");
        let repo = open(&test, backend);
        let ours = repo.find_commits(&base, turn()).unwrap();
        assert_eq!(ours.len(), 1);
        assert_eq!(repo.refresh_index_after(&ours).unwrap(), IndexRefresh::Done { superseded: Vec::new() });
        assert_eq!(test.status(), " M new\nM  user\n");
        assert_eq!(repo.refresh_index_after(&ours).unwrap(), IndexRefresh::Done { superseded: Vec::new() });
        assert_eq!(test.status(), " M new\nM  user\n");
    }

    #[test]
    fn a_restart_recognises_the_commits_of_its_turn_and_no_others() {
        let test = TestRepo::with(&[("a", "1")]);
        let repo = test.open();
        let base = repo.head().unwrap().commit;
        assert_eq!(repo.find_commits(&base, turn()).unwrap(), []);
        test.git(&["commit", "-q", "--allow-empty", "-m", "the agent's own"]);
        test.write("a", "2");
        test.write("input.md", "2");
        let (_, committed) = publish(&repo, &DirtyRecord::default());
        let found = repo.find_commits(&base, turn()).unwrap();
        let ids: Vec<_> = found.iter().map(|commit| commit.id.clone()).collect();
        let made: Vec<_> = committed.commits.iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(ids, made);
        assert_eq!(repo.commits_since(&base).unwrap().len(), 3);
        let other = "01JD5F3Z8K0000000000000001".parse().unwrap();
        assert_eq!(repo.find_commits(&base, other).unwrap(), []);
    }

    #[rstest]
    fn a_version_staged_during_the_turn_gives_way_and_is_named(
        #[values(Backend::Git, Backend::BuiltIn)] backend: Backend,
    ) {
        let test = TestRepo::with(&[("a", "1")]);
        let repo = open(&test, backend);
        test.write("a", "2");
        test.git(&["add", "a"]);
        let staged: ObjectId = test.git(&["rev-parse", ":a"]).trim().parse().unwrap();
        test.write("a", "3");
        let (_, committed) = publish(&repo, &DirtyRecord::default());
        let IndexRefresh::Done { superseded } = committed.index else { panic!("not refreshed") };
        assert_eq!(superseded.len(), 1);
        assert_eq!((&superseded[0].path, &superseded[0].staged), (&"a".into(), &staged));
        assert_eq!(test.git(&["cat-file", "-p", staged.as_str()]), "2");
        assert_eq!(test.status(), "");
    }

    #[rstest]
    fn a_concurrent_git_add_loses_nothing(#[values(Backend::Git, Backend::BuiltIn)] backend: Backend) {
        let test = TestRepo::with(&[("ours/a", "0")]);
        let names: Vec<String> = (0..60).map(|n| format!("theirs-{n}")).collect();
        for name in &names {
            test.write(name, "t");
        }
        let mut repo = open(&test, backend);
        repo.lock_patience = std::time::Duration::from_secs(20);
        let before = repo.dirty().unwrap();
        let adding = test.spawn_adds(&names);
        let mut turns = 0;
        while !adding.is_finished() {
            turns += 1;
            test.write("ours/a", &turns.to_string());
            let (_, committed) = publish(&repo, &before);
            assert_eq!(committed.index, IndexRefresh::Done { superseded: Vec::new() });
        }
        let added = adding.join().unwrap();
        assert!(turns > 3 && added.len() > 10, "{turns} turns, {} adds", added.len());
        let status = test.status();
        for name in &added {
            assert!(status.contains(&format!("A  {name}\n")), "{name} is lost");
        }
        assert!(!status.contains("ours"));
        assert_eq!(test.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "ours/a\n");
        test.assert_sound();
    }

    #[test]
    fn a_linked_work_tree_commits_on_its_own_branch() {
        let test = TestRepo::with(&[("a", "1")]);
        test.git(&["worktree", "add", "-q", "-b", "side", "../side"]);
        let root = test.root.with_file_name("side");
        let repo = test.try_open(&root).unwrap();
        assert_ne!(repo.git_dir(), repo.common_dir());
        std::fs::write(root.join("a"), "2").unwrap();
        let _ = publish(&repo, &DirtyRecord::default());
        let status = test.run_in(&root, &["status", "--porcelain", "-b"]).stdout;
        assert_eq!(String::from_utf8_lossy(&status), "## side\n");
        assert_eq!(test.git(&["log", "--format=%s", "main"]), "first\n");
        assert_eq!(test.status(), "");
    }

    #[test]
    fn nothing_to_commit_moves_nothing() {
        let test = TestRepo::with(&[("a", "1")]);
        let repo = test.open();
        let (_, committed) = publish(&repo, &DirtyRecord::default());
        assert_eq!(committed.commits, []);
        assert_eq!(test.git(&["rev-list", "--count", "HEAD"]), "1\n");
    }
}
