//! What can go wrong with a repository, each with its place and its remedy.

use std::path::{Path, PathBuf};

use super::choice::Need;
use super::hook::Hook;
use super::preflight::Operation;
use crate::publish::{ObjectId, RepoPath};

/// A format that libgit2 cannot open or whose index it cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// `extensions.refStorage = reftable`.
    #[error("stores its references as a reftable")]
    Reftable,
    /// `extensions.objectFormat = sha256`.
    #[error("uses SHA-256 object names")]
    Sha256,
    /// An index with directory entries.
    #[error("has a sparse index")]
    SparseIndex,
    /// An index in two files.
    #[error("has a split index")]
    SplitIndex,
    /// Another extension of the repository format.
    #[error("uses an extension of the repository format")]
    Extension,
}

impl Unsupported {
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::Reftable => "convert it with `git refs migrate --ref-format=files`",
            Self::Sha256 => "use a repository with SHA-1 object names (`git init --object-format=sha1`)",
            Self::SparseIndex => "turn it off with `git sparse-checkout reapply --no-sparse-index`",
            Self::SplitIndex => "turn it off with `git update-index --no-split-index`",
            Self::Extension => "do without it: `git config --get-regexp '^extensions'` lists them",
        }
    }
}

/// A lock file of git that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitLock {
    /// The lock file.
    pub path: PathBuf,
}

/// An operation on the repository failed or must not be done.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// No repository here or above.
    #[error(
        "`{}` is not inside a git repository; make one with `git init` and a first commit, or use `--no-git`",
        workspace.display()
    )]
    NotARepository {
        /// Where the search began.
        workspace: PathBuf,
    },
    /// A repository without a work tree.
    #[error("`{}` is a bare repository, without a work tree; use a clone of it", git_dir.display())]
    Bare {
        /// The repository.
        git_dir: PathBuf,
    },
    /// A new repository is wanted where something lies already.
    #[error("`{}` is not empty; name an empty directory, or one that does not exist", directory.display())]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
    },
    /// `safe.directory` forbids it.
    #[error(
        "the repository of `{}` belongs to another user, so git does not trust it; if you do, run `git config --global --add safe.directory '{}'`",
        workspace.display(), workspace.display()
    )]
    NotTrusted {
        /// Where the search began.
        workspace: PathBuf,
    },
    /// The built-in git cannot work with it.
    #[error("the repository of `{}` {feature}, which the built-in git cannot read; set `git.backend: cli`, or {}", workspace.display(), feature.remedy())]
    Unsupported {
        /// The workspace.
        workspace: PathBuf,
        /// What it cannot read.
        feature: Unsupported,
    },
    /// The repository needs the installed git, and there is none.
    #[error("the repository of `{}` {need}, and no `git` is on PATH; install git, or {}", workspace.display(), need.way_out())]
    NeedsGit {
        /// The workspace.
        workspace: PathBuf,
        /// What for.
        need: Need,
    },
    /// The installed git is asked for, and there is none.
    #[error("`git.backend: cli` needs git, and no `git` is on PATH; install git, or set `git.backend: auto`")]
    NoGit {
        /// The workspace.
        workspace: PathBuf,
    },
    /// It cannot be opened for another reason.
    #[error("the repository of `{}` cannot be opened; `git status` and `git fsck` there say more", workspace.display())]
    Unopenable {
        /// The workspace.
        workspace: PathBuf,
        /// What libgit2 said.
        #[source]
        source: git2::Error,
    },
    /// The branch has no commit.
    #[error(
        "the branch `{branch}` has no commits yet; make the first one with `git commit --allow-empty -m 'Initial commit'`"
    )]
    NoCommits {
        /// The unborn branch.
        branch: String,
    },
    /// HEAD is not on a branch.
    #[error(
        "HEAD is detached at {commit}, on no branch; run `git switch <branch>` (or `git switch -c <new branch>`)"
    )]
    DetachedHead {
        /// Where HEAD is, shortened.
        commit: String,
    },
    /// The branch guard.
    #[error(
        "the branch is `{actual}`, not `{expected}` as asked for; run `git switch {expected}`, or change `--branch`"
    )]
    WrongBranch {
        /// What was asked for.
        expected: String,
        /// What is checked out.
        actual: String,
    },
    /// A merge, rebase or the like has not ended.
    #[error("{operation} is in progress; {}", operation.remedy())]
    InProgress {
        /// Which one.
        operation: Operation,
    },
    /// Nobody to put on a commit.
    #[error(
        "git does not know who you are: {missing} not set; run `git config --global user.name 'Your Name'` and `git config --global user.email you@example.org`"
    )]
    NoIdentity {
        /// `user.name is`, `user.email is` or `user.name and user.email are`.
        missing: &'static str,
    },
    /// A configured or inherited name is not usable.
    #[error(
        "`{name} <{email}>` cannot be put on a commit; set `user.name` and `user.email` to text without `<`, `>` and line breaks"
    )]
    BadIdentity {
        /// The name.
        name: String,
        /// The address.
        email: String,
        /// What libgit2 said.
        #[source]
        source: Option<git2::Error>,
    },
    /// Somebody's git is at work, or was killed.
    #[error(
        "`{}` exists: another git is at work there, or was killed; if no git is running in this repository, remove the file and start again",
        lock.path.display()
    )]
    Locked {
        /// The lock.
        lock: GitLock,
    },
    /// The compare-and-swap of the branch failed.
    #[error(
        "the branch `{branch}` moved from {expected} while its next commit was made; nothing was committed, and the work tree is as it was"
    )]
    BranchMoved {
        /// The branch.
        branch: String,
        /// Where it was.
        expected: ObjectId,
    },
    /// The work tree is not as it was selected.
    #[error(
        "`{path}` changed while it was being committed; nothing was committed, and the work tree is as it was"
    )]
    ChangedSinceSelected {
        /// The path.
        path: RepoPath,
    },
    /// The turn is passed through a remote, and there is none of this name.
    #[error(
        "there is no remote `{name}`{}; add it with `git remote add {name} <URL>`{}",
        others(known),
        other_name(known)
    )]
    NoRemote {
        /// The name that is asked for.
        name: String,
        /// Those that are configured.
        known: Vec<String>,
    },
    /// Pushes to it would go to several repositories.
    #[error(
        "the remote `{name}` has {count} addresses, and a turn is passed through one; leave one with `git remote set-url --delete {name} <URL>`, or set `git.remote` to another"
    )]
    ManyAddresses {
        /// The remote.
        name: String,
        /// How many.
        count: usize,
    },
    /// Only the installed git reaches it, and there is none.
    #[error(
        "the remote `{name}` ({url}) is reached by {scheme}, which needs git, and no `git` is on PATH; install git"
    )]
    RemoteNeedsGit {
        /// The remote.
        name: String,
        /// Its address, without credentials.
        url: String,
        /// How it is reached.
        scheme: String,
    },
    /// libgit2 failed.
    #[error("git failed to {doing} in `{}`", place.display())]
    Git {
        /// As a verb phrase.
        doing: &'static str,
        /// The work tree.
        place: PathBuf,
        /// What libgit2 said.
        #[source]
        source: git2::Error,
    },
    /// The installed git failed.
    #[error("git failed to {doing} in `{}`: {said}", place.display())]
    Program {
        /// As a verb phrase.
        doing: &'static str,
        /// The work tree.
        place: PathBuf,
        /// What it said.
        said: String,
    },
    /// A hook refused a commit.
    #[error("the hook `{hook}` refused the commit ({ended}); put right what it names, or the hook `{}`:{said}", file.display())]
    HookRefused {
        /// Which.
        hook: Hook,
        /// Its file.
        file: PathBuf,
        /// How it ended.
        ended: String,
        /// The last lines that it printed, each on a line of its own.
        said: String,
    },
    /// A commit could not be signed.
    #[error(
        "the commit could not be signed, as `commit.gpgSign` asks for ({said}); mend it until `git commit` works here without a question, or run `git config commit.gpgSign false`"
    )]
    NotSigned {
        /// What git said.
        said: String,
    },
    /// The installed git cannot do what is needed.
    #[error(
        "{doing} needs git {needed} or newer, and the installed one is {version}; update git, or set `git.backend: git2` where the repository allows it"
    )]
    GitTooOld {
        /// The installed one.
        version: String,
        /// The first version that can.
        needed: String,
        /// What it is needed for.
        doing: &'static str,
    },
    /// A file changed between the look and the move.
    #[error(
        "`{path}` changed while the work tree was brought to another commit; it was left as it is, and the same command goes on from here"
    )]
    ChangedWhileBrought {
        /// The path.
        path: RepoPath,
    },
    /// The file system failed.
    #[error("failed to {doing} `{}`", path.display())]
    Io {
        /// As a verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl RepoError {
    /// Whether the repository itself refused a commit, by a hook or by what it asks of one: a person puts it right, and
    /// then the same commit can be made.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::HookRefused { .. } | Self::NotSigned { .. })
    }

    /// Whether it is a condition that was found before anything was done, and that a person puts right; else
    /// something went wrong on the way.
    pub const fn is_condition(&self) -> bool {
        match self {
            Self::NotARepository { .. }
            | Self::Bare { .. }
            | Self::NotEmpty { .. }
            | Self::NotTrusted { .. }
            | Self::Unsupported { .. }
            | Self::NeedsGit { .. }
            | Self::NoGit { .. }
            | Self::Unopenable { .. }
            | Self::NoCommits { .. }
            | Self::DetachedHead { .. }
            | Self::WrongBranch { .. }
            | Self::InProgress { .. }
            | Self::NoIdentity { .. }
            | Self::BadIdentity { .. }
            | Self::GitTooOld { .. }
            | Self::NoRemote { .. }
            | Self::ManyAddresses { .. }
            | Self::RemoteNeedsGit { .. } => true,
            Self::Locked { .. }
            | Self::BranchMoved { .. }
            | Self::ChangedSinceSelected { .. }
            | Self::ChangedWhileBrought { .. }
            | Self::Git { .. }
            | Self::Program { .. }
            | Self::HookRefused { .. }
            | Self::NotSigned { .. }
            | Self::Io { .. } => false,
        }
    }
}

fn others(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!(" (only `{}`)", known.join("`, `")),
    }
}

fn other_name(known: &[String]) -> &'static str {
    if known.is_empty() { "" } else { ", or name another in `git.remote`" }
}

/// Sorts out why `workspace` could not be opened.
pub(super) fn opening_failed(workspace: &Path, source: git2::Error) -> RepoError {
    let workspace = workspace.to_owned();
    let text = source.message().to_ascii_lowercase();
    match source.code() {
        git2::ErrorCode::NotFound => return RepoError::NotARepository { workspace },
        git2::ErrorCode::Owner => return RepoError::NotTrusted { workspace },
        _ => {}
    }
    let feature = if text.contains("refstorage") {
        Unsupported::Reftable
    } else if text.contains("objectformat") || text.contains("object format") {
        Unsupported::Sha256
    } else if text.contains("extension name") || text.contains("repository version") {
        Unsupported::Extension
    } else {
        return RepoError::Unopenable { workspace, source };
    };
    RepoError::Unsupported { workspace, feature }
}
