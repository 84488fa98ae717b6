//! How many tests a verification ran, read from its output.

use regex_automata::meta::{BuildError, Regex};
use regex_automata::util::syntax;

use super::turns::TestCount;

/// Why a `count_regex` cannot count.
#[derive(Debug, thiserror::Error)]
pub enum CountRegexError {
    /// It does not compile.
    #[error("is not a regular expression{}", .0.syntax_error().map(|error| format!(": {}", last_line(&error.to_string()))).unwrap_or_default())]
    Invalid(Box<BuildError>),
    /// Nothing in it says where the number is.
    #[error("has no group for the number")]
    NoGroup,
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// A compiled `count_regex`.
#[derive(Debug, Clone)]
pub struct TestCounter(Regex);

impl TestCount {
    /// Compiles `count_regex`: classes such as `\d` are ASCII, since it is matched against bytes of any encoding.
    pub fn counter(&self) -> Result<TestCounter, CountRegexError> {
        let regex = Regex::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .configure(Regex::config().utf8_empty(false).nfa_size_limit(Some(1 << 20)))
            .build(&self.count_regex)
            .map_err(|error| CountRegexError::Invalid(Box::new(error)))?;
        if regex.static_captures_len().unwrap_or(2) < 2 && regex.captures_len() < 2 {
            return Err(CountRegexError::NoGroup);
        }
        Ok(TestCounter(regex))
    }
}

impl TestCounter {
    /// The sum of the first group over all matches; what is no number counts 0.
    pub fn count(&self, output: &[u8]) -> u64 {
        self.0
            .captures_iter(output)
            .filter_map(|captures| captures.get_group(1))
            .filter_map(|group| std::str::from_utf8(&output[group.range()]).ok()?.trim().parse::<u64>().ok())
            .fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn counting(count_regex: &str) -> TestCount {
        TestCount { min: 1, count_regex: count_regex.to_owned() }
    }

    #[rstest]
    #[case(r"(\d+) passed", "test result: ok. 12 passed; 0 failed\ntest result: ok. 3 passed", 15)]
    #[case(r"(?m)^Ran (\d+) tests?", "Ran 4 tests in 0.1s\n", 4)]
    #[case(r"(\d+) passed", "nothing ran", 0)]
    #[case(r"([a-z]+) passed", "many passed", 0)]
    #[case(r"(\d+) passed", "18446744073709551615 passed, 5 passed", u64::MAX)]
    fn the_first_groups_of_all_matches_are_summed(
        #[case] regex: &str,
        #[case] output: &str,
        #[case] count: u64,
    ) {
        assert_eq!(counting(regex).counter().unwrap().count(output.as_bytes()), count);
    }

    #[test]
    fn output_that_is_not_utf_8_is_counted_too() {
        assert_eq!(counting(r"(\d+) passed").counter().unwrap().count(b"\xff\xfe 7 passed \xff"), 7);
    }
}
