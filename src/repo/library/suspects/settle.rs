//! What needs no git: whether a plain file that is in the index as in HEAD still has that content.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;

use git2::Oid;

use super::super::super::backend::{Changed, Known};
use super::super::content::Hasher;
use super::super::index_file::{Entry, IndexFile, is_same};
use super::super::object::{file_mode, object_id};
use super::super::open::Library;
use super::Suspects;
use crate::publish::{Blob, FileMode, RepoPath};

impl Library {
    /// `staged`: what the index has otherwise than HEAD, a directory for all below it.
    pub(super) fn settle(
        &self,
        index: &IndexFile<'_>,
        unproven: BTreeSet<RepoPath>,
        staged: &[RepoPath],
    ) -> Suspects {
        let mut suspects = Suspects::default();
        let mut hasher = Hasher::new(self).ok();
        for path in unproven {
            let known = match &index.entries[index.all_of(path.as_bytes())] {
                [entry] if !staged.iter().any(|staged| path.is_within(staged)) => plain_file(entry),
                _ => None,
            };
            let asked = known
                .and_then(|(blob, size)| Some((self.holds(hasher.as_mut()?, &path, &blob, size)?, blob)));
            match asked {
                Some((true, _)) => {}
                Some((false, blob)) => {
                    let known = Known { head: Some(blob), index: None };
                    suspects.changed.insert(path, Changed::Path { known, conflicted: false });
                }
                None => drop(suspects.unclear.insert(path)),
            }
        }
        suspects
    }

    /// `None` where only git can tell. `size`: that of the file when it held this content, if it was noted.
    fn holds(
        &self,
        hasher: &mut Hasher<'_>,
        path: &RepoPath,
        blob: &Blob,
        size: Option<u32>,
    ) -> Option<bool> {
        let absolute = self.place.absolute(path);
        let look = || absolute.symlink_metadata().ok().filter(|it| it.is_file() && mode(it) == blob.mode);
        let before = look()?;
        if self.place.is_beyond_link(path) || !hasher.takes_as_it_is(path) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the index keeps the low 32 bits")]
        if size.is_some_and(|size| size != before.len() as u32) {
            return Some(false);
        }
        let id = hasher.hash(path).ok()?.id;
        is_same(&before, &look()?).then_some(id == blob.id)
    }
}

fn mode(metadata: &Metadata) -> FileMode {
    if metadata.permissions().mode() & 0o100 == 0 { FileMode::Regular } else { FileMode::Executable }
}

/// Of an entry that means nothing but a file.
fn plain_file(entry: &Entry<'_>) -> Option<(Blob, Option<u32>)> {
    if entry.is_unmerged() || entry.is_assumed() || entry.is_special() {
        return None;
    }
    let mode = file_mode(entry.mode()).filter(|it| matches!(it, FileMode::Regular | FileMode::Executable))?;
    let id = object_id(Oid::from_bytes(&entry.object()).ok()?);
    Some((Blob { id, mode }, Some(entry.size()).filter(|size| *size != 0)))
}
