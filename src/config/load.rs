//! Finding and reading the layers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::model::Actor;

use super::origin::{Notice, Origins};
use super::overrides::Overrides;
use super::problem::ConfigError;
use super::root::Config;

/// The project's file, at the root of a workspace.
pub const PROJECT_FILE: &str = "orchestration.yaml";

/// A configuration that is complete and means something.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Where each came from.
    pub origins: Origins,
    /// What a person should know.
    pub notices: Vec<Notice>,
}

/// The nearest directory, from `start` upward, that has an `orchestration.yaml` (of whatever kind).
pub fn find_workspace(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join(PROJECT_FILE).symlink_metadata().is_ok()).map(Path::to_owned)
}

/// Reads all layers and resolves them.
///
/// `seat` is the one that this process plays, `None` for both (combined mode); it decides which of the earlier
/// scripts' environment names apply. Files that do not exist give nothing.
pub fn load(
    workspace: &Path,
    user_file: Option<&Path>,
    env: &BTreeMap<OsString, OsString>,
    flags: &Overrides,
    seat: Option<Actor>,
) -> Result<Loaded, ConfigError> {
    let _ = (workspace, user_file, env, flags, seat);
    todo!()
}
