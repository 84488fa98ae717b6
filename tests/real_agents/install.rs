//! Installs the pinned versions into a cache directory, once. This alone uses the network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Names the cache directory; without it, it is below the build directory.
const CACHE_VARIABLE: &str = "BATON_AGENTS_CACHE";

/// Where a CLI comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Package {
    /// `name@version` of the npm registry.
    Npm(&'static str),
    /// `name==version` of PyPI.
    PyPi(&'static str),
}

fn cache() -> PathBuf {
    std::env::var_os(CACHE_VARIABLE)
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/real-agents"), PathBuf::from)
}

/// The program of a CLI, installed if it is not there yet.
pub(crate) fn install(name: &str, package: Package, program: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (Package::Npm(wanted) | Package::PyPi(wanted)) = package;
    let place = cache().join(name);
    let (program, note) = (place.join(program), place.join("installed"));
    if fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) && program.exists() {
        return program;
    }
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    match package {
        Package::Npm(package) => {
            let place = place.to_str().unwrap();
            run(
                "npm",
                &["install", "--prefix", place, "--no-audit", "--no-fund", "--loglevel=error", package],
            );
        }
        Package::PyPi(package) => {
            run("python3", &["-m", "venv", place.to_str().unwrap()]);
            run(place.join("bin/pip").to_str().unwrap(), &["install", "--quiet", package]);
        }
    }
    assert!(program.exists(), "{} was installed, but {} is not there", wanted, program.display());
    fs::write(note, wanted).unwrap();
    program
}

fn run(program: &str, arguments: &[&str]) {
    let ran = Command::new(program).args(arguments).output();
    let ran = ran.unwrap_or_else(|error| panic!("this suite needs `{program}`: {error}"));
    assert!(
        ran.status.success(),
        "`{program} {}` failed; this suite installs from the npm registry and from PyPI:\n{}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// A file below a home directory.
pub(crate) fn place_file(home: &Path, path: &str, content: &str) {
    let path = home.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}
