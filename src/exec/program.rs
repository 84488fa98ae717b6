//! Finds the program of an attempt the way `execvp` would, in the attempt's own `PATH`, and names what is wrong.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::exit_record::{SpawnFailure, SpawnFailureKind};

/// Where programs are sought when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The file to execute. A name without a `/` is sought in `path`; relative ones start at `cwd`.
pub(super) fn find_program(name: &OsStr, path: Option<&OsStr>, cwd: &Path) -> Result<PathBuf, SpawnFailure> {
    let shown = name.display();
    if name.as_bytes().contains(&b'/') {
        let file = cwd.join(name);
        return match look_at(&file) {
            Found::Executable => Ok(file),
            Found::NotExecutable => Err(failure(
                SpawnFailureKind::NotExecutable,
                Errno::ACCESS,
                format!("`{shown}` is not executable"),
            )),
            Found::Nothing => {
                Err(failure(SpawnFailureKind::NotFound, Errno::NOENT, format!("`{shown}` does not exist")))
            }
        };
    }
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut refused = None;
    for folder in std::env::split_paths(path) {
        let file = cwd.join(folder).join(name);
        match look_at(&file) {
            Found::Executable => return Ok(file),
            Found::NotExecutable => refused = refused.or(Some(file)),
            Found::Nothing => {}
        }
    }
    Err(match refused {
        Some(file) => failure(
            SpawnFailureKind::NotExecutable,
            Errno::ACCESS,
            format!("`{}` is not executable", file.display()),
        ),
        None => failure(
            SpawnFailureKind::NotFound,
            Errno::NOENT,
            format!("`{shown}` is not installed: no such program in PATH ({})", path.display()),
        ),
    })
}

enum Found {
    Executable,
    NotExecutable,
    Nothing,
}

fn look_at(file: &Path) -> Found {
    match std::fs::metadata(file) {
        Ok(metadata) if metadata.is_file() && access(file, Access::EXEC_OK).is_ok() => Found::Executable,
        Ok(_) => Found::NotExecutable,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Found::NotExecutable,
        Err(_) => Found::Nothing,
    }
}

/// What the system's refusal to start an existing program means.
pub(super) fn explain_refusal(error: &io::Error, program: &Path, cwd: &Path) -> SpawnFailure {
    let shown = program.display();
    if !cwd.is_dir() || access(cwd, Access::EXEC_OK).is_err() {
        return SpawnFailure {
            reason: SpawnFailureKind::NoWorkingDirectory,
            errno: error.raw_os_error(),
            message: format!("cannot enter the working directory `{}`: {error}", cwd.display()),
        };
    }
    let (reason, message) = match Errno::from_io_error(error) {
        Some(Errno::NOENT) => (
            SpawnFailureKind::NoInterpreter,
            format!("`{shown}` names an interpreter in its first line, or a loader, that does not exist"),
        ),
        Some(Errno::ACCESS) => (SpawnFailureKind::NotExecutable, format!("`{shown}` may not be executed")),
        Some(Errno::NOEXEC) => (
            SpawnFailureKind::NotAProgram,
            format!("`{shown}` is neither a program of this machine nor a script that begins with `#!`"),
        ),
        Some(Errno::TOOBIG) => {
            (SpawnFailureKind::TooLong, format!("the arguments and environment of `{shown}` are too long"))
        }
        _ => (SpawnFailureKind::Other, format!("cannot start `{shown}`: {error}")),
    };
    SpawnFailure { reason, errno: error.raw_os_error(), message }
}

/// What it means that the file for standard input cannot be opened.
pub(super) fn explain_no_input(error: &io::Error, file: &Path) -> SpawnFailure {
    SpawnFailure {
        reason: SpawnFailureKind::NoInput,
        errno: error.raw_os_error(),
        message: format!("cannot read the input file `{}`: {error}", file.display()),
    }
}

fn failure(reason: SpawnFailureKind, errno: Errno, message: String) -> SpawnFailure {
    SpawnFailure { reason, errno: Some(errno.raw_os_error()), message }
}

/// The value of the marker inside the attempt: the attempts around it, then its own id.
pub(super) fn marker_inside(around: Option<&OsStr>, attempt: &str) -> OsString {
    let mut value = marker_around(around, attempt).unwrap_or_default();
    if !value.is_empty() {
        value.push(":");
    }
    value.push(attempt);
    value
}

/// The value of the marker around the attempt: without its own id; `None` when nothing is left.
pub(super) fn marker_around(value: Option<&OsStr>, attempt: &str) -> Option<OsString> {
    let kept: Vec<&[u8]> = value?
        .as_bytes()
        .split(|byte| *byte == b':')
        .filter(|one| !one.is_empty() && *one != attempt.as_bytes())
        .collect();
    (!kept.is_empty()).then(|| OsStr::from_bytes(&kept.join(&b':')).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::unix::fs::PermissionsExt;

    #[rstest]
    #[case(None, "in")]
    #[case(Some(""), "in")]
    #[case(Some("in"), "in")]
    #[case(Some("out"), "out:in")]
    #[case(Some("out:mid"), "out:mid:in")]
    #[case(Some("out:in"), "out:in")]
    fn the_marker_names_the_attempts_around(#[case] inherited: Option<&str>, #[case] expected: &str) {
        assert_eq!(marker_inside(inherited.map(OsStr::new), "in"), expected);
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in [("plain", 0o644), ("tool", 0o755)] {
            let file = folder.path().join(name);
            std::fs::write(&file, "x").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        folder
    }

    #[rstest]
    #[case("tool", "tool")]
    #[case("./tool", "./tool")]
    fn a_program_is_found_in_path_and_by_path(#[case] name: &str, #[case] expected: &str) {
        let folder = folder();
        let found = find_program(name.as_ref(), Some(folder.path().as_os_str()), folder.path()).unwrap();
        assert_eq!(found, folder.path().join(expected));
    }

    #[rstest]
    #[case("none", SpawnFailureKind::NotFound, "`none` is not installed: no such program in PATH (DIR)")]
    #[case("plain", SpawnFailureKind::NotExecutable, "`DIR/plain` is not executable")]
    #[case("./none", SpawnFailureKind::NotFound, "`./none` does not exist")]
    #[case("./plain", SpawnFailureKind::NotExecutable, "`./plain` is not executable")]
    #[case("./", SpawnFailureKind::NotExecutable, "`./` is not executable")]
    fn what_cannot_run_is_named(#[case] name: &str, #[case] reason: SpawnFailureKind, #[case] text: &str) {
        let folder = folder();
        let refused =
            find_program(name.as_ref(), Some(folder.path().as_os_str()), folder.path()).unwrap_err();
        assert_eq!(refused.reason, reason);
        assert_eq!(refused.message.replace(&folder.path().display().to_string(), "DIR"), text);
    }
}
