//! The work tree against the index: every directory that has entries is opened once, and its files are looked up in it.
//!
//! Its names are read too, unless nothing has come or gone since an earlier look found in it just what the index has.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat, fstat, openat, statat};
use rustix::path::Arg;

use super::super::index_file::Entry;
use super::MOST;

/// Threads beyond this wait for each other in the file system.
const MOST_THREADS: usize = 8;
/// How many directories a thread takes at a time.
const SHARE: usize = 16;
const NAMES_BUFFER: usize = 32 << 10;

const EXECUTABLE: u32 = 0o100_755;
const REGULAR: u32 = 0o100_644;
const LINK: u32 = 0o120_000;
/// Git's name of the empty file.
const EMPTY: [u8; 20] = [
    0xe6, 0x9d, 0xe2, 0x9b, 0xb2, 0xd1, 0xd6, 0x43, 0x4b, 0x8b, 0x29, 0xae, 0x77, 0x5a, 0xd8, 0xc2, 0xe4,
    0x8c, 0x53, 0x91,
];

/// How many seconds a directory must be older than a look, so that whatever comes or goes later changes its times.
const SETTLED: i64 = 2;

/// When a look is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The second in which the index was written. In whole seconds: a file system may keep no more.
    pub(super) written: u32,
    /// A second that the clock of the file system had reached when the look began; nobody can set it ahead.
    pub(super) begun: i64,
}

/// The directories in which earlier looks of this process found just the names that the index has, by path.
#[derive(Debug, Default)]
pub(in super::super) struct Names {
    directories: BTreeMap<Vec<u8>, KnownNames>,
}

/// Whatever comes into a directory or goes changes its times; a restored time changes the second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    changed: (i64, i64),
    told_changed: (i64, i64),
}

#[derive(Debug, PartialEq, Eq)]
struct KnownNames {
    mark: Mark,
    names: Vec<u8>,
}

impl Mark {
    fn of(stat: &Stat) -> Self {
        #[expect(
            clippy::unnecessary_cast,
            clippy::cast_possible_wrap,
            reason = "the types differ from machine to machine"
        )]
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            changed: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            told_changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }

    fn is_settled(&self, begun: i64) -> bool {
        self.changed.0.max(self.told_changed.0).saturating_add(SETTLED) <= begun
    }
}

/// What a thread has found.
#[derive(Default)]
struct Found {
    /// Paths.
    differing: Vec<Vec<u8>>,
    /// Directories whose names were read, and are those that the index has.
    known: Vec<(Vec<u8>, KnownNames)>,
}

/// A directory with what the index has directly in it.
#[derive(Debug, Default)]
struct Directory<'a> {
    path: &'a [u8],
    /// These in the order of their names.
    files: Vec<Entry<'a>>,
    /// Likewise.
    directories: Vec<&'a [u8]>,
}

/// The paths whose file is not provably the one that the index knows, and those that it does not know. `None`: git has
/// to be asked about everything.
///
/// `known`: from the looks before, where the file system can be relied on for that.
pub(super) fn differing(
    root: &Path,
    entries: &[Entry<'_>],
    moment: Moment,
    known: Option<&mut Names>,
) -> Option<Vec<Vec<u8>>> {
    let root: OwnedFd = File::open(root).ok()?.into();
    let device = fstat(&root).ok()?.st_dev;
    let directories = directories(entries);
    let walk = Walk {
        root: &root,
        device,
        directories: &directories,
        moment,
        known: known.as_deref(),
        next: AtomicUsize::new(0),
        found: AtomicUsize::new(0),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(MOST_THREADS).min(directories.len().div_ceil(SHARE));
    let found = std::thread::scope(|scope| {
        let helpers: Vec<_> =
            (1..threads).map(|_| std::thread::Builder::new().spawn_scoped(scope, || walk.look())).collect();
        let mut found = walk.look()?;
        // One that could not be started has left its share to the others.
        for helper in helpers.into_iter().flatten() {
            let other = helper.join().ok()??;
            found.differing.extend(other.differing);
            found.known.extend(other.known);
        }
        Some(found)
    })?;
    if let Some(known) = known {
        known.directories.extend(found.known);
        // Some are not in the index any more.
        if known.directories.len() > directories.len() {
            known.directories.clear();
        }
    }
    Some(found.differing)
}

/// The directories of all entries; each but the root is listed in the one above it.
fn directories<'a>(entries: &[Entry<'a>]) -> Vec<Directory<'a>> {
    let mut known: HashMap<&[u8], usize> = HashMap::from([(b"".as_slice(), 0)]);
    let mut all = vec![Directory::default()];
    let mut last: (&[u8], usize) = (b"", 0);
    for entry in entries {
        let (path, _) = split(entry.path);
        if path != last.0 {
            last = (path, place_of(path, &mut known, &mut all));
        }
        all[last.1].files.push(*entry);
    }
    for directory in &mut all {
        // The order of entries is that of whole paths.
        directory.directories.sort_unstable();
    }
    all
}

fn place_of<'a>(path: &'a [u8], known: &mut HashMap<&'a [u8], usize>, all: &mut Vec<Directory<'a>>) -> usize {
    let mut lowest = None;
    let mut inner: Option<usize> = None;
    let mut path = path;
    loop {
        if let Some(&place) = known.get(path) {
            if let Some(inner) = inner {
                let (_, name) = split(all[inner].path);
                all[place].directories.push(name);
            }
            return lowest.unwrap_or(place);
        }
        let place = all.len();
        all.push(Directory { path, ..Directory::default() });
        known.insert(path, place);
        if let Some(inner) = inner {
            let (_, name) = split(all[inner].path);
            all[place].directories.push(name);
        }
        lowest = lowest.or(Some(place));
        inner = Some(place);
        path = split(path).0;
    }
}

/// The directory and the name in it.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    path.iter().rposition(|byte| *byte == b'/').map_or((b"", path), |at| (&path[..at], &path[at + 1..]))
}

impl Directory<'_> {
    /// Where the names of its files begin in their paths.
    fn depth(&self) -> usize {
        if self.path.is_empty() { 0 } else { self.path.len() + 1 }
    }

    /// All that the index has directly in it, files and directories apart.
    fn names(&self) -> Vec<u8> {
        let mut names = Vec::with_capacity(self.files.len() * 32);
        let mut add = |name: &[u8], kind: u8| {
            names.extend_from_slice(name);
            names.push(kind);
        };
        self.files.iter().for_each(|file| add(&file.path[self.depth()..], 0));
        self.directories.iter().for_each(|name| add(name, b'/'));
        names
    }
}

struct Walk<'a> {
    root: &'a OwnedFd,
    /// The root's; another file system below it may be of any kind.
    device: u64,
    directories: &'a [Directory<'a>],
    moment: Moment,
    known: Option<&'a Names>,
    /// The first directory that nobody has taken yet.
    next: AtomicUsize,
    /// How many paths all threads have found.
    found: AtomicUsize,
}

impl Walk<'_> {
    fn look(&self) -> Option<Found> {
        let mut found = Found::default();
        let mut buffer = vec![MaybeUninit::uninit(); NAMES_BUFFER];
        loop {
            let from = self.next.fetch_add(SHARE, Ordering::Relaxed);
            let Some(share) = self.directories.get(from..) else { return Some(found) };
            let before = found.differing.len();
            for directory in share.iter().take(SHARE) {
                self.look_at(directory, &mut buffer, &mut found)?;
            }
            let new = found.differing.len() - before;
            if self.found.fetch_add(new, Ordering::Relaxed) + new > MOST {
                return None;
            }
        }
    }

    fn look_at(
        &self,
        directory: &Directory<'_>,
        buffer: &mut [MaybeUninit<u8>],
        found: &mut Found,
    ) -> Option<()> {
        let is_root = directory.path.is_empty();
        let path = if is_root { b".".as_slice() } else { directory.path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = match openat(self.root, OsStr::from_bytes(path), flags, Mode::empty()) {
            Ok(opened) => opened,
            // Whoever looks at the directory above finds it missing, or another thing in its place.
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP)
                if !is_root =>
            {
                return Some(());
            }
            Err(_) => return None,
        };
        let before = found.differing.len();
        let Some(known) = self.known else {
            return self.read(directory, &opened, buffer, &mut found.differing);
        };
        // Before its names are read: what comes meanwhile makes it younger than this.
        let mark = Mark::of(&fstat(&opened).ok()?);
        let now = KnownNames { mark, names: directory.names() };
        if known.directories.get(directory.path) == Some(&now) {
            for file in &directory.files {
                let name = &file.path[directory.depth()..];
                if !self.is_at(&opened, OsStr::from_bytes(name), file) {
                    found.differing.push(file.path.to_vec());
                }
            }
            return Some(());
        }
        self.read(directory, &opened, buffer, &mut found.differing)?;
        if found.differing.len() == before && mark.device == self.device && mark.is_settled(self.moment.begun)
        {
            found.known.push((directory.path.to_vec(), now));
        }
        Some(())
    }

    /// By the names in a directory.
    fn read(
        &self,
        directory: &Directory<'_>,
        opened: &OwnedFd,
        buffer: &mut [MaybeUninit<u8>],
        differing: &mut Vec<Vec<u8>>,
    ) -> Option<()> {
        let is_root = directory.path.is_empty();
        let mut add = |name: &[u8]| {
            differing.push(if is_root { name.to_vec() } else { [directory.path, b"/", name].concat() });
        };
        let depth = directory.depth();
        let mut seen_files = vec![false; directory.files.len()];
        let mut seen_directories = vec![false; directory.directories.len()];
        let mut names = RawDir::new(opened, buffer);
        while let Some(entry) = names.next() {
            let entry = entry.ok()?;
            let name = entry.file_name().to_bytes();
            match (name, entry.file_type()) {
                (b"." | b"..", _) => {}
                (b".git", _) if is_root => {}
                // A repository inside, or a file system that does not tell what its names are.
                (b".git", _) | (_, FileType::Unknown) => return None,
                (_, FileType::Directory) => match directory.directories.binary_search(&name) {
                    Ok(at) => seen_directories[at] = true,
                    Err(_) => add(name),
                },
                (_, FileType::RegularFile | FileType::Symlink) => {
                    let at = directory.files.binary_search_by(|file| file.path[depth..].cmp(name));
                    match at {
                        Ok(at) => {
                            seen_files[at] = true;
                            if !self.is_at(opened, entry.file_name(), &directory.files[at]) {
                                add(name);
                            }
                        }
                        Err(_) => add(name),
                    }
                }
                _ => add(name),
            }
        }
        let files = directory.files.iter().map(|file| &file.path[depth..]);
        let names = files.chain(directory.directories.iter().copied());
        let seen = seen_files.into_iter().chain(seen_directories);
        names.zip(seen).filter(|(_, seen)| !seen).for_each(|(name, _)| add(name));
        Some(())
    }

    /// Whether the file of this name is the one that the index knows.
    fn is_at(&self, directory: &OwnedFd, name: impl Arg, entry: &Entry<'_>) -> bool {
        statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| self.is_unchanged(entry, &stat))
    }

    /// Git's own rule, and not more generous anywhere: a file with these times, of this size, the same inode and the same
    /// owners is the one that was compared when the index was written, unless it may have changed in that very second.
    fn is_unchanged(&self, entry: &Entry<'_>, stat: &Stat) -> bool {
        let mode = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => LINK,
            FileType::RegularFile if stat.st_mode & 0o100 != 0 => EXECUTABLE,
            FileType::RegularFile => REGULAR,
            _ => return false,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the index keeps the low 32 bits of each"
        )]
        let (changed, told, inode, size) = (
            (stat.st_mtime as u32, stat.st_mtime_nsec as u32),
            (stat.st_ctime as u32, stat.st_ctime_nsec as u32),
            stat.st_ino as u32,
            stat.st_size as u32,
        );
        let is_plain = !(entry.is_unmerged() || entry.is_assumed() || entry.is_special());
        // git notes no size where the times cannot be trusted.
        let has_size = entry.size() != 0 || entry.object() == EMPTY;
        is_plain
            && has_size
            && entry.changed().0 < self.moment.written
            && entry.mode() == mode
            && entry.changed() == changed
            && entry.told_changed() == told
            && entry.inode() == inode
            && entry.owners() == (stat.st_uid, stat.st_gid)
            && entry.size() == size
    }
}

#[cfg(test)]
mod tests;
