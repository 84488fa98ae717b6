//! All work trees of a repository: who has which branch, which entry belongs to which tree.

use std::fs;
use std::path::{Path, PathBuf};

use super::linked::{LinkedTree, same_place};
use crate::ambient::Ambient;
use crate::config::GitConfig;
use crate::repo::choice::open_shared;
use crate::repo::error::RepoError;

/// The attribute by which git converts a file's encoding.
const ENCODING: &[u8] = b"working-tree-encoding";

/// All work trees of one repository, seen from its shared git directory.
#[derive(Debug)]
pub struct WorkTrees {
    common: PathBuf,
}

impl WorkTrees {
    /// Those of the repository whose shared git directory is `common`.
    pub fn of(common: &Path) -> Self {
        Self { common: common.to_owned() }
    }

    /// Whether this branch has a commit.
    pub fn has_branch(&self, branch: &str, git: &GitConfig, ambient: &Ambient) -> Result<bool, RepoError> {
        open_shared(&self.common, git, ambient)?.has_branch(branch)
    }

    /// The work tree that belongs to the git directory itself, if there is one.
    fn main_tree(&self) -> Option<PathBuf> {
        let config = git2::Config::open(&self.common.join("config")).ok();
        let config = config.as_ref();
        if let Some(tree) = config.and_then(|config| config.get_path("core.worktree").ok()) {
            return Some(self.common.join(tree));
        }
        let is_bare = config.is_some_and(|config| config.get_bool("core.bare").unwrap_or(false));
        if is_bare { None } else { self.common.parent().map(Path::to_owned) }
    }

    /// The work tree other than this one that has its branch checked out, or is rebasing or bisecting it.
    pub fn other_holder(&self, of: &LinkedTree) -> Option<PathBuf> {
        let branch = &of.branch;
        let main = self.main_tree().map(|tree| (self.common.clone(), tree));
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
    pub fn filter_of(
        &self,
        branch: &str,
        git: &GitConfig,
        ambient: &Ambient,
    ) -> Result<Option<String>, RepoError> {
        let shared = open_shared(&self.common, git, ambient)?;
        let driver = |key: &String| Some(key.strip_prefix("filter.")?.rsplit_once('.')?.0.to_owned());
        let drivers: Vec<String> = shared.filter_keys()?.iter().filter_map(driver).collect();
        let mut attributes = shared.attributes(branch)?;
        attributes.push(fs::read(self.common.join("info/attributes")).unwrap_or_default());
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
