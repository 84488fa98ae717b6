//! Looking: HEAD, the work tree against HEAD, the index.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt as _;

use sha2::{Digest as _, Sha256};

use super::super::backend::{Changed, Hashed, InIndex, Known};
use super::super::error::RepoError;
use super::super::head::Head;
use super::open::{Installed, ObjectFormat, unexpected, without_last_break};
use super::run::{GitFailure, GitProgram};
use crate::publish::{Blob, FileMode, ObjectId, RepoPath};

/// Each is lost to somebody who deletes a file at that very moment.
const HASH_TRIES: u32 = 20;

/// Most bytes of paths in the arguments of one process.
const MAX_ARGUMENTS: usize = 100_000;

/// What `git status` has found.
#[derive(Debug, Default)]
pub(in super::super) struct Scan {
    changed: BTreeMap<RepoPath, Changed>,
    unmerged: Vec<RepoPath>,
}

impl Scan {
    /// And these.
    pub(in super::super) fn with(mut self, changed: BTreeMap<RepoPath, Changed>) -> Self {
        self.changed.extend(changed);
        self
    }

    /// Of unmerged paths git tells no version of HEAD: they are looked up.
    pub(in super::super) fn complete(
        mut self,
        known: impl FnOnce(&[&RepoPath]) -> Result<Vec<Known>, RepoError>,
    ) -> Result<BTreeMap<RepoPath, Changed>, RepoError> {
        let paths: Vec<&RepoPath> = self.unmerged.iter().collect();
        for (path, known) in self.unmerged.iter().zip(known(&paths)?) {
            self.changed.insert(path.clone(), Changed::Path { known, conflicted: true });
        }
        Ok(self.changed)
    }
}

impl GitProgram {
    /// Everything that differs from HEAD, untracked files one by one, nothing that is ignored.
    pub(in super::super) fn scan(&self) -> Result<Scan, GitFailure> {
        self.scan_at(&BTreeSet::new())
    }

    /// The same of these paths and all below them, if any are named.
    pub(in super::super) fn scan_at(&self, paths: &BTreeSet<RepoPath>) -> Result<Scan, GitFailure> {
        let bytes: usize = paths.iter().map(|path| path.as_bytes().len()).sum();
        // More than fit into the arguments of a process: everything.
        let paths: Vec<&RepoPath> = paths.iter().filter(|_| bytes <= MAX_ARGUMENTS).collect();
        // For a few paths, threads that look at all files ahead of time are in the way.
        let threads: &[&str] = if paths.is_empty() { &[] } else { &["-c", "core.preloadIndex=false"] };
        let listed = self
            .look(&["--literal-pathspecs"])
            .arguments(threads)
            .arguments(["status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames"])
            .arguments(["--ignored=no", "--ignore-submodules=dirty", "--"])
            .arguments(paths.into_iter().map(RepoPath::as_path))
            .run()?;
        let mut scan = Scan::default();
        for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let (path, entry) = parse_status(line).ok_or_else(unexpected)?;
            match entry {
                Changed::Path { conflicted: true, .. } => scan.unmerged.push(path.clone()),
                // What is not in the index any more is listed as untracked too.
                Changed::Path { ref known, .. }
                    if known.head.is_none() && scan.changed.contains_key(&path) =>
                {
                    continue;
                }
                Changed::Path { .. } | Changed::Nested => {}
            }
            scan.changed.insert(path, entry);
        }
        Ok(scan)
    }
}

impl Installed {
    pub(super) fn read_head(&self) -> Result<Head, RepoError> {
        let failed = self.program.failed("read HEAD");
        let asked = ["rev-parse", "HEAD^{commit}", "--symbolic-full-name", "HEAD"];
        let answer = match self.program.look(&asked).run() {
            Ok(answer) => answer,
            Err(failure) => {
                let unborn = self.program.look(&["symbolic-ref", "--quiet", "HEAD"]).run();
                let Ok(branch) = unborn else { return Err(failed(failure)) };
                return Err(RepoError::NoCommits { branch: branch_name(without_last_break(&branch)) });
            }
        };
        let mut lines = answer.split(|byte| *byte == b'\n');
        let commit = lines.next().and_then(object_id).ok_or_else(|| failed(unexpected()))?;
        let name = lines.next().unwrap_or_default();
        let branch = (name != b"HEAD").then(|| branch_name(name));
        Ok(Head { short: self.short_name(&commit)?, commit, branch })
    }

    pub(super) fn short_name(&self, commit: &ObjectId) -> Result<String, RepoError> {
        if let Some((known, short)) = &*self.short.borrow()
            && known == commit
        {
            return Ok(short.clone());
        }
        let answer = self
            .program
            .look(&["rev-parse", "--short", commit.as_str()])
            .run()
            .map_err(self.program.failed("read HEAD"))?;
        let short = String::from_utf8_lossy(without_last_break(&answer)).into_owned();
        self.short.replace(Some((commit.clone(), short.clone())));
        Ok(short)
    }

    pub(super) fn scan(&self) -> Result<BTreeMap<RepoPath, Changed>, RepoError> {
        let scan = self.program.scan().map_err(self.program.failed("compare the work tree with HEAD"))?;
        scan.complete(|paths| self.known_versions(paths))
    }

    pub(super) fn known_versions(&self, paths: &[&RepoPath]) -> Result<Vec<Known>, RepoError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let mut in_head = match self.read_head() {
            Ok(_) => self.versions(&["ls-tree", "-z", "--full-tree", "HEAD"], paths),
            Err(RepoError::NoCommits { .. }) => Ok(BTreeMap::new()),
            Err(error) => return Err(error),
        }
        .map_err(self.program.failed("read HEAD's tree"))?;
        let absent: Vec<&RepoPath> =
            paths.iter().copied().filter(|path| !in_head.contains_key(*path)).collect();
        let mut in_index = self
            .versions(&["ls-files", "--stage", "-z"], &absent)
            .map_err(self.program.failed("read the index"))?;
        let known = |path: &&RepoPath| Known { head: in_head.remove(*path), index: in_index.remove(*path) };
        Ok(paths.iter().map(known).collect())
    }

    pub(super) fn staged_versions(&self, paths: &[&RepoPath]) -> Result<Vec<InIndex>, RepoError> {
        let listed = self.listed(&["ls-files", "--stage", "-z"], paths);
        let listed = listed.map_err(self.program.failed("read the index"))?;
        let staged = |line| match parse_listed(line) {
            Some((path, version)) => Some((path, InIndex::Version(version))),
            None => Some((unmerged_path(line)?, InIndex::Unmerged)),
        };
        let staged: BTreeMap<RepoPath, InIndex> =
            listed.split(|byte| *byte == 0).filter_map(staged).collect();
        Ok(paths.iter().map(|path| staged.get(*path).cloned().unwrap_or(InIndex::Nothing)).collect())
    }

    pub(super) fn versions_of(
        &self,
        commit: &ObjectId,
        paths: &[&RepoPath],
    ) -> Result<Vec<Option<Blob>>, RepoError> {
        let found = self.versions(&["ls-tree", "-z", "--full-tree", commit.as_str()], paths);
        let found = found.map_err(self.program.failed("read a commit"))?;
        Ok(paths.iter().map(|path| found.get(*path).cloned()).collect())
    }

    /// What `ls-tree` or `ls-files --stage` has at these paths.
    fn versions(
        &self,
        command: &[&str],
        paths: &[&RepoPath],
    ) -> Result<BTreeMap<RepoPath, Blob>, GitFailure> {
        let listed = self.listed(command, paths)?;
        Ok(listed.split(|byte| *byte == 0).filter_map(parse_listed).collect())
    }

    /// What such a command prints.
    fn listed(&self, command: &[&str], paths: &[&RepoPath]) -> Result<Vec<u8>, GitFailure> {
        let mut listed = Vec::new();
        let mut rest = paths;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |path: &&&RepoPath| {
                bytes += path.as_bytes().len() + 1;
                bytes <= MAX_ARGUMENTS
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (now, later) = rest.split_at(count);
            rest = later;
            let arguments = now.iter().map(|path| std::ffi::OsStr::from_bytes(path.as_bytes()));
            let look = self.program.look(&["--literal-pathspecs"]).arguments(command);
            listed.extend(look.arguments(["--"]).arguments(arguments).run()?);
        }
        Ok(listed)
    }

    pub(super) fn hash(&self, paths: &[&RepoPath]) -> Result<Vec<Option<Hashed>>, RepoError> {
        let hashed = |id| Hashed { id, obstacle: None };
        let mut left = paths.to_vec();
        let mut tries = 1;
        let ids = loop {
            match self.hash_objects(&[], &left) {
                Ok(ids) => break ids,
                // One that has vanished meanwhile fails them all, and may be there again.
                Err(_) if tries < HASH_TRIES => tries += 1,
                Err(failure) => return Err(self.program.failed("hash a file")(failure)),
            }
            left = paths.iter().copied().filter(|path| self.place.absolute(path).is_file()).collect();
        };
        let mut ids: BTreeMap<_, _> = left.into_iter().zip(ids).collect();
        Ok(paths.iter().map(|path| ids.remove(*path).map(hashed)).collect())
    }

    /// `hash-object` over files below the root, by their names quoted as git does.
    pub(super) fn hash_objects(
        &self,
        options: &[&str],
        paths: &[&RepoPath],
    ) -> Result<Vec<ObjectId>, GitFailure> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let mut input = Vec::new();
        for path in paths {
            quote(path.as_bytes(), &mut input);
            input.push(b'\n');
        }
        let call = self.program.write(&["hash-object", "--stdin-paths"]).arguments(options).input(&input);
        let ids = object_ids(&call.run()?);
        if ids.len() == paths.len() { Ok(ids) } else { Err(unexpected()) }
    }

    pub(super) fn hash_content(&self, content: &[u8]) -> Result<ObjectId, RepoError> {
        let name = match self.format {
            ObjectFormat::Sha1 => git2::Oid::hash_object(git2::ObjectType::Blob, content)
                .map_err(|source| RepoError::Git {
                    doing: "hash a link",
                    place: self.place.root.clone(),
                    source,
                })?
                .to_string(),
            ObjectFormat::Sha256 => {
                let digest = Sha256::new()
                    .chain_update(format!("blob {}\0", content.len()))
                    .chain_update(content)
                    .finalize();
                digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
            }
        };
        object_id(name.as_bytes()).ok_or_else(|| self.program.failed("hash a link")(unexpected()))
    }
}

fn branch_name(reference: &[u8]) -> String {
    String::from_utf8_lossy(reference.strip_prefix(b"refs/heads/").unwrap_or(reference)).into_owned()
}

pub(super) fn object_id(text: &[u8]) -> Option<ObjectId> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

pub(super) fn object_ids(lines: &[u8]) -> Vec<ObjectId> {
    lines.split(|byte| *byte == b'\n').filter_map(object_id).collect()
}

/// A mode as git prints it, in octal; `None` for a directory and for nothing.
fn file_mode(text: &[u8]) -> Option<FileMode> {
    match text {
        b"100755" => Some(FileMode::Executable),
        b"120000" => Some(FileMode::Symlink),
        b"160000" => Some(FileMode::Submodule),
        text if text.starts_with(b"100") => Some(FileMode::Regular),
        _ => None,
    }
}

pub(super) fn version(mode: &[u8], id: &[u8]) -> Option<Blob> {
    Some(Blob { mode: file_mode(mode)?, id: object_id(id)? })
}

/// `<mode> <type> <id>\t<path>` or `<mode> <id> <stage>\t<path>`; nothing for a directory or an unmerged version.
pub(super) fn parse_listed(line: &[u8]) -> Option<(RepoPath, Blob)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let fields: Vec<&[u8]> = line[..tab].split(|byte| *byte == b' ').collect();
    let [mode, second, third] = fields[..] else { return None };
    let blob = match third {
        b"0" => version(mode, second)?,
        id => version(mode, id)?,
    };
    Some((RepoPath::from_bytes(&line[tab + 1..]), blob))
}

/// The path of one side of a conflict in the list of `ls-files --stage`.
fn unmerged_path(line: &[u8]) -> Option<RepoPath> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    (!line[..tab].ends_with(b" 0")).then(|| RepoPath::from_bytes(&line[tab + 1..]))
}

/// One entry of `status --porcelain=v2 -z`; `None` for what is not understood.
fn parse_status(line: &[u8]) -> Option<(RepoPath, Changed)> {
    let fields = |count| line.splitn(count, |byte| *byte == b' ').collect::<Vec<_>>();
    let at =
        |path: &[u8], known, conflicted| (RepoPath::from_bytes(path), Changed::Path { known, conflicted });
    match line.first()? {
        b'1' => {
            let [_, _, _, head_mode, index_mode, _, head, index, path] = fields(9)[..] else { return None };
            let known = Known { head: version(head_mode, head), index: version(index_mode, index) };
            Some(at(path, known, false))
        }
        b'u' => Some(at(fields(11).get(10)?, Known::default(), true)),
        b'?' => {
            let path = line.get(2..)?;
            let nested = path.strip_suffix(b"/").map(|path| (RepoPath::from_bytes(path), Changed::Nested));
            Some(nested.unwrap_or_else(|| at(path, Known::default(), false)))
        }
        _ => None,
    }
}

/// As git quotes names: in double quotes, everything unusual as three octal digits.
pub(super) fn quote(name: &[u8], quoted: &mut Vec<u8>) {
    quoted.push(b'"');
    for &byte in name {
        match byte {
            b'"' | b'\\' => quoted.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => quoted.push(byte),
            _ => quoted.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
        }
    }
    quoted.push(b'"');
}
