//! A work tree's files: written, put back, compared with HEAD.

use git2::build::CheckoutBuilder;
use git2::{Status, StatusOptions};

use super::super::backend::BesideHead;
use super::super::error::RepoError;
use super::open::Library;

/// The mode of a submodule in an index.
const SUBMODULE: u32 = 0o160_000;

impl Library {
    pub(super) fn check_out_head(&self) -> Result<(), RepoError> {
        self.git.checkout_head(Some(CheckoutBuilder::new().force())).map_err(self.failed("check out"))
    }

    pub(super) fn check_out_missing(&self) -> Result<(), RepoError> {
        let failed = self.failed("restore missing files");
        if !self.place.git_dir.join("index").is_file() {
            let tree = self.git.head().and_then(|head| head.peel_to_tree()).map_err(&failed)?;
            let mut index = self.git.index().map_err(&failed)?;
            index.read_tree(&tree).and_then(|()| index.write()).map_err(&failed)?;
        }
        let mut options = CheckoutBuilder::new();
        self.git.checkout_head(Some(options.safe().recreate_missing(true))).map_err(&failed)
    }

    pub(super) fn list_beside_head(&self) -> Result<BesideHead, RepoError> {
        let failed = self.failed("compare the work tree with HEAD");
        let mut options = StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(true);
        let statuses = self.statuses(&mut options).map_err(&failed)?;
        let mut found = BesideHead::default();
        for entry in statuses.iter() {
            let path = String::from_utf8_lossy(entry.path_bytes()).into_owned();
            if entry.status().is_ignored() {
                found.ignored.push(path);
            } else if entry.status() != Status::CURRENT {
                found.changed.push(path);
            }
        }
        let index = self.git.index().map_err(&failed)?;
        let submodules = index.iter().filter(|entry| entry.mode == SUBMODULE);
        found.submodules.extend(submodules.map(|entry| String::from_utf8_lossy(&entry.path).into_owned()));
        Ok(found)
    }
}
