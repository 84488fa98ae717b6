//! A copy of the index, brought up to date: an ordinary one here, any other by the installed git. Without that, libgit2 does
//! it, which drops the extensions that it does not know (untracked cache, fsmonitor).

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::SystemTime;

use git2::{Index, IndexEntry, IndexTime};
use tempfile::NamedTempFile;

use super::super::backend::{Versions, WorkTree};
use super::super::index_lock::COPY;
use super::content::Hasher;
use super::index_file::{Entry, IndexFile, is_same, moment};
use super::object::{file_mode, mode_bits, object_id, oid};
use super::open::Library;
use super::splice::{Change, Changes, FileEntry, FileFacts, splice};
use crate::publish::{Blob, FileMode, RepoPath};

type Due<'a> = BTreeMap<&'a RepoPath, &'a Versions>;

/// The bytes of an index, and when it was written.
#[derive(Default)]
struct Found {
    bytes: Option<Vec<u8>>,
    written: (u32, u32),
}

impl Library {
    /// Here where nothing of the index is lost by that; else by the installed git, where there is one.
    pub(super) fn write_index_copy(
        &self,
        copy: &Path,
        due: &Due<'_>,
        work_tree: WorkTree,
    ) -> Result<(), String> {
        let found = read(copy).map_err(|error| error.to_string())?;
        let index = found.bytes.as_ref().map_or_else(|| Some(IndexFile::absent()), |it| IndexFile::parse(it));
        if let Some(index) = index {
            if found.bytes.is_some() && !index.is_intact() {
                let index = self.place.git_dir.join("index");
                return Err(format!(
                    "`{}` is damaged, its checksum does not match; move it away and run `git reset`, which makes it anew \
                     from HEAD",
                    index.display()
                ));
            }
            if self.write_next_index(copy, &index, found.written, due, work_tree)? {
                return Ok(());
            }
        }
        match &self.program {
            Some(program) => program.update_index(copy, &self.place, due, work_tree, &[]),
            None => self.update_index(copy, found.written, due, work_tree),
        }
    }

    /// Whether it is written; `false` for one of which something would be lost.
    ///
    /// It counts as written at the moment at which this began to look at files: whoever saves one later gives it a later
    /// time than that, so that its entry cannot hide it.
    fn write_next_index(
        &self,
        copy: &Path,
        index: &IndexFile<'_>,
        written: (u32, u32),
        due: &Due<'_>,
        work_tree: WorkTree,
    ) -> Result<bool, String> {
        let text = |error: std::io::Error| error.to_string();
        let (next, begun) = self.begin_index(copy).map_err(text)?;
        let mut changes = self.doubts(index, (written, moment(begun)), due)?;
        for (path, versions) in due {
            let change = match &versions.new {
                Some(blob) => Change::Put(self.file_entry(path, blob, work_tree)?),
                None => Change::Remove,
            };
            changes.insert(path.as_bytes(), change);
        }
        let Some(bytes) = splice(index, &changes) else { return Ok(false) };
        let write = || -> std::io::Result<()> {
            next.as_file().write_all(&bytes)?;
            next.as_file().set_modified(begun)?;
            next.as_file().sync_all()
        };
        write().map_err(text)?;
        next.persist(copy).map_err(|error| error.error.to_string())?;
        Ok(true)
    }

    /// A file for the next index, and the time of the file system now. Who may read the index may read it.
    fn begin_index(&self, copy: &Path) -> std::io::Result<(NamedTempFile, SystemTime)> {
        // As git makes it: the rest is the umask's.
        let any = fs::Permissions::from_mode(0o666);
        let directory = copy.parent().unwrap_or(&self.place.git_dir);
        let next = tempfile::Builder::new().prefix(COPY).permissions(any).tempfile_in(directory)?;
        let metadata = next.as_file().metadata()?;
        if let Ok(old) = fs::metadata(self.place.git_dir.join("index"))
            && old.permissions() != metadata.permissions()
        {
            next.as_file().set_permissions(old.permissions())?;
        }
        Ok((next, metadata.modified()?))
    }

    /// Files that may have been changed at the very moment at which the index was written, which their times do not tell:
    /// of these it was known, and of the next, younger index it would not be. git compares their contents; so do we.
    ///
    /// Those that are not older than the next index stay in doubt by that.
    fn doubts<'a>(
        &self,
        index: &IndexFile<'a>,
        (written, begun): ((u32, u32), (u32, u32)),
        due: &Due<'_>,
    ) -> Result<Changes<'a>, String> {
        let mut hasher = None;
        let mut doubts = Changes::new();
        // In whole seconds: git looks at no more of a file's times.
        let young = |entry: &&Entry<'a>| (written.0..begun.0).contains(&entry.changed().0);
        for entry in index.entries.iter().filter(young).filter(|it| it.size() != 0 && !it.is_unmerged()) {
            let path = RepoPath::from_bytes(entry.path);
            let Some(mode) = file_mode(entry.mode()).filter(|mode| *mode != FileMode::Submodule) else {
                continue;
            };
            if due.contains_key(&path) || self.is_told_by_times(entry, &path) {
                continue;
            }
            let blob = Blob { id: object_id(git2::Oid::from_bytes(&entry.object()).map_err(said)?), mode };
            // After a checkout these are very many, and nearly all are so.
            if self.holds_byte_by_byte(&path, &blob) {
                continue;
            }
            let hasher = match &mut hasher {
                Some(hasher) => hasher,
                none => none.insert(Hasher::new(self).map_err(|error| error.to_string())?),
            };
            if self.metadata_of(hasher, &path, &blob).is_none() {
                doubts.insert(entry.path, Change::Doubt);
            }
        }
        Ok(doubts)
    }

    /// Whether everyone can see that the file was changed, or is gone.
    fn is_told_by_times(&self, entry: &Entry<'_>, path: &RepoPath) -> bool {
        self.place.absolute(path).symlink_metadata().map_or(true, |metadata| {
            let now = FileFacts::of(&metadata);
            now.changed.0 != entry.changed().0 || now.size != entry.size()
        })
    }

    fn holds_byte_by_byte(&self, path: &RepoPath, blob: &Blob) -> bool {
        let absolute = self.place.absolute(path);
        let look = || absolute.symlink_metadata().ok().filter(Metadata::is_file);
        let Some(before) = look() else { return false };
        let id = git2::Oid::hash_file(git2::ObjectType::Blob, &absolute);
        id.is_ok_and(|id| object_id(id) == blob.id) && look().is_some_and(|after| is_same(&before, &after))
    }

    /// With the file's times where they are known to belong to this content; else git compares it once more.
    fn file_entry(&self, path: &RepoPath, blob: &Blob, work_tree: WorkTree) -> Result<FileEntry, String> {
        let id = oid(&blob.id).map_err(said)?;
        let object = id.as_bytes().first_chunk().copied().unwrap_or_default();
        let metadata = match work_tree {
            WorkTree::JustRead => {
                Hasher::new(self).ok().and_then(|mut hasher| self.metadata_of(&mut hasher, path, blob))
            }
            WorkTree::Unknown => None,
        };
        let file = metadata.as_ref().map(FileFacts::of).unwrap_or_default();
        Ok(FileEntry { mode: mode_bits(blob.mode), object, file })
    }

    /// Of a file that holds this content, read once more: somebody may have saved it since it was stored, and with its
    /// new times the index would hide that.
    fn metadata_of(&self, hasher: &mut Hasher<'_>, path: &RepoPath, blob: &Blob) -> Option<Metadata> {
        let absolute = self.place.absolute(path);
        let before = absolute.symlink_metadata().ok()?;
        let id = match blob.mode {
            FileMode::Symlink => {
                let target = fs::read_link(&absolute).ok()?;
                git2::Oid::hash_object(git2::ObjectType::Blob, target.as_os_str().as_bytes()).ok()?
            }
            FileMode::Regular | FileMode::Executable if before.is_file() => {
                oid(&hasher.hash(path).ok()?.id).ok()?
            }
            FileMode::Regular | FileMode::Executable | FileMode::Submodule => return None,
        };
        let after = absolute.symlink_metadata().ok()?;
        (Some(id) == oid(&blob.id).ok() && is_same(&before, &after)).then_some(after)
    }

    /// By libgit2, which keeps what it knows of the index.
    fn update_index(
        &self,
        copy: &Path,
        written: (u32, u32),
        due: &Due<'_>,
        work_tree: WorkTree,
    ) -> Result<(), String> {
        let mut index = Index::open(copy).map_err(said)?;
        let is_young = |entry: &IndexEntry| seconds(entry.mtime) >= written.0 && entry.file_size != 0;
        let young: Vec<IndexEntry> = index.iter().filter(is_young).collect();
        for entry in young {
            // Without a size, git compares the content.
            index.add(&IndexEntry { file_size: 0, ..entry }).map_err(said)?;
        }
        for (path, versions) in due {
            match &versions.new {
                Some(blob) => {
                    let entry = self.file_entry(path, blob, work_tree)?;
                    index.add(&library_entry(path, &entry).map_err(said)?).map_err(said)?;
                }
                None => match index.remove(path.as_path(), 0) {
                    Err(error) if error.code() != git2::ErrorCode::NotFound => return Err(said(error)),
                    _ => {}
                },
            }
        }
        index.write().map_err(said)?;
        File::open(copy).and_then(|file| file.sync_all()).map_err(|error| error.to_string())
    }
}

impl FileFacts {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the index keeps the low 32 bits of each"
    )]
    fn of(metadata: &Metadata) -> Self {
        Self {
            told_changed: (metadata.ctime() as u32, metadata.ctime_nsec() as u32),
            changed: (metadata.mtime() as u32, metadata.mtime_nsec() as u32),
            device: metadata.dev() as u32,
            inode: metadata.ino() as u32,
            owners: (metadata.uid(), metadata.gid()),
            size: metadata.len() as u32,
        }
    }
}

/// Of the file that is read: one that is replaced meanwhile stays as it was for whoever has it open.
fn read(copy: &Path) -> std::io::Result<Found> {
    let mut file = match File::open(copy) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::default()),
        Err(error) => return Err(error),
    };
    let written = moment(file.metadata()?.modified()?);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Found { bytes: Some(bytes), written })
}

#[expect(clippy::cast_possible_wrap, reason = "the index keeps the low 32 bits")]
fn library_entry(path: &RepoPath, entry: &FileEntry) -> Result<IndexEntry, git2::Error> {
    let time = |(seconds, nanoseconds): (u32, u32)| IndexTime::new(seconds as i32, nanoseconds);
    Ok(IndexEntry {
        ctime: time(entry.file.told_changed),
        mtime: time(entry.file.changed),
        dev: entry.file.device,
        ino: entry.file.inode,
        mode: entry.mode,
        uid: entry.file.owners.0,
        gid: entry.file.owners.1,
        file_size: entry.file.size,
        id: git2::Oid::from_bytes(&entry.object)?,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    })
}

#[expect(clippy::cast_sign_loss, reason = "the index keeps the low 32 bits")]
fn seconds(time: IndexTime) -> u32 {
    time.seconds() as u32
}

#[expect(clippy::needless_pass_by_value, reason = "as an error comes")]
fn said(error: git2::Error) -> String {
    error.message().to_owned()
}

#[cfg(test)]
mod tests;
