//! Files of a commit written aside, and what the index has around them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::super::backend::{Changes, Staged, TreeChange};
use super::super::error::RepoError;
use super::look::parse_listed;
use super::open::{Installed, unexpected};
use super::run::GitProgram;
use super::scratch::{ScratchIndex, alternate};
use crate::publish::{Blob, RepoPath};

impl Installed {
    /// A tree of just these files is checked out into the directory, as if it were
    /// the work tree: in that way git heeds filters, attributes of that commit and what a sparse checkout leaves out.
    pub(super) fn export_files(
        &self,
        files: &BTreeMap<&RepoPath, &Blob>,
        directory: &Path,
    ) -> Result<(), RepoError> {
        let failed = self.program.failed("write files aside");
        let put = |(path, blob): (&&RepoPath, &&Blob)| ((*path).clone(), TreeChange::Put((*blob).clone()));
        let changes: Changes = files.iter().map(put).collect();
        let index = ScratchIndex::empty()?;
        self.change_index(&index, &changes)?;
        let (tree, objects) = self.passing_tree(&index)?;
        self.in_index(&index.beside("checked-out"), &["read-tree", "-m", "-u", tree.as_str()])
            .env("GIT_DIR", &self.place.git_dir)
            .env("GIT_WORK_TREE", directory)
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", alternate(&objects))
            .run()
            .map(|_| ())
            .map_err(&failed)
    }

    /// The whole index is listed: it takes git as long to look up one path.
    pub(super) fn list_staged_around(
        &self,
        paths: &BTreeSet<&RepoPath>,
    ) -> Result<BTreeMap<RepoPath, Staged>, RepoError> {
        let failed = self.program.failed("read the index");
        let listed = self.program.look(&["ls-files", "--stage", "-t", "-z"]).run().map_err(&failed)?;
        let parents = |path: &[u8]| {
            let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
            ends.collect::<Vec<_>>()
        };
        let exact: BTreeSet<&[u8]> = paths.iter().map(|path| path.as_bytes()).collect();
        let above: BTreeSet<&[u8]> =
            exact.iter().flat_map(|path| parents(path).into_iter().map(|end| &path[..end])).collect();
        let mut found = BTreeMap::new();
        for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let tab = line.iter().position(|byte| *byte == b'\t').ok_or_else(|| failed(unexpected()))?;
            let path = &line[tab + 1..];
            let is_around = exact.contains(path)
                || above.contains(path)
                || parents(path).into_iter().any(|end| exact.contains(&path[..end]));
            if !is_around {
                continue;
            }
            let (tag, rest) = line.split_at_checked(2).ok_or_else(|| failed(unexpected()))?;
            let staged = Staged { blob: parse_listed(rest).map(|(_, blob)| blob), skipped: tag == b"S " };
            found.insert(RepoPath::from_bytes(path), staged);
        }
        Ok(found)
    }

    pub(super) fn list_unmodified(&self, paths: &[&RepoPath]) -> Result<BTreeSet<RepoPath>, RepoError> {
        let failed = self.program.failed("compare the work tree with the index");
        let mut unmodified: BTreeSet<RepoPath> = paths.iter().map(|path| (*path).clone()).collect();
        for some in paths.chunks(500) {
            let call = self.program.look(&["--literal-pathspecs", "diff-files", "--name-only", "-z", "--"]);
            let call = call.arguments(some.iter().map(|path| OsStr::from_bytes(path.as_bytes())));
            for changed in call.run().map_err(&failed)?.split(|byte| *byte == 0) {
                unmodified.remove(&RepoPath::from_bytes(changed));
            }
        }
        Ok(unmodified)
    }
}

impl GitProgram {
    pub(in super::super) fn skip_in_index(
        &self,
        copy: &Path,
        paths: &BTreeSet<&RepoPath>,
    ) -> Result<(), String> {
        let mut input = Vec::new();
        for path in paths {
            input.extend_from_slice(path.as_bytes());
            input.push(0);
        }
        let call =
            self.write(&["-c", "core.fsync=index", "update-index", "-z", "--skip-worktree", "--stdin"]);
        let ran = call.env("GIT_INDEX_FILE", copy).input(&input).run();
        ran.map(drop).map_err(|failure| failure.said)
    }
}
