//! When a provider serves again, read from the words of its refusal.
//!
//! A time of day counts only with a zone that needs no table (UTC, or an offset); without one it could mean any hour of
//! the day, and a wrong time is worse than none.

use std::sync::LazyLock;

use jiff::civil::Time;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use regex_automata::meta::Regex;
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;

/// Longer than any limit that providers have; what names more is no such time.
const LONGEST: SignedDuration = SignedDuration::from_hours(40 * 24);
/// A time that has just passed is believed: the limit has ended.
const JUST_PASSED: SignedDuration = SignedDuration::from_hours(24);

/// `resets at 2026-11-21T18:50:00Z`.
static DATED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"\b(20[0-9]{2}-[0-9]{2}-[0-9]{2}[t ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:z|[+-][0-9]{2}:?[0-9]{2}))",
    )
});
/// Seconds or milliseconds since 1970: `limit reached|1795200658`, `"resets_at":1795200658`.
static EPOCH: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"(?:\||reset[a-z_]*.{0,12}?|until.{0,4}?|retry.{0,12}?)\b(1[0-9]{9}(?:[0-9]{3})?)\b")
});
/// `try again in 3 hours 5 minutes`, `retry after 2s`, `retry-after: 3600`, `"retryDelay":"34.07s"`, `resets in 4h`.
static DELAY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(concat!(
        r#"(?:retry|retrydelay|try again|reset|resets|wait|available)["']?[ :=_-]{0,3}(?:again )?(?:after|in|for|delay)?["']?[ :=]{0,3}["']?"#,
        r"((?:[0-9]+(?:\.[0-9]+)? ?(?:ms|milliseconds?|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)\b?[ ,]*(?:and )?)+|[0-9]+\b)",
    ))
});
static PART: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]*)"));
/// `resets 6:50pm (UTC)`, `resets at 18:50 UTC`, `try again at 3 am (GMT+2)`.
static OF_DAY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(concat!(
        r"(?:reset|resets|again|until)(?: at)? (?:[a-z]{3,9},? )?([0-9]{1,2})(?::([0-9]{2}))?(?::[0-9]{2})? ?(am|pm)?",
        r" ?\(?(utc|gmt|z)?([+-][0-9]{1,2}(?::?[0-9]{2})?)?\b",
    ))
});

/// The time at which the provider serves again, if `text` (lower case) names one.
pub(super) fn find_reset_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    [dated(text), epoch(text), delayed(text, now), of_day(text, now)]
        .into_iter()
        .flatten()
        .find(|time| is_plausible(*time, now))
}

/// Whether a time can be that at which a limit ends.
pub(super) fn is_plausible(time: Timestamp, now: Timestamp) -> bool {
    let distance = time.duration_since(now);
    distance <= LONGEST && distance >= -JUST_PASSED
}

/// A time from a number of seconds, or of milliseconds, since 1970.
pub(super) fn from_epoch(number: i64) -> Option<Timestamp> {
    if number > 100_000_000_000 {
        Timestamp::from_millisecond(number)
    } else {
        Timestamp::from_second(number)
    }
    .ok()
}

fn dated(text: &str) -> Option<Timestamp> {
    let found = captures(&DATED, text)?;
    let told = group(&found, text, 1)?.to_ascii_uppercase();
    told.parse().ok()
}

fn epoch(text: &str) -> Option<Timestamp> {
    let found = captures(&EPOCH, text)?;
    from_epoch(group(&found, text, 1)?.parse().ok()?)
}

fn delayed(text: &str, now: Timestamp) -> Option<Timestamp> {
    let found = captures(&DELAY, text)?;
    let told = group(&found, text, 1)?;
    // `resets 6:50pm` and `resets 3am` are times of day.
    if text.get(found.get_group(1)?.end..).is_some_and(|rest| rest.trim_start().starts_with([':', 'a', 'p']))
    {
        return None;
    }
    let mut seconds = 0.0_f64;
    for part in PART.as_ref()?.captures_iter(told) {
        let number: f64 = group(&part, told, 1)?.parse().ok()?;
        let unit = group(&part, told, 2).unwrap_or_default();
        seconds += number * unit_seconds(unit);
    }
    now.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}

fn unit_seconds(unit: &str) -> f64 {
    match unit {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        _ if unit.starts_with('d') => 86_400.0,
        _ if unit.starts_with('h') => 3600.0,
        _ if unit.starts_with('m') => 60.0,
        _ => 1.0,
    }
}

fn of_day(text: &str, now: Timestamp) -> Option<Timestamp> {
    let found = captures(&OF_DAY, text)?;
    let hour: i8 = group(&found, text, 1)?.parse().ok()?;
    let minute: i8 = group(&found, text, 2).map_or(Ok(0), str::parse).ok()?;
    let hour = match group(&found, text, 3) {
        Some("pm") if hour < 12 => hour + 12,
        Some("am") if hour == 12 => 0,
        _ => hour,
    };
    let offset = match (group(&found, text, 4), group(&found, text, 5)) {
        (_, Some(offset)) => parse_offset(offset)?,
        (Some(_), None) => Offset::UTC,
        (None, None) => return None,
    };
    let zone = TimeZone::fixed(offset);
    let today = now.to_zoned(zone.clone()).date();
    let time = Time::new(hour, minute, 0, 0).ok()?;
    let on = |date: jiff::civil::Date| {
        date.to_datetime(time).to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
    };
    let first = on(today)?;
    if first >= now { Some(first) } else { on(today.tomorrow().ok()?) }
}

fn parse_offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("-", digits) => (-1, digits),
        (_, digits) => (1, digits),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() > 2 => digits.split_at(digits.len() - 2),
        None => (digits, "0"),
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// A pattern over bytes: the tables of Unicode are not built in.
pub(super) fn pattern(text: &str) -> Option<Regex> {
    Regex::builder().syntax(syntax::Config::new().unicode(false).utf8(false)).build(text).ok()
}

fn captures(regex: &LazyLock<Option<Regex>>, text: &str) -> Option<Captures> {
    let regex = regex.as_ref()?;
    let mut found = regex.create_captures();
    regex.captures(text, &mut found);
    found.is_match().then_some(found)
}

fn group<'a>(found: &Captures, text: &'a str, index: usize) -> Option<&'a str> {
    text.get(found.get_group(index)?.range())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("resets 6:50pm (utc)", "2026-11-21T18:50:00Z")]
    #[case("resets 3am (utc)", "2026-11-22T03:00:00Z")]
    #[case("resets at 12am utc", "2026-11-22T00:00:00Z")]
    #[case("resets 18:50 utc", "2026-11-21T18:50:00Z")]
    #[case("try again at 3:00 pm (gmt+2)", "2026-11-21T13:00:00Z")]
    #[case("resets at 9:30 -05:00", "2026-11-21T14:30:00Z")]
    #[case("resets 6:50pm (america/new_york)", "")]
    #[case("resets 6:50pm", "")]
    #[case("resets 25:00 utc", "")]
    #[case("your limit resets at 2026-11-21t18:50:00z", "2026-11-21T18:50:00Z")]
    #[case("until 2026-11-21t18:50:00.5+01:00", "2026-11-21T17:50:00.5Z")]
    #[case("resets at 2030-01-01t00:00:00z", "")]
    #[case("limit reached|1795270000", "2026-11-21T14:06:40Z")]
    #[case("\"resets_at\":1795270000", "2026-11-21T14:06:40Z")]
    #[case("resetsat: 1795270000000", "2026-11-21T14:06:40Z")]
    #[case("retry after 2s", "2026-11-21T12:00:02Z")]
    #[case("suggested retry after 1500ms", "2026-11-21T12:00:01.5Z")]
    #[case("retry-after: 3600", "2026-11-21T13:00:00Z")]
    #[case("\"retrydelay\":\"34.5s\"", "2026-11-21T12:00:34.5Z")]
    #[case("please try again in 1h23m45s.", "2026-11-21T13:23:45Z")]
    #[case("try again in 3 days, 4 hours and 5 minutes", "2026-11-24T16:05:00Z")]
    #[case("resets in 4h", "2026-11-21T16:00:00Z")]
    #[case("your quota will reset after 5h2m3s.", "2026-11-21T17:02:03Z")]
    #[case("try again in 99999999999 days", "")]
    #[case("please try again later", "")]
    #[case("", "")]
    fn times_are_found_in_words(#[case] text: &str, #[case] expected: &str) {
        let found = find_reset_time(text, "2026-11-21T12:00:00Z".parse().unwrap());
        assert_eq!(found.map_or(String::new(), |time| time.to_string()), expected);
    }

    #[test]
    fn the_patterns_are_ones() {
        for regex in [&DATED, &EPOCH, &DELAY, &PART, &OF_DAY] {
            assert!(regex.is_some());
        }
    }
}
