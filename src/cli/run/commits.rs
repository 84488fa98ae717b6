//! The flags of `baton run` about what is committed, with the names of the earlier scripts.

use super::args::{Mode, set_lists};
use crate::config::{Config, Overrides};
use crate::runner::CommitUse;

/// What is committed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Commits")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct CommitArgs {
    /// Commit documents
    #[arg(long, overrides_with = "no_auto_commit_docs")]
    auto_commit_docs: bool,
    /// Leave documents uncommitted
    #[arg(long, overrides_with = "auto_commit_docs")]
    no_auto_commit_docs: bool,
    /// Which documents, as globs
    #[arg(long, value_name = "GLOB,..")]
    autocommit_whitelist: Option<String>,
    /// The largest document that is committed
    #[arg(long, value_name = "SIZE")]
    max_autocommit_bytes: Option<String>,
    /// Commit reports
    #[arg(long, overrides_with = "no_auto_commit_reports")]
    auto_commit_reports: bool,
    /// Leave reports uncommitted
    #[arg(long, overrides_with = "auto_commit_reports")]
    no_auto_commit_reports: bool,
    /// Which reports, by extension
    #[arg(long, value_name = "EXT,..")]
    report_extensions: Option<String>,
    /// Which reports, as globs
    #[arg(long, value_name = "GLOB,..")]
    report_path_globs: Option<String>,
    /// The largest report that is committed
    #[arg(long, value_name = "SIZE")]
    max_report_file_bytes: Option<String>,
    /// The most of a turn's reports
    #[arg(long, value_name = "SIZE")]
    max_report_total_bytes: Option<String>,
    /// Commit tracked fixtures that were modified or deleted
    #[arg(long, overrides_with = "no_auto_commit_tracked_outputs")]
    auto_commit_tracked_outputs: bool,
    /// Leave modified fixtures uncommitted
    #[arg(long, overrides_with = "auto_commit_tracked_outputs")]
    no_auto_commit_tracked_outputs: bool,
    /// Which fixtures, as globs
    #[arg(long, value_name = "GLOB,..")]
    tracked_output_globs: Option<String>,
    /// Which fixtures, by extension
    #[arg(long, value_name = "EXT,..")]
    tracked_output_extensions: Option<String>,
    /// The largest fixture that is committed
    #[arg(long, value_name = "SIZE")]
    max_tracked_output_file_bytes: Option<String>,
    /// The most of a turn's fixtures
    #[arg(long, value_name = "SIZE")]
    max_tracked_output_total_bytes: Option<String>,
    /// Say what each turn would commit, and commit nothing
    #[arg(long, overrides_with = "no_commit_dry_run")]
    commit_dry_run: bool,
    /// Commit
    #[arg(long, overrides_with = "commit_dry_run", hide = true)]
    no_commit_dry_run: bool,
    /// Accepted for old scripts; ignored files are added only where `publish.reports.force_add` names them
    #[arg(long, overrides_with = "no_force_add_reports", hide = true)]
    force_add_reports: bool,
    /// Accepted for old scripts; that is how it is
    #[arg(long, overrides_with = "force_add_reports", hide = true)]
    no_force_add_reports: bool,
    /// Let galph's turn pass although it changed what only ralph publishes, in role mode; elsewhere that is a warning
    #[arg(long, overrides_with = "no_tolerate_doc_dirty")]
    tolerate_doc_dirty: bool,
    /// Accepted for old scripts
    #[arg(long, overrides_with = "tolerate_doc_dirty", hide = true)]
    no_tolerate_doc_dirty: bool,
    /// Accepted for old scripts; a pull never needs it here
    #[arg(long, overrides_with = "no_allow_dirty", hide = true)]
    allow_dirty: bool,
    /// Accepted for old scripts; that is how it is
    #[arg(long, overrides_with = "allow_dirty", hide = true)]
    no_allow_dirty: bool,
    /// Accepted for old scripts; a pull never needs it here
    #[arg(long, overrides_with = "no_prepull_auto_commit_docs", hide = true)]
    prepull_auto_commit_docs: bool,
    /// Accepted for old scripts; that is how it is
    #[arg(long, overrides_with = "prepull_auto_commit_docs", hide = true)]
    no_prepull_auto_commit_docs: bool,
}

impl CommitArgs {
    /// Whether galph's turn passes although it changed what it does not publish.
    pub(super) const fn tolerates_others_paths(&self) -> bool {
        self.tolerate_doc_dirty
    }

    /// Whether it is committed or only said.
    pub(super) fn commit_use(&self) -> CommitUse {
        if self.commit_dry_run { CommitUse::OnlySay } else { CommitUse::Make }
    }

    /// What is said once at the start about flags that mean less here than in the earlier scripts.
    pub(super) fn notices(&self, config: &Config, mode: Mode) -> Vec<&'static str> {
        let forces = !config.publish.reports.force_add.is_empty();
        let notices = [
            (
                self.commit_dry_run,
                "flag --commit-dry-run: turns are taken as usual and nothing is committed; a later run without it \
                 commits what they leave",
            ),
            (
                self.force_add_reports && !forces,
                "flag --force-add-reports: ignored files are not added, since `publish.reports.force_add` names none",
            ),
            (
                self.tolerate_doc_dirty && mode != Mode::Role,
                "flag --tolerate-doc-dirty: has no effect in this mode, where a path outside the categories is a warning",
            ),
            (self.allow_dirty, "flag --allow-dirty: has no effect, since no pull needs it here"),
            (
                self.prepull_auto_commit_docs,
                "flag --prepull-auto-commit-docs: has no effect, since no pull needs it here",
            ),
        ];
        notices.into_iter().filter(|(said, _)| *said).map(|(_, notice)| notice).collect()
    }

    pub(super) fn apply(&self, overrides: &mut Overrides) {
        let switches = [
            (self.auto_commit_docs, "publish.docs.enabled", true, "--auto-commit-docs"),
            (self.no_auto_commit_docs, "publish.docs.enabled", false, "--no-auto-commit-docs"),
            (self.auto_commit_reports, "publish.reports.enabled", true, "--auto-commit-reports"),
            (self.no_auto_commit_reports, "publish.reports.enabled", false, "--no-auto-commit-reports"),
            (
                self.auto_commit_tracked_outputs,
                "publish.tracked_outputs.enabled",
                true,
                "--auto-commit-tracked-outputs",
            ),
            (
                self.no_auto_commit_tracked_outputs,
                "publish.tracked_outputs.enabled",
                false,
                "--no-auto-commit-tracked-outputs",
            ),
        ];
        for (_, key, value, flag) in switches.into_iter().filter(|(given, ..)| *given) {
            overrides.set(key, value, flag);
        }
        let sizes = [
            (&self.max_autocommit_bytes, "publish.docs.max_file", "--max-autocommit-bytes"),
            (&self.max_report_file_bytes, "publish.reports.max_file", "--max-report-file-bytes"),
            (&self.max_report_total_bytes, "publish.reports.max_total", "--max-report-total-bytes"),
            (
                &self.max_tracked_output_file_bytes,
                "publish.tracked_outputs.max_file",
                "--max-tracked-output-file-bytes",
            ),
            (
                &self.max_tracked_output_total_bytes,
                "publish.tracked_outputs.max_total",
                "--max-tracked-output-total-bytes",
            ),
        ];
        for (value, key, flag) in sizes {
            if let Some(value) = value {
                overrides.set(key, value.as_str(), flag);
            }
        }
        let lists = [
            (&self.autocommit_whitelist, "publish.docs.globs", "--autocommit-whitelist"),
            (&self.report_extensions, "publish.reports.extensions", "--report-extensions"),
            (&self.report_path_globs, "publish.reports.globs", "--report-path-globs"),
            (&self.tracked_output_globs, "publish.tracked_outputs.globs", "--tracked-output-globs"),
            (
                &self.tracked_output_extensions,
                "publish.tracked_outputs.extensions",
                "--tracked-output-extensions",
            ),
        ];
        set_lists(overrides, &lists);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser as _;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::config::load;
    use crate::model::Actor;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        commits: CommitArgs,
    }

    fn commits(flags: &str) -> CommitArgs {
        Line::try_parse_from(["run"].into_iter().chain(flags.split_whitespace())).unwrap().commits
    }

    fn config(flags: &str, env: &[(&str, &str)], seat: Option<Actor>) -> Config {
        let mut overrides = Overrides::default();
        commits(flags).apply(&mut overrides);
        let env: BTreeMap<_, _> = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        load(tempfile::tempdir().unwrap().path(), None, &env, &overrides, seat).unwrap().config
    }

    fn value(config: &Config, key: &str) -> Value {
        let pointer = format!("/publish/{}", key.replace('.', "/"));
        serde_json::to_value(config).unwrap().pointer(&pointer).unwrap().clone()
    }

    #[rstest]
    #[case("--auto-commit-docs", "docs.enabled", json!(true))]
    #[case("--no-auto-commit-docs", "docs.enabled", json!(false))]
    #[case("--no-auto-commit-docs --auto-commit-docs", "docs.enabled", json!(true))]
    #[case("--autocommit-whitelist a.md,b/*.{md,txt}", "docs.globs", json!(["a.md", "b/*.{md,txt}"]))]
    #[case("--max-autocommit-bytes 1000", "docs.max_file", json!("1000B"))]
    #[case("--auto-commit-reports", "reports.enabled", json!(true))]
    #[case("--no-auto-commit-reports", "reports.enabled", json!(false))]
    #[case("--report-extensions .csv,.md", "reports.extensions", json!([".csv", ".md"]))]
    #[case("--report-path-globs out/**,*.{a,b}", "reports.globs", json!(["out/**", "*.{a,b}"]))]
    #[case("--max-report-file-bytes 1000", "reports.max_file", json!("1000B"))]
    #[case("--max-report-total-bytes 1MiB", "reports.max_total", json!("1MiB"))]
    #[case("--force-add-reports", "reports.force_add", json!([]))]
    #[case("--no-force-add-reports", "reports.force_add", json!([]))]
    #[case("--auto-commit-tracked-outputs", "tracked_outputs.enabled", json!(true))]
    #[case("--no-auto-commit-tracked-outputs", "tracked_outputs.enabled", json!(false))]
    #[case("--tracked-output-globs a/*,b/*", "tracked_outputs.globs", json!(["a/*", "b/*"]))]
    #[case("--tracked-output-extensions .bin", "tracked_outputs.extensions", json!([".bin"]))]
    #[case("--max-tracked-output-file-bytes 1000", "tracked_outputs.max_file", json!("1000B"))]
    #[case("--max-tracked-output-total-bytes 1000", "tracked_outputs.max_total", json!("1000B"))]
    fn a_flag_of_the_earlier_scripts_sets_its_key(
        #[case] flags: &str,
        #[case] key: &str,
        #[case] expected: Value,
    ) {
        assert_eq!(value(&config(flags, &[], None), key), expected);
    }

    const BOTH: Option<Actor> = None;
    const GALPH: Option<Actor> = Some(Actor::Galph);
    const RALPH: Option<Actor> = Some(Actor::Ralph);

    #[rstest]
    #[case("MAX_AUTOCOMMIT_BYTES", "7", "docs.max_file", json!("7B"), &[BOTH, GALPH, RALPH])]
    #[case("REPORT_EXTENSIONS", ".q", "reports.extensions", json!([".q"]), &[BOTH, RALPH])]
    #[case("REPORT_PATH_GLOBS", "q/*.{a,b},r", "reports.globs", json!(["q/*.{a,b}", "r"]), &[BOTH, RALPH])]
    #[case("MAX_REPORT_FILE_BYTES", "7", "reports.max_file", json!("7B"), &[BOTH, RALPH])]
    #[case("MAX_REPORT_TOTAL_BYTES", "7", "reports.max_total", json!("7B"), &[BOTH, RALPH])]
    #[case("SUPERVISOR_REPORT_EXTENSIONS", ".q", "reports.extensions", json!([".q"]), &[GALPH])]
    #[case("SUPERVISOR_REPORT_PATH_GLOBS", "q", "reports.globs", json!(["q"]), &[GALPH])]
    #[case("SUPERVISOR_MAX_REPORT_FILE_BYTES", "7", "reports.max_file", json!("7B"), &[GALPH])]
    #[case("SUPERVISOR_MAX_REPORT_TOTAL_BYTES", "7", "reports.max_total", json!("7B"), &[GALPH])]
    #[case("SUPERVISOR_TRACKED_OUTPUT_GLOBS", "q", "tracked_outputs.globs", json!(["q"]), &[BOTH, GALPH])]
    #[case("SUPERVISOR_TRACKED_OUTPUT_EXTENSIONS", ".q", "tracked_outputs.extensions", json!([".q"]), &[BOTH, GALPH])]
    #[case("SUPERVISOR_MAX_TRACKED_OUTPUT_FILE_BYTES", "7", "tracked_outputs.max_file", json!("7B"), &[BOTH, GALPH])]
    #[case("SUPERVISOR_MAX_TRACKED_OUTPUT_TOTAL_BYTES", "7", "tracked_outputs.max_total", json!("7B"), &[BOTH, GALPH])]
    fn a_variable_of_the_earlier_scripts_sets_its_key_for_its_seat(
        #[case] name: &str,
        #[case] text: &str,
        #[case] key: &str,
        #[case] expected: Value,
        #[case] seats: &[Option<Actor>],
    ) {
        let built_in = value(&config("", &[], BOTH), key);
        assert_ne!(built_in, expected);
        for seat in [BOTH, GALPH, RALPH] {
            let expected = if seats.contains(&seat) { &expected } else { &built_in };
            assert_eq!(value(&config("", &[(name, text)], seat), key), *expected, "{seat:?}");
        }
    }

    #[rstest]
    #[case(
        "--commit-dry-run",
        "flag --commit-dry-run: turns are taken as usual and nothing is committed; a later run without it commits what \
         they leave"
    )]
    #[case(
        "--force-add-reports",
        "flag --force-add-reports: ignored files are not added, since `publish.reports.force_add` names none"
    )]
    #[case(
        "--tolerate-doc-dirty",
        "flag --tolerate-doc-dirty: has no effect in this mode, where a path outside the categories is a warning"
    )]
    #[case("--allow-dirty", "flag --allow-dirty: has no effect, since no pull needs it here")]
    #[case(
        "--prepull-auto-commit-docs",
        "flag --prepull-auto-commit-docs: has no effect, since no pull needs it here"
    )]
    fn a_flag_that_means_less_says_so_and_its_opposite_says_nothing(
        #[case] flag: &str,
        #[case] notice: &str,
    ) {
        let built_in = config("", &[], None);
        assert_eq!(commits(flag).notices(&built_in, Mode::Combined), [notice]);
        let opposite = flag.replacen("--", "--no-", 1);
        assert_eq!(commits(&opposite).notices(&built_in, Mode::Combined), [""; 0]);
        assert_eq!(commits(&format!("{flag} {opposite}")).notices(&built_in, Mode::Combined), [""; 0]);
        assert_eq!(commits(&format!("{opposite} {flag}")).notices(&built_in, Mode::Combined), [notice]);
    }
}
