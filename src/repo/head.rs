//! Where the branch is, where it was, and one digest of everything.

use std::collections::BTreeMap;

use git2::{ErrorCode, Oid};
use serde::{Deserialize, Serialize};

use super::commit::Commit;
use super::error::RepoError;
use super::object::{object_id, oid};
use super::open::Repo;
use super::tree::{TreeChange, edit_tree};
use crate::publish::{Content, DirtyRecord, FileMode, ObjectId, RepoPath, Rules, turn_of_message};

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
    /// The same branch, with more commits on top, oldest first.
    Advanced(Vec<Commit>),
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
        let failed = self.failed("read HEAD");
        let head = self.git.find_reference("HEAD").map_err(&failed)?;
        let branch = head.symbolic_target_bytes().map(|target| {
            let name = target.strip_prefix(b"refs/heads/").unwrap_or(target);
            String::from_utf8_lossy(name).into_owned()
        });
        let resolved = match head.resolve() {
            Ok(resolved) => resolved,
            Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::UnbornBranch) => {
                return Err(RepoError::NoCommits { branch: branch.unwrap_or_default() });
            }
            Err(error) => return Err(failed(error)),
        };
        let commit = resolved.peel_to_commit().map_err(&failed)?;
        let short = commit.as_object().short_id().map_err(&failed)?;
        let short = short.as_str().map_err(&failed)?.to_owned();
        Ok(Head { commit: object_id(commit.id()), short, branch })
    }

    /// The digest of HEAD and a record of the work tree. Paths that are baton's own (`rules`) do not count.
    pub fn fingerprint(&self, record: &DirtyRecord, rules: &Rules) -> Result<Fingerprint, RepoError> {
        let failed = self.failed("read HEAD's tree");
        let head = self.head()?;
        let commit = oid(&head.commit).and_then(|id| self.git.find_commit(id)).map_err(&failed)?;
        let tree = commit.tree().map_err(&failed)?;
        let mut changes: BTreeMap<RepoPath, TreeChange> = BTreeMap::new();
        for (path, dirty) in record.iter().filter(|(path, _)| !rules.is_own(path)) {
            let change = match &dirty.content {
                Content::File(blob) => {
                    TreeChange::Put { id: oid(&blob.id).map_err(&failed)?, mode: blob.mode }
                }
                Content::Submodule(Some(id)) => {
                    TreeChange::Put { id: oid(id).map_err(&failed)?, mode: FileMode::Submodule }
                }
                Content::Deleted => TreeChange::Remove,
                Content::Submodule(None)
                | Content::NestedRepository
                | Content::Special
                | Content::Unreadable => continue,
            };
            changes.insert(path.clone(), change);
        }
        let hash = |bytes: &[u8]| Oid::hash_object(git2::ObjectType::Tree, bytes);
        let edited = edit_tree(&self.git, &tree, &changes, &hash).map_err(&failed)?;
        Ok(Fingerprint { head: head.commit, tree: object_id(edited) })
    }

    /// What happened to HEAD since `before` was read; commits that the agent made itself are found here.
    pub fn movement_since(&self, before: &Head) -> Result<Movement, RepoError> {
        let now = self.head()?;
        match now.branch {
            None if before.branch.is_some() => return Ok(Movement::Detached { at: now.commit }),
            Some(to) if before.branch.as_ref() != Some(&to) => return Ok(Movement::Switched { to }),
            _ => {}
        }
        if now.commit == before.commit {
            return Ok(Movement::Unmoved);
        }
        let failed = self.failed("compare commits");
        let (old, new) = (oid(&before.commit).map_err(&failed)?, oid(&now.commit).map_err(&failed)?);
        // A rewritten history may have been pruned: then the old commit itself is gone.
        let exists = self.git.odb().map_err(&failed)?.exists(old);
        if exists && self.git.graph_descendant_of(new, old).map_err(&failed)? {
            return Ok(Movement::Advanced(self.commits_since(&before.commit)?));
        }
        Ok(Movement::Rewritten { to: now.commit })
    }

    /// The commits that HEAD has and `base` has not, oldest first, with the turn whose trailer they carry.
    pub fn commits_since(&self, base: &ObjectId) -> Result<Vec<Commit>, RepoError> {
        let failed = self.failed("list commits");
        let mut walk = self.git.revwalk().map_err(&failed)?;
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE).map_err(&failed)?;
        walk.push_head().map_err(&failed)?;
        oid(base).and_then(|base| walk.hide(base)).map_err(&failed)?;
        let mut commits = Vec::new();
        for id in walk {
            let commit = id.and_then(|id| self.git.find_commit(id)).map_err(&failed)?;
            let message = String::from_utf8_lossy(commit.message_bytes());
            commits.push(Commit {
                id: object_id(commit.id()),
                subject: message.lines().next().unwrap_or_default().to_owned(),
                turn: turn_of_message(&message),
            });
        }
        Ok(commits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::{TestRepo, publish, rules};

    #[test]
    fn the_tree_that_was_verified_is_the_tree_that_is_committed() {
        let test = TestRepo::with(&[("a", "1"), ("d/b", "1"), ("d/c", "1")]);
        let repo = test.open();
        let clean = repo.fingerprint(&repo.dirty().unwrap(), &rules()).unwrap();
        assert_eq!(clean.tree.as_str(), test.git(&["rev-parse", "HEAD^{tree}"]).trim());
        test.write("a", "2");
        test.write("new/x", "x");
        std::fs::remove_dir_all(test.root.join("d")).unwrap();
        test.write("sync/state.json", "{}");
        test.write("logs/l", "l");
        let verified = repo.fingerprint(&repo.dirty().unwrap(), &rules()).unwrap();
        assert_ne!(verified.tree, clean.tree);
        let _ = publish(&repo, &DirtyRecord::default());
        let published = repo.fingerprint(&repo.dirty().unwrap(), &rules()).unwrap();
        assert_eq!(published.tree, verified.tree);
        assert_ne!(published.head, verified.head);
        assert_eq!(published.tree.as_str(), test.git(&["rev-parse", "HEAD^{tree}"]).trim());
    }

    #[test]
    fn what_an_agent_did_to_head_is_told_apart() {
        let test = TestRepo::with(&[("a", "1")]);
        test.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
        let repo = test.open();
        let before = repo.head().unwrap();
        assert_eq!(repo.movement_since(&before).unwrap(), Movement::Unmoved);

        test.git(&["commit", "-q", "--allow-empty", "-m", "the agent's own"]);
        let Movement::Advanced(commits) = repo.movement_since(&before).unwrap() else {
            panic!("not advanced")
        };
        assert_eq!(commits.len(), 1);
        assert_eq!((commits[0].subject.as_str(), commits[0].turn), ("the agent's own", None));

        test.git(&["reset", "-q", "--hard", "HEAD~2"]);
        let to = repo.head().unwrap().commit;
        assert_eq!(repo.movement_since(&before).unwrap(), Movement::Rewritten { to: to.clone() });

        test.git(&["switch", "-q", "-c", "feature/x"]);
        assert_eq!(repo.movement_since(&before).unwrap(), Movement::Switched { to: "feature/x".into() });

        test.git(&["checkout", "-q", "--detach"]);
        assert_eq!(repo.movement_since(&before).unwrap(), Movement::Detached { at: to });
    }

    #[test]
    fn a_commit_that_was_pruned_counts_as_rewritten() {
        let test = TestRepo::with(&[("a", "1")]);
        let repo = test.open();
        let mut before = repo.head().unwrap();
        before.commit = "1".repeat(40).parse().unwrap();
        assert!(matches!(repo.movement_since(&before).unwrap(), Movement::Rewritten { .. }));
    }
}
