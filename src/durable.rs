//! Durability that the standard library has no call for.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Makes a directory and those above it that are missing, each with this mode. Those that were made outlast a loss of
/// power: what is synced below a directory whose name is lost would be lost with it.
pub fn create_directories(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = path.parent().filter(|parent| *parent != path) else { return Err(error) };
            create_directories(parent, mode)?;
            // Somebody else may have made it meanwhile.
            match DirBuilder::new().mode(mode).create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
                Ok(()) | Err(_) => sync_parent(path),
            }
        }
        Err(error) => Err(error),
    }
}

/// Makes the name of this path durable, or its absence.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Makes all durable that anybody has written to the file system of this directory.
pub fn sync_file_system(directory: &Path) -> io::Result<()> {
    let directory = File::open(directory)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&directory)?;
    #[cfg(not(target_os = "linux"))]
    {
        drop(directory);
        rustix::fs::sync();
    }
    Ok(())
}

/// Whether [`sync_file_system`] is as good here as an fsync of each file. Of a file system that is not known that is not
/// assumed: one in a process of its own may never be told.
pub fn syncs_as_a_whole(directory: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        // ext2 to ext4, XFS, Btrfs, F2FS, bcachefs, ZFS, overlayfs, tmpfs.
        const KNOWN: [u32; 8] = [
            0xef53,
            0x5846_5342,
            0x9123_683e,
            0xf2f5_2010,
            0xca45_1a4e,
            0x2fc1_2fc1,
            0x794c_7630,
            0x0102_1994,
        ];
        let kind = rustix::fs::statfs(directory).map(|found| u32::try_from(found.f_type & 0xffff_ffff));
        kind.is_ok_and(|kind| kind.is_ok_and(|kind| KNOWN.contains(&kind)))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = directory;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_directories_are_made_once_and_a_file_in_the_way_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/c");
        create_directories(&path, 0o700).unwrap();
        create_directories(&path, 0o700).unwrap();
        assert!(path.is_dir());
        std::fs::write(path.join("file"), "").unwrap();
        let refused = create_directories(&path.join("file"), 0o700).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        sync_file_system(&path).unwrap();
    }
}
