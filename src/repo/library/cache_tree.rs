//! The trees that an index remembers of its directories (the extension `TREE`), so that nobody has to make them anew.

use std::io::Write as _;

use git2::Oid;

/// How deep remembered trees may be nested.
const DEEPEST: usize = 500;

/// A directory as the index remembers it.
#[derive(Debug)]
pub(super) struct Remembered<'a> {
    pub(super) name: &'a [u8],
    /// How many entries lie below it, and the tree of them; `None` where something was staged since.
    pub(super) tree: Option<(usize, Oid)>,
    pub(super) below: Vec<Remembered<'a>>,
}

impl<'a> Remembered<'a> {
    /// The root; `None` where it is broken, or nested too deep.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let root = Self::parse_one(&mut rest, 0)?;
        rest.is_empty().then_some(root)
    }

    fn parse_one(rest: &mut &'a [u8], depth: usize) -> Option<Self> {
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
            below.push(Self::parse_one(rest, depth + 1)?);
        }
        Some(Self { name, tree, below })
    }

    /// Forgets the trees that hold this path; as git does, also what lay below it as a directory.
    pub(super) fn forget(&mut self, path: &[u8]) {
        self.tree = None;
        match path.iter().position(|byte| *byte == b'/') {
            None => self.below.retain(|inner| inner.name != path),
            Some(slash) => {
                if let Some(inner) = self.below.iter_mut().find(|inner| inner.name == &path[..slash]) {
                    inner.forget(&path[slash + 1..]);
                }
            }
        }
    }

    /// As an index holds it.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.name);
        to.push(0);
        let entries = self.tree.map_or_else(|| "-1".to_owned(), |(entries, _)| entries.to_string());
        // Writing to memory cannot fail.
        let _ = writeln!(to, "{entries} {}", self.below.len());
        if let Some((_, id)) = self.tree {
            to.extend_from_slice(id.as_bytes());
        }
        for inner in &self.below {
            inner.write(to);
        }
    }
}

/// What stands before the first such byte, which is taken too.
pub(super) fn until<'a>(rest: &mut &'a [u8], end: u8) -> Option<&'a [u8]> {
    let at = rest.iter().position(|byte| *byte == end)?;
    let found = &rest[..at];
    *rest = &rest[at + 1..];
    Some(found)
}

fn decimal<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
