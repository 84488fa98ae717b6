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
