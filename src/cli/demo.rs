//! `baton demo`: the real loop, with the `shell` agent in both seats. Either the two seats have a clone each and pass the turn
//! through a bare repository (`pair`), or one process plays both in one repository (`combined`).
//!
//! It needs a POSIX `sh` with its usual tools and nothing else: no git, no agent, no network. Neither the user's
//! configuration nor git's has a say in it.

mod combined;
mod ending;
mod layout;
mod pair;
mod place;
mod seat;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::config::is_configuration_name;
use crate::repo::{Beginning, Person};

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

/// Watch two seats finish a small program, each in a clone of its own; needs nothing installed
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Make the demonstration in DIR, empty or new, instead of a temporary directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// One repository and one process for both seats, as `baton run` without `--mode role`
    #[arg(long)]
    combined: bool,
    /// Show the result only
    #[arg(long)]
    quiet: bool,
}

/// Makes the repositories, lets the seats take turns until completion is earned, and says where to look. All of it stays.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let context = Context {
        ambient: context.ambient.clone().with_env(environment(context.ambient.env())),
        directory: context.directory.clone(),
        output: context.output,
        signals: context.signals.clone(),
    };
    let person = Person { name: "Baton Demo".to_owned(), email: "demo@baton.invalid".to_owned() };
    let beginning = Beginning { branch: "main", person: &person, files: &FILES, message: FIRST_COMMIT };
    let dir = args.dir.as_deref();
    if args.combined {
        combined::run(dir, args.quiet, &beginning, &context)
    } else {
        pair::run(dir, args.quiet, &beginning, &context)
    }
}

/// What was inherited, without what configures git or baton: neither the user's settings nor git's reach the turns.
fn environment(inherited: &BTreeMap<OsString, OsString>) -> BTreeMap<OsString, OsString> {
    let command = super::command();
    let is_of_a_flag = |name: &OsStr| {
        let mut arguments = command.get_subcommands().flat_map(clap::Command::get_arguments);
        arguments.any(|argument| argument.get_env() == Some(name))
    };
    let is_of_git = |name: &OsStr| name.as_encoded_bytes().starts_with(b"GIT_");
    let mut environment: BTreeMap<OsString, OsString> = inherited
        .iter()
        .filter(|(name, _)| !is_of_git(name) && !is_configuration_name(name) && !is_of_a_flag(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    environment.insert("GIT_CONFIG_NOSYSTEM".into(), "1".into());
    environment.insert("GIT_CONFIG_GLOBAL".into(), "/dev/null".into());
    // No file can be below it.
    environment.insert("XDG_CONFIG_HOME".into(), "/dev/null".into());
    environment
}
