//! Going round in circles: turns that change nothing, or undo and redo the same change.

use std::fmt;

/// The turns go round in circles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stalemate {
    /// Nothing changed at all.
    NoChange {
        /// In how many turns.
        turns: usize,
    },
    /// The tree only went back to what it had been before.
    BackAndForth {
        /// In how many turns.
        turns: usize,
    },
}

impl fmt::Display for Stalemate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChange { turns } => write!(f, "{turns} turns in a row changed nothing"),
            Self::BackAndForth { turns } => {
                write!(f, "{turns} turns in a row only undid and redid earlier changes")
            }
        }
    }
}

/// Whether the newest `limit` turns made no progress. `trees` are the tree identities after each turn, oldest first,
/// the first one being the tree before the oldest turn; a `limit` of zero switches the check off.
pub fn decide_no_progress<T: PartialEq>(trees: &[T], limit: usize) -> Option<Stalemate> {
    let turns = trees.len().saturating_sub(1);
    if limit == 0 || turns < limit {
        return None;
    }
    let newest = trees.len() - limit..trees.len();
    let circling = newest.clone().all(|index| trees[..index].contains(&trees[index]));
    if !circling {
        return None;
    }
    let unchanged = newest.into_iter().all(|index| trees[index] == trees[index - 1]);
    Some(if unchanged {
        Stalemate::NoChange { turns: limit }
    } else {
        Stalemate::BackAndForth { turns: limit }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("aaaaa", 4, Some(Stalemate::NoChange { turns: 4 }))]
    #[case("aaaa", 4, None)]
    #[case("abaaaa", 4, Some(Stalemate::BackAndForth { turns: 4 }))]
    #[case("ababab", 4, Some(Stalemate::BackAndForth { turns: 4 }))]
    #[case("ababc", 4, None)]
    #[case("abcde", 4, None)]
    #[case("abcaa", 2, Some(Stalemate::BackAndForth { turns: 2 }))]
    #[case("aaaaaa", 0, None)]
    #[case("", 4, None)]
    fn circles_are_told_from_progress(
        #[case] trees: &str,
        #[case] limit: usize,
        #[case] expected: Option<Stalemate>,
    ) {
        let trees: Vec<char> = trees.chars().collect();
        assert_eq!(decide_no_progress(&trees, limit), expected);
    }
}
