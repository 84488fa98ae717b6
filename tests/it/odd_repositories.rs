//! Odd repositories.
