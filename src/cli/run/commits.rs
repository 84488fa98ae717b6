//! The flags of `baton run` about what is committed, with the names of the earlier scripts.

use super::args::set_lists;
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
    /// Accepted for old scripts; a path outside the categories is a warning anyway
    #[arg(long, overrides_with = "no_tolerate_doc_dirty", hide = true)]
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
    /// Whether it is committed or only said.
    pub(super) fn commit_use(&self) -> CommitUse {
        if self.commit_dry_run { CommitUse::OnlySay } else { CommitUse::Make }
    }

    /// What is said once at the start about flags that mean less here than in the earlier scripts.
    pub(super) fn notices(&self, config: &Config) -> Vec<&'static str> {
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
                self.tolerate_doc_dirty,
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
