//! Making durable what others stored.

use std::fs::File;
use std::path::Path;

use crate::publish::ObjectId;

/// Makes an object durable that somebody else stored before us: git and agents write objects without fsync, and
/// neither way to work with git writes again what exists. A packed object has no file of its own; packs are synced by git.
pub(super) fn sync_loose_object(objects: &Path, id: &ObjectId) -> std::io::Result<()> {
    let name = id.as_str();
    let directory = objects.join(&name[..2]);
    match File::open(directory.join(&name[2..])) {
        Ok(file) => {
            file.sync_all()?;
            File::open(directory)?.sync_all()
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
