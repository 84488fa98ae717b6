//! `baton run`: the loop.

mod args;
mod commits;
mod progress;
mod report;

pub(crate) use args::Args;
pub(crate) use progress::{Progress, Style};
pub(crate) use report::report_end;

use std::path::{Path, PathBuf};

use crate::attempt::Interrupts;
use crate::config::{Loaded, pending_notices};
use crate::mode::{CombinedOptions, LoopReport, SoloOptions, run_combined, run_solo};
use crate::model::Actor;
use crate::runner::{COMBINED, GitUse, Observer, Opening, Runner, RunnerError, SOLO, Workspace};

use super::failures::runner_failure;
use super::workspace::{Located, locate};
use super::{Context, Exit, Failure};
use args::Mode;

/// Takes turns.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let seat = args.seat()?;
    let overrides = args.overrides(seat)?;
    let Located { root, config } = locate(context, &overrides, seat)?;
    for notice in config.notices.iter().chain(&pending_notices(&config.origins)) {
        context.output.note(format!("note: {notice}"));
    }
    let git = if args.no_git { GitUse::Avoid } else { GitUse::Use };
    let style = Style::of(args.quiet, context.output, args.heartbeat_secs);
    let mut progress = Progress::new(style, context.output);
    let plan = match (args.mode, seat) {
        (Mode::Role, _) => return Err(role_mode_is_missing()),
        (Mode::Solo, Some(actor)) => LoopPlan::Solo(actor),
        (Mode::Solo | Mode::Combined, _) => LoopPlan::Combined,
    };
    let order = LoopOrder { root: &root, loaded: &config, git, branch: args.branch.as_deref(), plan };
    let report = run_loop(&order, context, &mut progress)?;
    progress.finish();
    Ok(report_end(&report, &config.config, context.output))
}

fn role_mode_is_missing() -> Failure {
    Failure::new(Exit::Usage, "role mode is not available in this version")
        .help("run both seats here with `--mode combined`, or one seat with `--mode solo --role ROLE`")
}

/// Which loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoopPlan {
    /// Both seats.
    Combined,
    /// One of them.
    Solo(Actor),
}

/// A loop to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoopOrder<'a> {
    pub(crate) root: &'a Path,
    pub(crate) loaded: &'a Loaded,
    pub(crate) git: GitUse,
    pub(crate) branch: Option<&'a str>,
    pub(crate) plan: LoopPlan,
}

/// Opens the workspace and runs the loop to its end.
pub(crate) fn run_loop(
    order: &LoopOrder<'_>,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<LoopReport, Failure> {
    let config = &order.loaded.config;
    let ambient = &context.ambient;
    let interrupts = Interrupts::install().map_err(|error| {
        Failure::new(Exit::Operational, "cannot take over the signals of this process").caused_by(error)
    })?;
    let fail = |error: RunnerError| runner_failure(&error, config);
    let seats: &[Actor] = match &order.plan {
        LoopPlan::Combined => &Actor::ALL,
        LoopPlan::Solo(actor) => std::slice::from_ref(actor),
    };
    let opening = Opening { root: order.root, config, git: order.git, branch: order.branch };
    let workspace = Workspace::open(opening, seats, ambient).map_err(fail)?;
    if let Some(notice) = workspace.repo.as_ref().and_then(|repo| repo.choice().notice()) {
        context.output.note(format!("note: {notice}"));
    }
    let mode = match order.plan {
        LoopPlan::Combined => COMBINED,
        LoopPlan::Solo(_) => SOLO,
    };
    let supervisor = own_executable()?;
    let mut runner =
        Runner::new(workspace, config, ambient, interrupts, supervisor, mode, observer).map_err(fail)?;
    let pause = order.loaded.origins.is_given("sync.poll_interval").then_some(config.sync.poll_interval.0);
    let report = match order.plan {
        LoopPlan::Combined => {
            let options = CombinedOptions { iterations: config.sync.loops, pause };
            run_combined(&mut runner, config, ambient, options)
        }
        LoopPlan::Solo(actor) => {
            let options = SoloOptions { actor, turns: config.sync.loops, pause };
            run_solo(&mut runner, config, ambient, options)
        }
    };
    let report = report.map_err(fail)?;
    runner.settle().map_err(fail)?;
    Ok(report)
}

/// This very program, which also supervises attempts. On Linux the link stays right when the file is replaced.
fn own_executable() -> Result<PathBuf, Failure> {
    let link = Path::new("/proc/self/exe");
    if link.exists() {
        return Ok(link.to_owned());
    }
    std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Operational, "cannot find baton's own executable").caused_by(error)
    })
}
