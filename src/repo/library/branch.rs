//! Moving a branch by compare-and-swap.
//!
//! libgit2 syncs both logs, the directories of both, the branch and its directory. A log that exists needs no sync of its
//! directory, so a branch with a file of its own is moved here, as git and libgit2 do it: under git's lock, by rename.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use git2::ErrorCode;

use super::super::error::{GitLock, RepoError};
use super::super::place::LOCK_PAUSE;
use super::super::reference_lock::ReferenceLock;
use super::object::oid;
use super::open::Library;
use super::reflog::{Appended, append, is_wanted, log_line, writer};
use crate::durable::sync_parent;
use crate::publish::ObjectId;

/// What came of a try.
enum Tried {
    Moved,
    /// The branch is not where it was expected.
    Elsewhere,
    /// Another git holds the lock.
    Locked,
    /// Packed, or a name of another branch: libgit2 knows all ways in which a branch can be kept.
    NotPlain,
}

impl Library {
    /// Waits for another git's lock, with a limit.
    pub(super) fn move_branch_durably(
        &self,
        branch: &str,
        from: &ObjectId,
        to: &ObjectId,
        log: &str,
    ) -> Result<(), RepoError> {
        let reference = format!("refs/heads/{branch}");
        let waiting = self.place.ambient.stopwatch();
        loop {
            let tried = match self.try_plain(&reference, from, to, log)? {
                Tried::NotPlain => self.try_by_library(&reference, from, to, log)?,
                tried => tried,
            };
            match tried {
                Tried::Moved | Tried::NotPlain => return Ok(()),
                Tried::Elsewhere => {
                    return Err(RepoError::BranchMoved { branch: branch.to_owned(), expected: from.clone() });
                }
                Tried::Locked if waiting.elapsed() > self.place.lock_patience => {
                    let path = self.place.common_dir.join(format!("{reference}.lock"));
                    return Err(RepoError::Locked { lock: GitLock { path } });
                }
                Tried::Locked => std::thread::sleep(LOCK_PAUSE),
            }
        }
    }

    fn try_by_library(
        &self,
        reference: &str,
        from: &ObjectId,
        to: &ObjectId,
        log: &str,
    ) -> Result<Tried, RepoError> {
        let failed = self.failed("move the branch");
        let (old, new) = (oid(from).map_err(&failed)?, oid(to).map_err(&failed)?);
        match self.git.reference_matching(reference, new, true, old, log) {
            Ok(_) => Ok(Tried::Moved),
            Err(error) if error.code() == ErrorCode::Modified => Ok(Tried::Elsewhere),
            Err(error) if error.code() == ErrorCode::Locked => Ok(Tried::Locked),
            Err(error) => Err(failed(error)),
        }
    }

    fn try_plain(
        &self,
        reference: &str,
        from: &ObjectId,
        to: &ObjectId,
        log: &str,
    ) -> Result<Tried, RepoError> {
        let path = self.place.common_dir.join(reference);
        let failed = |source| RepoError::Io { doing: "move the branch at", path: path.clone(), source };
        // A link is a name of another branch, in the way of long ago.
        if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Ok(Tried::NotPlain);
        }
        let lock = match ReferenceLock::take(&self.place.common_dir, reference, &format!("{to}\n")) {
            Ok(lock) => lock,
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::WouldBlock) => {
                return Ok(Tried::Locked);
            }
            Err(error) => return Err(failed(error)),
        };
        let found = match fs::read(&path) {
            Ok(found) => found,
            // `git pack-refs` has come between.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Tried::NotPlain),
            Err(error) => return Err(failed(error)),
        };
        let found = found.trim_ascii_end();
        if found != from.as_str().as_bytes() {
            let is_plain = std::str::from_utf8(found).is_ok_and(|name| name.parse::<ObjectId>().is_ok());
            return Ok(if is_plain { Tried::Elsewhere } else { Tried::NotPlain });
        }
        let written = self.write_logs(reference, from, to, log);
        written.and_then(|()| lock.put_in_place(&path)).map_err(failed)?;
        Ok(Tried::Moved)
    }

    /// The branch's log, and HEAD's where HEAD is on the branch.
    fn write_logs(&self, reference: &str, from: &ObjectId, to: &ObjectId, log: &str) -> std::io::Result<()> {
        let wanted = is_wanted(&self.git, reference);
        let seconds = self.place.ambient.now().as_second();
        let line = log_line(&writer(&self.git)?, seconds, (from.as_str(), to.as_str()), log);
        append_durably(&self.place.common_dir.join("logs").join(reference), &line, wanted)?;
        let head = fs::read(self.place.git_dir.join("HEAD"))?;
        if head.trim_ascii_end() == format!("ref: {reference}").as_bytes() {
            append_durably(&self.place.git_dir.join("logs/HEAD"), &line, wanted)?;
        }
        Ok(())
    }
}

fn append_durably(log: &Path, line: &str, wanted: bool) -> std::io::Result<()> {
    let Some(Appended { file, is_new }) = append(log, line, wanted)? else { return Ok(()) };
    file.sync_data()?;
    if is_new { sync_parent(log) } else { Ok(()) }
}
