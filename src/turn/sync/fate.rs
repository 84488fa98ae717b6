//! What became of a push: of a claim, of a turn's work with its stamp, and of the word that the work must not leave.
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

/// What became of a publication; `tip` is `None` where nobody has looked since the answer. `ours` are the tokens that the
/// stamp may replace: the claim's and, of a refused turn, the refusal's; `stamp` is the one that it writes, the same in every
/// rebuilt stamp of a turn.
pub fn decide_publish(answer: Answer, tip: Option<&Tip<'_>>, ours: &[&Token], stamp: &Token) -> PublishFate {
    match (answer, tip) {
        (Answer::Accepted, _) => PublishFate::Published,
        (Answer::Refused | Answer::Unknown, None) => PublishFate::Look,
        (Answer::Refused | Answer::Unknown, Some(tip)) => {
            if tip.contains_ours || tip.token == Some(stamp) {
                PublishFate::Published
            } else if !tip.token.is_some_and(|found| ours.contains(&found)) {
                PublishFate::Fenced
            } else if tip.is_expected {
                PublishFate::PushAgain
            } else {
                PublishFate::Rebuild
            }
        }
    }
}

/// What there is to do about a turn whose work must not be handed over as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalFate {
    /// The remote says that the turn has failed: on top of that it is claimed again and handed over, once it is mended.
    Stands,
    /// The claim stands there: on top of it the remote is told or, once the work is mended, the turn handed over.
    Tell,
    /// A push of the work whose answer was lost had arrived: there is nothing to refuse any more.
    Published,
    /// The turn was taken away: nothing of it is published.
    Fenced,
}

/// What there is to do about a refused turn, from a look; `tip` says whether its newest stamp is there. The tokens are
/// those of the claim, of the refusal and of the stamp, where each has one.
pub fn decide_refusal(
    tip: &Tip<'_>,
    claim: &Token,
    refusal: Option<&Token>,
    stamp: Option<&Token>,
) -> RefusalFate {
    let Some(found) = tip.token.filter(|_| !tip.contains_ours) else {
        return if tip.contains_ours { RefusalFate::Published } else { RefusalFate::Fenced };
    };
    if Some(found) == stamp {
        RefusalFate::Published
    } else if Some(found) == refusal {
        RefusalFate::Stands
    } else if found == claim {
        RefusalFate::Tell
    } else {
        RefusalFate::Fenced
    }
}
