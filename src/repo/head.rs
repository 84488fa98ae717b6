//! Where the branch is, where it was, and one digest of everything.

use serde::{Deserialize, Serialize};

use super::backend::{Changes, TreeChange};
use super::commit::Commit;
use super::error::RepoError;
use super::open::Repo;
use crate::publish::{Blob, Content, DirtyRecord, FileMode, ObjectId, Rules};

/// HEAD at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The commit.
    pub commit: ObjectId,
    /// Its shortest unambiguous name, at least seven digits.
    pub short: String,
    /// The branch without `refs/heads/`; `None` where HEAD is detached.
    pub branch: Option<String>,
}

/// What a work tree holds, as one comparable value: equal fingerprints mean the same commit and the same
/// content of every file that is not ignored.
///
/// `tree` alone stays the same when changes that are in the work tree are committed, so it tells whether what
/// was verified is what was committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// HEAD.
    pub head: ObjectId,
    /// The tree that would result if everything in the work tree were committed.
    pub tree: ObjectId,
}

/// What happened to HEAD between two moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Movement {
    /// Nothing.
    Unmoved,
    /// The same branch, with more commits on top; [`Repo::commits_since`] names them.
    Advanced,
    /// The same branch, but the old commit is not below the new one any more: reset, amended or rebased.
    Rewritten {
        /// Now.
        to: ObjectId,
    },
    /// Another branch is checked out.
    Switched {
        /// The branch now.
        to: String,
    },
    /// No branch is checked out any more.
    Detached {
        /// Now.
        at: ObjectId,
    },
}

impl Repo {
    /// HEAD now. An unborn branch is an error that names the remedy.
    pub fn head(&self) -> Result<Head, RepoError> {
        self.backend.head()
    }

    /// The digest of a commit, HEAD when the work tree was recorded, and that record. Paths that are baton's own
    /// (`rules`) do not count.
    pub fn fingerprint(
        &self,
        head: &ObjectId,
        record: &DirtyRecord,
        rules: &Rules,
    ) -> Result<Fingerprint, RepoError> {
        let mut changes = Changes::new();
        for (path, dirty) in record.iter().filter(|(path, _)| !rules.is_own(path)) {
            let change = match &dirty.content {
                Content::File(blob) => TreeChange::Put(blob.clone()),
                Content::Submodule(Some(id)) => {
                    TreeChange::Put(Blob { id: id.clone(), mode: FileMode::Submodule })
                }
                Content::Deleted => TreeChange::Remove,
                Content::Submodule(None)
                | Content::NestedRepository
                | Content::Special
                | Content::Unreadable => continue,
            };
            changes.insert(path.clone(), change);
        }
        let tree = self.backend.tree_with(head, &changes)?;
        Ok(Fingerprint { head: head.clone(), tree })
    }

    /// What happened to HEAD between `before` and `now`.
    pub fn movement(&self, before: &Head, now: &Head) -> Result<Movement, RepoError> {
        match &now.branch {
            None if before.branch.is_some() => return Ok(Movement::Detached { at: now.commit.clone() }),
            Some(to) if before.branch.as_ref() != Some(to) => {
                return Ok(Movement::Switched { to: to.clone() });
            }
            _ => {}
        }
        if now.commit == before.commit {
            return Ok(Movement::Unmoved);
        }
        if self.backend.descends(&now.commit, &before.commit)? {
            return Ok(Movement::Advanced);
        }
        Ok(Movement::Rewritten { to: now.commit.clone() })
    }

    /// The commits that HEAD has and `base` has not, oldest first, with the turn whose trailer they carry.
    pub fn commits_since(&self, base: &ObjectId) -> Result<Vec<Commit>, RepoError> {
        let commits = self.backend.commits_between(base, None)?;
        Ok(commits.into_iter().map(Commit::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::repo::testing::{TestRepo, Way, publish, rules};

    #[rstest]
    fn the_tree_that_was_verified_is_the_tree_that_is_committed(
        #[values(Way::Library, Way::Program)] way: Way,
    ) {
        let test = TestRepo::with(&[("a", "1"), ("d/b", "1"), ("d/c", "1")]);
        let repo = test.open_as(way);
        let clean = repo.fingerprint(&repo.head().unwrap().commit, &repo.dirty().unwrap(), &rules()).unwrap();
        assert_eq!(clean.tree.as_str(), test.git(&["rev-parse", "HEAD^{tree}"]).trim());
        test.write("a", "2");
        test.write("new/x", "x");
        std::fs::remove_dir_all(test.root.join("d")).unwrap();
        test.write("sync/state.json", "{}");
        test.write("logs/l", "l");
        let verified =
            repo.fingerprint(&repo.head().unwrap().commit, &repo.dirty().unwrap(), &rules()).unwrap();
        assert_ne!(verified.tree, clean.tree);
        let _ = publish(&repo, &DirtyRecord::default());
        let published =
            repo.fingerprint(&repo.head().unwrap().commit, &repo.dirty().unwrap(), &rules()).unwrap();
        assert_eq!(published.tree, verified.tree);
        assert_ne!(published.head, verified.head);
        assert_eq!(published.tree.as_str(), test.git(&["rev-parse", "HEAD^{tree}"]).trim());
    }

    #[rstest]
    fn what_an_agent_did_to_head_is_told_apart(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[("a", "1")]);
        test.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
        let repo = test.open_as(way);
        let before = repo.head().unwrap();
        assert_eq!(repo.movement(&before, &repo.head().unwrap()).unwrap(), Movement::Unmoved);

        test.git(&["commit", "-q", "--allow-empty", "-m", "the agent's own"]);
        assert_eq!(repo.movement(&before, &repo.head().unwrap()).unwrap(), Movement::Advanced);
        let commits = repo.commits_since(&before.commit).unwrap();
        assert_eq!(commits.len(), 1);
        assert_eq!((commits[0].subject.as_str(), commits[0].turn), ("the agent's own", None));

        test.git(&["reset", "-q", "--hard", "HEAD~2"]);
        let to = repo.head().unwrap().commit;
        assert_eq!(
            repo.movement(&before, &repo.head().unwrap()).unwrap(),
            Movement::Rewritten { to: to.clone() }
        );

        test.git(&["switch", "-q", "-c", "feature/x"]);
        assert_eq!(
            repo.movement(&before, &repo.head().unwrap()).unwrap(),
            Movement::Switched { to: "feature/x".into() }
        );

        test.git(&["checkout", "-q", "--detach"]);
        assert_eq!(repo.movement(&before, &repo.head().unwrap()).unwrap(), Movement::Detached { at: to });
    }

    #[rstest]
    fn a_commit_that_was_pruned_counts_as_rewritten(#[values(Way::Library, Way::Program)] way: Way) {
        let test = TestRepo::with(&[("a", "1")]);
        let repo = test.open_as(way);
        let mut before = repo.head().unwrap();
        before.commit = "1".repeat(40).parse().unwrap();
        assert!(matches!(repo.movement(&before, &repo.head().unwrap()).unwrap(), Movement::Rewritten { .. }));
    }
}
