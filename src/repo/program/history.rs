//! Looking back: commits, what they changed, contents, earlier versions of a file.

use std::os::unix::ffi::OsStrExt as _;

use super::super::backend::{Difference, RawCommit, Versions};
use super::super::error::RepoError;
use super::look::{object_id, object_ids, version};
use super::open::{Installed, unexpected};
use super::run::GitFailure;
use crate::publish::{ObjectId, RepoPath};

/// What one commit changed, and every tree and file that it brought in.
pub(super) struct Brought {
    pub(super) difference: Difference,
    pub(super) objects: Vec<ObjectId>,
}

impl Installed {
    /// `tip`: HEAD where it is not given.
    pub(super) fn list_commits(
        &self,
        base: &ObjectId,
        tip: Option<&ObjectId>,
    ) -> Result<Vec<RawCommit>, RepoError> {
        let range = format!("{base}..{}", tip.map_or("HEAD", ObjectId::as_str));
        self.log(&["--reverse", &range])
    }

    /// `newest`: HEAD where it is not given.
    pub(super) fn list_recent(
        &self,
        newest: Option<&ObjectId>,
        limit: usize,
    ) -> Result<Vec<RawCommit>, RepoError> {
        self.log(&[&format!("--max-count={limit}"), newest.map_or("HEAD", ObjectId::as_str)])
    }

    fn log(&self, which: &[&str]) -> Result<Vec<RawCommit>, RepoError> {
        let failed = self.program.failed("list commits");
        let listed = self
            .program
            .look(&["log", "-z", "--topo-order", "--format=%H%n%B", "--encoding=UTF-8"])
            .arguments(["--no-show-signature", "--no-notes", "--no-color", "--no-decorate"])
            .arguments(which)
            .arguments(["--"])
            .run()
            .map_err(&failed)?;
        let commit = |entry: &[u8]| {
            let (id, message) = entry.split_at_checked(entry.iter().position(|byte| *byte == b'\n')?)?;
            let message = String::from_utf8_lossy(message.get(1..).unwrap_or_default()).into_owned();
            Some(RawCommit { id: object_id(id)?, message })
        };
        listed
            .split(|byte| *byte == 0)
            .filter(|entry| !entry.is_empty())
            .map(|entry| commit(entry).ok_or_else(|| failed(unexpected())))
            .collect()
    }

    pub(super) fn list_files(
        &self,
        commit: &ObjectId,
        below: &[RepoPath],
    ) -> Result<Vec<RepoPath>, RepoError> {
        let names = below.iter().map(|path| std::ffi::OsStr::from_bytes(path.as_bytes()));
        let listed = self
            .program
            .look(&["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit.as_str(), "--"])
            .arguments(names)
            .run()
            .map_err(self.program.failed("list the files of a commit"))?;
        let mut files: Vec<RepoPath> = listed
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(RepoPath::from_bytes)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    pub(super) fn is_descendant(&self, new: &ObjectId, old: &ObjectId) -> Result<bool, RepoError> {
        if self.made.borrow().as_ref().is_some_and(|made| (&made.from, &made.to) == (old, new)) {
            return Ok(true);
        }
        let asked = ["merge-base", "--is-ancestor", old.as_str(), new.as_str()];
        match self.program.look(&asked).run() {
            Ok(_) => Ok(true),
            Err(GitFailure { code: Some(1), .. }) => Ok(false),
            // A rewritten history may have been pruned: then the old commit itself is gone.
            Err(_) if self.program.look(&["cat-file", "-e", old.as_str()]).run().is_err() => Ok(false),
            Err(failure) => Err(self.program.failed("compare commits")(failure)),
        }
    }

    pub(super) fn commit_difference(
        &self,
        old: Option<&ObjectId>,
        new: &ObjectId,
    ) -> Result<Difference, RepoError> {
        if let (Some(old), Some(made)) = (old, &*self.made.borrow())
            && (&made.from, &made.to) == (old, new)
        {
            return Ok(made.difference.clone());
        }
        let from = old.map_or_else(|| format!("{new}^1"), ToString::to_string);
        let brought = match self.brought(&from, new) {
            Err(_) if old.is_none() && self.find_objects(&[from])? == [None] => {
                self.brought(self.format.empty_tree(), new)
            }
            brought => brought,
        };
        brought.map(|brought| brought.difference)
    }

    pub(super) fn brought(&self, old: &str, new: &ObjectId) -> Result<Brought, RepoError> {
        let failed = self.program.failed("compare commits");
        let listed = self
            .program
            .look(&["diff-tree", "-r", "-t", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff"])
            .arguments(["--ignore-submodules=none", old, new.as_str(), "--"])
            .run()
            .map_err(&failed)?;
        let mut brought = Brought { difference: Difference::new(), objects: Vec::new() };
        let mut fields = listed.split(|byte| *byte == 0);
        while let (Some(described), Some(path)) = (fields.next(), fields.next()) {
            let described: Vec<&[u8]> = described.split(|byte| *byte == b' ').collect();
            let [old_mode, mode, old_id, id, _] = described[..] else { return Err(failed(unexpected())) };
            let is_gone = id.iter().all(|digit| *digit == b'0');
            if !is_gone && mode != b"160000" {
                brought.objects.extend(object_id(id));
            }
            let versions = Versions {
                new: version(mode, id),
                old: version(old_mode.strip_prefix(b":").unwrap_or(old_mode), old_id),
            };
            if versions.new.is_some() || versions.old.is_some() {
                brought.difference.insert(RepoPath::from_bytes(path), versions);
            }
        }
        Ok(brought)
    }

    /// Content after content, as one process prints them.
    pub(super) fn read_blobs(&self, ids: &[&ObjectId]) -> Result<Vec<Option<Vec<u8>>>, RepoError> {
        self.read_objects(ids, "blob")
    }

    /// `None` where there is no such object of this kind.
    pub(super) fn read_objects(
        &self,
        ids: &[&ObjectId],
        wanted: &str,
    ) -> Result<Vec<Option<Vec<u8>>>, RepoError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let failed = self.program.failed("read a file's content");
        let input = ids.iter().fold(String::new(), |text, id| text + id.as_str() + "\n");
        let printed =
            self.program.look(&["cat-file", "--batch"]).input(input.as_bytes()).run().map_err(&failed)?;
        let mut rest = printed.as_slice();
        let mut next = || -> Option<Option<Vec<u8>>> {
            let (line, after) = rest.split_at_checked(rest.iter().position(|byte| *byte == b'\n')?)?;
            let line = String::from_utf8_lossy(line);
            let fields: Vec<&str> = line.split(' ').collect();
            let [_, kind, size] = fields[..] else {
                rest = &after[1..];
                return Some(None);
            };
            let size: usize = size.parse().ok()?;
            let content = after.get(1..=size)?.to_vec();
            rest = after.get(size + 2..)?;
            Some((kind == wanted).then_some(content))
        };
        ids.iter().map(|_| next().ok_or_else(|| failed(unexpected()))).collect()
    }

    pub(super) fn seek(
        &self,
        newest: Option<&ObjectId>,
        path: &RepoPath,
        accept: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<Option<String>, RepoError> {
        let failed = self.program.failed("read the history");
        let newest = newest.map_or_else(|| self.read_head().map(|head| head.commit), |it| Ok(it.clone()))?;
        let list = ["--literal-pathspecs", "rev-list", "--first-parent", newest.as_str(), "--"];
        let name = std::ffi::OsStr::from_bytes(path.as_bytes());
        let all = object_ids(&self.program.look(&list).run().map_err(&failed)?);
        let changing = object_ids(&self.program.look(&list).arguments([name]).run().map_err(&failed)?);
        // A version lasts from the commit that made it up to the one before its next change.
        let mut newest = all.first().cloned();
        for commit in changing {
            let mut spec = std::ffi::OsString::from(format!("{commit}:"));
            spec.push(name);
            let content = self.program.look(&["cat-file", "blob"]).arguments([spec]).run();
            if let (Ok(content), Some(newest)) = (content, &newest)
                && accept(&content)
            {
                return self.short_name(newest).map(Some);
            }
            let at = all.iter().position(|one| *one == commit);
            newest = at.and_then(|at| all.get(at + 1)).cloned();
        }
        Ok(None)
    }
}
