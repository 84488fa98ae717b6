//! What commits have newly brought in.

use std::collections::{BTreeMap, BTreeSet};

use super::super::error::RepoError;
use super::super::introduced::{Introduced, IntroducedFile};
use super::look::{object_id, object_ids, version};
use super::open::{Installed, unexpected};
use crate::publish::{Blob, FileMode, ObjectId, RepoPath};

/// A commit's name, short name and message.
struct Told<'a> {
    id: &'a [u8],
    short: String,
    message: &'a [u8],
}

/// A file of a commit, with what its first parent that has one has there.
type File = (RepoPath, Blob, Option<ObjectId>);

impl Installed {
    pub(super) fn list_introduced(&self, base: &ObjectId) -> Result<Vec<Introduced>, RepoError> {
        let failed = self.program.failed("read the commits of the turn");
        let listed = self
            .program
            .look(&["log", "-z", "--topo-order", "--reverse", "--format=%H %h%n%B", "--encoding=UTF-8"])
            .arguments(["--no-show-signature", "--no-notes", "--no-color", "--no-decorate"])
            .arguments([&format!("{base}..HEAD"), "--"])
            .run()
            .map_err(&failed)?;
        let entries = listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        let told: Option<Vec<Told<'_>>> = entries.map(parse_told).collect();
        let told = told.ok_or_else(|| failed(unexpected()))?;
        if told.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids = Vec::new();
        for commit in &told {
            ids.extend_from_slice(commit.id);
            ids.push(b'\n');
        }
        // Combined: only what differs from every parent; a merge's other files came with its parents.
        let differing = self
            .program
            .look(&["diff-tree", "--stdin", "-z", "-r", "-c", "--root", "--raw", "--always"])
            .arguments(["--no-abbrev", "--no-renames", "--no-ext-diff", "--ignore-submodules=none"])
            .input(&ids)
            .run()
            .map_err(&failed)?;
        let files = parse_files(&differing).ok_or_else(|| failed(unexpected()))?;
        let names: Vec<String> = files.values().flatten().map(|(_, blob, _)| blob.id.to_string()).collect();
        let mut sizes = self.find_objects(&names)?.into_iter();
        let mut by_commit = BTreeMap::new();
        for (commit, files) in files {
            let mut of_commit = Vec::new();
            for (path, blob, before) in files {
                let found = sizes.next().flatten().ok_or_else(|| failed(unexpected()))?;
                of_commit.push(IntroducedFile { path, blob, size: found.size, before });
            }
            of_commit.sort();
            by_commit.insert(commit, of_commit);
        }
        let introduced = told.into_iter().map(|commit| Introduced {
            files: object_id(commit.id).and_then(|id| by_commit.remove(&id)).unwrap_or_default(),
            commit: commit.short,
            message: commit.message.to_vec(),
        });
        Ok(introduced.collect())
    }

    /// `tip`: HEAD where it is not given.
    pub(super) fn list_objects(
        &self,
        base: &ObjectId,
        tip: Option<&ObjectId>,
    ) -> Result<BTreeSet<ObjectId>, RepoError> {
        let listed = self
            .program
            .look(&["rev-list", "--objects", "--no-object-names", "--missing=allow-any"])
            .arguments([&format!("{base}..{}", tip.map_or("HEAD", ObjectId::as_str)), "--"])
            .run()
            .map_err(self.program.failed("read the new commits"))?;
        Ok(object_ids(&listed).into_iter().collect())
    }
}

fn parse_told(entry: &[u8]) -> Option<Told<'_>> {
    let (names, message) = entry.split_at_checked(entry.iter().position(|byte| *byte == b'\n')?)?;
    let (id, short) = names.split_at_checked(names.iter().position(|byte| *byte == b' ')?)?;
    let short = String::from_utf8_lossy(short.get(1..)?).into_owned();
    Some(Told { id, short, message: message.get(1..)? })
}

/// What `diff-tree --stdin -z -c --raw` prints: a commit's name, then its files, each after as many old versions as the
/// commit has parents.
fn parse_files(printed: &[u8]) -> Option<BTreeMap<ObjectId, Vec<File>>> {
    let mut all = BTreeMap::new();
    let mut commit = None;
    let mut fields = printed.split(|byte| *byte == 0);
    while let Some(field) = fields.next() {
        if field.is_empty() {
            continue;
        }
        let parents = field.iter().take_while(|byte| **byte == b':').count();
        if parents == 0 {
            let id = object_id(field)?;
            all.insert(id.clone(), Vec::new());
            commit = Some(id);
            continue;
        }
        let path = RepoPath::from_bytes(fields.next()?);
        let words: Vec<&[u8]> = field[parents..].split(|byte| *byte == b' ').collect();
        let (mode, ids) = (words.get(parents)?, words.get(parents + 1..=2 * parents + 1)?);
        let (id, old) = ids.split_last()?;
        let Some(blob) = version(mode, id).filter(|blob| blob.mode != FileMode::Submodule) else { continue };
        let before = old.iter().find(|id| id.iter().any(|digit| *digit != b'0'));
        all.get_mut(commit.as_ref()?)?.push((path, blob, before.and_then(|id| object_id(id))));
    }
    Some(all)
}
