//! Why an agent waits, from the words of the error that made it wait, for CLIs that tell no more.

use super::super::WaitReason;

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
