//! Ignored files that are committed all the same: what `publish.reports.force_add` names.

use globset::GlobSet;

use super::path::RepoPath;
use super::rules::{LetterCase, RuleError, RuleSpec, compile, directory, has_extension};

/// Which ignored files are reports. Globs and extensions both must hold; `.git`, baton's own places and scratch space
/// are never among them.
#[derive(Debug, Clone)]
pub struct ForcedReports {
    globs: GlobSet,
    extensions: Vec<String>,
    workspace: RepoPath,
    /// Of each glob, the directory in which everything lies that it can match; relative to the workspace.
    bases: Vec<RepoPath>,
    never: Vec<RepoPath>,
}

impl ForcedReports {
    pub(super) fn compile(spec: &RuleSpec) -> Result<Self, RuleError> {
        let globs = &spec.reports.force_add;
        let mut bases: Vec<RepoPath> = globs.iter().map(|glob| base_of(glob)).collect();
        bases.sort();
        bases.dedup();
        let all = bases.clone();
        let is_inner = |base: &RepoPath| all.iter().any(|outer| outer != base && base.below(outer).is_some());
        bases.retain(|base| !is_inner(base));
        let never = [".baton", &spec.logs_dir, &spec.tmp_dir, &spec.state_file];
        Ok(Self {
            globs: compile("publish.reports.force_add", LetterCase::Kept, globs.iter().cloned())?,
            extensions: spec.reports.extensions.clone(),
            workspace: spec.workspace.clone(),
            bases,
            never: never.into_iter().map(directory).collect(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bases.is_empty()
    }

    /// Whether a glob matches a path of the workspace.
    pub(super) fn matches(&self, path: &RepoPath) -> bool {
        self.globs.is_match(path.as_path())
    }

    /// Whether a path of the repository is such a report.
    pub fn names(&self, path: &RepoPath) -> bool {
        path.below(&self.workspace).is_some_and(|path| {
            has_extension(&path, &self.extensions) && self.matches(&path) && !self.is_never(&path)
        })
    }

    /// The directories of the repository to walk; none lies in another.
    pub fn bases(&self) -> impl Iterator<Item = RepoPath> {
        self.bases.iter().map(|base| self.workspace.join(base))
    }

    /// Whether a directory of the repository can hold no such report, and need not be walked.
    pub fn excludes_directory(&self, path: &RepoPath) -> bool {
        path.below(&self.workspace).is_none_or(|path| self.is_never(&path))
    }

    fn is_never(&self, path: &RepoPath) -> bool {
        self.never.iter().any(|never| path.is_within(never))
    }
}

/// The directories in front of the first part of a glob that is not a plain name.
fn base_of(glob: &str) -> RepoPath {
    let is_plain = |part: &&str| !part.contains(['*', '?', '[', ']', '{', '}', '\\']);
    let (directories, _) = glob.rsplit_once('/').unwrap_or_default();
    // A choice between names (`{a/b,c}`) may hold a slash: what is in front of it is plain in any case.
    let plain: Vec<&str> =
        directories.split('/').take_while(is_plain).filter(|part| !part.is_empty()).collect();
    RepoPath::from(plain.join("/").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Rules;
    use rstest::rstest;

    fn forced(globs: &[&str], workspace: &str) -> ForcedReports {
        let mut spec = RuleSpec { workspace: workspace.into(), ..RuleSpec::default() };
        spec.reports.force_add = globs.iter().map(|&glob| glob.to_owned()).collect();
        Rules::compile(spec).unwrap().forced().unwrap().clone()
    }

    #[rstest]
    #[case("out/*.json", "out")]
    #[case("out/a/b.json", "out/a")]
    #[case("a/{b,c}/d/*.md", "a")]
    #[case("a/{b/c,d}/*.md", "a")]
    #[case("**/*.png", "")]
    #[case("plot.png", "")]
    #[case("a[b]/c/*.md", "")]
    fn only_the_directory_of_a_glob_is_walked(#[case] glob: &str, #[case] base: &str) {
        assert_eq!(forced(&[glob], "").bases().collect::<Vec<_>>(), [RepoPath::from(base)]);
    }

    #[test]
    fn a_directory_in_another_is_walked_once() {
        let forced = forced(&["out/deep/*.md", "out/**/*.png", "other/x.md", "out2/x.md"], "ws");
        let bases: Vec<String> = forced.bases().map(|base| base.to_string()).collect();
        assert_eq!(bases, ["ws/other", "ws/out", "ws/out2"]);
    }

    #[rstest]
    #[case("out/x.json", true)]
    #[case("out/x.key", false)]
    #[case("out/logs/x.json", true)]
    #[case("logs/x.json", false)]
    #[case("tmp/x.json", false)]
    #[case(".baton/x.json", false)]
    #[case("sync/state.json", false)]
    fn the_extension_counts_and_the_places_of_baton_never(#[case] path: &str, #[case] named: bool) {
        assert_eq!(forced(&["**"], "").names(&path.into()), named);
        assert_eq!(forced(&["**"], "ws").names(&format!("ws/{path}").as_str().into()), named);
        assert!(!forced(&["**"], "other").names(&path.into()));
    }

    #[test]
    fn without_globs_nothing_is_forced() {
        assert!(Rules::compile(RuleSpec::default()).unwrap().forced().is_none());
        let mut spec = RuleSpec::default();
        spec.reports.force_add = vec!["out/**".into()];
        spec.reports.enabled = false;
        assert!(Rules::compile(spec).unwrap().forced().is_none());
    }
}
