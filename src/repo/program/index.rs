//! A copy of the index, brought up to date by `git update-index`.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::backend::{Versions, WorkTree};
use super::super::place::Place;
use super::run::GitProgram;
use crate::publish::{Blob, RepoPath};

/// What an index shall have at a path.
#[derive(Clone, Copy)]
pub(super) enum Entry<'a> {
    Holds(&'a Blob),
    /// Nothing; git wants a name without meaning, in the length of its object format.
    Gone {
        digits: usize,
    },
}

/// A line of `update-index --index-info`.
pub(super) fn index_info(input: &mut Vec<u8>, path: &RepoPath, version: Entry<'_>) {
    let line = match version {
        Entry::Holds(blob) => format!("{} {} 0\t", blob.mode.as_octal(), blob.id),
        Entry::Gone { digits } => format!("0 {} 0\t", "0".repeat(digits)),
    };
    input.extend_from_slice(line.as_bytes());
    input.extend_from_slice(path.as_bytes());
    input.push(0);
}

impl GitProgram {
    /// `exact`: paths for which the work tree does not say what the index shall have.
    pub(in super::super) fn update_index(
        &self,
        copy: &Path,
        place: &Place,
        due: &BTreeMap<&RepoPath, &Versions>,
        work_tree: WorkTree,
        exact: &[RepoPath],
    ) -> Result<(), String> {
        let (mut info, mut listed, mut unreachable) = (Vec::new(), Vec::new(), Vec::new());
        for (path, versions) in due {
            let trusted = if exact.contains(path) { WorkTree::Unknown } else { work_tree };
            let input = match (trusted, &versions.new) {
                (WorkTree::Unknown, Some(blob)) => {
                    index_info(&mut info, path, Entry::Holds(blob));
                    continue;
                }
                (WorkTree::Unknown, None) => {
                    let digits = versions.old.as_ref().map_or(40, |old| old.id.as_str().len());
                    index_info(&mut info, path, Entry::Gone { digits });
                    continue;
                }
                // Where a directory or a link stands in the way of a removed path, git would refuse to look.
                (WorkTree::JustRead, None) if place.absolute(path).symlink_metadata().is_ok() => {
                    &mut unreachable
                }
                (WorkTree::JustRead, None) if place.is_beyond_link(path) => &mut unreachable,
                (WorkTree::JustRead, _) => &mut listed,
            };
            input.extend_from_slice(path.as_bytes());
            input.push(0);
        }
        // In a sparse index it would put an entry beside that of the directory that holds it: the index is made whole.
        self.update(copy, &["-c", "index.sparse=false"], &["--index-info"], &info)?;
        self.update(copy, &[], &["--force-remove", "--stdin"], &unreachable)?;
        self.update(copy, &[], &["--stdin"], &listed)
    }

    fn update(&self, copy: &Path, settings: &[&str], mode: &[&str], input: &[u8]) -> Result<(), String> {
        if input.is_empty() {
            return Ok(());
        }
        // Renamed into place without its content, the index would be an empty file after a loss of power.
        let options = ["-c", "core.fsync=index", "update-index", "-z", "--add", "--remove", "--replace"];
        let arguments = [settings, &options[..], mode].concat();
        let ran = self.write(&arguments).env("GIT_INDEX_FILE", copy).input(input).run();
        ran.map(drop).map_err(|failure| failure.said)
    }
}
