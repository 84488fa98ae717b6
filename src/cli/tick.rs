//! `baton tick`: one look for cron, at most one turn, and never a wait.
//!
//! A tick with nothing to do is what happens nearly always: it makes one connection and prints one line.

mod words;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::failures::{repo_failure, runner_failure};
use super::isolation::{Chosen, prepare_run};
use super::records::find_git_dir;
use super::run::{Progress, Role, Style, exit_of, failure_of, own_executable};
use super::workspace::{Located, load_at, locate};
use super::{Context, Exit, Failure};
use crate::config::{Config, Overrides};
use crate::ledger::{Home, HomeError};
use crate::mode::{FailedTurn, Idle, TickEnd, TickFile, TickOptions, TickReport, Ticked, run_tick};
use crate::model::{Actor, State};
use crate::publish::secret::Masker;
use crate::repo::{Repo, RepoError};
use crate::runner::{
    Exchange, GitUse, Opening, Patience, ROLE, Runner, RunnerError, TreeUse, Workspace, run_command, settings,
};

/// Look once, and take this role's turn if it is due: for cron
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// The seat of this machine
    #[arg(long, value_enum, env = "ORCHESTRATOR_ROLE")]
    role: Role,
    /// Tell by the exit code why no turn was taken: 3 not this role's, 4 held, 5 failed, 1 offline or busy, 6 claim lost
    #[arg(long)]
    exit_code: bool,
    /// Take this role's turn again if it has failed
    #[arg(long)]
    retry_failed: bool,
    /// Show the turn's progress and the agent's output
    #[arg(long)]
    verbose: bool,
    /// Run on this branch only
    #[arg(long, value_name = "NAME", env = "ORCHESTRATION_BRANCH")]
    branch: Option<String>,
    /// `worktree`: take the turn in a work tree of the branch's own; `none`: here
    #[arg(long, value_name = "HOW")]
    isolation: Option<String>,
    /// Publish local commits that are of no turn with the turn
    #[arg(long)]
    publish_existing: bool,
    /// The state file
    #[arg(long, value_name = "PATH")]
    state_file: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Looks, takes a turn where one is due, and keeps a record of it.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let actor = Actor::from(args.role);
    let began = context.ambient.now();
    let site = Site::find(args, actor, context)?;
    let (masker, _) = settings::masker(&site.config, &context.ambient);
    let ended = tick(&site, args, actor, context).map_err(|failure| failure.masked(&masker));
    let (ticked, said) = match &ended {
        Ok(report) => (ticked(&report.end), masker.mask(&words::in_words(report, actor))),
        Err(failure) => (Ticked::Failed, failure.in_one_line()),
    };
    let home = site.home();
    if home.root().is_dir()
        && let Err(error) = TickFile::of(&home, actor).add(began, ticked, &said)
    {
        context.output.note(format!("warning: the record of ticks cannot be written: {error}"));
    }
    report(&ended?, args, &said, (&site, &masker), context)
}

/// The workspace whose turn it may be.
struct Site {
    root: PathBuf,
    config: Config,
    branch: Option<String>,
    /// Whether the turn is taken elsewhere than where the person is.
    isolated: bool,
}

impl Site {
    fn find(args: &Args, actor: Actor, context: &Context) -> Result<Self, Failure> {
        let mut overrides = Overrides::default();
        if let Some(file) = &args.state_file {
            overrides.set("state_file", file.as_str(), "--state-file");
        }
        if let Some(how) = &args.isolation {
            overrides.set("turn.isolation", how.as_str(), "--isolation");
        }
        let Located { root, config, .. } = locate(context, &overrides, Some(actor))?;
        let loaded = &config.config;
        let asked = args.branch.as_deref();
        let chosen = prepare_run(&root, loaded.turn.isolation, asked, &loaded.git, context)?;
        let Some(Chosen { root, branch }) = chosen else {
            return Ok(Self { root, config: config.config, branch: args.branch.clone(), isolated: false });
        };
        let Located { root, config, .. } = load_at(root, context, &overrides, Some(actor))?;
        Ok(Self { root, config: config.config, branch: branch.or(args.branch.clone()), isolated: true })
    }

    /// Where the records lie, by path alone: also where another process has locked them.
    fn home(&self) -> Home {
        let git_dir = find_git_dir(&self.root).unwrap_or_else(|| self.root.join(".git"));
        Home::of_work_tree(&git_dir, &self.root)
    }
}

fn tick(site: &Site, args: &Args, actor: Actor, context: &Context) -> Result<TickReport, Failure> {
    let (config, ambient) = (&site.config, &context.ambient);
    let fail = |error: RunnerError| failed(&error, config, actor);
    let interrupts = context.signals.take_over()?;
    let opening = Opening {
        root: &site.root,
        config,
        git: GitUse::Use,
        branch: site.branch.as_deref(),
        tree: TreeUse::EachTurn,
    };
    let workspace = match Workspace::open(opening, &[actor], ambient) {
        Ok(workspace) => workspace,
        Err(RunnerError::Home(error @ HomeError::Busy { .. })) => {
            return Ok(TickReport { end: TickEnd::Idle(Idle::Busy(error)), state: None });
        }
        Err(error) => return Err(fail(error)),
    };
    let exchange = open_exchange(&workspace, config, site.branch.as_deref()).map_err(fail)?;
    let style = if args.verbose || context.output.stderr_is_terminal {
        Style::of(false, context.output, 0)
    } else {
        Style::Quiet
    };
    let mut progress = Progress::new(style, context.output);
    if site.isolated {
        progress = progress.with_logs_below(&site.root);
    }
    let supervisor = own_executable()?;
    let mut runner = Runner::new(workspace, config, ambient, interrupts, supervisor, ROLE, &mut progress)
        .map_err(fail)?
        .with_exchange(exchange, Patience::None, args.publish_existing);
    let again = if args.retry_failed { FailedTurn::TakeAgain } else { FailedTurn::Leave };
    let report =
        run_tick(&mut runner, config, ambient, TickOptions { actor, failed: again }).map_err(fail)?;
    if matches!(report.end, TickEnd::Turn(_)) {
        runner.settle().map_err(fail)?;
    }
    drop(runner);
    progress.finish();
    Ok(report)
}

/// The branch that is checked out, on the configured remote. Whether the repository is fit for a turn is looked at before
/// the claim.
fn open_exchange(
    workspace: &Workspace,
    config: &Config,
    branch: Option<&str>,
) -> Result<Exchange, RunnerError> {
    let Some(repo) = &workspace.repo else {
        return Err(RunnerError::NotAvailable { setting: "a tick without git", remedy: "use a repository" });
    };
    let branch = match current_branch(repo)?.filter(|here| branch.is_none_or(|asked| asked == here)) {
        Some(here) => here,
        None => repo.preflight(branch)?.head.branch.unwrap_or_default(),
    };
    Exchange::open(repo, &config.git, &branch, &config.state_file)
}

fn current_branch(repo: &Repo) -> Result<Option<String>, RepoError> {
    Ok(repo.head()?.branch)
}

fn failed(error: &RunnerError, config: &Config, actor: Actor) -> Failure {
    match error {
        RunnerError::Repo(none @ RepoError::NoRemote { .. }) => {
            repo_failure(none).help("without one, `baton run` plays both seats here")
        }
        other => runner_failure(other, config, &run_command(ROLE, actor)),
    }
}

const fn ticked(end: &TickEnd) -> Ticked {
    match end {
        TickEnd::Turn(_) => Ticked::Turn,
        TickEnd::Idle(Idle::Busy(_)) => Ticked::Overlapped,
        TickEnd::Idle(Idle::Offline(_)) => Ticked::Offline,
        TickEnd::Idle(
            Idle::NotYourTurn(_) | Idle::Held(_) | Idle::Failed { .. } | Idle::Exit(_) | Idle::ClaimLost,
        ) => Ticked::Nothing,
    }
}

/// The exit code of a tick without a turn, where it is asked to tell.
const fn exit_of_idle(idle: &Idle) -> Exit {
    match idle {
        Idle::NotYourTurn(_) => Exit::NotYourTurn,
        Idle::Held(_) => Exit::Held,
        Idle::Failed { .. } => Exit::TurnFailed,
        Idle::Exit(_) => Exit::Done,
        Idle::Busy(_) | Idle::Offline(_) => Exit::Operational,
        Idle::ClaimLost => Exit::Fenced,
    }
}

fn report(
    report: &TickReport,
    args: &Args,
    said: &str,
    (site, masker): (&Site, &Masker),
    context: &Context,
) -> Result<Exit, Failure> {
    let exit = match &report.end {
        TickEnd::Turn(turns) => exit_of(&turns.end),
        TickEnd::Idle(idle) if args.exit_code => exit_of_idle(idle),
        TickEnd::Idle(_) => Exit::Done,
    };
    let at = super::words::moment(context.ambient.now());
    if args.json {
        let mut document = json!({
            "at": at,
            "role": Actor::from(args.role),
            "result": words::result(&report.end),
            "said": said,
            "exit_code": exit.code(),
            "state": report.state.as_ref().map(state_in_json),
            "turns": words::turns(&report.end),
        });
        masker.mask_json(&mut document);
        context.output.say(document);
    } else {
        context.output.say(format!("{at} {said}"));
    }
    let logs = &site.config.logs_dir;
    let logs: PathBuf = if site.isolated { site.root.join(logs) } else { Path::new(logs).to_owned() };
    let again = run_command(ROLE, Actor::from(args.role));
    match &report.end {
        TickEnd::Turn(turns) => match failure_of(&turns.end, &site.config, &logs, &again) {
            Some(failure) => Err(failure.masked(masker)),
            None => Ok(exit),
        },
        TickEnd::Idle(_) => Ok(exit),
    }
}

fn state_in_json(state: &State) -> serde_json::Value {
    json!({
        "iteration": state.iteration, "expected_actor": state.expected_actor, "status": state.status,
    })
}
