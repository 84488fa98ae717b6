//! A work tree's files: written, put back, compared with HEAD.

use super::super::backend::BesideHead;
use super::super::error::RepoError;
use super::open::Installed;

impl Installed {
    /// As `git worktree add` does it, without hooks.
    pub(super) fn check_out_head(&self) -> Result<(), RepoError> {
        let call = self.program.write(&["reset", "--hard", "--quiet", "--no-recurse-submodules"]);
        call.run().map(|_| ()).map_err(self.program.failed("check out"))
    }

    pub(super) fn check_out_missing(&self) -> Result<(), RepoError> {
        let failed = self.program.failed("restore missing files");
        if !self.place.git_dir.join("index").is_file() {
            self.program.write(&["read-tree", "HEAD"]).run().map_err(&failed)?;
        }
        let missing = self.program.look(&["ls-files", "-z", "--deleted"]).run().map_err(&failed)?;
        if missing.is_empty() {
            return Ok(());
        }
        let call = self.program.write(&["checkout-index", "-z", "--stdin", "--index"]);
        call.input(&missing).run().map(|_| ()).map_err(&failed)
    }

    pub(super) fn list_beside_head(&self) -> Result<BesideHead, RepoError> {
        let failed = self.program.failed("compare the work tree with HEAD");
        let mut found = BesideHead::default();
        let listed = self
            .program
            .look(&["status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames"])
            .arguments(["--ignored=matching", "--ignore-submodules=dirty"])
            .run()
            .map_err(&failed)?;
        for line in listed.split(|byte| *byte == 0) {
            let (count, list) = match line.first() {
                Some(b'1') => (9, &mut found.changed),
                Some(b'u') => (11, &mut found.changed),
                Some(b'?') => (2, &mut found.changed),
                Some(b'!') => (2, &mut found.ignored),
                _ => continue,
            };
            let path = line.splitn(count, |byte| *byte == b' ').last().unwrap_or_default();
            list.push(String::from_utf8_lossy(path).into_owned());
        }
        let staged = self.program.look(&["ls-files", "-z", "--stage"]).run().map_err(&failed)?;
        for line in staged.split(|byte| *byte == 0).filter(|line| line.starts_with(b"160000 ")) {
            let path = line.splitn(2, |byte| *byte == b'\t').last().unwrap_or_default();
            found.submodules.push(String::from_utf8_lossy(path).into_owned());
        }
        Ok(found)
    }
}
