//! `baton doctor`: everything that would keep a turn from being taken here, each in one line with its remedy.
//!
//! Looking changes nothing. `--fix` repairs what is safe, and only while no baton is at work here.

mod agent_facts;
mod agents;
mod attempts;
mod cron;
mod finding;
mod fix;
mod machine;
mod remote;
mod setup;
mod smoke;
mod state;

use std::path::PathBuf;

use super::isolation::BranchArgs;
use super::records::{Records, find_records};
use super::workspace::find_loop;
use super::{Context, Exit, Failure};
use crate::config::{self, Config, ConfigError, Loaded, Overrides};
use crate::ledger::Ledger;
use crate::repo::{Repo, RepoError};
use finding::{Finding, Level};

/// Check the workspace, the repository, the agents and the records of this machine
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Repair what is safe: git's excludes, orphaned attempts, an unreadable state
    #[arg(long)]
    fix: bool,
    /// Do not look at the repository
    #[arg(long)]
    no_git: bool,
    /// The state file, relative to the workspace
    #[arg(long, value_name = "FILE")]
    state_file: Option<String>,
    #[command(flatten)]
    branch: BranchArgs,
    /// Ask the remote also where the state here is not shared through it
    #[arg(long, conflicts_with = "offline")]
    remote: bool,
    /// Ask no remote
    #[arg(long)]
    offline: bool,
    /// Look at it all as cron would find it, with its bare environment, and print the lines for the crontab
    #[arg(long, conflicts_with_all = ["fix", "agents", "smoke", "offline"])]
    cron: bool,
    /// Look at the agents only: where, which version, how they would be started
    #[arg(long, conflicts_with = "fix")]
    agents: bool,
    /// Really run AGENT, or the agents of the seats, with a tiny prompt: it costs what a short question costs
    #[arg(long, value_name = "AGENT", num_args = 0..=1, default_missing_value = "", conflicts_with = "fix")]
    smoke: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is looked at.
struct Site<'a> {
    context: &'a Context,
    root: PathBuf,
    config: Result<Loaded, ConfigError>,
    /// `None` where git is left alone.
    repo: Option<Result<Repo, RepoError>>,
    records: Option<Records>,
    asking: Asking,
}

/// Whether the remote is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    /// Where the state is shared through it.
    WhereShared,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

impl From<&Args> for Asking {
    fn from(args: &Args) -> Self {
        match (args.remote || args.cron, args.offline) {
            (true, _) => Self::Always,
            (false, true) => Self::Never,
            (false, false) => Self::WhereShared,
        }
    }
}

impl<'a> Site<'a> {
    fn open(args: &Args, context: &'a Context) -> Result<Self, Failure> {
        let mut overrides = Overrides::default();
        if let Some(file) = &args.state_file {
            overrides.set("state_file", file.as_str(), "--state-file");
        }
        let env = context.ambient.env();
        let root = find_loop(context, &overrides, args.branch.branch.as_deref())?.root;
        let config = config::load(&root, config::user_file(env).as_deref(), env, &overrides, None);
        let open = || match &config {
            Ok(loaded) => Repo::open_configured(&root, &loaded.config.git, &context.ambient),
            Err(_) => Repo::open(&root, &context.ambient),
        };
        Ok(Self {
            repo: (!args.no_git).then(open),
            config,
            records: find_records(&root, &context.ambient),
            root,
            context,
            asking: args.into(),
        })
    }

    fn config(&self) -> Option<&Config> {
        self.config.as_ref().ok().map(|loaded| &loaded.config)
    }

    fn repo(&self) -> Option<&Repo> {
        self.repo.as_ref().and_then(|repo| repo.as_ref().ok())
    }

    /// The ledger for looking only; `None` where there is none. One that cannot be read is a finding of its own.
    fn ledger(&self) -> Option<Ledger> {
        let records = self.records.as_ref()?;
        Ledger::open_read_only(&records.home.ledger()).ok().flatten()
    }

    fn examine(&self) -> Vec<Finding> {
        let mut findings = setup::examine(self);
        findings.extend(state::examine(self));
        findings.extend(remote::examine(self));
        findings.extend(machine::examine(self));
        findings.extend(attempts::examine(self));
        findings
    }
}

/// Examines, repairs where asked, and says what was found.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if args.cron {
        return cron::run(args, context);
    }
    let mut site = Site::open(args, context)?;
    if args.agents || args.smoke.is_some() {
        return agents::run(&site, args.smoke.as_deref(), args.json);
    }
    let mut repairs = Vec::new();
    if args.fix {
        repairs = fix::repair(&site)?;
        site = Site::open(args, context)?;
    }
    let findings = site.examine();
    context.signals.go_on()?;
    Ok(tell(&site, &repairs, &findings, args.json))
}

fn tell(site: &Site<'_>, repairs: &[String], findings: &[Finding], json: bool) -> Exit {
    if json {
        site.context.output.say(finding::as_json(&site.root, repairs, findings));
    } else {
        site.context.output.say(finding::in_words(repairs, findings));
    }
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    if failed { Exit::Operational } else { Exit::Done }
}

#[cfg(test)]
mod tests;
