//! The state file, and the newest valid version of one that cannot be read.

use jiff::Timestamp;

use super::Site;
use super::finding::Finding;
use super::setup::chain;
use crate::config::Config;
use crate::ledger::TurnFilter;
use crate::model::State;
use crate::publish::RepoPath;
use crate::runner::{JournalledState, machine_id, state_left_by};
use crate::state::{self, StateError, StateFile};

/// How far back the journal is searched.
const TURNS: u32 = 50;

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
    let ledger = site.ledger()?;
    let machine = machine_id(&site.context.ambient);
    let turns = ledger.turns(TurnFilter { actor: None, limit: TURNS }).ok()?;
    for turn in turns.iter().filter(|turn| turn.opening.machine == machine) {
        // Who fenced a turn off has gone on from there: what the journal knows is older than that.
        if turn.closing.as_ref().is_some_and(|closing| closing.class == "fenced") {
            return None;
        }
        let journal = ledger.phases(turn.opening.id).ok()?;
        if let Some(found) = state_left_by(turn, &journal, &site.context.ambient).ok()? {
            return Some(found);
        }
    }
    None
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
