//! `baton worktree`: the work trees of isolated loops.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::change::refuse_in_attempt;
use super::failures::{PLAIN_RUN, isolation_failure};
use super::isolation::find_common_dir;
use super::workspace::{find_root, load_at};
use super::{Context, Exit, Failure};
use crate::config::{GitConfig, Overrides};
use crate::ledger::{IsolatedPlace, IsolationRecord, Locked, Stage};
use crate::model::Actor;
use crate::runner::{IgnoredFiles, IsolationError, OwnFiles, remove_tree};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the isolated loops of this repository and where their work trees lie
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove the work tree of an isolated loop that holds nothing uncommitted; state, records and logs are kept
    Remove {
        /// Its branch
        branch: String,
        /// Remove ignored files with it, such as build outputs
        #[arg(long)]
        discard_ignored: bool,
    },
}

/// Does what the inner verb says.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let root = find_root(&context.directory);
    let Some((common, top)) = find_common_dir(&root) else {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{}` is not inside a git repository", context.directory.display()),
        )
        .help("`-C DIR` chooses another directory"));
    };
    match &args.verb {
        Verb::List { json } => {
            let loops = IsolatedPlace::all(&common);
            context.output.say(if *json { as_json(&loops) } else { in_words(&loops) });
            Ok(Exit::Done)
        }
        Verb::Remove { branch, discard_ignored } => {
            refuse_in_attempt("worktree remove", context)?;
            let ignored = if *discard_ignored { IgnoredFiles::Discard } else { IgnoredFiles::Keep };
            let below = root.strip_prefix(&top).unwrap_or(Path::new(""));
            remove(&common, branch, below, ignored, context)
        }
    }
}

fn remove(
    common: &Path,
    branch: &str,
    below: &Path,
    ignored: IgnoredFiles,
    context: &Context,
) -> Result<Exit, Failure> {
    let failed = |error: IsolationError| isolation_failure(&error, PLAIN_RUN);
    let place = IsolatedPlace::of_branch(common, branch);
    let tree = place.tree();
    match place.record().map_err(|error| failed(error.into()))? {
        Some(record) if record.branch == branch => {}
        Some(_) | None => return Err(failed(IsolationError::NoLoop { branch: branch.to_owned() })),
    }
    if context.directory.starts_with(&tree) {
        return Err(Failure::new(Exit::Usage, format!("`{}` is where this was started", tree.display()))
            .help("start it from your own work tree"));
    }
    let (own, git) = own_files(&tree.join(below), below, context)?;
    remove_tree(&place, &own, ignored, &git, &context.ambient).map_err(|error| {
        let failure = isolation_failure(&error, PLAIN_RUN);
        if matches!(error, IsolationError::Repo(_)) {
            failure.help(format!("this is about the turns' own work tree, {}", tree.display()))
        } else {
            failure
        }
    })?;
    context.output.say(format!(
        "Removed {}; the branch, the state and the logs are kept.\n\
         `baton run --isolation worktree --branch {branch}` makes it again and goes on.",
        tree.display()
    ));
    Ok(Exit::Done)
}

/// As the configuration of the loop has them; where its tree is gone already, nothing is looked for.
fn own_files(root: &Path, below: &Path, context: &Context) -> Result<(OwnFiles, GitConfig), Failure> {
    let loaded = load_at(root.to_owned(), context, &Overrides::default(), None)?.config.config;
    let own = OwnFiles { state_file: below.join(&loaded.state_file), logs_dir: below.join(&loaded.logs_dir) };
    Ok((own, loaded.git))
}

const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Making => "unfinished",
        Stage::Mending | Stage::Made | Stage::Ready => "present",
        Stage::Removed => "removed",
    }
}

fn is_running(place: &IsolatedPlace) -> bool {
    Actor::ALL.into_iter().any(|seat| place.home().seat_is_taken(seat) == Locked::Yes)
}

fn shown(place: &IsolatedPlace, record: &IsolationRecord) -> (&'static str, PathBuf) {
    let tree = place.tree();
    let what = match record.stage {
        _ if is_running(place) => "running",
        Stage::Removed => stage(Stage::Removed),
        _ if !tree.is_dir() => "missing",
        other => stage(other),
    };
    (what, tree)
}

fn in_words(loops: &[(IsolatedPlace, IsolationRecord)]) -> String {
    if loops.is_empty() {
        return "There is no isolated loop in this repository; `baton run --isolation worktree --branch NAME` begins one."
            .to_owned();
    }
    let width = loops.iter().map(|(_, record)| record.branch.chars().count()).max().unwrap_or_default();
    let lines = loops.iter().map(|(place, record)| {
        let (what, tree) = shown(place, record);
        format!("{:<width$}  {what:<10}  {}", record.branch, tree.display())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn as_json(loops: &[(IsolatedPlace, IsolationRecord)]) -> String {
    let loops: Vec<_> = loops
        .iter()
        .map(|(place, record)| {
            let (what, tree) = shown(place, record);
            json!({
                "branch": record.branch,
                "status": what,
                "tree": tree.display().to_string(),
                "records": place.home().root().display().to_string(),
            })
        })
        .collect();
    json!({ "worktrees": loops }).to_string()
}
