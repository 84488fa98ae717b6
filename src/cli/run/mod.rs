//! `baton run`: the loop.

mod args;
mod commits;
mod digest;
mod live;
mod preview;
mod progress;
mod report;

pub(crate) use args::{Args, Role};
pub(crate) use live::in_thousands;
pub(crate) use progress::{Progress, Style};
pub(crate) use report::{exit_of, failed_in_words, failure_of, report_end};

use std::path::{Path, PathBuf};

use crate::config::{Config, Isolation, Loaded, pending_notices};
use crate::ledger::TurnFilter;
use crate::mode::{
    CombinedOptions, LoopReport, Narration, RoleOptions, SoloOptions, run_combined, run_role, run_solo,
};
use crate::model::Actor;
use crate::runner::{
    COMBINED, CommitUse, Exchange, GitUse, Observer, Opening, Patience, ROLE, Runner, RunnerError, SOLO,
    TreeUse, Workspace, run_command, settings,
};

use super::failures::{PLAIN_RUN, runner_failure};
use super::isolation::{Chosen, prepare_run};
use super::workspace::{Located, load_at, locate};
use super::{Context, Exit, Failure};
use args::Mode;

/// Takes turns.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let seat = args.seat()?;
    let overrides = args.overrides(seat)?;
    if args.mode == Mode::Role && args.commits.commit_use() == CommitUse::OnlySay {
        return Err(Failure::new(
            Exit::Usage,
            "`--commit-dry-run` publishes nothing, and role mode hands each turn over",
        )
        .help("try it with `--mode combined` or `--mode solo`"));
    }
    if args.mode == Mode::Role && args.no_git {
        return Err(Failure::new(
            Exit::Usage,
            "role mode passes the turn through git, and `--no-git` leaves git alone",
        )
        .help("leave `--no-git` out, or play both seats here with `--mode combined`"));
    }
    let Located { mut root, mut config, .. } = locate(context, &overrides, seat)?;
    let chosen = isolate(args, &root, &config.config, context)?;
    if let Some(chosen) = &chosen {
        Located { root, config, .. } = load_at(chosen.root.clone(), context, &overrides, seat)?;
    }
    let branch = chosen.as_ref().and_then(|chosen| chosen.branch.as_deref()).or(args.branch.as_deref());
    for notice in config.notices.iter().chain(&pending_notices(&config.origins)) {
        context.output.note(format!("note: {notice}"));
    }
    for notice in args.commits.notices(&config.config, args.mode) {
        context.output.note(format!("note: {notice}"));
    }
    let (masker, unmasked) = settings::masker(&config.config, &context.ambient);
    for value in &unmasked {
        context.output.note(format!("note: `redact`: {value}"));
    }
    let git = if args.no_git { GitUse::Avoid } else { GitUse::Use };
    let style = Style::of(args.quiet, context.output, args.heartbeat_secs);
    let mut progress = Progress::new(style, context.output);
    if chosen.is_some() {
        progress = progress.with_logs_below(&root);
    }
    let plan = match (args.mode, seat) {
        (Mode::Solo, Some(actor)) => LoopPlan::Solo(actor),
        (Mode::Role, Some(actor)) => LoopPlan::Role(RolePlan {
            actor,
            narration: if args.verbose { Narration::Changes } else { Narration::Reasons },
            publish_existing: args.publish_existing,
            tolerates_others_paths: args.commits.tolerates_others_paths(),
        }),
        (Mode::Solo | Mode::Combined | Mode::Role, _) => LoopPlan::Combined,
    };
    let commits = args.commits.commit_use();
    let accepted = args.accept_commits.as_deref();
    let leaves_role_mode = args.local;
    let order =
        LoopOrder { root: &root, loaded: &config, git, branch, plan, commits, accepted, leaves_role_mode };
    let report = run_loop(&order, context, &mut progress).map_err(|failure| match &chosen {
        Some(chosen) => failure
            .masked(&masker)
            .help(format!("this is about the turns' own work tree, {}", chosen.root.display())),
        None => failure.masked(&masker),
    })?;
    progress.finish();
    let logs = &config.config.logs_dir;
    let logs = if chosen.is_some() { root.join(logs) } else { logs.clone() };
    Ok(report_end(&report, &config.config, &logs, &plan.command(), &masker, context.output))
}

/// The work tree that turns are taken in, where that is not the person's own.
fn isolate(args: &Args, root: &Path, config: &Config, context: &Context) -> Result<Option<Chosen>, Failure> {
    let isolation = config.turn.isolation;
    if args.no_git {
        return match isolation {
            Isolation::None => Ok(None),
            Isolation::Worktree => Err(Failure::new(
                Exit::Usage,
                "`turn.isolation: worktree` is git's work, and `--no-git` leaves git alone",
            )
            .help("leave `--no-git` out, or add `--isolation none`")),
        };
    }
    prepare_run(root, isolation, args.branch.as_deref(), &config.git, context)
}

/// Which loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoopPlan {
    /// Both seats.
    Combined,
    /// One of them.
    Solo(Actor),
    /// One of them, the other on another machine.
    Role(RolePlan),
}

impl LoopPlan {
    /// The command that goes on where such a loop has ended.
    pub(crate) fn command(self) -> String {
        match self {
            Self::Combined => PLAIN_RUN.to_owned(),
            Self::Solo(actor) => run_command(SOLO, actor),
            Self::Role(RolePlan { actor, .. }) => run_command(ROLE, actor),
        }
    }
}

/// A seat whose turns are passed through a remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RolePlan {
    pub(crate) actor: Actor,
    pub(crate) narration: Narration,
    /// Local commits of no turn go along.
    pub(crate) publish_existing: bool,
    /// Galph's turn passes although it changed what it does not publish.
    pub(crate) tolerates_others_paths: bool,
}

/// A loop to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoopOrder<'a> {
    pub(crate) root: &'a Path,
    pub(crate) loaded: &'a Loaded,
    pub(crate) git: GitUse,
    pub(crate) branch: Option<&'a str>,
    pub(crate) plan: LoopPlan,
    pub(crate) commits: CommitUse,
    /// Up to this commit, what was committed during an open turn is accepted.
    pub(crate) accepted: Option<&'a str>,
    /// Both seats are played here although this clone has played one of a pair.
    pub(crate) leaves_role_mode: bool,
}

/// Opens the workspace and runs the loop to its end.
pub(crate) fn run_loop(
    order: &LoopOrder<'_>,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<LoopReport, Failure> {
    let config = &order.loaded.config;
    let ambient = &context.ambient;
    let interrupts = context.signals.take_over()?;
    let again = order.plan.command();
    let fail = |error: RunnerError| runner_failure(&error, config, &again);
    let seats: &[Actor] = match &order.plan {
        LoopPlan::Combined => &Actor::ALL,
        LoopPlan::Solo(actor) | LoopPlan::Role(RolePlan { actor, .. }) => std::slice::from_ref(actor),
    };
    let tree = match &order.plan {
        LoopPlan::Combined | LoopPlan::Solo(_) => TreeUse::Always,
        LoopPlan::Role(_) => TreeUse::EachTurn,
    };
    let opening = Opening { root: order.root, config, git: order.git, branch: order.branch, tree };
    let workspace = Workspace::open(opening, seats, ambient).map_err(fail)?;
    if let Some(notice) = workspace.repo.as_ref().and_then(|repo| repo.choice().notice()) {
        context.output.note(format!("note: {notice}"));
    }
    let mode = match order.plan {
        LoopPlan::Combined => COMBINED,
        LoopPlan::Solo(_) => SOLO,
        LoopPlan::Role(_) => ROLE,
    };
    let exchange = match &order.plan {
        LoopPlan::Combined | LoopPlan::Solo(_) => None,
        LoopPlan::Role(plan) => {
            let exchange = open_exchange(&workspace, config, order.branch).map_err(fail)?;
            Some((exchange, plan.publish_existing, plan.tolerates_others_paths))
        }
    };
    if order.plan == LoopPlan::Combined && !order.leaves_role_mode {
        refuse_seat_of_a_pair(&workspace, config)?;
    }
    let supervisor = own_executable()?;
    let mut runner = Runner::new(workspace, config, ambient, interrupts, supervisor, mode, observer)
        .map_err(fail)?
        .with_commits(order.commits);
    runner.accept_commits(order.accepted);
    let max_wait = Some(config.sync.max_wait.0).filter(|limit| !limit.is_zero());
    if let Some((exchange, publish_existing, tolerates_others_paths)) = exchange {
        runner = runner.with_exchange(exchange, Patience::Until(max_wait), publish_existing);
        if tolerates_others_paths {
            runner = runner.tolerating_others_paths();
        }
    }
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
        LoopPlan::Role(RolePlan { actor, narration, .. }) => {
            let (iterations, poll) = (config.sync.loops, config.sync.poll_interval.0);
            let options = RoleOptions { actor, iterations, poll, max_wait, narration };
            run_role(&mut runner, config, ambient, options)
        }
    };
    let report = report.map_err(fail)?;
    runner.settle().map_err(fail)?;
    Ok(report)
}

/// A clone that plays one seat of a pair must not play the other one beside the machine that has it.
fn refuse_seat_of_a_pair(workspace: &Workspace, config: &Config) -> Result<(), Failure> {
    let filter = TurnFilter { actor: None, limit: 1 };
    let turns = workspace.ledger.turns(filter);
    let turns = turns.map_err(|error| runner_failure(&error.into(), config, PLAIN_RUN))?;
    let Some(opening) = turns.into_iter().map(|turn| turn.opening).find(|opening| opening.mode == ROLE)
    else {
        return Ok(());
    };
    let seat = opening.actor;
    Err(Failure::new(
        Exit::Usage,
        format!("this clone plays {seat} in role mode, and combined mode would play both seats"),
    )
    .help(format!("`baton run --mode role --role {seat}` goes on"))
    .help("if the other machine has stopped for good, `baton run --local` plays both seats here from now on"))
}

/// The branch that is checked out, on the configured remote.
fn open_exchange(
    workspace: &Workspace,
    config: &Config,
    branch: Option<&str>,
) -> Result<Exchange, RunnerError> {
    let Some(repo) = &workspace.repo else {
        let setting = "role mode without git";
        return Err(RunnerError::NotAvailable { setting, remedy: "leave `--no-git` out" });
    };
    let ready = repo.preflight(branch)?;
    let branch = ready.head.branch.unwrap_or_default();
    Exchange::open(repo, &config.git, &branch, &config.state_file)
}

/// This very program, which also supervises attempts. On Linux the link stays right when the file is replaced.
pub(crate) fn own_executable() -> Result<PathBuf, Failure> {
    let link = Path::new("/proc/self/exe");
    if link.exists() {
        return Ok(link.to_owned());
    }
    std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Operational, "cannot find baton's own executable").caused_by(error)
    })
}
