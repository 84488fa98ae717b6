//! The installed git as a way to work with a repository.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::super::backend::{Changes, Difference};
use super::super::error::RepoError;
use super::super::place::Place;
use super::run::{GitFailure, GitProgram};
use super::scratch::BaseIndex;
use crate::ambient::Ambient;
use crate::publish::{ObjectId, RepoPath};

/// How the repository names its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectFormat {
    Sha1,
    Sha256,
}

impl ObjectFormat {
    pub(super) const fn digits(self) -> usize {
        match self {
            Self::Sha1 => 40,
            Self::Sha256 => 64,
        }
    }

    /// git knows it without having it.
    pub(super) const fn empty_tree(self) -> &'static str {
        match self {
            Self::Sha1 => "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            Self::Sha256 => "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
        }
    }
}

/// The configuration: a value for each key, `None` for a key that stands alone.
pub(super) type Settings = BTreeMap<String, Option<String>>;

/// Commits that this process has made: what they change is known without asking git again.
pub(super) struct LastMade {
    pub(super) from: ObjectId,
    pub(super) to: ObjectId,
    pub(super) difference: Difference,
    /// Paths whose committed version may not be the work tree's.
    pub(super) restaged: Vec<RepoPath>,
}

/// A repository and the git program that works with it.
pub(in super::super) struct Installed {
    pub(super) program: GitProgram,
    pub(in super::super) place: Place,
    pub(super) format: ObjectFormat,
    pub(super) hooks_dir: PathBuf,
    /// `core.fileMode`, a property of the file system.
    pub(super) trusts_mode_bits: bool,
    /// The short name of the commit that was asked for last.
    pub(super) short: RefCell<Option<(ObjectId, String)>>,
    /// HEAD's tree as an index, kept while HEAD stays.
    pub(super) base_index: RefCell<Option<BaseIndex>>,
    /// The tree that was named last.
    pub(super) named: RefCell<Option<(ObjectId, Changes, ObjectId)>>,
    /// Whether commits are signed, as the configuration said when people were asked for last.
    pub(super) signed: Cell<bool>,
    /// What the commits made last have changed.
    pub(super) made: RefCell<Option<LastMade>>,
}

impl fmt::Debug for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installed").field("program", &self.program).finish_non_exhaustive()
    }
}

impl Installed {
    /// Opens the repository that holds `workspace`, a canonical path.
    pub(in super::super) fn open(
        workspace: &Path,
        program: GitProgram,
        ambient: &Ambient,
    ) -> Result<Self, RepoError> {
        let program = program.at(workspace);
        let failed = |failure: GitFailure| opening_failed(workspace, &failure);
        let facts = program.rev_parse(&["--is-bare-repository", "--absolute-git-dir"]).map_err(failed)?;
        let [is_bare, git_dir] = &facts[..] else { return Err(failed(unexpected())) };
        let git_dir = PathBuf::from(git_dir);
        if *is_bare == *"true" {
            return Err(RepoError::Bare { git_dir });
        }
        let asked = ["--show-toplevel", "--git-common-dir", "--show-object-format", "--git-path=hooks"];
        let facts = program.rev_parse(&asked).map_err(failed)?;
        let [root, common_dir, format, _] = &facts[..] else { return Err(failed(unexpected())) };
        let place = Place::new(workspace, Path::new(root), git_dir, PathBuf::from(common_dir), ambient)?;
        let program = program.at(&place.root);
        let hooks_dir = program.hooks_dir().map_err(failed)?;
        let mut settings = program.settings().map_err(failed)?;
        let mode_bits = settings.remove("core.filemode").flatten();
        Ok(Self {
            hooks_dir,
            format: if *format == *"sha256" { ObjectFormat::Sha256 } else { ObjectFormat::Sha1 },
            trusts_mode_bits: !mode_bits.is_some_and(|text| is_off(&text)),
            program,
            place,
            short: RefCell::default(),
            base_index: RefCell::default(),
            named: RefCell::default(),
            signed: Cell::new(is_signing(&settings)),
            made: RefCell::default(),
        })
    }
}

impl GitProgram {
    /// One answer a question; asked one by one only where a path with a line break makes them ambiguous.
    fn rev_parse(&self, questions: &[&str]) -> Result<Vec<OsString>, GitFailure> {
        let ask = |questions: &[&str]| {
            self.look(&["rev-parse", "--path-format=absolute"])
                .arguments(questions.iter().flat_map(|question| question.split('=')))
                .run()
        };
        let text = |line: &[u8]| OsString::from_vec(line.to_vec());
        let answers = ask(questions)?;
        let lines: Vec<OsString> =
            without_last_break(&answers).split(|byte| *byte == b'\n').map(text).collect();
        if lines.len() == questions.len() {
            return Ok(lines);
        }
        let one = |question: &&str| ask(&[question]).map(|answer| text(without_last_break(&answer)));
        questions.iter().map(one).collect()
    }

    /// The hook of the user's own that a push goes through; `None` where there is none.
    pub(in super::super) fn pre_push(&self) -> Option<PathBuf> {
        let file = self.hooks_dir().ok()?.join("pre-push");
        let metadata = file.metadata().ok()?;
        (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then_some(file)
    }

    fn hooks_dir(&self) -> Result<PathBuf, GitFailure> {
        // Asked with the user's own `core.hooksPath`.
        let answer = self.call(&["rev-parse", "--path-format=absolute", "--git-path", "hooks"]).run()?;
        Ok(PathBuf::from(OsString::from_vec(without_last_break(&answer).to_vec())))
    }

    /// Every value of the configuration, the last one where there are several; `None` for a key without a value.
    pub(super) fn settings(&self) -> Result<Settings, GitFailure> {
        let listed = self.call(&["--no-optional-locks", "config", "--list", "-z"]).run()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let setting = |entry: &[u8]| match entry.iter().position(|byte| *byte == b'\n') {
            Some(at) => (text(&entry[..at]), Some(text(&entry[at + 1..]))),
            None => (text(entry), None),
        };
        Ok(listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).map(setting).collect())
    }
}

/// Whether commits shall be signed; a key without a value is on.
pub(super) fn is_signing(settings: &Settings) -> bool {
    let asked = settings.get("commit.gpgsign");
    asked.is_some_and(|value| value.as_ref().is_none_or(|text| !is_off(text)))
}

fn is_off(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "" | "false" | "no" | "off" | "0")
}

pub(super) fn without_last_break(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\n").unwrap_or(bytes)
}

pub(super) fn unexpected() -> GitFailure {
    GitFailure { code: None, said: "it answered in a way that is not understood".to_owned() }
}

fn opening_failed(workspace: &Path, failure: &GitFailure) -> RepoError {
    let workspace = workspace.to_owned();
    let outside = ["not a git repository", "must be run in a work tree"];
    if outside.iter().any(|text| failure.said.contains(text)) {
        RepoError::NotARepository { workspace }
    } else if failure.said.contains("dubious ownership") {
        RepoError::NotTrusted { workspace }
    } else {
        RepoError::Unopenable { workspace, source: git2::Error::from_str(&failure.said) }
    }
}
