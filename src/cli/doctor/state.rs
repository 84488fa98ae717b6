//! The state file, and the newest valid version of one that cannot be read.

use jiff::Timestamp;

use super::Site;
use super::finding::Finding;
use super::setup::chain;
use crate::config::Config;
use crate::model::State;
use crate::publish::RepoPath;
use crate::runner::{JournalledState, newest_journalled};
use crate::state::{self, StateError, StateFile};

pub(super) fn examine(site: &Site<'_>) -> Vec<Finding> {
    let Some(config) = site.config() else { return Vec::new() };
    let file = StateFile::new(&site.root, &config.state_file);
    let shown = config.state_file.display();
    vec![match file.read() {
        Ok(Some(state)) => healthy(&state, site.context.ambient.now()),
        Ok(None) => match newest_valid(site, config) {
            Some(found) => {
                Finding::fail("state", format!("{shown} is gone, and turns were taken here before")).remedy(
                    format!(
                        "`baton doctor --fix` restores {}; otherwise the loop begins at iteration 1",
                        found.source
                    ),
                )
            }
            None => Finding::ok("state", format!("no {shown} yet; the first turn makes it")),
        },
        Err(error @ StateError::Unreadable { .. }) => {
            let finding = Finding::fail("state", error.to_string());
            match newest_valid(site, config) {
                Some(found) => finding.remedy(format!(
                    "`baton doctor --fix` restores {}, and keeps the broken file beside it",
                    found.source
                )),
                None => finding.remedy(format!(
                    "no valid version is in the journal or in git: mend {shown} by hand; it is never reset"
                )),
            }
        }
        Err(error) => Finding::fail("state", chain(&error)).remedy("make it readable for this user"),
    }]
}

pub(super) fn healthy(state: &State, now: Timestamp) -> Finding {
    let mut what =
        format!("iteration {}, {}'s turn, status {}", state.iteration, state.expected_actor, state.status);
    let held = state.holds.iter().filter(|hold| hold.stands(now)).count();
    if state.exit {
        what.push_str(", stopped");
    }
    if held > 0 {
        what.push_str(", held");
    }
    if state.exit || held > 0 {
        return Finding::warn("state", what, "`baton status` tells what blocks and how to clear it");
    }
    Finding::ok("state", what)
}

/// The newest state that can be vouched for, from the journal or from git; never a fresh one.
pub(super) fn newest_valid(site: &Site<'_>, config: &Config) -> Option<JournalledState> {
    let candidates = [from_journal(site), from_git(site, config)];
    candidates.into_iter().flatten().max_by_key(|found| (found.state.epoch, found.state.last_update))
}

fn from_journal(site: &Site<'_>) -> Option<JournalledState> {
    newest_journalled(&site.ledger()?, &site.context.ambient)
}

fn from_git(site: &Site<'_>, config: &Config) -> Option<JournalledState> {
    let repo = site.repo()?;
    let path = RepoPath::from_path(&repo.prefix().as_path().join(&config.state_file));
    let version = repo.newest_version(&path, |bytes| state::parse(bytes).ok()).ok()??;
    Some(JournalledState {
        state: version.found,
        source: format!("the version of commit {}", version.commit),
    })
}
