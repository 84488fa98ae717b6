//! The record of a seat's ticks, as `status` and `doctor` tell it.

use jiff::Timestamp;

use super::words::{ago, in_words, moment, one_line};
use crate::mode::{TickRecord, Ticked};

/// One line; empty where there never was a tick.
pub(crate) fn tell_ticks(record: &TickRecord, now: Timestamp) -> String {
    let Some(last) = record.starts.last() else { return String::new() };
    let usual =
        record.usual().map_or_else(String::new, |usual| format!(", every {}", in_words(usual.as_secs())));
    let silent =
        if record.silent(now).is_some() { "; since then none has come that should have" } else { "" };
    let count = |count: u64, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
    format!(
        "last {} ({}{usual}): {}{silent}; {} so far{}{}{}",
        moment(*last),
        ago(*last, now),
        one_line(&record.said),
        record.count,
        count(record.overlapped, "overlapped"),
        count(record.missed, "missed"),
        count(record.offline, "in a row offline"),
    )
}

/// Whether a person should look: none comes any more, the last one failed, or nothing has answered for long.
pub(crate) fn is_worth_a_look(record: &TickRecord, now: Timestamp) -> bool {
    /// Shorter outages pass.
    const OFFLINE: u64 = 3;
    record.silent(now).is_some() || record.last == Some(Ticked::Failed) || record.offline >= OFFLINE
}
