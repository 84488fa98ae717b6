//! HEAD's tree against the index, by the trees that the index remembers: only directories that were staged into since
//! are compared entry by entry.

use std::collections::BTreeMap;

use git2::{Oid, Repository, Tree};

use super::super::cache_tree::Remembered;
use super::super::index_file::{Entry, IndexFile};
use super::MOST;

/// The paths whose entry is not as in HEAD. `None`: git has to be asked about everything.
pub(super) fn differing(git: &Repository, index: &IndexFile<'_>) -> Option<Vec<Vec<u8>>> {
    if !index.is_whole() {
        return None;
    }
    let root = Remembered::parse(index.extension(*b"TREE")?)?;
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
                    .is_some_and(|(mode, id)| mode == first.mode() && *id.as_bytes() == first.object());
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
