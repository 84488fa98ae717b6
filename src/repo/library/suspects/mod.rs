//! Which paths of a large work tree may differ from HEAD: whatever is not in this list is as in HEAD, by the very rule by
//! which git itself takes a file for unchanged. What became of those in the list, git is asked.
//!
//! A whole `git status` looks up each file by its full path, in up to twenty threads. Here each directory is opened once, its
//! names are read, and its files are looked up in it. Where anything is out of the ordinary the answer is `None`, and
//! git looks at everything.

#[cfg(target_os = "linux")]
mod staged;
#[cfg(target_os = "linux")]
mod walk;

use std::collections::BTreeSet;

use super::open::Library;
use crate::publish::RepoPath;

/// With more paths than this, git looks at everything in about the time that it takes for them.
#[cfg(target_os = "linux")]
const MOST: usize = 500;

impl Library {
    /// The paths that may differ from HEAD, in the index or in the work tree; a directory stands for all below it.
    #[cfg(target_os = "linux")]
    pub(super) fn suspects(&self) -> Option<BTreeSet<RepoPath>> {
        use std::io::Read as _;

        use super::index_file::{IndexFile, moment};

        let mut file = std::fs::File::open(self.place.git_dir.join("index")).ok()?;
        // Of the file that is read: one that is replaced meanwhile stays as it was for whoever has it open.
        let (written, _) = moment(file.metadata().ok()?.modified().ok()?);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let index = IndexFile::parse(&bytes)?;
        self.follow_attributes(&index).ok()?;
        let mut found = staged::differing(&self.git, &index)?;
        found.extend(walk::differing(&self.place.root, &index.entries, written)?);
        let found: BTreeSet<RepoPath> = found.into_iter().map(RepoPath::from_bytes).collect();
        (found.len() <= MOST).then_some(found)
    }

    /// Elsewhere git looks at everything.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn suspects(&self) -> Option<BTreeSet<RepoPath>> {
        None
    }
}

#[cfg(test)]
mod tests;
