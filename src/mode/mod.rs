//! Thin drivers over the runner.
