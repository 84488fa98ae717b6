//! What all work trees of a repository share.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Repository, TreeWalkMode, TreeWalkResult};

use super::super::backend::Shared;
use super::super::error::{RepoError, opening_failed};

/// libgit2's handle of a git directory, whatever its work trees.
pub(in super::super) struct SharedLibrary {
    git: Repository,
    common: PathBuf,
}

impl SharedLibrary {
    pub(in super::super) fn open(common: &Path) -> Result<Self, RepoError> {
        let git = Repository::open(common).map_err(|source| opening_failed(common, source))?;
        Ok(Self { git, common: common.to_owned() })
    }

    fn failed(&self, doing: &'static str) -> impl Fn(git2::Error) -> RepoError + '_ {
        move |source| RepoError::Git { doing, place: self.common.clone(), source }
    }
}

impl Shared for SharedLibrary {
    fn has_branch(&self, branch: &str) -> Result<bool, RepoError> {
        match self.git.refname_to_id(&format!("refs/heads/{branch}")) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => Ok(false),
            Err(error) => Err(self.failed("read a branch")(error)),
        }
    }

    fn filter_keys(&self) -> Result<Vec<String>, RepoError> {
        let failed = self.failed("read the filters");
        let config = self.git.config().map_err(&failed)?;
        let mut keys = Vec::new();
        let mut entries = config.entries(Some("^filter\\..*\\.(smudge|process)$")).map_err(&failed)?;
        while let Some(entry) = entries.next() {
            keys.extend(entry.map_err(&failed)?.name().map(str::to_owned));
        }
        Ok(keys)
    }

    fn attributes(&self, branch: &str) -> Result<Vec<Vec<u8>>, RepoError> {
        let failed = self.failed("read the filters");
        let reference = self.git.find_reference(&format!("refs/heads/{branch}")).map_err(&failed)?;
        let tree = reference.peel_to_tree().map_err(&failed)?;
        let mut found = Vec::new();
        tree.walk(TreeWalkMode::PreOrder, |_, entry| {
            if entry.name_bytes() == b".gitattributes" && entry.kind() == Some(ObjectType::Blob) {
                let blob = entry.to_object(&self.git).and_then(|object| object.peel_to_blob());
                found.extend(blob.map(|blob| blob.content().to_vec()));
            }
            TreeWalkResult::Ok
        })
        .map_err(&failed)?;
        Ok(found)
    }
}
