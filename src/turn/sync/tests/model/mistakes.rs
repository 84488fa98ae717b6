//! Mistakes that the check must find: each is one plausible slip in a decision, or in the order of effects.

use super::arena::Stamping;
use crate::turn::sync::{Answer, ClaimFate, PublishFate, SeatAction, SeatView, Tip};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    None,
    ClaimCountsUnknownAsWon,
    ClaimTakesARefusalForTheTruth,
    ClaimIgnoresTheToken,
    ClaimsAnewInsteadOfAgain,
    PublishCountsUnknownAsPublished,
    PublishTakesARefusalForTheTruth,
    PublishIgnoresHistory,
    PublishIgnoresTheToken,
    StampsTheStateThatItKnew,
    TakesOverUnderAHold,
    TakesOverWithoutAToken,
    ForgetsWhatAPeerDropped,
    PushesBeforeTheJournal,
    StartsBeforeTheJournal,
    TakesWorkThatWaitsElsewhere,
    PublishForgetsItsRefusal,
    PublishForgetsItsClaim,
    RefusalIgnoresWhatHasArrived,
    RefusalIgnoresTheToken,
}

impl Mistake {
    pub(super) fn claim(self, answer: Answer, tip: Option<&Tip<'_>>, right: ClaimFate) -> ClaimFate {
        match self {
            Self::ClaimCountsUnknownAsWon if answer == Answer::Unknown => ClaimFate::Won,
            Self::ClaimTakesARefusalForTheTruth if answer == Answer::Refused => ClaimFate::Lost,
            Self::ClaimIgnoresTheToken if right == ClaimFate::Lost && tip.is_some() => ClaimFate::Won,
            _ => right,
        }
    }

    pub(super) fn publish(self, answer: Answer, tip: Option<&Tip<'_>>, right: PublishFate) -> PublishFate {
        match self {
            Self::PublishCountsUnknownAsPublished if answer == Answer::Unknown => PublishFate::Published,
            Self::PublishTakesARefusalForTheTruth if answer == Answer::Refused => PublishFate::Fenced,
            Self::PublishIgnoresHistory
                if right == PublishFate::Published && tip.is_some_and(|tip| tip.contains_ours) =>
            {
                PublishFate::Fenced
            }
            Self::PublishIgnoresTheToken if right == PublishFate::Fenced => PublishFate::Rebuild,
            _ => right,
        }
    }

    pub(super) fn stamping(self) -> Stamping {
        match self {
            Self::PublishIgnoresTheToken => Stamping::Forged,
            Self::StampsTheStateThatItKnew => Stamping::Stale,
            _ => Stamping::Honest,
        }
    }

    pub(super) fn seat(self, view: &SeatView<'_>, right: SeatAction) -> SeatAction {
        let Some(state) = view.state else { return right };
        let lapsed =
            state.status.runner() == Some(view.role) && view.lease == crate::turn::sync::LeaseHealth::Expired;
        match self {
            Self::TakesOverUnderAHold if lapsed && state.token.is_some() => SeatAction::Takeover,
            Self::TakesWorkThatWaitsElsewhere
                if state.failure.as_ref().is_some_and(|failure| failure.waits)
                    && state.expected_actor == view.role =>
            {
                SeatAction::Reclaim
            }
            Self::TakesOverWithoutAToken if lapsed && state.holds.is_empty() => SeatAction::Takeover,
            _ => right,
        }
    }
}
