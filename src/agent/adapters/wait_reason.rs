//! Why an agent waits, and until when, from the words of the error that made it wait, for CLIs that tell no more.

use jiff::Timestamp;

use crate::model::OutcomeClass;

use super::super::provider_error::classify_error;
use super::super::{WaitReason, Waiting};

const PACE: [&str; 5] = ["429", "rate limit", "rate_limit", "ratelimit", "too many requests"];
const NO_ROOM: [&str; 6] = ["503", "529", "overloaded", "high demand", "unavailable", "capacity"];

/// The reason that an error's words give.
pub(super) fn wait_reason(error: &str) -> WaitReason {
    let text = error.to_ascii_lowercase();
    let says = |marks: &[&str]| marks.iter().any(|mark| text.contains(mark));
    if says(&PACE) {
        WaitReason::RateLimit
    } else if says(&NO_ROOM) {
        WaitReason::Overloaded
    } else {
        WaitReason::Retry
    }
}

/// The wait that an error's words tell of, where they are such that the same request may be served later.
pub(super) fn wait_after(error: &str, now: Timestamp) -> Option<Waiting> {
    let (reason, until) = match classify_error(None, None, error, now) {
        OutcomeClass::Limited { until } => (WaitReason::RateLimit, until),
        OutcomeClass::Overloaded => (wait_reason(error), None),
        OutcomeClass::Ok
        | OutcomeClass::NoChange
        | OutcomeClass::Failed
        | OutcomeClass::Auth
        | OutcomeClass::Denied
        | OutcomeClass::TimedOut
        | OutcomeClass::Stalled
        | OutcomeClass::Interrupted => return None,
    };
    Some(Waiting { reason, attempt: None, of: None, until })
}
