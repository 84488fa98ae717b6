//! `baton doctor --fix`: repairs what is safe, under the locks of both seats and of the work tree.

use super::Site;
use super::attempts::{end, find_orphans};
use super::setup::exclude_patterns;
use super::state::newest_valid;
use crate::cli::failures::{repo_failure, state_failure};
use crate::cli::workspace::state_file;
use crate::cli::{Exit, Failure};
use crate::ledger::{Home, HomeError, Lock};
use crate::model::Actor;
use crate::state::{Restored, StateError};

/// Repairs, and says each repair in words.
pub(super) fn repair(site: &Site<'_>) -> Result<Vec<String>, Failure> {
    let _locks = lock(site)?;
    let mut repairs = Vec::new();
    if let (Some(repo), Some(config)) = (site.repo(), site.config()) {
        let patterns = exclude_patterns(repo, config);
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let added = repo.exclude(&patterns).map_err(|error| repo_failure(&error))?;
        if !added.is_empty() {
            repairs.push(format!("excludes: {} added to info/exclude", added.join(" and ")));
        }
    }
    repairs.extend(restore_state(site)?);
    repairs.extend(super::remote::repair(site)?);
    if let Some(records) = &site.records {
        let orphans = find_orphans(site, records).map_err(|told| {
            Failure::new(Exit::Operational, format!("the attempts cannot be looked at: {told}"))
                .help("`baton doctor` without `--fix` says more")
        })?;
        for orphan in &orphans {
            let done =
                end(orphan, site, records).map_err(|error| Failure::from_error(Exit::Operational, &error))?;
            repairs.push(done);
        }
    }
    Ok(repairs)
}

/// Nobody may begin a turn meanwhile.
fn lock(site: &Site<'_>) -> Result<Vec<Lock>, Failure> {
    let ambient = &site.context.ambient;
    let home = match (&site.records, site.repo()) {
        (Some(records), _) => records.home.clone(),
        (None, Some(repo)) => Home::of_work_tree(repo.git_dir(), repo.root()),
        (None, None) => Home::in_state_directory(&site.root, ambient).map_err(|error| busy(&error))?,
    };
    let take = || {
        home.create()?;
        let mut locks = vec![Lock::on_work_tree(&site.root)?];
        for actor in Actor::ALL {
            locks.push(home.lock_seat(actor, ambient)?);
        }
        Ok(locks)
    };
    take().map_err(|error: HomeError| busy(&error))
}

fn busy(error: &HomeError) -> Failure {
    let failure = Failure::from_error(Exit::Operational, error);
    match error {
        HomeError::Busy { .. } => failure
            .help("`--fix` changes nothing while a turn may run: let it end, or stop it, and try again"),
        HomeError::NoStateDirectory => failure.help("set HOME or XDG_STATE_HOME"),
        HomeError::Unusable { .. } => failure.help("make the directory writable for this user"),
    }
}

fn restore_state(site: &Site<'_>) -> Result<Option<String>, Failure> {
    let Some(config) = site.config() else { return Ok(None) };
    let file = state_file(&site.root, &config.state_file);
    match file.read() {
        Ok(Some(_)) => return Ok(None),
        Ok(None) | Err(StateError::Unreadable { .. }) => {}
        Err(error) => return Err(state_failure(&error)),
    }
    // Without a valid version the finding stands, with its remedy: a fresh state would be a guess.
    let Some(found) = newest_valid(site, config) else { return Ok(None) };
    let label = site.context.ambient.now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let shown = config.state_file.display();
    Ok(match file.restore(&found.state, &label).map_err(|error| state_failure(&error))? {
        Restored::Intact => None,
        Restored::Written { kept } => {
            let kept = kept
                .and_then(|kept| Some(kept.file_name()?.to_string_lossy().into_owned()))
                .map_or_else(String::new, |name| format!("; the broken file is kept beside it as {name}"));
            let state = &found.state;
            Some(format!(
                "state: {shown} restored from {}: iteration {}, {}'s turn, status {}{kept}; holds and stops set by hand \
                 since then are not in it",
                found.source, state.iteration, state.expected_actor, state.status
            ))
        }
    })
}
