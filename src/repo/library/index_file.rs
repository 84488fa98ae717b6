//! An index as bytes: what libgit2 does not tell of it.

use std::fs::Metadata;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use sha1::{Digest as _, Sha1};

const HEADER: usize = 12;
/// The bytes of the checksum that an index ends with.
pub(super) const CHECKSUM: usize = 20;
/// The bytes of an entry before its path.
pub(super) const ENTRY: usize = 62;
/// Where in an entry the size of the file stands.
pub(super) const SIZE: usize = 36;
/// From this length on, that of a path is not told by its entry's flags.
pub(super) const LONGEST_NOTED: u16 = 0xfff;
/// Flags of an entry: more flags follow, so that the path begins two bytes later.
const EXTENDED: u16 = 0x4000;
const ASSUMED: u16 = 0x8000;
const STAGE: u16 = 0x3000;
/// One of those that follow.
const SKIPPED: u16 = 0x4000;

/// An index of SHA-1 names in the versions 2 and 3.
#[derive(Debug)]
pub(super) struct IndexFile<'a> {
    /// In the order of their paths.
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) extensions: Vec<Extension<'a>>,
    /// All but the checksum.
    pub(super) content: &'a [u8],
    checksum: &'a [u8],
}

/// A name of four letters, and its content.
pub(super) type Extension<'a> = (&'a [u8], &'a [u8]);

/// Paths of attributes files, and the names of their objects.
pub(super) type AttributesFiles = Vec<(Vec<u8>, Vec<u8>)>;

/// An entry: the version of a path, and what its file looked like when it was known to hold it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// All of it, with the zeros after the path.
    bytes: &'a [u8],
    /// None: no more flags than all have.
    more_flags: Option<u16>,
    pub(super) path: &'a [u8],
}

impl<'a> Entry<'a> {
    fn number(&self, at: usize) -> u32 {
        number(self.bytes, at).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// By this the entries of an index are in order.
    pub(super) fn key(&self) -> (&'a [u8], u16) {
        (self.path, self.side())
    }

    /// Seconds and nanoseconds.
    pub(super) fn changed(&self) -> (u32, u32) {
        (self.number(8), self.number(12))
    }

    /// The same of what is told about the file.
    pub(super) fn told_changed(&self) -> (u32, u32) {
        (self.number(0), self.number(4))
    }

    pub(super) fn inode(&self) -> u32 {
        self.number(20)
    }

    pub(super) fn mode(&self) -> u32 {
        self.number(24)
    }

    /// User and group.
    pub(super) fn owners(&self) -> (u32, u32) {
        (self.number(28), self.number(32))
    }

    pub(super) fn size(&self) -> u32 {
        self.number(SIZE)
    }

    /// The bytes of the object's name.
    pub(super) fn object(&self) -> [u8; 20] {
        self.bytes.get(SIZE + 4..).and_then(|rest| rest.first_chunk().copied()).unwrap_or_default()
    }

    fn flags(&self) -> u16 {
        flags(self.bytes)
    }

    /// Which side of a conflict it is, from 1 to 3; otherwise 0.
    pub(super) fn side(&self) -> u16 {
        (self.flags() & STAGE) >> 12
    }

    /// One of several versions of a path that are yet to be merged.
    pub(super) fn is_unmerged(&self) -> bool {
        self.side() != 0
    }

    /// Git is told not to look at the file (`assume-unchanged`).
    pub(super) fn is_assumed(&self) -> bool {
        self.flags() & ASSUMED != 0
    }

    /// The file is announced only (`git add -N`), or meant not to be there (`skip-worktree`).
    pub(super) fn is_special(&self) -> bool {
        self.more_flags.is_some_and(|flags| flags != 0)
    }

    /// The work tree is meant not to have it (`skip-worktree`).
    pub(super) fn is_skipped(&self) -> bool {
        self.more_flags.is_some_and(|flags| flags & SKIPPED != 0)
    }

    /// Only an index of version 3 has any.
    pub(super) fn has_more_flags(&self) -> bool {
        self.more_flags.is_some()
    }
}

impl<'a> IndexFile<'a> {
    /// An index that is not there.
    pub(super) const fn absent() -> Self {
        Self { entries: Vec::new(), extensions: Vec::new(), content: b"", checksum: b"none" }
    }

    /// `None` for any other index, or where it is broken.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.len().checked_sub(CHECKSUM)?;
        let (content, checksum) = bytes.split_at(end);
        if content.get(..4)? != b"DIRC" || !matches!(number(content, 4)?, 2 | 3) {
            return None;
        }
        let count = number(content, 8)?;
        let mut entries = Vec::with_capacity((count as usize).min(bytes.len() / ENTRY));
        let mut at = HEADER;
        for _ in 0..count {
            let rest = content.get(at..)?;
            let has_more = flags(rest.get(..ENTRY)?) & EXTENDED != 0;
            let start = ENTRY + if has_more { 2 } else { 0 };
            let more_flags = if has_more {
                let two = rest.get(start - 2..start)?;
                Some(u16::from_be_bytes([two[0], two[1]]))
            } else {
                None
            };
            let length = path_length(rest, start)?;
            // Padded with one to eight zeros.
            let size = (start + length) / 8 * 8 + 8;
            entries.push(Entry { bytes: rest.get(..size)?, more_flags, path: &rest[start..start + length] });
            at += size;
        }
        let mut extensions = Vec::new();
        while at < end {
            let (name, size) = (content.get(at..at + 4)?, number(content, at + 4)? as usize);
            at += 8;
            extensions.push((name, content.get(at..at.checked_add(size)?)?));
            at += size;
        }
        (at == end).then_some(Self { entries, extensions, content, checksum })
    }

    /// git leaves it out where `index.skipHash` is set.
    pub(super) fn has_checksum(&self) -> bool {
        self.checksum.iter().any(|byte| *byte != 0)
    }

    /// Whether it is as it was written, as far as that can be known.
    pub(super) fn is_intact(&self) -> bool {
        !self.has_checksum() || Sha1::digest(self.content).as_slice() == self.checksum
    }

    /// Whether its entries are all there is: an extension whose name begins with a small letter changes what they mean.
    pub(super) fn is_whole(&self) -> bool {
        self.extensions.iter().all(|(name, _)| name[0].is_ascii_uppercase())
    }

    /// The extension of this name.
    pub(super) fn extension(&self, name: [u8; 4]) -> Option<&'a [u8]> {
        self.extensions.iter().find(|(known, _)| *known == name).map(|(_, content)| *content)
    }

    /// The entry of a path; of one that is yet to be merged, that of any version.
    pub(super) fn find(&self, path: &[u8]) -> Option<&Entry<'a>> {
        let at = self.entries.binary_search_by(|entry| entry.path.cmp(path)).ok()?;
        Some(&self.entries[at])
    }

    /// Where the entries of a path are: several while it is yet to be merged.
    pub(super) fn all_of(&self, path: &[u8]) -> Range<usize> {
        let start = self.entries.partition_point(|entry| entry.path < path);
        let count = self.entries[start..].iter().take_while(|entry| entry.path == path).count();
        start..start + count
    }

    /// Where the entries below a directory are.
    pub(super) fn all_below(&self, directory: &[u8]) -> Range<usize> {
        let prefix = [directory, b"/"].concat();
        let start = self.entries.partition_point(|entry| entry.path < prefix.as_slice());
        let count = self.entries[start..].partition_point(|entry| entry.path.starts_with(&prefix));
        start..start + count
    }

    /// The versions of all attributes files, to see whether one has changed.
    pub(super) fn attributes(&self) -> AttributesFiles {
        let is_attributes = |path: &[u8]| {
            path.strip_suffix(b".gitattributes")
                .is_some_and(|directory| matches!(directory.last(), None | Some(b'/')))
        };
        let entries = self.entries.iter().filter(|entry| is_attributes(entry.path));
        entries.map(|entry| (entry.path.to_vec(), entry.object().to_vec())).collect()
    }
}

/// A time as an index keeps it: seconds and nanoseconds.
pub(super) fn moment(time: SystemTime) -> (u32, u32) {
    #[expect(clippy::cast_possible_truncation, reason = "the index keeps the low 32 bits")]
    time.duration_since(UNIX_EPOCH).map_or((0, 0), |since| (since.as_secs() as u32, since.subsec_nanos()))
}

/// Whether a file was left alone between two looks, as far as the file system tells.
pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    let times = |it: &Metadata| (it.mtime(), it.mtime_nsec(), it.ctime(), it.ctime_nsec());
    let file = |it: &Metadata| (it.dev(), it.ino(), it.len(), it.mode());
    times(one) == times(other) && file(one) == file(other)
}

/// Of the bytes of an entry.
fn flags(entry: &[u8]) -> u16 {
    u16::from_be_bytes([entry[ENTRY - 2], entry[ENTRY - 1]])
}

/// Of the path that begins there. The flags tell it, of long ones only that they are long.
fn path_length(entry: &[u8], start: usize) -> Option<usize> {
    let noted = flags(entry) & LONGEST_NOTED;
    if noted < LONGEST_NOTED {
        let length = usize::from(noted);
        return (*entry.get(start + length)? == 0).then_some(length);
    }
    entry.get(start..)?.iter().position(|byte| *byte == 0)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::TestRepo;

    fn read(test: &TestRepo) -> Vec<u8> {
        std::fs::read(test.root.join(".git/index")).unwrap()
    }

    #[test]
    fn the_index_that_git_writes_is_read_whole() {
        let long = "d/".repeat(2100) + "long";
        let paths = ["a", "ab", "abc", "dir/abcd", "dir/abcde", "dir/abcdef", "dir/abcdefg", "dir/abcdefgh"];
        let test = TestRepo::with(&paths.map(|path| (path, path)));
        let blob = test.git(&["rev-parse", ":a"]);
        test.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{},{long}", blob.trim())]);
        test.git(&["update-index", "--skip-worktree", "ab"]);
        let bytes = read(&test);
        let index = IndexFile::parse(&bytes).unwrap();
        let named: Vec<_> = index.entries.iter().map(|entry| String::from_utf8_lossy(entry.path)).collect();
        let mut expected: Vec<String> = paths.iter().map(|path| (*path).to_owned()).chain([long]).collect();
        expected.sort();
        assert_eq!(named, expected);
        assert_eq!(index.entries.iter().filter(|entry| entry.is_skipped()).count(), 1);
        assert!(index.is_whole() && index.is_intact() && index.has_checksum());
        assert_eq!(index.all_below(b"dir"), 4..9);
        assert_eq!((index.all_of(b"abc"), index.all_of(b"abcd")), (2..3, 3..3));
    }

    #[test]
    fn what_is_broken_or_of_another_version_is_not_read() {
        let test = TestRepo::with(&[("a", "1")]);
        let whole = read(&test);
        let is_refused = |bytes: &[u8]| IndexFile::parse(bytes).is_none_or(|index| !index.is_intact());
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 1;
            assert!(is_refused(&other) && is_refused(&whole[..at]), "{at}");
        }
        test.git(&["update-index", "--index-version", "4"]);
        assert!(IndexFile::parse(&read(&test)).is_none());
    }
}
