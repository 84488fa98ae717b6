//! `baton __supervise DIR`: the hidden verb of the process that owns an agent.

use std::process::ExitCode;

use crate::exec;

/// Becomes a supervisor when the command line says so. Asked before anything else is set up, since every attempt
/// pays for this start.
pub(super) fn supervise_if_asked() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    (words.next()? == exec::SUPERVISE_VERB).then(|| exec::supervise(words.next()))
}
