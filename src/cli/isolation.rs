//! Which loop a verb is about: the one of the work tree it was started in, or the isolated loop of a branch.

use std::fs;
use std::path::{Path, PathBuf};

use super::failures::{PLAIN_RUN, isolation_failure, repo_failure};
use super::records::find_git_dir;
use super::{Context, Exit, Failure};
use crate::config::{GitConfig, Isolation};
use crate::ledger::{IsolatedPlace, IsolationRecord, Stage};
use crate::repo::Repo;
use crate::runner::{Care, prepare_tree};

/// The isolated loop of another branch.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct BranchArgs {
    /// The branch of an isolated loop; without it, the loop here
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<String>,
}

/// The workspace that a verb is about, seen from where it was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The workspace's root, canonical.
    pub(crate) root: PathBuf,
    /// The branch of its isolated loop, where it lies elsewhere than where the verb was started.
    pub(crate) branch: Option<String>,
}

impl Chosen {
    const fn here(root: PathBuf) -> Self {
        Self { root, branch: None }
    }
}

/// What a verb that looks or changes a state is about: the branch that is named; without one, in a tree whose
/// configuration says `turn.isolation: worktree`, the only isolated loop that there is; else what is here.
pub(crate) fn choose_loop(
    root: PathBuf,
    branch: Option<&str>,
    isolation: impl FnOnce() -> Isolation,
) -> Result<Chosen, Failure> {
    if branch.is_none() && (IsolatedPlace::around(&root).is_some() || isolation() == Isolation::None) {
        return Ok(Chosen::here(root));
    }
    let Some((common, top)) = find_common_dir(&root) else {
        return match branch {
            None => Ok(Chosen::here(root)),
            Some(branch) => Err(no_loop(branch, &[])),
        };
    };
    let loops = IsolatedPlace::all(&common);
    let (place, record) = match (branch, loops.as_slice()) {
        (None, []) => return Ok(Chosen::here(root)),
        (None, [only]) => only.clone(),
        (None, _) => return Err(several_loops(&loops)),
        (Some(branch), _) => match loops.iter().find(|(_, record)| record.branch == branch) {
            Some(found) => found.clone(),
            None if current_branch(&root).as_deref() == Some(branch) => return Ok(Chosen::here(root)),
            None => return Err(no_loop(branch, &loops)),
        },
    };
    if root.starts_with(place.tree()) {
        return Ok(Chosen::here(root));
    }
    let below = root.strip_prefix(&top).unwrap_or(Path::new(""));
    let chosen = below_tree(&place, below);
    if chosen.is_dir() && matches!(record.stage, Stage::Made | Stage::Ready) {
        return Ok(Chosen { root: chosen, branch: Some(record.branch) });
    }
    Err(Failure::new(
        Exit::Usage,
        format!(
            "the work tree of the isolated loop on `{}` is not there: {}",
            record.branch,
            place.tree().display()
        ),
    )
    .help(format!(
        "`baton run --isolation worktree --branch {}` makes it and goes on where the loop was",
        record.branch
    )))
}

/// Joined, an empty path would leave a slash at the end.
fn below_tree(place: &IsolatedPlace, below: &Path) -> PathBuf {
    place.tree().join(below).components().collect()
}

fn no_loop(branch: &str, loops: &[(IsolatedPlace, IsolationRecord)]) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("there is no isolated loop on `{branch}`"));
    if loops.is_empty() {
        failure.help(format!("`baton run --isolation worktree --branch {branch}` begins one"))
    } else {
        failure.help(format!("there is one on {}", branches(loops)))
    }
}

fn several_loops(loops: &[(IsolatedPlace, IsolationRecord)]) -> Failure {
    Failure::new(Exit::Usage, format!("there are isolated loops on {}", branches(loops)))
        .help("choose one with `--branch NAME`")
}

fn branches(loops: &[(IsolatedPlace, IsolationRecord)]) -> String {
    loops.iter().map(|(_, record)| format!("`{}`", record.branch)).collect::<Vec<_>>().join(", ")
}

/// The shared git directory and the root of the work tree, by path alone.
pub(crate) fn find_common_dir(root: &Path) -> Option<(PathBuf, PathBuf)> {
    if let Some(place) = IsolatedPlace::around(root) {
        return Some((place.common().to_owned(), place.tree()));
    }
    let top = root.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok())?;
    let git_dir = find_git_dir(root)?;
    let common = match fs::read_to_string(git_dir.join("commondir")) {
        Ok(relative) => git_dir.join(relative.trim()),
        Err(_) => git_dir,
    };
    Some((common.canonicalize().ok()?, top.to_owned()))
}

fn current_branch(root: &Path) -> Option<String> {
    let head = fs::read_to_string(find_git_dir(root)?.join("HEAD")).ok()?;
    head.trim().strip_prefix("ref: refs/heads/").map(str::to_owned)
}

/// Sees to the work tree that `baton run` takes its turns in, and says what was done for it. `None`: turns are taken
/// where the person is.
pub(crate) fn prepare_run(
    root: &Path,
    isolation: Isolation,
    branch: Option<&str>,
    git: &GitConfig,
    context: &Context,
) -> Result<Option<Chosen>, Failure> {
    let around = IsolatedPlace::around(root);
    let own = around.as_ref().and_then(|place| place.record().ok().flatten());
    let inside = own.as_ref().is_some_and(|own| branch.is_none_or(|branch| branch == own.branch));
    if isolation == Isolation::None && !inside {
        return Ok(None);
    }
    let Start { common, prefix, branch: here } = find_start(root, around.as_ref(), own, (git, context))?;
    let branch = match (branch, inside) {
        (Some(branch), _) => branch.to_owned(),
        (None, true) => here.unwrap_or_default(),
        (None, false) => return Err(no_branch(here.as_deref(), &IsolatedPlace::all(&common))),
    };
    let tree = prepare_tree(&common, &branch, git, &context.ambient)
        .map_err(|error| isolation_failure(&error, PLAIN_RUN))?;
    let path = tree.place.tree();
    if let Some(done) = told(tree.care) {
        context.output.note(format!("note: {done}: {}", path.display()));
    }
    let root = below_tree(&tree.place, &prefix);
    if !root.is_dir() {
        return Err(Failure::new(
            Exit::Usage,
            format!("the branch `{branch}` has no directory `{}`", prefix.display()),
        )
        .help("commit the workspace there too, or start from the workspace that the branch has"));
    }
    if !inside {
        context.output.note(format!(
            "note: turns run on branch `{branch}`, with that branch's configuration and prompts, in {}",
            root.display()
        ));
    }
    Ok(Some(Chosen { root, branch: Some(branch) }))
}

/// Where a person starts `baton run`.
struct Start {
    /// The shared git directory.
    common: PathBuf,
    /// The workspace below the root of its work tree.
    prefix: PathBuf,
    /// The branch there; `None` where HEAD is detached.
    branch: Option<String>,
}

fn find_start(
    root: &Path,
    around: Option<&IsolatedPlace>,
    own: Option<IsolationRecord>,
    (git, context): (&GitConfig, &Context),
) -> Result<Start, Failure> {
    if let Some(place) = around {
        // Its link to git may be what has to be mended.
        let prefix = root.strip_prefix(place.tree()).unwrap_or(Path::new("")).to_owned();
        return Ok(Start { common: place.common().to_owned(), prefix, branch: own.map(|own| own.branch) });
    }
    let failed = |error| repo_failure(&error);
    let repo = Repo::open_configured(root, git, &context.ambient).map_err(failed)?;
    let common = repo.common_dir().canonicalize().map_err(|error| {
        Failure::new(Exit::Operational, format!("cannot use `{}`", repo.common_dir().display()))
            .caused_by(error)
    })?;
    let branch = repo.head().map_err(failed)?.branch;
    Ok(Start { common, prefix: repo.prefix().as_path().to_owned(), branch })
}

const fn told(care: Care) -> Option<&'static str> {
    match care {
        Care::Reuse => None,
        Care::Make => Some("made the work tree"),
        Care::Relink => Some("linked the work tree to its repository again"),
        Care::Refill => Some("linked the work tree to its repository again, and put back what was missing"),
        Care::Readopt => Some("gave the work tree back its entry in git, and put back what was missing"),
    }
}

fn no_branch(here: Option<&str>, loops: &[(IsolatedPlace, IsolationRecord)]) -> Failure {
    let at = here.map_or_else(|| "HEAD is detached".to_owned(), |branch| format!("`{branch}` is your own"));
    let failure = Failure::new(
        Exit::Usage,
        format!("`turn.isolation: worktree` needs the name of a branch for the turns: {at}"),
    );
    match loops.first() {
        Some((_, record)) => failure.help(format!(
            "`baton run --branch {}` goes on with the isolated loop that there is",
            record.branch
        )),
        None => failure.help("`git branch loop` makes one, for example; then `baton run --branch loop`"),
    }
}
