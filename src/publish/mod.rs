//! Pure selection of what a turn commits.
