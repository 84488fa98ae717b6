//! Which paths of a large work tree may differ from HEAD: whatever is not in this list is as in HEAD, by the very rule by
//! which git itself takes a file for unchanged. What became of those in the list, git is asked, but for plain files whose
//! content tells.
//!
//! A whole `git status` looks up each file by its full path, in up to twenty threads. Here each directory is opened once, and
//! its files are looked up in it. Where anything is out of the ordinary the answer is `None`, and git looks at
//! everything.

#[cfg(target_os = "linux")]
mod excluded;
#[cfg(target_os = "linux")]
mod settle;
#[cfg(target_os = "linux")]
mod staged;
#[cfg(target_os = "linux")]
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use super::super::backend::Changed;
use super::open::Library;
use crate::publish::RepoPath;

#[cfg(target_os = "linux")]
pub(super) use walk::Names;

/// With more paths than this, git looks at everything in about the time that it takes for them.
#[cfg(target_os = "linux")]
const MOST: usize = 500;

/// What is not provably as in HEAD.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// Files that are not.
    pub(super) changed: BTreeMap<RepoPath, Changed>,
    /// Paths that may differ, in the index or in the work tree; a directory stands for all below it.
    pub(super) unclear: BTreeSet<RepoPath>,
}

/// Elsewhere nothing is kept of a look.
#[cfg(not(target_os = "linux"))]
#[derive(Debug, Default)]
pub(super) struct Names;

#[cfg(target_os = "linux")]
impl Library {
    pub(super) fn suspects(&self) -> Option<Suspects> {
        self.look(|index, unproven, staged| self.settle(index, unproven, &staged))
    }

    /// Offers what is not proved, and of that what is staged.
    fn look<T>(
        &self,
        take: impl FnOnce(&super::index_file::IndexFile<'_>, BTreeSet<RepoPath>, Vec<RepoPath>) -> T,
    ) -> Option<T> {
        use std::io::Read as _;
        use std::os::unix::fs::MetadataExt as _;

        use super::index_file::{IndexFile, moment};
        use crate::durable::syncs_as_a_whole;

        let mut file = std::fs::File::open(self.place.git_dir.join("index")).ok()?;
        // Of the file that is read: one that is replaced meanwhile stays as it was for whoever has it open.
        let metadata = file.metadata().ok()?;
        let (written, _) = moment(metadata.modified().ok()?);
        let moment = walk::Moment { written, begun: metadata.ctime() };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let index = IndexFile::parse(&bytes)?;
        self.follow_attributes(&index).ok()?;
        let staged = staged::differing(&self.git, &index)?;
        let mut names = self.names.borrow_mut();
        // Others than those file systems may not tell at once what another machine has done.
        let names = syncs_as_a_whole(&self.place.root).then_some(&mut *names);
        let unproven = walk::differing(&self.place.root, &index.entries, moment, names)?;
        let staged: Vec<RepoPath> = staged.into_iter().map(RepoPath::from_bytes).collect();
        let mut unproven: BTreeSet<RepoPath> = unproven.into_iter().map(RepoPath::from_bytes).collect();
        let excluded = excluded::Excluded::now(&self.place);
        unproven.retain(|path| !excluded.covers(path));
        unproven.extend(staged.iter().cloned());
        (unproven.len() <= MOST).then(|| take(&index, unproven, staged))
    }
}

#[cfg(not(target_os = "linux"))]
impl Library {
    /// Elsewhere git looks at everything.
    pub(super) fn suspects(&self) -> Option<Suspects> {
        None
    }
}

#[cfg(test)]
mod tests;
