//! The settings of publishing, compiled.

use std::path::Path;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::forced::ForcedReports;
use super::path::RepoPath;
use super::selection::Category;
use crate::model::{Actor, ByteSize};

/// `publish.reports`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportsSpec {
    /// Whether the category exists.
    pub enabled: bool,
    /// File name endings, with their dot; letter case does not matter.
    pub extensions: Vec<String>,
    /// Where not empty, the path must match one of them too; letter case does not matter.
    pub globs: Vec<String>,
    /// What matches one of these is a report even if git ignores it, with no regard to `globs`.
    pub force_add: Vec<String>,
    /// Cap for one file.
    pub max_file: ByteSize,
    /// Cap for the category in one turn.
    pub max_total: ByteSize,
}

/// `publish.tracked_outputs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedOutputsSpec {
    /// Whether the category exists.
    pub enabled: bool,
    /// The path must match one of them.
    pub globs: Vec<String>,
    /// File name endings, with their dot; letter case does not matter.
    pub extensions: Vec<String>,
    /// Cap for one file.
    pub max_file: ByteSize,
    /// Cap for the category in one turn.
    pub max_total: ByteSize,
}

/// `publish.docs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocsSpec {
    /// Whether the category exists.
    pub enabled: bool,
    /// The path must match one of them.
    pub globs: Vec<String>,
    /// Cap for one file.
    pub max_file: ByteSize,
}

/// `publish.work`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkSpec {
    /// Whether the category exists.
    pub enabled: bool,
    /// Whose turns it serves.
    pub actors: Vec<Actor>,
    /// What it leaves alone.
    pub exclude: Vec<String>,
    /// Cap for one file.
    pub max_file: ByteSize,
    /// Cap for the category in one turn.
    pub max_total: ByteSize,
}

/// All settings of publishing as plain text; globs and directories are relative to the workspace.
///
/// In a glob `*` and `?` do not cross a `/`; `**` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSpec {
    /// Evidence: pictures, tables, logs of experiments.
    pub reports: ReportsSpec,
    /// Fixtures that are tracked and were changed.
    pub tracked_outputs: TrackedOutputsSpec,
    /// Plans, notes and repository hygiene.
    pub docs: DocsSpec,
    /// Everything else.
    pub work: WorkSpec,
    /// What a turn may not change: directories with a final `/`, exact paths or globs.
    pub protect: Vec<String>,
    /// `logs_dir`.
    pub logs_dir: String,
    /// `tmp_dir`.
    pub tmp_dir: String,
    /// `state_file`.
    pub state_file: String,
    /// The workspace inside the repository (`repo::Repo::prefix`); empty where it is the root.
    pub workspace: RepoPath,
}

impl Default for RuleSpec {
    /// The documented defaults of the configuration, for a workspace at the root of its repository.
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let mib = |count: u64| ByteSize(count << 20);
        Self {
            reports: ReportsSpec {
                enabled: true,
                extensions: words(&[
                    ".png", ".jpeg", ".jpg", ".npy", ".txt", ".md", ".json", ".log", ".py", ".c", ".h", ".sh",
                ]),
                globs: words(&["**/reports/**", "**/*.{png,jpeg,jpg,npy,log}"]),
                force_add: Vec::new(),
                max_file: mib(5),
                max_total: mib(20),
            },
            tracked_outputs: TrackedOutputsSpec {
                enabled: true,
                globs: words(&[
                    "tests/fixtures/**/*.npy",
                    "tests/fixtures/**/*.npz",
                    "tests/fixtures/**/*.json",
                    "tests/fixtures/**/*.pkl",
                ]),
                extensions: words(&[".npy", ".npz", ".json", ".pkl"]),
                max_file: mib(32),
                max_total: mib(100),
            },
            docs: DocsSpec {
                enabled: true,
                globs: words(&[
                    "input.md",
                    "galph_memory.md",
                    "docs/fix_plan.md",
                    "plans/**/*.md",
                    "prompts/**/*.md",
                    ".gitignore",
                    ".gitmodules",
                    ".gitattributes",
                ]),
                max_file: mib(1),
            },
            work: WorkSpec {
                enabled: true,
                actors: vec![Actor::Ralph],
                exclude: Vec::new(),
                max_file: mib(10),
                max_total: mib(100),
            },
            protect: words(&["sync/", ".baton/", "orchestration.yaml"]),
            logs_dir: "logs".to_owned(),
            tmp_dir: "tmp".to_owned(),
            state_file: "sync/state.json".to_owned(),
            workspace: RepoPath::default(),
        }
    }
}

/// A glob cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: `{glob}` is not a usable glob: {problem}")]
pub struct RuleError {
    /// The key of the configuration, such as `publish.docs.globs`.
    pub key: &'static str,
    /// The text that was given.
    pub glob: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The settings, ready to be asked about paths.
#[derive(Debug, Clone)]
pub struct Rules {
    pub(super) spec: RuleSpec,
    report_globs: GlobSet,
    forced: ForcedReports,
    tracked_globs: GlobSet,
    doc_globs: GlobSet,
    work_exclude: GlobSet,
    protect: GlobSet,
    logs: RepoPath,
    tmp: RepoPath,
    state_file: RepoPath,
}

/// Which caps a category sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    pub(super) file: ByteSize,
    pub(super) total: Option<ByteSize>,
}

/// Parts of the work tree that belong to baton or to nobody; never committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnPlace {
    Baton,
    State,
    Logs,
    Tmp,
}

impl Rules {
    /// Compiles the globs.
    pub fn compile(spec: RuleSpec) -> Result<Self, RuleError> {
        let protect = spec.protect.iter().flat_map(|text| match text.strip_suffix('/') {
            Some(directory) => vec![directory.to_owned(), format!("{directory}/**")],
            None => vec![text.clone()],
        });
        Ok(Self {
            report_globs: compile(
                "publish.reports.globs",
                LetterCase::Ignored,
                spec.reports.globs.iter().cloned(),
            )?,
            forced: ForcedReports::compile(&spec)?,
            tracked_globs: compile(
                "publish.tracked_outputs.globs",
                LetterCase::Kept,
                spec.tracked_outputs.globs.iter().cloned(),
            )?,
            doc_globs: compile("publish.docs.globs", LetterCase::Kept, spec.docs.globs.iter().cloned())?,
            work_exclude: compile(
                "publish.work.exclude",
                LetterCase::Kept,
                spec.work.exclude.iter().cloned(),
            )?,
            protect: compile("publish.protect", LetterCase::Kept, protect)?,
            logs: directory(&spec.logs_dir),
            tmp: directory(&spec.tmp_dir),
            state_file: directory(&spec.state_file),
            spec,
        })
    }

    /// Whether a path (of the repository) is the state file.
    pub fn is_state_file(&self, path: &RepoPath) -> bool {
        path.below(&self.spec.workspace).is_some_and(|path| path == self.state_file)
    }

    /// Whether a path (of the repository) belongs to baton itself or to scratch space: `.baton/`, the state file,
    /// the log and tmp directories. Such paths say nothing about what an agent did.
    pub fn is_own(&self, path: &RepoPath) -> bool {
        path.below(&self.spec.workspace).is_some_and(|path| self.own_place(&path).is_some())
    }

    /// What is committed although git ignores it; `None` where `publish.reports.force_add` names nothing.
    pub fn forced(&self) -> Option<&ForcedReports> {
        (self.spec.reports.enabled && !self.forced.is_empty()).then_some(&self.forced)
    }

    /// Takes a path relative to the workspace, as do all the others below.
    pub(super) fn own_place(&self, path: &RepoPath) -> Option<OwnPlace> {
        if path.is_within(&RepoPath::from(".baton")) {
            Some(OwnPlace::Baton)
        } else if path.as_bytes().strip_suffix(b".tmp") == Some(self.state_file.as_bytes()) {
            // What a writer of the state left that died before it could rename it.
            Some(OwnPlace::Baton)
        } else if *path == self.state_file {
            Some(OwnPlace::State)
        } else if path.is_within(&self.logs) {
            Some(OwnPlace::Logs)
        } else if path.is_within(&self.tmp) {
            Some(OwnPlace::Tmp)
        } else {
            None
        }
    }

    /// Whether `publish.protect` names a path of the repository.
    pub fn protects(&self, path: &RepoPath) -> bool {
        path.below(&self.spec.workspace).is_some_and(|path| self.is_protected(&path))
    }

    pub(super) fn is_protected(&self, path: &RepoPath) -> bool {
        self.protect.is_match(path.as_path())
    }

    pub(super) fn is_excluded_from_work(&self, path: &RepoPath) -> bool {
        self.work_exclude.is_match(path.as_path())
    }

    /// Whether a category other than `work` is meant for this path, whatever its size.
    pub(super) fn names(&self, category: Category, path: &RepoPath) -> bool {
        let spec = &self.spec;
        match category {
            Category::Reports => {
                spec.reports.enabled
                    && has_extension(path, &spec.reports.extensions)
                    && (self.report_globs.is_empty()
                        || self.report_globs.is_match(path.as_path())
                        || self.forced.matches(path))
            }
            Category::TrackedOutputs => {
                spec.tracked_outputs.enabled
                    && has_extension(path, &spec.tracked_outputs.extensions)
                    && self.tracked_globs.is_match(path.as_path())
            }
            Category::Docs => spec.docs.enabled && self.doc_globs.is_match(path.as_path()),
            Category::Work => false,
        }
    }

    pub(super) fn serves_work_of(&self, actor: Actor) -> bool {
        self.spec.work.enabled && self.spec.work.actors.contains(&actor)
    }

    pub(super) fn caps(&self, category: Category) -> Caps {
        let spec = &self.spec;
        let (file, total) = match category {
            Category::Reports => (spec.reports.max_file, Some(spec.reports.max_total)),
            Category::TrackedOutputs => (spec.tracked_outputs.max_file, Some(spec.tracked_outputs.max_total)),
            Category::Docs => (spec.docs.max_file, None),
            Category::Work => (spec.work.max_file, Some(spec.work.max_total)),
        };
        Caps { file, total }
    }
}

/// Whether `A` matches `a`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LetterCase {
    Kept,
    Ignored,
}

pub(super) fn compile(
    key: &'static str,
    letters: LetterCase,
    globs: impl Iterator<Item = String>,
) -> Result<GlobSet, RuleError> {
    let refuse = |glob: &str, error: &globset::Error| RuleError {
        key,
        glob: glob.to_owned(),
        problem: error.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for text in globs {
        let glob: Glob = GlobBuilder::new(&text)
            .literal_separator(true)
            .backslash_escape(true)
            .case_insensitive(letters == LetterCase::Ignored)
            .build()
            .map_err(|error| refuse(&text, &error))?;
        set.add(glob);
    }
    set.build().map_err(|error| refuse("", &error))
}

/// A configured path without `./` in front and without slashes at its ends.
pub(super) fn directory(text: &str) -> RepoPath {
    let parts: Vec<_> = Path::new(text)
        .components()
        .filter_map(|part| match part {
            std::path::Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    RepoPath::from(parts.join("/").as_str())
}

pub(super) fn has_extension(path: &RepoPath, extensions: &[String]) -> bool {
    let bytes = path.as_bytes();
    let name = bytes.rsplit(|&byte| byte == b'/').next().unwrap_or(bytes);
    extensions.iter().any(|extension| {
        let Some(start) = name.len().checked_sub(extension.len()) else { return false };
        start > 0 && name[start..].eq_ignore_ascii_case(extension.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_broken_glob_names_its_key() {
        let spec = RuleSpec {
            docs: DocsSpec { globs: vec!["plans/[".into()], ..RuleSpec::default().docs },
            ..RuleSpec::default()
        };
        assert_eq!(
            Rules::compile(spec).unwrap_err().to_string(),
            "publish.docs.globs: `plans/[` is not a usable glob: unclosed character class; missing ']'"
        );
    }

    #[rstest]
    #[case("sync/state.json", true)]
    #[case("sync", true)]
    #[case("sync/deep/er", true)]
    #[case("orchestration.yaml", true)]
    #[case("synchronous.rs", false)]
    #[case("sub/orchestration.yaml", false)]
    fn protected_paths_are_directories_and_files(#[case] path: &str, #[case] protected: bool) {
        let rules = Rules::compile(RuleSpec::default()).unwrap();
        assert_eq!(rules.is_protected(&path.into()), protected);
    }

    #[rstest]
    #[case("a/plot.PNG", true)]
    #[case("a/.png", false)]
    #[case("png", false)]
    #[case("a.png/b", false)]
    fn an_extension_is_an_ending_of_the_file_name(#[case] path: &str, #[case] has: bool) {
        assert_eq!(has_extension(&path.into(), &[".png".to_owned()]), has);
    }

    #[rstest]
    #[case("./logs/")]
    #[case("logs")]
    fn directories_are_read_in_any_spelling(#[case] text: &str) {
        assert_eq!(directory(text), RepoPath::from("logs"));
    }
}
