//! An index as bytes: what libgit2 does not tell of it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::UNIX_EPOCH;

use crate::publish::RepoPath;

const HEADER: usize = 12;
const CHECKSUM: usize = 20;
/// The bytes of an entry before its path.
const ENTRY: usize = 62;
/// Flags of an entry: more flags follow, so that the path begins two bytes later.
const EXTENDED: u16 = 0x4000;
const ASSUMED: u16 = 0x8000;
const STAGE: u16 = 0x3000;

/// What libgit2 keeps. Not what git adds to a large index, so as to read it with several threads.
const KEPT: [&[u8; 4]; 2] = [b"TREE", b"REUC"];

/// What is to be known before libgit2 writes an index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Whether libgit2 would lose nothing of it.
    pub(super) is_kept: bool,
    /// Files that are not older than the index: one may have been changed in the same moment, which its times do not
    /// tell. In an index that is newer they would count as unchanged.
    pub(super) racy: Vec<RepoPath>,
}

/// An index of SHA-1 names in the versions 2 and 3.
#[derive(Debug)]
pub(super) struct IndexFile<'a> {
    /// In the order of their paths.
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) extensions: Vec<Extension<'a>>,
}

/// A name of four letters, and its content.
pub(super) type Extension<'a> = (&'a [u8], &'a [u8]);

/// Paths of attributes files, and the names of their objects.
pub(super) type AttributesFiles = Vec<(Vec<u8>, Vec<u8>)>;

/// An entry: the version of a path, and what its file looked like when it was known to hold it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    fields: &'a [u8],
    /// None: no more flags than all have.
    more_flags: Option<u16>,
    pub(super) path: &'a [u8],
}

impl<'a> Entry<'a> {
    fn number(&self, at: usize) -> u32 {
        number(self.fields, at).unwrap_or_default()
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
        self.number(36)
    }

    /// The bytes of the object's name.
    pub(super) fn object(&self) -> &'a [u8] {
        &self.fields[40..ENTRY - 2]
    }

    fn flags(&self) -> u16 {
        u16::from_be_bytes([self.fields[ENTRY - 2], self.fields[ENTRY - 1]])
    }

    /// One of several versions of a path that are yet to be merged.
    pub(super) fn is_unmerged(&self) -> bool {
        self.flags() & STAGE != 0
    }

    /// Git is told not to look at the file (`assume-unchanged`).
    pub(super) fn is_assumed(&self) -> bool {
        self.flags() & ASSUMED != 0
    }

    /// The file is announced only (`git add -N`), or meant not to be there (`skip-worktree`).
    pub(super) fn is_special(&self) -> bool {
        self.more_flags.is_some_and(|flags| flags != 0)
    }
}

impl<'a> IndexFile<'a> {
    /// `None` for any other index, or where it is broken.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.len().checked_sub(CHECKSUM)?;
        if bytes.get(..4)? != b"DIRC" || !matches!(number(bytes, 4)?, 2 | 3) {
            return None;
        }
        let count = number(bytes, 8)?;
        let mut entries = Vec::with_capacity((count as usize).min(bytes.len() / ENTRY));
        let mut at = HEADER;
        for _ in 0..count {
            let fields = bytes.get(at..at + ENTRY)?;
            let has_more = u16::from_be_bytes([fields[ENTRY - 2], fields[ENTRY - 1]]) & EXTENDED != 0;
            let start = at + ENTRY + if has_more { 2 } else { 0 };
            let more_flags = if has_more {
                let two = bytes.get(start - 2..start)?;
                Some(u16::from_be_bytes([two[0], two[1]]))
            } else {
                None
            };
            let length = bytes.get(start..end)?.iter().position(|byte| *byte == 0)?;
            entries.push(Entry { fields, more_flags, path: &bytes[start..start + length] });
            // Padded with one to eight zeros.
            at += (start + length - at) / 8 * 8 + 8;
        }
        let mut extensions = Vec::new();
        while at < end {
            let (name, size) = (bytes.get(at..at + 4)?, number(bytes, at + 4)? as usize);
            at += 8;
            extensions.push((name, bytes.get(at..at.checked_add(size)?)?));
            at += size;
        }
        (at == end).then_some(Self { entries, extensions })
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

/// Reads an index that was written at this moment (seconds, nanoseconds). `None` for one that is not of the versions 2
/// and 3, or where it is broken.
pub(super) fn layout(bytes: &[u8], written: (u32, u32)) -> Option<Layout> {
    let index = IndexFile::parse(bytes)?;
    let racy = index.entries.iter().filter(|entry| entry.changed() >= written);
    Some(Layout {
        racy: racy.map(|entry| RepoPath::from_bytes(entry.path)).collect(),
        is_kept: index.extensions.iter().all(|(name, _)| KEPT.iter().any(|kept| kept.as_slice() == *name)),
    })
}

/// When a file was changed, as an index keeps it.
pub(super) fn changed_at(metadata: &Metadata) -> (u32, u32) {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    #[expect(clippy::cast_possible_truncation, reason = "the index keeps the low 32 bits")]
    since.map_or((0, 0), |since| (since.as_secs() as u32, since.subsec_nanos()))
}

/// Whether a file was left alone between two looks, as far as the file system tells.
pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    let times = |it: &Metadata| (it.mtime(), it.mtime_nsec(), it.ctime(), it.ctime_nsec());
    let file = |it: &Metadata| (it.dev(), it.ino(), it.len(), it.mode());
    times(one) == times(other) && file(one) == file(other)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::testing::TestRepo;

    fn read(test: &TestRepo, at: (u32, u32)) -> Option<Layout> {
        layout(&std::fs::read(test.root.join(".git/index")).unwrap(), at)
    }

    #[test]
    fn the_index_that_git_writes_is_kept_and_its_young_files_are_named() {
        let long = "d/".repeat(2100) + "long";
        let paths = ["a", "ab", "abc", "dir/abcd", "dir/abcde", "dir/abcdef", "dir/abcdefg", "dir/abcdefgh"];
        let test = TestRepo::with(&paths.map(|path| (path, path)));
        let blob = test.git(&["rev-parse", ":a"]);
        test.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{},{long}", blob.trim())]);
        let found = read(&test, (0, 0)).unwrap();
        assert!(found.is_kept);
        let named: Vec<String> = found.racy.iter().map(ToString::to_string).collect();
        let mut expected: Vec<String> = paths.iter().map(|path| (*path).to_owned()).chain([long]).collect();
        expected.sort();
        assert_eq!(named, expected);
        assert_eq!(read(&test, (u32::MAX, 0)), Some(Layout { is_kept: true, racy: Vec::new() }));
        test.git(&["update-index", "--skip-worktree", "ab"]);
        assert_eq!(read(&test, (0, 0)), Some(found));
    }

    #[test]
    fn what_libgit2_would_drop_or_cannot_be_read_is_told() {
        let test = TestRepo::with(&[("a", "1")]);
        test.git(&["update-index", "--force-untracked-cache"]);
        assert!(!read(&test, (u32::MAX, 0)).unwrap().is_kept);
        test.git(&["update-index", "--no-untracked-cache"]);
        assert!(read(&test, (u32::MAX, 0)).unwrap().is_kept);
        let whole = std::fs::read(test.root.join(".git/index")).unwrap();
        assert!((0..HEADER + ENTRY).all(|length| layout(&whole[..length], (0, 0)).is_none()));
        assert_eq!(layout(&whole[..whole.len() - 1], (0, 0)), None);
        test.git(&["update-index", "--index-version", "4"]);
        assert_eq!(read(&test, (0, 0)), None);
    }
}
