//! All work trees of a repository: who has which branch, which entry belongs to which tree.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Repository, TreeWalkMode, TreeWalkResult};

use super::linked::{LinkedTree, same_place};
use crate::repo::error::{RepoError, opening_failed};

/// The attribute by which git converts a file's encoding.
const ENCODING: &[u8] = b"working-tree-encoding";

/// All work trees of one repository, seen from its shared git directory.
pub struct WorkTrees {
    git: Repository,
    common: PathBuf,
}

impl std::fmt::Debug for WorkTrees {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkTrees").field("common", &self.common).finish_non_exhaustive()
    }
}

impl WorkTrees {
    /// Those of the repository whose shared git directory is `common`.
    pub fn open(common: &Path) -> Result<Self, RepoError> {
        let git = Repository::open(common).map_err(|source| opening_failed(common, source))?;
        Ok(Self { git, common: common.to_owned() })
    }

    fn failed(&self, doing: &'static str) -> impl Fn(git2::Error) -> RepoError + '_ {
        move |source| RepoError::Git { doing, place: self.common.clone(), source }
    }

    /// Whether this branch has a commit.
    pub fn has_branch(&self, branch: &str) -> Result<bool, RepoError> {
        match self.git.refname_to_id(&format!("refs/heads/{branch}")) {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(error.code(), git2::ErrorCode::NotFound | git2::ErrorCode::InvalidSpec) =>
            {
                Ok(false)
            }
            Err(error) => Err(self.failed("read a branch")(error)),
        }
    }

    /// The work tree other than this one that has its branch checked out, or is rebasing or bisecting it.
    pub fn other_holder(&self, of: &LinkedTree) -> Option<PathBuf> {
        let branch = &of.branch;
        let main = self.git.workdir().map(|tree| (self.common.clone(), tree.to_owned()));
        let linked = fs::read_dir(self.common.join("worktrees")).into_iter().flatten().filter_map(|entry| {
            let git_dir = entry.ok()?.path();
            let link = fs::read_to_string(git_dir.join("gitdir")).ok()?;
            let tree = git_dir.join(link.trim()).parent()?.to_owned();
            // As for git, one whose tree is not there has its branch all the same: it may be on another disk.
            Some((git_dir, tree))
        });
        let holds = |git_dir: &Path| {
            let reference = format!("refs/heads/{branch}");
            let says = |file: &str, text: &str| {
                fs::read_to_string(git_dir.join(file)).is_ok_and(|found| found.trim() == text)
            };
            says("HEAD", &format!("ref: {reference}"))
                || says("rebase-merge/head-name", &reference)
                || says("rebase-apply/head-name", &reference)
                || says("BISECT_START", branch.as_str())
        };
        main.into_iter()
            .chain(linked)
            .filter(|(git_dir, tree)| !same_place(git_dir, &of.entry_dir()) && !same_place(tree, &of.path))
            .find(|(git_dir, _)| holds(git_dir))
            .map(|(_, tree)| tree.components().collect())
    }

    /// A filter program (such as `lfs`), or the conversion of encodings, that git would apply to files of this branch; the
    /// built-in git applies neither.
    pub fn filter_of(&self, branch: &str) -> Result<Option<String>, RepoError> {
        let failed = self.failed("read the filters");
        let config = self.git.config().map_err(&failed)?;
        let mut drivers = Vec::new();
        let mut entries = config.entries(Some("^filter\\..*\\.(smudge|process)$")).map_err(&failed)?;
        while let Some(entry) = entries.next() {
            let name = entry.map_err(&failed)?.name().map(str::to_owned).unwrap_or_default();
            let driver = name.strip_prefix("filter.").and_then(|rest| rest.rsplit_once('.'));
            drivers.extend(driver.map(|(driver, _)| driver.to_owned()));
        }
        let mut attributes = vec![fs::read(self.common.join("info/attributes")).unwrap_or_default()];
        let reference = self.git.find_reference(&format!("refs/heads/{branch}")).map_err(&failed)?;
        let tree = reference.peel_to_tree().map_err(&failed)?;
        tree.walk(TreeWalkMode::PreOrder, |_, entry| {
            if entry.name_bytes() == b".gitattributes" && entry.kind() == Some(ObjectType::Blob) {
                let blob = entry.to_object(&self.git).and_then(|object| object.peel_to_blob());
                attributes.extend(blob.map(|blob| blob.content().to_vec()));
            }
            TreeWalkResult::Ok
        })
        .map_err(&failed)?;
        let words = || attributes.iter().flat_map(|text| text.split(u8::is_ascii_whitespace));
        if words().any(|word| word.starts_with(ENCODING) && word.get(ENCODING.len()) == Some(&b'=')) {
            return Ok(Some(String::from_utf8_lossy(ENCODING).into_owned()));
        }
        let used = |driver: &String| {
            let wanted = format!("filter={driver}");
            words().any(|word| word == wanted.as_bytes())
        };
        Ok(drivers.into_iter().find(used))
    }

    /// The name of the entry that points to this work tree; `None` where there is none.
    pub fn entry_of(&self, tree: &Path) -> Option<String> {
        let entries = fs::read_dir(self.common.join("worktrees")).into_iter().flatten();
        entries.filter_map(Result::ok).find_map(|entry| {
            let link = fs::read_to_string(entry.path().join("gitdir")).ok()?;
            same_place(Path::new(link.trim()).parent()?, tree)
                .then(|| entry.file_name().into_string().ok())
                .flatten()
        })
    }

    /// `wanted`, or with a number behind it where somebody has an entry of that name.
    pub fn free_entry(&self, wanted: &str) -> String {
        let is_free = |name: &String| self.common.join("worktrees").join(name).symlink_metadata().is_err();
        let numbered = (2_u32..).map(|number| format!("{wanted}-{number}"));
        std::iter::once(wanted.to_owned()).chain(numbered).find(is_free).unwrap_or_else(|| wanted.to_owned())
    }
}
