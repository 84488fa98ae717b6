//! The next index, made of the bytes of one: what is put and what is removed; all other entries are as they were, byte for
//! byte. Pure: what files look like and how an index gets into its place is its caller's.

use std::collections::BTreeMap;

use sha1::{Digest as _, Sha1};

use super::cache_tree::Remembered;
use super::index_file::{CHECKSUM, ENTRY, Entry, IndexFile, LONGEST_NOTED, SIZE};
use super::resolve_undo::ResolveUndo;

/// The mode of a symbolic link.
const LINK: u32 = 0o120_000;

/// What becomes of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// It holds this; sides of a conflict go, and so does what is in the way (a directory in its place, a file among
    /// its parents).
    Put(FileEntry),
    /// It is not there.
    Remove,
    /// As it was, but for its size: git compares the content then.
    Doubt,
}

/// By the bytes of their paths.
pub(super) type Changes<'a> = BTreeMap<&'a [u8], Change>;

/// A version of a path, and what its file looks like. Without the latter git compares the content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FileEntry {
    pub(super) mode: u32,
    pub(super) object: [u8; 20],
    pub(super) file: FileFacts,
}

/// By what a file is recognised; seconds and nanoseconds, the low 32 bits of each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FileFacts {
    /// When what is told about the file was changed.
    pub(super) told_changed: (u32, u32),
    pub(super) changed: (u32, u32),
    pub(super) device: u32,
    pub(super) inode: u32,
    pub(super) owners: (u32, u32),
    pub(super) size: u32,
}

/// The bytes of the index with these changes; without a checksum where it had none.
///
/// `None` for an index of which something would be lost: it is out of order, has a file and a directory of one name (which
/// git lets stand beside a conflict), or has other extensions than the trees and the
/// settled conflicts that are understood here, or than those that only help to read it. Also where two of the
/// changes exclude each other, or a path is one that git might not take.
pub(super) fn splice(index: &IndexFile<'_>, changes: &Changes<'_>) -> Option<Vec<u8>> {
    // A path has one version, or the sides of a conflict.
    let is_in_order = |pair: &[Entry<'_>]| {
        pair[0].path < pair[1].path || (pair[0].is_unmerged() && pair[0].key() < pair[1].key())
    };
    let is_possible = |(path, change): (&&[u8], &Change)| match change {
        Change::Put(entry) => {
            is_plain(path, entry.mode)
                && !is_blocked(path, changes)
                && !parents(path).any(|parent| is_file_and_directory(index, parent))
        }
        Change::Remove | Change::Doubt => true,
    };
    if !index.entries.windows(2).all(is_in_order) || !changes.iter().all(is_possible) {
        return None;
    }
    let going = going(index, changes);
    let extensions = extensions(index, changes, &going)?;
    let mut next = Vec::with_capacity(index.content.len() + changes.len() * 128 + CHECKSUM);
    next.extend_from_slice(b"DIRC\0\0\0\x02\0\0\0\0");
    let mut count: u32 = 0;
    let mut has_more_flags = false;
    let mut coming = changes.iter().filter_map(|(path, change)| match change {
        Change::Put(entry) => Some((*path, entry)),
        Change::Remove | Change::Doubt => None,
    });
    let mut comes = coming.next();
    for (entry, goes) in index.entries.iter().zip(going) {
        while let Some((path, new)) = comes.filter(|(path, _)| *path <= entry.path) {
            write_entry(&mut next, path, new);
            count += 1;
            comes = coming.next();
        }
        if goes {
            continue;
        }
        let start = next.len();
        next.extend_from_slice(entry.bytes());
        if changes.get(entry.path) == Some(&Change::Doubt) {
            next[start + SIZE..start + SIZE + 4].fill(0);
        }
        has_more_flags |= entry.has_more_flags();
        count += 1;
    }
    for (path, new) in comes.into_iter().chain(coming) {
        write_entry(&mut next, path, new);
        count += 1;
    }
    if has_more_flags {
        next[7] = 3;
    }
    next[8..12].copy_from_slice(&count.to_be_bytes());
    next.extend_from_slice(&extensions);
    if index.has_checksum() {
        let checksum = Sha1::digest(&next);
        next.extend_from_slice(&checksum);
    } else {
        next.extend_from_slice(&[0; CHECKSUM]);
    }
    Some(next)
}

/// Whether nobody could take this path for one of git's own: names that some file system takes for `.git` are not its.
fn is_plain(path: &[u8], mode: u32) -> bool {
    path.split(|byte| *byte == b'/').all(|name| {
        let letters: Vec<u8> =
            name.iter().filter(|byte| byte.is_ascii()).map(u8::to_ascii_lowercase).collect();
        let is_gits = letters
            .strip_prefix(b".git")
            .is_some_and(|rest| mode == LINK || !rest.first().is_some_and(u8::is_ascii_alphanumeric));
        !matches!(name, b"" | b"." | b"..") && !is_gits && !letters.starts_with(b"git~") && !name.contains(&0)
    })
}

fn is_file_and_directory(index: &IndexFile<'_>, path: &[u8]) -> bool {
    index.entries[index.all_of(path)].iter().any(|entry| !entry.is_unmerged())
        && !index.all_below(path).is_empty()
}

/// Whether another change puts a file in the place of one of this path's directories.
fn is_blocked(path: &[u8], changes: &Changes<'_>) -> bool {
    parents(path).any(|parent| matches!(changes.get(parent), Some(Change::Put(_))))
}

/// The directories that hold a path.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at])
}

/// For each entry, whether it goes.
fn going(index: &IndexFile<'_>, changes: &Changes<'_>) -> Vec<bool> {
    let mut going = vec![false; index.entries.len()];
    for (path, change) in changes {
        if *change == Change::Doubt {
            continue;
        }
        going[index.all_of(path)].fill(true);
        if *change == Change::Remove {
            continue;
        }
        // As in git, a side of a conflict is in nobody's way.
        let in_place_of_parents = parents(path).flat_map(|parent| index.all_of(parent));
        for at in in_place_of_parents.chain(index.all_below(path)) {
            going[at] |= !index.entries[at].is_unmerged();
        }
    }
    going
}

/// What stands between the entries and the checksum.
fn extensions(index: &IndexFile<'_>, changes: &Changes<'_>, going: &[bool]) -> Option<Vec<u8>> {
    let (mut trees, mut undo) = (None, None);
    for (name, content) in &index.extensions {
        match *name {
            b"TREE" => trees = Some(Remembered::parse(content)?),
            b"REUC" => undo = Some(ResolveUndo::parse(content)?),
            // Where entries and extensions begin, for reading with several threads.
            b"EOIE" | b"IEOT" => {}
            _ => return None,
        }
    }
    for (path, change) in changes {
        if let (Some(trees), Change::Put(_) | Change::Remove) = (&mut trees, change) {
            trees.forget(path);
        }
    }
    for (entry, _) in index.entries.iter().zip(going).filter(|(entry, goes)| **goes && entry.is_unmerged()) {
        undo.get_or_insert_default().keep(entry.path, entry.side(), entry.mode(), entry.object());
    }
    let mut written = Vec::new();
    let mut add = |name: &[u8; 4], content: Vec<u8>| {
        written.extend_from_slice(name);
        written.extend_from_slice(&u32::try_from(content.len()).ok()?.to_be_bytes());
        written.extend(content);
        Some(())
    };
    let mut content = Vec::new();
    if let Some(trees) = trees {
        trees.write(&mut content);
        add(b"TREE", std::mem::take(&mut content))?;
    }
    if let Some(undo) = undo {
        undo.write(&mut content);
        add(b"REUC", content)?;
    }
    Some(written)
}

fn write_entry(to: &mut Vec<u8>, path: &[u8], entry: &FileEntry) {
    let start = to.len();
    let file = &entry.file;
    let numbers = [
        file.told_changed.0,
        file.told_changed.1,
        file.changed.0,
        file.changed.1,
        file.device,
        file.inode,
        entry.mode,
        file.owners.0,
        file.owners.1,
        file.size,
    ];
    for number in numbers {
        to.extend_from_slice(&number.to_be_bytes());
    }
    to.extend_from_slice(&entry.object);
    let length = u16::try_from(path.len()).unwrap_or(LONGEST_NOTED).min(LONGEST_NOTED);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(path);
    // One to eight zeros.
    let end = start + (ENTRY + path.len()) / 8 * 8 + 8;
    to.resize(end, 0);
}

#[cfg(test)]
mod tests;
