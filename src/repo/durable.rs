//! Making objects durable that others stored.

use std::fs::File;
use std::path::Path;

use crate::durable::{sync_file_system, syncs_as_a_whole};
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

/// Makes these objects durable, and the directory of objects itself: at once where the file system can, since each
/// loose object by itself takes two fsyncs.
pub(super) fn sync_loose_objects(objects: &Path, ids: &[ObjectId]) -> std::io::Result<()> {
    if ids.len() > 1 && syncs_as_a_whole(objects) {
        return sync_file_system(objects);
    }
    ids.iter().try_for_each(|id| sync_loose_object(objects, id))?;
    File::open(objects)?.sync_all()
}
