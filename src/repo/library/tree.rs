//! A tree with some of its paths changed.
//!
//! Made here rather than by libgit2's builders, which cannot hash without storing and refuse a file that takes
//! the place of a directory.

use std::collections::BTreeMap;

use git2::{ObjectType, Oid, Repository, Tree};

use super::super::backend::{Changes, Difference, TreeChange, Versions};
use super::object::{file_mode, mode_bits, object_id, oid, store_object};
use crate::publish::{Blob, RepoPath};

/// Stores a serialised tree, or only computes its name.
pub(super) type TreeSink<'a> = dyn Fn(&[u8]) -> Result<Oid, git2::Error> + 'a;

#[derive(Default)]
struct Node<'a> {
    change: Option<&'a TreeChange>,
    children: BTreeMap<Vec<u8>, Node<'a>>,
}

#[derive(PartialEq, Eq)]
struct Entry {
    mode: u32,
    id: Oid,
}

const TREE_MODE: u32 = 0o040_000;

/// The name of `base` with `changes`; directories that become empty vanish, except the root.
pub(super) fn edit_tree(
    git: &Repository,
    base: &Tree<'_>,
    changes: &Changes,
    sink: &TreeSink<'_>,
) -> Result<Oid, git2::Error> {
    let mut root = Node::default();
    for (path, change) in changes {
        let mut node = &mut root;
        for part in path.as_bytes().split(|&byte| byte == b'/') {
            check_name(part)?;
            node = node.children.entry(part.to_vec()).or_default();
        }
        node.change = Some(change);
    }
    if root.children.is_empty() {
        return Ok(base.id());
    }
    let entries = edit_level(git, Some(base), &root, sink)?;
    sink(&serialise(entries))
}

/// git's own checks refuse such an entry; a scan never finds one.
fn check_name(part: &[u8]) -> Result<(), git2::Error> {
    if matches!(part, b"" | b"." | b"..") || part.eq_ignore_ascii_case(b".git") {
        return Err(git2::Error::from_str(&format!(
            "`{}` cannot be part of a path",
            String::from_utf8_lossy(part)
        )));
    }
    Ok(())
}

fn edit_level(
    git: &Repository,
    base: Option<&Tree<'_>>,
    node: &Node<'_>,
    sink: &TreeSink<'_>,
) -> Result<BTreeMap<Vec<u8>, Entry>, git2::Error> {
    let mut entries = BTreeMap::new();
    for entry in base.into_iter().flat_map(Tree::iter) {
        #[expect(clippy::cast_sign_loss, reason = "a file mode is never negative")]
        let mode = entry.filemode_raw() as u32;
        entries.insert(entry.name_bytes().to_vec(), Entry { mode, id: entry.id() });
    }
    for (name, child) in &node.children {
        let old = entries.get(name);
        let old_directory = old.filter(|old| old.mode == TREE_MODE).map(|old| old.id);
        if !child.children.is_empty() {
            let subtree = old_directory.map(|id| git.find_tree(id)).transpose()?;
            let below = edit_level(git, subtree.as_ref(), child, sink)?;
            if !below.is_empty() {
                let id = sink(&serialise(below))?;
                entries.insert(name.clone(), Entry { mode: TREE_MODE, id });
                continue;
            }
            if old_directory.is_some() {
                entries.remove(name);
            }
        }
        match child.change {
            Some(TreeChange::Put(blob)) => {
                let entry = Entry { mode: mode_bits(blob.mode), id: oid(&blob.id)? };
                entries.insert(name.clone(), entry);
            }
            Some(TreeChange::Remove) if entries.get(name).is_some_and(|old| old.mode != TREE_MODE) => {
                entries.remove(name);
            }
            Some(TreeChange::Remove) | None => {}
        }
    }
    Ok(entries)
}

/// git orders entries as if the names of directories ended with a slash.
fn serialise(entries: BTreeMap<Vec<u8>, Entry>) -> Vec<u8> {
    let mut sorted: Vec<_> = entries.into_iter().collect();
    sorted.sort_by_cached_key(|(name, entry)| {
        let mut key = name.clone();
        if entry.mode == TREE_MODE {
            key.push(b'/');
        }
        key
    });
    let mut bytes = Vec::new();
    for (name, entry) in sorted {
        bytes.extend_from_slice(format!("{:o} ", entry.mode).as_bytes());
        bytes.extend_from_slice(&name);
        bytes.push(0);
        bytes.extend_from_slice(entry.id.as_bytes());
    }
    bytes
}

/// What changed from `old` to `new`. Directories that are the same in both are not read, which libgit2's own comparison
/// does: of 20,000 files it would read all.
pub(super) fn tree_difference(
    git: &Repository,
    old: Option<&Tree<'_>>,
    new: &Tree<'_>,
) -> Result<Difference, git2::Error> {
    let mut difference = Difference::new();
    compare(git, (old, Some(new)), &mut Vec::new(), &mut difference)?;
    Ok(difference)
}

/// `directory`: the path of both; it ends in a slash where it is not the root.
fn compare(
    git: &Repository,
    (old, new): (Option<&Tree<'_>>, Option<&Tree<'_>>),
    directory: &mut Vec<u8>,
    difference: &mut Difference,
) -> Result<(), git2::Error> {
    let mut names: BTreeMap<Vec<u8>, [Option<Entry>; 2]> = BTreeMap::new();
    for (side, tree) in [old, new].into_iter().enumerate() {
        for entry in tree.into_iter().flat_map(Tree::iter) {
            #[expect(clippy::cast_sign_loss, reason = "a file mode is never negative")]
            let mode = entry.filemode_raw() as u32;
            names.entry(entry.name_bytes().to_vec()).or_default()[side] =
                Some(Entry { mode, id: entry.id() });
        }
    }
    for (name, sides) in names {
        let [old, new] = &sides;
        if old == new {
            continue;
        }
        let path = [directory.as_slice(), &name].concat();
        let file = |entry: &Option<Entry>| {
            let entry = entry.as_ref()?;
            Some(Blob { id: object_id(entry.id), mode: file_mode(entry.mode)? })
        };
        let versions = Versions { new: file(new), old: file(old) };
        if versions.new != versions.old {
            difference.insert(RepoPath::from_bytes(path), versions);
        }
        let tree = |entry: &Option<Entry>| {
            let entry = entry.as_ref().filter(|entry| entry.mode == TREE_MODE);
            entry.map(|entry| git.find_tree(entry.id)).transpose()
        };
        let (old, new) = (tree(old)?, tree(new)?);
        if old.is_some() || new.is_some() {
            let depth = directory.len();
            directory.extend_from_slice(&name);
            directory.push(b'/');
            compare(git, (old.as_ref(), new.as_ref()), directory, difference)?;
            directory.truncate(depth);
        }
    }
    Ok(())
}

/// Writes trees durably into the object database of `git`.
pub(super) fn write_to(git: &Repository) -> impl Fn(&[u8]) -> Result<Oid, git2::Error> + '_ {
    |bytes| store_object(git, ObjectType::Tree, bytes)
}
