//! `baton logs`: what both seats' agents said, interleaved by iteration, from the log folders.
//!
//! Logs are raw bytes and may be huge: they are streamed, masked on the way, and only `xml` and `json` make text of them.

mod find;
mod handoffs;
mod lossy;
mod write;

use std::fs;
use std::path::Path;

use clap::ValueEnum;

use super::isolation::find_common_dir;
use super::records::find_git_dir;
use super::workspace::{Located, find_root, locate, locate_loop};
use super::{Context, Exit, Failure};
use crate::config::Overrides;
use crate::ledger::IsolatedPlace;
use crate::model::Actor;
use crate::runner::{NO_BRANCH, settings};
use find::{Window, find_entries};
use handoffs::Wanted;
use write::Document;

/// Show what both agents said, interleaved by iteration
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many of the newest iterations; 0 for all
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 5)]
    count: usize,
    /// The seats, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "galph,ralph")]
    roles: Vec<Role>,
    /// No iteration before this one
    #[arg(long, value_name = "N")]
    min_iter: Option<u64>,
    /// No iteration after this one
    #[arg(long, value_name = "N")]
    max_iter: Option<u64>,
    /// The agents' output, or the summaries
    #[arg(long, value_enum, default_value = "logs")]
    source: Source,
    /// How it is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// List the files below these paths in the commit of each log; without it, xml has docs, plans and reports
    #[arg(long, value_name = "PATH,..", value_delimiter = ',')]
    ls_paths: Option<Vec<String>>,
    /// List no files
    #[arg(long, conflicts_with = "ls_paths")]
    no_ls: bool,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// The branch whose logs are shown; without it, the one that is checked out
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Where logs lie, relative to the workspace
    #[arg(long, value_name = "DIR")]
    logdir: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// The supervisor
    Galph,
    /// The engineer
    Ralph,
}

/// Where the text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Source {
    /// The agents' output
    Logs,
    /// The summaries
    Summaries,
}

impl Source {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Summaries => "summaries",
        }
    }
}

impl Args {
    /// The paths whose files are listed. In XML the earlier log tool listed these.
    fn listed(&self, format: Format) -> Vec<String> {
        let usual = || match format {
            Format::Xml => ["docs", "plans", "reports"].map(str::to_owned).to_vec(),
            Format::Text | Format::Json => Vec::new(),
        };
        if self.no_ls { Vec::new() } else { self.ls_paths.clone().unwrap_or_else(usual) }
    }
}

/// How it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Bytes as they are, under headings
    Text,
    /// One XML document
    Xml,
    /// One JSON document
    Json,
}

/// Prints the newest iterations' logs.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut overrides = Overrides::default();
    if let Some(dir) = &args.logdir {
        overrides.set("logs_dir", dir.as_str(), "--logdir");
    }
    let located = find(args.branch.as_deref(), &overrides, context)?;
    let logs_dir = &located.config.config.logs_dir;
    let branch = choose_branch(args.branch.as_deref(), &located.root, logs_dir);
    let folder = logs_dir.join(&branch);
    let roles: Vec<Actor> = Actor::ALL
        .into_iter()
        .filter(|actor| args.roles.iter().any(|role| seat_of(*role) == *actor))
        .collect();
    let window = Window { count: args.count, min: args.min_iter, max: args.max_iter };
    let entries = find_entries(&located.root, &folder, &roles, args.source, window).map_err(|error| {
        let folder = located.root.join(&folder);
        Failure::new(Exit::Operational, format!("cannot look for logs in `{}`", folder.display()))
            .caused_by(error)
    })?;
    if entries.is_empty() {
        context.output.note(nothing(args, &located.root, logs_dir, &folder));
    }
    if located.flags.branch.is_some() && !entries.is_empty() {
        context.output.note(format!("note: these logs lie below {}", located.root.display()));
    }
    let format = if args.json { Format::Json } else { args.format };
    let wanted = Wanted { roles: &roles, window, branch: &branch, listed: &args.listed(format) };
    let known = handoffs::gather(&located, &entries, &wanted, context);
    for line in known.elsewhere.iter().filter(|_| format != Format::Json) {
        context.output.note(format!("note: {line}"));
    }
    let document = Document {
        prefix: folder.display().to_string(),
        source: args.source,
        known,
        root: &located.root,
        masker: settings::masker(&located.config.config, &context.ambient).0,
    };
    let mut problems = Vec::new();
    let exit = context.output.stream(|out| {
        problems = match format {
            Format::Text => write::write_text(&document, &entries, out)?,
            Format::Xml => write::write_xml(&document, &entries, out)?,
            Format::Json => write::write_json(&document, &entries, out)?,
        };
        Ok(())
    })?;
    if problems.is_empty() {
        return Ok(exit);
    }
    Err(Failure::new(Exit::Operational, problems.join("\n"))
        .help("the others were printed; make it readable for this user, or narrow the iterations"))
}

/// The workspace whose logs are meant: a branch with an isolated loop has them there.
fn find(branch: Option<&str>, overrides: &Overrides, context: &Context) -> Result<Located, Failure> {
    let Some(branch) = branch else { return locate_loop(context, overrides, None) };
    let isolated = find_common_dir(&find_root(&context.directory)).is_some_and(|(common, _)| {
        let is_there = |place: &IsolatedPlace| place.tree().is_dir();
        IsolatedPlace::all(&common).iter().any(|(place, record)| record.branch == branch && is_there(place))
    });
    if isolated { locate_loop(context, overrides, Some(branch)) } else { locate(context, overrides, None) }
}

const fn seat_of(role: Role) -> Actor {
    match role {
        Role::Galph => Actor::Galph,
        Role::Ralph => Actor::Ralph,
    }
}

/// The folder below the logs: of the branch asked for, else of the one checked out, else of runs without git.
fn choose_branch(asked: Option<&str>, root: &Path, logs_dir: &Path) -> String {
    let folder_of = |branch: &str| branch.replace('/', "-");
    if let Some(branch) = asked {
        return folder_of(branch);
    }
    let current = find_git_dir(root)
        .and_then(|git_dir| fs::read_to_string(git_dir.join("HEAD")).ok())
        .and_then(|head| head.trim().strip_prefix("ref: refs/heads/").map(folder_of));
    match current {
        Some(branch)
            if root.join(logs_dir).join(&branch).exists()
                || !root.join(logs_dir).join(NO_BRANCH).exists() =>
        {
            branch
        }
        _ => NO_BRANCH.to_owned(),
    }
}

/// What to say where there is nothing to show.
fn nothing(args: &Args, root: &Path, logs_dir: &Path, folder: &Path) -> String {
    let source = args.source.as_str();
    if root.join(folder).is_dir() {
        return format!("No {source} in {} for these seats and iterations.", folder.display());
    }
    let mut others: Vec<String> = fs::read_dir(root.join(logs_dir))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().filter(|entry| entry.path().is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    others.sort();
    let hint = if others.is_empty() {
        "nothing has been run in this workspace yet".to_owned()
    } else {
        format!("there are some of {}: choose with `--branch`", others.join(", "))
    };
    format!("No {source} in {}: {hint}.", folder.display())
}

#[cfg(test)]
mod tests;
