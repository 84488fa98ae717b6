//! Values as people read them, on one line: durations, and what others wrote without control characters.

use jiff::Timestamp;

/// Whole seconds as the two largest units that matter: `42 s`, `3 min 5 s`, `2 h 7 min`, `3 d 4 h`.
pub(crate) fn in_words(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match seconds {
        DAY.. => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        HOUR.. => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
        MINUTE.. => two(seconds / MINUTE, "min", seconds % MINUTE, "s"),
        _ => format!("{seconds} s"),
    }
}

/// A moment to the second, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How long ago `then` was. Another machine's clock may run ahead of ours: that is `just now`.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    match u64::try_from(now.duration_since(then).as_secs()) {
        Ok(0) | Err(_) => "just now".to_owned(),
        Ok(seconds) => format!("{} ago", in_words(seconds)),
    }
}

/// The first line of a text that an agent or another machine wrote: what could steer the terminal is replaced.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// Seconds of work, with tenths while they matter.
pub(crate) fn worked(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    in_words(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, "0 s")]
    #[case(59, "59 s")]
    #[case(60, "1 min")]
    #[case(185, "3 min 5 s")]
    #[case(7_620, "2 h 7 min")]
    #[case(86_400 * 3 + 3_600 * 4, "3 d 4 h")]
    fn the_two_largest_units_are_enough(#[case] seconds: u64, #[case] text: &str) {
        assert_eq!(in_words(seconds), text);
    }

    #[test]
    fn what_could_steer_the_terminal_is_replaced() {
        assert_eq!(one_line("a\u{1b}[2Jb\u{9b}c\nd"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(one_line(""), "");
    }

    #[test]
    fn a_clock_that_runs_ahead_is_no_negative_time() {
        let now = Timestamp::from_second(1_000).unwrap();
        assert_eq!(ago(Timestamp::from_second(940).unwrap(), now), "1 min ago");
        assert_eq!(ago(Timestamp::from_second(2_000).unwrap(), now), "just now");
        assert_eq!(worked(12.34), "12.3 s");
        assert_eq!(worked(f64::from(90)), "1 min 30 s");
    }
}
