//! `baton doctor`: everything that would keep a turn from being taken here, each in one line with its remedy.
//!
//! Looking changes nothing. `--fix` repairs what is safe, and only while no baton is at work here.

mod attempts;
mod finding;
mod fix;
mod machine;
mod setup;
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
}

impl<'a> Site<'a> {
    fn open(args: &Args, context: &'a Context) -> Result<Self, Failure> {
        let mut overrides = Overrides::default();
        if let Some(file) = &args.state_file {
            overrides.set("state_file", file.as_str(), "--state-file");
        }
        let env = context.ambient.env();
        let root = find_loop(context, &overrides, args.branch.branch.as_deref())?.root;
        Ok(Self {
            config: config::load(&root, config::user_file(env).as_deref(), env, &overrides, None),
            repo: (!args.no_git).then(|| Repo::open(&root, &context.ambient)),
            records: find_records(&root, &context.ambient),
            root,
            context,
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
        findings.extend(machine::examine(self));
        findings.extend(attempts::examine(self));
        findings
    }
}

/// Examines, repairs where asked, and says what was found.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut site = Site::open(args, context)?;
    let mut repairs = Vec::new();
    if args.fix {
        repairs = fix::repair(&site)?;
        site = Site::open(args, context)?;
    }
    let findings = site.examine();
    if args.json {
        context.output.say(finding::as_json(&site.root, &repairs, &findings));
    } else {
        context.output.say(finding::in_words(&repairs, &findings));
    }
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    Ok(if failed { Exit::Operational } else { Exit::Done })
}

#[cfg(test)]
mod tests;
