//! Finding the workspace that a verb is about, and its configuration.

use std::path::{Path, PathBuf};

use crate::config::{self, Loaded, Overrides};
use crate::model::Actor;

use super::{Context, Exit, Failure};

/// A workspace and how it is configured.
#[derive(Debug)]
pub(crate) struct Located {
    /// Its root, canonical.
    pub(crate) root: PathBuf,
    /// Its configuration.
    pub(crate) config: Loaded,
}

/// The workspace around the working directory: the nearest `orchestration.yaml` upward, else the nearest repository,
/// else the directory itself.
pub(crate) fn locate(
    context: &Context,
    overrides: &Overrides,
    seat: Option<Actor>,
) -> Result<Located, Failure> {
    let root = find_root(&context.directory);
    let ambient = &context.ambient;
    let user_file = config::user_file(ambient.env());
    let config = config::load(&root, user_file.as_deref(), ambient.env(), overrides, seat)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    Ok(Located { root, config })
}

pub(crate) fn find_root(directory: &Path) -> PathBuf {
    config::find_workspace(directory)
        .or_else(|| directory.ancestors().find(|above| above.join(".git").exists()).map(Path::to_owned))
        .unwrap_or_else(|| directory.to_owned())
}
