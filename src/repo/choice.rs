//! Which way to work with git, and why.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::backend::{Backend, Shared};
use super::error::{RepoError, Unsupported};
use super::hook::Hook;
use super::library::{Library, Scans, SharedLibrary};
use super::program::{GitProgram, Installed, SharedProgram};
use crate::ambient::Ambient;
use crate::config::{GitBackend, GitConfig};

/// Something of a repository for which the built-in git is not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// It cannot read this.
    Format(Unsupported),
    /// A work tree that leaves files out: the built-in git takes them for deleted.
    SparseCheckout,
    /// Objects that are fetched when they are looked at.
    PartialClone,
    /// Hooks that a commit goes through.
    Hooks(Vec<Hook>),
    /// `commit.gpgSign`.
    Signing,
    /// Contents are stored as this filter makes them.
    Filter(String),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(feature) => write!(f, "{feature}"),
            Self::SparseCheckout => f.write_str("has a sparse checkout"),
            Self::PartialClone => f.write_str("is a partial clone"),
            Self::Hooks(hooks) => {
                let names: Vec<String> = hooks.iter().map(|hook| format!("`{hook}`")).collect();
                write!(f, "has the hook{} {}", if hooks.len() == 1 { "" } else { "s" }, names.join(", "))
            }
            Self::Signing => f.write_str("asks for signed commits (`commit.gpgSign`)"),
            Self::Filter(name) => write!(f, "stores files through the filter `{name}`"),
        }
    }
}

impl Need {
    /// What to do where git cannot be installed.
    pub(super) const fn way_out(&self) -> &'static str {
        match self {
            Self::Format(feature) => feature.remedy(),
            Self::SparseCheckout => "run `git sparse-checkout disable` where git is installed",
            Self::PartialClone => "use a full clone",
            Self::Hooks(_) => "set `git.backend: git2` to commit without them",
            Self::Signing => "set `git.backend: git2` to commit without signatures",
            Self::Filter(_) => "set `git.backend: git2` to leave these files alone",
        }
    }
}

/// The way that was chosen when the repository was opened; it stays for the life of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The built-in git: nothing needs the other.
    Library,
    /// The built-in git, as `git.backend` asks for, although this would need the other.
    LibraryAsAsked(Vec<Need>),
    /// The installed git, since the repository needs it.
    Program(PathBuf, Vec<Need>),
    /// The installed git, as `git.backend` asks for.
    ProgramAsAsked(PathBuf),
}

impl Choice {
    /// What a person should know before turns are taken; `None` where there is nothing to say.
    pub fn notice(&self) -> Option<String> {
        match self {
            Self::Library | Self::ProgramAsAsked(_) => None,
            Self::LibraryAsAsked(needs) if needs.is_empty() => None,
            Self::LibraryAsAsked(needs) => Some(format!(
                "`git.backend: git2` does without what the repository has: it {}; no hook is run, nothing is signed, and \
                 files that need a filter are left alone",
                listed(needs)
            )),
            Self::Program(path, needs) => Some(format!(
                "using the installed git ({}), because the repository {}",
                path.display(),
                listed(needs)
            )),
        }
    }
}

/// The way and its reason.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library => f.write_str("built-in (git2): nothing here needs the installed git"),
            Self::LibraryAsAsked(_) => f.write_str("built-in (git2), as `git.backend` asks for"),
            Self::Program(path, needs) => {
                write!(f, "installed ({}), because the repository {}", path.display(), listed(needs))
            }
            Self::ProgramAsAsked(path) => {
                write!(f, "installed ({}), as `git.backend` asks for", path.display())
            }
        }
    }
}

fn listed(needs: &[Need]) -> String {
    needs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Opens the repository that holds `workspace`, a canonical path, in the way that is asked for or needed.
pub(super) fn open(
    workspace: &Path,
    asked: GitBackend,
    time_limit: Duration,
    ambient: &Ambient,
) -> Result<(Box<dyn Backend>, Choice), RepoError> {
    let program = || GitProgram::find(workspace, time_limit, ambient);
    let by_program = |program: GitProgram| Installed::open(workspace, program, ambient).map(Box::new);
    let needed = |need: Vec<Need>| {
        let Some(program) = program() else {
            let workspace = workspace.to_owned();
            let Some(need) = need.into_iter().next() else { return Err(RepoError::NoGit { workspace }) };
            return Err(RepoError::NeedsGit { workspace, need });
        };
        let path = program.path().to_owned();
        let backend: Box<dyn Backend> = by_program(program)?;
        Ok((
            backend,
            if need.is_empty() { Choice::ProgramAsAsked(path) } else { Choice::Program(path, need) },
        ))
    };
    if asked == GitBackend::Cli {
        return needed(Vec::new());
    }
    let library = match Library::open(workspace, ambient) {
        Err(RepoError::Unsupported { feature, .. }) if asked == GitBackend::Auto => {
            return needed(vec![Need::Format(feature)]);
        }
        opened => opened?,
    };
    let needs = library.needs();
    let choice = match asked {
        GitBackend::Git2 => Choice::LibraryAsAsked(needs),
        GitBackend::Auto | GitBackend::Cli if needs.is_empty() => Choice::Library,
        GitBackend::Auto | GitBackend::Cli => return needed(needs),
    };
    let root = library.place().root.clone();
    let scans = if choice == Choice::Library { Scans::LARGE } else { Scans::Own };
    let library = library.with_program(program().map(|program| program.at(&root))).with_scans(scans);
    Ok((Box::new(library), choice))
}

/// Opens what all work trees of the repository with this git directory share.
pub(super) fn open_shared(
    common: &Path,
    git: &GitConfig,
    ambient: &Ambient,
) -> Result<Box<dyn Shared>, RepoError> {
    let need = match git.backend {
        GitBackend::Cli => None,
        GitBackend::Auto | GitBackend::Git2 => match SharedLibrary::open(common) {
            Err(RepoError::Unsupported { feature, .. }) if git.backend == GitBackend::Auto => {
                Some(Need::Format(feature))
            }
            opened => return Ok(Box::new(opened?)),
        },
    };
    match (GitProgram::find(common, git.timeout.0, ambient), need) {
        (Some(program), _) => Ok(Box::new(SharedProgram::new(common, program))),
        (None, Some(need)) => Err(RepoError::NeedsGit { workspace: common.to_owned(), need }),
        (None, None) => Err(RepoError::NoGit { workspace: common.to_owned() }),
    }
}

/// Whether git is installed.
pub fn has_git(ambient: &Ambient) -> bool {
    GitProgram::find(Path::new("/"), Duration::ZERO, ambient).is_some()
}
