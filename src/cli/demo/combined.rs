//! One repository, and this process plays both seats.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::run::{LoopOrder, LoopPlan, Progress, Style, report_end, run_loop};
use crate::cli::{Context, Exit, Failure};
use crate::config::{self, Loaded, Overrides};
use crate::mode::LoopEnd;
use crate::publish::secret::Masker;
use crate::repo::{self, Beginning};
use crate::runner::{CommitUse, GitUse};

use super::{ending, place};

/// Makes the repository and runs the loop of `baton run` in it.
pub(super) fn run(
    wanted: Option<&Path>,
    quiet: bool,
    beginning: &Beginning<'_>,
    context: &Context,
) -> Result<Exit, Failure> {
    let root = place::make_in(wanted, context, |directory| {
        repo::create(directory, beginning, &context.ambient).map(|repo| repo.root().to_owned())
    })?;
    context.output.say(ending::introduction(&root));
    let result = take_turns(&root, quiet, context);
    if result.is_err() {
        context.output.note(ending::kept(&root));
    }
    result
}

fn take_turns(root: &Path, quiet: bool, context: &Context) -> Result<Exit, Failure> {
    let output = context.output;
    let loaded = load(root)?;
    let mut progress = Progress::new(Style::of(quiet, output, 0), output);
    let order = LoopOrder {
        root,
        loaded: &loaded,
        git: GitUse::Use,
        branch: None,
        plan: LoopPlan::Combined,
        commits: CommitUse::Make,
        accepted: None,
        leaves_role_mode: false,
    };
    let report = run_loop(&order, context, &mut progress);
    progress.finish();
    let report = report.map_err(|mut failure| {
        failure.exit = Exit::Operational;
        failure
    })?;
    output.say("");
    let again = LoopPlan::Combined.command();
    let masker = Masker::default();
    let exit = report_end(&report, &loaded.config, &loaded.config.logs_dir, &again, &masker, output);
    match report.end {
        LoopEnd::Completed(_) => {
            output.say(ending::conclusion(root, &report.turns));
            Ok(Exit::Done)
        }
        LoopEnd::Interrupted(_) => {
            output.note(ending::kept(root));
            Ok(exit)
        }
        _ => {
            Err(Failure::new(Exit::Operational, "the demonstration ended before completion was earned").help(
                format!("the summaries under `{}` tell what each turn did", loaded.config.logs_dir.display()),
            ))
        }
    }
}

/// The demonstration's own configuration and the built-in values, and nothing else.
fn load(root: &Path) -> Result<Loaded, Failure> {
    config::load(root, None, &BTreeMap::new(), &Overrides::default(), None)
        .map_err(|error| Failure::new(Exit::Operational, error.to_string()))
}
