//! Finding the workspace that a verb works in, and its configuration.

use std::path::{Path, PathBuf};

use super::{Context, Exit, Failure};
use crate::config::{self, Loaded, Overrides};
use crate::model::Actor;

/// A workspace and what is configured for it.
#[derive(Debug)]
pub(crate) struct Located {
    /// Its root, canonical.
    pub(crate) root: PathBuf,
    /// Its configuration, with the origin of every value.
    pub(crate) config: Loaded,
}

/// The nearest directory with an `orchestration.yaml`, else the repository's root, else the directory itself.
pub(crate) fn locate(
    context: &Context,
    overrides: &Overrides,
    seat: Option<Actor>,
) -> Result<Located, Failure> {
    let root = find_root(&context.directory);
    let user_file = config::user_file(context.ambient.env());
    let config = config::load(&root, user_file.as_deref(), context.ambient.env(), overrides, seat)
        .map_err(|error| Failure::from_error(Exit::Usage, &error))?;
    Ok(Located { root, config })
}

fn find_root(directory: &Path) -> PathBuf {
    config::find_workspace(directory)
        .or_else(|| {
            let top = directory.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok());
            top.map(Path::to_owned)
        })
        .unwrap_or_else(|| directory.to_owned())
}
