//! Commits replayed on another one, in memory.

use super::raw;
use crate::publish::{ObjectId, RepoPath};
use crate::repo::backend::{Changes, Difference, Merge, Merged, RawCommit, StoredCommit, TreeChange};
use crate::repo::commit::Commit;
use crate::repo::error::RepoError;
use crate::repo::open::Repo;

/// What came of replaying commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// The newest of the new commits; where nothing was left to replay, what they were to be replayed on.
    Tip(ObjectId),
    /// This commit and what it was to be put on have changed the same places. Nothing was changed.
    Conflict {
        /// The commit, as it was.
        commit: Commit,
        /// Where, in order; of a renamed file both names.
        paths: Vec<RepoPath>,
    },
}

/// Where the new history ends.
struct Tip {
    commit: ObjectId,
    tree: ObjectId,
}

impl Repo {
    /// Replays the commits that `tip` has and neither `base` nor `onto` has on `onto`, along first parents, durably; moves no
    /// branch.
    ///
    /// Authors, committers, dates and messages stay; signatures are made anew where commits are signed, else dropped.
    /// `ours`: paths that every new commit has as `onto` does. Commits that become empty are dropped; those that were
    /// empty before stay. A merge keeps its other parents, but those that the new history has in any case.
    ///
    /// The same call makes the same commits (unless they are signed).
    pub fn replay(
        &self,
        base: &ObjectId,
        tip: &ObjectId,
        onto: &ObjectId,
        ours: &[RepoPath],
    ) -> Result<Replayed, RepoError> {
        let tree = self.backend.store_tree(onto, &Changes::new())?;
        let mut now = Tip { commit: onto.clone(), tree };
        for commit in self.backend.main_line([base, onto], tip)? {
            if let Err(paths) = self.replay_one(&commit, &mut now, ours)? {
                let commit = RawCommit { message: raw::message(&commit.content), id: commit.id };
                return Ok(Replayed::Conflict { commit: commit.into(), paths });
            }
        }
        if now.commit != *onto {
            self.sync_objects(&self.backend.objects_between(onto, Some(&now.commit))?)?;
        }
        Ok(Replayed::Tip(now.commit))
    }

    /// `Err`: where the conflict is.
    fn replay_one(
        &self,
        commit: &StoredCommit,
        tip: &mut Tip,
        ours: &[RepoPath],
    ) -> Result<Result<(), Vec<RepoPath>>, RepoError> {
        let parents = raw::parents(&commit.content);
        let (parent, others) = match parents.split_first() {
            Some((parent, others)) => (Some(parent), others),
            None => (None, [].as_slice()),
        };
        let all = self.backend.difference(None, &commit.id)?;
        let was_empty = all.is_empty();
        let (held, own): (Difference, Difference) =
            all.into_iter().partition(|(path, _)| ours.contains(path));
        if parent == Some(&tip.commit) && held.is_empty() {
            // It stands where it shall stand.
            tip.tree = self.backend.store_tree(&commit.id, &Changes::new())?;
            tip.commit = commit.id.clone();
            return Ok(Ok(()));
        }
        let tree = if own.is_empty() {
            tip.tree.clone()
        } else {
            match self.apply(commit, parent, &own, &held, tip)? {
                Merged::Tree(tree) => tree,
                Merged::Conflict(paths) => return Ok(Err(paths)),
            }
        };
        let mut new_parents = vec![tip.commit.clone()];
        for other in others {
            if !self.contains(&tip.commit, other)? {
                new_parents.push(other.clone());
            }
        }
        let is_meant_empty = was_empty && others.is_empty();
        if tree == tip.tree && new_parents.len() == 1 && !is_meant_empty {
            return Ok(Ok(()));
        }
        let content = raw::rewritten(&commit.content, &tree, &new_parents);
        *tip = Tip { commit: self.backend.store_replayed(&content)?, tree };
        Ok(Ok(()))
    }

    /// What the commit changed (`own`, but for what is `held`), on the tree of the tip.
    fn apply(
        &self,
        commit: &StoredCommit,
        parent: Option<&ObjectId>,
        own: &Difference,
        held: &Difference,
        tip: &Tip,
    ) -> Result<Merged, RepoError> {
        if let Some(parent) = parent
            && is_independent(own, &self.backend.difference(Some(parent), &tip.commit)?)
        {
            let changes =
                own.iter().map(|(path, versions)| (path.clone(), changed_to(versions.new.as_ref())));
            return self.backend.store_tree(&tip.commit, &changes.collect()).map(Merged::Tree);
        }
        let held = held.iter().map(|(path, versions)| (path.clone(), changed_to(versions.old.as_ref())));
        let held = held.collect();
        self.backend.merge(&Merge { base: parent, ours: &tip.commit, theirs: &commit.id, held: &held })
    }
}

fn changed_to(version: Option<&crate::publish::Blob>) -> TreeChange {
    version.map_or(TreeChange::Remove, |blob| TreeChange::Put(blob.clone()))
}

/// Whether neither of two sets of changes is at, above or below a path of the other: then no merge is needed, and what it
/// takes does not depend on how many files there are.
fn is_independent(one: &Difference, other: &Difference) -> bool {
    let meets = |paths: &Difference, path: &RepoPath| {
        let parents = path.as_path().ancestors().filter(|parent| !parent.as_os_str().is_empty());
        parents.into_iter().any(|parent| paths.contains_key(&RepoPath::from_path(parent)))
    };
    let any = |one: &Difference, other: &Difference| one.keys().any(|path| meets(other, path));
    !any(one, other) && !any(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::backend::Versions;

    fn difference(paths: &[&str]) -> Difference {
        paths.iter().map(|path| ((*path).into(), Versions { new: None, old: None })).collect()
    }

    #[test]
    fn changes_are_independent_where_no_path_is_at_above_or_below_one_of_the_other() {
        for (one, other, wanted) in [
            (&["a", "d/x"][..], &["b", "d/y"][..], true),
            (&["a"], &[], true),
            (&["a"], &["a"], false),
            (&["a"], &["a/b/c"], false),
            (&["a/b/c"], &["a"], false),
            (&["a.b"], &["a"], true),
        ] {
            assert_eq!(is_independent(&difference(one), &difference(other)), wanted, "{one:?} {other:?}");
        }
    }
}
