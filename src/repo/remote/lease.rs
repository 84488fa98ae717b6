//! The lease: a sign of life beside the branch, `refs/baton/<branch>/lease` on the remote.
//!
//! A short chain of commits without files; each renewal adds one. Whoever watches compares its id with what was there before, so no
//! clock is in it that anybody relies on.

use std::time::Duration;

use super::answer::{LeaseSeen, Refusal};
use crate::model::{Token, TurnId};
use crate::publish::{ObjectId, with_turn};

/// Whose lease it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseMark {
    /// The token of the claim.
    pub token: Token,
    /// The turn that is claimed.
    pub turn: TurnId,
    /// How long the claim stands without a sign of life.
    pub length: Duration,
}

/// What became of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a lease that was not renewed runs out"]
pub enum Renewed {
    /// The lease is this commit now.
    Done(ObjectId),
    /// Another claim's lease stands where ours was. Look at the branch: where its state still has our token, renew again, which
    /// starts a new chain; otherwise the turn was taken over.
    Replaced {
        /// What stands there; `None` where the lease was deleted.
        by: Option<LeaseSeen>,
        /// The branch's commit by the same look.
        tip: Option<ObjectId>,
    },
    /// The server does not take leases.
    Refused(Refusal),
}

const TOKEN: &str = "Baton-Token: ";

/// The text of a renewal; `number` and `at` make each another commit.
pub(super) fn lease_message(mark: &LeaseMark, number: u64, at: jiff::Timestamp) -> String {
    let text = format!(
        "Sign of life {number} of a turn\n\nThe turn is at work at {at}; its claim stands {} s without another sign.\n\n[skip ci]\n",
        mark.length.as_secs()
    );
    with_turn(&text, mark.turn) + TOKEN + mark.token.as_str() + "\n"
}

/// The token of the claim that a lease belongs to.
pub(super) fn lease_token(message: &str) -> Option<String> {
    message.lines().rev().find_map(|line| line.strip_prefix(TOKEN)).map(|token| token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::turn_of_message;

    #[test]
    fn a_lease_says_whose_it_is() {
        let mark = LeaseMark {
            token: Token::from_text("abc".to_owned()),
            turn: TurnId::from_parts(1, 2),
            length: Duration::from_mins(10),
        };
        let message = lease_message(&mark, 3, "2026-01-02T03:04:05Z".parse().unwrap());
        assert_eq!(
            message,
            format!(
                "Sign of life 3 of a turn\n\nThe turn is at work at 2026-01-02T03:04:05Z; its claim stands 600 s without another sign.\n\n[skip ci]\n\nBaton-Turn: {}\nBaton-Token: abc\n",
                mark.turn
            )
        );
        assert_eq!(lease_token(&message).as_deref(), Some("abc"));
        assert_eq!(turn_of_message(&message), Some(mark.turn));
        assert_eq!(lease_token("anything"), None);
    }
}
