//! Looking: HEAD, configuration, the work tree against HEAD, objects.

use std::collections::BTreeMap;

use git2::{ErrorClass, ErrorCode, Index, Status, StatusOptions, Statuses, Tree};

use super::super::backend::{Changed, InIndex, Known};
use super::super::error::{RepoError, Unsupported};
use super::super::head::Head;
use super::super::preflight::Person;
use super::super::program::{GitProgram, Scan};
use super::object::{file_mode, object_id, oid};
use super::open::{Library, Scans};
use super::suspects::Suspects;
use crate::publish::{Blob, ObjectId, RepoPath};

/// Each loses to somebody else's write at its own moment only.
const SCAN_TRIES: u32 = 20;

impl Library {
    pub(super) fn read_head(&self) -> Result<Head, RepoError> {
        let failed = self.failed("read HEAD");
        let head = self.git.find_reference("HEAD").map_err(&failed)?;
        let branch = head.symbolic_target_bytes().map(|target| {
            let name = target.strip_prefix(b"refs/heads/").unwrap_or(target);
            String::from_utf8_lossy(name).into_owned()
        });
        let resolved = match head.resolve() {
            Ok(resolved) => resolved,
            Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::UnbornBranch) => {
                return Err(RepoError::NoCommits { branch: branch.unwrap_or_default() });
            }
            Err(error) => return Err(failed(error)),
        };
        let commit = resolved.peel_to_commit().map_err(&failed)?;
        let short = self.short_name(&commit).map_err(&failed)?;
        Ok(Head { commit: object_id(commit.id()), short, branch })
    }

    /// Looked up once for each commit, since it takes reading directories of objects, and HEAD is looked at often.
    fn short_name(&self, commit: &git2::Commit<'_>) -> Result<String, git2::Error> {
        if let Some((known, short)) = &*self.short.borrow()
            && *known == commit.id()
        {
            return Ok(short.clone());
        }
        let short = commit.as_object().short_id()?.as_str()?.to_owned();
        self.short.replace(Some((commit.id(), short.clone())));
        Ok(short)
    }

    pub(super) fn read_settings(&self, keys: &[&str]) -> Result<Vec<Option<String>>, RepoError> {
        // Of a snapshot the files are looked at once, otherwise for each key.
        let config = self.git.config().and_then(|mut config| config.snapshot());
        let config = config.map_err(self.failed("read the configuration"))?;
        Ok(keys.iter().map(|key| config.get_string(key).ok()).collect())
    }

    /// At the clock's now, in UTC.
    pub(in super::super) fn signature(&self, person: &Person) -> Result<git2::Signature<'static>, RepoError> {
        let time = git2::Time::new(self.place.ambient.now().as_second(), 0);
        git2::Signature::new(&person.name, &person.email, &time).map_err(|source| RepoError::BadIdentity {
            name: person.name.clone(),
            email: person.email.clone(),
            source: Some(source),
        })
    }

    pub(super) fn scan(&self) -> Result<BTreeMap<RepoPath, Changed>, RepoError> {
        // If it fails, libgit2 does it, or says why not.
        if let Some(scan) = self.scanner().and_then(|program| self.scan_with(program)) {
            return scan.complete(|paths| self.known_versions(paths));
        }
        let mut options = StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(false);
        let statuses = match self.statuses(&mut options) {
            Ok(statuses) => statuses,
            // git tells what it can of files that do not hold still.
            Err(error)
                if error.class() == ErrorClass::Os
                    && let Some(scan) = self.program_scan() =>
            {
                return scan.complete(|paths| self.known_versions(paths));
            }
            Err(error) => return Err(self.scan_failed(error)),
        };
        let versions = Versions::new(self)?;
        let mut changed = BTreeMap::new();
        for entry in statuses.iter() {
            let bytes = entry.path_bytes();
            let status = entry.status();
            if status.is_ignored() || status == Status::CURRENT {
                continue;
            }
            if let Some(path) = bytes.strip_suffix(b"/") {
                changed.insert(RepoPath::from_bytes(path), Changed::Nested);
                continue;
            }
            let path = RepoPath::from_bytes(bytes);
            if status == Status::WT_DELETED && versions.is_meant_to_be_absent(&path) {
                continue;
            }
            let known = if status == Status::WT_NEW { Known::default() } else { versions.known(&path)? };
            changed.insert(path, Changed::Path { known, conflicted: status.is_conflicted() });
        }
        Ok(changed)
    }

    /// By the installed git, of which the less is asked the more can be seen without it.
    fn scan_with(&self, program: &GitProgram) -> Option<Scan> {
        let of_suspects = |suspects: Suspects| {
            let Suspects { changed, unclear } = suspects;
            let scan = if unclear.is_empty() { Scan::default() } else { program.scan_at(&unclear).ok()? };
            Some(scan.with(changed))
        };
        self.suspects().and_then(of_suspects).or_else(|| program.scan().ok())
    }

    fn program_scan(&self) -> Option<Scan> {
        self.program.as_ref()?.scan().ok()
    }

    fn scanner(&self) -> Option<&GitProgram> {
        let Scans::LargeByProgram(bytes) = self.scans else { return None };
        let index = self.place.git_dir.join("index").metadata().ok()?;
        self.program.as_ref().filter(|_| index.len() >= bytes)
    }

    /// libgit2 may meet an index that another git replaces just then, and take it for a broken one; or want to read a file
    /// that somebody deletes or writes just then, for which it gives up the whole scan.
    pub(super) fn statuses(&self, options: &mut StatusOptions) -> Result<Statuses<'_>, git2::Error> {
        let mut tries = 1;
        loop {
            match self.git.statuses(Some(options)) {
                Err(error) if tries < SCAN_TRIES && is_passing(&error) => tries += 1,
                result => return result,
            }
        }
    }

    fn scan_failed(&self, error: git2::Error) -> RepoError {
        let feature = if error.message().contains("'sdir'") {
            Unsupported::SparseIndex
        } else if error.message().contains("'link'") {
            Unsupported::SplitIndex
        } else {
            return self.failed("compare the work tree with HEAD")(error);
        };
        RepoError::Unsupported { workspace: self.place.workspace.clone(), feature }
    }

    pub(super) fn known_versions(&self, paths: &[&RepoPath]) -> Result<Vec<Known>, RepoError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let tree = self.git.head().and_then(|head| head.peel_to_tree()).ok();
        let in_head = |path: &&RepoPath| tree.as_ref().map_or(Ok(None), |tree| self.in_tree(tree, path));
        let heads = paths.iter().map(in_head).collect::<Result<Vec<_>, _>>()?;
        let absent = paths.iter().zip(&heads).filter(|(_, head)| head.is_none());
        let absent: Vec<&RepoPath> = absent.map(|(path, _)| *path).collect();
        let mut staged = self.staged_versions(&absent)?.into_iter();
        let known = |head: Option<Blob>| {
            let index = if head.is_none() { staged.next().and_then(InIndex::version) } else { None };
            Known { head, index }
        };
        Ok(heads.into_iter().map(known).collect())
    }

    pub(super) fn versions_of(
        &self,
        commit: &ObjectId,
        paths: &[&RepoPath],
    ) -> Result<Vec<Option<Blob>>, RepoError> {
        let tree = oid(commit).and_then(|id| self.git.find_commit(id)).and_then(|commit| commit.tree());
        let tree = tree.map_err(self.failed("read a commit"))?;
        paths.iter().map(|path| self.in_tree(&tree, path)).collect()
    }

    fn in_tree(&self, tree: &Tree<'_>, path: &RepoPath) -> Result<Option<Blob>, RepoError> {
        let entry = match tree.get_path(path.as_path()) {
            Ok(entry) => entry,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            // One of its parents is a file there.
            Err(error) if error.class() == ErrorClass::Tree => return Ok(None),
            Err(error) => return Err(self.failed("read HEAD's tree")(error)),
        };
        #[expect(clippy::cast_sign_loss, reason = "a file mode is never negative")]
        let mode = file_mode(entry.filemode_raw() as u32);
        Ok(mode.map(|mode| Blob { id: object_id(entry.id()), mode }))
    }

    pub(super) fn read_blob(&self, id: &ObjectId) -> Result<Option<Vec<u8>>, RepoError> {
        let failed = self.failed("read a file's content");
        match oid(id).and_then(|id| self.git.find_blob(id)) {
            Ok(blob) => Ok(Some(blob.content().to_vec())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

/// HEAD's tree and the index, for looking up many paths.
struct Versions<'a> {
    library: &'a Library,
    head: Option<Tree<'a>>,
    index: Index,
}

impl<'a> Versions<'a> {
    fn new(library: &'a Library) -> Result<Self, RepoError> {
        let head = library.git.head().and_then(|head| head.peel_to_tree()).ok();
        let index = library.git.index().map_err(|error| library.scan_failed(error))?;
        Ok(Self { library, head, index })
    }

    fn known(&self, path: &RepoPath) -> Result<Known, RepoError> {
        let head = self.in_head(path)?;
        let index = if head.is_none() { in_index(&self.index, path) } else { None };
        Ok(Known { head, index })
    }

    fn in_head(&self, path: &RepoPath) -> Result<Option<Blob>, RepoError> {
        self.head.as_ref().map_or(Ok(None), |tree| self.library.in_tree(tree, path))
    }

    /// Left out by a sparse checkout, or declared as unchanged: its absence is no deletion.
    fn is_meant_to_be_absent(&self, path: &RepoPath) -> bool {
        self.index.get_path(path.as_path(), 0).is_some_and(|entry| {
            let extended = git2::IndexEntryExtendedFlag::from_bits_truncate(entry.flags_extended);
            extended.is_skip_worktree() || git2::IndexEntryFlag::from_bits_truncate(entry.flags).is_valid()
        })
    }
}

/// Whether another look may succeed.
fn is_passing(error: &git2::Error) -> bool {
    matches!(error.class(), ErrorClass::Index | ErrorClass::Os)
}

pub(super) fn in_index(index: &Index, path: &RepoPath) -> Option<Blob> {
    let entry = index.get_path(path.as_path(), 0)?;
    file_mode(entry.mode).map(|mode| Blob { id: object_id(entry.id), mode })
}
