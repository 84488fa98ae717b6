//! The logs of references: one line for each time that one has moved.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use git2::{Repository, Signature};

/// Who is told in a log, at the system's now.
pub(super) fn writer(git: &Repository) -> io::Result<Signature<'static>> {
    let who = git.signature().or_else(|_| Signature::now("unknown", "unknown"));
    who.map_err(|error| io::Error::other(error.message().to_owned()))
}

/// The line for a move from one object to another. `seconds`: since 1970.
pub(super) fn log_line(who: &Signature<'_>, seconds: i64, (from, to): (&str, &str), log: &str) -> String {
    let (name, email) = (who.name().unwrap_or("unknown"), who.email().unwrap_or("unknown"));
    format!("{from} {to} {name} <{email}> {seconds} +0000\t{log}\n")
}

/// Whether git begins a log for this reference; it goes on with one that is there in any case.
pub(super) fn is_wanted(git: &Repository, reference: &str) -> bool {
    let setting = git.config().and_then(|config| config.get_string("core.logallrefupdates"));
    let is_of_a_kind =
        ["refs/heads/", "refs/remotes/", "refs/notes/"].iter().any(|kind| reference.starts_with(kind));
    setting.map_or(is_of_a_kind, |value| {
        value.eq_ignore_ascii_case("always")
            || is_of_a_kind && git2::Config::parse_bool(value).unwrap_or(true)
    })
}

/// A log after a line was put to it.
pub(super) struct Appended {
    pub(super) file: File,
    pub(super) is_new: bool,
}

/// Puts a line to a log. `None`: there is none, and none is wanted.
pub(super) fn append(log: &Path, line: &str, wanted: bool) -> io::Result<Option<Appended>> {
    let write = |mut file: File, is_new| {
        file.write_all(line.as_bytes())?;
        Ok(Some(Appended { file, is_new }))
    };
    match File::options().append(true).open(log) {
        Ok(file) => write(file, false),
        Err(error) if error.kind() == ErrorKind::NotFound && wanted => {
            log.parent().map_or(Ok(()), fs::create_dir_all)?;
            write(File::options().append(true).create(true).open(log)?, true)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
