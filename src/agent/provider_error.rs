//! What a provider's refusal means, by its status, its kind and its words.

use jiff::Timestamp;

use crate::model::OutcomeClass;

/// The class of an error. Whatever is known is given: the HTTP status, the provider's or the CLI's word for the kind of
/// error, the message. `now` is when it was said; times without a date are taken from there.
#[must_use]
pub fn classify_error(
    status: Option<u16>,
    kind: Option<&str>,
    message: &str,
    now: Timestamp,
) -> OutcomeClass {
    let _ = (status, kind, message, now);
    OutcomeClass::Failed
}
