//! Pure prompt routing.
