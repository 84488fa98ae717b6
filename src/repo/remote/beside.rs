//! A remote that lies beside this repository, on the same disk: looked at and pushed to in place, without a process.
//!
//! Only what git would do there in just the same way is done here. A hook, a setting that concerns pushes, a branch that may be
//! checked out somewhere, a reference that is not made yet, objects that are due for maintenance: all that is left to git.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use git2::{Config, ErrorCode, Oid, ReferenceType, Repository};

use super::super::library::{configuration, oid};
use super::answer::{PushKind, RefusalKind};
use super::carry::{Contents, can_share, carry};
use super::library::LibraryPush;
use super::link::Order;
use super::opened::HOOKS;
use super::swap::{Swapped, swap};

/// Settings under which a push may do more than move one reference, or store otherwise than we would.
const SETTINGS: &str = "^(receive|transfer|extensions|hook)\\.|^core\\.(hookspath|sharedrepository|logallrefupdates|createobject|worktree)$";
/// git's own `gc.auto`.
const LOOSE_OBJECTS: i64 = 6_700;

/// Moves a branch there, having stored what the commit needs; `None`: this push is git's.
pub(super) fn push(
    here: &Repository,
    directory: &Path,
    order: &Order,
    env: &BTreeMap<OsString, OsString>,
) -> Result<Option<LibraryPush>, git2::Error> {
    let Some(expected) = order.expected.as_ref().filter(|_| !here.is_shallow()) else { return Ok(None) };
    let (commit, expected) = (oid(&order.commit)?, oid(expected)?);
    if order.kind == PushKind::Work && has_hook(here, &configuration(here, env)?, &["pre-push"]) {
        return Ok(None);
    }
    let there = Repository::open(directory)?;
    // On a file system of the network a lock may count for this machine alone.
    if !can_share(here, &there) {
        return Ok(None);
    }
    if !takes_pushes_plainly(&there, &order.reference, &configuration(&there, env)?)? {
        return Ok(None);
    }
    let moved = LibraryPush::Refused(RefusalKind::Moved, "stale info".to_owned());
    match there.refname_to_id(&order.reference) {
        Ok(now) if now == commit => return Ok(Some(LibraryPush::Accepted)),
        Ok(now) if now == expected => {}
        Ok(_) => return Ok(Some(moved)),
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(Some(moved)),
        Err(error) => return Err(error),
    }
    if !carry((here, Contents::Durable), &there, expected, commit)? {
        return Ok(None);
    }
    Ok(match swap(&there, &order.reference, expected, commit)? {
        Swapped::Done => Some(LibraryPush::Accepted),
        Swapped::Moved => Some(moved),
        Swapped::Unclear => None,
    })
}

/// Stores here what a reference there names, with all that it needs beyond `base`; `false`: it has to be fetched.
pub(super) fn fetch(there: &Repository, here: &Repository, base: Oid, tip: Oid) -> Result<bool, git2::Error> {
    Ok(!there.is_shallow() && carry((there, Contents::Unknown), here, base, tip)?)
}

fn takes_pushes_plainly(there: &Repository, reference: &str, config: &Config) -> Result<bool, git2::Error> {
    let has = |name: &str| there.path().join(name).exists();
    if !there.is_bare() || there.is_shallow() || has("worktrees") || has(&format!("logs/{reference}")) {
        return Ok(false);
    }
    if config.entries(Some(SETTINGS))?.next().is_some() || has_hook(there, config, &HOOKS) {
        return Ok(false);
    }
    if there.find_reference(reference).is_ok_and(|found| found.kind() != Some(ReferenceType::Direct)) {
        return Ok(false);
    }
    Ok(!is_due(there, config.get_i64("gc.auto").unwrap_or(LOOSE_OBJECTS)))
}

fn has_hook(git: &Repository, config: &Config, names: &[&str]) -> bool {
    let hooks = match config.get_path("core.hookspath") {
        Ok(configured) => git.workdir().unwrap_or_else(|| git.path()).join(configured),
        Err(_) => git.commondir().join("hooks"),
    };
    let is_program = |path: PathBuf| {
        let metadata = path.metadata();
        metadata.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    names.iter().any(|name| is_program(hooks.join(name)))
}

/// Whether git would clean up after a push: it takes one of the 256 directories of objects for all of them, and so do we, so
/// that a remote which only two batons use is cleaned up too.
fn is_due(there: &Repository, limit: i64) -> bool {
    let sample = std::fs::read_dir(there.commondir().join("objects/17"));
    let count = sample.into_iter().flatten().count();
    limit > 0 && i64::try_from(count).unwrap_or(i64::MAX) > (limit + 255) / 256
}
