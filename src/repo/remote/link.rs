//! What is asked of a remote, and how its answers are told.

use std::path::PathBuf;
use std::time::Duration;

use super::super::error::{GitLock, RepoError};
use super::address::Address;
use super::answer::{PushKind, Pushed, Refusal, RefusalKind, last_lines};
use super::error::{self, RemoteError};
use crate::publish::ObjectId;

/// What is asked, and where.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) branch: String,
    pub(super) fetch: Address,
    pub(super) push: Address,
    /// The root of the work tree.
    pub(super) root: PathBuf,
    /// The directory of objects and references.
    pub(super) common_dir: PathBuf,
    /// How long a lock that another git holds here is waited for.
    pub(super) patience: Duration,
    /// The longest that one call may take.
    pub(super) limit: Duration,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Tip,
    TipAndLease,
}

/// A reference on the remote that shall name a commit.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) reference: String,
    pub(super) commit: ObjectId,
    /// What the reference names now; `None`: it must not exist.
    pub(super) expected: Option<ObjectId>,
    pub(super) kind: PushKind,
}

impl Link {
    pub(super) fn branch_reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    pub(super) fn lease_reference(&self) -> String {
        format!("refs/baton/{}/lease", self.branch)
    }

    /// Where the branch is kept here.
    pub(super) fn kept_branch(&self) -> String {
        format!("refs/baton/remote/heads/{}", self.branch)
    }

    /// Where the lease is kept here.
    pub(super) fn kept_lease(&self) -> String {
        format!("refs/baton/remote/lease/{}", self.branch)
    }

    pub(super) fn look_failed(&self, said: &str) -> RemoteError {
        error::failed("look at", &self.name, &self.fetch, said)
    }

    pub(super) fn push_failed(&self, said: &str) -> RemoteError {
        error::failed("push to", &self.name, &self.push, said)
    }

    /// The lock of a reference that a look keeps, if it is there.
    pub(super) fn lock_left(&self) -> Option<RemoteError> {
        let lock = |kept: String| self.common_dir.join(format!("{kept}.lock"));
        let locks = [lock(self.kept_branch()), lock(self.kept_lease())];
        let path = locks.into_iter().find(|lock| lock.symlink_metadata().is_ok())?;
        Some(RepoError::Locked { lock: GitLock { path } }.into())
    }

    pub(super) fn timed_out(&self, address: &Address) -> RemoteError {
        RemoteError::TimedOut {
            remote: self.name.clone(),
            url: address.shown().to_owned(),
            seconds: self.limit.as_secs(),
        }
    }

    pub(super) fn stopped(&self, address: &Address) -> RemoteError {
        RemoteError::Stopped { remote: self.name.clone(), url: address.shown().to_owned() }
    }

    pub(super) fn refusal(&self, reference: &str, kind: RefusalKind, reason: &str, said: &str) -> Pushed {
        Pushed::Refused(Refusal {
            kind,
            reason: self.push.hide(reason),
            said: last_lines(&self.push.hide(said)),
            remote: self.name.clone(),
            url: self.push.shown().to_owned(),
            branch: reference.strip_prefix("refs/heads/").unwrap_or(reference).to_owned(),
        })
    }
}
