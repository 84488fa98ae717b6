//! What this clone has seen of the lease of a turn that runs elsewhere.

use std::time::Duration;

use super::super::watch::WatchFile;
use crate::ambient::Ambient;
use crate::ledger::{Home, HomeError};
use crate::model::{State, Token};
use crate::repo::LeaseSeen;
use crate::turn::sync::{LeaseHealth, LeaseSight, LeaseWatch, lease_length};

/// A lease as this clone knows it after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// What follows from it.
    pub health: LeaseHealth,
    /// What it rests on.
    pub watched: Watched,
    /// The lease's length.
    pub length: Duration,
}

/// How a look compares with the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// There is no lease to watch: nobody runs, a hold stands, or the earlier scripts run, which have none.
    Nothing,
    /// It was the first look at this turn since this machine was started.
    Begun,
    /// The holder has given a sign of life since the look before.
    Renewed,
    /// No sign of life in this time, by this machine's own clock.
    Unchanged(Duration),
}

/// Compares a look with what was watched before, and keeps it for the next one.
///
/// Who does not have the seat's lock may call it too: at worst a watch begins anew, which delays a takeover.
pub fn watch_lease(
    home: &Home,
    state: &State,
    lease: Option<&LeaseSeen>,
    configured: Duration,
    ambient: &Ambient,
) -> Result<Sight, HomeError> {
    let length = lease_length(state, configured);
    let file = WatchFile::of(home, state.expected_actor);
    let token = lease.map(|lease| lease.token.clone().map(Token::from_text));
    let renewal = lease.zip(token.as_ref()).map(|(lease, token)| (lease.id.as_str(), token.as_ref()));
    let Some(sight) = LeaseSight::of(state, renewal, ambient.now()) else {
        file.write(None)?;
        return Ok(Sight { health: LeaseHealth::Unwatched, watched: Watched::Nothing, length });
    };
    let (previous, uptime) = (file.read(), ambient.uptime());
    let watch = LeaseWatch::see(previous.as_ref(), sight, &ambient.boot_id(), uptime);
    file.write(Some(&watch))?;
    let watched = match &previous {
        Some(previous) if previous == &watch => Watched::Unchanged(watch.unchanged_for(uptime)),
        Some(previous) if watch.shows_life_since(previous) => Watched::Renewed,
        Some(_) | None => Watched::Begun,
    };
    Ok(Sight { health: watch.health(length, uptime), watched, length })
}
