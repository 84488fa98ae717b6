//! Sizes as people write them: `5MiB`, `1GiB`, or plain bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of bytes with the spelling of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ByteSize(pub u64);

/// The text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: write `500KiB`, `5MiB`, `1GiB`, or plain bytes")]
pub struct ParseByteSizeError(pub String);

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl FromStr for ByteSize {
    type Err = ParseByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseByteSizeError(text.to_owned());
        let trimmed = text.trim();
        let (number, unit) = UNITS
            .iter()
            .find_map(|(suffix, unit)| trimmed.strip_suffix(suffix).map(|number| (number, *unit)))
            .unwrap_or((trimmed, 1));
        let value: u64 = number.trim_end().parse().map_err(|_| refuse())?;
        value.checked_mul(unit).map(Self).ok_or_else(refuse)
    }
}

impl fmt::Display for ByteSize {
    /// The largest unit that divides the size; what is read back is the same size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (suffix, unit) = UNITS
            .into_iter()
            .find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit))
            .unwrap_or(("B", 1));
        write!(f, "{}{suffix}", self.0 / unit)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as `5MiB`, or plain bytes")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }

            fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                u64::try_from(bytes)
                    .map(ByteSize)
                    .map_err(|_| E::custom(ParseByteSizeError(bytes.to_string())))
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
    #[case("5MiB", 5 << 20)]
    #[case("1GiB", 1 << 30)]
    #[case("12 KiB", 12 << 10)]
    #[case("7B", 7)]
    #[case("1000", 1000)]
    fn sizes_read_as_people_write_them(#[case] text: &str, #[case] bytes: u64) {
        let size: ByteSize = text.parse().unwrap();
        assert_eq!(size.0, bytes);
        assert_eq!(size.to_string().parse::<ByteSize>().unwrap(), size);
    }

    #[rstest]
    #[case("")]
    #[case("lots")]
    #[case("-1")]
    #[case("5MB")]
    #[case("99999999999GiB")]
    fn what_is_not_a_size_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<ByteSize>(), Err(ParseByteSizeError(text.to_owned())));
    }
}
