//! Objects carried from one repository to another on the same file system, each by a second name of its file.
//!
//! A new file and the fsync of it and of its directory are what makes a small fetch dear on many file systems. git's objects
//! never change, so that both repositories can have the same file, as after a `git clone` of a path. What cannot be carried so
//! is left to git.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use git2::{OdbLookupFlags, Oid, Repository};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

use super::super::library::objects_since;
use crate::durable::{sync_file_system, syncs_as_a_whole};

/// From so many objects on git stores a pack; see its `transfer.unpackLimit`.
const MANY: usize = 100;

/// What is known of the files that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contents {
    /// We have written them durably.
    Durable,
    /// Some git has, which need not sync what it stores.
    Unknown,
}

/// Lets `to` have what `tip` needs beyond `base`, which it has with all below it; durable when it returns. `false`: it cannot be
/// carried so, and what was linked until then is no harm.
pub(super) fn carry(
    (from, contents): (&Repository, Contents),
    to: &Repository,
    base: Oid,
    tip: Oid,
) -> Result<bool, git2::Error> {
    let Some(objects) = objects_since(from, base, tip, MANY)? else { return Ok(false) };
    let (source, target) = (from.odb()?, to.odb()?);
    target.refresh()?;
    let mut missing = Vec::new();
    for id in objects {
        if target.exists_ext(id, OdbLookupFlags::NO_REFRESH) {
            if contents == Contents::Durable {
                // Marks it as used, so that no garbage collection that runs there takes it away.
                let object = source.read(id)?;
                target.write(object.kind(), object.data())?;
            }
            continue;
        }
        // Read as a whole, its content is compared with its name.
        source.read(id)?;
        missing.push((loose(from, id), loose(to, id)));
    }
    if missing.is_empty() {
        return Ok(true);
    }
    if missing.iter().any(|(here, _)| !here.is_file()) || !can_share(from, to) {
        return Ok(false);
    }
    if contents == Contents::Unknown {
        sync(from)?;
    }
    for (here, there) in missing {
        // Young, as a new file would be: a garbage collection that runs there keeps what no reference names yet only for a while.
        if !link(&here, &there) || !touch(&there) {
            return Ok(false);
        }
    }
    sync(to)?;
    target.refresh()?;
    Ok(true)
}

fn loose(git: &Repository, id: Oid) -> PathBuf {
    let name = id.to_string();
    git.commondir().join("objects").join(&name[..2]).join(&name[2..])
}

/// Whether both lie on one file system of this machine, so that a file can have names in both, and a lock on it counts for
/// everybody.
pub(super) fn can_share(from: &Repository, to: &Repository) -> bool {
    let objects = [from, to].map(|git| git.commondir().join("objects"));
    let [Ok(here), Ok(there)] = objects.each_ref().map(|path| path.metadata()) else { return false };
    here.dev() == there.dev() && objects.iter().all(|path| syncs_as_a_whole(path))
}

/// Another git may store the same object meanwhile.
fn link(here: &Path, there: &Path) -> bool {
    let is_there = |done: std::io::Result<()>| match done {
        Ok(()) => true,
        Err(error) => error.kind() == ErrorKind::AlreadyExists,
    };
    is_there(fs::hard_link(here, there))
        || there.parent().is_some_and(|directory| is_there(fs::create_dir(directory)))
            && is_there(fs::hard_link(here, there))
}

fn touch(path: &Path) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    utimensat(CWD, path, &Timestamps { last_access: now, last_modification: now }, AtFlags::empty()).is_ok()
}

/// Both are on one file system whose sync is as good as one of each file and directory.
fn sync(git: &Repository) -> Result<(), git2::Error> {
    let objects = git.commondir().join("objects");
    sync_file_system(&objects).map_err(|error| git2::Error::from_str(&error.to_string()))
}
