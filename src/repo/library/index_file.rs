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

/// Reads an index of SHA-1 names in the versions 2 and 3, as it was written at this moment (seconds, nanoseconds).
/// `None` for any other, or where it is broken.
pub(super) fn layout(bytes: &[u8], (seconds, nanoseconds): (u32, u32)) -> Option<Layout> {
    let end = bytes.len().checked_sub(CHECKSUM)?;
    if bytes.get(..4)? != b"DIRC" || !matches!(number(bytes, 4)?, 2 | 3) {
        return None;
    }
    let mut racy = Vec::new();
    let mut at = HEADER;
    for _ in 0..number(bytes, 8)? {
        let flags = u16::from_be_bytes([*bytes.get(at + ENTRY - 2)?, *bytes.get(at + ENTRY - 1)?]);
        let start = at + ENTRY + if flags & EXTENDED == 0 { 0 } else { 2 };
        let length = bytes.get(start..end)?.iter().position(|byte| *byte == 0)?;
        let path = &bytes[start..start + length];
        if (number(bytes, at + 8)?, number(bytes, at + 12)?) >= (seconds, nanoseconds) {
            racy.push(RepoPath::from_bytes(path));
        }
        // Padded with one to eight zeros.
        at += (start + length - at) / 8 * 8 + 8;
    }
    let mut is_kept = true;
    while at < end {
        let name = bytes.get(at..at + 4)?;
        is_kept &= KEPT.iter().any(|kept| kept.as_slice() == name);
        at += 8 + number(bytes, at + 4)? as usize;
    }
    (at == end).then_some(Layout { is_kept, racy })
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
