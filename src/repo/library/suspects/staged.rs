//! HEAD's tree against the index, by the trees that the index remembers: only directories that were staged into since
//! are compared entry by entry.

use std::collections::BTreeMap;

use git2::{Oid, Repository, Tree};

use super::super::index_file::{Entry, IndexFile};
use super::MOST;

/// How deep remembered trees may be nested.
const DEEPEST: usize = 500;

/// A directory as the index remembers it.
#[derive(Debug)]
struct Remembered<'a> {
    name: &'a [u8],
    /// How many entries lie below it, and the tree of them; `None` where something was staged since.
    tree: Option<(usize, Oid)>,
    below: Vec<Remembered<'a>>,
}

/// The paths whose entry is not as in HEAD. `None`: git has to be asked about everything.
pub(super) fn differing(git: &Repository, index: &IndexFile<'_>) -> Option<Vec<Vec<u8>>> {
    if !index.is_whole() {
        return None;
    }
    let root = parse(index.extension(*b"TREE")?)?;
    let head = git.head().and_then(|head| head.peel_to_tree()).ok()?;
    let mut comparison = Comparison { git, found: Vec::new(), trees: 0 };
    comparison.compare(&head, Some(&root), &index.entries, &mut Vec::new())?;
    Some(comparison.found)
}

struct Comparison<'a> {
    git: &'a Repository,
    found: Vec<Vec<u8>>,
    trees: usize,
}

impl Comparison<'_> {
    /// `entries`: all below `directory`, which ends in a slash where it is not the root.
    fn compare(
        &mut self,
        tree: &Tree<'_>,
        remembered: Option<&Remembered<'_>>,
        entries: &[Entry<'_>],
        directory: &mut Vec<u8>,
    ) -> Option<()> {
        if remembered.and_then(|it| it.tree) == Some((entries.len(), tree.id())) {
            return Some(());
        }
        self.trees += 1;
        if self.trees > MOST {
            return None;
        }
        let mut in_tree: BTreeMap<Vec<u8>, (u32, Oid)> = BTreeMap::new();
        for entry in tree {
            let mode = u32::try_from(entry.filemode_raw()).ok()?;
            in_tree.insert(entry.name_bytes().to_vec(), (mode, entry.id()));
        }
        let depth = directory.len();
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let name = &first.path[depth..];
            let Some(slash) = name.iter().position(|byte| *byte == b'/') else {
                let is_same = in_tree
                    .remove(name)
                    .is_some_and(|(mode, id)| mode == first.mode() && id.as_bytes() == first.object());
                if !is_same || first.is_unmerged() || first.is_special() {
                    self.add(first.path.to_vec())?;
                }
                rest = &rest[1..];
                continue;
            };
            directory.extend_from_slice(&name[..=slash]);
            let (below, others) =
                rest.split_at(rest.partition_point(|entry| entry.path.starts_with(directory)));
            let name = &name[..slash];
            match in_tree.remove(name) {
                Some((0o040_000, id)) => {
                    let inner = remembered.and_then(|it| it.below.iter().find(|it| it.name == name));
                    let known = inner.and_then(|it| it.tree);
                    if known != Some((below.len(), id)) {
                        let tree = self.git.find_tree(id).ok()?;
                        self.compare(&tree, inner, below, directory)?;
                    }
                }
                _ => self.add(directory[..directory.len() - 1].to_vec())?,
            }
            directory.truncate(depth);
            rest = others;
        }
        for name in in_tree.into_keys() {
            self.add([directory.as_slice(), &name].concat())?;
        }
        Some(())
    }

    fn add(&mut self, path: Vec<u8>) -> Option<()> {
        self.found.push(path);
        (self.found.len() <= MOST).then_some(())
    }
}

fn parse(bytes: &[u8]) -> Option<Remembered<'_>> {
    let mut rest = bytes;
    let root = parse_one(&mut rest, 0)?;
    rest.is_empty().then_some(root)
}

fn parse_one<'a>(rest: &mut &'a [u8], depth: usize) -> Option<Remembered<'a>> {
    if depth > DEEPEST {
        return None;
    }
    let name = until(rest, 0)?;
    let entries: i64 = decimal(until(rest, b' ')?)?;
    let directories: usize = decimal(until(rest, b'\n')?)?;
    let tree = match usize::try_from(entries) {
        Ok(entries) => {
            let (id, after) = rest.split_at_checked(20)?;
            *rest = after;
            Some((entries, Oid::from_bytes(id).ok()?))
        }
        Err(_) => None,
    };
    let mut below = Vec::new();
    for _ in 0..directories {
        below.push(parse_one(rest, depth + 1)?);
    }
    Some(Remembered { name, tree, below })
}

fn until<'a>(rest: &mut &'a [u8], end: u8) -> Option<&'a [u8]> {
    let at = rest.iter().position(|byte| *byte == end)?;
    let found = &rest[..at];
    *rest = &rest[at + 1..];
    Some(found)
}

fn decimal<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
