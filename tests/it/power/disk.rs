//! A disk with a cache: what was written, and what of it would be there after a loss of power.
//!
//! By the letter of POSIX: the fsync of a file makes its content durable, not its name; that of a directory its names, not
//! what they stand for.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::trace::Event;

type Names = BTreeMap<PathBuf, usize>;

#[derive(Debug, Clone)]
enum Inode {
    File { written: Vec<u8>, durable: Vec<u8>, mode: u32 },
    Directory { written: Names, durable: Names },
    Symlink(PathBuf),
}

/// What became of writes that nobody had synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reading {
    /// None of them took place.
    Strict,
    /// The names are there, the contents are not: delayed allocation.
    NamesFirst,
    /// The names and sizes are there, the contents are zeros.
    Zeros,
    /// The contents are there, the names are not.
    ContentsFirst,
}

impl Reading {
    pub(crate) const ALL: [Self; 4] = [Self::Strict, Self::NamesFirst, Self::Zeros, Self::ContentsFirst];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Strict => "only what was synced",
            Self::NamesFirst => "besides, names without contents",
            Self::Zeros => "besides, names and sizes, contents zero",
            Self::ContentsFirst => "besides, contents of known names",
        }
    }
}

/// One thing in an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    File(Content),
    Directory,
    Symlink(PathBuf),
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
    /// Where it is the second name of a file: the first one.
    pub(crate) first_name: Option<PathBuf>,
}

/// A tree of files, by their paths below the disk's root.
pub(crate) type Image = BTreeMap<PathBuf, Node>;

/// The part of the file system below one directory.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    root: PathBuf,
    inodes: Vec<Inode>,
    /// Where each descriptor stands, and in which file; `None`: at the end.
    places: BTreeMap<(u32, u32), (usize, Option<u64>)>,
}

impl Disk {
    /// What is there now, all of it durable.
    pub(crate) fn snapshot(root: &Path) -> Self {
        let mut disk = Self { root: root.to_owned(), inodes: Vec::new(), places: BTreeMap::new() };
        disk.take(root, &mut BTreeMap::new());
        disk
    }

    /// `known`: files that were met under another name.
    fn take(&mut self, path: &Path, known: &mut BTreeMap<(u64, u64), usize>) -> usize {
        let metadata = fs::symlink_metadata(path).unwrap();
        let id = self.inodes.len();
        if metadata.is_file() && metadata.nlink() > 1 {
            let same = *known.entry((metadata.dev(), metadata.ino())).or_insert(id);
            if same != id {
                return same;
            }
        }
        self.inodes.push(Inode::Symlink(PathBuf::new()));
        self.inodes[id] = if metadata.is_dir() {
            let mut names = Names::new();
            for entry in fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                names.insert(entry.file_name().into(), self.take(&entry.path(), known));
            }
            Inode::Directory { written: names.clone(), durable: names }
        } else if metadata.is_symlink() {
            Inode::Symlink(fs::read_link(path).unwrap())
        } else if metadata.is_file() {
            let content = fs::read(path).unwrap();
            Inode::File {
                written: content.clone(),
                durable: content,
                mode: metadata.permissions().mode() & 0o7777,
            }
        } else {
            Inode::Symlink("special".into())
        };
        id
    }

    fn find(&self, path: &Path) -> Option<usize> {
        path.strip_prefix(&self.root).ok()?.components().try_fold(0, |id, name| match &self.inodes[id] {
            Inode::Directory { written, .. } => written.get(Path::new(name.as_os_str())).copied(),
            Inode::File { .. } | Inode::Symlink(_) => None,
        })
    }

    /// The names in the directory of a path that is ours.
    fn names(&mut self, path: &Path) -> Option<(&mut Names, PathBuf)> {
        let id = self.find(path.parent()?)?;
        match &mut self.inodes[id] {
            Inode::Directory { written, .. } => Some((written, path.file_name()?.into())),
            Inode::File { .. } | Inode::Symlink(_) => None,
        }
    }

    fn put(&mut self, path: &Path, inode: Inode) -> Option<usize> {
        let id = self.inodes.len();
        let (names, name) = self.names(path)?;
        names.insert(name, id);
        self.inodes.push(inode);
        Some(id)
    }

    fn content(&mut self, path: &Path) -> Option<&mut Vec<u8>> {
        let id = self.find(path)?;
        match &mut self.inodes[id] {
            Inode::File { written, .. } => Some(written),
            Inode::Directory { .. } | Inode::Symlink(_) => None,
        }
    }

    fn write_at(&mut self, path: &Path, offset: u64, data: &[u8]) -> Option<()> {
        let content = self.content(path)?;
        let start = usize::try_from(offset).unwrap();
        let end = start + data.len();
        content.resize(content.len().max(end), 0);
        content[start..end].copy_from_slice(data);
        Some(())
    }

    /// Applies one event; whether it concerned this disk.
    pub(crate) fn apply(&mut self, event: &Event) -> bool {
        self.try_apply(event).is_some()
    }

    fn try_apply(&mut self, event: &Event) -> Option<()> {
        match event {
            Event::Open { task, fd, path, create, truncate, append } => {
                self.places.remove(&(*task, *fd));
                let mut changes = *truncate;
                let id = match self.find(path) {
                    Some(id) => id,
                    None if *create => {
                        changes = true;
                        let file = Inode::File { written: Vec::new(), durable: Vec::new(), mode: 0o644 };
                        self.put(path, file)?
                    }
                    None => return None,
                };
                if *truncate {
                    self.content(path)?.clear();
                }
                self.places.insert((*task, *fd), (id, (!append).then_some(0)));
                changes.then_some(())
            }
            Event::Write { task, fd, path, data } => {
                let id = self.find(path)?;
                let key = (*task, *fd);
                let place = self.places.get(&key).filter(|(file, _)| *file == id).and_then(|(_, at)| *at);
                // A descriptor that came from another process has only ever been written on.
                let offset = match place {
                    Some(offset) => offset,
                    None => self.content(path)?.len() as u64,
                };
                self.write_at(path, offset, data)?;
                if place.is_some() {
                    self.places.insert(key, (id, Some(offset + data.len() as u64)));
                }
                Some(())
            }
            Event::WriteAt { path, offset, data } => self.write_at(path, *offset, data),
            Event::Seek { task, fd, offset } => {
                let (_, place) = self.places.get_mut(&(*task, *fd))?;
                *place = place.map(|_| *offset);
                None
            }
            Event::Duplicate { task, from, to } => {
                match self.places.get(&(*task, *from)).copied() {
                    Some(place) => self.places.insert((*task, *to), place),
                    None => self.places.remove(&(*task, *to)),
                };
                None
            }
            Event::SetSize { path, size } => {
                self.content(path)?.resize(usize::try_from(*size).unwrap(), 0);
                Some(())
            }
            Event::Reserve { path, size } => {
                let content = self.content(path)?;
                content.resize(content.len().max(usize::try_from(*size).unwrap()), 0);
                Some(())
            }
            Event::Sync { path } => {
                let id = self.find(path)?;
                self.inodes[id].sync();
                Some(())
            }
            Event::SyncAll => {
                self.inodes.iter_mut().for_each(Inode::sync);
                Some(())
            }
            Event::Rename { from, to } => {
                let id = self.find(from)?;
                let (names, name) = self.names(from)?;
                names.remove(&name);
                if let Some((names, name)) = self.names(to) {
                    names.insert(name, id);
                }
                Some(())
            }
            Event::Link { from, to } => {
                let id = self.find(from)?;
                let (names, name) = self.names(to)?;
                names.insert(name, id);
                Some(())
            }
            Event::Symlink { target, path } => self.put(path, Inode::Symlink(target.clone())).map(|_| ()),
            Event::Remove { path } => {
                let (names, name) = self.names(path)?;
                names.remove(&name).map(|_| ())
            }
            Event::MakeDirectory { path } => {
                let empty = Inode::Directory { written: Names::new(), durable: Names::new() };
                self.put(path, empty).map(|_| ())
            }
        }
    }

    /// What there is without any loss.
    pub(crate) fn written(&self) -> Image {
        let mut image = Image::new();
        self.collect((0, Path::new("")), None, &mut image, &mut BTreeMap::new());
        image
    }

    /// What there is after a loss of power.
    pub(crate) fn after_power_loss(&self, reading: Reading) -> Image {
        let mut image = Image::new();
        self.collect((0, Path::new("")), Some(reading), &mut image, &mut BTreeMap::new());
        image
    }

    /// `known`: the first name of each file.
    fn collect(
        &self,
        (id, path): (usize, &Path),
        loss: Option<Reading>,
        image: &mut Image,
        known: &mut BTreeMap<usize, PathBuf>,
    ) {
        let node = match &self.inodes[id] {
            Inode::Symlink(target) => Node::Symlink(target.clone()),
            Inode::File { written, durable, mode } => {
                let bytes = match loss {
                    None | Some(Reading::ContentsFirst) => written.clone(),
                    Some(Reading::Strict | Reading::NamesFirst) => durable.clone(),
                    Some(Reading::Zeros) if written == durable => durable.clone(),
                    Some(Reading::Zeros) => {
                        let known = durable.iter().copied().chain(std::iter::repeat(0));
                        known.take(written.len()).collect()
                    }
                };
                let first_name = known.get(&id).cloned();
                known.entry(id).or_insert_with(|| path.to_owned());
                Node::File(Content { bytes, mode: *mode, first_name })
            }
            Inode::Directory { written, durable } => {
                let names = match loss {
                    None | Some(Reading::NamesFirst | Reading::Zeros) => written,
                    Some(Reading::Strict | Reading::ContentsFirst) => durable,
                };
                for (name, id) in names {
                    self.collect((*id, &path.join(name)), loss, image, known);
                }
                Node::Directory
            }
        };
        image.insert(path.to_owned(), node);
    }
}

impl Inode {
    fn sync(&mut self) {
        match self {
            Self::File { written, durable, .. } => durable.clone_from(written),
            Self::Directory { written, durable } => durable.clone_from(written),
            Self::Symlink(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (tempfile::TempDir, Disk) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), "old").unwrap();
        let disk = Disk::snapshot(directory.path());
        (directory, disk)
    }

    fn text(image: &Image, name: &str) -> Option<String> {
        match image.get(Path::new(name))? {
            Node::File(content) => Some(String::from_utf8(content.bytes.clone()).unwrap()),
            Node::Directory | Node::Symlink(_) => None,
        }
    }

    #[test]
    fn a_file_that_replaces_another_needs_its_own_sync_and_that_of_its_directory() {
        let (directory, mut disk) = disk();
        let (a, b) = (directory.path().join("a"), directory.path().join("b"));
        let open =
            Event::Open { task: 1, fd: 3, path: b.clone(), create: true, truncate: true, append: false };
        let seen =
            |disk: &Disk| Reading::ALL.map(|reading| text(&disk.after_power_loss(reading), "a").unwrap());
        disk.apply(&open);
        disk.apply(&Event::Write { task: 1, fd: 3, path: b.clone(), data: b"new".to_vec() });
        let mut careless = disk.clone();
        careless.apply(&Event::Rename { from: b.clone(), to: a.clone() });
        assert_eq!(seen(&careless), ["old", "", "\0\0\0", "old"]);
        disk.apply(&Event::Sync { path: b.clone() });
        disk.apply(&Event::Rename { from: b, to: a });
        assert_eq!(seen(&disk), ["old", "new", "new", "old"]);
        disk.apply(&Event::Sync { path: directory.path().to_owned() });
        assert_eq!(seen(&disk), ["new"; 4]);
    }

    #[test]
    fn two_names_of_a_file_are_that_in_an_image_too() {
        let (directory, mut disk) = disk();
        let (a, b) = (directory.path().join("a"), directory.path().join("b"));
        disk.apply(&Event::Link { from: a, to: b });
        let first_name = |image: Image| match image.get(Path::new("b")) {
            Some(Node::File(content)) => content.first_name.clone(),
            Some(Node::Directory | Node::Symlink(_)) | None => None,
        };
        assert_eq!(first_name(disk.written()), Some("a".into()));
        assert_eq!(first_name(disk.after_power_loss(Reading::NamesFirst)), Some("a".into()));
        assert_eq!(text(&disk.after_power_loss(Reading::Strict), "b"), None);
    }

    #[test]
    fn a_new_directory_is_lost_with_all_in_it_until_its_parent_is_synced() {
        let (directory, mut disk) = disk();
        let (d, f) = (directory.path().join("d"), directory.path().join("d/f"));
        disk.apply(&Event::MakeDirectory { path: d.clone() });
        disk.apply(&Event::Open {
            task: 1,
            fd: 3,
            path: f.clone(),
            create: true,
            truncate: false,
            append: false,
        });
        disk.apply(&Event::Sync { path: f });
        disk.apply(&Event::Sync { path: d });
        assert_eq!(text(&disk.after_power_loss(Reading::Strict), "d/f"), None);
        disk.apply(&Event::Sync { path: directory.path().to_owned() });
        assert_eq!(text(&disk.after_power_loss(Reading::Strict), "d/f").as_deref(), Some(""));
    }
}
