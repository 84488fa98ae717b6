//! Places at which tests kill the process; in a build without tests there are none.

/// A kill here must lose nothing, and the same call must do the rest.
#[cfg(not(test))]
pub(super) const fn kill_point() {}

#[cfg(test)]
pub(super) use super::tests::kill::kill_point;
