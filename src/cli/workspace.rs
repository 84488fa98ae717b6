//! Finding the workspace that a verb is about, and its configuration.

use std::path::{Path, PathBuf};

use crate::config::{self, Isolation, Loaded, Overrides};
use crate::ledger::IsolatedPlace;
use crate::model::Actor;
use crate::state::StateFile;

use super::isolation::{Chosen, choose_loop};
use super::{Context, Exit, Failure};

/// A workspace and how it is configured.
#[derive(Debug)]
pub(crate) struct Located {
    /// Its root, canonical.
    pub(crate) root: PathBuf,
    /// Its configuration.
    pub(crate) config: Loaded,
    /// What its commands are given to be about it, from where this one was started.
    pub(crate) flags: Flags,
}

impl Located {
    /// Whether it is set up, and has no state file yet.
    pub(crate) fn is_bare_of_state(&self) -> bool {
        self.root.join(config::PROJECT_FILE).exists()
            && !self.root.join(&self.config.config.state_file).exists()
    }
}

/// What a command is given so that it is about the same loop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    /// The branch, where the loop lies elsewhere.
    pub(crate) branch: Option<String>,
    /// Whether `baton run` must be told that the loop is isolated.
    pub(crate) isolation: bool,
}

impl Flags {
    /// For `baton run`, with a space before it.
    pub(crate) fn of_run(&self) -> String {
        let isolation = if self.isolation { " --isolation worktree" } else { "" };
        format!("{isolation}{}", self.of_others())
    }

    /// For every other verb, with a space before it.
    pub(crate) fn of_others(&self) -> String {
        self.branch.as_ref().map_or_else(String::new, |branch| format!(" --branch {branch}"))
    }
}

/// The workspace around the working directory: the nearest `orchestration.yaml` upward, else the nearest repository,
/// else the directory itself.
pub(crate) fn locate(
    context: &Context,
    overrides: &Overrides,
    seat: Option<Actor>,
) -> Result<Located, Failure> {
    load_at(find_root(&context.directory), context, overrides, seat)
}

/// The workspace at `root`.
pub(crate) fn load_at(
    root: PathBuf,
    context: &Context,
    overrides: &Overrides,
    seat: Option<Actor>,
) -> Result<Located, Failure> {
    let ambient = &context.ambient;
    let user_file = config::user_file(ambient.env());
    let config = config::load(&root, user_file.as_deref(), ambient.env(), overrides, seat)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    Ok(Located { root, config, flags: Flags::default() })
}

/// The workspace of a loop: of the isolated one on `branch`, or as the configuration here says.
pub(crate) fn locate_loop(
    context: &Context,
    overrides: &Overrides,
    branch: Option<&str>,
) -> Result<Located, Failure> {
    let Chosen { root, branch } = find_loop(context, overrides, branch)?;
    let mut located = load_at(root, context, overrides, None)?;
    if branch.is_some() {
        let isolation = isolation_here(&find_root(&context.directory), context, overrides) == Isolation::None;
        located.flags = Flags { branch, isolation };
    }
    Ok(located)
}

/// Where that is.
pub(crate) fn find_loop(
    context: &Context,
    overrides: &Overrides,
    branch: Option<&str>,
) -> Result<Chosen, Failure> {
    let root = find_root(&context.directory);
    choose_loop(root.clone(), branch, || isolation_here(&root, context, overrides))
}

/// What the configuration says; one that cannot be read says so when it is loaded to be used.
fn isolation_here(root: &Path, context: &Context, overrides: &Overrides) -> Isolation {
    let env = context.ambient.env();
    config::load(root, config::user_file(env).as_deref(), env, overrides, None)
        .map_or(Isolation::None, |loaded| loaded.config.turn.isolation)
}

/// The state file of a workspace, with its copy where the loop is isolated.
pub(crate) fn state_file(root: &Path, relative: &Path) -> StateFile {
    let copy = IsolatedPlace::around(root).map(|place| place.state_copy());
    StateFile::new(root, relative).with_copy(copy)
}

pub(crate) fn find_root(directory: &Path) -> PathBuf {
    // From an isolated tree the search upward would end in the person's own.
    let within = IsolatedPlace::around(directory).map(|place| place.tree());
    config::find_workspace(directory)
        .filter(|found| within.as_ref().is_none_or(|tree| found.starts_with(tree)))
        .or(within)
        .or_else(|| directory.ancestors().find(|above| above.join(".git").exists()).map(Path::to_owned))
        .unwrap_or_else(|| directory.to_owned())
}
