//! Where logs and summaries lie, and what they are called: names that the earlier scripts' users know.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::model::{Actor, PromptName};

/// The log directory's name for runs that look at no repository.
pub const NO_BRANCH: &str = "no-branch";

/// The files of one turn, relative to the workspace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TurnFiles {
    /// Raw output of the agent between lines of ours.
    pub log: PathBuf,
    /// The summary for people and for the next turn.
    pub summary: PathBuf,
}

/// `logs/<branch>/galph/iter-00017_20261121_063000.log`, for ralph with the prompt's stem, and the summary beside.
///
/// `taken` says which names are in use, so that two turns which begin within one second get different ones.
#[must_use]
pub fn turn_files(
    logs_dir: &Path,
    branch: Option<&str>,
    actor: Actor,
    iteration: u64,
    prompt: &PromptName,
    at: Timestamp,
    taken: impl Fn(&Path) -> bool,
) -> TurnFiles {
    let branch = branch.map_or_else(|| NO_BRANCH.to_owned(), |name| name.replace('/', "-"));
    let base = logs_dir.join(branch);
    let time = at.strftime("%Y%m%d_%H%M%S");
    let files = |attempt: u32| {
        let again = if attempt == 1 { String::new() } else { format!("-{attempt}") };
        let stem = format!("iter-{iteration:05}_{time}{again}");
        let log = match actor {
            Actor::Galph => format!("{stem}.log"),
            Actor::Ralph => format!("{stem}_{}.log", prompt.label()),
        };
        TurnFiles {
            log: base.join(actor.as_str()).join(log),
            summary: base.join(format!("{actor}-summaries")).join(format!("{stem}-summary.md")),
        }
    };
    let mut attempt = 1;
    while taken(&files(attempt).log) || taken(&files(attempt).summary) {
        attempt += 1;
    }
    files(attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-11-21T06:30:05Z".parse().unwrap()
    }

    fn prompt(name: &str) -> PromptName {
        name.parse().unwrap()
    }

    fn files(actor: Actor, taken: impl Fn(&Path) -> bool) -> TurnFiles {
        turn_files(Path::new("logs"), Some("feature/x"), actor, 17, &prompt("sub/main.md"), at(), taken)
    }

    #[test]
    fn logs_and_summaries_have_the_names_that_people_know() {
        let galph = files(Actor::Galph, |_| false);
        assert_eq!(galph.log, Path::new("logs/feature-x/galph/iter-00017_20261121_063005.log"));
        assert_eq!(
            galph.summary,
            Path::new("logs/feature-x/galph-summaries/iter-00017_20261121_063005-summary.md")
        );
        let ralph = files(Actor::Ralph, |_| false);
        assert_eq!(ralph.log, Path::new("logs/feature-x/ralph/iter-00017_20261121_063005_sub-main.log"));
    }

    #[test]
    fn a_second_turn_within_a_second_gets_names_of_its_own() {
        let first = files(Actor::Galph, |_| false);
        let second = files(Actor::Galph, |path| path == first.log);
        assert_eq!(second.log, Path::new("logs/feature-x/galph/iter-00017_20261121_063005-2.log"));
    }

    #[test]
    fn without_a_branch_the_directory_says_so() {
        let files = turn_files(Path::new("logs"), None, Actor::Galph, 1, &prompt("p.md"), at(), |_| false);
        assert_eq!(files.log, Path::new("logs/no-branch/galph/iter-00001_20261121_063005.log"));
    }
}
