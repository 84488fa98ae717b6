//! The index after a commit: just the committed paths, under git's own lock.

use std::collections::BTreeMap;
use std::fs::File;

use super::backend::{Difference, Versions, WorkTree};
use super::commit::Commit;
use super::error::RepoError;
use super::open::Repo;
use crate::publish::{ObjectId, RepoPath};

/// A staged version that the refresh replaced; it was neither HEAD's nor the committed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupersededEntry {
    /// The path.
    pub path: RepoPath,
    /// Its staged content; `git cat-file -p` still prints it.
    pub staged: ObjectId,
}

/// What became of the index after a commit. The commit stands in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexRefresh {
    /// The committed paths, and no others, are as in the new HEAD.
    Done {
        /// Staged versions of those very paths that gave way.
        superseded: Vec<SupersededEntry>,
    },
    /// The index is as it was, so it shows the reverse of the commit as staged: say so, and try again.
    Failed {
        /// In git's words.
        reason: String,
    },
}

impl Repo {
    pub(super) fn refresh_index(&self, difference: &Difference, work_tree: WorkTree) -> IndexRefresh {
        let paths: Vec<&RepoPath> = difference.keys().collect();
        // One that cannot be read counts as empty here: the refresh itself will say what is wrong.
        let staged = self.backend.staged(&paths).unwrap_or_else(|_| vec![None; paths.len()]);
        let mut superseded = Vec::new();
        let mut due: BTreeMap<&RepoPath, &Versions> = BTreeMap::new();
        for ((path, versions), staged) in difference.iter().zip(staged) {
            if staged == versions.new && work_tree == WorkTree::Unknown {
                continue;
            }
            if staged != versions.old && staged != versions.new {
                if work_tree == WorkTree::Unknown {
                    continue;
                }
                if let Some(staged) = staged {
                    superseded.push(SupersededEntry { path: path.clone(), staged: staged.id });
                }
            }
            due.insert(path, versions);
        }
        if due.is_empty() {
            return IndexRefresh::Done { superseded };
        }
        // An index of before the commit would show its reverse as staged, after a loss of power.
        let synced = || File::open(self.git_dir()).and_then(|directory| directory.sync_all());
        let written = self.backend.write_index(&due, work_tree);
        match written.and_then(|()| synced().map_err(|error| error.to_string())) {
            Ok(()) => IndexRefresh::Done { superseded },
            Err(reason) => IndexRefresh::Failed { reason },
        }
    }

    /// Does what a kill between commit and refresh left undone: brings the index entries of these commits' paths
    /// up to date where they still hold what was there before. Entries that were staged since stay.
    pub fn refresh_index_after(&self, commits: &[Commit]) -> Result<IndexRefresh, RepoError> {
        let mut all = Difference::new();
        for commit in commits {
            for (path, versions) in self.backend.difference(None, &commit.id)? {
                // The newest version counts, and the version before the first of them.
                all.entry(path)
                    .and_modify(|earlier| earlier.new.clone_from(&versions.new))
                    .or_insert(versions);
            }
        }
        Ok(self.refresh_index(&all, WorkTree::Unknown))
    }
}
