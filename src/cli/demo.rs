//! `baton demo`: the real loop in a scratch repository, with the `shell` agent in both seats.
//!
//! It needs a POSIX `sh` with its usual tools and nothing else: no git, no agent, no network. Neither the user's
//! configuration nor git's has a say in it.

mod ending;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::config::{self, Loaded, Overrides};
use crate::mode::LoopEnd;
use crate::publish::secret::Masker;
use crate::repo::{self, Beginning, Person};
use crate::runner::{CommitUse, GitUse};

use super::failures::repo_failure;
use super::run::{LoopOrder, LoopPlan, Progress, Style, report_end, run_loop};
use super::{Context, Exit, Failure};

/// The repository of the demonstration.
const FILES: [(&str, &str); 10] = [
    ("README.md", include_str!("demo/README.md")),
    ("docs/fix_plan.md", include_str!("demo/docs/fix_plan.md")),
    ("expenses.sh", include_str!("demo/expenses.sh")),
    ("orchestration.yaml", include_str!("demo/orchestration.yaml")),
    ("prompts/main.md", include_str!("demo/prompts/main.md")),
    ("prompts/reviewer.md", include_str!("demo/prompts/reviewer.md")),
    ("prompts/supervisor.md", include_str!("demo/prompts/supervisor.md")),
    ("tests/broken.csv", include_str!("demo/tests/broken.csv")),
    ("tests/march.csv", include_str!("demo/tests/march.csv")),
    ("tests/run.sh", include_str!("demo/tests/run.sh")),
];
const FIRST_COMMIT: &str = "A program with three features missing, and the tests that say so";

/// Watch two seats finish a small program, in a scratch repository; needs nothing installed
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Make the repository in DIR, empty or new, instead of a temporary directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Show the result only
    #[arg(long)]
    quiet: bool,
}

/// Makes the repository, runs the loop until completion is earned, and says where to look. The repository stays.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let context = Context {
        ambient: context.ambient.clone().with_env(environment(context.ambient.env())),
        directory: context.directory.clone(),
        output: context.output,
    };
    let output = context.output;
    let root = make_repository(args.dir.as_deref(), &context)?;
    output.say(ending::introduction(&root));
    let result = take_turns(&root, args, &context);
    if result.is_err() {
        output.note(ending::kept(&root));
    }
    result
}

fn take_turns(root: &Path, args: &Args, context: &Context) -> Result<Exit, Failure> {
    let output = context.output;
    let loaded = load(root)?;
    let mut progress = Progress::new(Style::of(args.quiet, output, 0), output);
    let order = LoopOrder {
        root,
        loaded: &loaded,
        git: GitUse::Use,
        branch: None,
        plan: LoopPlan::Combined,
        commits: CommitUse::Make,
        accepted: None,
    };
    let report = run_loop(&order, context, &mut progress);
    progress.finish();
    let report = report.map_err(|mut failure| {
        failure.exit = Exit::Operational;
        failure
    })?;
    output.say("");
    let exit = report_end(&report, &loaded.config, &loaded.config.logs_dir, &Masker::default(), output);
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

/// Canonical, as the runner wants it.
fn make_repository(wanted: Option<&Path>, context: &Context) -> Result<PathBuf, Failure> {
    let person = Person { name: "Baton Demo".to_owned(), email: "demo@baton.invalid".to_owned() };
    let beginning = Beginning { branch: "main", person: &person, files: &FILES, message: FIRST_COMMIT };
    let create = |place: &Path| {
        repo::create(place, &beginning, &context.ambient)
            .map(|repo| repo.root().to_owned())
            .map_err(|error| repo_failure(&error))
    };
    if let Some(wanted) = wanted {
        return create(&context.directory.join(wanted));
    }
    let scratch = tempfile::Builder::new().prefix("baton-demo-").tempdir().map_err(|error| {
        Failure::new(
            Exit::Operational,
            format!("cannot make a directory in `{}`", std::env::temp_dir().display()),
        )
        .caused_by(error)
        .help("name a directory with `--dir DIR`, or set TMPDIR to one that can be written")
    })?;
    let root = create(scratch.path())?;
    // From here on there is something to look at.
    let _ = scratch.keep();
    Ok(root)
}

/// The demonstration's own configuration and the built-in values, and nothing else.
fn load(root: &Path) -> Result<Loaded, Failure> {
    config::load(root, None, &BTreeMap::new(), &Overrides::default(), None)
        .map_err(|error| Failure::new(Exit::Operational, error.to_string()))
}

/// What was inherited, without git's variables and without configuration of git outside the scratch repository.
fn environment(inherited: &BTreeMap<OsString, OsString>) -> BTreeMap<OsString, OsString> {
    let is_of_git = |name: &OsStr| name.as_encoded_bytes().starts_with(b"GIT_");
    let mut environment: BTreeMap<OsString, OsString> = inherited
        .iter()
        .filter(|(name, _)| !is_of_git(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    environment.insert("GIT_CONFIG_NOSYSTEM".into(), "1".into());
    environment.insert("GIT_CONFIG_GLOBAL".into(), "/dev/null".into());
    environment
}
