//! How the lines of the two seats are shown: in two columns where a terminal is wide enough, else with their names.

use std::io::stderr;

use crate::cli::Output;
use crate::model::Actor;

use super::pair::clone_name;

/// A column that is narrower breaks too many lines.
const NARROWEST: usize = 66;
const BETWEEN: &str = " │ ";
/// A line that was broken goes on this much further in.
const FURTHER: usize = 2;

/// Where a seat's line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// After the seat's name.
    Named,
    /// Galph's on the left, ralph's on the right, each column of so many characters.
    Columns(usize),
}

impl Layout {
    /// What standard error has room for.
    pub(super) fn of(output: Output) -> Self {
        if !output.stderr_is_terminal {
            return Self::Named;
        }
        let columns = rustix::termios::tcgetwinsize(stderr()).map_or(0, |size| usize::from(size.ws_col));
        Self::for_width(columns)
    }

    fn for_width(columns: usize) -> Self {
        let width = columns.saturating_sub(BETWEEN.chars().count()) / 2;
        if width < NARROWEST { Self::Named } else { Self::Columns(width) }
    }

    /// What stands above the columns.
    pub(super) fn heading(self) -> Option<String> {
        let Self::Columns(width) = self else { return None };
        let [galph, ralph] =
            [Actor::Galph, Actor::Ralph].map(|actor| format!("{actor}, in {}/", clone_name(actor)));
        let rule = "─".repeat(width);
        Some(format!("{galph:width$}{BETWEEN}{ralph}\n{rule}─┼─{rule}"))
    }

    /// A line of a seat, as one or several lines.
    pub(super) fn place(self, actor: Actor, line: &str) -> String {
        let Self::Columns(width) = self else { return format!("{actor} | {line}").trim_end().to_owned() };
        let placed = |part: String| match actor {
            Actor::Galph => format!("{part:width$}{BETWEEN}").trim_end().to_owned(),
            Actor::Ralph => format!("{:width$}{BETWEEN}{part}", "").trim_end().to_owned(),
        };
        broken(line, width).into_iter().map(placed).collect::<Vec<_>>().join("\n")
    }
}

/// The line in parts of at most `width` characters, broken at spaces where there are some.
fn broken(line: &str, width: usize) -> Vec<String> {
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let further = " ".repeat((indent + FURTHER).min(width / 2));
    let mut left: Vec<char> = line.trim_end().chars().collect();
    let mut parts = Vec::new();
    while left.len() > width {
        // Not within the indentation, and not so early that the part is nearly empty.
        let space = (width / 2..=width).rev().find(|at| left[*at] == ' ');
        let rest: Vec<char> = left.split_off(space.unwrap_or(width));
        parts.push(left.iter().collect());
        left = further.chars().chain(rest.into_iter().skip_while(|c| *c == ' ')).collect();
    }
    parts.push(left.into_iter().collect());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, Layout::Named)]
    #[case(134, Layout::Named)]
    #[case(135, Layout::Columns(66))]
    #[case(200, Layout::Columns(98))]
    fn a_wide_terminal_has_two_columns(#[case] columns: usize, #[case] expected: Layout) {
        assert_eq!(Layout::for_width(columns), expected);
    }

    #[rstest]
    #[case(Layout::Named, Actor::Galph, "  a line", "galph |   a line")]
    #[case(Layout::Named, Actor::Ralph, "", "ralph |")]
    #[case(Layout::Columns(10), Actor::Galph, "short", "short      │")]
    #[case(Layout::Columns(10), Actor::Ralph, "short", "           │ short")]
    #[case(Layout::Columns(10), Actor::Ralph, "", "           │")]
    #[case(
        Layout::Columns(10),
        Actor::Galph,
        " one two three 0123456789x",
        " one two   │\n   three   │\n   0123456 │\n   789x    │"
    )]
    fn a_line_goes_where_its_seat_is(
        #[case] layout: Layout,
        #[case] actor: Actor,
        #[case] line: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(layout.place(actor, line), expected);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_part_is_too_wide(line in "[ a-cä→]{0,300}", width in 8..60_usize) {
            let parts = broken(&line, width);
            prop_assert!(parts.iter().all(|part| part.chars().count() <= width), "{parts:?}");
            let without_spaces = |text: &str| text.replace(' ', "");
            prop_assert_eq!(without_spaces(&parts.concat()), without_spaces(&line));
        }
    }
}
