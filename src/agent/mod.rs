//! Pure adapters for agent CLIs.
