//! What became of a push: of a claim, and of a turn's work with its stamp.
//!
//! A push that was accepted is won, and every other answer proves nothing: a refusal may be the refusal of the second
//! try of a push whose first has arrived. Then the remote is looked at, and its history and its token decide.

use crate::model::Token;

/// What the remote answered to a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It said ok for that very ref.
    Accepted,
    /// It said no.
    Refused,
    /// Nothing that can be relied on: cut, timed out, killed before the answer. The push may still arrive.
    Unknown,
}

/// The remote's branch, looked at after the push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip<'a> {
    /// Whether the commit that was pushed is the tip or in its history.
    pub contains_ours: bool,
    /// Whether the tip still is the commit that the push expected there.
    pub is_expected: bool,
    /// The token of the state at the tip. Where that state is gone or cannot be read nothing is decided: whoever looks stops
    /// and says so, for neither is another's token.
    pub token: Option<&'a Token>,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimFate {
    /// The turn is ours.
    Won,
    /// The turn is not ours, and nothing local has changed.
    Lost,
    /// The very same commit is pushed again, with the same expectation. Whoever stops trying after an answer that was
    /// unknown leaves the claim open in the journal: the push may still arrive.
    PushAgain,
    /// The remote must be looked at.
    Look,
}

/// What became of a claim that was pushed; `tip` is `None` where nobody has looked since the answer.
pub fn decide_claim(answer: Answer, tip: Option<&Tip<'_>>, ours: &Token) -> ClaimFate {
    match (answer, tip) {
        (Answer::Accepted, _) => ClaimFate::Won,
        (Answer::Refused | Answer::Unknown, None) => ClaimFate::Look,
        // The token alone counts: a claim that is in the history and was taken over since is lost.
        (Answer::Refused | Answer::Unknown, Some(tip)) if tip.token == Some(ours) => ClaimFate::Won,
        (Answer::Refused | Answer::Unknown, Some(tip)) if tip.is_expected => ClaimFate::PushAgain,
        (Answer::Refused | Answer::Unknown, Some(_)) => ClaimFate::Lost,
    }
}

/// What became of a turn's work and stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishFate {
    /// It is in the remote's history.
    Published,
    /// The turn was taken away: nothing of it is published.
    Fenced,
    /// The very same commit is pushed again, with the same expectation.
    PushAgain,
    /// The branch has moved and the turn is still ours: the work is replayed on the new tip and the stamp applied to
    /// the state that is there.
    Rebuild,
    /// The remote must be looked at.
    Look,
}

/// What became of a publication; `tip` is `None` where nobody has looked since the answer. `claim` is the token that the
/// stamp replaces, `stamp` the one that it writes, the same in every rebuilt stamp of a turn.
pub fn decide_publish(answer: Answer, tip: Option<&Tip<'_>>, claim: &Token, stamp: &Token) -> PublishFate {
    match (answer, tip) {
        (Answer::Accepted, _) => PublishFate::Published,
        (Answer::Refused | Answer::Unknown, None) => PublishFate::Look,
        (Answer::Refused | Answer::Unknown, Some(tip)) => {
            if tip.contains_ours || tip.token == Some(stamp) {
                PublishFate::Published
            } else if tip.token != Some(claim) {
                PublishFate::Fenced
            } else if tip.is_expected {
                PublishFate::PushAgain
            } else {
                PublishFate::Rebuild
            }
        }
    }
}
