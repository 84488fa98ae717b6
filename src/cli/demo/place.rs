//! Where a demonstration is made.

use std::path::{Path, PathBuf};

use crate::cli::failures::repo_failure;
use crate::cli::{Context, Exit, Failure};
use crate::repo::RepoError;

/// Makes a demonstration in the wanted directory or a temporary one. Returns what `make` returns.
pub(super) fn make_in<T>(
    wanted: Option<&Path>,
    context: &Context,
    make: impl FnOnce(&Path) -> Result<T, RepoError>,
) -> Result<T, Failure> {
    if let Some(wanted) = wanted {
        let wanted: PathBuf = context.directory.join(wanted);
        return make(&wanted).map_err(|error| repo_failure(&error));
    }
    let scratch = tempfile::Builder::new().prefix("baton-demo-").tempdir().map_err(|error| {
        Failure::new(
            Exit::Operational,
            format!("cannot make a directory in `{}`", std::env::temp_dir().display()),
        )
        .caused_by(error)
        .help("name a directory with `--dir DIR`, or set TMPDIR to one that can be written")
    })?;
    let demonstration = make(scratch.path()).map_err(|error| repo_failure(&error))?;
    // From here on there is something to look at.
    let _ = scratch.keep();
    Ok(demonstration)
}
