//! aider's line about an answer: `Tokens: 1.2k sent, 3.4k cache hit, 56 received. Cost: $0.0045 message, $0.01 session.`

use crate::model::Usage;

/// What one such line tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Report {
    /// Tokens of this answer; of thousands and millions one decimal is told.
    pub(super) usage: Usage,
    /// US dollars for this answer, where the model's price is known.
    pub(super) message_cost: Option<f64>,
    /// US dollars for the whole run so far.
    pub(super) session_cost: Option<f64>,
}

/// Reads the line; `None` where it is another one.
pub(super) fn read_report(line: &str) -> Option<Report> {
    let counts = line.trim().strip_prefix("Tokens: ")?;
    let (tokens, costs) = counts.split_once(" received.")?;
    let mut usage = Usage::default();
    let mut received = None;
    for part in tokens.split(", ") {
        match part.trim().split_once(' ') {
            Some((number, "sent")) => usage.input_tokens = read_count(number)?,
            Some((number, "cache hit")) => usage.cached_tokens = read_count(number)?,
            Some((number, _)) => _ = read_count(number)?,
            None => received = Some(read_count(part)?),
        }
    }
    usage.output_tokens = received?;
    // What came from a cache was sent too.
    usage.input_tokens = usage.input_tokens.max(usage.cached_tokens);
    let cost = |what: &str| {
        costs.trim().trim_start_matches("Cost:").trim_end_matches('.').split(", ").find_map(|part| {
            let amount = part.trim().strip_suffix(what)?.trim().strip_prefix('$')?;
            amount.replace(',', "").parse::<f64>().ok().filter(|cost| cost.is_finite() && *cost >= 0.0)
        })
    };
    Some(Report { usage, message_cost: cost("message"), session_cost: cost("session") })
}

/// `56`, `1.2k`, `3.4M`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "such a cast saturates")]
fn read_count(text: &str) -> Option<u64> {
    let (digits, unit) = match text.trim().char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], 1e3),
        (at, 'm' | 'M') => (&text[..at], 1e6),
        _ => (text, 1.0),
    };
    let number: f64 = digits.replace(',', "").parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number * unit).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "Tokens: 1.2k sent, 56 received. Cost: $0.0045 message, $0.0145 session.",
        1_200,
        0,
        56,
        Some(0.0045),
        Some(0.0145)
    )]
    #[case(
        "Tokens: 12k sent, 8.0k cache write, 9.1k cache hit, 5.6k received.",
        12_000,
        9_100,
        5_600,
        None,
        None
    )]
    #[case(
        "Tokens: 1.5M sent, 1 received. Cost: $12.34 message, $1,234.50 session.",
        1_500_000,
        0,
        1,
        Some(12.34),
        Some(1234.5)
    )]
    #[case("Tokens: 999 sent, 0 received. Cost: $", 999, 0, 0, None, None)]
    fn a_report_is_read(
        #[case] line: &str,
        #[case] sent: u64,
        #[case] cached: u64,
        #[case] received: u64,
        #[case] message: Option<f64>,
        #[case] session: Option<f64>,
    ) {
        let report = read_report(line).unwrap();
        let counts = (report.usage.input_tokens, report.usage.cached_tokens, report.usage.output_tokens);
        assert_eq!(counts, (sent, cached, received));
        assert_eq!((report.message_cost, report.session_cost), (message, session));
    }

    #[rstest]
    #[case("Tokens: are what the parser makes")]
    #[case("Tokens: 5 sent")]
    #[case("Tokens: 5 sent, 5")]
    #[case("Tokens: 5 sent, 5 received")]
    #[case("Tokens: -1 sent, 5 received.")]
    #[case("Tokens: NaN sent, 5 received.")]
    #[case("the line says Tokens: 5 sent, 5 received.")]
    fn another_line_is_none(#[case] line: &str) {
        assert_eq!(read_report(line), None);
    }
}
