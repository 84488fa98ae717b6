//! The object that git stores for a file: computed without storing it, or stored.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;

use git2::{AttrCheckFlags, AttrValue, Config, ObjectType, Odb, Oid, Repository, RepositoryOpenFlags};
use rustix::fs::OFlags;

use super::super::backend::Hashed;
use super::super::error::RepoError;
use super::attributes::AttributeFiles;
use super::object::object_id;
use super::open::Library;
use crate::publish::{Obstacle, RepoPath};

/// Hashes files; made anew for each scan, so that it sees the configuration as it is.
pub(super) struct Hasher<'a> {
    library: &'a Library,
    converts_by_default: bool,
    attributes: AttributeFiles<'a>,
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

impl<'a> Hasher<'a> {
    pub(super) fn new(library: &'a Library) -> Result<Self, RepoError> {
        // Of a snapshot the files are looked at once, otherwise for each key.
        let config = library.git.config().and_then(|mut config| config.snapshot());
        let config = config.map_err(library.failed("read the configuration"))?;
        let attributes = AttributeFiles::new(library, &config);
        Ok(Self { library, converts_by_default: converts_by_default(&config), attributes, scratch: None })
    }

    /// Whether git stores the very bytes of this file.
    pub(super) fn takes_as_it_is(&mut self, path: &RepoPath) -> bool {
        matches!(self.conversion(path), Ok(Conversion::None))
    }

    pub(super) fn hash(&mut self, path: &RepoPath) -> Result<Hashed, RepoError> {
        let library = self.library;
        let absolute = library.place.absolute(path);
        let failed = library.failed("hash a file");
        let raw = || Oid::hash_file(ObjectType::Blob, &absolute).map(object_id).map_err(&failed);
        match self.conversion(path)? {
            Conversion::None => Ok(Hashed { id: raw()?, obstacle: None }),
            Conversion::Unavailable(name) => {
                Ok(Hashed { id: raw()?, obstacle: Some(Obstacle::Filter(name)) })
            }
            Conversion::LineEndings => {
                let converted = self.scratch().and_then(|scratch| {
                    scratch.set_odb(&memory_odb(library)?)?;
                    scratch.blob_path(&absolute)
                });
                match converted {
                    Ok(id) => Ok(Hashed { id: object_id(id), obstacle: None }),
                    Err(error) if error.class() == git2::ErrorClass::Filter => {
                        let obstacle = Some(Obstacle::Filter("core.safecrlf".to_owned()));
                        Ok(Hashed { id: raw()?, obstacle })
                    }
                    Err(error) => Err(failed(error)),
                }
            }
        }
    }

    /// Stores a file as an object and names it.
    pub(super) fn store(&mut self, path: &RepoPath) -> Result<Oid, git2::Error> {
        let is_plain = self.takes_as_it_is(path);
        let (git, absolute) = (&self.library.git, self.library.place.absolute(path));
        if !is_plain {
            return git.blob_path(&absolute);
        }
        let said = |error: io::Error| git2::Error::from_str(&format!("`{}`: {error}", absolute.display()));
        // What has come in its place is no file of ours, and must not be waited for.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut file = File::options().read(true).custom_flags(flags).open(&absolute).map_err(said)?;
        let length = file.metadata().map_err(said)?.len();
        let odb = git.odb()?;
        let length = usize::try_from(length).map_err(|error| git2::Error::from_str(&error.to_string()))?;
        let mut object = odb.writer(length, ObjectType::Blob)?;
        io::copy(&mut file, &mut object).map_err(said)?;
        object.finalize()
    }

    fn conversion(&mut self, path: &RepoPath) -> Result<Conversion, RepoError> {
        if !self.converts_by_default && !self.attributes.may_tell(path) {
            return Ok(Conversion::None);
        }
        let attribute = |name| {
            self.library
                .git
                .get_attr_bytes(path.as_path(), name, AttrCheckFlags::FILE_THEN_INDEX)
                .map(AttrValue::always_bytes)
                .map_err(self.library.failed("read the attributes of a file"))
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
            let scratch =
                Repository::open_ext(&self.library.place.root, RepositoryOpenFlags::NO_SEARCH, none)?;
            scratch.set_config(&self.library.git.config()?)?;
            self.scratch = Some(scratch);
        }
        self.scratch.as_ref().ok_or_else(|| git2::Error::from_str("no scratch repository"))
    }
}

/// Whether line ends are converted of files of which no attribute tells.
pub(super) fn converts_by_default(config: &Config) -> bool {
    let autocrlf = config.get_string("core.autocrlf").unwrap_or_default();
    !matches!(autocrlf.to_ascii_lowercase().as_str(), "" | "false" | "no" | "off" | "0")
}

/// Reads from the repository's objects, writes to memory that goes with it.
fn memory_odb(library: &Library) -> Result<Odb<'static>, git2::Error> {
    let odb = Odb::new()?;
    let objects = library.git.commondir().join("objects");
    let objects =
        objects.to_str().ok_or_else(|| git2::Error::from_str("the path of the repository is not UTF-8"))?;
    odb.add_disk_alternate(objects)?;
    odb.add_new_mempack_backend(1000)?;
    Ok(odb)
}
