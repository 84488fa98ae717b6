//! The command line: one file a verb; the only code that prints, reads arguments and picks exit codes.
//!
//! A verb is a file with an `Args` struct and a `run` function, one variant of `Verb` and one arm of
//! `dispatch`.

mod change;
mod completions;
mod config;
mod demo;
mod doctor;
mod exit;
mod failure;
mod failures;
mod hold;
mod init;
mod isolation;
mod logs;
mod man;
mod output;
mod pass;
mod records;
mod route;
mod run;
mod shared;
mod signals;
mod status;
mod stop;
mod supervise;
mod sync_failures;
mod takeover;
mod tick;
mod ticks;
mod usage;
mod words;
mod workspace;
mod worktree;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::ambient::Ambient;

pub use exit::Exit;
pub(crate) use failure::Failure;
pub(crate) use output::Output;
pub(crate) use signals::Signals;

/// Two coding agents, one repository, strict turns.
#[derive(Debug, Parser)]
#[command(name = "baton", version, about, max_term_width = 100)]
struct CommandLine {
    /// Run as if started in DIR
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::Args),
    /// Show, check and describe the configuration
    Config(config::Args),
    Run(Box<run::Args>),
    Tick(tick::Args),
    Demo(demo::Args),
    Route(route::Args),
    Status(status::Args),
    Logs(logs::Args),
    Usage(usage::Args),
    Doctor(doctor::Args),
    Hold(hold::Args),
    Stop(stop::Args),
    Pass(pass::Args),
    Takeover(takeover::Args),
    /// The work trees of isolated loops
    Worktree(worktree::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// What every verb is given.
pub(crate) struct Context {
    /// Clock, randomness, environment.
    pub(crate) ambient: Ambient,
    /// The directory to work in, absolute: `-C` or the process's own.
    pub(crate) directory: PathBuf,
    /// Standard output and standard error.
    pub(crate) output: Output,
    /// The signals to this process.
    pub(crate) signals: Signals,
}

/// Runs the command line of this process and says how it ended.
pub fn run() -> ExitCode {
    if let Some(ended) = supervise::supervise_if_asked() {
        return ended;
    }
    let line = CommandLine::parse();
    let output = Output::new();
    let ended = context(line.directory, output).and_then(|context| dispatch(line.verb, &context));
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.fail(&failure);
            failure.exit.into()
        }
    }
}

/// The command line as clap knows it, for completions and manual pages.
fn command() -> clap::Command {
    CommandLine::command()
}

fn context(directory: Option<PathBuf>, output: Output) -> Result<Context, Failure> {
    let chosen = directory.unwrap_or_else(|| PathBuf::from("."));
    let absolute = chosen.canonicalize().map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot work in `{}`", chosen.display()))
            .caused_by(error)
            .help("give an existing directory with `-C DIR`")
    })?;
    Ok(Context { ambient: Ambient::real(), directory: absolute, output, signals: Signals::default() })
}

fn dispatch(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Init(args) => init::run(&args, context),
        Verb::Config(args) => config::run(&args, context),
        Verb::Run(args) => run::run(&args, context),
        Verb::Tick(args) => tick::run(&args, context),
        Verb::Demo(args) => demo::run(&args, context),
        Verb::Route(args) => route::run(&args, context),
        Verb::Status(args) => status::run(&args, context),
        Verb::Logs(args) => logs::run(&args, context),
        Verb::Usage(args) => usage::run(&args, context),
        Verb::Doctor(args) => doctor::run(&args, context),
        Verb::Hold(args) => hold::run(&args, context),
        Verb::Stop(args) => stop::run(&args, context),
        Verb::Pass(args) => pass::run(&args, context),
        Verb::Takeover(args) => takeover::run(&args, context),
        Verb::Worktree(args) => worktree::run(&args, context),
        Verb::Completions(args) => completions::run(&args, context),
        Verb::Man(args) => man::run(&args, context),
    }
}
