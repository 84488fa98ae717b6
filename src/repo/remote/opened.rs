//! A push to a directory where no git is installed: the repository there is opened, and its reference moved under its lock.
//!
//! libgit2's own push to a path would overwrite the reference without comparing. What git would do there and this cannot is
//! refused: hooks, and moving a branch that is checked out.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use git2::{ErrorCode, Oid, Repository};

use super::super::library::oid;
use super::answer::RefusalKind;
use super::library::LibraryPush;
use super::link::Order;
use crate::durable::sync_file_system;
use crate::publish::ObjectId;

/// Those that a push to a repository runs there.
pub(super) const HOOKS: [&str; 6] =
    ["pre-receive", "update", "post-receive", "post-update", "reference-transaction", "proc-receive"];

/// Moves a reference there, having stored what the commit needs.
pub(super) fn push(here: &Repository, directory: &Path, order: &Order) -> Result<LibraryPush, git2::Error> {
    let there = Repository::open(directory)?;
    if let Some(refused) = refusal(&there, &order.reference)? {
        return Ok(refused);
    }
    let commit = oid(&order.commit)?;
    let expected = order.expected.as_ref().map(oid).transpose()?;
    let now = named(&there, &order.reference)?;
    if now == Some(commit) {
        return Ok(LibraryPush::Accepted);
    }
    if now != expected {
        return Ok(moved());
    }
    send(here, &there, commit, expected)?;
    swap(&there, &order.reference, expected, Some(commit))
}

/// Deletes a reference there, if it is still what was seen.
pub(super) fn delete(
    directory: &Path,
    reference: &str,
    expected: &ObjectId,
) -> Result<LibraryPush, git2::Error> {
    let there = Repository::open(directory)?;
    match refusal(&there, reference)? {
        Some(refused) => Ok(refused),
        None => swap(&there, reference, Some(oid(expected)?), None),
    }
}

/// Whether objects can be stored there.
pub(super) fn check(directory: &Path) -> Result<(), git2::Error> {
    let there = Repository::open(directory)?;
    let objects = there.commondir().join("objects");
    tempfile::tempfile_in(objects).map(|_| ()).map_err(|error| git2::Error::from_str(&error.to_string()))
}

fn moved() -> LibraryPush {
    LibraryPush::Refused(RefusalKind::Moved, "stale info".to_owned())
}

fn named(there: &Repository, reference: &str) -> Result<Option<Oid>, git2::Error> {
    match there.refname_to_id(reference) {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What git would do there and this cannot.
fn refusal(there: &Repository, reference: &str) -> Result<Option<LibraryPush>, git2::Error> {
    let config = there.config()?.snapshot()?;
    let declined = |reason: String| Ok(Some(LibraryPush::Refused(RefusalKind::Declined, reason)));
    let hooks = match config.get_path("core.hookspath") {
        Ok(configured) => there.path().join(configured),
        Err(_) => there.commondir().join("hooks"),
    };
    let is_program = |name: &&&str| {
        let metadata = hooks.join(name).metadata();
        metadata.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    if let Some(hook) = HOOKS.iter().find(is_program) {
        return declined(format!("the hook `{hook}` is there, and no git is installed here to run it"));
    }
    let is_checked_out = !there.is_bare()
        && there
            .find_reference("HEAD")
            .is_ok_and(|head| head.symbolic_target().ok().flatten() == Some(reference));
    let tolerated = ["ignore", "warn", "false"];
    let setting = config.get_str("receive.denycurrentbranch").unwrap_or("refuse");
    if is_checked_out && !tolerated.contains(&setting) {
        return declined("branch is currently checked out".to_owned());
    }
    Ok(None)
}

/// Stores there what the commit needs and `expected` has not.
fn send(
    here: &Repository,
    there: &Repository,
    commit: Oid,
    expected: Option<Oid>,
) -> Result<(), git2::Error> {
    let mut walk = here.revwalk()?;
    walk.push(commit)?;
    expected.map_or(Ok(()), |expected| walk.hide(expected))?;
    let mut pack = here.packbuilder()?;
    pack.insert_walk(&mut walk)?;
    if pack.object_count() > 0 {
        let mut bytes = git2::Buf::new();
        pack.write_buf(&mut bytes)?;
        let objects = there.odb()?;
        let mut writer = objects.packwriter()?;
        std::io::Write::write_all(&mut writer, &bytes)
            .map_err(|error| git2::Error::from_str(&error.to_string()))?;
        writer.commit()?;
    }
    sync(there)
}

/// Under the lock that git takes too: between the look and the write nobody else moves it.
fn swap(
    there: &Repository,
    reference: &str,
    expected: Option<Oid>,
    new: Option<Oid>,
) -> Result<LibraryPush, git2::Error> {
    let mut transaction = there.transaction()?;
    match transaction.lock_ref(reference) {
        Ok(()) => {}
        Err(error) if error.code() == ErrorCode::Locked => {
            return Ok(LibraryPush::Refused(RefusalKind::Busy, error.message().to_owned()));
        }
        Err(error) => return Err(error),
    }
    if named(there, reference)? != expected {
        return Ok(moved());
    }
    match new {
        Some(new) => {
            let who = git2::Signature::new("baton", "baton@localhost", &git2::Time::new(0, 0))?;
            transaction.set_target(reference, new, Some(&who), "push")?;
        }
        None => transaction.remove(reference)?,
    }
    transaction.commit()?;
    sync(there)?;
    Ok(LibraryPush::Accepted)
}

fn sync(there: &Repository) -> Result<(), git2::Error> {
    sync_file_system(there.commondir()).map_err(|error| git2::Error::from_str(&error.to_string()))
}
