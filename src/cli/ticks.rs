//! The record of a seat's ticks, as `status` and `doctor` tell it.

use jiff::Timestamp;

use super::words::{ago, in_words, moment, one_line};
use crate::mode::{TickRecord, Ticked};

/// One line; empty where there never was a tick.
pub(crate) fn tell_ticks(record: &TickRecord, now: Timestamp) -> String {
    let Some(last) = record.starts.last() else { return String::new() };
    let usual = record
        .usual()
        .map_or_else(String::new, |usual| format!(", every {}", in_words(rounded(usual.as_secs()))));
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

/// Cron is late by a second here and there.
const fn rounded(seconds: u64) -> u64 {
    if seconds < 60 { seconds } else { (seconds + 30) / 60 * 60 }
}

/// Whether a person should look: none comes any more, the last one failed, or nothing has answered for long.
pub(crate) fn is_worth_a_look(record: &TickRecord, now: Timestamp) -> bool {
    /// Shorter outages pass.
    const OFFLINE: u64 = 3;
    record.silent(now).is_some() || record.last == Some(Ticked::Failed) || record.offline >= OFFLINE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_told_in_a_line_and_silence_is_worth_a_look() {
        let at = |minute: i64| Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap();
        let record = [0, 5, 10, 15, 20].into_iter().fold(TickRecord::default(), |record, minute| {
            record.after(at(minute), Ticked::Nothing, "galph: nothing to do: it is ralph's turn")
        });
        assert_eq!(
            tell_ticks(&record, at(22)),
            "last 2027-01-15T08:20:00Z (2 min ago, every 5 min): galph: nothing to do: it is ralph's turn; 5 so far"
        );
        assert!(!is_worth_a_look(&record, at(22)) && is_worth_a_look(&record, at(40)));
        let late = record.after(at(60), Ticked::Overlapped, "busy");
        assert_eq!(
            tell_ticks(&late, at(80)),
            "last 2027-01-15T09:00:00Z (20 min ago, every 5 min): busy; since then none has come that should have; 6 so far, \
             1 overlapped, 7 missed"
        );
        assert_eq!(tell_ticks(&TickRecord::default(), at(0)), "");
        assert!(is_worth_a_look(&TickRecord::default().after(at(0), Ticked::Failed, "x"), at(0)));
    }
}
