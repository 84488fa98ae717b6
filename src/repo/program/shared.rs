//! What all work trees of a repository share.

use std::path::{Path, PathBuf};

use super::super::backend::Shared;
use super::super::error::RepoError;
use super::look::parse_listed;
use super::run::{Call, GitFailure, GitProgram};

/// The installed git in a git directory, whatever its work trees.
pub(in super::super) struct SharedProgram {
    program: GitProgram,
    common: PathBuf,
}

impl SharedProgram {
    pub(in super::super) fn new(common: &Path, program: GitProgram) -> Self {
        Self { program: program.at(common), common: common.to_owned() }
    }

    fn look(&self, arguments: &[&str]) -> Call<'_> {
        self.program.look(arguments).env("GIT_DIR", &self.common)
    }
}

impl Shared for SharedProgram {
    fn has_branch(&self, branch: &str) -> Result<bool, RepoError> {
        let name = format!("refs/heads/{branch}");
        match self.look(&["show-ref", "--verify", "--quiet", &name]).run() {
            Ok(_) => Ok(true),
            Err(GitFailure { code: Some(1), .. }) => Ok(false),
            Err(failure) if failure.said.contains("not a valid ref") => Ok(false),
            Err(failure) => Err(self.program.failed("read a branch")(failure)),
        }
    }

    fn filter_keys(&self) -> Result<Vec<String>, RepoError> {
        let asked = ["config", "-z", "--name-only", "--get-regexp", r"^filter\..*\.(smudge|process)$"];
        match self.look(&asked).run() {
            Ok(keys) => {
                Ok(String::from_utf8_lossy(&keys).split_terminator('\0').map(str::to_owned).collect())
            }
            Err(GitFailure { code: Some(1), .. }) => Ok(Vec::new()),
            Err(failure) => Err(self.program.failed("read the filters")(failure)),
        }
    }

    fn attributes(&self, branch: &str) -> Result<Vec<Vec<u8>>, RepoError> {
        let failed = self.program.failed("read the filters");
        let branch = format!("refs/heads/{branch}");
        let listed = self.look(&["ls-tree", "-r", "-z", "--full-tree", &branch]).run().map_err(&failed)?;
        let files = listed.split(|byte| *byte == 0).filter_map(parse_listed);
        let is_attributes = |name: &Path| name.file_name().is_some_and(|name| name == ".gitattributes");
        let mut found = Vec::new();
        for (_, blob) in files.filter(|(path, _)| is_attributes(path.as_path())) {
            found.push(self.look(&["cat-file", "blob", blob.id.as_str()]).run().map_err(&failed)?);
        }
        Ok(found)
    }
}
