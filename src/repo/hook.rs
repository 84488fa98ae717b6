//! The hooks of a commit.

use std::fmt;

/// A program of the repository that git runs around a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Before the message is made; may change what is committed.
    PreCommit,
    /// May change the message.
    PrepareCommitMessage,
    /// May refuse or change the message.
    CommitMessage,
    /// When the commit is on the branch.
    PostCommit,
}

impl Hook {
    /// Those that are run, in their order.
    pub const ALL: [Self; 4] =
        [Self::PreCommit, Self::PrepareCommitMessage, Self::CommitMessage, Self::PostCommit];

    /// The name of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PrepareCommitMessage => "prepare-commit-msg",
            Self::CommitMessage => "commit-msg",
            Self::PostCommit => "post-commit",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
