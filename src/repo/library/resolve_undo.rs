//! The sides of conflicts that were settled in the index (the extension `REUC`): `git update-index --unresolve` and
//! `git checkout --merge` bring them back.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::cache_tree::until;

/// Mode and object of a side; none where that side had no file.
type Side = Option<(u32, [u8; 20])>;

/// By path: the common version, ours, theirs.
#[derive(Debug, Default)]
pub(super) struct ResolveUndo {
    sides: BTreeMap<Vec<u8>, [Side; 3]>,
}

impl ResolveUndo {
    /// `None` where it is broken.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut sides = BTreeMap::new();
        while !rest.is_empty() {
            let path = until(&mut rest, 0)?;
            let mut modes = [0; 3];
            for mode in &mut modes {
                let digits = std::str::from_utf8(until(&mut rest, 0)?).ok()?;
                *mode = u32::from_str_radix(digits, 8).ok()?;
            }
            let mut found = [None; 3];
            for (side, mode) in found.iter_mut().zip(modes).filter(|(_, mode)| *mode != 0) {
                let (id, after) = rest.split_first_chunk()?;
                *side = Some((mode, *id));
                rest = after;
            }
            sides.insert(path.to_vec(), found);
        }
        Some(Self { sides })
    }

    /// Keeps a side, a number from 1 to 3, that is taken out of the index.
    pub(super) fn keep(&mut self, path: &[u8], side: u16, mode: u32, object: [u8; 20]) {
        let sides = self.sides.entry(path.to_vec()).or_default();
        if let Some(place) = usize::from(side).checked_sub(1).and_then(|at| sides.get_mut(at)) {
            *place = Some((mode, object));
        }
    }

    /// As an index holds it.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        for (path, sides) in &self.sides {
            to.extend_from_slice(path);
            to.push(0);
            for side in sides {
                // Writing to memory cannot fail.
                let _ = write!(to, "{:o}\0", side.map_or(0, |(mode, _)| mode));
            }
            for (_, id) in sides.iter().flatten() {
                to.extend_from_slice(id);
            }
        }
    }
}
