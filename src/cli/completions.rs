//! `baton completions SHELL`: a completion script on standard output.

use super::{Context, Exit, Failure};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Prints the script; it covers all verbs.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "baton", &mut script);
    context.output.stream(|out| out.write_all(&script))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_verbs() {
        for shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut super::super::command(), "baton", &mut script);
            let script = String::from_utf8(script).unwrap();
            for verb in ["init", "status", "logs", "doctor", "hold", "takeover", "completions", "man"] {
                assert!(script.contains(verb), "{shell}: {verb}");
            }
        }
    }
}
