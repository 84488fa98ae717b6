//! What the work tree holds at a path: the object that git would store, computed without storing it.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

use git2::{AttrCheckFlags, AttrValue, ObjectType, Odb, Oid, Repository, RepositoryOpenFlags};

use super::error::RepoError;
use super::object::{object_id, oid, sync_loose_object};
use super::open::Repo;
use crate::publish::{Blob, Content, FileMode, ObjectId, Obstacle, RepoPath};

/// A path as the work tree has it now.
pub(super) struct WorkFile {
    pub(super) content: Content,
    pub(super) size: u64,
    pub(super) obstacle: Option<Obstacle>,
}

/// Reads files of the work tree; made anew for each scan, so that it sees the configuration as it is.
pub(super) struct ContentReader<'repo> {
    repo: &'repo Repo,
    trusts_mode_bits: bool,
    converts_by_default: bool,
    /// Its object database lives in memory: hashing through the line-ending filters stores nothing.
    scratch: Option<Repository>,
}

/// What the attributes of a path ask for.
enum Conversion {
    None,
    LineEndings,
    /// Beyond libgit2.
    Unavailable(String),
}

impl<'repo> ContentReader<'repo> {
    pub(super) fn new(repo: &'repo Repo) -> Result<Self, RepoError> {
        let config = repo.git.config().map_err(repo.failed("read the configuration"))?;
        let autocrlf = config.get_string("core.autocrlf").unwrap_or_default();
        Ok(Self {
            repo,
            trusts_mode_bits: config.get_bool("core.filemode").unwrap_or(true),
            converts_by_default: !matches!(
                autocrlf.to_ascii_lowercase().as_str(),
                "" | "false" | "no" | "off" | "0"
            ),
            scratch: None,
        })
    }

    /// `known`: the version in HEAD or, where HEAD has none, in the index; it says what a directory at that
    /// path means, and gives the mode where the file system has none to trust.
    pub(super) fn read(&mut self, path: &RepoPath, known: Option<&Blob>) -> Result<WorkFile, RepoError> {
        let bare = |content| WorkFile { content, size: 0, obstacle: None };
        if self.repo.is_beyond_link(path) {
            return Ok(bare(Content::Deleted));
        }
        let absolute = self.repo.absolute(path);
        let metadata = match absolute.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if is_absence(&error) => return Ok(bare(Content::Deleted)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Ok(bare(Content::Unreadable));
            }
            Err(source) => return Err(RepoError::Io { doing: "look at", path: absolute, source }),
        };
        let was_submodule = known.is_some_and(|known| known.mode == FileMode::Submodule);
        if metadata.is_dir() {
            return Ok(bare(if was_submodule {
                Content::Submodule(self.submodule_commit(path))
            } else {
                Content::Deleted
            }));
        }
        if metadata.is_symlink() {
            let target = std::fs::read_link(&absolute).map_err(|source| RepoError::Io {
                doing: "read the link",
                path: absolute,
                source,
            })?;
            let id = Oid::hash_object(ObjectType::Blob, target.as_os_str().as_bytes())
                .map_err(self.repo.failed("hash a link"))?;
            let blob = Blob { id: object_id(id), mode: FileMode::Symlink };
            return Ok(WorkFile { content: Content::File(blob), size: metadata.len(), obstacle: None });
        }
        if !metadata.is_file() {
            return Ok(bare(Content::Special));
        }
        match std::fs::File::open(&absolute) {
            Ok(_) => {}
            Err(error) if is_absence(&error) => return Ok(bare(Content::Deleted)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Ok(WorkFile { size: metadata.len(), ..bare(Content::Unreadable) });
            }
            Err(source) => return Err(RepoError::Io { doing: "open", path: absolute, source }),
        }
        let (id, obstacle) = match self.hash(path) {
            Ok(hashed) => hashed,
            // Somebody has deleted it in this very moment.
            Err(_) if absolute.symlink_metadata().is_err_and(|error| is_absence(&error)) => {
                return Ok(bare(Content::Deleted));
            }
            Err(error) => return Err(error),
        };
        let blob = Blob { id, mode: self.mode(&metadata, known) };
        Ok(WorkFile { content: Content::File(blob), size: metadata.len(), obstacle })
    }

    fn mode(&self, metadata: &Metadata, known: Option<&Blob>) -> FileMode {
        if !self.trusts_mode_bits {
            let known = known.map(|known| known.mode).filter(|mode| *mode == FileMode::Executable);
            return known.unwrap_or(FileMode::Regular);
        }
        if metadata.mode() & 0o100 == 0 { FileMode::Regular } else { FileMode::Executable }
    }

    fn hash(&mut self, path: &RepoPath) -> Result<(ObjectId, Option<Obstacle>), RepoError> {
        let absolute = self.repo.absolute(path);
        let failed = self.repo.failed("hash a file");
        let raw = || Oid::hash_file(ObjectType::Blob, &absolute).map(object_id).map_err(&failed);
        match self.conversion(path)? {
            Conversion::None => Ok((raw()?, None)),
            Conversion::Unavailable(name) => Ok((raw()?, Some(Obstacle::Filter(name)))),
            Conversion::LineEndings => {
                let repo = self.repo;
                let converted = self.scratch().and_then(|scratch| {
                    scratch.set_odb(&memory_odb(repo)?)?;
                    scratch.blob_path(&absolute)
                });
                match converted {
                    Ok(id) => Ok((object_id(id), None)),
                    Err(error) if error.class() == git2::ErrorClass::Filter => {
                        Ok((raw()?, Some(Obstacle::Filter("core.safecrlf".to_owned()))))
                    }
                    Err(error) => Err(failed(error)),
                }
            }
        }
    }

    fn conversion(&self, path: &RepoPath) -> Result<Conversion, RepoError> {
        let attribute = |name| {
            self.repo
                .git
                .get_attr_bytes(path.as_path(), name, AttrCheckFlags::FILE_THEN_INDEX)
                .map(AttrValue::always_bytes)
                .map_err(self.repo.failed("read the attributes of a file"))
        };
        for name in ["filter", "working-tree-encoding"] {
            if let AttrValue::Bytes(value) = attribute(name)? {
                return Ok(Conversion::Unavailable(String::from_utf8_lossy(value).into_owned()));
            }
        }
        if !matches!(attribute("ident")?, AttrValue::Unspecified | AttrValue::False) {
            return Ok(Conversion::LineEndings);
        }
        let asks = |name| {
            attribute(name).map(|value| match value {
                AttrValue::Unspecified => None,
                AttrValue::False => Some(false),
                _ => Some(true),
            })
        };
        let asked = match asks("text")? {
            None => match asks("crlf")? {
                None => asks("eol")?,
                some => some,
            },
            some => some,
        };
        Ok(if asked.unwrap_or(self.converts_by_default) { Conversion::LineEndings } else { Conversion::None })
    }

    fn scratch(&mut self) -> Result<&Repository, git2::Error> {
        if self.scratch.is_none() {
            let none: [&str; 0] = [];
            let scratch = Repository::open_ext(&self.repo.root, RepositoryOpenFlags::NO_SEARCH, none)?;
            scratch.set_config(&self.repo.git.config()?)?;
            self.scratch = Some(scratch);
        }
        self.scratch.as_ref().ok_or_else(|| git2::Error::from_str("no scratch repository"))
    }

    fn submodule_commit(&self, path: &RepoPath) -> Option<ObjectId> {
        let none: [&str; 0] = [];
        let inner =
            Repository::open_ext(self.repo.absolute(path), RepositoryOpenFlags::NO_SEARCH, none).ok()?;
        inner.head().ok()?.target().map(object_id)
    }

    /// Stores what the work tree holds now if it is just what was selected; `None` if it is not.
    pub(super) fn store(
        &mut self,
        path: &RepoPath,
        selected: &Blob,
        head: Option<&Blob>,
    ) -> Result<Option<Oid>, RepoError> {
        let failed = self.repo.failed("store a file");
        if self.repo.is_beyond_link(path) {
            return Ok(None);
        }
        let absolute = self.repo.absolute(path);
        let Ok(metadata) = absolute.symlink_metadata() else { return Ok(None) };
        let wanted = oid(&selected.id).map_err(&failed)?;
        let existed = self.repo.git.odb().map_err(&failed)?.exists(wanted);
        let stored = if metadata.is_symlink() && selected.mode == FileMode::Symlink {
            let Ok(target) = std::fs::read_link(&absolute) else { return Ok(None) };
            self.repo.git.blob(target.as_os_str().as_bytes()).map_err(&failed)?
        } else if metadata.is_file() && self.mode(&metadata, head) == selected.mode {
            match self.repo.git.blob_path(&absolute) {
                Ok(stored) => stored,
                // Somebody deletes or saves it in this very moment.
                Err(_) if !is_as_before(&absolute, &metadata) => return Ok(None),
                Err(error) => return Err(failed(error)),
            }
        } else {
            return Ok(None);
        };
        if existed {
            let objects = self.repo.common_dir().join("objects");
            sync_loose_object(&objects, wanted).map_err(|source| RepoError::Io {
                doing: "sync",
                path: objects,
                source,
            })?;
        }
        Ok((stored == wanted).then_some(stored))
    }

    /// Whether the work tree has no file at a path.
    pub(super) fn is_absent(&self, path: &RepoPath) -> bool {
        match self.repo.absolute(path).symlink_metadata() {
            Ok(metadata) => metadata.is_dir() || self.repo.is_beyond_link(path),
            Err(error) => is_absence(&error),
        }
    }
}

fn is_as_before(file: &std::path::Path, before: &std::fs::Metadata) -> bool {
    file.symlink_metadata().is_ok_and(|now| {
        (now.len(), now.ino(), now.mtime(), now.mtime_nsec())
            == (before.len(), before.ino(), before.mtime(), before.mtime_nsec())
    })
}

impl Repo {
    /// Whether one of the path's parents is a symbolic link: what lies behind it is not this path's.
    pub(super) fn is_beyond_link(&self, path: &RepoPath) -> bool {
        path.as_path().ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()).any(|parent| {
            self.root.join(parent).symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
        })
    }
}

pub(super) fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Reads from the repository's objects, writes to memory that goes with it.
fn memory_odb(repo: &Repo) -> Result<Odb<'static>, git2::Error> {
    let odb = Odb::new()?;
    let objects = repo.git.commondir().join("objects");
    let objects =
        objects.to_str().ok_or_else(|| git2::Error::from_str("the path of the repository is not UTF-8"))?;
    odb.add_disk_alternate(objects)?;
    odb.add_new_mempack_backend(1000)?;
    Ok(odb)
}
