//! `baton man`: the manual, on standard output or as one page a verb in a directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Context, Exit, Failure};

/// Print the manual page, or write all pages into a directory
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write `baton.1` and a page for each verb into DIR
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the main page, or writes all of them.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let Some(dir) = &args.dir else {
        return context.output.stream(|out| clap_mangen::Man::new(super::command()).render(out));
    };
    let dir = context.directory.join(dir);
    let names = write_pages(&dir).map_err(|error| {
        Failure::new(Exit::Operational, format!("cannot write manual pages into `{}`", dir.display()))
            .caused_by(error)
            .help("give a directory that is writable for you with `--dir DIR`")
    })?;
    context.output.say(format!("Wrote {} manual pages into {}", names.len(), dir.display()));
    Ok(Exit::Done)
}

fn write_pages(dir: &Path) -> io::Result<Vec<String>> {
    fs::create_dir_all(dir)?;
    let mut command = super::command();
    command.build();
    let mut names = Vec::new();
    write_page(dir, &command, "baton", &mut names)?;
    Ok(names)
}

fn write_page(dir: &Path, command: &clap::Command, name: &str, names: &mut Vec<String>) -> io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone().name(name.to_owned())).render(&mut page)?;
    fs::write(dir.join(format!("{name}.1")), page)?;
    names.push(name.to_owned());
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        write_page(dir, verb, &format!("{name}-{}", verb.get_name()), names)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_has_a_page_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let names = write_pages(&dir.path().join("man1")).unwrap();
        for name in ["baton", "baton-init", "baton-status", "baton-hold", "baton-hold-clear"] {
            assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
            let page = fs::read_to_string(dir.path().join(format!("man1/{name}.1"))).unwrap();
            assert!(page.contains(".TH"), "{name}: {page}");
        }
        assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
    }
}
