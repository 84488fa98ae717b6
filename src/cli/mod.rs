//! The command line: one file a verb; the only code that prints, reads arguments and picks exit codes.
//!
//! A verb is a file with an `Args` struct and a `run` function, one variant of `Verb` and one arm of
//! `dispatch`.

mod config;
mod demo;
mod exit;
mod failure;
mod failures;
mod init;
mod output;
mod route;
mod run;
mod supervise;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::ambient::Ambient;

pub use exit::Exit;
pub(crate) use failure::Failure;
pub(crate) use output::Output;

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
    /// Shows, checks and describes the configuration
    Config(config::Args),
    Run(Box<run::Args>),
    Demo(demo::Args),
    Route(route::Args),
}

/// What every verb is given.
pub(crate) struct Context {
    /// Clock, randomness, environment.
    pub(crate) ambient: Ambient,
    /// The directory to work in, absolute: `-C` or the process's own.
    pub(crate) directory: PathBuf,
    /// Standard output and standard error.
    pub(crate) output: Output,
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

fn context(directory: Option<PathBuf>, output: Output) -> Result<Context, Failure> {
    let chosen = directory.unwrap_or_else(|| PathBuf::from("."));
    let absolute = chosen.canonicalize().map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot work in `{}`", chosen.display()))
            .caused_by(error)
            .help("give an existing directory with `-C DIR`")
    })?;
    Ok(Context { ambient: Ambient::real(), directory: absolute, output })
}

fn dispatch(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Init(args) => init::run(&args, context),
        Verb::Config(args) => config::run(&args, context),
        Verb::Run(args) => run::run(&args, context),
        Verb::Demo(args) => demo::run(&args, context),
        Verb::Route(args) => route::run(&args, context),
    }
}
