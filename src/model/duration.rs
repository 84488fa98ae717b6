//! Durations as people write them: `90s`, `20m`, `2h`, or plain seconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time with the spelling of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

/// The text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: write `90s`, `20m`, `2h`, `1d`, `250ms`, or plain seconds")]
pub struct ParseSpanError(pub String);

impl Span {
    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Whether the span is zero, which for limits means "none".
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl FromStr for Span {
    type Err = ParseSpanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseSpanError(text.to_owned());
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let scale = match unit {
            "" | "s" => 1.0,
            "ms" => 0.001,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(refuse()),
        };
        let value: f64 = number.parse().map_err(|_| refuse())?;
        Duration::try_from_secs_f64(value * scale).map(Self).map_err(|_| refuse())
    }
}

impl fmt::Display for Span {
    /// The largest unit that divides the span; what is read back is the same span.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match millis {
            0 => f.write_str("0s"),
            m if m % 86_400_000 == 0 => write!(f, "{}d", m / 86_400_000),
            m if m % 3_600_000 == 0 => write!(f, "{}h", m / 3_600_000),
            m if m % 60_000 == 0 => write!(f, "{}m", m / 60_000),
            m if m % 1_000 == 0 => write!(f, "{}s", m / 1_000),
            m => write!(f, "{m}ms"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `90s`, `20m`, `2h`, or plain seconds")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Span, E> {
                Ok(Span::from_secs(seconds))
            }

            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<Span, E> {
                u64::try_from(seconds)
                    .map(Span::from_secs)
                    .map_err(|_| E::custom(ParseSpanError(seconds.to_string())))
            }

            fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Span, E> {
                Duration::try_from_secs_f64(seconds)
                    .map(Span)
                    .map_err(|_| E::custom(ParseSpanError(seconds.to_string())))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("90s", 90_000)]
    #[case("20m", 1_200_000)]
    #[case("2h", 7_200_000)]
    #[case("1d", 86_400_000)]
    #[case("250ms", 250)]
    #[case("1.5s", 1_500)]
    #[case("45", 45_000)]
    #[case("0", 0)]
    fn durations_read_as_people_write_them(#[case] text: &str, #[case] millis: u128) {
        let span: Span = text.parse().unwrap();
        assert_eq!(span.0.as_millis(), millis);
        assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
    }

    #[rstest]
    #[case("")]
    #[case("soon")]
    #[case("-3s")]
    #[case("5 minutes")]
    #[case("1e9999")]
    #[case("999999999999999999999d")]
    fn what_is_not_a_duration_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<Span>(), Err(ParseSpanError(text.to_owned())));
    }
}
