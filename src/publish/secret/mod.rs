//! Secrets: recognised in what would be committed, and masked in what is shown or kept.
//!
//! One table of [`ContentRule`]s and one of [`NameRule`]s say what a secret looks like. [`Scan`] reads contents piece
//! by piece and reports places and fingerprints; [`Masker`] replaces in texts what the same rules find, and the values
//! that it is told. Nothing here keeps or returns the value of a secret. Which bytes are looked at is the `runner`'s
//! business.

mod find;
mod fingerprint;
mod mask;
mod mask_stream;
mod name;
mod placeholder;
mod rule;
mod scan;
mod table;

pub use find::{Span, find_secrets};
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use mask::{Masker, TooShort};
pub use mask_stream::MaskStream;
pub use name::{NAME_RULES, NameRule, SAMPLE_BYTES, find_name};
pub use rule::ContentRule;
pub use scan::{Hit, Scan, scan};
pub use table::content_rules;

#[cfg(test)]
mod tests;
