//! The packs that a look has stored, made durable: libgit2 does not sync them.
//!
//! It is done before anything names their commits: a reference to commits that a loss of power took would stop every later look.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use git2::Repository;

/// Those that come from now on.
pub(super) struct NewPacks {
    directory: PathBuf,
    before: BTreeSet<OsString>,
}

impl NewPacks {
    pub(super) fn since_now(git: &Repository) -> Self {
        let directory = git.commondir().join("objects/pack");
        Self { before: names_in(&directory), directory }
    }

    /// Makes them durable, with their names.
    pub(super) fn sync(self) -> io::Result<()> {
        let new: Vec<OsString> = names_in(&self.directory).difference(&self.before).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        for name in new {
            match File::open(self.directory.join(name)).and_then(|file| file.sync_all()) {
                // Another look's draft, which has its name by now.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                synced => synced?,
            }
        }
        File::open(&self.directory)?.sync_all()
    }
}

fn names_in(directory: &Path) -> BTreeSet<OsString> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
}
